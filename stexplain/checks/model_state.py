"""Whether an explainer restores the model: modes, hooks, gradients, `requires_grad`, values and attributes."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.checks.randomisation import copied
from stexplain.checks.subject import Check, Subject
from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


# Modes, hooks, parameters and buffers, which are compared by themselves.
_OF_EVERY_MODULE = set(vars(nn.Module()))


@dataclass(frozen=True, eq=False)
class _Same:
    """Equal to the same object alone; holds it, so that no other takes its place in memory."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


class _InjectedError(Exception):
    """Raised inside an explainer to see whether it restores the model on error."""


def _raise_error(_: Tensor) -> Tensor:
    raise _InjectedError


def model_restored(subject: Subject, before: Mapping[str, Any]) -> Check:
    """Modes, hooks, gradients, `requires_grad` and values are restored, also after an error.

    Args:
        subject: the explainer and its model.
        before: the `snapshot` of the model before the first explanation.
    """
    changed = changes(before, snapshot(subject.model))
    try:
        other = copied(subject.model)
    except InputError as error:
        return Check.of("model restored", len(changed), 0, "; ".join([*_named(changed), str(error).splitlines()[0]]))
    # A copy in the other mode, and partly frozen: what is left as it always is shows where it was otherwise before.
    for module in other.modules():
        module.training = not subject.model.training
    for parameter in list(other.parameters())[:1]:
        parameter.requires_grad_(not parameter.requires_grad)
    start = snapshot(other)
    explainer = subject.explainer_for(other)
    subject.explain(by=explainer)
    # An error in the target, that is in the middle of an explanation; and one in the user's own code.
    with suppress(_InjectedError):
        x, valid = subject.given(subject.batch)
        explainer(x, valid=valid, target=_raise_error, shared=subject.shared, per_sample=subject.per_sample)
    with suppress(_InjectedError), explainer:
        raise _InjectedError
    changed |= changes(start, snapshot(other))
    return Check.of("model restored", len(changed), 0, "".join(_named(changed)))


def input_snapshot(*inputs: Any) -> dict[str, Tensor]:
    """Copies of the tensors in what a call is given, however they are nested, by where they are.

    Example:
        >>> list(input_snapshot(torch.zeros(1), {"edges": torch.zeros(2)}))
        ['0', '1.edges']
    """
    found: dict[str, Tensor] = {}
    waiting = [(str(place), value) for place, value in enumerate(inputs)]
    while waiting:
        name, value = waiting.pop(0)
        if isinstance(value, Sample | Batch):
            value = vars(value)
        if isinstance(value, np.ndarray):
            # Text, and objects, hold nothing that a computation writes into.
            if value.dtype.kind in "biufcmM":
                found[name] = _as_tensor(value)
        elif isinstance(value, Tensor):
            found[name] = value.detach().clone()
        elif isinstance(value, Mapping):
            waiting += [(f"{name}.{key}", each) for key, each in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(f"{name}.{place}", each) for place, each in enumerate(value)]
    return found


def _as_tensor(array: NDArray[Any]) -> Tensor:
    """A copy that torch takes: times as the integers behind them, in this machine's order of bytes."""
    native = np.array(array, dtype=array.dtype.newbyteorder("="))
    return torch.from_numpy(native.view(np.int64) if native.dtype.kind in "mM" else native)


def inputs_unchanged(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> Check:
    """The caller's samples and arguments are as they were: snapshots of before and after all explanations."""
    changed = changes(before, after)
    why = "x, or another argument of the call, was changed in place" if changed else ""
    return Check.of("inputs unchanged", len(changed), 0, why)


def _named(changed: Collection[str]) -> list[str]:
    """What was changed, in words; empty where nothing was."""
    return [f"changed: {', '.join(sorted(changed)[:3])}{', ...' if len(changed) > 3 else ''}"] if changed else []


def snapshot(model: nn.Module) -> dict[str, Any]:
    """The state that an explainer must restore, by name.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> before = snapshot(model)
        >>> _ = model.eval()
        >>> changes(before, snapshot(model))
        {'mode of Linear'}
    """
    state: dict[str, Any] = {}
    for name, module in model.named_modules():
        # Hooks are compared by number, and a patched forward by its presence in the instance.
        of = f"of {name or type(model).__name__}"
        state[f"mode {of}"] = module.training
        state[f"hooks {of}"] = [len(getattr(module, kind)) for kind in _HOOKS]
        state[f"forward {of}"] = "forward" in vars(module)
        state[f"attributes {of}"] = {
            key: _outline(value) for key, value in vars(module).items() if key not in _OF_EVERY_MODULE
        }
    for name, parameter in model.named_parameters():
        state[f"requires_grad of {name}"] = parameter.requires_grad
        state[f"grad of {name}"] = None if parameter.grad is None else parameter.grad.clone()
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        # Clones: batch normalisation in training mode, say, writes into the same memory.
        state[f"values of {name}"] = tensor.detach().clone()
    return state


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The names of the entries that differ between two snapshots.

    Example:
        >>> missing = {"x": torch.tensor([torch.nan, 1.0])}
        >>> changes(missing, {"x": missing["x"].clone()}), changes(missing, {"x": torch.zeros(2)})
        (set(), {'x'})
    """
    # Names in one snapshot only: a module, parameter or buffer was added or removed.
    changed = set(before) ^ set(after)
    for name in set(before) & set(after):
        one, other = before[name], after[name]
        tensors = isinstance(one, Tensor) and isinstance(other, Tensor)
        if not (_equal(one, other) if tensors else one is other or one == other):
            changed.add(name)
    return changed


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether tensors are the same; NaN stands for a missing observation, and is as it was where it is NaN still."""
    if torch.equal(one, other):
        return True
    if one.shape != other.shape or one.dtype != other.dtype or not one.is_floating_point():
        return False
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def _outline(value: Any) -> Any:
    """What tells whether an attribute changed: a forward pass may set tensors, count, or append to lists."""
    if isinstance(value, list | tuple):
        return [_outline(item) for item in value]
    if isinstance(value, dict):
        return [(key, _outline(item)) for key, item in value.items()]
    return value if isinstance(value, int | float | str | bytes) else _Same(value)
