"""Whether an explainer restores the model: modes, hooks, gradients, `requires_grad` and values."""

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.checks.subject import Check, Subject

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


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
    # A copy in training mode and partly frozen has more state to restore than a model in eval mode.
    other = deepcopy(subject.model)
    for module in other.modules():
        module.training = True
    for parameter in list(other.parameters())[:1]:
        parameter.requires_grad_(False)
    start = snapshot(other)
    explainer = subject.explainer_for(other)
    subject.explain(by=explainer)
    # An error in the target, that is in the middle of an explanation; and one in the user's own code.
    with suppress(_InjectedError):
        explainer(subject.batch, target=_raise_error, shared=subject.shared, per_sample=subject.per_sample)
    with suppress(_InjectedError), explainer:
        raise _InjectedError
    changed |= changes(start, snapshot(other))
    why = f"changed: {', '.join(sorted(changed)[:3])}{', ...' if len(changed) > 3 else ''}" if changed else ""
    return Check.of("model restored", len(changed), 0, why)


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
    for name, parameter in model.named_parameters():
        state[f"requires_grad of {name}"] = parameter.requires_grad
        state[f"grad of {name}"] = None if parameter.grad is None else parameter.grad.clone()
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        # Clones: batch normalisation in training mode, say, writes into the same memory.
        state[f"values of {name}"] = tensor.detach().clone()
    return state


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The names of the entries that differ between two snapshots."""
    # Names in one snapshot only: a module, parameter or buffer was added or removed.
    changed = set(before) ^ set(after)
    for name in set(before) & set(after):
        one, other = before[name], after[name]
        tensors = isinstance(one, Tensor) and isinstance(other, Tensor)
        if not (torch.equal(one, other) if tensors else one is other or one == other):
            changed.add(name)
    return changed
