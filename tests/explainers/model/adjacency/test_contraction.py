"""Every way to write a product is one sum over shared axes; what is none, or not over whole axes, is refused."""

import pytest
import torch
from torch.nn import functional as F

from stexplain.explainers.model.adjacency.contraction import attention_weights, contraction_of, summed_product


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape) + sum(shape)), dtype=torch.float64)


def computed(form):
    """What a contraction says, by `torch.einsum`."""
    numbers = {label: number for number, label in enumerate({label for one in form.labels for label in one})}
    parts = []
    for operand, labels in zip(form.operands, form.labels, strict=True):
        assert operand.ndim == len(labels)
        parts += [operand.to_dense(), [numbers[label] for label in labels]]
    return form.scale * torch.einsum(*parts, [numbers[label] for label in form.out])


def conv(x, weight, **options):
    return getattr(F, f"conv{x.ndim - 2}d")(x, weight, **options)


PRODUCTS = {
    "vector by vector": (torch.matmul, "matmul", (drawn(5), drawn(5)), {}),
    "matrix by vector": (torch.matmul, "matmul", (drawn(4, 5), drawn(5)), {}),
    "vector by matrix": (torch.matmul, "matmul", (drawn(5), drawn(5, 4)), {}),
    "vector by several": (torch.matmul, "matmul", (drawn(5), drawn(3, 2, 5, 4)), {}),
    "several by vector": (torch.matmul, "matmul", (drawn(3, 2, 4, 5), drawn(5)), {}),
    "one by several": (torch.matmul, "matmul", (drawn(4, 5), drawn(3, 2, 5, 6)), {}),
    "several by more": (torch.matmul, "matmul", (drawn(2, 4, 5), drawn(3, 2, 5, 6)), {}),
    "more by several": (torch.matmul, "matmul", (drawn(3, 2, 4, 5), drawn(2, 5, 6)), {}),
    "of size one": (torch.matmul, "matmul", (drawn(1, 2, 4, 5), drawn(3, 1, 5, 6)), {}),
    "expanded": (torch.matmul, "matmul", (drawn(4, 5).expand(3, 4, 5), drawn(3, 5, 6)), {}),
    "from the right": (lambda a, b: b @ a, "__rmatmul__", (drawn(5, 6), drawn(4, 5)), {}),
    "mv": (torch.mv, "mv", (drawn(4, 5), drawn(5)), {}),
    "addmm": (lambda c, a, b, **k: torch.addmm(c, a, b, **k) - c, "addmm", (drawn(4, 6), drawn(4, 5), drawn(5, 6)), {}),
    "addmm times 3": (
        lambda c, a, b, **k: torch.addmm(c, a, b, **k) - 2 * c, "addmm",
        (drawn(4, 6), drawn(4, 5), drawn(5, 6)), {"alpha": 3, "beta": 2},
    ),
    "baddbmm": (
        lambda c, a, b, **k: torch.baddbmm(c, a, b, **k) - c, "baddbmm",
        (drawn(3, 4, 6), drawn(3, 4, 5), drawn(3, 5, 6)), {"alpha": 0.5},
    ),
    "linear": (lambda x, w: F.linear(x, w), "linear", (drawn(2, 3, 5), drawn(4, 5)), {}),
    "linear of one": (lambda x, w: F.linear(x, w), "linear", (drawn(5), drawn(4, 5)), {}),
    "linear with bias": (lambda x, w, b: F.linear(x, w, b) - b, "linear", (drawn(3, 5), drawn(4, 5), drawn(4)), {}),
    "conv1d": (conv, "conv1d", (drawn(2, 5, 7), drawn(4, 5, 1)), {}),
    "conv2d": (conv, "conv2d", (drawn(2, 5, 7, 3), drawn(4, 5, 1, 1)), {"stride": (1, 1), "padding": (0, 0)}),
    "conv3d": (conv, "conv3d", (drawn(2, 5, 7, 3, 2), drawn(4, 5, 1, 1, 1)), {"padding": "valid"}),
    "conv that pads nothing": (conv, "conv2d", (drawn(2, 5, 7, 3), drawn(4, 5, 1, 1)), {"padding": "same"}),
    "conv of dilation": (conv, "conv2d", (drawn(2, 5, 7, 3), drawn(4, 5, 1, 1)), {"dilation": 3}),
    "tensordot": (torch.tensordot, "tensordot", (drawn(3, 4, 5), drawn(4, 5, 6)), {"dims": 2}),
    "tensordot by default": (torch.tensordot, "tensordot", (drawn(3, 4, 5), drawn(4, 5, 6)), {}),
    "tensordot of axes": (torch.tensordot, "tensordot", (drawn(3, 4, 5), drawn(5, 6, 4)), {"dims": ([1, 2], [2, 0])}),
    "tensordot from the end": (torch.tensordot, "tensordot", (drawn(3, 4, 5), drawn(6, 4)), {"dims": ([-2], [-1])}),
    "inner": (torch.inner, "inner", (drawn(3, 4, 5), drawn(6, 5)), {}),
    "inner of vectors": (torch.inner, "inner", (drawn(5), drawn(5)), {}),
    "vecdot": (torch.linalg.vecdot, "linalg_vecdot", (drawn(3, 4, 5), drawn(4, 5)), {}),
    "vecdot along another axis": (torch.linalg.vecdot, "linalg_vecdot", (drawn(3, 4, 5), drawn(4, 1)), {"dim": 1}),
    "multi_dot": (torch.linalg.multi_dot, "linalg_multi_dot", ([drawn(3, 4), drawn(4, 5), drawn(5, 6)],), {}),
    "multi_dot of two": (torch.linalg.multi_dot, "linalg_multi_dot", ([drawn(3, 4), drawn(4, 5)],), {}),
    "multi_dot from a vector": (torch.linalg.multi_dot, "linalg_multi_dot", ([drawn(4), drawn(4, 5)],), {}),
    "multi_dot to a vector": (torch.linalg.multi_dot, "linalg_multi_dot", ([drawn(3, 4), drawn(4, 5), drawn(5)],), {}),
    "einsum": (torch.einsum, "einsum", ("bij, bjk -> ki", drawn(3, 4, 5), drawn(3, 5, 6)), {}),
    "einsum of a list": (torch.einsum, "einsum", ("ij,jk->ik", [drawn(4, 5), drawn(5, 6)]), {}),
    "einsum, implicit": (torch.einsum, "einsum", ("ki,kj", drawn(4, 5), drawn(4, 6)), {}),
    "einsum, implicit with dots": (torch.einsum, "einsum", ("...ij,jk", drawn(2, 3, 4, 5), drawn(5, 6)), {}),
    "einsum with dots": (torch.einsum, "einsum", ("...ij,...jk->i...k", drawn(2, 3, 4, 5), drawn(3, 5, 6)), {}),
    "einsum with dots that are empty": (torch.einsum, "einsum", ("...ij,jk->...ik", drawn(4, 5), drawn(5, 6)), {}),
    "einsum of three": (torch.einsum, "einsum", ("ij,bjc,jk->bikc", drawn(4, 5), drawn(2, 5, 3), drawn(5, 6)), {}),
    "einsum of size one": (torch.einsum, "einsum", ("bij,bjk->bik", drawn(1, 4, 5), drawn(3, 5, 6)), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product(name):
    function, called, args, options = PRODUCTS[name]
    form = contraction_of(called, args, options)
    expected = function(*args, **options)
    found = computed(form)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-12)
    # What is the same at every index of a batch has no axis for it.
    pairs = [pair for one in zip(form.operands, form.labels, strict=True) for pair in _by_label(*one)]
    for label, size, step in pairs:
        longest = max(other for same, other, _ in pairs if same == label)
        assert size == longest
        assert longest == 1 or step


def _by_label(operand, labels):
    return list(zip(labels, operand.shape, operand.stride(), strict=True))


REFUSED = {
    "another function": ("softmax", (drawn(3, 4),), {}),
    "a kernel of two": ("conv2d", (drawn(2, 5, 7, 3), drawn(4, 5, 2, 1)), {}),
    "a stride": ("conv2d", (drawn(2, 5, 7, 3), drawn(4, 5, 1, 1)), {"stride": 2}),
    "a stride of one axis": ("conv2d", (drawn(2, 5, 7, 3), drawn(4, 5, 1, 1)), {"stride": (1, 2)}),
    "padding": ("conv2d", (drawn(2, 5, 7, 3), drawn(4, 5, 1, 1)), {"padding": 1}),
    "padding of one axis": ("conv2d", (drawn(2, 5, 7, 3), drawn(4, 5, 1, 1)), {"padding": (0, 1)}),
    "groups": ("conv2d", (drawn(2, 6, 7, 3), drawn(4, 3, 1, 1)), {"groups": 2}),
    "no batch": ("conv2d", (drawn(5, 7, 3), drawn(4, 5, 1, 1)), {}),
    "a weight of three axes": ("linear", (drawn(3, 5), drawn(2, 4, 5)), {}),
    "a diagonal": ("einsum", ("bii->bi", drawn(3, 5, 5)), {}),
    "numbers in place of letters": ("einsum", (drawn(3, 5), [0, 1]), {}),
    "letters that do not fit": ("einsum", ("ijk,kl->ijl", drawn(4, 5), drawn(5, 6)), {}),
    "too few letters": ("einsum", ("i,kl->il", drawn(4, 5), drawn(5, 6)), {}),
    "a number": ("inner", (drawn(), drawn(5)), {}),
    "by a number": ("inner", (drawn(5), drawn()), {}),
    "no tensor": ("matmul", (drawn(3, 4), None), {}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_product_over_whole_axes(name):
    called, args, options = REFUSED[name]
    assert contraction_of(called, args, options) is None


@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [
        ((5, 5, 1), (2, 1, 5, 3), 2),
        ((5, 5, 1), (2, 1, 5, 3), -2),
        ((4, 5), (4, 5), (0, 1)),
        ((4, 5), (4, 5), [1]),
        ((3, 1, 5), (4, 1), (0, 2)),
    ],
)
def test_a_sum_of_a_product_entry_by_entry(a, b, axes):
    a, b = drawn(*a), drawn(*b)
    assert torch.allclose(computed(summed_product(a, b, axes)), (a * b).sum(axes), atol=1e-12)


def test_a_sum_over_all_axes_is_none_whose_axes_are_known():
    assert summed_product(drawn(4, 5), drawn(4, 5), None) is None


ATTENTION = {
    "plain": {},
    "causal": {"is_causal": True},
    "a scale": {"scale": 0.7},
    "a mask that adds": {"attn_mask": drawn(4, 6)},
    "a mask that leaves out": {"attn_mask": torch.eye(4, 6, dtype=torch.bool).logical_not()},
    "a mask by sample": {"attn_mask": drawn(2, 1, 4, 6)},
    "no dropout": {"dropout_p": 0.0},
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(name):
    query, key, value = drawn(2, 3, 4, 5), drawn(2, 3, 6, 5), drawn(2, 3, 6, 7)
    weights, values = attention_weights(query, key, value, **ATTENTION[name])
    expected = F.scaled_dot_product_attention(query, key, value, **ATTENTION[name])
    assert torch.allclose(weights @ values, expected, atol=1e-12)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3, 4, dtype=torch.float64))


def test_attention_of_two_axes_and_of_heads_that_share_keys():
    query, key, value = drawn(4, 5), drawn(6, 5), drawn(6, 7)
    weights, values = attention_weights(query, key, value)
    assert torch.allclose(weights @ values, F.scaled_dot_product_attention(query, key, value), atol=1e-12)
    query, key, value = drawn(2, 6, 4, 5), drawn(2, 3, 6, 5), drawn(2, 3, 6, 7)
    weights, values = attention_weights(query, key, value, enable_gqa=True)
    expected = F.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    assert torch.allclose(weights @ values, expected, atol=1e-12)
