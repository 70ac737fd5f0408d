"""What results of metrics say of themselves: areas, tables and their first line, against sums by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stexplain.data.clips import Clips
from stexplain.errors import InputError
from stexplain.explainers.targets import Class, Predicted
from stexplain.graph import STGraph
from stexplain.intervals.bootstrap import interval
from stexplain.metrics import (
    ClassImportance,
    ForecastMaskingCurve,
    MaskingCurve,
    Sensitivity,
    complexity,
    effect_agreement,
    forecast_masking_curve,
    localisation,
    masking_curve,
)
from stexplain.metrics.comparison.baselines import best_baseline
from stexplain.metrics.comparison.result import Comparison
from stexplain.metrics.deletion import DeletionCurve
from stexplain.metrics.fidelity import Fidelity
from stexplain.metrics.groups.designs import within
from stexplain.metrics.truth.effect import effect
from stexplain.metrics.truth.margin import MarginOverOthers
from tests.metrics.small_batches import batch, linear
from tests.metrics.truth.test_agreement import effect_of

STEPS, IDS = np.array([0.0, 0.5, 1.0]), tuple("abcdef")
CORRECT = np.array([[1, 1, 1, 1, 0, 1], [1, 0, 1, 1, 0, 0], [0, 0, 1, 0, 0, 0]], bool)
MASKED = MaskingCurve(STEPS, {"highlighted": CORRECT, "random": CORRECT[::-1]}, IDS, "zero", 2, 0)
SUMS = np.array([[2.0, 6.0, 0.0, 1.0, 1.0, 1.0], [4.0, 6.0, 0.0, 1.0, 1.0, 1.0], [6.0, 9.0, 0.0, 1.0, 1.0, 1.0]])
COUNTS = np.array([2, 3, 0, 1, 1, 1])
FORECASTS = ForecastMaskingCurve(
    STEPS, {"highlighted": {"error": SUMS, "change": SUMS - SUMS[0]}}, COUNTS, IDS, "mean", 1
)
CHANGES = Sensitivity(np.array([[0.5, 1.0], [1.5, 0.0]]), ("a", "b"), "m")
EFFECT = effect_of([[[10.0, 0.0, 5.0], [4.0, 0.4, 2.0]]])
DELETED = DeletionCurve("insertion", "nodes", "zero", STEPS, SUMS, SUMS[:, None], IDS)
LOCALISED = localisation(np.ones((1, 1, 2, 2)), np.eye(2)[None, None] > 0)


def test_the_area_of_a_curve_of_masking_is_its_mean_over_masking():
    """By trapezoids: half of the ends and all of the middle, over two steps."""
    expected = (CORRECT[0] / 2 + CORRECT[1] + CORRECT[2] / 2) / 2
    np.testing.assert_allclose(MASKED.areas(), expected)
    np.testing.assert_allclose(MASKED.areas("random"), expected)
    found = FORECASTS.areas()
    np.testing.assert_allclose(np.delete(found, 2), [2.0, 2.25, 1, 1, 1])
    # Of a sample without a target there is none.
    assert np.isnan(found[2])
    np.testing.assert_allclose(FORECASTS.areas(measure="change")[:2], [1.0, 0.25])
    np.testing.assert_allclose(FORECASTS.curve(), SUMS.sum(1) / 8)


def test_a_table_has_a_row_for_each_set_and_step():
    table = MASKED.to_frame(resamples=50)
    assert table["set"].tolist() == ["highlighted"] * 3 + ["random"] * 3
    assert table["masking"].tolist() == [0.0, 0.5, 1.0] * 2
    np.testing.assert_allclose(table["accuracy"], [*CORRECT.mean(1), *CORRECT[::-1].mean(1)])
    for row, correct in zip(table.itertuples(), [*CORRECT, *CORRECT[::-1]], strict=True):
        assert (row.accuracy, row.low, row.high) == interval(correct.astype(float), bounds=(0, 1), resamples=50)
        assert (row.baseline, row.nodes) == ("zero", 2)
    assert CHANGES.to_frame().to_numpy().tolist() == [["a", 1.5, 1.0], ["b", 1.0, 0.5]]
    assert Sensitivity(CHANGES.changes, ("", ""), "m").to_frame()["sample"].tolist() == [0, 1]
    assert EFFECT.to_frame()[["window", "effect"]].to_numpy().tolist() == [
        [window, value] for window in (0, 1) for value in EFFECT.values[0, window].tolist()
    ]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (MASKED, "6 samples, 2 nodes masked, baseline zero"),
        (CHANGES, "2 samples by m, 2 draws"),
        (EFFECT, "1 sample: 2 windows of 3 groups of nodes"),
        (effect_agreement(np.ones((1, 1, 2, 3)), EFFECT), "1 sample with the effect"),
        (ClassImportance(["a", "b"], list("xyz")), "2 classes and 3 nodes, 0 samples"),
        (complexity(np.ones((3, 1, 2, 2))), "3 maps"),
        (LOCALISED, "1"),
        (DELETED, "6 samples: insertion of nodes"),
        (Fidelity("frames", "zero", STEPS[1:2], {}, IDS, "m"), "6 samples by m: frames, baseline zero"),
    ],
)
def test_a_result_says_of_what_it_is(result, words):
    assert words in repr(result)


def test_clips_are_masked_as_their_batches_are():
    random = np.random.default_rng(0)
    graph = STGraph.from_edges("wxyz", [("w", "x"), ("x", "y"), ("y", "z")])
    clips = Clips.from_arrays(
        random.normal(size=(70, 1, 6, 4, 2)), [0, 1] * 35, graph=graph, classes=["throw", "kick", "clap"]
    )
    psi = random.random((3, 4))
    of_clips = masking_curve(linear(), clips, psi, nodes=1, masking=[1.0])
    of_batches = masking_curve(linear(), clips.batches(11), psi, nodes=1, masking=[1.0])
    for which, correct in of_clips.correct.items():
        np.testing.assert_array_equal(correct, of_batches.correct[which])
    assert len(of_clips.ids) == 70


def test_the_margin_over_all_others_and_whose_it_is():
    logits = torch.tensor([[1.0, 3.0, 2.0], [4.0, 0.0, 1.0]], dtype=torch.float64)
    for target, classes in ((Class(2), [2, 2]), (Predicted(), [1, 0]), (Predicted().fixed([0, 1]), [0, 1])):
        margin = MarginOverOthers(target)
        expected = [
            row[k] - np.log(np.exp(np.delete(row, k)).sum()) for row, k in zip(logits.numpy(), classes, strict=True)
        ]
        np.testing.assert_allclose(margin(logits), expected)
        np.testing.assert_allclose(margin.fixed(classes)(logits), expected)
    assert MarginOverOthers(Class(2)).text() == "the margin of class 2 over all others"


def test_without_a_statistic_in_any_resample_there_is_no_interval_and_the_reason():
    importance = ClassImportance(["a"], list("xyz"))
    importance._units, importance.counts[:] = [{bytes([unit]): np.ones(3, bool) for unit in range(6)}], 6
    found = importance.interval(lambda psi: np.nan)
    assert (np.isnan(found.low), found.reason) == (True, "no resample has the statistic")


WRONG = {
    "resamples: got 0": lambda: interval([1.0, 2.0, 3.0], resamples=0),
    "confidence: got 1": lambda: interval([1.0, 2.0, 3.0], confidence=1.0),
    "confidence: got 0": lambda: interval([1.0, 2.0, 3.0], confidence=0.0),
    "got a list of 2 entries, of which there is no array": lambda: interval([1.0, 2.0], groups=["a", ["b", "c"]]),
    "unknown parity": lambda: ClassImportance(["a"], ["x"], parity="das2021"),
    "resamples: got -1": lambda: ClassImportance(["a"], ["x"], resamples=-1),
    "unknown set": lambda: MASKED.accuracy("lowest"),
    "unknown axis": lambda: best_baseline({"m": LOCALISED}, "node"),
    "unknown score": lambda: best_baseline({"m": LOCALISED}, "nodes", "auc"),
    "at least two methods": lambda: Comparison({"m": {"a": SUMS[0]}}, {"m": True}, IDS).tests(),
    "one is not in against=. The methods are one, two": lambda: Comparison(
        {"m": {"one": SUMS[0], "two": SUMS[0]}}, {"m": True}, IDS
    ).tests(["one", "two"]),
    "without random orders": lambda: replace(DELETED, random=SUMS[:, None][:, :0]).areas("gain"),
    "clusters: got 1; expected at least two": lambda: within(
        np.ones((1, 2)), np.ones((1, 2)), permutations=9, confidence=0.9, seed=0
    ),
    "counterfactual: got None": lambda: effect(linear(), batch()),
    "got no observed target": lambda: forecast_masking_curve(
        linear(4), batch(), np.ones(4), nodes=1, y=np.full((6, 1, 4), np.nan), layout="b n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", WRONG)
def test_what_is_refused(words):
    with pytest.raises(InputError, match=words):
        WRONG[words]()
