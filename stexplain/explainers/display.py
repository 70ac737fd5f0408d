"""How an explanation shows itself: the chart that fits it, and what a notebook shows."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from stexplain.errors import InputError

if TYPE_CHECKING:
    import altair as alt

    from stexplain.explainers.explanation import Explanation

# Of more nodes than this a drawing of a skeleton is no longer read.
_BODY = 80


def chart(e: "Explanation", sample: int = 0, **options: Any) -> "alt.TopLevelMixin":
    """The chart of one sample that fits what is known of it; see `Explanation.plot`.

    Raises:
        InputError: where there is no such sample, or an option is none of the chart's.
    """
    if not 0 <= sample < len(e):
        raise InputError(f"sample: got {sample}; expected 0 to {len(e) - 1}.")
    draw = _drawing(e, sample, given=set(options))
    try:
        drawn: alt.TopLevelMixin = draw(e, sample=sample, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise InputError(f"{error}. See the options of stexplain.viz.{_name(draw)}.") from error
    return drawn


def html(e: "Explanation") -> str:
    """What it is, and a still picture of its first sample; nothing is loaded from the network."""
    said = f"<p>{escape(repr(e).strip('<>'))}</p>" + "".join(f"<p><em>{escape(note)}</em></p>" for note in e.notes)
    if not len(e) or not e.valid[0].any():
        return said
    import vl_convert

    draw = _drawing(e, 0, given=set())
    # Frames side by side in place of a slider: the picture stands still.
    drawn = draw(e, sample=0, **({"interactive": False} if _name(draw) == "skeleton" else {}))
    picture = b64encode(vl_convert.vegalite_to_png(drawn.to_dict(), scale=1.5)).decode("ascii")
    about = escape(f"importance of each node over time, sample {e.ids[0] or 0}", quote=True)
    return f'{said}<img alt="{about}" style="max-width:100%" src="data:image/png;base64,{picture}">'


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
