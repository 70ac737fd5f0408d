"""Scores against the effect, in closed form and against plain loops."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from stexplain.errors import InputError
from stexplain.metrics import Agreement, Effect, effect, effect_agreement
from stexplain.metrics.truth.agreement import rank_correlation


def effect_of(values: list[list[list[float]]]) -> Effect:
    """An effect that is as given, ``[B, T, N]``, a window per frame."""
    x = torch.tensor(values)
    return effect(
        nn.Flatten(), x, torch.zeros_like(x), windows=x.shape[1], target=lambda out: out.sum(1), inputs="b t n"
    )


def as_map(values: list[list[list[float]]]) -> np.ndarray:
    return np.array(values, np.float64)[:, None]


def test_scores_in_closed_form():
    # Used: above 0.5, a twentieth of 10. Planted: all that is not zero.
    found = effect_of([[[10.0, 0.0], [4.0, 0.4], [0.0, 2.0]]])
    scores = effect_agreement(as_map([[[3.0, 0.0], [1.0, 2.0], [0.0, 5.0]]]), found).scores
    # Used have 3, 1, 5; the others 0, 2, 0: of nine pairs 1 < 2 alone is wrong.
    assert scores["regions"]["auroc"].tolist() == [8 / 9]
    # In order 5, 3, 2 (not used), 1: precision 1, 1, 3/4.
    assert scores["regions"]["average_precision"].tolist() == [(1 + 1 + 3 / 4) / 3]
    # Effects 10, 4, 0.4, 2 have ranks 4, 3, 1, 2; importance 3, 1, 2, 5 has 3, 1, 2, 4: 1 - 6 (1 + 4 + 1 + 4) / 60.
    assert scores["regions"]["rank"][0] == pytest.approx(0.0, abs=1e-12)
    # Over nodes both were used, which leaves nothing to tell apart.
    assert np.isnan(scores["groups"]["auroc"][0])
    # Largest effects 10 and 2, mean importances 4/3 and 7/3: in the wrong order.
    assert scores["groups"]["rank"].tolist() == [-1.0]


def test_ties_count_half_and_a_constant_map_is_a_guess():
    found = effect_of([[[10.0, 0.0, 5.0]]])
    constant = effect_agreement(as_map([[[2.0, 2.0, 2.0]]]), found).scores["regions"]
    assert constant["auroc"].tolist() == [0.5]
    assert constant["average_precision"].tolist() == [2 / 3]
    assert constant["rank"].tolist() == [0.0]
    tied = effect_agreement(as_map([[[2.0, 2.0, 1.0]]]), found).scores["regions"]
    assert tied["auroc"].tolist() == [0.25]


def test_samples_without_a_score_are_excluded_and_counted():
    # All used; nothing used, as the only effect is negative; one used, whose rank is alone.
    found = effect_of([[[3.0, 3.0]], [[-3.0, 0.0]], [[3.0, 0.0]]])
    scores = effect_agreement(as_map([[[1.0, 2.0]]] * 3), found)
    assert np.isnan(scores.scores["regions"]["auroc"]).tolist() == [True, True, False]
    assert scores.excluded("regions", "auroc") == 2
    # A constant effect has no order, and one position has none.
    assert scores.excluded("regions", "rank") == 3
    assert scores.mean("regions", "auroc") == 0.0
    assert np.isnan(scores.mean("regions", "rank"))
    joined = Agreement.joined([scores, scores])
    assert joined.excluded("regions", "auroc") == 4


def test_rank_is_over_planted_regions_alone():
    found = effect_of([[[5.0, 3.0, 1.0, 0.0]]])
    importance = as_map([[[1.0, 2.0, 3.0, 9.0]]])
    planted = np.array([[[[True, True, True, False]]]])
    assert effect_agreement(importance, found, planted=planted).scores["regions"]["rank"].tolist() == [-1.0]
    every = effect_agreement(importance, found, planted=np.ones_like(planted)).scores["regions"]["rank"]
    assert every[0] == pytest.approx(spearmanr([1, 2, 3, 9], [5, 3, 1, 0]).statistic)


def test_rank_is_spearmans_with_ties():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, (20, 12)).astype(float), rng.integers(0, 4, (20, 12)).astype(float)
    valid = rng.random((20, 12)) < 0.7
    for row, found in enumerate(rank_correlation(a, b, valid)):
        expected = spearmanr(a[row, valid[row]], b[row, valid[row]]).statistic
        assert found == pytest.approx(expected)


def test_maps_are_averaged_over_frames_and_summed_over_instances():
    x = torch.ones(1, 2, 4, 1, 1)
    x[0, 1, 2:] = 0
    everywhere = torch.ones(1, 2, 4).bool()
    total = {"target": lambda out: out.sum(1), "inputs": "b m t n c"}
    found = effect(nn.Flatten(), x, torch.zeros_like(x), windows=2, valid=everywhere, **total)
    assert found.values[0, :, 0].tolist() == [4.0, 2.0]
    values = np.arange(8.0).reshape(1, 2, 4, 1)
    assert found.regions.means(values)[0, :, 0].tolist() == [(0 + 1 + 4 + 5) / 2, (2 + 3 + 6 + 7) / 2]


def test_maps_that_do_not_fit_are_refused():
    found = effect_of([[[1.0, 0.0]]])
    with pytest.raises(InputError, match="values"):
        effect_agreement(np.zeros((1, 1, 2, 2)), found)
    with pytest.raises(InputError, match="planted"):
        effect_agreement(np.zeros((1, 1, 1, 2)), found, planted=np.zeros((1, 1, 1, 3)))
    with pytest.raises(InputError, match="NaN"):
        effect_agreement(np.full((1, 1, 1, 2), np.nan), found)


def test_a_map_that_is_the_same_everywhere_has_no_rank_whatever_the_regions_sizes():
    x = torch.rand(3, 10, 4, generator=torch.Generator().manual_seed(0)) + 1
    observed = np.arange(10)[:, None] < [10, 9, 7, 10]
    groups = {"one": [0], "two": [1, 2], "three": [0, 1, 3], "all": [0, 1, 2, 3]}
    options = {"windows": 3, "target": lambda out: out.sum(1), "inputs": "b t n", "groups": groups}
    mask = np.broadcast_to(observed, x.shape)
    found = effect(nn.Flatten(), x * torch.tensor(observed), torch.zeros_like(x), observed=mask, **options)
    scores = effect_agreement(np.full((3, 1, 10, 4), 0.1), found).scores
    for over in ("groups", "regions"):
        assert scores[over]["rank"].tolist() == [0.0, 0.0, 0.0]
