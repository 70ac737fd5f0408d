"""What an explanation costs: how often the model was run forward and backward, per sample."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from stexplain.checking import checked


@dataclass
class Inferences:
    """What went through a model.

    Attributes:
        entries: of the first floating tensor that each forward pass was given, summed.
        backward: the same for passes backward.
        passes: how many forward passes.

    Example:
        >>> import torch
        >>> model, x = nn.Linear(3, 1), torch.zeros(4, 3)
        >>> with counted_inferences(model) as counted:
        ...     _ = model(x), model(x[:2])
        >>> counted.passes, counted.per_sample(x.numel())
        (2, 1.5)
    """

    entries: int = 0
    backward: int = 0
    passes: int = 0

    def per_sample(self, entries: int) -> float:
        """Inferences per sample: one for a forward pass of it, and one more for a pass backward.

        Args:
            entries: how many entries the input has of all samples, once.
        """
        return (self.entries + self.backward) / max(entries, 1)


@contextmanager
@checked
def counted_inferences(model: nn.Module) -> Iterator[Inferences]:
    """Counts what goes through a model meanwhile, in copies of it too; the model is restored afterwards, also on error.

    A forward pass counts by the size of its input, so that copies of a sample count one each, and a pass that is cut
    short counts as a whole. A pass backward counts as one more: gradients of the input alone cost about as much as the
    forward pass. One that ends at a late layer, as of Grad-CAM, counts as a whole as well: the count is an upper bound.

    Args:
        model: any module, in any form: hooks are put on it.

    Yields:
        The count, which grows: 1 is one sample that goes through the whole model once.

    Example:
        >>> import torch
        >>> model, x = nn.Linear(3, 1), torch.zeros(4, 3, requires_grad=True)
        >>> with counted_inferences(model) as counted:
        ...     model(x).sum().backward()
        ...     _ = model(x[:2].repeat(3, 1))
        >>> counted.per_sample(x.numel())  # 1 + 1, and six copies of four samples
        3.5
    """
    counted = Inferences()

    # Plain functions: a copy of the model shares them, where it would copy an object of its own.
    def before(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        counted.entries += _size(arguments, named)
        counted.passes += 1

    def after(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        size = _size(arguments, named)

        def backward(gradient: Tensor) -> None:
            counted.backward += size

        first = next((one for one in _tensors(output) if one.requires_grad), None)
        if first is not None:
            first.register_hook(backward)  # type: ignore[no-untyped-call]  # torch leaves it without types

    handles = [
        model.register_forward_pre_hook(before, with_kwargs=True),
        model.register_forward_hook(after, with_kwargs=True),
    ]
    try:
        yield counted
    finally:
        for handle in handles:
            handle.remove()


def _size(arguments: tuple[Any, ...], named: dict[str, Any]) -> int:
    """The entries of the first floating tensor that a forward pass is given."""
    tensors = _tensors([*arguments, *named.values()])
    return next((one.numel() for one in tensors if one.is_floating_point()), 0)


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value, in their order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
