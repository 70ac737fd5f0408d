"""Targets of few nodes are explained on the nodes that they depend on, where the model names these.

A model does so by a method ``restricted_to(nodes)``. It gives a module that is called as the model is, on the signals
of all nodes, and whose output has the model's shape and its values at `nodes`; what stands at others does not matter.
Its attribute `field` lists the nodes that it reads. All others change nothing, so methods leave them out, and their map
is zero. The method may return none, and the model is then called as it is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.errors import InputError
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.target import Target
from stexplain.nn.receptive_field import OnReceptiveField
from stexplain.wording import an

# A field of more than this share of the nodes saves too little to build another model for.
_WORTH = 0.5
# Relative difference of two scores below which a part of a model computes the same.
_ALIKE = 1e-3


@dataclass(frozen=True, eq=False)
class Locality:
    """What is called in the place of a model, for some targets.

    Attributes:
        model: gives what the whole gives at the nodes that the targets read.
        field: which nodes it reads, ``[N]``, bool.
        proven: whether it is this package's own, whose tests compare it with the whole.
    """

    model: nn.Module
    field: Tensor
    proven: bool

    @property
    def note(self) -> str:
        """What is to be said of it in a result."""
        read, nodes = int(self.field.sum()), len(self.field)
        return f"Computed on {read:,} of {nodes:,} nodes, the receptive field of the target: all others change nothing."


def by_locality(
    caller: ModelCaller, model_input: ModelInput, targets: Sequence[Target], *, together: bool
) -> list[tuple[list[int], Locality | None]]:
    """Targets, by index, in groups, each with what is called for it in the place of the model; none: the model.

    Args:
        caller: of the model.
        model_input: the samples.
        targets: any.
        together: whether the caller shares passes between targets, so that those of few nodes are one group.
    """
    restrict = getattr(caller.model, "restricted_to", None)
    read = {index: _nodes_read(caller, model_input, target) for index, target in enumerate(targets)}
    known = {index: nodes for index, nodes in read.items() if nodes is not None}
    # Of several streams each has its own nodes, in no order that is known here.
    if not callable(restrict) or not known or caller._streams is not None:
        return [(list(read), None)]
    groups = [list(known)] if together else [[index] for index in known]
    found = [
        (group, _locality(restrict, frozenset().union(*(known[i] for i in group)), model_input)) for group in groups
    ]
    # Those that are called on the whole are one group, as they would be without any of this.
    local = [(group, locality) for group, locality in found if locality is not None]
    rest = sorted(set(read) - {index for group, _ in local for index in group})
    return [*local, *([(rest, None)] if rest else [])]


@contextmanager
def called_on(caller: ModelCaller, locality: Locality | None) -> Iterator[None]:
    """The caller, and callers that it works around, call a part of the model for the length of the block."""
    callers = [caller]
    for one in callers:
        callers += [value for value in vars(one).values() if isinstance(value, ModelCaller) and value not in callers]
    outer = [(one._locality, one._ways, one._axes_by_kind, one._index_channels) for one in callers]
    try:
        for one in callers:
            one._locality = locality
            if locality is not None and not locality.proven:
                # What was measured of the one need not hold for the other.
                one._ways, one._axes_by_kind, one._index_channels = {}, {}, {}
        yield
    finally:
        for one, before in zip(callers, outer, strict=True):
            one._locality, one._ways, one._axes_by_kind, one._index_channels = before


def check_scores(caller: ModelCaller, model_input: ModelInput, targets: Sequence[Target], locality: Locality) -> None:
    """Refuses a part of a model that scores the first sample otherwise than the model does.

    Raises:
        InputError: with both scores.
    """
    first, score_fns = next(caller._chunks(model_input, targets, 1))
    scores: list[Tensor] = []
    for part in (None, locality):
        with called_on(caller, part), torch.no_grad():
            output = caller._forward(first)
            scores.append(torch.cat([score_fn(output).scores for score_fn in score_fns]))
    whole, restricted = scores
    if not torch.allclose(whole, restricted, rtol=_ALIKE, atol=_ALIKE * float(whole.abs().max().clamp(min=1e-6))):
        raise InputError(
            f"{type(caller.model).__name__}.restricted_to: what it returns scores the first sample "
            f"{float(restricted[0]):.6g}; expected {float(whole[0]):.6g}, as the model does. Correct it, or let it "
            "return None."
        )


def _nodes_read(caller: ModelCaller, model_input: ModelInput, target: Target) -> frozenset[int] | None:
    info = caller.output_info
    try:
        return target.nodes_read(replace(info, node_count=model_input.sizes["n"]))
    except InputError:
        # A node that does not exist: the call itself says so.
        return None


def _locality(restrict: Any, nodes: frozenset[int], model_input: ModelInput) -> Locality | None:
    """The part of a model for some nodes of its output, where it is small."""
    count = model_input.sizes["n"]
    part = restrict(sorted(nodes)) if nodes else None
    if part is None:
        return None
    listed = torch.as_tensor(getattr(part, "field", ())).flatten().long()
    field = torch.zeros(count, dtype=torch.bool, device=model_input.x.device)
    if not isinstance(part, nn.Module) or not len(listed) or not 0 <= int(listed.min()) <= int(listed.max()) < count:
        raise InputError(
            f"restricted_to: got {an(type(part).__name__)} with the field {listed.tolist()[:5]}; expected a "
            "module whose "
            f"attribute `field` lists the nodes that it reads, from 0 to {count - 1}, or None."
        )
    field[listed.to(field.device)] = True
    if int(field.sum()) > _WORTH * count:
        return None
    return Locality(part, field, type(part) is OnReceptiveField)
