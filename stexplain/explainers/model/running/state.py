"""What a forward pass sets on the model itself, undone before the next one and at the end."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from stexplain.errors import InputError
from stexplain.explainers.model.running.attribute_walk import (
    Container,
    Kept,
    attributes_of,
    kept_tensor,
    version_of,
)


class ModelWrittenInto(InputError):
    """A model was changed while it was explained, by another thread or by the explainer itself."""


@dataclass(eq=False)
class _Record:
    """What is known of a model's forward passes.

    Attributes:
        depth: how many blocks of `kept_state` are open.
        undo: what undoes the changes of the last forward pass, the last change first.
        in_place: the ids of tensors that forward passes write into; none: no pass was seen yet.
        held: what the model held before the last pass, where that is known.
    """

    depth: int = 0
    undo: list[Callable[[], None]] = field(default_factory=list)
    in_place: set[int] | None = None
    held: "_Held | None" = None

    def reset(self) -> None:
        """The model as before its last forward pass."""
        while self.undo:
            self.undo.pop()()

    def before_pass(self, model: nn.Module) -> "_Held":
        """What the model holds; looked through anew only where something is not as it was before the last pass."""
        first, known = self.in_place is None, self.in_place or set()
        # To look through a model takes several times as long as to compare. What is as before leads to what it led to.
        if self.held is None or not self.held.is_as_before:
            containers, tensors = attributes_of(model)
            kept = [kept_tensor(tensor, clone=first or id(tensor) in known) for tensor in tensors]
            self.held = _Held(containers, kept)
        held = self.held
        if first:
            # Clones of all tensors are for this pass alone.
            self.held = None
        return held


class _Held(NamedTuple):
    """What a model holds before a pass: its containers, and its tensors."""

    containers: list[Container]
    tensors: list[Kept]

    @property
    def is_as_before(self) -> bool:
        """Whether all is the same, and nothing was written into."""
        return all(each.is_still_there for each in self.containers) and all(each.is_as_before for each in self.tensors)


# By model, not on it: an attribute of ours would be a change, and explainers of one model must share what is known.
_RECORDS: WeakKeyDictionary[nn.Module, _Record] = WeakKeyDictionary()
_RECORDS_LOCK = threading.Lock()
# Held for the length of an explanation, whichever the model: passes set the process's own random numbers and filters of
# warnings, which two threads would put back in the wrong order.
_EXPLAINING = threading.RLock()


def _forked() -> None:
    """In a forked process nobody is left who would release what another thread held."""
    global _EXPLAINING, _RECORDS_LOCK
    _EXPLAINING, _RECORDS_LOCK = threading.RLock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _record_of(model: nn.Module) -> _Record:
    with _RECORDS_LOCK:
        return _RECORDS.setdefault(model, _Record())


@contextmanager
def kept_state(model: nn.Module) -> Iterator[None]:
    """What `forward_pass` sees a model set on itself is as before after the block, also on error.

    One thread at a time: a second one that explains, this model or another, waits until the first is done.

    Args:
        model: any.

    Raises:
        InputError: where a parameter has no shape yet, or no values.

    Example:
        >>> import torch
        >>> class Keeps(nn.Module):
        ...     def forward(self, x):
        ...         self.kept = 2 * x
        ...         return self.kept.sum()
        >>> model = Keeps()
        >>> with kept_state(model):
        ...     with forward_pass(model):
        ...         _ = model(torch.ones(2))
        ...     model.kept.tolist()
        [2.0, 2.0]
        >>> hasattr(model, "kept")
        False
    """
    _check_initialised(model)
    record = _record_of(model)
    with _EXPLAINING:
        record.depth += 1
        try:
            yield
        finally:
            record.depth -= 1
            record.reset()
            # Between explanations nothing of the model is kept alive.
            record.held = None


@contextmanager
def forward_pass(model: nn.Module) -> Iterator[None]:
    """The block is one forward pass: it begins with the model as it was before the pass before.

    So a model that carries a hidden state from call to call gives the same output whatever ran before. What the pass
    sets on the model is there after the block, for a target that looks at it, until the next pass begins or the block
    of `kept_state` ends. Only what the pass itself changes is undone: attributes, entries of dicts, lists and sets
    however deep, buffers, and what is written into tensors. Tensors are cloned in a model's first whole pass, and from
    then on only those that a pass wrote into.

    Args:
        model: any.

    Raises:
        InputError: where the pass builds parameters, which are drawn anew at every pass, or where it writes into a
            tensor that earlier passes left alone, which cannot be undone.
    """
    record = _record_of(model)
    record.reset()
    containers, tensors = record.before_pass(model)
    built: list[str] = []
    whole = False
    try:
        yield
        whole = True
    finally:
        touched = [one for one in tensors if not one.is_as_before]
        lost = [one for one in touched if one.clone is None and one.was_written]
        # A first pass that ended early, at a layer or by an error, does not show what a whole one writes into.
        if whole or record.in_place is not None:
            record.in_place = (record.in_place or set()) | {id(one.tensor) for one in touched if one.was_written}
        # Values first, then references: a tensor that was written into may have been put elsewhere too.
        record.undo += [undo for one in touched if (undo := one.undo_of_change()) is not None]
        changed = [each for each in containers if not each.is_as_before]
        parameters = {id(one.tensor) for one in tensors} if changed else set()
        for container in changed:
            for name, value in container.new_values():
                if _has_other_parameters(value, parameters):
                    built.append(name)
            record.undo += container.undo_of_changes()
        # An error of the model's own goes before ours.
        if record.depth == 0 or built or lost:
            record.reset()
            record.held = None
    if built:
        raise InputError(
            f"the model builds {', '.join(map(repr, built[:3]))} in its forward pass, with weights that are drawn anew "
            "each time. Run the model once, or load its weights, before it is explained."
        )
    if lost:
        raise InputError(
            f"the model wrote into {_name_of(model, lost[0].tensor)} in its forward pass, which its first pass did not "
            "do, so the values before are lost. Explain a copy that writes into a clone."
        )


def undo_last_pass(model: nn.Module) -> None:
    """The model as before its last `forward_pass`."""
    _record_of(model).reset()


@contextmanager
def refused_if_trained(model: nn.Module) -> Iterator[None]:
    """Refuses what was computed while someone else trained the model, as a loop in another thread does.

    To be entered within `kept_state` and `frozen_eval`. What the model's own passes write and set does not count.

    Args:
        model: any.

    Raises:
        InputError: where a parameter was written into, or a module set to train mode; in place of an error that came
            of it, too.

    Example:
        >>> model = nn.Linear(2, 1).eval()
        >>> with refused_if_trained(model):
        ...     _ = model.train()
        Traceback (most recent call last):
            ...
        stexplain.explainers.model.running.state.ModelWrittenInto: the model was set to train mode while ...
    """
    before = [(name, parameter, version_of(parameter)) for name, parameter in model.named_parameters()]

    def change() -> str:
        own = _record_of(model).in_place or set()
        for name, parameter, version in before:
            if version_of(parameter) != version and id(parameter) not in own:
                return f"parameter {name!r} of the model was written into"
        return (
            "the model was set to train mode"
            if any(getattr(module, "training", False) for module in model.modules())
            else ""
        )

    try:
        yield
    except Exception as error:
        if what := change():
            raise _trained(what) from error
        raise
    if what := change():
        raise _trained(what)


def _trained(what: str) -> "ModelWrittenInto":
    return ModelWrittenInto(
        f"{what} while it was explained, as a training loop in another thread does: the result belongs to no one state "
        "of it. Explain between the steps, or explain a copy, copy.deepcopy(model)."
    )


def _check_initialised(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if is_lazy(parameter):
            raise InputError(
                f"parameter {name!r} of the model has no shape yet: its first forward pass builds it. "
                "Run the model once before it is explained."
            )
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_meta:
            raise InputError(
                f"{name!r} of the model is on the meta device, which has no values. Load the model's weights before "
                "it is explained: model.to_empty(device='cpu'), then model.load_state_dict(...)."
            )


def _has_other_parameters(value: Any, known: set[int]) -> bool:
    """Whether a value is a module with a parameter that the model did not have, or such a parameter."""
    if isinstance(value, nn.Module):
        return any(id(parameter) not in known for parameter in value.parameters())
    return isinstance(value, nn.Parameter) and id(value) not in known


def _name_of(model: nn.Module, tensor: Tensor) -> str:
    for name, one in [*model.named_parameters(), *model.named_buffers()]:
        if one is tensor:
            return repr(name)
    return f"a tensor of shape {tuple(tensor.shape)} that it holds"
