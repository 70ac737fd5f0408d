"""Products entry by entry whose sums are followed: every way to write them, and what is written over in between."""

import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.model.adjacency.products import Products
from tests.explainers.model.adjacency.mixing_models import FRAMES, NODES, Mixes, road

ROAD = road().double()[:, :, None]


def sent(x):
    """x ``[B, T, N, C]`` with an axis of targets, ``[B, T, N, 1, C]``."""
    return x[:, :, :, None]


def roads(x):
    """The road for each sample, frame and channel, ``[B, T, N, N, C]``: a tensor of its own."""
    return ROAD.expand(*x.shape[:2], -1, -1, x.shape[3]).clone()


def by_operator(x):
    product = roads(x)
    product *= sent(x)
    return product.sum(2)


WAYS = {
    "plain": lambda x: (sent(x) * ROAD).sum(2),
    "from the right": lambda x: (ROAD * sent(x)).sum(dim=-3),
    "by the names of arguments": lambda x: torch.sum(input=torch.mul(input=sent(x), other=ROAD), dim=2),
    "by the name of one": lambda x: torch.multiply(sent(x), other=ROAD).sum(axis=(2,)),
    "keeps the axis": lambda x: (sent(x) * ROAD).sum(2, keepdim=True)[:, :, 0],
    "keeps the axis, by place": lambda x: torch.sum(sent(x) * ROAD, 2, True).squeeze(2),
    "keeps the axis, as numpy has it": lambda x: (sent(x) * ROAD).sum(axis=2, keepdims=True)[:, :, 0],
    "keeps no axis, by place": lambda x: (sent(x) * ROAD).sum([2], False),
    "in another type": lambda x: (sent(x) * ROAD).sum(2, dtype=torch.float64),
    "mean": lambda x: (sent(x) * ROAD).mean(2) * NODES,
    "mean that keeps the axis": lambda x: (sent(x) * ROAD).mean(-3, True)[:, :, 0] * NODES,
    "in place": lambda x: roads(x).mul_(sent(x)).sum(2),
    "in place by another name": lambda x: roads(x).multiply_(sent(x)).sum(2),
    "in place by an operator": by_operator,
    "inner": lambda x: torch.inner(x.transpose(2, 3), ROAD[..., 0].T).transpose(2, 3),
    "vecdot": lambda x: torch.linalg.vecdot(sent(x), ROAD, dim=2),
}


def edges(mix):
    """Importance by source and target, ``[B, N, N]``, and what it should be of the model that mixes by the road."""

    class Model(Mixes):
        def mix(self, x):
            return mix(x)

    torch.manual_seed(0)
    model, x = Model().double().eval(), torch.randn(2, FRAMES, NODES, 2).double()
    e = EdgeImportance(model, inputs="b t n c")(x, target=lambda scores: scores)
    found = torch.zeros(2, NODES, NODES).double()
    for sample in range(2):
        for row in e.edges(sample).itertuples():
            found[sample, int(row.source), int(row.target)] += row.value
    return found, torch.einsum("uv,btuc,tvc->buv", ROAD[..., 0], model.before(x).detach(), model.weight)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_has_the_edges_of_the_road(way):
    found, expected = edges(WAYS[way])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def overwritten(x):
    product = sent(x) * ROAD
    product.mul_(2)
    return product.sum(2)


def operand_overwritten(x):
    weights = roads(x)
    product = sent(x) * weights
    weights.zero_()
    return product.sum(2)


@pytest.mark.parametrize("mix", [overwritten, operand_overwritten])
def test_what_was_written_over_in_between_is_not_taken_for_the_product(mix):
    """Twice as much goes over each edge as its weight says, or nothing is left of the weights."""
    with pytest.raises(InputError, match="no operation of Model was found that mixes nodes"):
        edges(mix)


A, B = torch.rand(4, 5), torch.rand(4, 1)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("add", (A, B), {}),
        ("mul", (A, 2.0), {}),
        ("mul", (2.0, A), {}),
        ("mul", (A,), {}),
        ("mul", (A[0], A), {}),
        ("mul", (A, A[0]), {}),
        ("mul", (A.to_sparse(), A), {}),
    ],
)
def test_what_is_no_product_of_two_tensors_of_several_axes(name, args, kwargs):
    assert Products().operands(name, args, kwargs) is None


def kept(count):
    """The latest products, and all that were given."""
    latest, products = Products(), []
    for _ in range(count):
        products.append(A * B)
        latest.keep((A, B), products[-1])
    return latest, products


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [("prod", (1,), {}), ("sum", (), {}), ("sum", (None,), {}), ("mean", (), {}), ("mean", (), {"dim": None})],
)
def test_what_is_no_sum_over_axes(name, args, kwargs):
    latest, (product,) = kept(1)
    assert latest.summed(name, (product, *args), kwargs, product.sum()) is None
    assert latest.summed("sum", (product, 1), {}, product.sum(1)) is not None


def test_the_latest_four_are_known():
    latest, products = kept(5)
    found = [latest.summed("sum", (each, 0), {}, each.sum(0)) is not None for each in products]
    assert found == [False, True, True, True, True]


def test_the_operands_are_those_before_a_product_in_place():
    latest, a = Products(), A.clone()
    factors = latest.operands("mul_", (a, B), {})
    latest.keep(factors, a.mul_(B))
    form, out = latest.summed("sum", (a, 1), {}, a.sum(1))
    assert torch.equal(form.operands[0], A)
    assert torch.equal(out, a.sum(1))


def test_tensors_of_inference_mode_are_known_too():
    """They do not count how often they are written into."""
    with torch.inference_mode():
        latest, (product,) = kept(1)
        assert latest.summed("sum", (product, 1), {}, product.sum(1)) is not None
