"""Charts that play, as a film: MP4, GIF, or a page with a play button."""

import io
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

SUFFIXES = (".mp4", ".gif", ".html")


@checked
def animate(chart: alt.TopLevelMixin, path: Path | str, *, speed: float = 1.0, scale: float = 1.5) -> Path:
    """Writes a chart that plays as a film. The file appears only once it is complete.

    Each frame is the picture that the chart shows there: colours, names and numbers are the same. MP4 and GIF are
    written by matplotlib, ``pip install 'stexplain[plots]'``; MP4 also needs the program ``ffmpeg``.

    Args:
        chart: of `skeleton`, `network`, `road_network` or `edge_network`, over time.
        path: ending in ``.mp4``, ``.gif``, or ``.html`` (a page that opens offline and starts to play).
        speed: 2 plays twice as fast; a clip whose times are in seconds plays in real time at 1. For a page, its reader
            chooses.
        scale: pixels of the film per pixel of the chart.

    Returns:
        The path.

    Raises:
        InputError: where the ending is another, the chart has no frames, or what writes the film is not installed.
        DataError: where the file cannot be written.
    """
    if not isinstance(path, str | Path):
        raise InputError(f"path: got a {type(path).__name__}; expected the path of a file.")
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise InputError(f"path: got the unsupported format {path.suffix!r}; use .mp4, .gif or .html.")
    if not isinstance(chart, alt.TopLevelMixin):
        raise InputError(f"chart: got a {type(chart).__name__}; expected a chart, from a function of stexplain.viz.")
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
    writer = _writer(kind, play["rate"] * speed)
    import vl_convert

    # Compressed: a long clip would otherwise fill the memory.
    pictures = [vl_convert.vegalite_to_png(at_stop(spec, stop), scale=scale) for stop in play["stops"]]
    with atomic_write(path) as temporary:
        # The writers choose the format by the ending, which a temporary file has not.
        film = temporary.with_name(temporary.name + kind)
        try:
            _film(writer, pictures, film)
            film.replace(temporary)
        finally:
            film.unlink(missing_ok=True)
    return path


def _writer(kind: str, rate: float) -> Any:
    try:
        from matplotlib import animation
    except ImportError as error:
        raise InputError(
            f"path: a {kind} needs matplotlib, which is not installed. Use pip install 'stexplain[plots]', or write "
            ".html."
        ) from error
    if kind == ".gif":
        return animation.PillowWriter(fps=rate)  # type: ignore[arg-type]  # a fraction of a frame a second works too
    if not animation.FFMpegWriter.isAvailable():
        raise InputError(
            "path: an .mp4 needs the program ffmpeg, which is not on the PATH. Install it, for example by apt install "
            "ffmpeg, brew install ffmpeg or conda install ffmpeg, or write .gif or .html."
        )
    return animation.FFMpegWriter(fps=rate, codec="h264")  # type: ignore[arg-type]  # a fraction works too


def _pixels(png: bytes) -> NDArray[np.uint8]:
    """One frame, ``[height, width, 3]``."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        white = Image.new("RGBA", picture.size, "white")
        return np.asarray(Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB"))


def _film(writer: Any, pictures: list[bytes], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A name may reach out of the drawing at some frames: all get the size of the largest, even for H.264.
    # A PNG has width and height from its 16th byte on.
    width, height = (2 * -(-max(int.from_bytes(png[at : at + 4]) for png in pictures) // 2) for at in (16, 20))
    # Not through pyplot, which would touch the caller's figures and backend.
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    FigureCanvasAgg(figure)
    try:
        with writer.saving(figure, str(path), 100):
            for png in pictures:
                picture = _pixels(png)
                figure.clear()
                padded = np.full((height, width, 3), 255, np.uint8)
                padded[: picture.shape[0], : picture.shape[1]] = picture
                figure.figimage(padded)
                writer.grab_frame()
    except OSError as error:
        raise DataError(f"{path.name}: the film could not be written: {error}") from error
