"""Names beside drawings in axes of matplotlib: none over another, and none wider than what it belongs to."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from stexplain.viz.names import in_lines, shortened

MOST = 40
"""Letters of a name along an axis; a longer one is shortened, as in the charts."""
_SMALLEST = 5.0
"""Points: smaller letters are no letters."""
_WIDE, _TALL = 0.56, 1.15
"""The width of a letter and the height of a line, in sizes of the font."""


def name_ticks(axis: Any, names: Sequence[str]) -> None:
    """Names the rows or columns of axes, from 0, in letters so small that they lie side by side.

    Where even the smallest do not, every second, third, ... name is written.

    Args:
        axis: ``ax.xaxis``, whose names are upright, or ``ax.yaxis``.
        names: of all rows or columns.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    across = axis.axis_name == "x"
    letters = rcParams["xtick.labelsize"] if across else rcParams["ytick.labelsize"]
    size = FontProperties(size=letters).get_size_in_points()
    room = _points(axis.axes)[0 if across else 1] / max(len(names), 1)
    fits = min(size, max(room / _TALL, _SMALLEST))
    step = max(1, round(_SMALLEST * _TALL / room)) if room < _SMALLEST else 1
    texts = shortened(names, MOST)
    at = range(0, len(names), step)
    axis.set_ticks(at, [texts[str(names[place])] for place in at])
    axis.set_tick_params(labelsize=fits, **({"labelrotation": 90} if across else {}))


def entitle(axes: Sequence[Any], names: Sequence[str]) -> None:
    """Titles of axes side by side: in two lines, in smaller letters, and shortened, as far as it takes to fit.

    Args:
        axes: those that get a title.
        names: a title for each.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    full = FontProperties(size=rcParams["axes.titlesize"]).get_size_in_points()
    width = min((_points(ax)[0] for ax in axes), default=0.0)
    sizes = [full, *(size for size in (10.0, 8.0) if size < full)]
    for size in sizes:
        most = max(int(width / (size * _WIDE)), 8)
        lines = {name: in_lines(name, most) for name in names}
        if all(len(line) <= most for parts in lines.values() for line in parts):
            break
    long = [name for name, parts in lines.items() if len(parts) == 1]
    texts = shortened(long, most)
    for ax, name in zip(axes, names, strict=False):
        ax.set_title(texts.get(name) or "\n".join(lines[name]), fontsize=size)


def below(ax: Any, text: str) -> None:
    """Writes a note below axes, in lines no wider than they are."""
    lines = wrap(text, max(int(_points(ax)[0] / (8 * _WIDE)), 16))
    ax.text(0.5, 0.0, "\n".join(lines), transform=ax.transAxes, fontsize=8, ha="center", va="top")


def _points(ax: Any) -> tuple[float, float]:
    """Width and height of axes, in points."""
    return ax.bbox.width * 72 / ax.figure.dpi, ax.bbox.height * 72 / ax.figure.dpi
