"""Measures the axes of what is recorded: two passes over copies of one sample, unchanged and each changed somewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.explainers.model.adjacency.atoms import atoms_of
from stexplain.explainers.model.adjacency.contraction import Contraction
from stexplain.explainers.model.adjacency.events import Event, Key, MessageSum, Scatter
from stexplain.explainers.model.adjacency.own import own_roles, own_view
from stexplain.explainers.model.adjacency.recorder import Recorder
from stexplain.explainers.model.adjacency.roles import (
    MessageRoles,
    ProductRoles,
    message_roles,
    product_roles,
)
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.probe.axes import TensorAxes
from stexplain.explainers.model.probe.observe import Observed, observed_twice
from stexplain.explainers.model.probe.plan import Plan

_BYTES = 2**29
"""So much of a pass is kept at a time; what is more waits for another pair of passes."""
_OUT = "out"


@dataclass
class Snapshot:
    """A recorded call, with copies of the tensors whose axes are to be measured.

    Attributes:
        event: without its own tensors.
        tensors: by a name: the result, and what is sent.
    """

    event: Event
    tensors: dict[str, Tensor]


@dataclass
class Measured:
    """A call with what was measured of it.

    Attributes:
        event: of the unchanged copies.
        plan: of the copies.
        roles: of its axes; none where it mixes no nodes or that is not known.
        why: the reason where it may mix nodes and is not known.
        frames: the frame of each position; none where there is no axis of frames or it is not known.
        has_frames: whether there is an axis of frames.
        changed: whether each copy changed anything, ``[copies]``.
        mixed_samples: whether no axis follows the samples.
        varies: whether the weights depend on the input.
    """

    event: Event
    plan: Plan
    roles: ProductRoles | MessageRoles | None = None
    why: str = ""
    frames: NDArray[np.float64] | None = None
    has_frames: bool = False
    changed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    mixed_samples: bool = False
    varies: bool = False

    @property
    def mixes(self) -> bool:
        """Whether it mixes nodes, or may."""
        return self.roles is not None or bool(self.why)


def measured_calls(
    caller: ModelCaller, model_input: ModelInput, plan: Plan | None = None
) -> tuple[list[Measured], int]:
    """All calls of operations that sizes allow to mix nodes, measured; and how many samples went through the model.

    Args:
        caller: of the model.
        model_input: samples.
        plan: of the copies; default: as `observed_twice` has it.
    """
    nodes = model_input.sizes["n"]
    finished: dict[Key, Measured] = {}
    inferences = 0
    while True:
        waiting: list[bool] = []

        @contextmanager
        def collect(model: nn.Module, waiting: list[bool] = waiting) -> Iterator[dict[Key, Snapshot]]:
            snapshots: dict[Key, Snapshot] = {}
            used = 0

            def done(event: Event) -> None:
                nonlocal used
                if event.key in finished:
                    return
                # Shapes are the same in every pass, and so is what is kept.
                if used < _BYTES:
                    snapshots[event.key] = snapshot = _snapshot(event)
                    used += sum(tensor.numel() * tensor.element_size() for tensor in snapshot.tensors.values())
                else:
                    waiting.append(True)

            with Recorder(model, nodes, lambda event: event.tensor, done, caller.argument):
                yield snapshots

        observed = observed_twice(caller, model_input, collect, plan)
        inferences += observed.inferences
        for key, snapshot in observed.reference.items():
            finished[key] = _measured(key, snapshot, observed)
        if not waiting:
            return list(finished.values()), inferences


def _snapshot(event: Event) -> Snapshot:
    form = event.form
    tensors: dict[str, Tensor] = {_OUT: event.out}
    if isinstance(form, Contraction):
        tensors |= {
            str(place): operand
            for place, operand in enumerate(form.operands)
            # What the model holds does not depend on the input; a sparse tensor of signals is in no model.
            if event.names[place] is None and operand.layout == torch.strided
        }
    elif isinstance(form, MessageSum):
        tensors |= {} if form.of_source is None else {"sent": form.of_source}
    elif form.gather is not None:
        tensors["sent"] = form.gather.operand
    # Copies, as the model may go on in place; and detached, so that nothing is kept of the pass.
    copies = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    nothing = event.out.detach().new_zeros(0)
    if isinstance(form, Contraction):
        kept = tuple(copies.get(str(place), operand.detach()) for place, operand in enumerate(form.operands))
        form = replace(form, operands=kept)
    return Snapshot(replace(event, form=form, tensor=nothing, out=copies[_OUT]), copies)


def _measured(key: Key, snapshot: Snapshot, observed: Observed[dict[Key, Snapshot]]) -> Measured:
    event, plan = snapshot.event, observed.plan
    result = Measured(event, plan)
    if any(key not in one for one in observed.changed):
        result.why = "whether it runs depends on the values of the input"
        return result

    def axes_of(name: str, view: Callable[[Tensor], Tensor] = lambda tensor: tensor) -> TensorAxes | None:
        if name not in snapshot.tensors or not snapshot.tensors[name].is_floating_point():
            return None
        return observed.axes(lambda one: view(one[key].tensors[name]))

    if not event.out.is_floating_point():
        if not torch.equal(*observed.pair(lambda one: one[key].tensors[_OUT])):
            kind = "complex" if event.out.is_complex() else "whole"
            result.why = f"its values are {kind} numbers, whose axes are not measured"
        return result
    own = own_roles(event, plan.sizes["m"])
    out = axes_of(_OUT, own_view(own) if own is not None else lambda tensor: tensor)
    assert out is not None
    before, after = observed.pair(lambda one: one[key].tensors[_OUT])
    result.changed = _changed(before, after, out, plan)
    if not result.changed.any():
        # It does not depend on the input: products of weights, degrees of nodes.
        return result
    if not out.factors:
        result.mixed_samples, result.why = True, out.why
        return result
    form = event.form
    roles: ProductRoles | MessageRoles | str
    if isinstance(form, Contraction):
        signals = [axes_of(str(place)) for place in range(len(form.operands))]
        axes = [None if each is None or not each.factors else atoms_of(each, plan) for each in signals]
        linear = event.site.operation in ("linear", "conv1d", "conv2d", "conv3d")
        roles = product_roles(form, axes, atoms_of(out, plan), plan.sizes["n"], by_size=not linear)
        seen = [out, *(each for each in signals if each is not None)]
    else:
        sent = axes_of("sent")
        axis, at = (form.axis, 0 if form.gather is None else form.gather.axis) if isinstance(form, Scatter) else (0, 0)
        source = atoms_of(sent, plan)[at] if sent is not None and sent.factors else None
        roles = own or message_roles(axis, source, atoms_of(out, plan), plan.sizes["n"])
        if form.why and roles:
            roles = form.why
        seen = [out, *([] if sent is None else [sent])]
    if isinstance(roles, str):
        result.why = roles
        return result
    result.roles = roles
    if isinstance(roles, ProductRoles) and str(roles.adjacency) in snapshot.tensors:
        weights = observed.pair(lambda one: one[key].tensors[str(roles.adjacency)].to_dense())
        result.varies = not torch.equal(*weights)
    positions = _positions(roles)
    result.has_frames = positions is not None
    # Of one that has an axis of frames: channels may seem to lie in time, too.
    timing = next((each.timing for each in seen if each.timing.known and _has_frames(each, plan)), None)
    if positions is not None and timing is not None and timing.stride is not None and timing.offset is not None:
        result.frames = timing.offset + timing.stride * np.arange(positions, dtype=np.float64)
    return result


def _positions(roles: ProductRoles | MessageRoles) -> int | None:
    if isinstance(roles, ProductRoles):
        return None if roles.frame is None else roles.sizes_of([roles.frame])[0]
    return next((atom.size for atom in (*roles.rest, *roles.target) if atom.letter == "t"), None)


def _has_frames(axes: TensorAxes, plan: Plan) -> bool:
    return any(atom.letter == "t" for atoms in atoms_of(axes, plan) for atom in atoms)


def _changed(before: Tensor, after: Tensor, axes: TensorAxes, plan: Plan) -> NDArray[np.bool_]:
    """Whether each copy changed anything in a tensor, ``[copies]``; all alike where no axis follows the samples."""
    copies = len(plan.changes)
    if before.shape != after.shape:
        return np.ones(copies, np.bool_)
    if plan.one_by_one:
        different = (before != after).flatten(1).any(1)
        return np.asarray(different.cpu().numpy())
    for factor in axes.factors:
        if factor.response is not None:
            return np.asarray(factor.response.max(1) > 0)
    return np.full(copies, bool((before != after).any()))
