import copy
import pickle

import numpy as np
import pytest
import torch

from stexplain.data.scaler import Scaler
from stexplain.errors import InputError
from stexplain.graph import Relations, STGraph
from stexplain.nn.traffic import STGCNForecaster, without_message_passing
from tests.reference.graphs import chebyshev_relations, dense_adjacency
from tests.reference.networks import dense_forecast

NODES = 7
SMALL = {"blocks": ((5, 3, 6), (4, 4, 5)), "window": 12, "horizon": 4}


def roads(directed=False):
    random = np.random.default_rng(0)
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 4)]
    names, weight = [f"s{index}" for index in range(NODES)], random.uniform(0.2, 1, len(edges))
    with pytest.warns(UserWarning, match=r"one node without an edge \('s6'\)"):
        return STGraph(names, edges, weight, directed=directed)


def small(graph=None, seed=0, channels=1, **changes):
    torch.manual_seed(seed)
    options = {"scaler": Scaler([55.0, 0.4, 3.0][:channels], [11.0, 0.3, 2.0][:channels]), **changes}
    model = STGCNForecaster(graph or roads(), **{**SMALL, "channels_in": channels, **options}).double().eval()
    if options["scaler"] is not None:
        model.set_scaler(options["scaler"])  # once more, in double precision
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.add_(torch.randn_like(parameter) / 4)
    return model


def windows(samples=3, channels=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = 55 + 11 * torch.randn(samples, 1, 12, NODES, channels, generator=generator, dtype=torch.float64)
    observed = torch.rand(samples, 1, 12, NODES, generator=generator) > 0.2
    return x * observed[..., None], observed


def matrices_of(model):
    """The terms of the graph convolution, from the spectrum for the polynomials."""
    if model.hyperparameters["relations"] == "chebyshev":
        graph = model.graph.undirected() if model.graph.directed else model.graph
        adjacency = dense_adjacency(NODES, graph.edges, graph.weight, False)
        return torch.from_numpy(np.stack(chebyshev_relations(adjacency, model.hyperparameters["order"])))
    return torch.from_numpy(model.relations.matrices(NODES))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"order": 1},
        {"order": 2},
        {"order": 5},
        {"relations": "uniform"},
        {"relations": "random_walk", "channels": 3},
        {"mask_channel": True, "channels": 3},
        {"blocks": ((4, 8, 4),), "temporal_kernel": 5},
        {"graph": roads(directed=True)},
        {"graph": roads(directed=True), "relations": "random_walk"},
    ],
)
def test_equals_the_dense_network_with_all_gradients(changes):
    model = small(**changes)
    x, observed = windows(channels=model.channels_in)
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    for name, _ in model.named_parameters():
        state[name].requires_grad_()
    ours = model(ours_x, observed=observed)
    theirs = dense_forecast(state, matrices_of(model), theirs_x[:, 0], observed[:, 0], len(model.blocks))
    assert ours.shape == (3, 4, NODES)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    upstream = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (ours * upstream).sum().backward()
    (theirs * upstream).sum().backward()
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, rtol=1e-10, atol=1e-10)
    for name, parameter in model.named_parameters():
        assert float(parameter.grad.abs().max()) > 1e-6, name
        torch.testing.assert_close(parameter.grad, state[name].grad, rtol=1e-9, atol=1e-9, msg=name)


def test_the_published_size():
    model = STGCNForecaster(roads())
    gates = [2 * 64 * (1 * 3 + 1), 2 * 64 * (16 * 3 + 1), 2 * 64 * (64 * 3 + 1), 2 * 64 * (16 * 3 + 1)]
    gates.append(2 * 64 * (64 * 4 + 1))
    rest = 2 * (3 * 64 * 16 + 16) + 3 * 2 * 64 + (64 * 64 + 64) + (12 * 64 + 12)
    assert sum(parameter.numel() for parameter in model.parameters()) == sum(gates) + rest


def test_one_set_of_weights_serves_any_number_of_nodes():
    model = small()
    other = STGCNForecaster(STGraph("abc", [(0, 1), (1, 2)]), **{**SMALL}).double()
    other.load_state_dict(model.state_dict())
    assert other(torch.zeros(1, 1, 12, 3, 1, dtype=torch.float64)).shape == (1, 4, 3)


@pytest.mark.parametrize("relations", ["chebyshev", "random_walk"])
def test_renumbered_sensors_give_the_renumbered_forecast(relations):
    order = [3, 0, 6, 5, 1, 4, 2]
    model = small(relations=relations, graph=roads(directed=relations == "random_walk"))
    other = small(relations=relations, graph=model.graph.permute(order), seed=5)
    other.load_state_dict(model.state_dict())
    x, observed = windows()
    moved = other(x[:, :, :, order], observed=observed[..., order])
    torch.testing.assert_close(moved, model(x, observed=observed)[..., order], rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mask_channel", [False, True])
def test_the_value_of_a_missing_observation_does_not_matter(mask_channel, training):
    model = small(mask_channel=mask_channel).train(training)
    x, observed = windows()
    expected = model(x, observed=observed)
    for other in (torch.nan, 0.0, 1e30):
        assert torch.equal(model(torch.where(observed[..., None], x, other), observed=observed), expected)
    leaf = x.clone().requires_grad_()
    model(leaf, observed=observed).sum().backward()
    assert not leaf.grad[~observed].any()
    assert (leaf.grad[observed] != 0).double().mean() > 0.9


def test_a_missing_observation_enters_as_the_mean_and_not_as_zero():
    model = small()
    x, observed = windows()
    filled = torch.where(observed[..., None], x, 55.0)
    torch.testing.assert_close(model(filled), model(x, observed=observed), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(model(x), model(x, observed=observed))


def test_a_frame_that_is_not_valid_is_missing_at_every_sensor():
    model = small()
    x, observed = windows()
    valid = torch.ones(3, 1, 12, dtype=torch.bool)
    valid[:, :, :3] = False
    assert torch.equal(model(x, valid, observed), model(x, observed=observed & valid[..., None]))
    assert torch.equal(model(x, valid), model(x, observed=valid[..., None].expand_as(observed)))
    assert torch.equal(model(x, torch.ones_like(valid), torch.ones_like(observed)), model(x))


def test_a_batch_gives_the_same_as_its_samples():
    model = small()
    x, observed = windows()
    single = torch.cat([model(x[i : i + 1], observed=observed[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(model(x, observed=observed), single, rtol=1e-12, atol=1e-10)


def test_physical_units_go_in_and_come_out():
    """Miles or kilometres per hour: the same road, the same forecast in the other unit."""
    mph = small()
    kmh = copy.deepcopy(mph)
    kmh.set_scaler(Scaler([55.0 * 1.609344], [11.0 * 1.609344]))
    x, observed = windows()
    expected = mph(x, observed=observed) * 1.609344
    torch.testing.assert_close(kmh(x * 1.609344, observed=observed), expected, rtol=1e-10, atol=1e-10)


def test_the_scaler_is_in_the_state():
    model = small()
    assert model.scaler == Scaler([55.0], [11.0])
    fresh = small(scaler=None, seed=1)
    assert fresh.scaler is None
    fresh.load_state_dict(model.state_dict())
    assert fresh.scaler == model.scaler
    x, observed = windows()
    assert torch.equal(fresh(x, observed=observed), model(x, observed=observed))


def test_the_receptive_field_over_the_graph():
    """Each block's polynomial of order 3 reaches two edges: four edges in two blocks, and no further."""
    path = STGraph([str(index) for index in range(NODES)], [(index, index + 1) for index in range(NODES - 1)])
    model = small(graph=path)
    x = windows()[0].clone().requires_grad_()
    model(x)[:, :, 0].sum().backward()
    assert (x.grad[..., 0] != 0).any(0).any(0).any(0).tolist() == [True] * 5 + [False] * 2


def test_the_receptive_field_over_time():
    model = small()
    outputs = {}
    reaches = {"blocks.0": 2, "blocks.0.spatial": 1, "blocks.1.before": 3, "blocks.1": 4}
    for name in reaches:
        model.get_submodule(name).register_forward_hook(lambda m, a, output, name=name: outputs.update({name: output}))
    x = windows()[0].clone().requires_grad_()
    model(x)
    for name, reach in reaches.items():
        assert outputs[name].shape[:3] == (NODES, 3, 12 - 2 * reach)
        assert (model.stride_at(name), model.offset_at(name)) == (1, reach)
        for position in range(12 - 2 * reach):
            # Weighted, as the norm makes the plain sum of a position's channels a constant.
            ramp = torch.arange(outputs[name].shape[3], dtype=torch.float64)
            (gradient,) = torch.autograd.grad((outputs[name][:, :, position] * ramp).sum(), x, retain_graph=True)
            frames = gradient.abs().amax((0, 1, 3, 4)) > 0
            middle = position + model.offset_at(name)
            assert frames.nonzero()[:, 0].tolist() == list(range(middle - reach, middle + reach + 1))
    with pytest.raises(InputError, match="unknown layer 'blocks.2'. Did you mean"):
        model.stride_at("blocks.2")


def test_without_message_passing_no_sensor_affects_another():
    for relations in ("chebyshev", "random_walk"):
        model = small(relations=relations)
        ablated = without_message_passing(model).double()
        count = [sum(parameter.numel() for parameter in each.parameters()) for each in (model, ablated)]
        assert count[0] == count[1]
        assert ablated.scaler == model.scaler
        assert {name: value.shape for name, value in ablated.state_dict().items()} == {
            name: value.shape for name, value in model.state_dict().items()
        }
        x = windows()[0].clone().requires_grad_()
        ablated(x)[:, :, 2].sum().backward()
        assert (x.grad[..., 0] != 0).any(0).any(0).any(0).tolist() == [False, False, True] + [False] * 4
        ablated.load_state_dict(model.state_dict())
        assert not torch.allclose(ablated(x), model(x))


def test_given_relations_are_used():
    relations = Relations.from_matrices(np.random.default_rng(0).random((2, NODES, NODES)))
    model = small(relations=relations)
    assert model.relations is relations
    state = model.state_dict()
    x, observed = windows()
    theirs = dense_forecast(state, torch.from_numpy(relations.matrices(NODES)), x[:, 0], observed[:, 0], 2)
    torch.testing.assert_close(model(x, observed=observed), theirs, rtol=1e-10, atol=1e-10)


def test_dropout_is_for_training():
    model = small(dropout=0.5)
    x, _ = windows()
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))


def test_can_be_copied_and_pickled():
    model = small()
    x, observed = windows()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x, observed=observed), model(x, observed=observed))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 8}, "window: got 8; expected more than 8, which 2 blocks of kernel 3 consume"),
        ({"blocks": ((64, 16),)}, "expected three numbers of channels"),
        ({"blocks": ()}, "expected three numbers of channels"),
        ({"temporal_kernel": 2}, "expected an odd number"),
        ({"order": 0}, "expected each to be at least 1"),
        ({"target_channel": 1}, "target_channel: got 1; expected an input channel, 0 to 0"),
        ({"dropout": 1.0}, "expected a share"),
        ({"relations": "spectral"}, "unknown relation strategy"),
        ({"scaler": Scaler([1.0, 2.0], [1.0, 1.0])}, "scaler: got 2 channels; expected 1"),
        ({"relations": Relations.from_matrices(np.ones((1, 9, 9)))}, "up to node 8; expected nodes 0 to 6"),
    ],
)
def test_wrong_hyperparameters_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        small(**changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, x, observed: model(x[:, :, :11]), "expected .*t=12.*: got 11 frames"),
        (lambda model, x, observed: model(x[:, :, :, :6]), "got 6 nodes"),
        (lambda model, x, observed: model(torch.cat([x, x], 1)), "got 2 instances"),
        (lambda model, x, observed: model(x.float()), "x: got torch.float32; expected torch.float64"),
        (lambda model, x, observed: model(x, observed=observed[..., :6]), "observed has shape"),
        (
            lambda model, x, observed: model(x, observed=observed.float()),
            "observed: got torch.float32; expected torch",
        ),
        (lambda model, x, observed: model(x, observed[..., 0].float()), "valid: got torch.float32"),
        (lambda model, x, observed: model(x * torch.inf), "NaN or infinite"),
    ],
)
def test_wrong_input_names_the_argument(call, message):
    with pytest.raises(InputError, match=message):
        call(small(), *windows())
