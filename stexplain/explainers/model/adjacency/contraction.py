"""Products of tensors as one form: which axes of the operands are multiplied, summed over and kept.

`A @ x`, `torch.einsum`, `F.linear`, a 1x1 convolution, `torch.sparse.mm` and their kin are all sums of products over
shared axes, an Einstein summation. In that form an adjacency is an operand that swaps one axis for another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

Labels = tuple[int, ...]


@dataclass(frozen=True)
class Contraction:
    """A product: out[out labels] = scale x sum over all other labels of the product of the operands.

    Attributes:
        operands: the tensors; without their axes of size one that are only broadcast.
        labels: of each operand, a number per axis; axes with one number are one index.
        out: of the result.
        scale: a factor.
    """

    operands: tuple[Tensor, ...]
    labels: tuple[Labels, ...]
    out: Labels
    scale: float = 1.0

    @property
    def held(self) -> tuple[Tensor, ...]:
        """The tensors whose values are needed later."""
        return self.operands

    def copied(self) -> "Contraction":
        """The same of copies, which the model does not write over."""
        return replace(self, operands=tuple(each.detach().clone() for each in self.operands))


# Numbers of labels: what is summed over, the rows, the columns, then the axes of a batch from the right.
_SUMMED, _ROW, _COLUMN, _BATCH = 0, 1, 2, 3


def contraction_of(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Contraction | None:
    """A call of a torch function as a contraction; none where it is no product, or of a form that is not known.

    Args:
        name: of the function, such as ``"matmul"``.
        args: of the call.
        kwargs: of the call.

    Example:
        >>> product = contraction_of("matmul", (torch.zeros(5, 5), torch.zeros(2, 5, 3)), {})
        >>> product.labels, product.out
        (((1, 0), (3, 0, 2)), (3, 1, 2))
    """
    if name not in _FORMS:
        return None
    try:
        return _FORMS[name](*args, **kwargs)
    except (TypeError, ValueError, IndexError, AttributeError):
        # Arguments of a form that this version does not know: the model itself runs the call, or raises.
        return None


def _matmul(a: Tensor, b: Tensor, *_: Any, scale: float = 1.0, **__: Any) -> Contraction | None:
    batch = max(a.ndim, b.ndim, 2) - 2
    outer = tuple(_BATCH + place for place in reversed(range(batch)))
    rows, columns = (_ROW,) * (a.ndim > 1), (_COLUMN,) * (b.ndim > 1)
    left = (*outer[len(outer) - max(a.ndim - 2, 0) :], *rows, _SUMMED)
    right = (*outer[len(outer) - max(b.ndim - 2, 0) :], _SUMMED, *columns)
    return _checked((a, b), (left, right), (*outer, *rows, *columns), scale)


def _reversed_matmul(a: Tensor, b: Tensor) -> Contraction | None:
    return _matmul(b, a)


def _added(_: Tensor, a: Tensor, b: Tensor, *, alpha: float = 1.0, **__: Any) -> Contraction | None:
    return _matmul(a, b, scale=alpha)


def _linear(x: Tensor, weight: Tensor, bias: Any = None) -> Contraction | None:
    if weight.ndim != 2:
        return None
    outer = tuple(_BATCH + place for place in range(x.ndim - 1))
    return _checked((x, weight), ((*outer, _SUMMED), (_ROW, _SUMMED)), (*outer, _ROW))


def _pointwise_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Contraction | None:
    # A kernel of one position mixes channels only, and nodes where a model has them in the place of channels.
    strides, paddings = (each if isinstance(each, list | tuple) else (each,) for each in (stride, padding))
    # Words are "valid" and "same", which is the same for such a kernel.
    plain = all(value == 1 for value in strides) and all(not value or isinstance(value, str) for value in paddings)
    if groups != 1 or not plain or weight[0, 0].numel() != 1 or x.ndim != weight.ndim:
        return None
    inner = tuple(_BATCH + 1 + place for place in range(x.ndim - 2))
    return _checked((x, weight.flatten(1)), ((_BATCH, _SUMMED, *inner), (_ROW, _SUMMED)), (_BATCH, _ROW, *inner))


def _tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Any = None) -> Contraction | None:
    if isinstance(dims, int):
        left, right = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        left, right = (list(each) if isinstance(each, Sequence) else [each] for each in dims)
    left, right = [axis % a.ndim for axis in left], [axis % b.ndim for axis in right]
    labels_a, labels_b = list(range(a.ndim)), list(range(a.ndim, a.ndim + b.ndim))
    for axis, other in zip(left, right, strict=True):
        labels_b[other] = labels_a[axis]
    kept = [axis for axis in labels_a if axis not in labels_b] + [axis for axis in labels_b if axis >= a.ndim]
    return _checked((a, b), (tuple(labels_a), tuple(labels_b)), tuple(kept))


def _inner(a: Tensor, b: Tensor) -> Contraction | None:
    return _tensordot(a, b, ([-1], [-1])) if a.ndim and b.ndim else None


def _vecdot(a: Tensor, b: Tensor, *, dim: int = -1, **__: Any) -> Contraction | None:
    return summed_product(a, b, dim)


def _chain(given: Sequence[Tensor], **__: Any) -> Contraction | None:
    # Neighbours share an axis; the first and the last may be vectors.
    count = len(given)
    labels: list[Labels] = [(place, place + 1) for place in range(count)]
    labels[0], labels[-1] = labels[0][-given[0].ndim :], labels[-1][: given[-1].ndim]
    out = (*(0,) * (given[0].ndim > 1), *(count,) * (given[-1].ndim > 1))
    return _checked(tuple(given), tuple(labels), out)


def _einsum(equation: Any, *given: Any) -> Contraction | None:
    operands = tuple(given[0]) if len(given) == 1 and isinstance(given[0], list | tuple) else given
    if not isinstance(equation, str) or not all(isinstance(each, Tensor) for each in operands):
        return None
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    # Letters are numbered by their code; the axes of an ellipsis from the right, below zero.
    labels = [_expanded(term, operand.ndim) for term, operand in zip(terms, operands, strict=True)]
    hidden = max((sum(label < 0 for label in each) for each in labels), default=0)
    if not arrow:
        counted = "".join(terms).replace(".", "")
        output = "..." * (hidden > 0) + "".join(sorted(each for each in set(counted) if counted.count(each) == 1))
    out = _expanded(output, len(output.replace("...", "")) + (hidden if "..." in output else 0))
    return _checked(operands, tuple(labels), out)


def _expanded(term: str, ndim: int) -> Labels:
    before, dots, after = term.partition("...")
    count = ndim - len(before) - len(after)
    if count < 0 or (count and not dots):
        raise ValueError(term)
    return (*map(ord, before), *range(-count, 0), *map(ord, after))


def _checked(
    operands: tuple[Tensor, ...], labels: tuple[Labels, ...], out: Labels, scale: float = 1.0
) -> Contraction | None:
    """The contraction; none with an axis twice in one operand. Axes that are only broadcast are taken away."""
    sizes: dict[int, int] = {}
    for operand, own in zip(operands, labels, strict=True):
        if len(own) != operand.ndim or len(set(own)) != len(own):
            return None
        for label, size in zip(own, operand.shape, strict=True):
            sizes[label] = max(sizes.get(label, 1), size)
    kept_operands, kept_labels = [], []
    for operand, own in zip(operands, labels, strict=True):
        # Of size one, or expanded: the same at every index.
        broadcast = [
            axis
            for axis, label in enumerate(own)
            if sizes[label] > 1 and (operand.shape[axis] == 1 or _expanded_along(operand, axis))
        ]
        for axis in reversed(broadcast):
            operand = operand.select(axis, 0)
        kept_operands.append(operand)
        kept_labels.append(tuple(label for axis, label in enumerate(own) if axis not in broadcast))
    return Contraction(tuple(kept_operands), tuple(kept_labels), out, scale)


def _expanded_along(operand: Tensor, axis: int) -> bool:
    return operand.layout == torch.strided and operand.stride(axis) == 0


def summed_product(a: Tensor, b: Tensor, axes: Any) -> Contraction | None:
    """The sum of a product entry by entry, with broadcasting, over some axes.

    Example:
        >>> road, x = torch.zeros(5, 5, 1), torch.zeros(2, 1, 5, 3)
        >>> form = summed_product(road, x, 2)
        >>> form.labels, form.out
        (((2, 1), (3, 1, 0)), (3, 2, 0))
    """
    ndim = max(a.ndim, b.ndim)
    if not isinstance(axes, int | Sequence):
        return None
    summed = {ndim - 1 - axis % ndim for axis in ([axes] if isinstance(axes, int) else axes)}
    labels = tuple(tuple(reversed(range(each.ndim))) for each in (a, b))
    return _checked((a, b), labels, tuple(label for label in reversed(range(ndim)) if label not in summed))


_FORMS: dict[str, Callable[..., Contraction | None]] = {
    **dict.fromkeys(("matmul", "__matmul__", "mm", "bmm", "mv", "_sparse_mm", "spmm", "smm", "linalg_matmul"), _matmul),
    "__rmatmul__": _reversed_matmul,
    **dict.fromkeys(("addmm", "baddbmm", "addmv", "_sparse_addmm", "sspaddmm"), _added),
    "linear": _linear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _pointwise_convolution),
    "einsum": _einsum,
    "tensordot": _tensordot,
    "inner": _inner,
    "linalg_vecdot": _vecdot,
    "linalg_multi_dot": _chain,
}


def attention_weights(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor]:
    """The weights and the values whose product is `F.scaled_dot_product_attention`, without dropout.

    Example:
        >>> q, k, v = torch.randn(3, 2, 5, 4).unbind()
        >>> weights, values = attention_weights(q, k, v, is_causal=True)
        >>> expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        >>> torch.testing.assert_close(weights @ values, expected)
    """
    if enable_gqa:
        key, value = (each.repeat_interleave(query.shape[-3] // each.shape[-3], -3) for each in (key, value))
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return scores.softmax(-1), value
