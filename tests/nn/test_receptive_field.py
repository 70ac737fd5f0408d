"""A forecaster on the receptive field of some nodes forecasts for them what the whole does."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.scaler import Scaler
from stexplain.errors import InputError
from stexplain.explainers.methods.graph_ablated import graph_removed
from stexplain.graph import Relations, STGraph
from stexplain.nn.graph_convolution import RelationConvolution
from stexplain.nn.receptive_field import receptive_field
from stexplain.nn.traffic import STGCNForecaster

BLOCKS = ((8, 4, 8), (8, 4, 8))


def sparse(nodes=60, edges=70, directed=True, seed=0):
    """A random graph, with nodes that have no edge."""
    rng = np.random.default_rng(seed)
    pairs = {tuple(sorted(pair)) if not directed else tuple(pair) for pair in rng.integers(nodes - 3, size=(edges, 2))}
    listed = sorted((int(i), int(j)) for i, j in pairs if i != j)
    weight = rng.random(len(listed)) + 0.1
    with pytest.warns(UserWarning, match="without an edge"):
        return STGraph([f"s{index}" for index in range(nodes)], listed, weight, directed=directed)


def forecaster(graph, **options):
    torch.manual_seed(0)
    return STGCNForecaster(graph, blocks=BLOCKS, scaler=Scaler([55.0], [12.0]), **options).double().eval()


def one_way(graph):
    """Messages along the edges as they point, and a loop at every second node alone."""
    source, target = graph.edges.T
    loops = np.arange(0, len(graph), 2)
    first = (source, target, graph.weight)
    return Relations(("along", "own"), (first[0], loops), (first[1], loops), (first[2], np.ones(len(loops))))


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"order": 1}, {"order": 4}, {"relations": "uniform"}, {"relations": "random_walk"}, {"relations": one_way}],
)
@pytest.mark.parametrize("nodes", [[7], [59], [3, 40, 3]])
def test_it_forecasts_what_the_whole_does_and_reads_no_other_node(directed, options, nodes):
    graph = sparse(directed=directed)
    options = {name: value(graph) if callable(value) else value for name, value in options.items()}
    model = forecaster(graph, **options)
    part = model.restricted_to(nodes)
    x = 55 + 12 * torch.randn(2, 1, 12, 60, 1, dtype=torch.float64)
    observed = torch.rand(2, 1, 12, 60) > 0.2
    valid = torch.ones(2, 1, 12, dtype=torch.bool)
    valid[1, 0, :3] = False
    whole, restricted = model(x, valid, observed), part(x, valid, observed)
    torch.testing.assert_close(restricted[..., nodes], whole[..., nodes], rtol=1e-12, atol=1e-10)
    assert not restricted[..., sorted(set(range(60)) - set(nodes))].any()
    # Exactly the nodes with a gradient are in the field, or fewer: two terms may cancel, none may be missing.
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[..., nodes].sum(), leaf)
    reached = set(gradient.abs().sum((0, 1, 2, 4)).nonzero()[:, 0].tolist())
    assert reached <= set(part.field.tolist())
    # What lies outside may be anything.
    outside = torch.ones(60, dtype=torch.bool)
    outside[part.field] = False
    changed = torch.where(outside[:, None], 1e6 * torch.rand_like(x), x)
    torch.testing.assert_close(model(changed, valid, observed)[..., nodes], whole[..., nodes], rtol=1e-9, atol=1e-9)


def test_the_field_is_what_the_hops_reach():
    path = STGraph.from_edges(map(str, range(30)), [(str(i), str(i + 1)) for i in range(29)])
    for order, reach in ((1, 0), (2, 2), (3, 4)):
        field = forecaster(path, order=order).restricted_to([10, 29]).field.tolist()
        assert field == [node for node in range(30) if abs(node - 10) <= reach or abs(node - 29) <= reach]
    assert forecaster(path, relations="uniform").restricted_to([0]).field.tolist() == [0, 1, 2]


def test_directions_are_kept():
    path = STGraph.from_edges(map(str, range(9)), [(str(i), str(i + 1)) for i in range(8)], directed=True)
    along = Relations(("along",), (path.edges[:, 0],), (path.edges[:, 1],), (path.weight,))
    # Nodes 3 and 4 send to 5 by one and two edges; nobody hears those behind.
    assert forecaster(path, relations=along).restricted_to([5]).field.tolist() == [3, 4, 5]


def test_a_mask_channel_and_float32_are_the_same():
    model = forecaster(sparse(), mask_channel=True).float()
    part = model.restricted_to([12])
    x, observed = 55 + 12 * torch.randn(3, 1, 12, 60, 1), torch.rand(3, 1, 12, 60) > 0.5
    torch.testing.assert_close(
        part(x, None, observed)[..., 12], model(x, None, observed)[..., 12], rtol=1e-6, atol=1e-5
    )


def test_weights_are_shared_and_the_model_is_as_before():
    model = forecaster(sparse())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    topologies = [block.spatial.topology for block in model.blocks]
    adjacency = [block.spatial.adjacency for block in model.blocks]
    generator = torch.get_rng_state()
    part = model.restricted_to([7])
    assert torch.equal(torch.get_rng_state(), generator)
    assert [id(one) for one in part.part.parameters()] == [id(one) for one in model.parameters()]
    assert [block.spatial.topology for block in model.blocks] == topologies
    assert all(one is block.spatial.adjacency for one, block in zip(adjacency, model.blocks, strict=True))
    assert len(model.graph) == 60
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_graph_that_was_removed_stays_removed():
    model = forecaster(sparse())
    x = 55 + 12 * torch.randn(1, 1, 12, 60, 1, dtype=torch.float64)
    with graph_removed(model):
        assert torch.equal(model.restricted_to([7])(x)[..., 7], model(x)[..., 7])


def test_another_number_of_nodes_is_refused():
    with pytest.raises(InputError, match="60"):
        forecaster(sparse()).restricted_to([7])(torch.zeros(1, 1, 12, 61, 1, dtype=torch.float64))


class _Derived(STGCNForecaster):
    pass


def test_what_may_look_at_other_nodes_is_not_restricted():
    assert forecaster(sparse()).train().restricted_to([7]) is None
    torch.manual_seed(0)
    assert _Derived(sparse(), blocks=BLOCKS).eval().restricted_to([7]) is None
    for put_in in (nn.Sequential(nn.Linear(8, 8)), nn.BatchNorm1d(60)):
        model = forecaster(sparse())
        model.last_norm = put_in.double().eval()
        assert model.restricted_to([7]) is None
    model = forecaster(sparse())
    handle = model.blocks[1].register_forward_hook(lambda module, inputs, output: output - output.mean(0))
    assert model.restricted_to([7]) is None
    handle.remove()
    assert model.restricted_to([7]) is not None
    torch.nn.utils.parametrizations.weight_norm(model.head)
    assert model.restricted_to([7]) is None
    model = forecaster(sparse())
    model.blocks[0].forward = lambda x: x
    assert model.restricted_to([7]) is None


@pytest.mark.parametrize("node", [-1, 4])
def test_a_node_that_is_not_there_is_refused(node):
    layer = RelationConvolution(Relations.from_matrices([np.eye(4)]), 4, 1, 1)
    with pytest.raises(InputError, match=f"nodes: got {node}; expected indices from 0 to 3"):
        receptive_field([layer], [0, node])


def test_no_convolution_is_refused():
    with pytest.raises(InputError, match="convolutions: got none"):
        receptive_field([], [0])
