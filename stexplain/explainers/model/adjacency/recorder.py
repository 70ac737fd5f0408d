"""Sees the operations of one forward pass, function by function, and says which may mix nodes."""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import permutations
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from stexplain.errors import InputError
from stexplain.explainers.model.adjacency.contraction import (
    Contraction,
    attention_weights,
    contraction_of,
)
from stexplain.explainers.model.adjacency.events import Event, MessageSum, Scatter, Site
from stexplain.explainers.model.adjacency.frames import CallFrame, innermost
from stexplain.explainers.model.adjacency.indexing import gather_of, is_scatter, scatter_arguments
from stexplain.explainers.model.adjacency.names import TensorName, TensorNames
from stexplain.explainers.model.adjacency.products import Products

Track = Callable[[Event], Tensor]
"""Takes an event, and gives the tensor that goes on through the model in the place of `event.tensor`."""
Done = Callable[[Event], Tensor | None]
"""Takes an event when its result is known; of a scatter, it may give a tensor that goes on in the place of that."""


class Recorder:
    """Inside the block, operations that may mix nodes are handed to two functions.

    Functions are seen before autograd and with the axes that the model gave them, and their results can be exchanged:
    a mode of torch sees them whatever type of tensors they get. DGL's message passing, whose kernels torch does not
    see, is watched at the function that all of it goes through. Everything is as before at the end.

    Args:
        model: whose forward pass is watched.
        nodes: N.
        track: called with each event before its tensor goes on.
        done: called with each event when it is over; none: nothing is done.
        signals: the argument that takes the signals; none: the first.
    """

    def __init__(
        self, model: nn.Module, nodes: int, track: Track, done: Done | None = None, signals: str | None = None
    ):
        self._model, self._nodes, self._track, self._done = model, nodes, track, done
        self._names = TensorNames(model)
        self._signals = signals
        self._stack: list[CallFrame] = [CallFrame("", model)]
        self._calls: Counter[Site] = Counter()
        self._products = Products()
        self._exits = ExitStack()

    def __enter__(self) -> "Recorder":
        self._exits.enter_context(self._modules_followed())
        self._exits.enter_context(_dgl_watched(self))
        self._exits.enter_context(_Mode(self))
        return self

    def __exit__(self, *error: Any) -> None:
        self._exits.__exit__(*error)

    @contextmanager
    def _modules_followed(self) -> Iterator[None]:
        """Keeps the stack of modules whose forward is running."""
        handles = []
        for path, module in self._model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                which = f"layer {path!r}" if path else "the model"
                raise InputError(
                    f"{which} is scripted or traced: it runs without Python, so operations that mix nodes cannot be "
                    "seen. Explain the original module, or the input, such as by IntegratedGradients."
                )
        for path, module in self._model.named_modules():

            def enter(module: nn.Module, args: Any, kwargs: Any, path: str = path) -> None:
                if module is self._model:
                    self._names.add_arguments(_further(module, args, kwargs, self._signals))
                entered = next((tuple(each.shape) for each in args if isinstance(each, Tensor)), ())
                self._stack.append(CallFrame(path, module, entered))

            def leave(*_: Any) -> None:
                self._stack.pop()

            handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(module.register_forward_hook(leave, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            del self._stack[1:]

    def call(self, mode: "_Mode", func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Runs a function of torch, and looks at it."""
        if torch._C._functorch.peek_interpreter_stack() is not None:
            # Inside `torch.vmap` and its kin a tensor lacks axes and has no memory: what passes there is measured.
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name == "multi_head_attention_forward":
            # Its products are inside: a copy of the function that does not hand itself over once more.
            with mode:
                return _entered(func)(*args, **kwargs)
        if name == "scaled_dot_product_attention":
            with mode:
                weights, value = attention_weights(*args, **kwargs)
                return weights @ value
        if is_scatter(name) and (scattered := self._scatter(func, name, args, kwargs)) is not None:
            return scattered[0]
        factors = self._products.operands(name, args, kwargs)
        out = func(*args, **kwargs)
        self._products.keep(factors, out)
        if not isinstance(out, Tensor):
            return out
        if (gather := gather_of(name, args, kwargs)) is not None:
            innermost(self._stack).gathered(gather, out, self._stack)
        else:
            innermost(self._stack).passed_on(name, args, out)
        product, reduced = self._products.summed(name, args, kwargs, out) or (contraction_of(name, args, kwargs), out)
        if product is not None and self._may_mix(product):
            result = self.record(product, name, product.operands, reduced)
            # The model may have kept the axes that are summed over, of size one.
            return result if reduced is out else result.reshape(out.shape)
        return out

    def _may_mix(self, product: Contraction) -> bool:
        """Whether sizes allow that an operand swaps an axis of nodes for another one."""
        sizes: dict[int, int] = {}
        for own, operand in zip(product.labels, product.operands, strict=True):
            sizes |= dict(zip(own, operand.shape, strict=True))
        fitting = {label for label, size in sizes.items() if size % self._nodes == 0}
        for signals, adjacency in permutations(product.labels, 2):
            summed = fitting.intersection(signals, adjacency).difference(product.out)
            added = fitting.intersection(adjacency, product.out).difference(signals)
            if summed and added:
                return True
        return False

    def _scatter(self, func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> tuple[Any] | None:
        """Runs a scatter with its messages tracked; none where it is of a form that is not known."""
        arguments = scatter_arguments(name, args, kwargs)
        if arguments is None:
            return None
        axis, target, messages, put_back, why = arguments
        gather, reason = innermost(self._stack).source_of(target, self._stack)
        form = Scatter(axis, target, gather, why or reason)
        event = self._event(form, name, (target,), messages, messages)
        args, kwargs = put_back(self._track(event))
        out = func(*args, **kwargs)
        event.out = out
        innermost(self._stack).scattered(form, out)
        replaced = None if self._done is None else self._done(event)
        return (out if replaced is None else replaced,)

    def record(self, form: Contraction | MessageSum, name: str, operands: tuple[Any, ...], out: Tensor) -> Tensor:
        """Hands an event over; gives what goes on in the place of its result."""
        event = self._event(form, name, operands, out, out)
        result = self._track(event)
        if self._done is not None:
            self._done(event)
        return result

    def site(self, name: str) -> Site:
        """Where a function of this name runs now."""
        return Site(self._stack[-1].path, name.strip("_"), _line())

    def _event(self, form: Any, name: str, operands: tuple[Any, ...], tensor: Tensor, out: Tensor) -> Event:
        names: tuple[TensorName | None, ...] = tuple(
            self._names.of(each) if isinstance(each, Tensor) else None for each in operands
        )
        frame = self._stack[-1]
        site = self.site(name)
        call = self._calls[site]
        self._calls[site] += 1
        return Event(site, call, form, frame.module, frame.entered, names, tensor, out)


class _Mode(TorchFunctionMode):
    """Hands every function of torch to the recorder; what that calls itself is not handed over."""

    def __init__(self, recorder: Recorder):
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        return self._recorder.call(self, func, args, dict(kwargs or {}))


def _line() -> str:
    """The file and line of the model's code that calls the operation."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] not in ("torch", "einops", "dgl") and not name.startswith(__package__):
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _further(module: nn.Module, args: Any, kwargs: Any, signals: str | None) -> dict[str, Any]:
    """The arguments of a call by their names, without the signals."""
    try:
        bound = inspect.signature(module.forward).bind(*args, **kwargs)
    except TypeError:
        return dict(kwargs)
    # What **kwargs takes is known by its own name.
    unnamed = {name for name, each in bound.signature.parameters.items() if each.kind is each.VAR_KEYWORD}
    unnamed.add(signals or next(iter(bound.arguments), ""))
    return {name: value for name, value in {**bound.arguments, **kwargs}.items() if name not in unnamed}


def _entered(function: Any) -> Any:
    """The same function, which takes tensors for plain ones though a mode is active."""
    return_same = FunctionType(
        function.__code__,
        {**function.__globals__, "has_torch_function": lambda _: False},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    return_same.__kwdefaults__ = function.__kwdefaults__
    return return_same


@contextmanager
def _dgl_watched(recorder: Recorder) -> Iterator[None]:
    """Hands sums of messages by DGL to the recorder: all of its message passing goes through one function."""
    # A model whose forward uses DGL has imported it, apart from this package's own layers: see `listing`.
    module = sys.modules.get("dgl.ops.spmm")
    if module is None:
        yield
        return
    original = module.gspmm

    def gspmm(g: Any, op: str, reduce_op: str, lhs_data: Any, rhs_data: Any) -> Any:
        out = original(g, op, reduce_op, lhs_data, rhs_data)
        if isinstance(lhs_data, list | tuple) or isinstance(rhs_data, list | tuple) or not isinstance(out, Tensor):
            return out
        source, target = (each.long() for each in g.edges(order="eid")[:2])
        degree = g.in_degrees().clamp(min=1).to(out.dtype) if reduce_op == "mean" else None
        why = "" if reduce_op in ("sum", "mean") else f"the {reduce_op} of messages is no sum of them"
        form = MessageSum(source, target, op, lhs_data, rhs_data, degree, why)
        return recorder.record(form, f"{op}_{reduce_op}", (rhs_data, lhs_data), out)

    module.gspmm = gspmm  # type: ignore[attr-defined]  # a module found by its name has attributes of any type
    try:
        yield
    finally:
        module.gspmm = original  # type: ignore[attr-defined]
