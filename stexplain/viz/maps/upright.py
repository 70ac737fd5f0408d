"""The plane in which a recording is drawn: which axis points up. Of most cameras and BVH it is y, of most C3D z."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.data.skeletons.joint_names import words_of

if TYPE_CHECKING:
    from stexplain.graph import STGraph

_HEAD = {"head", "nose", "neck", "skull", "face", "eye", "ear", "lfhd", "rfhd", "lbhd", "rbhd"}
_CHEST = {"shoulder", "shoulders", "acromion", "lsho", "rsho", "clav", "clavicle", "chest", "sternum", "thorax"}
_FEET = {"foot", "feet", "ankle", "heel", "toe", "toes", "hallux", "lank", "rank", "lhee", "rhee", "ltoe", "rtoe"}
_NEARLY_ALL = 0.9
"""In so many frames the axis must be the one along which head and feet differ most, and in one direction."""
_CLEARLY = 1.5
"""By so much more than along any other."""


class Plane(NamedTuple):
    """What is drawn of places.

    Attributes:
        axes: the channels to the right and up.
        turned: whether the second points down, as in pixels, and is turned.
        shown: which channels these are, a sentence, where that needs to be said.
    """

    axes: tuple[int, int]
    turned: bool
    shown: str


def plane_of(
    places: NDArray[np.float64],
    channels: Sequence[str],
    graph: "STGraph",
    axes: tuple[int, int] | None,
    up: str = "",
) -> Plane:
    """The plane in which a clip is drawn: upright where it is certain what points up, else of the first two channels.

    Args:
        places: of the valid frames, ``[F, N, C]``.
        channels: their names, or none.
        graph: whose names of nodes and drawing positions say how high a node is.
        axes: as they are given; none: found.
        up: the coordinate that points up, where the source says it, such as ``"z"``; empty: measured.

    Example:
        >>> from stexplain.graph import STGraph
        >>> standing = np.array([[[0.0, 0.1, 1.7], [0.1, 0.3, 0.1]]])
        >>> plane_of(standing, "xyz", STGraph.from_edges(["head", "foot"], [(0, 1)]), None)
        Plane(axes=(0, 2), turned=False, shown='Drawn: channel 0 to the right, channel 2 up.')
    """
    said = "Drawn: channel {} to the right, channel {} {}.".format
    if axes is not None:
        return Plane(axes, False, said(*axes, "up"))
    spatial = _spatial(channels, places.shape[-1])
    if up and "xyz".index(up[-1]) < spatial:
        axis = "xyz".index(up[-1])
        right = 0 if axis else 1
        shown = said(right, axis, "down" if len(up) > 1 else "up")
        return Plane((right, axis), len(up) > 1, "" if up == "y" else f"{shown[:-1]}, as the recording says.")
    found = up_axis(places[..., :spatial], graph.nodes, graph.positions)
    if found is not None and found[0] == 2:
        return Plane((0, 2), False, said(0, 2, "up"))
    if found is not None:
        return Plane((0, 1), found[1] < 0, "")
    turned = graph.positions is not None and _points_down(places[..., 1], graph.positions)
    others = f"{said(0, 1, 'down' if turned else 'up')} Pass axes= for others."
    return Plane((0, 1), turned, others if spatial > 2 else "")


def up_axis(points: NDArray[np.float64], nodes: Sequence[str], positions: ArrayLike | None) -> tuple[int, int] | None:
    """Which axis points up, and 1, or -1 where it points down; none where that is not certain.

    Measured by how high nodes are: as their names say (head, foot, ...), else in the graph's drawing positions. Who
    bends or lies for a while does not count as turned.

    Args:
        points: ``[F, N, A]``, frame by frame, of two axes or three; NaN or all zero where a node has no place.
        nodes: N names.
        positions: for drawing, ``[N, 2]``, or none.

    Example:
        >>> standing = np.array([[[0.0, 0.1, 1.7], [0.1, 0.2, 0.9], [0.1, 0.3, 0.1]]])
        >>> up_axis(standing, ["head", "hip", "left foot"], None), up_axis(-standing, ["head", "hip", "foot"], None)
        ((2, 1), None)
        >>> up_axis(standing, ["a", "b", "c"], None) is None
        True
    """
    levels = [_by_names(nodes)]
    if positions is not None:
        levels.append(np.asarray(positions, np.float64)[:, 1])
    found = (_along(points, level) for level in levels)
    # No format has x or -z up: along them lies who lies.
    return next((one for one in found if one in ((1, 1), (1, -1), (2, 1))), None)


def _by_names(nodes: Sequence[str]) -> NDArray[np.float64]:
    """How high each node is by its name: 1 of the head, -1 of the feet, NaN of others, ``[N]``."""
    words = [set(words_of(name)) for name in nodes]
    upper = _HEAD if any(one & _HEAD for one in words) else _CHEST
    return np.array([1.0 if one & upper and not one & _FEET else -1.0 if one & _FEET else np.nan for one in words])


def _along(points: NDArray[np.float64], level: NDArray[np.float64]) -> tuple[int, int] | None:
    """The axis that goes with these heights ``[N]``, and its direction; none where it is not certain."""
    # What was not observed lies in the origin.
    known = np.isfinite(points).all(-1) & (points != 0).any(-1) & np.isfinite(level)
    count = np.maximum(known.sum(1, keepdims=True), 1)
    heights = np.where(known, level, 0.0)
    heights = np.where(known, heights - heights.sum(1, keepdims=True) / count, 0.0)
    size = (heights**2).sum(1)
    frames = size > 1e-9
    if not frames.any():
        return None
    # By how much an axis changes from low to high nodes, [F, A].
    slopes = np.einsum("fn,fna->fa", heights, np.where(known[..., None], points, 0.0))[frames] / size[frames, None]
    lengths = np.abs(slopes)
    axis = int(np.median(lengths, axis=0).argmax())
    # Compared with a margin: what is equal but for rounding is not certain.
    others = np.delete(lengths, axis, axis=1).max(axis=1)
    clear = lengths[:, axis] > _CLEARLY * others
    direction = 1 if np.median(slopes[:, axis]) > 0 else -1
    sure = clear & (np.sign(slopes[:, axis]) == direction)
    return (axis, direction) if sure.mean() >= _NEARLY_ALL else None


def _spatial(names: Sequence[str], count: int) -> int:
    """How many of the channels may be places: the first three, or those that are called so."""
    called = [name == one for name, one in zip(names, "xyz", strict=False)]
    return sum(called) if called[:2] == [True, True] else min(3, count)


def _points_down(height: NDArray[np.float64], positions: ArrayLike) -> bool:
    """Whether bodies stand on their heads beside the graph's drawing positions, as in pixels, counted from above.

    Measured over the whole clip: who bends or lies for a while does not count as turned.
    """
    # A node without coordinates says nothing; a frame without any counts as one node at rest.
    known = np.isfinite(height)
    count = np.maximum(known.sum(1, keepdims=True), 1)
    upright = np.broadcast_to(np.asarray(positions, np.float64)[:, 1], height.shape)
    height, upright = (np.where(known, each, 0.0) for each in (height, upright))
    height, upright = (np.where(known, each - each.sum(1, keepdims=True) / count, 0.0) for each in (height, upright))
    size = float(np.sqrt((height**2).sum() * (upright**2).sum()))
    # Far from zero, so that it is not a matter of the pose.
    return size > 0 and float((height * upright).sum()) / size < -0.7
