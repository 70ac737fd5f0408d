"""A sensor that was silent throughout is none: what is measured of the others is as if it were not there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stexplain.data.samples import Batch
from stexplain.explainers.explain import explain
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.layer.layer_sweep import LayerSweep
from stexplain.explainers.results.calibration import Calibration
from stexplain.metrics import ClassImportance, compare_groups, complexity, localisation
from stexplain.metrics.comparison.scores import complexity_score, localisation_score

SAMPLES, FRAMES, NODES, SILENT = 12, 8, 5, 2
OTHERS = [node for node in range(NODES) if node != SILENT]
NAMES = tuple("abcde")
RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(SAMPLES, 1, FRAMES, NODES)).astype(np.float32) + 0.5
LATER = VALUES + RANDOM.normal(size=VALUES.shape).astype(np.float32)
TRUTH = RANDOM.random(VALUES.shape) > 0.6
VALID = np.ones(VALUES.shape[:3], bool)
VALID[::3, :, 6:] = False
SEEN = np.ones(VALUES.shape, bool)
SEEN[..., SILENT] = False
SIDES, LABELS = ["one", "other"] * (SAMPLES // 2), [row % 2 for row in range(SAMPLES)]


def explained(values: np.ndarray, silent: bool) -> Explanation:
    """With a silent sensor, or of the others alone."""
    ids, values = tuple(map(str, range(SAMPLES))), values * VALID[..., None]
    if silent:
        return Explanation(values * SEEN, VALID, NAMES, ids=ids, observed=SEEN, method="m")
    return Explanation(values[..., OTHERS], VALID, tuple(NAMES[node] for node in OTHERS), ids=ids, method="m")


def batch(silent: bool) -> Batch:
    x, valid, label = torch.zeros(*VALUES.shape, 1), torch.as_tensor(VALID), torch.zeros(SAMPLES, dtype=torch.int64)
    whole = Batch(x, valid, label, tuple(map(str, range(SAMPLES))), torch.as_tensor(TRUTH))
    if silent:
        return replace(whole, observed=torch.as_tensor(SEEN))
    return replace(whole, x=x[..., OTHERS, :], truth=torch.as_tensor(TRUTH[..., OTHERS]))


def truth(silent: bool) -> np.ndarray:
    return TRUTH if silent else TRUTH[..., OTHERS]


def importance(silent: bool) -> ClassImportance:
    e = explained(VALUES, silent)
    found = ClassImportance(["throw", "kick"], e.node_names)
    found.update(e, LABELS, np.ones(SAMPLES, bool))
    return found


def of_others(table: pd.DataFrame) -> np.ndarray:
    return table[table["name"] != NAMES[SILENT]].select_dtypes("number").to_numpy()


def sweep(silent: bool) -> np.ndarray:
    parts = {"first": explained(VALUES, silent), "last": explained(LATER, silent)}
    return LayerSweep(parts).to_frame()[["nodes", "time", "positions"]].to_numpy()


def selected(silent: bool) -> np.ndarray:
    e = explained(VALUES, silent)
    found = e.select(0.4, calibration=Calibration.of(e, truth(silent)))
    return found[..., OTHERS] if silent else found


MEASURES = {
    "complexity": lambda silent: list(complexity(explained(VALUES, silent)).scores.values()),
    "localisation": lambda silent: localisation(explained(VALUES, silent), truth(silent)).scores["positions"]["auroc"],
    **{
        f"score: {metric.name}": lambda silent, metric=metric: metric(len, explained(VALUES, silent), batch(silent))
        for metric in (
            *(complexity_score(name) for name in ("gini", "sparsity", "entropy")),
            *(localisation_score(over, "auroc") for over in ("nodes", "frames", "positions")),
        )
    },
    "class importance": lambda silent: np.delete(importance(silent).psi, [SILENT] * silent, axis=1),
    "groups": lambda silent: of_others(compare_groups(explained(VALUES, silent), SIDES, windows=2).to_frame()),
    "layers": sweep,
    "calibration": lambda silent: Calibration.of(explained(VALUES, silent), truth(silent)).importance,
    "selection": selected,
}


@pytest.mark.parametrize("name", MEASURES)
def test_a_silent_sensor_is_none(name):
    with_it, without = (np.asarray(MEASURES[name](silent), np.float64) for silent in (True, False))
    assert np.isfinite(without).any()
    assert len(np.unique(without)) > 1
    np.testing.assert_allclose(with_it, without, rtol=1e-5)


def test_bounded_scores_have_their_bounds():
    assert [complexity_score(name).bounds for name in ("gini", "sparsity", "entropy")] == [(0.0, 1.0)] * 3


def test_a_sample_of_which_nothing_was_observed_does_not_change_how_others_are_explained():
    """Its map is empty whatever the method."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(8 * 3, 2))
    x = torch.randn(3, 8, 3, generator=torch.Generator().manual_seed(0))
    observed = torch.ones(3, 1, 8, 3, dtype=torch.bool)
    observed[1] = False
    e = explain(model, x, target=1, observed=observed, inputs="b t n")
    assert e.method == "expected fall"
    assert e.values[0].any()
    assert not e.values[1].any()
