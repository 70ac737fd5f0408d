"""Charts that play, as a film: MP4, GIF, or a page with a play button."""

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import DataError, InputError
from stexplain.files import atomic_write
from stexplain.viz.page import page_of
from stexplain.viz.playing import at_stop, play_of
from stexplain.wording import an

SUFFIXES = (".mp4", ".gif", ".html")

# Browsers play a GIF's frame of less than two hundredths of a second as one of ten.
_GIF_FASTEST = 50.0
# A palette is found in so many frames, spread over the film.
_PALETTE_FRAMES = 6

_Film = Callable[[list[bytes], Path], None]


@checked
def animate(chart: alt.TopLevelMixin, path: Path | str, *, speed: float = 1.0, scale: float = 1.5) -> Path:
    """Writes a chart that plays as a film. The file appears only once it is complete.

    Each frame is the picture that the chart shows there: colours, names and numbers are the same. A skeleton takes
    some 0.2 s a frame. GIF needs Pillow and MP4 matplotlib, ``pip install 'stexplain[plots]'``; MP4 also needs the
    program ``ffmpeg``. A GIF has 256 colours and at most 50 frames a second: of a faster film it has every second
    frame, or fewer.

    Args:
        chart: of `skeleton`, `network`, `road_network` or `edge_network`, over time.
        path: ending in ``.mp4``, ``.gif``, or ``.html`` (a page that opens offline and starts to play).
        speed: 2 plays twice as fast; a clip whose times are in seconds plays in real time at 1, but for clips of fewer
            than 1.5 frames a second, which play faster, and those that last less than a second, at 30 frames a second
            at most. Of other clips of more than that every second frame is shown, or fewer. For a page, its reader
            chooses.
        scale: pixels of the film per pixel of the chart.

    Returns:
        The path.

    Raises:
        InputError: where the ending is another, the chart has no frames, or what writes the film is not installed.
        DataError: where the file cannot be written.

    Example:
        >>> import tempfile
        >>> from stexplain.graph import STGraph
        >>> from stexplain.viz import network
        >>> moving = network(STGraph.from_edges("ab", [("a", "b")]), [[0.1, 0.9], [0.8, 0.2]], time=[0, 1])
        >>> animate(moving, Path(tempfile.mkdtemp()) / "film.html").name
        'film.html'
    """
    if not isinstance(path, str | Path):
        raise InputError(f"path: got {an(type(path).__name__)}; expected the path of a file.")
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise InputError(f"path: got the unsupported format {path.suffix!r}; use .mp4, .gif or .html.")
    if not isinstance(chart, alt.TopLevelMixin):
        raise InputError(f"chart: got {an(type(chart).__name__)}; expected a chart, from a function of stexplain.viz.")
    if not (isinstance(speed, int | float) and 0 < speed < np.inf):
        raise InputError(f"speed: got {speed!r}; expected a number above 0.")
    spec = chart.to_dict()
    play = play_of(spec)
    if play is None or len(play["stops"]) < 2:
        raise InputError(
            "chart: it does not change over time, so there is nothing to play. Pass a skeleton, or a network with "
            "values over time; viz.save writes pictures."
        )
    if kind == ".html":
        with atomic_write(path) as temporary:
            temporary.write_text(page_of(spec, autoplay=True), "utf-8")
        return path
    rate, stops = play["rate"] * speed, play["stops"]
    if kind == ".gif":
        every = int(np.ceil(rate / _GIF_FASTEST))
        rate, stops = rate / every, stops[::every]
    write = _film_of(kind, rate)
    import vl_convert

    # Compressed: a long clip would otherwise fill the memory.
    pictures = [vl_convert.vegalite_to_png(at_stop(spec, stop), scale=scale) for stop in stops]
    with atomic_write(path) as temporary:
        # The writers choose the format by the ending, which a temporary file has not.
        film = temporary.with_name(temporary.name + kind)
        try:
            write(pictures, film)
            film.replace(temporary)
        except OSError as error:
            raise DataError(f"{path.name}: the film could not be written: {error}") from error
        finally:
            film.unlink(missing_ok=True)
    return path


def _film_of(kind: str, rate: float) -> _Film:
    """What writes pictures as a film of this kind."""
    try:
        import PIL
        from matplotlib import animation
    except ImportError as error:
        raise InputError(
            f"path: a {kind} needs matplotlib and Pillow, which are not both installed. Use pip install "
            "'stexplain[plots]', or write .html."
        ) from error
    del PIL
    if kind == ".gif":
        return partial(_gif, rate=rate)
    if not animation.FFMpegWriter.isAvailable():
        raise InputError(
            "path: an .mp4 needs the program ffmpeg, which is not on the PATH. Install it, for example by apt install "
            "ffmpeg, brew install ffmpeg or conda install ffmpeg, or write .gif or .html."
        )
    # A fraction of a frame a second works too.
    return partial(_mp4, writer=animation.FFMpegWriter(fps=rate, codec="h264"))  # type: ignore[arg-type]


def _frames(pictures: list[bytes]) -> Iterator[NDArray[np.uint8]]:
    """The frames ``[height, width, 3]``, one after another, on white and all of one even size."""
    from PIL import Image

    # A name may reach out of the drawing at some frames: all get the size of the largest, even for H.264.
    # A PNG has width and height from its 16th byte on.
    width, height = (2 * -(-max(int.from_bytes(png[at : at + 4]) for png in pictures) // 2) for at in (16, 20))
    for png in pictures:
        with Image.open(io.BytesIO(png)) as picture:
            white = Image.new("RGBA", (width, height), "white")
            white.alpha_composite(picture.convert("RGBA"))
        yield np.asarray(white.convert("RGB"))


def _gif(pictures: list[bytes], path: Path, rate: float) -> None:
    from PIL import Image

    # One palette for all: its own would take most of the time of a frame, and let colours flicker. Of Pillow's ways
    # this one keeps white and other frequent colours as they are; the others mix those that are near.
    some = pictures[:: -(-len(pictures) // _PALETTE_FRAMES)]
    palette = Image.fromarray(np.concatenate(list(_frames(some)))).quantize(256, Image.Quantize.MAXCOVERAGE)
    frames = (Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in _frames(pictures))
    # GIF counts in hundredths of a second: rounded one by one, a film would be too fast.
    ends = np.round(100 / rate * np.arange(len(pictures) + 1)).astype(int)
    durations = (10 * np.diff(ends)).tolist()
    next(frames).save(path, save_all=True, append_images=frames, duration=durations, loop=0)


def _mp4(pictures: list[bytes], path: Path, writer: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    frames = _frames(pictures)
    first = next(frames)
    height, width, _ = first.shape
    # Not through pyplot, which would touch the caller's figures and backend.
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    FigureCanvasAgg(figure)
    shown = figure.figimage(first)
    with writer.saving(figure, str(path), 100):
        writer.grab_frame()
        for frame in frames:
            shown.set_data(frame)
            writer.grab_frame()
