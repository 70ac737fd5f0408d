"""Edge maps of graph convolutions as people write them, against an edge that is taken out by hand, and autograd."""

import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from tests.explainers.graph_convolutions.cases import CASES, REFUSED
from tests.explainers.graph_convolutions.written import FRAMES, C, Case, N, Net, numbers

# torch says so itself of every tensor of compressed rows.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")


def signals(inputs: str) -> torch.Tensor:
    sizes = {"b": 2, "t": FRAMES, "n": N, "c": C}
    return numbers(*(sizes[axis] for axis in inputs.split()), seed=1)


def by_hand(net: Net, x: torch.Tensor) -> np.ndarray:
    """What the score loses without each entry, or where it is not linear in it gradient x entry; ``[B, k, s, t]``."""
    case, axes = net.case, net.case.ends.split()
    with torch.no_grad():
        weights = case.weights(net, x).clone()
    if case.linear:
        whole, places = net.read(case.mix(net, x, weights)), weights.nonzero().tolist()
        lost = torch.zeros(len(whole), *weights.shape, dtype=torch.float64)
        for place in places:
            without = weights.clone()
            without[tuple(place)] = 0
            lost[(slice(None), *place)] = (whole - net.read(case.mix(net, x, without))).detach()
    else:
        leaf = weights.requires_grad_()
        scores = net.read(case.mix(net, x, leaf))
        lost = torch.stack([torch.autograd.grad(each, leaf, retain_graph=True)[0] for each in scores]) * leaf.detach()
    kept = "kst" if "k" in axes else "st"
    result = np.einsum(f"B{''.join(axes)}->B{kept}", lost.detach().numpy())
    return result if "k" in axes else result[:, None]


def explained(net: Net, x: torch.Tensor) -> np.ndarray:
    """The same of the map: a block's relation after another's, in the order of the table."""
    e = EdgeImportance(net, inputs=net.case.inputs)(x, target=lambda scores: scores, **net.case.arguments)
    assert e.notes == ()
    kinds = list(dict.fromkeys(zip(e.block, e.relation, strict=True)))
    kinds = [kind for kind in kinds if net.case.only in (None, kind[0])]
    result = np.zeros((len(e), len(kinds), N, N))
    for number, (block, relation) in enumerate(zip(e.block, e.relation, strict=True)):
        if (block, relation) in kinds:
            place = kinds.index((block, relation)), int(e.source[number]), int(e.target[number])
            result[(slice(None), *place)] += e.values[:, number]
    return result


@pytest.mark.parametrize("name", CASES)
def test_an_edge_counts_as_what_the_score_loses_without_it(name):
    torch.manual_seed(0)
    net = Net(CASES[name]).eval()
    x = signals(net.case.inputs)
    found, expected = explained(net, x), by_hand(net, x)
    if net.case.summed:
        found, expected = found.sum(1, keepdims=True), expected.sum(1, keepdims=True)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_followed_is_refused_with_its_place(name):
    run, why = REFUSED[name]
    net = Net(Case(run, held={}, run=run)).eval()
    with pytest.raises(InputError, match=f"no operation of Net was found that mixes nodes.*{why}.*Give `of`"):
        EdgeImportance(net, inputs="b t n c")(signals("b t n c"), target=lambda scores: scores)
