from dataclasses import replace

import numpy as np
import pytest
import torch

from stexplain.data import Batch
from stexplain.errors import InputError
from stexplain.explainers import by_name
from stexplain.metrics import baseline_scores, best_baseline
from stexplain.metrics.comparison.baselines import BASELINE_EXPLAINERS, SERIES_BASELINE_EXPLAINERS
from stexplain.metrics.localisation import OVER, SCORES, Localisation, localisation


def batch(seed):
    """Two nodes of five move at some frames; the truth is where the third moves."""
    rng = np.random.default_rng(seed)
    x = torch.zeros(2, 1, 12, 5, 2)
    x[:, :, 4:8, 2] = torch.from_numpy(rng.normal(size=(2, 1, 4, 2))).float() * 5
    truth = torch.zeros(2, 1, 12, 5, dtype=torch.bool)
    truth[:, :, 4:8, 2] = True
    return Batch(x, torch.ones(2, 1, 12, dtype=torch.bool), torch.zeros(2), (f"{seed}a", f"{seed}b"), truth)


def test_every_control_is_scored_on_every_sample():
    scores = baseline_scores([batch(0), batch(1)], training=batch(2))
    assert tuple(scores) == BASELINE_EXPLAINERS
    for one in scores.values():
        assert len(one.scores["nodes"]["auroc"]) == 4
    # The cause lies where it lay in training, so the map of that knows all.
    assert best_baseline(scores, "positions") == ("TrainingMap", pytest.approx(1.0))
    assert best_baseline({name: scores[name] for name in ("TimePrior", "Variance")}, "nodes").name == "Variance"


def test_what_needs_training_is_left_out_without_it():
    scores = baseline_scores([batch(0)])
    assert set(scores) == set(BASELINE_EXPLAINERS) - {"TrainingMap"}
    assert set(BASELINE_EXPLAINERS) < set(SERIES_BASELINE_EXPLAINERS)


def test_the_best_is_the_highest_mean_over_samples_that_have_a_score():
    def scored(*values):
        rows = np.array(values)
        return Localisation({over: dict.fromkeys(SCORES, rows) for over in OVER})

    scores = {"Motion": scored(0.9, np.nan), "Variance": scored(0.5, 0.7), "Deviation": scored(np.nan, np.nan)}
    assert best_baseline(scores, "frames", "pointing") == ("Motion", 0.9)
    # Of equals the last by name, whatever their order.
    equal = {"Variance": scored(0.6), "Motion": scored(0.6), "Deviation": scored(0.5)}
    assert best_baseline(equal, "nodes") == best_baseline(dict(reversed(equal.items())), "nodes") == ("Variance", 0.6)


def test_nothing_to_choose_from():
    with pytest.raises(InputError, match="got none over nodes"):
        best_baseline({}, "nodes")
    whole = batch(0)
    full = Batch(whole.x, whole.valid, whole.label, whole.ids, torch.ones_like(whole.truth))
    with pytest.raises(InputError, match="got none over positions"):
        best_baseline(baseline_scores([full], baseline_explainers=["Motion"]), "positions")


def test_positions_that_are_not_observed_are_not_scored():
    """As if the truth had been compared over what was observed alone; a batch without such a mask over all."""
    whole = batch(3)
    observed = torch.rand(2, 1, 12, 5, generator=torch.Generator().manual_seed(0)) > 0.4
    gaps = replace(whole, observed=observed)
    for of, present in ((gaps, observed.numpy()), (whole, whole.valid.numpy())):
        (found,) = baseline_scores([of], baseline_explainers=["Deviation"]).values()
        expected = localisation(by_name.method_class("Deviation")()(of).values, of.truth, present)
        for over in OVER:
            np.testing.assert_array_equal(found.scores[over]["auroc"], expected.scores[over]["auroc"])


def test_what_is_no_batch_is_named_by_its_place():
    with pytest.raises(InputError, match=r"^batches\[1\]: got None; expected a Batch with ground truth"):
        baseline_scores([batch(3), None], baseline_explainers=["Deviation"])
