"""Several masking curves in one go: those of each by itself, to the bit, at fewer passes."""

import numpy as np
import torch
from torch import nn

from stexplain.data.samples import Batch
from stexplain.metrics import masking_curve
from stexplain.metrics.faithfulness import SETS
from stexplain.metrics.masking_curves import curves_of_importances
from tests.metrics.small_batches import signals

MASKING = [0.3, 0.6, 0.9]
BASELINES = {"zero": "zero", "the mean": "mean", "interpolation": "interpolation"}


SAMPLES = [0]
"""How many samples the model was given; outside of it, as what a pass sets on a model is undone."""


class Counting(nn.Module):
    """A small classifier of 3 classes that counts the samples that it is given."""

    inputs = "b m t n c"

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Parameter(torch.randn(2, 8, generator=generator))
        self.last = nn.Parameter(torch.randn(4 * 8, 3, generator=generator))

    def forward(self, x):
        SAMPLES[0] += len(x)
        return torch.relu(x @ self.first).mean((1, 2)).flatten(1) @ self.last


def batches():
    x, valid = signals(30, 1, 6, 4, 2), torch.ones(30, 1, 6, dtype=torch.bool)
    labels, ids = torch.arange(30) % 3, tuple(f"clip {row}" for row in range(30))
    return [Batch(x[a:b], valid[a:b], labels[a:b], ids[a:b]) for a, b in ((0, 11), (11, 22), (22, 30))]


def importances():
    psi = np.random.default_rng(0).random((3, 3, 4))
    psi[2, 1] = np.nan
    return {"ours": (psi[0], SETS), "motion": (psi[1], ("highlighted",)), "gradient": (psi[2], ("least", "random"))}


def test_each_curve_is_that_of_its_importance_and_baseline_alone():
    options = {"nodes": 2, "masking": MASKING, "seed": 3}
    found = curves_of_importances(Counting(), batches(), importances(), BASELINES, **options)
    assert list(found) == list(BASELINES)
    different = set()
    for name, baseline in BASELINES.items():
        assert list(found[name]) == ["ours", "motion", "gradient"]
        for which, (psi, sets) in importances().items():
            alone = masking_curve(Counting(), batches(), psi, baseline=baseline, sets=sets, **options)
            ours = found[name][which]
            assert list(ours.correct) == list(alone.correct) == list(sets)
            for each in sets:
                np.testing.assert_array_equal(ours.correct[each], alone.correct[each])
                different.add(ours.correct[each].tobytes())
            assert ours.masking.tolist() == alone.masking.tolist() == [0, *MASKING]
            assert (ours.ids, ours.baseline, ours.nodes) == (alone.ids, alone.baseline, alone.nodes)
            assert ours.unranked == alone.unranked
    # Curves that were all alike would tell nothing.
    assert len(different) > 12
    assert found["zero"]["gradient"].unranked > 0 == found["zero"]["ours"].unranked


def test_what_all_curves_need_is_done_once():
    options = {"nodes": 2, "masking": MASKING}
    SAMPLES[0] = 0
    masking_curve(Counting(), batches(), importances()["ours"][0], baseline="zero", sets=["random"], **options)
    alone, SAMPLES[0] = SAMPLES[0], 0
    curves_of_importances(Counting(), batches(), importances(), BASELINES, **options)
    # Of 6 sets of nodes and 3 baselines each masked copy is a pass; all else is as often as for a single curve.
    assert SAMPLES[0] - alone == 30 * len(MASKING) * (6 * len(BASELINES) - 1)


def test_random_sets_are_those_of_seed_zero_unless_another_is_given():
    options = {"nodes": 2, "masking": MASKING}
    ours = {"ours": (importances()["ours"][0], ("random",))}
    found, again, other = (
        curves_of_importances(Counting(), batches(), ours, {"zero": "zero"}, **options, **seed)["zero"]["ours"]
        for seed in ({}, {"seed": 0}, {"seed": 1})
    )
    np.testing.assert_array_equal(found.correct["random"], again.correct["random"])
    assert (found.correct["random"] != other.correct["random"]).any()
    alone = masking_curve(Counting(), batches(), ours["ours"][0], baseline="zero", sets=("random",), **options)
    np.testing.assert_array_equal(alone.correct["random"], found.correct["random"])
