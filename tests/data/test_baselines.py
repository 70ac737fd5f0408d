import numpy as np
import pytest
import torch

from stexplain.data.baselines import BASELINES, as_baseline, interpolation, mean, neighbours
from stexplain.errors import InputError
from stexplain.graph import STGraph
from tests.explainers.small_models import signals

with pytest.warns(UserWarning, match=r"one node without an edge \('e'\)"):
    GRAPH = STGraph.from_edges(list("abcde"), [("a", "b"), ("b", "c"), ("b", "d")])


def batch():
    valid = torch.ones(3, 2, 8, dtype=torch.bool)
    valid[0, 0, 5:] = False
    valid[1, 1] = False
    valid[2, 0, :2] = False
    valid[2, 0, 4] = False
    return signals(3, 2, 8, 5, 2) * valid[..., None, None], valid


@pytest.mark.parametrize("function", BASELINES)
def test_padding_stays_zero_and_x_as_it_is(function):
    x, valid = batch()
    before = x.clone()
    found = function(x, valid, GRAPH)
    assert found.shape == x.shape
    assert (found[~valid] == 0).all()
    assert torch.equal(x, before)


def test_by_loops():
    x, valid = batch()
    middle, line, around = mean(x, valid), interpolation(x, valid), neighbours(x, valid, GRAPH)
    near = {0: [1], 1: [0, 2, 3], 2: [1], 3: [1]}
    for b, m, t, n in np.ndindex(3, 2, 8, 5):
        if not valid[b, m, t]:
            continue
        frames = [f for f in range(8) if valid[b, m, f]]
        node = x[b, m, :, n]
        assert torch.allclose(middle[b, m, t, n], node[frames].mean(0), atol=1e-6)
        share = (t - frames[0]) / (frames[-1] - frames[0])
        assert torch.allclose(line[b, m, t, n], node[frames[0]] * (1 - share) + node[frames[-1]] * share, atol=1e-6)
        expected = x[b, m, t, near[n]].mean(0) if n in near else node[frames].mean(0)
        assert torch.allclose(around[b, m, t, n], expected, atol=1e-6)


def test_neighbours_need_the_graph():
    x, valid = batch()
    with pytest.raises(InputError, match="needs the graph"):
        neighbours(x, valid)
    with pytest.raises(InputError, match="n=4"):
        neighbours(x, valid, STGraph.from_edges(list("abcd"), [("a", "b"), ("c", "d")]))


def observed():
    x, valid = batch()
    present = valid[..., None] & (signals(3, 2, 8, 5, seed=4) > -0.7)
    return x * present[..., None], present


@pytest.mark.parametrize("function", BASELINES)
def test_what_is_not_observed_stays_zero_and_enters_nothing(function):
    x, present = observed()
    found = function(x, present, GRAPH)
    assert (found[~present] == 0).all()
    changed = torch.where(present[..., None], x, 99.0)
    assert torch.equal(function(changed, present, GRAPH), found)


def test_single_missing_values_by_loops():
    x, present = observed()
    middle, line, around = mean(x, present), interpolation(x, present), neighbours(x, present, GRAPH)
    near = {0: [1], 1: [0, 2, 3], 2: [1], 3: [1], 4: []}
    for b, m, t, n in np.ndindex(3, 2, 8, 5):
        if not present[b, m, t, n]:
            continue
        frames = [f for f in range(8) if present[b, m, f, n]]
        node = x[b, m, :, n]
        assert torch.allclose(middle[b, m, t, n], node[frames].mean(0), atol=1e-6)
        share = (t - frames[0]) / max(frames[-1] - frames[0], 1)
        assert torch.allclose(line[b, m, t, n], node[frames[0]] * (1 - share) + node[frames[-1]] * share, atol=1e-6)
        seen = [v for v in near[n] if present[b, m, t, v]]
        expected = x[b, m, t, seen].mean(0) if seen else node[frames].mean(0)
        assert torch.allclose(around[b, m, t, n], expected, atol=1e-6)


def test_a_baseline_is_a_name_a_function_or_a_tensor():
    x, valid = batch()
    assert as_baseline("mean") is mean
    assert as_baseline(interpolation) is interpolation
    found = as_baseline(torch.tensor([65.0, 7.0]))(x, valid, None)
    assert (found[valid] == torch.tensor([65.0, 7.0])).all()
    assert (found[~valid] == 0).all()
    with pytest.raises(InputError, match=r"baseline: got shape \(3,\); expected one that broadcasts"):
        as_baseline(torch.zeros(3))(x, valid, None)
    with pytest.raises(InputError, match="Did you mean 'mean'"):
        as_baseline("meen")


@pytest.mark.filterwarnings("ignore:graph. got .* without an edge")
@pytest.mark.parametrize("directed", [False, True])
def test_neighbours_are_the_mean_over_a_matrix_of_them(directed):
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(18, size=(30, 2)), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if not directed:
        pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    graph = STGraph([str(node) for node in range(20)], pairs, directed=directed)  # two nodes without an edge
    x = torch.from_numpy(rng.normal(size=(2, 1, 5, 20, 2)))
    present = torch.from_numpy(rng.random((2, 1, 5, 20)) > 0.3)
    matrix = np.zeros((20, 20), bool)
    matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = True
    expected = mean(x, present).numpy()
    for b, m, t, n in np.argwhere(present.numpy()):
        around = matrix[n] & present[b, m, t].numpy()
        if around.any():
            expected[b, m, t, n] = x[b, m, t].numpy()[around].mean(0)
    np.testing.assert_allclose(neighbours(x, present, graph), expected, atol=1e-12)
