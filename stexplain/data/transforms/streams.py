"""Streams of a skeleton: joints, bones, and how both move (Shi et al., CVPR 2019; Shi et al., TIP 2020)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stexplain.data.baselines.bones import skeleton_tree
from stexplain.graph import STGraph

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


def parents_of(graph: STGraph) -> NDArray[np.int64]:
    """The node towards the centre of each node, ``[N]``; a root is its own.

    Raises:
        InputError: where the graph has a cycle: a node in it has no one bone.

    Example:
        >>> parents_of(STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")])).tolist()
        [0, 0, 1]
    """
    parents = np.arange(len(graph))
    for bone in skeleton_tree(graph, len(graph), "a stream of bones"):
        if bone.parent >= 0:
            parents[bone.joint] = bone.parent
    return parents


def stream_of(
    x: Floats, valid: Bools, stream: str, *, graph: STGraph, channels: Sequence[str], observed: Bools | None = None
) -> tuple[Floats, Bools | None]:
    """A stream of clips, and where it is observed.

    ::

        bone[n]     = x[n] - x[parent of n];  zero at the root
        motion[t]   = x[t + 1] - x[t];        zero at the last frame, and where either was not read

    Args:
        x: ``[B, M, T, N, C]``.
        valid: ``[B, M, T]``.
        stream: ``"joint"``, ``"bone"``, ``"joint motion"`` or ``"bone motion"``.
        graph: a tree, whose centre is the root.
        channels: their names; only x, y and z are coordinates, where any of these is named, and others stay.
        observed: ``[B, M, T, N]``; none: all of valid frames.

    Raises:
        InputError: where bones are requested of a graph that is not a tree.

    Example:
        >>> graph = STGraph.from_edges(["hip", "knee"], [("hip", "knee")])
        >>> x = np.array([[1.0], [3.0], [2.0], [7.0]], np.float32).reshape(1, 1, 2, 2, 1)
        >>> one = np.ones((1, 1, 2), bool)
        >>> stream_of(x, one, "bone", graph=graph, channels=["x"])[0].ravel().tolist()
        [0.0, 2.0, 0.0, 5.0]
        >>> stream_of(x, one, "joint motion", graph=graph, channels=["x"])[0].ravel().tolist()
        [1.0, 4.0, 0.0, 0.0]
    """
    if stream == "joint":
        return x, observed
    coordinates = [index for index, name in enumerate(channels) if name in ("x", "y", "z")] or list(range(x.shape[-1]))
    seen = np.broadcast_to(valid[..., None], x.shape[:4]) if observed is None else observed & valid[..., None]
    x = x.copy()
    part = x[..., coordinates]
    if stream.startswith("bone"):
        parents = parents_of(graph)
        part = part - part[:, :, :, parents]
        seen = seen & seen[:, :, :, parents]
    if stream.endswith("motion"):
        moved = np.zeros_like(part)
        moved[:, :, :-1] = part[:, :, 1:] - part[:, :, :-1]
        both = np.zeros_like(seen)
        both[:, :, :-1] = seen[:, :, 1:] & seen[:, :, :-1]
        # A frame without a next one stays what it is: valid, and without motion.
        part = np.where(both[..., None], moved, 0)
    x[..., coordinates] = np.where(seen[..., None], part, 0)
    return x, None if observed is None else np.asarray(seen)
