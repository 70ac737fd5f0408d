"""Whether axes and positions that are known otherwise agree with what a few copies of a sample do: a check, for less.

Known otherwise means: declared by the model itself, or measured on a part of the clip.
"""

import torch
from torch import Tensor

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.model.probe.plan import Change, Plan, frame_intervals


def check_plan(sizes: dict[str, int]) -> Plan:
    """The plan of a check: seven copies, with two nodes and the two sides of two frames changed, and one unchanged.

    Args:
        sizes: of the axes m, t, n, c of a sample.
    """
    frames, nodes = sizes["t"], sizes["n"]
    changes = [Change(instance=0, node=nodes // 4), Change(nothing=True)]
    if frames > 1:
        cuts = sorted({max(frames // 3 - 1, 0), max(2 * frames // 3 - 1, 0)})
        changes += frame_intervals(cuts, frames)
    changes.append(Change(instance=sizes["m"] - 1, node=3 * nodes // 4))
    return Plan(tuple(changes), dict(sizes), len(changes))


def agrees(
    reference: Tensor,
    changed: Tensor,
    plan: Plan,
    layout: Layout,
    inner: "dict[str, int]",
    position: "tuple[int, float] | None",
) -> bool:
    """Whether nothing contradicts a layout, a stride and an offset.

    Args:
        reference: of the unchanged copies.
        changed: of the changed ones.
        plan: of the check.
        layout: of the tensor.
        inner: sizes of its axes that its shape may not tell.
        position: stride and offset; none where there are no positions in time.
    """
    if plan.one_by_one or reference.shape != changed.shape:
        return False
    known = {**inner, "b": plan.samples, **{axis: plan.sizes[axis] for axis in "mn"}}
    try:
        different = layout.to_batch(reference != changed, **known).any(-1)
    except InputError:
        return False
    if bool(different[plan.controls].any()):
        return False
    for copy in plan.node_tests:
        change = plan.changes[copy]
        own = different[copy]
        if "m" in layout.letters and change.instance is not None:
            own = own[change.instance : change.instance + 1]
        if "n" in layout.letters and change.node is not None:
            own = own[:, :, change.node]
        # A layer that has the axis, but does not respond where it was changed, has it in another order.
        if not bool(own.any()):
            return False
    return position is None or _in_time(different.any(3).any(1), plan, *position)


def _in_time(different: Tensor, plan: Plan, stride: int, offset: float) -> bool:
    """Whether positions respond to the frames that they stand for, and to as many before as behind."""
    positions = different.shape[1]
    own = offset + stride * torch.arange(positions, device=different.device)
    cuts: dict[int, tuple[int, int]] = {}
    for copy in plan.frame_tests:
        start, stop = plan.changes[copy].frames or (0, 0)
        responding = different[copy].nonzero().flatten().tolist()
        core = different[copy][(own >= start) & (own <= stop)]
        # Some may be silent, as behind a ReLU; most may not.
        if not responding or (core.numel() and core.float().mean() < 0.9):
            return False
        cut = stop if start == 0 else start - 1
        first, last = cuts.get(cut, (0, positions - 1))
        cuts[cut] = (first, responding[-1]) if start == 0 else (responding[0], last)
    for cut, (first, last) in cuts.items():
        if first == 0 or last == positions - 1:
            # All respond: they see more than the clip, and nothing contradicts.
            continue
        # The first and the last frame that position 0 would see, each up to half a stride.
        low, high = cut - stride * (last + 0.5), cut + 1 - stride * (first - 0.5)
        slack = stride + 1
        if min(abs((low + high) / 2 - offset), abs(high - offset), abs(low - offset)) > slack:
            return False
    return True
