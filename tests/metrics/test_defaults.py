"""What is left out is the same everywhere: 1,000 resamples of seed 0 at 95%, and 9,999 permutations."""

import inspect
from functools import partial

import numpy as np
import pandas as pd
import pytest

from stexplain.explainers.explanation import Explanation
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
    localisation,
    sign_flip_test,
)
from stexplain.metrics.comparison.result import Comparison
from stexplain.metrics.deletion import DeletionCurve
from stexplain.metrics.masking import beta_interval

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
    if hasattr(found, "table"):
        found, expected = found.table, expected.table
    if isinstance(found, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(found, Comparison):
        pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())
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
