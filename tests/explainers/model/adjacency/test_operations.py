"""Every form of a product as labels, against the product itself; every way to gather and to scatter."""

import pytest
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.model.adjacency.contraction import contraction_of
from stexplain.explainers.model.adjacency.table import adjacencies
from tests.explainers.model.adjacency.mixing_models import FRAMES, NODES, Mixes, road


class Forms(TorchFunctionMode):
    """Keeps the contraction of every call that is one, with its result."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        form = contraction_of(getattr(func, "__name__", ""), args, kwargs or {})
        if form is not None:
            self.found.append((form, out))
        return out


PRODUCTS = {
    "matrices": lambda a, b, x: a[0] @ b[0],
    "broadcast from the left": lambda a, b, x: a[0] @ x,
    "broadcast from the right": lambda a, b, x: x @ b[0],
    "an axis of one": lambda a, b, x: a[:1] @ x,
    "batched": lambda a, b, x: torch.bmm(a, b),
    "by a vector": lambda a, b, x: a @ b[0, 0],
    "vectors": lambda a, b, x: a[0, 0] @ b[0, 0],
    "linear": lambda a, b, x: F.linear(x, a[0]),
    "convolution": lambda a, b, x: F.conv2d(x, a[0, :4, :2, None, None]),
    "einsum": lambda a, b, x: torch.einsum("bij, bcjk -> bcik", a[:3], x.transpose(0, 1)[:, :3].transpose(0, 1)),
    "einsum, implicit": lambda a, b, x: torch.einsum("ij,jk", a[0], b[0]),
    "einsum with dots": lambda a, b, x: torch.einsum("ij,...jk->...ik", a[0], x),
    "einsum of three": lambda a, b, x: torch.einsum("ij,xyjk,kl->xyil", a[0], x, b[0]),
    "tensordot": lambda a, b, x: torch.tensordot(a[0], x, dims=([1], [2])),
    "tensordot by number": lambda a, b, x: torch.tensordot(x, b[0], 1),
    "sparse": lambda a, b, x: torch.sparse.mm(a[0].to_sparse(), b[0]),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_labels_give_the_product(name):
    torch.manual_seed(0)
    a, b, x = (torch.randn(shape).double() for shape in ((3, 5, 5), (3, 5, 5), (4, 2, 5, 5)))
    with Forms() as forms:
        PRODUCTS[name](a, b, x)
    ((form, out),) = forms.found
    numbers = {label: number for number, label in enumerate({label for one in form.labels for label in one})}
    operands = [
        part
        for one, of in zip(form.operands, form.labels, strict=True)
        for part in (one.to_dense(), [numbers[label] for label in of])
    ]
    torch.testing.assert_close(torch.einsum(*operands, [numbers[label] for label in form.out]), out)


def test_a_factor_counts_and_a_sum_that_is_added_does_not():
    torch.manual_seed(0)
    a, b, c = torch.randn(3, 5, 5).double()
    with Forms() as forms:
        torch.addmm(c, a, b, alpha=3)
    ((form, _),) = forms.found
    assert form.scale == 3
    torch.testing.assert_close(form.operands[0] @ form.operands[1], a @ b)


@pytest.mark.parametrize(
    "call", [lambda x: F.conv2d(x, torch.ones(2, 2, 3, 1)), lambda x: torch.einsum("bcii->bci", x)]
)
def test_what_is_no_product_over_whole_axes_is_none(call):
    with Forms() as forms:
        call(torch.ones(4, 2, 5, 5))
    assert forms.found == []


SOURCE, TARGET = road().nonzero().T
WEIGHT = road()[SOURCE, TARGET][:, None]


def _wide(index: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return index.reshape(1, 1, -1, 1).expand(*x.shape[:2], len(index), x.shape[3])


GATHERS = {
    "index_select": lambda x: x.index_select(2, SOURCE),
    "slices": lambda x: x[:, :, SOURCE],
    "dots": lambda x: x[..., SOURCE, :],
    "list": lambda x: x[:, :, SOURCE.tolist()],
    "gather": lambda x: torch.gather(x, 2, _wide(SOURCE, x)),
    "take_along_dim": lambda x: torch.take_along_dim(x, _wide(SOURCE, x), 2),
}
SCATTERS = {
    "index_add": lambda x, m: torch.zeros_like(x).index_add(2, TARGET, m),
    "index_add by name": lambda x, m: torch.index_add(torch.zeros_like(x), dim=2, index=TARGET, source=m),
    "scatter_add": lambda x, m: torch.zeros_like(x).scatter_add_(2, _wide(TARGET, x), m),
    "scatter_reduce": lambda x, m: torch.zeros_like(x).scatter_reduce(2, _wide(TARGET, x), m, "sum"),
    "index_put": lambda x, m: (
        torch.zeros_like(x).transpose(0, 2).index_put((TARGET,), m.transpose(0, 2), accumulate=True).transpose(0, 2)
    ),
}


@pytest.mark.parametrize(
    ("gather", "scatter"),
    [*((name, "index_add") for name in GATHERS), *(("index_select", name) for name in SCATTERS)],
)
def test_gathers_and_scatters(gather, scatter):
    class Passes(Mixes):
        def mix(self, x):
            return SCATTERS[scatter](x, GATHERS[gather](x) * WEIGHT.to(x))

    torch.manual_seed(0)
    model, x = Passes().double().eval(), torch.randn(2, FRAMES, NODES, 2).double()
    e = EdgeImportance(model, inputs="b t n c")(x, target=lambda scores: scores)
    expected = torch.einsum("uv,btuc,tvc->buv", road().double(), model.before(x).detach(), model.weight)
    for sample in (0, 1):
        for row in e.edges(sample).itertuples():
            assert row.value == pytest.approx(
                float(expected[sample, int(row.source), int(row.target)]), rel=1e-5, abs=1e-6
            )
    assert len(e.source) == len(SOURCE)


def test_the_largest_of_messages_is_listed_with_the_reason():
    class Largest(Mixes):
        def mix(self, x):
            return torch.zeros_like(x).scatter_reduce(2, _wide(TARGET, x), x.index_select(2, SOURCE), "amax")

    torch.manual_seed(0)
    table = adjacencies(Largest().eval(), torch.randn(2, FRAMES, NODES, 2), inputs="b t n c")
    assert table["why"].tolist() == ["the amax of messages is no sum of them"]
