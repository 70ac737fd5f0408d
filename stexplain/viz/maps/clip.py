"""One sample of an explanation, as the drawings of a clip need it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation
    from stexplain.graph import STGraph


@dataclass(frozen=True)
class Clip:
    """What is drawn of one sample.

    Attributes:
        values: importance ``[M, T, N]``, not negative; zero where not valid.
        valid: ``[M, T]``.
        points: where the nodes are in the drawing, ``[M, T, N, 2]``: right and up.
        edges: indices of nodes, ``[E, 2]``.
        nodes: N names.
        time: T frame numbers or seconds.
        unit: ``"frame"`` or ``"s"``.
        target: what is explained, in words.
        method: what explained it.
        id: of the sample.
        top: the greatest importance in the clip.
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
    axes: tuple[int, int],
    graph: "STGraph | None",
) -> Clip:
    """Takes one sample out of an explanation and lays its nodes into the plane; the arguments are those of `skeleton`.

    Raises:
        InputError: where a shape, the sample, the instance or the axes do not fit, or nothing says where nodes are.
    """
    values, valid = pick(e, sample=sample, instance=instance)
    people, frames, count = values.shape
    drawn = graph if graph is not None else e.graph
    if drawn is None:
        raise InputError("the explanation carries no graph, so its edges are not known. Pass graph=.")
    if tuple(drawn.nodes) != tuple(e.node_names):
        raise InputError(
            f"the graph's {len(drawn.nodes)} nodes are not those {len(e.node_names)} explained. Pass the model's graph."
        )
    if x is None:
        if drawn.positions is None:
            raise InputError("neither coordinates nor drawing positions are known. Pass the clip's coordinates as x=.")
        points = np.broadcast_to(np.asarray(drawn.positions, dtype=np.float64), (people, frames, count, 2))
    else:
        points = _projected(x, tuple(np.shape(e.values)), sample, instance, axes)
    if not bool(np.isfinite(points[valid]).all()):
        raise InputError("the coordinates x hold NaN or infinite values in valid frames. Mark those frames not valid.")
    time = np.asarray(e.time, dtype=np.float64)
    seconds = bool(np.any(time != np.round(time)))
    return Clip(
        values=values,
        valid=valid,
        points=points,
        edges=np.asarray(drawn.edges, dtype=np.int64).reshape(-1, 2),
        nodes=list(e.node_names),
        time=time,
        unit="s" if seconds else "frame",
        target=_target(e, sample),
        method=e.method,
        id=e.ids[sample],
    )


def pick(e: "Explanation", *, sample: int, instance: int | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The importance ``[M, T, N]`` of one sample, and its valid frames ``[M, T]``.

    Raises:
        InputError: where there is no such sample or instance, or it has no valid frame.
    """
    samples, people = np.shape(e.values)[:2]
    if not 0 <= sample < samples:
        raise InputError(f"sample is {sample}; the explanation holds samples 0 to {samples - 1}.")
    values = np.asarray(e.importance[sample], dtype=np.float64)
    valid = np.asarray(e.valid[sample], dtype=bool)
    if instance is not None:
        if not 0 <= instance < people:
            raise InputError(f"instance is {instance}; the explanation holds instances 0 to {people - 1}.")
        values, valid = values[instance : instance + 1], valid[instance : instance + 1]
    if not valid.any():
        raise InputError(f"sample {sample} has no valid frame{'' if instance is None else f' of instance {instance}'}.")
    return np.where(valid[..., None], np.nan_to_num(values, nan=0.0), 0.0), valid


def _projected(
    x: ArrayLike | Sample | Batch, shape: tuple[int, ...], sample: int, instance: int | None, axes: tuple[int, int]
) -> NDArray[np.float64]:
    array = np.asarray(x.x if isinstance(x, Sample | Batch) else x, dtype=np.float64)
    if array.ndim in (4, 5) and array.shape[-3] != shape[2]:
        raise InputError(
            f"x has {array.shape[-3]} frames and the explanation {shape[2]}: the model saw the clip as its recipe "
            "samples it. Pass what it saw: x=explain.preprocess(sample)."
        )
    if array.ndim == 5:
        check_shape("x", array.shape, "b m t n c", b=shape[0])
        array = array[sample]
    sizes = check_shape("x", array.shape, "m t n c", m=shape[1], t=shape[2], n=shape[3])
    if max(axes) >= sizes["c"] or min(axes) < 0:
        raise InputError(f"axes are {axes}, but x has {sizes['c']} channels. Name two of 0 to {sizes['c'] - 1}.")
    array = array if instance is None else array[instance : instance + 1]
    return array[..., list(axes)]


def _target(e: "Explanation", sample: int) -> str:
    """The class explained where it has a name, else the target in words."""
    index = int(e.targets[sample])
    return e.classes[index] if 0 <= index < len(e.classes) else e.target


def evenly(count: int, wanted: int) -> list[int]:
    """At most so many indices below `count`, each in the middle of an equal share.

    Example:
        >>> evenly(100, 5)
        [10, 30, 50, 70, 90]
        >>> evenly(2, 5)
        [0, 1]
    """
    wanted = min(wanted, count)
    return [int((index + 0.5) * count / wanted) for index in range(wanted)]


def time_text(time: float, unit: str) -> str:
    """A time as it is read: a frame's number, seconds, or minutes counted back from the last reading.

    Example:
        >>> time_text(12.0, "frame"), time_text(0.4, "s"), time_text(-25.0, "min"), time_text(0.0, "min")
        ('frame 12', '0.40 s', '25 min before the last reading', 'the last reading')
    """
    if unit == "min":
        return f"{-time:g} min before the last reading" if time else "the last reading"
    return f"frame {int(time)}" if unit == "frame" else f"{time:.2f} s"
