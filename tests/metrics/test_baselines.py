import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.metrics.baselines import BASELINES, attenuated, interpolation, mean, neighbours
from tests.explain.small_models import signals

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
        neighbours(x, valid, STGraph.from_edges(list("abcd"), [("a", "b")]))


def test_attenuation_moves_chosen_nodes_only():
    x, valid = batch()
    towards = mean(x, valid)
    chosen = torch.zeros(3, 5, dtype=torch.bool)
    chosen[0, 2] = chosen[2, 4] = True
    found = attenuated(x, towards, chosen, 0.25)
    assert torch.allclose(found[0, :, :, 2], 0.75 * x[0, :, :, 2] + 0.25 * towards[0, :, :, 2])
    assert torch.equal(found[1], x[1])
    assert torch.equal(found[0, :, :, [0, 1, 3, 4]], x[0, :, :, [0, 1, 3, 4]])
    assert torch.equal(attenuated(x, towards, ~chosen, 1.0)[1], towards[1])
    with pytest.raises(InputError, match="chosen has shape"):
        attenuated(x, towards, chosen[:, :4], 0.5)
