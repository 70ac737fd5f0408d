"""Sums of what was multiplied entry by entry before: a product of an adjacency with the nodes, in two steps."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from stexplain.explainers.model.adjacency.contraction import Contraction, summed_product

_KEPT = 4
_IN_PLACE = ("mul_", "multiply_", "__imul__")
_PRODUCTS = ("mul", "multiply", "__mul__", "__rmul__", *_IN_PLACE)


@dataclass(eq=False)
class _Product:
    """A product entry by entry, its operands, and how often each had been written into when it was computed."""

    tensors: tuple[Tensor, Tensor, Tensor]
    versions: tuple[int, ...]

    @property
    def is_as_it_was(self) -> bool:
        return self.versions == tuple(map(version_of, self.tensors))


class Products:
    """The latest products entry by entry, of which the sums are followed.

    Example:
        >>> road, x = torch.ones(5, 5, 1), torch.ones(2, 1, 5, 3)
        >>> latest, product = Products(), road * x
        >>> latest.keep(latest.operands("mul", (road, x), {}), product)
        >>> form, out = latest.summed("sum", (product, 2, True), {}, product.sum(2, True))
        >>> form.labels, form.out, tuple(out.shape)
        (((2, 1), (3, 1, 0)), (3, 2, 0), (2, 5, 3))
    """

    def __init__(self) -> None:
        self._latest: deque[_Product] = deque(maxlen=_KEPT)

    def operands(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Tensor, Tensor] | None:
        """What a call multiplies entry by entry; none where it is no such product. Called before the call runs.

        Args:
            name: of the function.
            args: of the call.
            kwargs: of the call.
        """
        if name not in _PRODUCTS:
            return None
        given = [*args, *(kwargs[each] for each in ("input", "other") if each in kwargs)]
        tensors = [
            each for each in given if isinstance(each, Tensor) and each.ndim > 1 and each.layout == torch.strided
        ]
        if len(tensors) != 2:
            return None
        a, b = tensors
        # The call writes over it.
        return (a.detach().clone() if name in _IN_PLACE else a), b

    def keep(self, operands: tuple[Tensor, Tensor] | None, out: Any) -> None:
        """Keeps a product, as it may be summed next.

        Args:
            operands: of it; none: there is nothing to keep.
            out: what the call gave.
        """
        if operands is not None and isinstance(out, Tensor):
            tensors = (out, *operands)
            self._latest.append(_Product(tensors, tuple(map(version_of, tensors))))

    def summed(
        self, name: str, args: Sequence[Any], kwargs: dict[str, Any], out: Tensor
    ) -> tuple[Contraction, Tensor] | None:
        """A sum or mean of a product that was kept, as one contraction, and its result without the axes summed over.

        Args:
            name: of the function.
            args: of the call.
            kwargs: of the call.
            out: its result.

        Returns:
            None where it is something else, or a tensor was written into since the product was computed.
        """
        if name not in ("sum", "mean"):
            return None
        given = {**dict(zip(("input", "dim", "keepdim"), args, strict=False)), **kwargs}
        kept = next((each for each in self._latest if each.tensors[0] is given.get("input")), None)
        axes: Any = given.get("dim", given.get("axis"))
        if kept is None or not kept.is_as_it_was:
            return None
        product, a, b = kept.tensors
        form = summed_product(a, b, axes)
        if form is None:
            return None
        summed = [axes] if isinstance(axes, int) else list(axes)
        if name == "mean":
            form = replace(form, scale=1 / prod(product.shape[axis] for axis in summed))
        return form, out.squeeze(summed) if out.ndim == product.ndim else out


def version_of(tensor: Tensor) -> int:
    """How often a tensor was written into; one of inference mode does not count it."""
    return -1 if tensor.is_inference() else tensor._version
