"""NaN and infinity are errors that say where they began: a parameter, the first operation forward, or backward."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode

from stexplain.errors import InputError
from stexplain.explainers.outputs.nested import chosen
from stexplain.explainers.outputs.precision import HALF

_Result = TypeVar("_Result")


class NotFiniteError(InputError):
    """An output, a gradient or a map holds NaN or infinity.

    Attributes:
        problem: what holds it, without a stop.
        origin: where it began, a sentence; empty: not known.
    """

    def __init__(self, problem: str, origin: str = ""):
        super().__init__(f"{problem}. {origin}".rstrip())
        self.problem, self.origin = problem, origin

    def __reduce__(self) -> tuple[Any, ...]:
        # As a worker sends it: by default an error is made anew of its message.
        return type(self), (self.problem, self.origin)


def problem_of(tensor: Tensor | None) -> str:
    """``"NaN"`` or ``"infinity"``, whichever a tensor holds; empty where all of it is finite.

    Example:
        >>> problem_of(torch.tensor([1.0, torch.inf])), problem_of(torch.zeros(2))
        ('infinity', '')
    """
    if tensor is None or not (tensor.is_floating_point() or tensor.is_complex()) or tensor.is_meta:
        return ""
    # What is not stored of a sparse tensor is zero.
    values = tensor.detach() if tensor.layout == torch.strided else tensor.detach().to_dense()
    # A sum is finite only where all terms are, and takes a twentieth of the time; one of finite terms may overflow.
    if values.is_quantized or bool(torch.isfinite(values.sum())) or bool(torch.isfinite(values).all()):
        return ""
    return "NaN" if bool(torch.isnan(values).any()) else "infinity"


def check_finite_values(tensor: Tensor | None, what: str) -> None:
    """Refuses NaN and infinity.

    Args:
        tensor: any; samples lie along its first axis.
        what: what it is, for the message.

    Raises:
        NotFiniteError: with the first sample that is concerned.
    """
    if tensor is not None and (problem := problem_of(tensor)):
        # One number for each sample: whether it is finite throughout.
        finite = torch.isfinite(tensor.detach()).flatten(1).all(1) if tensor.ndim > 1 else torch.isfinite(tensor)
        first = int((~finite).nonzero()[0]) if finite.ndim else 0
        raise NotFiniteError(f"{what} holds {problem}, first for sample {first}")


def checked_output(
    model: nn.Module, run: Callable[[], Any], which: "str | int | None", note: Callable[[str], None]
) -> Any:
    """What a model returns, where the tensor that targets read holds no NaN; half precision is noted.

    Infinity is left to the score: logits of classes that are masked out are often minus infinity.

    Args:
        model: any.
        run: runs it; called once more where the output holds NaN.
        which: of the output's tensors is read; see `chosen`.
        note: takes a sentence for the result.

    Raises:
        NotFiniteError: where it holds NaN, with its origin.
    """
    output = run()
    try:
        _, tensor = chosen(output, which)
    except InputError:
        # A function reads what it wants: its scores are checked.
        return output
    if tensor.dtype in HALF:
        bits = 8 if tensor.dtype == torch.bfloat16 else 11
        note(
            f"The model's output is in {str(tensor.dtype).removeprefix('torch.')}: differences of scores below "
            f"{2.0**-bits:.1%} of the score are lost in rounding."
        )
    if problem_of(tensor) == "NaN":
        raise NotFiniteError("the model's output holds NaN", origin_of(model, run))
    return output


def traced_to_origin(model: nn.Module, compute: Callable[[], _Result]) -> _Result:
    """What a function computes; where that is not finite, it is computed again to see where it began.

    Args:
        model: which the function calls.
        compute: may raise `NotFiniteError`; called once more after that.

    Raises:
        NotFiniteError: with its origin, as far as it can be found.
    """
    try:
        return compute()
    except NotFiniteError as error:
        if error.origin:
            raise
        problem = error.problem
    raise NotFiniteError(problem, origin_of(model, compute))


def origin_of(model: nn.Module, compute: Callable[[], Any]) -> str:
    """Where NaN or infinity begins in a computation, as a sentence; empty where that cannot be determined.

    Args:
        model: which the computation calls.
        compute: computed once more, with every operation watched, forward and backward.
    """
    # Values of -inf in a buffer are common, as masks of attention; NaN is not.
    named = [(f"parameter {name!r}", problem_of(one)) for name, one in model.named_parameters()]
    named += [(f"buffer {name!r}", problem_of(one)) for name, one in model.named_buffers()]
    for name, problem in named:
        if problem == "NaN" or (problem and name.startswith("parameter")):
            return f"The model's {name} holds {problem}: load sound weights."
    watch = _Watch(model)
    # Whatever goes wrong here, the error at hand is the one to raise.
    with suppress(Exception), watch.hooks(), watch:
        compute()
    return watch.sentence()


class _Watch(TorchFunctionMode):
    """Sees the result of every operation, and of every step of a backward pass behind it."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self._model = model
        # The modules that run, the innermost last; empty while the target or the method itself computes.
        self._running: list[str] = []
        self._known: set[Node] = set()
        # The first NaN forward, the first infinity forward, the first of both backward.
        self._nan = self._infinite = self._backward = ""

    def hooks(self) -> ExitStack:
        """Hooks that follow which module runs, until the stack is closed."""
        stack = ExitStack()
        for name, module in self._model.named_modules():
            place = f"{name!r} ({type(module).__name__})" if name else f"the forward pass of {type(module).__name__}"

            def enter(*_: Any, place: str = place) -> None:
                self._running.append(place)

            def leave(*_: Any) -> None:
                self._running.pop()

            stack.callback(module.register_forward_pre_hook(enter).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        return stack

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Before the call: an operation in place changes what went in.
        before = {problem_of(tensor) for tensor in tensors_in([*args, *(kwargs or {}).values()])}
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").strip("_")
        for tensor in tensors_in([result]):
            problem = problem_of(tensor)
            # What follows a gradient that is not finite does not begin here.
            if problem and not self._backward and name not in ("grad", "backward"):
                if problem == "NaN" and "NaN" not in before:
                    self._nan = self._nan or self._place(name)
                if problem == "infinity" and before <= {""}:
                    self._infinite = self._infinite or self._place(name)
            if tensor.grad_fn is not None:
                self._watch_backward(tensor.grad_fn)
        return result

    def _place(self, operation: str) -> str:
        return f"{operation!r} in {self._running[-1] if self._running else 'the target or the method'}"

    def _watch_backward(self, last: Node) -> None:
        """Watches the backward pass of an operation: the nodes of the graph that are new since the one before."""
        waiting: list[Node | None] = [last]
        while waiting:
            node = waiting.pop()
            if node is None or node in self._known or node.name().endswith("AccumulateGrad"):
                continue
            self._known.add(node)
            place = self._place(node.name().rstrip("0123456789").removesuffix("Backward"))
            node.register_hook(lambda after, before, place=place: self._see_gradients(after, before, place))
            waiting += [before for before, _ in node.next_functions]

    def _see_gradients(self, after: Any, before: Any, place: str) -> None:
        """Keeps the first step whose gradients are not finite although those that it began with are."""
        if not self._backward and not any(map(problem_of, tensors_in([before]))):
            problems = sorted({problem_of(one) for one in tensors_in([after])} - {""})
            self._backward = place if problems else ""

    def sentence(self) -> str:
        """Where it began."""
        if self._nan:
            # An infinity that comes first may be meant, as a mask before a softmax: both are named.
            also = f", after an infinite value from {self._infinite}" if self._infinite else ""
            return f"The first NaN comes from {self._nan}{also}: keep its input in range, such as by a clamp."
        if self._backward:
            return (
                f"The first gradient that is not finite comes from {self._backward}, whose derivative there is "
                "infinite or not defined, as that of a root at zero is. Add a small constant before it, or use a "
                "perturbation method, such as Occlusion."
            )
        if self._infinite:
            return f"The first infinite value comes from {self._infinite}: keep its input in range, such as by a clamp."
        return ""


def tensors_in(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among values, in lists and tuples too."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors_in(value)
    return found
