"""Passes of a model in which followed operations let no change go from a node to another, function by function."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import ref

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from stexplain.explainers.model.adjacency.events import Event, Key, MessageSum, Scatter, Site
from stexplain.explainers.model.adjacency.recorder import Recorder
from stexplain.explainers.model.adjacency.roles import MessageRoles, ProductRoles
from stexplain.explainers.model.adjacency.unfollowed.own_nodes import NodeAxis, received, sent
from stexplain.explainers.model.running.finite import tensors_in

Kind = Literal["function", "normalisation", "sent"]
Stage = Literal["reference", "changed", "differentiated"]

_NORMALISATIONS = ("layer_norm", "group_norm", "instance_norm", "batch_norm", "native_layer_norm", "native_group_norm")
"""Functions by whose mean and variance values pass; each value itself stays where it is."""
_SHARES = ("softmax", "log_softmax", "normalize")
"""Functions that divide by a sum: it is no message, as in a softmax over the edges of a node."""
_SILENT = {
    *("view", "reshape", "permute", "transpose", "t", "flatten", "unflatten", "unsqueeze", "squeeze", "contiguous"),
    *("to", "float", "double", "type_as", "clone", "detach", "expand", "expand_as", "movedim", "swapaxes", "chunk"),
    *("split", "unbind", "select", "narrow", "get", "requires_grad", "type", "cpu", "cuda"),
}
"""Functions that change the shape or type alone: what they pass on is looked at where it is used."""
_BY_POSITION = {
    *("add", "sub", "mul", "div", "true_divide", "truediv", "rsub", "radd", "rmul", "rdiv", "rtruediv", "iadd", "isub"),
    *("imul", "itruediv", "where", "lerp", "addcmul", "addcdiv", "maximum", "minimum", "max", "min", "fmax", "fmin"),
    *("pow", "rpow", "hypot", "atan2", "logaddexp", "cat", "concat", "concatenate", "masked_fill"),
}
"""Functions of several tensors by which each axis stays where it is."""
_MEANS = {"adaptive_max_pool1d": F.adaptive_avg_pool1d, "adaptive_max_pool2d": F.adaptive_avg_pool2d}
_BYTES = 2**30
"""So much of a pass is kept at a time; what is more waits for other passes."""


@dataclass
class Step:
    """One result of a function, or what a followed operation sends.

    Attributes:
        site: where.
        kind: of what.
        shape: of the tensor.
        fold: what the axis of nodes is folded with, where the axis is known.
        axes: those that may hold nodes.
        responses: of each of these axes, the largest change in each pass, ``[length]``.
        of: the numbers of the steps that it is computed of, position by position.
    """

    site: Site
    kind: Kind
    shape: tuple[int, ...]
    fold: tuple[int, int] | None
    axes: tuple[int, ...]
    responses: list[list[NDArray[np.float64]]] = field(default_factory=list)
    of: tuple[int, ...] = ()


class Passes:
    """Watches passes of one model on samples of one shape: an unchanged one, changed ones, and one to differentiate.

    Args:
        nodes: N.
        roles: of the calls that are followed.
        signals: the argument that takes the signals; none: the first.
    """

    def __init__(self, nodes: int, roles: Mapping[Key, ProductRoles | MessageRoles], signals: str | None):
        self.steps: list[Step] = []
        self.differentiated: dict[int, Tensor] = {}
        # Of the pass that runs, by identity: tensors, and the number of their step.
        self._numbers: dict[int, tuple[ref[Tensor], int]] = {}
        self._nodes, self._roles, self._signals = nodes, roles, signals
        self._stage: Stage = "reference"
        # Of the unchanged pass: the results of functions, and before and after what lets own changes through only.
        self._results: dict[int, Tensor] = {}
        self._let_through: dict[Key | int, list[Tensor]] = {}
        self._number = self._normalisations = self._first = self._used = 0
        self._recorder: Recorder | None = None
        self._busy = False
        self.unsteady = False

    @contextmanager
    def watched(self, model: nn.Module, stage: Stage) -> Iterator[None]:
        """A pass runs inside.

        Args:
            model: that runs.
            stage: what the pass is for. Each unchanged pass keeps further results, as many as memory is meant for.

        Raises:
            RuntimeError: where it runs other functions than the first.
        """
        self._stage, self._number, self._normalisations, self._numbers = stage, 0, 0, {}
        if stage == "reference":
            self._first, self._used = self._first + len(self._results), 0
            self._results, self._let_through = {}, {}
        self._recorder = Recorder(model, self._nodes, self._track, self._done, self._signals)
        with self._recorder, _Watch(self):
            yield
        if self._number != len(self.steps):
            raise self._other()

    def _other(self) -> RuntimeError:
        self.unsteady = True
        return RuntimeError("a pass ran other functions than the first")

    @property
    def left(self) -> bool:
        """Whether results are left that were not kept yet."""
        return self._first + len(self._results) < len(self.steps)

    def call(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Runs a function of torch, and looks at what it gives."""
        if self._busy or torch._C._functorch.peek_interpreter_stack() is not None:
            # What this computes itself, or what runs inside `torch.vmap`, of which the result is looked at.
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "").strip("_")
        if name in _MEANS:
            return _MEANS[name](*args[:2], **{key: value for key, value in kwargs.items() if key == "output_size"})
        if name == "amax":
            func = torch.mean
        first = args[0] if args else kwargs.get("input")
        if name in _NORMALISATIONS or name in _SHARES:
            return self._normalised(func, name, first, args, kwargs)
        of = self._operands(name, args, kwargs)
        out = func(*args, **kwargs)
        if name == "setitem":
            # Written into, position by position: the whole of it is what goes on.
            self._seen(args[0], name)
        if name in _SILENT or (name == "getitem" and not _picks(args[1])):
            return out
        for each in out if type(out) is tuple else (out,):
            if isinstance(each, Tensor):
                self._seen(each, name, of=of)
        return out

    def _operands(self, name: str, args: Any, kwargs: dict[str, Any]) -> tuple[int, ...]:
        """The steps of what a function joins position by position; what only its shape was changed of is one now."""
        if name not in _BY_POSITION:
            return ()
        # What has no function behind it is no signal: the samples require gradients.
        given = [one for one in tensors_in([*args, *kwargs.values()]) if one.grad_fn is not None]
        numbers = []
        for one in given if len(given) > 1 else []:
            kept, number = self._numbers.get(id(one), (None, None))
            numbers.append(number if kept is not None and kept() is one else self._seen(one, name))
        return tuple(number for number in numbers if number is not None)

    def _normalised(self, func: Any, name: str, x: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """A normalisation whose sums over all positions stay as they were: each change stays where it is."""
        before = x.detach().clone()
        out = func(*args, **kwargs)
        if out.shape != before.shape:
            return out
        number = None
        if name in _NORMALISATIONS and self._seen(x, name) is not None:
            number = self._seen(out, name, "normalisation")
        self._normalisations += 1
        result = self._own_changes(self._normalisations, x, before, out, lambda change: change)
        if number is not None and self._stage == "differentiated":
            self.differentiated[number] = result
        return result

    def _own_changes(
        self, key: Key | int, x: Tensor, before: Tensor, out: Tensor, own: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """What goes on: the unchanged result, and the own changes of what entered."""
        if self._stage == "reference":
            self._let_through[key] = [before, out.detach().clone()]
            return out
        if self._stage == "differentiated":
            return out.detach() + own(_change(x, x.detach()))
        entered, unchanged = self._let_through.get(key, (None, None))
        if entered is None or unchanged is None or entered.shape != before.shape or unchanged.shape != out.shape:
            raise self._other()
        # Of x itself, that all passes have gradients alike: some functions work otherwise without.
        return unchanged + own(_change(x, entered))

    def _track(self, event: Event) -> Tensor:
        # The messages of a scatter stay as they were: what goes on is its result.
        return event.tensor if isinstance(event.form, Scatter) else self._passed_on(event)

    def _done(self, event: Event) -> Tensor | None:
        return self._passed_on(event) if isinstance(event.form, Scatter) else None

    def _passed_on(self, event: Event) -> Tensor:
        roles = self._roles.get(event.key)
        self._busy = True
        try:
            if roles is not None:
                return self._followed(event, roles)
            if isinstance(event.form, MessageSum):
                # Of no function that torch sees.
                self._seen(event.out, event.site.operation)
            return event.out
        finally:
            self._busy = False

    def _followed(self, event: Event, roles: ProductRoles | MessageRoles) -> Tensor:
        """What goes on of a followed operation: nothing passes from one node to another."""
        sender = sent(event, roles)
        receiver = received(event, roles)
        if sender is None:
            out = event.out
            return self._own_changes(event.key, out, out.detach().clone(), out, lambda change: change * 0)
        number = self._seen(sender.tensor, event.site.operation, "sent", sender)
        result = self._own_changes(
            event.key,
            sender.tensor,
            sender.tensor.detach().clone(),
            event.out,
            lambda change: receiver.spread(sender.per_node(change)),
        )
        if number is not None and self._stage == "differentiated":
            self.differentiated[number] = result
        return result

    def _seen(
        self,
        out: Tensor,
        name: str,
        kind: Kind = "function",
        known: NodeAxis | None = None,
        of: tuple[int, ...] = (),
    ) -> int | None:
        """Counts a tensor that may have an axis of nodes, and keeps it or compares it; gives its number."""
        axes = [axis for axis, size in enumerate(out.shape) if size and size % self._nodes == 0]
        axes = [known.axis] if known is not None else axes
        if not out.is_floating_point() or out.layout != torch.strided or not axes:
            return None
        number = self._number
        self._number += 1
        self._numbers[id(out)] = (ref(out), number)
        assert self._recorder is not None
        if self._stage == "reference" and number == len(self.steps):
            fold = None if known is None else known.fold
            self.steps.append(Step(self._recorder.site(name), kind, tuple(out.shape), fold, tuple(axes), of=of))
        if number >= len(self.steps) or self.steps[number].shape != tuple(out.shape):
            raise self._other()
        if self._stage == "reference" and number >= self._first and self._used < _BYTES:
            self._results[number] = out.detach().clone()
            self._used += out.numel() * out.element_size()
        elif self._stage == "changed" and number in self._results:
            self._compare(number, out.detach())
        elif self._stage == "differentiated":
            self.differentiated[number] = out
        return number

    def _compare(self, number: int, out: Tensor) -> None:
        step = self.steps[number]
        change = (out - self._results[number]).abs().nan_to_num()
        each = []
        for axis in step.axes:
            rest = [other for other in range(out.ndim) if other != axis]
            each.append((change.amax(rest) if rest else change).cpu().double().numpy())
        step.responses.append(each)


def _change(x: Tensor, before: Tensor) -> Tensor:
    """What has changed; nothing where a value is infinite, as attention is masked: -inf less -inf is NaN."""
    return torch.where(x.isfinite() & before.isfinite(), x - before, 0)


class _Watch(TorchFunctionMode):
    """Hands every function of torch to the passes; it is the last to be entered, and so sees what goes on."""

    def __init__(self, passes: Passes):
        super().__init__()
        self._passes = passes

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._passes.call(func, args, dict(kwargs or {}))


def _picks(index: Any) -> bool:
    """Whether an index picks by a list: rows may come from elsewhere."""
    given = index if isinstance(index, tuple) else (index,)
    return any(isinstance(each, Tensor | list | np.ndarray) for each in given)
