"""One sample of an explanation with its coordinates, ready to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from stexplain.axes import Layout, check_shape
from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.times import times_of
from stexplain.viz.columns import expect
from stexplain.viz.maps.layout import centred
from stexplain.viz.maps.upright import plane_of

if TYPE_CHECKING:
    from stexplain.graph import STGraph


LAG_NAMES = {"min": "minutes", "h": "hours", "d": "days", "step": "observations"}
"""What is counted back from the last observation, by the unit of `times_of` and `lags_of`."""
TIME_TITLES = {
    "frame": "frame",
    "s": "time in seconds",
    **{unit: f"{name} earlier than the last observation" for unit, name in LAG_NAMES.items()},
}
"""The title of an axis of time, by that unit."""


@dataclass(frozen=True)
class Clip:
    """One sample, ready to be drawn.

    Attributes:
        values: importance ``[M, T, N]``, not negative; zero where not valid.
        valid: padding mask ``[M, T]``.
        points: coordinates of the nodes in the drawing, ``[M, T, N, 2]``: right and up; NaN for a node without any.
        edges: indices of nodes, ``[E, 2]``.
        nodes: N names.
        time: T frame numbers, seconds, or lags before the last observation.
        unit: of `times_of`: ``"frame"``, ``"s"``, ``"min"``, ``"h"`` or ``"d"``.
        target: the explained class or target, in words.
        method: name of the explainer.
        id: the sample's id.
        notes: what there is to know about the explanation, a sentence each.
        turned: whether the coordinates point down, as pixels do, and were turned for the drawing.
        shown: which channels are drawn, a sentence, where more than the first two could be.
    """

    values: NDArray[np.float64]
    valid: NDArray[np.bool_]
    points: NDArray[np.float64]
    edges: NDArray[np.int64]
    nodes: list[str]
    time: NDArray[np.float64]
    unit: str
    target: str
    method: str
    id: str
    notes: tuple[str, ...] = ()
    turned: bool = False
    shown: str = ""

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Which nodes are drawn, ``[M, T, N]``."""
        drawn: NDArray[np.bool_] = self.valid[..., None] & np.isfinite(self.points[..., 0])
        return drawn

    @property
    def gaps(self) -> bool:
        """Whether a node of a valid frame has no coordinates."""
        return bool((self.valid[..., None] & ~self.placed).any())

    @property
    def top(self) -> float:
        """The greatest importance in the clip."""
        return float(self.values.max(initial=0.0))


def clip_of(
    e: "Explanation",
    *,
    x: ArrayLike | Sample | Batch | None,
    sample: int,
    instance: int | None,
    axes: tuple[int, int] | None,
    graph: "STGraph | None",
) -> Clip:
    """Takes one sample out of an explanation and projects its nodes onto the drawing; arguments as in `skeleton`.

    Raises:
        InputError: where a shape, `sample`, `instance` or `axes` does not match, or the nodes have no coordinates.
    """
    expect("e", e, Explanation, "an explainer")
    values, valid = pick(e, sample=sample, instance=instance)
    people, frames, count = values.shape
    drawn = graph if graph is not None else e.graph
    if drawn is None:
        raise InputError("the explanation has no graph, so its edges are unknown. Pass graph=.")
    # Values and edges refer to nodes by index: other names would draw them at the wrong joints.
    if tuple(drawn.nodes) != tuple(e.node_names):
        raise InputError(
            f"graph: got {len(drawn.nodes)} nodes; expected the {len(e.node_names)} nodes of the explanation, with the "
            "same names. Pass the model's graph."
        )
    turned, shown = False, ""
    if x is None:
        if drawn.positions is None:
            raise InputError(
                "the nodes have neither coordinates nor drawing positions. Pass the clip's coordinates as x=."
            )
        # One position for all instances and frames: the drawing stands still, only importance moves.
        points = np.broadcast_to(np.asarray(drawn.positions, dtype=np.float64), (people, frames, count, 2))
    else:
        places = _of_sample(_as_explained(x, e), tuple(np.shape(e.values)), sample, instance, axes or (0, 1))
        names = x.channels if isinstance(x, Sample | Batch) else ()
        plane = plane_of(places[valid], names, drawn, axes, x.measured.up if isinstance(x, Sample | Batch) else "")
        points = places[..., list(plane.axes)] * ([1.0, -1.0] if plane.turned else 1.0)
        turned, shown = plane.turned, plane.shown
    if bool(np.isinf(points[valid]).any()):
        raise InputError(
            "x: got infinite coordinates in valid frames; expected finite ones, or NaN where a node has none."
        )
    # A node without one of its two coordinates has no place.
    points = np.where(np.isnan(points).any(axis=-1, keepdims=True), np.nan, points)
    # Of a frame without a single place there is nothing to draw.
    valid = valid & np.isfinite(points[..., 0]).any(axis=-1)
    if not valid.any():
        raise InputError("x: got no coordinates in valid frames, NaN alone; expected some. Pass those of this sample.")
    points = centred(points, valid)
    time, unit = times_of(e)
    return Clip(
        values=values,
        valid=valid,
        points=points,
        edges=np.asarray(drawn.edges, dtype=np.int64).reshape(-1, 2),
        nodes=list(e.node_names),
        time=time,
        unit=unit,
        target=_target(e, sample),
        method=e.method,
        id=e.ids[sample],
        notes=tuple(e.notes),
        turned=turned,
        shown=shown,
    )


def pick(e: "Explanation", *, sample: int, instance: int | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The importance ``[M, T, N]`` of one sample, and its padding mask ``[M, T]``.

    Raises:
        InputError: where `sample` or `instance` is out of range, or it has no valid frame.
    """
    samples, people = np.shape(e.values)[:2]
    if not 0 <= sample < samples:
        raise InputError(f"sample: got {sample}; expected 0 to {samples - 1}.")
    values = np.asarray(e.importance[sample], dtype=np.float64)
    valid = np.asarray(e.valid[sample], dtype=bool)
    if instance is not None:
        if not 0 <= instance < people:
            raise InputError(f"instance: got {instance}; expected 0 to {people - 1}.")
        # A slice keeps the instance axis.
        values, valid = values[instance : instance + 1], valid[instance : instance + 1]
    if not valid.any():
        raise InputError(f"sample {sample} has no valid frame{'' if instance is None else f' of instance {instance}'}.")
    # Positions on padding are drawn nowhere, and must not set the colour scale.
    return np.where(valid[..., None], np.nan_to_num(values, nan=0.0), 0.0), valid


def _as_explained(x: ArrayLike | Sample | Batch, e: Explanation) -> ArrayLike | Sample | Batch:
    """Coordinates in the layout that the explainer took, as ``[B, M, T, N, C]``; all others as they are."""
    pattern = None if e.call is None else e.call.options.get("inputs")
    if isinstance(x, Sample | Batch) or not isinstance(pattern, str):
        return x
    array = x.detach().cpu() if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x))
    sizes = dict(zip("bmtn", np.shape(e.values), strict=True))
    try:
        return Layout(pattern).to_batch(array, **sizes).numpy()
    except InputError:
        # Not what the explainer took: the axes of this package are meant.
        return array.numpy()


def _of_sample(
    x: ArrayLike | Sample | Batch, shape: tuple[int, ...], sample: int, instance: int | None, axes: tuple[int, int]
) -> NDArray[np.float64]:
    array = np.asarray(x.x if isinstance(x, Sample | Batch) else x, dtype=np.float64)
    if array.ndim in (4, 5) and array.shape[-3] != shape[2]:
        raise InputError(
            f"x: got {array.shape[-3]} frames; expected {shape[2]}, as in the explanation: the model's recipe "
            "resamples clips. Pass the preprocessed clip: x=explain.preprocess(sample)."
        )
    # [B, M, T, N, C] -> the sample's [M, T, N, C]
    if array.ndim == 5:
        check_shape("x", array.shape, "b m t n c", b=shape[0])
        array = array[sample]
    sizes = check_shape("x", array.shape, "m t n c", m=shape[1], t=shape[2], n=shape[3])
    if sizes["c"] < 2:
        # A signal, such as a voltage or a speed: its nodes do not move.
        raise InputError(
            "x: got 1 channel; expected two at least, the places of the nodes at every frame. Leave x out: nodes are "
            "then drawn at the positions of the graph."
        )
    if max(axes) >= sizes["c"] or min(axes) < 0:
        raise InputError(
            f"axes: got {axes}; expected two channels from 0 to {sizes['c'] - 1}, because x has {sizes['c']} channels."
        )
    return array if instance is None else array[instance : instance + 1]


def _target(e: "Explanation", sample: int) -> str:
    """The name of the explained class, or else the target in words."""
    index = int(e.targets[sample])
    return e.classes[index] if 0 <= index < len(e.classes) else e.target


def evenly(count: int, parts: int) -> list[int]:
    """At most `parts` indices below `count`, each in the middle of an equal share.

    Example:
        >>> evenly(100, 5)
        [10, 30, 50, 70, 90]
        >>> evenly(2, 5)
        [0, 1]
    """
    parts = min(parts, count)
    # The middle of each share, because a clip often begins and ends at rest.
    return [int((index + 0.5) * count / parts) for index in range(parts)]


def whole_frames(frames: Sequence[int]) -> dict[str, Any]:
    """Options of an axis of frames: no tick between two of them, where Vega sets some at tenths if there are few.

    Example:
        >>> whole_frames([0, 1, 2])["values"], "values" in whole_frames(range(40))
        ([0, 1, 2], False)
    """
    few = {"values": [int(frame) for frame in frames]} if len(frames) <= 10 else {}
    return {"format": "d", "tickMinStep": 1, **few}


def lag_ticks(times: ArrayLike, most: int = 12) -> dict[str, Any]:
    """Options of an axis of lags, written without their sign: ticks at observations alone, the last one among them.

    Vega would set some between two observations, and one behind the last.

    Args:
        times: the lags up to 0, in order.
        most: so many ticks at most.

    Example:
        >>> lag_ticks([-20, -15, -10, -5, 0], 3)
        {'values': [-20.0, -10.0, 0.0], 'labelExpr': '-datum.value'}
    """
    array = np.asarray(times, np.float64)
    step = -(-len(array) // most)
    return {"values": array[::-1][::step][::-1].tolist(), "labelExpr": "-datum.value"}


def why_dark(values: ArrayLike) -> str:
    """Why no value of a map is bright, where none is above zero; else empty.

    Example:
        >>> why_dark([0.0, 0.0]), why_dark([0.0, 2.0])
        ('Every value is zero.', '')
        >>> why_dark([0.0, -2.0])
        'No value is above zero: all that is not zero counts against the target.'
    """
    array = np.asarray(values, np.float64)
    array = array[np.isfinite(array)]
    if not array.size or array.max() > 0:
        return ""
    if array.min() < 0:
        return "No value is above zero: all that is not zero counts against the target."
    return "Every value is zero."


def time_text(time: float, unit: str) -> str:
    """The text of a time: a frame number, seconds; or a lag before the last observation (times up to 0).

    Example:
        >>> time_text(12.0, "frame"), time_text(0.4, "s"), time_text(-25.0, "min"), time_text(0.0, "min")
        ('frame 12', '0.40 s', '25 min earlier', 'last observation')
        >>> time_text(-1.0, "step"), time_text(-2.0, "step"), time_text(-1.0, "d"), time_text(-5.0, "h")
        ('1 observation earlier', '2 observations earlier', '1 day earlier', '5 h earlier')
    """
    if unit in LAG_NAMES:
        name = unit if unit in ("min", "h") else LAG_NAMES[unit].removesuffix("s" if time == -1 else "")
        return earlier(f"{-time:g} {name}") if time else earlier("")
    return f"frame {int(time)}" if unit == "frame" else f"{time:.2f} s"


def earlier(span: str) -> str:
    """The one wording for how long before the last observation an observation was; an empty span is the last itself.

    Example:
        >>> earlier("10 min"), earlier("")
        ('10 min earlier', 'last observation')
    """
    return f"{span} earlier" if span else "last observation"
