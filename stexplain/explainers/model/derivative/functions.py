"""Custom functions of autograd, whose backward pass is what their author wrote: whether it is their derivative."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import function as torch_function
from torch.overrides import TorchFunctionMode

from stexplain.explainers.model.running.finite import tensors_in

# Libraries whose functions are tested against their derivatives, such as DGL's messages.
_TESTED = frozenset(
    {
        *("torch", "functorch", "torchvision", "torchaudio", "dgl", "torch_geometric", "torch_scatter", "torch_sparse"),
        *("torch_cluster", "torch_spline_conv", "pyg_lib", "xformers", "flash_attn", "triton", "mamba_ssm"),
        *("causal_conv1d", "fla", "apex", "transformer_engine", "deepspeed", "stexplain"),
    }
)
_STEP = 1e-4
"""The share of each value by which it is moved, on and back."""
_DRAWS = 2
_MAKE = frozenset({"tensor", "zeros", "ones", "full", "arange", "linspace", "eye", "scalar_tensor"})
"""Functions that make a constant."""
_GROSS = 0.2
"""How much of the slope a wrong one misses; rounding, and a kink here and there, are far less."""
_LOCK = threading.Lock()

Apply = Callable[[Any, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""From a function's class, what applies it, and its arguments, to its result."""


@contextmanager
def intercepted(apply: Apply) -> Iterator[None]:
    """Custom functions that this thread applies go through `apply`, for the length of the block.

    Where ``Function.apply`` goes on to, as code often keeps that bound method itself.

    Args:
        apply: see `Apply`.
    """
    single: Any = getattr(torch_function, "_SingleLevelFunction", None)
    thread = threading.get_ident()
    with _LOCK:
        if single is None or "apply" in vars(single):
            single = None
        else:

            def applied(cls: Any, *args: Any, **kwargs: Any) -> Any:
                run = super(single, cls).apply
                if threading.get_ident() != thread:
                    return run(*args, **kwargs)
                return apply(cls, run, args, kwargs)

            single.apply = classmethod(applied)
    try:
        yield
    finally:
        if single is not None:
            with _LOCK:
                del single.apply


def is_tested(cls: Any) -> bool:
    """Whether a function is of a library that tests it."""
    return str(getattr(cls, "__module__", "")).partition(".")[0] in _TESTED


class _Context:
    """In the place of the context of a function that is run as it is written, without its backward pass."""

    def __init__(self, arguments: Any) -> None:
        self.needs_input_grad = tuple(isinstance(one, Tensor) and one.requires_grad for one in arguments)
        self.saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    def _nothing(self, *_: Any) -> None:
        """Marks are of use to the backward pass alone."""

    save_for_forward = mark_dirty = mark_non_differentiable = set_materialize_grads = _nothing


def as_written(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a function computes, differentiated by torch in place of its own backward pass.

    Example:
        >>> class Reversed(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x.view_as(x)
        ...     @staticmethod
        ...     def backward(ctx, gradient):
        ...         return -gradient
        >>> x = torch.ones(2, requires_grad=True)
        >>> by_torch, own = as_written(Reversed, (x,), {}), Reversed.apply(x)
        >>> [torch.autograd.grad(each.sum(), x)[0].tolist() for each in (by_torch, own)]
        [[1.0, 1.0], [-1.0, -1.0]]
    """
    if cls.setup_context is not torch.autograd.Function.setup_context:
        return cls.forward(*args, **kwargs)
    return cls.forward(_Context(args), *args, **kwargs)


class _Seen(TorchFunctionMode):
    """Which tensors are computed of others by functions of torch alone, and not by a kernel that torch does not see."""

    def __init__(self, tensors: list[Tensor]):
        super().__init__()
        self._known = {id(one): one for one in tensors}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name, given = getattr(func, "__name__", ""), tensors_in([*args, *(kwargs or {}).values()])
        # What is empty a kernel fills.
        known = name in _MAKE or (bool(given) and "empty" not in name)
        if known and all(id(one) in self._known for one in given):
            self._known |= {id(one): one for one in tensors_in([result])}
        return result

    def made_all(self, result: Any) -> bool:
        """Whether all of a result is known."""
        return all(id(one) in self._known for one in tensors_in([result]))


def is_derivative(cls: Any, run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a function's backward pass is its derivative, where it is; true where that cannot be determined.

    Each value is moved by a share of itself: what is zero stays zero, where functions have their kinks. The slope must
    be missed by much in every direction. What torch does not see, as in numpy, it could not differentiate instead.

    Args:
        cls: the function.
        run: applies it.
        args: as it is called.
        kwargs: as it is called.
    """
    seen = _Seen(tensors_in(args))
    with torch.no_grad(), seen:
        if not seen.made_all(as_written(cls, args, kwargs)):
            return True
    leaves = {at: one.detach().clone() for at, one in enumerate(args) if isinstance(one, Tensor)}
    moved = [at for at, one in leaves.items() if args[at].requires_grad and one.is_floating_point()]

    def outputs(values: dict[int, Tensor]) -> list[Tensor]:
        given = [values[at].clone() if at in values else one for at, one in enumerate(args)]
        found = run(*given, **kwargs)
        return [one for one in (found if isinstance(found, tuple) else (found,)) if isinstance(one, Tensor)]

    generator = torch.Generator().manual_seed(0)

    def drawn(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, dtype=torch.float64, device="cpu").to(like)

    missed = []
    for _ in range(_DRAWS):
        with torch.enable_grad():
            given = {at: one.requires_grad_() if at in moved else one for at, one in _copies(leaves).items()}
            here = [one for one in outputs(given) if one.requires_grad and one.is_floating_point()]
            weights = [drawn(one) for one in here]
            total = torch.stack(
                [(one * weight).sum().double() for one, weight in zip(here, weights, strict=True)]
            ).sum()
            back = torch.autograd.grad(total, [given[at] for at in moved], allow_unused=True)
        differentiable = [one.requires_grad and one.is_floating_point() for one in outputs(given)]
        noise = {at: leaves[at] * drawn(leaves[at]) for at in moved}
        with torch.no_grad():
            ends = [{**leaves, **{at: leaves[at] + sign * _STEP * noise[at] for at in moved}} for sign in (1, -1)]
            after, before = (
                [one for one, keep in zip(outputs(end), differentiable, strict=True) if keep] for end in ends
            )
            slope = sum(
                float(((one - other).double() * weight).sum())
                for one, other, weight in zip(after, before, weights, strict=True)
            )
            own = sum(
                float((gradient.double() * (ends[0][at] - ends[1][at])).sum())
                for at, gradient in zip(moved, back, strict=True)
                if gradient is not None
            )
            size = sum(float((one * weight).double().norm()) for one, weight in zip(here, weights, strict=True))
        # Below this a difference is of rounding.
        floor = 20 * max(torch.finfo(one.dtype).eps for one in here) * size
        missed.append(abs(slope - own) > _GROSS * max(abs(slope), abs(own)) + floor)
    return not all(missed)


def _copies(tensors: dict[int, Tensor]) -> dict[int, Tensor]:
    return {at: one.clone() for at, one in tensors.items()}
