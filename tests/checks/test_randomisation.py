import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from stexplain.checks.randomisation import cascade, rank_correlation, stages
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from tests.explainers.small_models import PlainSTGCN


def explanation(values, valid=None):
    return Explanation(values, np.ones(values.shape[:3], bool) if valid is None else valid)


def test_rank_correlation_is_spearmans_over_valid_cells_that_are_not_zero_in_both():
    random = np.random.default_rng(0)
    one, other = random.normal(size=(2, 3, 2, 6, 4)).round(1)
    one[:, :, :, 0] = other[:, :, :, 0] = 0
    valid = random.random((3, 2, 6)) > 0.3
    correlation = rank_correlation(explanation(one, valid), explanation(other, valid))
    for row in range(3):
        positions = [np.abs(each[row][valid[row]]).astype(np.float32)[:, 1:].ravel() for each in (one, other)]
        kept = (positions[0] != 0) | (positions[1] != 0)
        assert correlation[row] == pytest.approx(spearmanr(positions[0][kept], positions[1][kept]).statistic, abs=1e-12)


def test_a_map_that_ranks_nothing_correlates_zero():
    some, same = np.arange(8.0).reshape(1, 1, 4, 2), np.ones((1, 1, 4, 2))
    assert rank_correlation(explanation(some), explanation(same)).tolist() == [0]
    assert rank_correlation(explanation(0 * same), explanation(0 * same)).tolist() == [0]
    assert rank_correlation(explanation(some), explanation(-2 * some))[0] == pytest.approx(1)


def test_everything_that_was_learned_is_in_exactly_one_stage():
    graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")], center="b")
    for model in (STGCN(graph, classes=3, channels=(4, 4), strides=(1, 2)), PlainSTGCN()):
        randomised = [id(tensor) for stage in stages(model) for tensor in stage.tensors]
        learned = [id(parameter) for parameter in model.parameters()]
        learned += [id(value) for name, value in model.named_buffers() if "running" in name]
        assert sorted(randomised) == sorted(learned)
    assert [stage.name for stage in stages(PlainSTGCN())] == ["fcn", "second", "first"]


def test_what_is_shared_or_belongs_to_the_model_itself():
    model = nn.Module()
    model.first, model.last = nn.Linear(3, 3), nn.Linear(3, 3)
    model.last.weight = model.first.weight
    model.adjacency = nn.Parameter(torch.rand(3, 3))
    counts = {stage.name: len(stage.tensors) for stage in stages(model)}
    assert counts == {"last": 2, "first": 1, "itself": 1}


def test_the_cascade_shuffles_one_stage_after_the_other_and_leaves_the_model():
    model = PlainSTGCN()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    untouched = set(before)
    for name, other in cascade(model, seed=0):
        now = other.state_dict()
        untouched -= {key for key in before if key.startswith(f"{name}.")}
        assert all(torch.equal(now[key], before[key]) for key in untouched)
        weights = next(key for key in before if key.startswith(f"{name}.") and before[key].ndim > 1)
        assert not torch.equal(now[weights], before[weights])
        for key, value in now.items():
            assert torch.equal(value.flatten().sort().values, before[key].flatten().sort().values)
    assert not torch.equal(now["first.norm.running_var"], before["first.norm.running_var"])
    assert torch.equal(now["adjacency"], before["adjacency"])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    again = [other.state_dict()["fcn.weight"].clone() for _, other in cascade(model, seed=0)]
    assert torch.equal(again[0], now["fcn.weight"])
    other_way = [other.state_dict()["fcn.weight"].clone() for _, other in cascade(model, seed=1)]
    assert not torch.equal(other_way[0], now["fcn.weight"])
