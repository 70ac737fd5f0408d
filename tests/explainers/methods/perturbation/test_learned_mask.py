import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask
from stexplain.explainers.targets import Class, Custom, Predicted
from stexplain.graph import STGraph
from tests.explainers.small_models import PlainSTGCN, signals
from tests.reference.maps import slow_mask_loss

FRAMES, NODES = 8, 5
PATH = STGraph.from_edges("abcde", [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")])


class Planted(nn.Module):
    """A score that is a known function of x ``[B, M, T, N, C]``."""

    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, x):
        return self.score(x[:, 0, :, :, 0])[:, None]


def learned(score, x, **options):
    with LearnedMask(Planted(score).double(), baseline="zero", **options) as explain:
        return explain(x, target=Class(1))


def ones(samples=1):
    return torch.ones(samples, 1, FRAMES, NODES, 1, dtype=torch.float64)


def test_finds_exactly_the_cells_that_the_score_depends_on():
    truth = torch.zeros(FRAMES, NODES, dtype=torch.bool)
    truth[2:4, 1] = truth[6, 3] = True
    for goal, left in (("keep", 1), ("destroy", 0)):
        e = learned(lambda x: x[:, truth].sum(1), ones(), goal=goal, smoothness=0)
        assert (e.values[0, 0][truth.numpy()] > 0.9).all()
        assert (e.values[0, 0][~truth.numpy()] < 0.02).all()
        assert abs(e.extra["kept"][0] - left) < 0.05
        assert e.extra["mask_size"][0] == pytest.approx(e.values.mean(), rel=1e-5)
        assert e.extra["steps"][0] == 50


def test_of_redundant_causes_one_is_enough_to_keep_and_all_must_go_to_destroy():
    x = ones()
    x[:, :, 5, 3] = 0.9
    either = lambda x: torch.maximum(x[:, 2, 1], x[:, 5, 3])  # noqa: E731
    keep = learned(either, x, goal="keep", smoothness=0).values[0, 0]
    assert keep[2, 1] > 0.9
    assert keep[5, 3] < 0.02
    destroy = learned(either, x, goal="destroy", smoothness=0).values[0, 0]
    assert min(destroy[2, 1], destroy[5, 3]) > 0.9
    assert (np.sort(destroy.ravel())[:-2] < 0.02).all()


def test_a_score_below_that_of_the_baseline_is_kept_low():
    e = learned(lambda x: -x[:, 4, 2], ones(), smoothness=0)
    assert np.unravel_index(e.values[0, 0].argmax(), (FRAMES, NODES)) == (4, 2)
    assert e.extra["kept"][0] > 0.95
    assert e.score[0] == -1


def test_nothing_to_keep_where_the_baseline_scores_the_same():
    x = ones(2)
    x[1] = 0
    e = learned(lambda x: x[:, 4, 2] + 3, x)
    assert e.values[0].max() > 0.9
    assert not e.values[1].any()
    assert np.isnan(e.extra["kept"][1])
    assert e.extra["mask_size"][1] == 0


def test_a_larger_weight_on_size_makes_a_smaller_mask():
    weight = torch.linspace(0, 1, FRAMES * NODES, dtype=torch.float64).view(FRAMES, NODES)
    result = [learned(lambda x: (x * weight).sum((1, 2)), ones(), size=size) for size in (0.1, 0.5, 2.0)]
    sizes = [float(e.extra["mask_size"][0]) for e in result]
    kept = [float(e.extra["kept"][0]) for e in result]
    assert sizes == sorted(sizes, reverse=True)
    assert kept == sorted(kept, reverse=True)
    assert sizes[0] > 2 * sizes[2]


def test_smoothness_and_connectedness_act_as_they_say():
    weight = torch.rand(FRAMES, NODES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    score = lambda x: (x * weight).sum((1, 2))  # noqa: E731
    steps, ends = [], []
    for much in (0.0, 0.3, 1.0, 3.0):
        smooth = learned(score, ones(), smoothness=much).values[0, 0]
        steps.append(np.abs(np.diff(smooth, axis=0)).mean())
        connected = learned(score, ones(), smoothness=0, connectedness=much, graph=PATH).values[0, 0]
        ends.append(np.abs(np.diff(connected, axis=1)).mean())
    for numbers in (steps, ends):
        assert numbers == sorted(numbers, reverse=True)
        assert numbers[-1] < 0.2 * numbers[0]


def test_windows_and_groups_share_a_value():
    graph = STGraph("abcde", [(0, 1), (1, 2), (2, 3), (3, 4)], groups={"left": ["a", "b"], "right": ["b", "c"]})
    weight = torch.rand(FRAMES, NODES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    e = learned(lambda x: (x * weight).sum((1, 2)), ones(), window=3, groups=graph.groups, graph=graph, steps=20)
    values = e.values[0, 0]
    for start in (0, 3, 6):
        assert np.ptp(values[start : start + 3], axis=0).max() == 0
    assert (np.abs(np.diff(values[[0, 3, 6]], axis=0)) > 0).all()
    assert np.allclose(values[:, 1], (values[:, 0] + values[:, 2]) / 2)
    assert (np.abs(values[:, 3] - values[:, 4]) > 0).all()


@pytest.mark.parametrize("goal", ["keep", "destroy"])
def test_the_loss_by_loops(goal):
    model = PlainSTGCN(nodes=NODES)
    explain = LearnedMask(model, inputs="b c t n m", graph=PATH, goal=goal, size=0.3, smoothness=0.7, connectedness=1.1)
    random = torch.Generator().manual_seed(1)
    mask = torch.rand(3, 2, 6, NODES, generator=random, dtype=torch.float64)
    ok = torch.rand(3, 2, 6, NODES, generator=random) > 0.3
    kept = torch.tensor([1.4, 0.6, -0.2], dtype=torch.float64)
    result = explain.loss(mask, kept, ok)
    for row in range(3):
        expected = slow_mask_loss(
            mask[row].numpy(), float(kept[row]), ok[row].numpy(), PATH.edges, goal, size=0.3, smoothness=0.7,
            connectedness=1.1,
        )  # fmt: skip
        assert result[row].item() == pytest.approx(expected, rel=1e-12)


def test_the_steps_are_those_of_adam():
    weight = torch.rand(FRAMES, NODES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    e = learned(lambda x: (x * weight).sum((1, 2)), ones(), steps=30, size=0.3, smoothness=0.5)
    logits = torch.zeros(1, 1, FRAMES, NODES, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([logits], lr=0.2, eps=0.01)
    for _ in range(30):
        mask = logits.sigmoid()
        step = (mask[:, :, 1:] - mask[:, :, :-1]).square()
        kept = (mask[0, 0] * weight).sum() / weight.sum()
        loss = (1 - kept).square() + 0.3 * mask.mean() + 0.5 * ((step + 0.05**2).sqrt() - 0.05).mean()
        adam.zero_grad()
        (loss * FRAMES * NODES).backward()
        adam.step()
    assert np.allclose(e.values[0, 0], logits.sigmoid().detach()[0, 0], atol=1e-5)


def test_the_class_is_that_of_the_sample_though_the_baseline_is_of_another():
    model = nn.Sequential(nn.Flatten(), nn.Linear(FRAMES * NODES, 2))
    nn.init.zeros_(model[1].weight)
    model[1].weight.data[0, 7] = 2.0
    model[1].bias.data[:] = torch.tensor([0.0, 1.0])
    with LearnedMask(model, baseline="zero", smoothness=0) as explain:
        predicted, named = (explain(ones().float(), target=target) for target in (Predicted(), Class(0)))
    assert predicted.targets[0] == 0
    assert np.array_equal(predicted.values, named.values)
    assert predicted.values.argmax() == 7


def test_readings_that_are_not_there_and_padding_take_no_part():
    x, valid = signals(2, 1, 10, NODES, 3), torch.ones(2, 1, 10, dtype=torch.bool)
    valid[:, :, 8:] = False
    model = nn.Sequential(nn.Flatten(), nn.Linear(10 * NODES * 3, 2))
    with LearnedMask(model, steps=5) as explain:
        e = explain(x * valid[..., None, None], target=Class(0), valid=valid)
    assert not e.values[:, :, 8:].any()
    assert np.allclose(e.extra["mask_size"], e.values[:, :, :8].mean((1, 2, 3)), rtol=1e-5)


def test_wrong_use():
    model = PlainSTGCN()
    for options, message in (
        ({"goal": "kep"}, "Did you mean 'keep'"),
        ({"size": 0}, "size=0"),
        ({"smoothness": -1}, "smoothness=-1"),
        ({"steps": 0}, "steps: got 0"),
        ({"connectedness": 1}, "needs the graph"),
    ):
        with pytest.raises(InputError, match=message):
            LearnedMask(model, inputs="b c t n m", **options)
    with LearnedMask(model, inputs="b c t n m") as explain, pytest.raises(InputError, match="differentiable"):
        explain(signals(1, 3, 6, 5, 1), target=Custom(lambda output: output.detach()[:, 0]))
