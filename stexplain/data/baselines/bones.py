"""A body that keeps its bones: directions of bones between two frames, and joints that follow from them.

A masked joint that is put on a straight line leaves the body: its bone becomes shorter where the joint moves on an arc,
and a model may answer to that alone. Here every bone turns on the sphere, and joints follow along the tree.
"""

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from stexplain.errors import InputError
from stexplain.graph import STGraph

# Sines of angles below this are zero: the way between two directions is then no way at all, or any way.
_TURN = 1e-6


class Bone(NamedTuple):
    """A joint and the one that it hangs on; -1: it hangs on none."""

    joint: int
    parent: int


def skeleton_tree(graph: STGraph | None, nodes: int, used_by: str = "the baseline 'bones'") -> list[Bone]:
    """The joints, each after the one that it hangs on, from the centre of the body outwards.

    A graph of several trees has a root in each: its centre, or else the first of its nodes.

    Args:
        graph: of the nodes.
        nodes: how many there are.
        used_by: what needs the tree, for messages.

    Raises:
        InputError: where there is no graph, one of another size, or one with a cycle.

    Example:
        >>> skeleton_tree(STGraph(["hand", "elbow", "hip"], [(0, 1), (1, 2)], center="hip"), 3)
        [Bone(joint=2, parent=-1), Bone(joint=1, parent=2), Bone(joint=0, parent=1)]
    """
    if graph is None:
        raise InputError(f"{used_by} needs the graph. Give `graph`.")
    if len(graph) != nodes:
        raise InputError(f"{used_by}: got a graph of {len(graph)} nodes; expected {nodes}, as the samples.")
    near: list[set[int]] = [set() for _ in range(nodes)]
    for source, target in graph.edges.tolist():
        if source != target:
            near[source].add(target)
            near[target].add(source)
    starts = list(range(nodes)) if graph.center is None else [graph.index(graph.center), *range(nodes)]
    bones: list[Bone] = []
    seen: set[int] = set()
    for start in starts:
        waiting = deque([] if start in seen else [Bone(start, -1)])
        while waiting:
            bone = waiting.popleft()
            if bone.joint in seen:
                raise InputError(
                    f"{used_by} needs a skeleton without cycles; node {graph.nodes[bone.joint]!r} is on "
                    "one. Use another, or the skeleton alone."
                )
            seen.add(bone.joint)
            bones.append(bone)
            waiting.extend(Bone(other, bone.joint) for other in sorted(near[bone.joint] - {bone.parent}))
    return bones


def joints_on_bones(x: Tensor, mask: Tensor, graph: STGraph | None) -> Tensor:
    """Every bone turned evenly from its first direction to its last, with the length that it has at each frame.

    Roots go along straight lines. A bone turns by the shortest way; where that is any way, as its directions are
    opposite, it keeps the first up to the middle and has the last from there. At frames where a bone was not observed
    it has its mean length; a joint whose bone never was is a root.

    Args:
        x: coordinates, ``[B, M, T, N, 2 or 3]``.
        mask: what was observed, ``[B, M, T, N or 1, 1]``, bool.
        graph: a tree, or several.

    Returns:
        Of the shape of x; at positions that were not observed, where the bones lead.

    Raises:
        InputError: where the graph is no tree, or nodes have other than two or three channels.
    """
    bones = skeleton_tree(graph, x.shape[3])
    if x.shape[4] not in (2, 3):
        raise InputError(
            f"the baseline 'bones': got {x.shape[4]} channels; expected two or three, the coordinates of joints."
        )
    observed = mask.expand(*x.shape[:4], 1)
    line = straight_line(x, observed)
    joints: list[Tensor] = list(line.unbind(3))
    for joint, parent in bones:
        if parent < 0:
            continue
        both = observed[:, :, :, joint] & observed[:, :, :, parent]  # [B, M, T, 1]
        bone = x[:, :, :, joint] - x[:, :, :, parent]
        length = bone.norm(dim=-1, keepdim=True)
        mean = (length * both).sum(2, keepdim=True) / both.sum(2, keepdim=True).clamp(min=1)
        turned = _turned(bone, both) * torch.where(both, length, mean)
        known = both.any(2, keepdim=True)
        joints[joint] = torch.where(known, joints[parent] + turned, line[:, :, :, joint])
    return torch.stack(joints, 3)


def straight_line(x: Tensor, mask: Tensor) -> Tensor:
    """The straight line in time from the first true frame to the last, and on beyond them.

    Args:
        x: ``[B, M, T, N, C]``.
        mask: ``[B, M, T, 1 or N, 1]``, bool.
    """
    first, last, share = _ends(mask)
    begin, end = _frame(x, first), _frame(x, last)
    return begin + (end - begin) * share.to(x.dtype)


def _turned(bone: Tensor, both: Tensor) -> Tensor:
    """Directions of length one (zero where a bone has no length), evenly turned; bone ``[B, M, T, C]``."""
    first, last, share = _ends(both[:, :, :, None])
    begin, end = (_direction(_frame(bone[:, :, :, None], at)) for at in (first, last))
    # Rounding makes cosines a little larger than one.
    cosine = (begin * end).sum(-1, keepdim=True).clamp(-1, 1)
    angle = torch.arccos(cosine)
    side = end - cosine * begin
    sine = side.norm(dim=-1, keepdim=True)
    # Only between both frames: outside of them nothing was observed, and a bone stays as it is.
    share = share.to(bone.dtype).clamp(0, 1)
    along = torch.cos(angle * share) * begin + torch.sin(angle * share) * side / sine.clamp(min=_TURN)
    jump = torch.where(share < 0.5, begin, end)
    return torch.where(sine > _TURN, along, jump)[:, :, :, 0]


def _direction(bone: Tensor) -> Tensor:
    direction: Tensor = bone / bone.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(bone.dtype).tiny)
    return direction


def _ends(mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The first and the last true frame, ``[B, M, 1, N, 1]``, and how far each frame is from the one to the other."""
    frames = torch.arange(mask.shape[2], device=mask.device)[:, None, None]
    # argmax gives the first of equal values: the first true from the front, and from the back after the flip.
    first = mask.to(torch.uint8).argmax(2, keepdim=True)
    last = mask.shape[2] - 1 - mask.flip(2).to(torch.uint8).argmax(2, keepdim=True)
    # One observation alone has no line; the divisor 1 leaves it as it is.
    return first, last, (frames - first).float() / (last - first).clamp(min=1)


def _frame(x: Tensor, index: Tensor) -> Tensor:
    """The frame ``[B, M, 1, N, C]`` at an index ``[B, M, 1, 1 or N, 1]``."""
    return x.gather(2, index.expand(-1, -1, -1, *x.shape[3:]))
