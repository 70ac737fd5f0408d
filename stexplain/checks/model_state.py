"""Whether an explainer leaves the model as it was."""

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.checks.subject import Check, Subject

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class _Refused(Exception):
    pass


def _refusing(_: Tensor) -> Tensor:
    raise _Refused


def left_as_it_was(subject: Subject, before: Mapping[str, Any]) -> Check:
    """Modes, hooks, gradients, `requires_grad` and values are as before, also after an error.

    Args:
        subject: what is tested.
        before: the `snapshot` of the model before anything was asked.
    """
    found = changes(before, snapshot(subject.model))
    # A copy that trains and is frozen in part: there is more to be left as it was.
    other = deepcopy(subject.model)
    for module in other.modules():
        module.training = True
    for parameter in list(other.parameters())[:1]:
        parameter.requires_grad_(False)
    start = snapshot(other)
    explainer = subject.on(other)
    subject.explain(by=explainer)
    with suppress(_Refused):
        explainer(subject.batch, target=_refusing, shared=subject.shared, per_sample=subject.per_sample)
    with suppress(_Refused), explainer:
        raise _Refused
    found |= changes(start, snapshot(other))
    why = f"changed: {', '.join(sorted(found)[:3])}{', ...' if len(found) > 3 else ''}" if found else ""
    return Check.of("model left as it was", len(found), 0, why)


def snapshot(model: nn.Module) -> dict[str, Any]:
    """All that an explainer must leave as it is, by name.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> before = snapshot(model)
        >>> _ = model.eval()
        >>> changes(before, snapshot(model))
        {'mode of Linear'}
    """
    found: dict[str, Any] = {}
    for name, module in model.named_modules():
        of = f"of {name or type(model).__name__}"
        found[f"mode {of}"] = module.training
        found[f"hooks {of}"] = [len(getattr(module, kind)) for kind in _HOOKS]
        found[f"forward {of}"] = "forward" in vars(module)
    for name, parameter in model.named_parameters():
        found[f"requires_grad of {name}"] = parameter.requires_grad
        found[f"grad of {name}"] = None if parameter.grad is None else parameter.grad.clone()
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        found[f"values of {name}"] = tensor.detach().clone()
    return found


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The names of what differs between two snapshots."""
    found = set(before) ^ set(after)
    for name in set(before) & set(after):
        one, other = before[name], after[name]
        tensors = isinstance(one, Tensor) and isinstance(other, Tensor)
        if not (torch.equal(one, other) if tensors else one is other or one == other):
            found.add(name)
    return found
