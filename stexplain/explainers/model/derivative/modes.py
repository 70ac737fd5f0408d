"""A forward pass in which is seen what it leaves out of its gradient, and the same with nothing left out."""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from stexplain.checking.notices import PACKAGE
from stexplain.explainers.model.derivative.functions import as_written, intercepted, is_derivative, is_tested
from stexplain.explainers.model.running.attribute_walk import attributes_of
from stexplain.explainers.model.running.finite import tensors_in
from stexplain.explainers.outputs.nested import tensors_in as nested_tensors

_COPIES = {"tensor", "new_tensor"}
"""Functions that make a tensor anew of the values of another."""
_LEAVE_OUT = {"detach", "detach_", "data", "register_hook", *_COPIES}
_MAKE = {
    *("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like"),
    *("new_zeros", "new_ones", "new_empty", "new_full", "_set_grad_enabled"),
}
"""Functions whose result holds nothing of the values of their argument."""
_AS_NUMBERS = {"numpy", "__array__"}
_NO_GRAD, _INFERENCE = "torch.no_grad()", "torch.inference_mode()"


class Watch(TorchFunctionMode):
    """Sees what a forward pass leaves out of its gradient, where that reaches what the model returns.

    What is detached to be logged, or becomes a mask or an index, does not: neither has a derivative to leave out.

    Args:
        model: that runs.

    Attributes:
        places: where, and by what, in words; in the order of the pass.

    Example:
        >>> class Centred(nn.Module):
        ...     def forward(self, x):
        ...         self.size = x.detach().abs()
        ...         return x - x.mean().detach()
        >>> model = Centred()
        >>> watch = Watch(model)
        >>> with watch.entered() as returned:
        ...     _ = returned(model(torch.ones(2, requires_grad=True)))
        >>> [place.partition(" at ")[0] for place in watch.places]
        ['.detach()']
    """

    takes_packed = True
    """Networks of ours compute what they would without it, to the bit; see `nn.packing.may_pack`."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self._model = model
        self._names = {id(module): name for name, module in model.named_modules()}
        self.places: dict[str, None] = {}
        # By identity of a tensor: itself, and where something was left out that it was computed of.
        self._marks: dict[int, tuple[ref[Tensor], dict[str, None]]] = {}
        self._sources: dict[int, tuple[ref[Tensor], ref[Tensor]]] = {}
        # Within a custom function, which runs without gradients: its backward pass is for all that it does.
        self._within = 0

    @contextmanager
    def entered(self) -> Iterator[Callable[[Any], Any]]:
        """A forward pass runs inside; what it returns is handed to what the context gives, which gives it back."""
        for name, module in self._model.named_modules():
            if getattr(module, "_backward_hooks", None) or getattr(module, "_backward_pre_hooks", None):
                self.places[f"a backward hook of {name or type(module).__name__!r}"] = None
        with intercepted(self._apply), self:
            yield self._returned

    def _returned(self, output: Any) -> Any:
        for one in nested_tensors(output).values():
            self.places |= self._of([one])
        return output

    def _of(self, tensors: list[Tensor]) -> dict[str, None]:
        """Where something was left out that these were computed of."""
        places: dict[str, None] = {}
        for one in tensors:
            for each in (one, one._base):
                kept, known = self._marks.get(id(each), (None, {}))
                if kept is not None and kept() is each:
                    places |= known
        return places

    def _mark(self, tensor: Tensor | None, places: dict[str, None]) -> None:
        if tensor is not None and (tensor.is_floating_point() or tensor.is_complex()):
            self._marks[id(tensor)] = (ref(tensor), self._of([tensor]) | places)

    def _apply(self, cls: Any, run: Any, args: Any, kwargs: Any) -> Any:
        given = tensors_in(args)
        places = self._of(given)
        if not (self._within or is_tested(cls)) and any(one.requires_grad for one in given):
            places[_place(f"the backward pass of {cls.__name__}", self._names)] = None
        self._within += 1
        try:
            result = run(*args, **kwargs)
        finally:
            self._within -= 1
        for one in tensors_in([result]) if places else []:
            self._mark(one, places)
        return result

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._within:
            return func(*args, **kwargs)
        name = _name(func)
        differentiated, places = False, {}
        # A tensor of a class of its own may not let itself be looked at: the pass goes on all the same.
        with suppress(Exception):
            # Before the call: some work in place.
            given = tensors_in([*args, *kwargs.values()])
            differentiated = any(one.requires_grad for one in given)
            places = {} if name in _MAKE else self._of(given)
        result = func(*args, **kwargs)
        if differentiated and name in _LEAVE_OUT:
            places[_place(_in_words(name), self._names)] = None
        elif differentiated and name not in _MAKE and not torch.is_grad_enabled():
            # What goes on from there is not named again, line by line.
            here = any(place.startswith((_NO_GRAD, _INFERENCE)) for place in places)
            places |= {} if here else {_place(_without_gradients(), self._names): None}
        if places:
            with suppress(Exception):
                self._passed_on(name, places, args, result)
        return result

    def _passed_on(self, name: str, places: dict[str, None], args: Any, result: Any) -> None:
        for one in tensors_in([result]):
            self._mark(one, places)
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if first is None:
            return
        if name in ("detach", "data"):
            self._sources[id(result)] = (ref(result), ref(first))
        if name == "register_hook":
            self._mark(first, places)
        if name == "__setitem__" or (name.endswith("_") and not name.endswith("__")):
            # Written into: it, what it is a view of, and what shares its memory.
            for one in (first, *([] if first._base is None else [first._base])):
                self._mark(one, places)
                kept, source = self._sources.get(id(one), (None, None))
                if kept is not None and source is not None and kept() is one:
                    self._mark(source(), places)


class NothingLeftOut(TorchFunctionMode):
    """A forward pass in which all is differentiated: what it computes is the same.

    ``.detach()`` and ``.data`` give the tensor itself, gradients stay on, hooks on gradients are left out, and a custom
    function whose backward pass is not its derivative is differentiated as it is written.

    Args:
        model: that runs.
        places: where it leaves something out, as `Watch` found; elsewhere, as where something is logged, it is let be.

    Attributes:
        flowing: where a gradient came back that the model leaves out, since it was last cleared.
    """

    takes_packed = True
    """As `Watch`."""

    def __init__(self, model: nn.Module, places: Collection[str]):
        super().__init__()
        self._model, self._places = model, places
        self._names = {id(module): name for name, module in model.named_modules()}
        self.flowing: dict[str, None] = {}
        self._off = False
        self._within = 0
        self._right: dict[Any, bool] = {}

    @contextmanager
    def entered(self) -> Iterator[Callable[[Any], Any]]:
        """A forward pass runs inside; see `Watch`."""
        held = [one for one in attributes_of(self._model)[1] if not one.requires_grad]
        hooked = [
            (module, kind, hooks, name)
            for name, module in self._model.named_modules()
            for kind in ("_backward_hooks", "_backward_pre_hooks")
            if (hooks := getattr(module, kind, None))
        ]
        for module, kind, hooks, name in hooked:
            setattr(module, kind, type(hooks)())
            self.flowing[f"a backward hook of {name or type(module).__name__!r}"] = None
        try:
            with intercepted(self._apply), self:
                yield lambda output: output
        finally:
            for module, kind, hooks, _ in hooked:
                setattr(module, kind, hooks)
            for one in held:
                # What a buffer got from a tensor that is detached elsewhere must not keep this pass alive.
                if one.requires_grad and not one._is_view():
                    one.detach_()

    def _apply(self, cls: Any, run: Any, args: Any, kwargs: Any) -> Any:
        place = _place(f"the backward pass of {cls.__name__}", self._names)
        self._within += 1
        try:
            if place not in self._places:
                return run(*args, **kwargs)
            if cls not in self._right:
                self._right[cls] = is_derivative(cls, run, args, kwargs)
            if self._right[cls]:
                return run(*args, **kwargs)
        finally:
            self._within -= 1
        self.flowing[place] = None
        return as_written(cls, args, kwargs)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = _name(func)
        if self._within:
            return func(*args, **kwargs)
        if name == "_set_grad_enabled":
            self._off = not args[0]
            return None
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if name in _AS_NUMBERS and first is not None:
            # It leaves torch: what is known of it ends here.
            return func(first.detach(), *args[1:], **kwargs)
        given = tensors_in([*args, *kwargs.values()])
        if name in _LEAVE_OUT and any(one.requires_grad for one in given):
            place = _place(_in_words(name), self._names)
            if place in self._places:
                return self._kept_in(name, place, args, kwargs)
        how = _without_gradients()
        with torch.inference_mode(False) if how == _INFERENCE else nullcontext():
            result = func(*args, **kwargs)
        if (self._off or how == _INFERENCE) and name not in _MAKE:
            for one in tensors_in([result]):
                if one.requires_grad and not one.is_leaf:
                    self._seen(one, _place(how, self._names))
        return result

    def _kept_in(self, name: str, place: str, args: Any, kwargs: dict[str, Any]) -> Any:
        """What a function gives that leaves something out, without leaving it out."""
        if name in _COPIES:
            like, values = (args[0] if name == "new_tensor" else None), args[-1]
            to = {"dtype": values.dtype, "device": values.device}
            to |= {} if like is None else {"dtype": like.dtype, "device": like.device}
            to |= {key: kwargs[key] for key in ("dtype", "device") if kwargs.get(key) is not None}
            return self._seen(values.clone().to(**to), place)
        if name == "register_hook":
            self.flowing[place] = None
            return _Handle()
        return self._seen(args[0] if name == "detach_" else torch.ops.aten.alias(args[0]), place)

    def _seen(self, tensor: Tensor, place: str) -> Tensor:
        """The tensor; a gradient that comes back to it is told."""

        def came_back(gradient: Tensor) -> None:
            if bool(gradient.any()):
                self.flowing[place] = None

        tensor.register_hook(came_back)  # type: ignore[no-untyped-call]  # torch does not type it
        return tensor


class _Handle:
    """Of a hook that was not registered."""

    def remove(self) -> None:
        """Nothing to remove."""


def _name(func: Any) -> str:
    """The name of a function of torch; of a property, that of the property."""
    name = getattr(func, "__name__", "")
    if name == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", ""))
    return str(name)


def _without_gradients() -> str:
    """By what gradients are off, where they are."""
    return _INFERENCE if torch.is_inference_mode_enabled() else _NO_GRAD


def _in_words(name: str) -> str:
    words = {"data": ".data", "register_hook": "a hook on a gradient", "tensor": "torch.tensor()"}
    return words.get(name, f".{name}()")


def _place(how: str, names: dict[int, str]) -> str:
    """Where in the model's code that is, such as ``".detach() at revin.py, line 12 (module 'norm')"``."""
    line = module = ""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and not module:
        file = frame.f_code.co_filename
        if not file.startswith(PACKAGE) and f"{'/torch/'}" not in file.replace("\\", "/"):
            line = line or f" at {file.replace(chr(92), '/').rpartition('/')[2]}, line {frame.f_lineno}"
            own = frame.f_locals.get((*frame.f_code.co_varnames, "self")[0])  # what methods call self
            if isinstance(own, nn.Module) and id(own) in names:
                module = names[id(own)] or type(own).__name__
        frame = frame.f_back
    return f"{how}{line}{f' ({module})' if module else ''}"
