"""How an explanation shows itself: the chart that fits it, as a picture or a film, and what a notebook shows."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from stexplain.checking import checked
from stexplain.checking.elsewhere import OF_EXPLANATIONS, missing
from stexplain.errors import InputError
from stexplain.explainers.results.made_by import details
from stexplain.explainers.results.pictures import picture
from stexplain.explainers.results.times import times_of

if TYPE_CHECKING:
    import altair as alt

    from stexplain.explainers.edge_explanation import EdgeExplanation
    from stexplain.explainers.explanation import Explanation

# Of more nodes than this a drawing of a skeleton is no longer read.
_BODY = 80


@checked
class Shown:
    """What an explanation shows of itself: `plot`, `animate`, and in a notebook."""

    def plot(self, sample: int = 0, *, ax: Any = None, **options: Any) -> Any:
        """An altair chart of one sample: the one of `stexplain.viz` that fits what is known of it.

        A graph with drawing positions and at most 80 nodes, or coordinates `x`, give `skeleton`; a forecast and all
        others give `timeline`, signed where values are.

        Args:
            sample: its index.
            ax: axes of matplotlib to draw the same numbers into, one frame of a skeleton (``frame=``) or the heat map;
                none: an altair chart.
            **options: of that function; with `ax` those of `viz.draw_skeleton` or `viz.draw_timeline`.

        Returns:
            The chart, an `altair.TopLevelMixin`; or `ax`.

        Raises:
            InputError: where there is no such sample, or an option does not fit.
        """
        return chart(cast("Explanation", self), sample, ax, **options)

    def animate(self, path: "str | Path", sample: int = 0, *, speed: float = 1.0, **options: Any) -> Path:
        """Writes one sample as a film: a skeleton, or importance on the graph over time.

        Args:
            path: ending in ``.mp4``, ``.gif`` or ``.html``; see `stexplain.viz.animate` for what each needs.
            sample: its index.
            speed: 2 plays twice as fast.
            **options: of `skeleton`, such as the coordinates ``x=``, or of `network`.

        Returns:
            The path.

        Raises:
            InputError: where the ending is another, there is no such sample, no graph, or an option does not fit.
            DataError: where the file cannot be written.
        """
        from stexplain.viz import animate

        return animate(moving(cast("Explanation", self), sample, **options), path, speed=speed)

    def _repr_html_(self) -> str:
        """What a notebook shows, offline: what it is, and a picture of its first sample."""
        return html(cast("Explanation", self))

    if not TYPE_CHECKING:  # type checkers would let any name pass

        def __getattr__(self, name: str) -> NoReturn:
            missing(self, name, OF_EXPLANATIONS)


def chart(e: "Explanation", sample: int = 0, ax: Any = None, **options: Any) -> Any:
    """The chart of one sample that fits what is known of it; see `Shown.plot`.

    Raises:
        InputError: where there is no such sample, or an option is none of the chart's.
    """
    _check(e, sample)
    draw = _drawing(e, sample, given=set(options))
    if ax is not None:
        from stexplain.viz import draw_skeleton, draw_timeline

        signed = getattr(draw, "keywords", {})
        draw = draw_skeleton if _name(draw) == "skeleton" else partial(draw_timeline, **signed)
        options = {"ax": ax, **options}
    return _drawn(draw, e, sample=sample, **options)


def moving(e: "Explanation", sample: int = 0, **options: Any) -> "alt.TopLevelMixin":
    """The chart of one sample that plays; see `Shown.animate`.

    Raises:
        InputError: where there is no such sample or no graph, or an option is none of the chart's.
    """
    from stexplain.viz import network

    _check(e, sample)
    draw = _drawing(e, sample, given=set(options))
    if _name(draw) == "skeleton":
        return cast("alt.TopLevelMixin", _drawn(draw, e, sample=sample, **options))
    if e.graph is None:
        raise InputError(
            "the explanation has no graph, so nothing could move. Give the explainer a graph, or pass the "
            "coordinates as x=; e.plot() draws the heat map."
        )
    values = e.values[sample] if e.signed else e.importance[sample]
    # Of several instances the value that is furthest from zero; a frame without any is missing.
    furthest = np.take_along_axis(values, np.abs(values).argmax(0)[None], 0)[0].astype(np.float64)
    shown = np.where(e.valid[sample].any(0)[:, None], furthest, np.nan)
    title = f"Importance over time for {e.target}" if e.target else "Importance over time"
    time, kind = times_of(e)
    defaults = {"time": time, "time_unit": kind, "signed": e.signed, "unit": e.unit(), "title": title}
    defaults["subtitle"] = _said(e, sample)
    return cast("alt.TopLevelMixin", _drawn(network, e.graph, shown, **{**defaults, **options}))


def _check(e: "Explanation", sample: int) -> None:
    if not 0 <= sample < len(e):
        raise InputError(f"sample: got {sample}; expected 0 to {len(e) - 1}.")


def _drawn(draw: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return draw(*arguments, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise InputError(f"{error}. See the options of stexplain.viz.{_name(draw)}.") from error


def _said(e: "Explanation", sample: int) -> list[str]:
    """What stands above a film: which of several samples it shows, and what its colours say of the score."""
    which = f"Sample {e.ids[sample] or sample + 1}, one of {len(e.ids):,}."
    if not e.signed:
        how = "Brighter: more important. Larger: further from zero."
    elif int(e.targets[sample]) >= 0:
        how = "Orange contributes to the class, blue against it. Larger: by more."
    elif e.measures == "score per input":
        how = "Orange: a higher observation raises the forecast; blue: it lowers it. Larger: by more."
    else:
        how = f"Orange: raised it; blue: lowered it{f', in {e.output_unit}' if e.output_unit else ''}. Larger: by more."
    return [which, how] if len(e.ids) > 1 else [how]


def html(e: "Explanation") -> str:
    """What it is, and a still picture of its first sample; nothing is loaded from the network."""
    # Its notes stand once, in full, below the first line, and neither in it nor in the picture.
    bare = replace(e, notes=())
    said = f"<p>{escape(repr(bare).strip('<>'))}</p>" + "".join(f"<p><em>{escape(note)}</em></p>" for note in e.notes)
    if not len(e) or not e.valid[0].any():
        return said + details(e.made_by)
    draw = _drawing(e, 0, given=set())
    # Frames side by side in place of a slider: the picture stands still.
    still = {"interactive": False, "frames": strongest_frames(e)}
    drawn = draw(bare, sample=0, **(still if _name(draw) == "skeleton" else {}))
    return said + picture(drawn, f"importance of each node over time, sample {e.ids[0] or 0}") + details(e.made_by)


def edges_html(e: "EdgeExplanation") -> str:
    """What it is, the most important pairs of its first sample, and a still picture where frames are known."""
    from stexplain.viz import edge_timeline

    bare = replace(e, notes=())
    said = f"<p>{escape(repr(bare).strip('<>'))}</p>" + "".join(f"<p><em>{escape(note)}</em></p>" for note in e.notes)
    if not len(e) or not len(e.source):
        return said
    if e.over_time:
        return said + picture(edge_timeline(e), "importance of edges over time, first sample")
    pairs = e.pairs(0)
    order = pairs["value"].abs().sort_values(ascending=False, kind="stable").index[:10]
    return said + str(pairs.loc[order].to_html(index=False, float_format="{:.3g}".format))


def strongest_frames(e: "Explanation") -> list[int]:
    """Three frames over the part of the first sample that matters, the one of greatest importance among them.

    They are where a sixth, a half and five sixths of its importance have passed.
    """
    valid = np.flatnonzero(e.valid[0].any(0))
    weight = e.importance[0].sum((0, 2), dtype=np.float64)[valid]
    passed = np.cumsum(weight)
    at = np.searchsorted(passed, passed[-1] * np.array([1 / 6, 1 / 2, 5 / 6]))
    strongest = int(weight.argmax())
    at[np.abs(at - strongest).argmin()] = strongest
    chosen = set(at.tolist())
    # Of what matters at one moment, how it begins and ends.
    for further in (0, len(valid) - 1, len(valid) // 2):
        if len(chosen) < min(3, len(valid)):
            chosen.add(further)
    return [int(valid[index]) for index in sorted(chosen)]


def _drawing(e: "Explanation", sample: int, given: set[str]) -> Callable[..., Any]:
    from stexplain.viz import skeleton, timeline

    of_class = int(e.targets[sample]) >= 0
    placed = e.graph is not None and e.graph.positions is not None and len(e.graph) <= _BODY
    if "x" in given or (placed and of_class and not given & {"bins", "signed", "nodes", "groups"}):
        return skeleton
    # A class has evidence for it, which is not negative; of a forecast each value has a sign.
    return timeline if of_class or "signed" in given else partial(timeline, signed=e.signed)


def _name(draw: Callable[..., Any]) -> str:
    return str(getattr(draw, "func", draw).__name__)
