"""What is left out is the same everywhere: 1,000 resamples of seed 0 at 95%, and 9,999 permutations."""

import inspect
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods import Motion
from stexplain.intervals.bootstrap import interval, ratio_interval
from stexplain.metrics import (
    ClassImportance,
    Fidelity,
    ForecastMaskingCurve,
    MaskingCurve,
    Sensitivity,
    compare_groups,
    complexity,
    dataset,
    effect,
    fidelity,
    forecast_masking_curve,
    localisation,
    masking_curve,
    sensitivity_max,
    sign_flip_test,
)
from stexplain.metrics.comparison.result import Comparison
from stexplain.metrics.deletion import DeletionCurve
from stexplain.metrics.masking import beta_interval
from stexplain.result import Result
from tests.metrics.small_batches import batch, linear

DEFAULTS = {"seed": 0, "resamples": 1000, "confidence": 0.95, "permutations": 9999}
COUNT = 12
RANDOM = np.random.default_rng(0)
# Skewed, so that resamples decide on an end.
VALUES = RANDOM.exponential(size=COUNT) ** 2
IDS = tuple(f"clip {row}" for row in range(COUNT))
MAPS, VALID = RANDOM.exponential(size=(COUNT, 1, 8, 4)), np.ones((COUNT, 1, 8), bool)
STEPS, CURVES = np.array([0.0, 0.5, 1.0]), RANDOM.random((3, COUNT)) + np.array([[2.0], [1.0], [0.0]])

SCORES = {side: {"probability": np.abs(CURVES[:1]) / 4, "accuracy": CURVES[:1] / 4} for side in ("plus", "minus")}
MASKED = MaskingCurve(STEPS, {"highlighted": CURVES > 1.5}, IDS, "zero", 1, 0)
ERRORS = {"highlighted": {"error": CURVES[::-1], "change": CURVES[::-1] - CURVES[2]}}
FORECASTS = ForecastMaskingCurve(STEPS, ERRORS, np.ones(COUNT, np.int64), IDS, "zero", 1)
DELETED = DeletionCurve("deletion", "nodes", "zero", STEPS, CURVES, CURVES[:, None], IDS, "m", "class 0")
EXPLANATION = Explanation(MAPS, VALID)

CALLS = {
    "interval": (interval, VALUES),
    "ratio_interval": (ratio_interval, VALUES, VALUES[::-1]),
    "beta_interval": (partial(beta_interval, published=0.5, signed=True), STEPS, CURVES[:1] - CURVES, CURVES[0]),
    "Sensitivity.interval": (Sensitivity(VALUES[None], IDS, "m").interval,),
    "Fidelity.interval": (Fidelity("nodes", "zero", STEPS[1:2], SCORES, IDS).interval, "plus", "probability"),
    "Fidelity.characterization": (Fidelity("nodes", "zero", STEPS[1:2], SCORES, IDS).characterization,),
    "Fidelity.to_frame": (Fidelity("nodes", "zero", STEPS[1:2], SCORES, IDS).to_frame,),
    "MaskingCurve.accuracy_interval": (MASKED.accuracy_interval,),
    "MaskingCurve.faithfulness": (MASKED.faithfulness,),
    "ForecastMaskingCurve.interval": (FORECASTS.interval,),
    "ForecastMaskingCurve.faithfulness": (FORECASTS.faithfulness,),
    "ForecastMaskingCurve.to_frame": (FORECASTS.to_frame,),
    "DeletionCurve.area": (DELETED.area,),
    "DeletionCurve.to_frame": (DELETED.to_frame,),
    "Complexity.interval": (complexity(MAPS, VALID).interval, "gini"),
    "Complexity.to_frame": (complexity(MAPS, VALID).to_frame,),
    "Localisation.interval": (localisation(MAPS, MAPS > 1, VALID).interval, "positions", "auroc"),
    "Localisation.to_frame": (localisation(MAPS, MAPS > 1, VALID).to_frame,),
    "sign_flip_test": (sign_flip_test, CURVES.ravel() - 1),
    "compare_groups": (compare_groups, EXPLANATION, ["a", "b"] * 6),
    "Comparison": (Comparison, {"m": {"a": VALUES}}, {"m": True}, IDS),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_left_out(name):
    function, *arguments = CALLS[name]
    taken = inspect.signature(function).parameters
    defaults = {word: value for word, value in DEFAULTS.items() if word in taken}
    assert {word: taken[word].default for word in defaults} == defaults
    found, expected = function(*arguments), function(*arguments, **defaults)
    if isinstance(found, Result):
        found, expected = found.to_frame(), expected.to_frame()
    if isinstance(found, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        np.testing.assert_array_equal(found, expected)


def test_class_importance_keeps_200_resamples_in_one_process_and_in_many():
    whole, parts = (inspect.signature(one).parameters for one in (ClassImportance, dataset.class_importance))
    importance = ClassImportance(["throw"], ["a", "b", "c", "d"])
    importance.update(EXPLANATION, np.zeros(COUNT, int), np.ones(COUNT, bool))
    assert importance.draws.shape == (200, 1, 4)
    assert [one["resamples"].default for one in (whole, parts)] == [200, 200]
    assert [one["seed"].default for one in (whole, parts)] == [importance.seed, 0] == [0, 0]
    np.testing.assert_array_equal(importance.interval(), importance.interval(confidence=0.95))


def test_what_measures_of_models_leave_out():
    model, of, psi = linear(), batch(), np.array([[4.0, 3, 2, 1], [1, 2, 3, 4], [2, 4, 1, 3]])
    maps = model.contributions(of.x)
    curve = masking_curve(model, of, psi, nodes=1)
    np.testing.assert_allclose(curve.masking, np.arange(10) / 10)
    explicit = masking_curve(model, of, psi, nodes=1, seed=0, baseline="zero")
    np.testing.assert_array_equal(curve.correct["random"], explicit.correct["random"])
    assert curve.baseline == "zero"
    found = fidelity(model, of, maps)
    assert (found.share.tolist(), found.over, found.baseline) == ([0.1, 0.2, 0.3, 0.5], "positions", "mean")
    explicit = fidelity(model, of, maps, seed=0, focus="model", ranking="signed")
    np.testing.assert_array_equal(found.scores["plus"]["probability"], explicit.scores["plus"]["probability"])
    changes = sensitivity_max(Motion(), of).changes
    assert changes.shape == (10, 6)
    explicit = sensitivity_max(Motion(), of, radius=0.1, relative=True, draws=10, seed=0)
    np.testing.assert_array_equal(changes, explicit.changes)


def test_forecasts_are_masked_in_ten_steps_and_entirely():
    class Last(nn.Module):
        def forward(self, x):
            return x[:, -1:]

    x = torch.arange(12.0).view(2, 2, 3)
    options = {"nodes": 1, "y": x[:, :1], "layout": "b t n", "inputs": "b t n"}
    curve = forecast_masking_curve(Last(), x, [0.0, 1.0, 2.0], **options)
    np.testing.assert_allclose(curve.masking, np.arange(11) / 10)
    assert curve.baseline == "mean"
    explicit = forecast_masking_curve(Last(), x, [0.0, 1.0, 2.0], seed=0, **options)
    np.testing.assert_array_equal(curve.sums["random"]["error"], explicit.sums["random"]["error"])


def test_time_is_divided_into_eight():
    assert (compare_groups(EXPLANATION, ["a", "b"] * 6).to_frame()["kind"] == "time").sum() == 8
    x = torch.arange(32.0).view(1, 8, 4)
    found = effect(nn.Flatten(), x, torch.zeros_like(x), target=lambda out: out.sum(1), inputs="b t n")
    # Of a sum each position has the effect that it adds; a twentieth of the largest is 1.55.
    np.testing.assert_array_equal(found.values, x.numpy())
    np.testing.assert_array_equal(found.used(), x.numpy() > 1.55)


@pytest.mark.parametrize("name", ["masking_curve", "effect"])
def test_whole_datasets_leave_out_what_batches_do(name):
    of_dataset, of_batch = getattr(dataset, name), {"masking_curve": masking_curve, "effect": effect}[name]
    whole, one = inspect.signature(of_dataset).parameters, inspect.signature(of_batch).parameters
    for word in {"masking", "seed", "windows", "sets", "baseline"} & set(whole):
        assert whole[word].default == one[word].default
    arguments = {"masking_curve": (np.ones((2, 4)),), "effect": ()}[name]
    with pytest.raises(InputError, match="clips: got a Batch"):
        of_dataset(linear(), batch(), *arguments, **({"nodes": 1} if name == "masking_curve" else {}))
