import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.intervals.bootstrap import interval
from stexplain.metrics import MaskingCurve, faithfulness, masking_curve, node_sets
from tests.explainers.small_models import signals


def test_closed_forms():
    assert faithfulness([0, 0.1, 0.9], [0.8, 0.8, 0.8]) == 0
    assert faithfulness([0, 1], [0.5, 0]) == 1
    # 0.5 * 0.2 / 0.8 + 0.9 * 0.6 / 0.8
    assert faithfulness([0, 0.5, 0.9], [0.8, 0.6, 0.2]) == pytest.approx(0.8)
    # A gain counts as a loss does, and percent are as good as shares.
    assert faithfulness([0, 0.5], [50, 60]) == faithfulness([0, 0.5], [0.5, 0.4]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("masking", "accuracy", "words"),
    [
        ([0.1, 0.5], [0.8, 0.7], "0 first"),
        ([0, 1.5], [0.8, 0.7], r"\[0, 1\]"),
        ([0, 0.5], [0.8], "one accuracy for each"),
        ([0, 0.5], [0.0, 0.0], "divides by it"),
        ([], [], "one accuracy"),
    ],
)
def test_wrong_arguments(masking, accuracy, words):
    with pytest.raises(InputError, match=words):
        faithfulness(masking, accuracy)


def test_node_sets():
    psi = [0.3, 0.9, 0.1, 0.9, 0.2]
    sets = node_sets(psi, 2, np.random.default_rng(0))
    assert sorted(sets["highlighted"]) == [1, 3]
    assert sorted(sets["least"]) == [2, 4]
    assert len(set(sets["random"])) == 2
    drawn = np.bincount([i for seed in range(500) for i in node_sets(psi, 2, np.random.default_rng(seed))["random"]])
    assert (np.abs(drawn - 200) < 60).all()
    for wrong in (0, 6):
        with pytest.raises(InputError, match="between 1 and 5"):
            node_sets(psi, wrong, np.random.default_rng(0))
    with pytest.raises(InputError, match="NaN"):
        node_sets([np.nan, 1.0], 1, np.random.default_rng(0))


def test_nodes_that_are_equally_important_are_not_chosen_by_their_place():
    """As behind a ReLU, where most are zero; and a map that is the same everywhere."""
    random = [np.random.default_rng(seed) for seed in range(1000)]
    for psi, certain in (([0.0, 0.0, 0.7, 0.0, 0.0], 2), ([0.5] * 5, None)):
        sets = [node_sets(psi, 2, each) for each in random]
        for which, first in (("highlighted", certain), ("least", None)):
            drawn = np.bincount(np.concatenate([one[which] for one in sets]), minlength=5)
            if certain is not None:
                assert drawn[2] == (1000 if first == 2 else 0)
            others = np.delete(drawn, 2) if certain is not None else drawn
            assert (np.abs(others - others.mean()) < 5 * np.sqrt(others.mean())).all()
    # The random set is the same whatever the importance.
    drawn = [node_sets(psi, 2, np.random.default_rng(3))["random"].tolist() for psi in ([0.5] * 5, [1, 2, 3, 4, 5])]
    assert drawn[0] == drawn[1]


class Loudest(nn.Module):
    """Two classes: whether node 0 or node 1 is higher on average. Nodes 2 and 3 are never looked at."""

    def forward(self, x, valid=None):
        level = x.mean((1, 2, 4))
        return torch.stack([level[:, 0], level[:, 1] + 0.5], 1)


def batches():
    x = signals(40, 1, 6, 4, 1) * 0.1
    x[:20, :, :, 0] += 2
    x[20:, :, :, 1] += 2
    labels = torch.tensor([0] * 20 + [1] * 20)
    valid = torch.ones(40, 1, 6, dtype=torch.bool)
    ids = tuple(f"clip {row}" for row in range(40))
    return [Batch(x[a:b], valid[a:b], labels[a:b], ids[a:b]) for a, b in ((0, 15), (15, 40))]


PSI = [[0.9, 0.1, 0.3, 0.2], [0.1, 0.9, 0.2, 0.3]]


def test_curve_of_a_model_that_is_understood():
    model = Loudest().train()
    curve = masking_curve(model, batches(), PSI, nodes=1, masking=[0, 0.5, 0.9, 1], seed=1)
    assert model.training
    # Class 0 falls when node 0 is below 0.5, at m = 0.9 and 1; class 1 never falls, as 0 + 0.5 is above node 0.
    assert curve.accuracy("highlighted").tolist() == [1, 1, 0.5, 0.5]
    assert curve.accuracy("least").tolist() == [1, 1, 1, 1]
    assert 0.5 < curve.accuracy("random")[3] < 1
    assert curve.faithfulness("highlighted").value == pytest.approx(0.9 * 0.5 + 0.5)
    none = curve.faithfulness("least")
    # Nothing changes in any sample: the truth is zero, or as little as the rule of three leaves room for.
    assert none[:2] == (0, 0)
    assert 0 < none.high < 0.1
    low, high = curve.faithfulness("highlighted")[1:]
    assert 0.5 < low < 0.95 < high < 1.4
    assert curve.accuracy_interval("highlighted")[3].low < 0.5 < curve.accuracy_interval("highlighted")[3].high
    assert curve.ids == tuple(f"clip {row}" for row in range(40))


def test_the_cut_into_batches_does_not_matter():
    whole = masking_curve(Loudest(), batches(), PSI, nodes=1, masking=[0.9])
    halves = masking_curve(
        Loudest(),
        [part[i : i + 4] for part in batches() for i in range(0, len(part), 4)].__iter__(),
        PSI,
        nodes=1,
        masking=[0.9],
    )
    for which in whole.correct:
        assert np.array_equal(whole.correct[which], halves.correct[which])
    assert whole.masking.tolist() == [0, 0.9]
    other = masking_curve(Loudest(), batches(), PSI, nodes=1, masking=[0.9], seed=5)
    assert not np.array_equal(whole.correct["random"], other.correct["random"])


def test_without_masking_all_sets_are_the_samples_as_they_are():
    curve = masking_curve(Loudest(), batches(), PSI, nodes=1, masking=[0.0])
    assert {which: rows.shape for which, rows in curve.correct.items()} == dict.fromkeys(
        ("highlighted", "least", "random"), (1, 40)
    )
    one = masking_curve(Loudest(), batches(), PSI, nodes=1, masking=[1.0], sets=["least"])
    assert list(one.correct) == ["least"]
    whole = masking_curve(Loudest(), batches(), PSI, nodes=1, masking=[1.0])
    np.testing.assert_array_equal(one.correct["least"], whole.correct["least"])


def test_a_class_without_importance_uses_the_mean_of_the_others():
    curve = masking_curve(Loudest(), batches(), [PSI[0], [np.nan] * 4], nodes=1, masking=[1])
    assert curve.unranked == 20
    assert curve.accuracy("highlighted").tolist() == [1, 0.5]


def test_wrong_use():
    with pytest.raises(InputError, match="n=3"):
        masking_curve(Loudest(), batches(), [[1.0, 2, 3]] * 2, nodes=1)
    with pytest.raises(InputError, match="got 1 classes and the model predicts class 1"):
        masking_curve(Loudest(), batches(), PSI[:1], nodes=1)
    with pytest.raises(InputError, match="batches: got none"):
        masking_curve(Loudest(), [], PSI, nodes=1)
    with pytest.raises(InputError, match="NaN in every class"):
        masking_curve(Loudest(), batches(), [[np.nan] * 4] * 2, nodes=1)
    with pytest.raises(InputError, match="Did you mean 'zero'"):
        masking_curve(Loudest(), batches(), PSI, nodes=1, baseline="zeros")
    with pytest.raises(InputError, match="shares from 0 to 1 in ascending order"):
        masking_curve(Loudest(), batches(), PSI, nodes=1, masking=[2])
    with pytest.raises(InputError, match="sets: got none; expected at least one of"):
        masking_curve(Loudest(), batches(), PSI, nodes=1, sets=[])


class Positive(nn.Module):
    """One logit: whether node 0 is higher than node 1."""

    def forward(self, x):  # b n
        return x[:, 0] - x[:, 1]


def test_a_single_logit_has_two_classes():
    x = torch.tensor([[3.0, 1.0], [1.0, 3.0], [3.0, 1.0]])
    options = {"nodes": 1, "masking": [1], "inputs": "b n"}
    curve = masking_curve(Positive(), x, [[0.1, 0.9], [0.9, 0.1]], labels=[1, 0, 0], **options)
    assert curve.correct["highlighted"].tolist() == [[True, True, False], [False, False, True]]
    with pytest.raises(InputError, match="labels: got none for sample 0"):
        masking_curve(Positive(), x, [[0.1, 0.9], [0.9, 0.1]], **options)


def test_beta_where_masking_does_nothing_has_an_interval_that_holds_zero():
    """Correct or not by chance at every step: Eq. 7 adds up the noise, its signed form does not."""
    random = np.random.default_rng(0)
    masking = np.array([0.0, 0.3, 0.6, 0.9])
    plain, signed, holds = [], [], 0
    for run in range(300):
        kept = random.random(120) < 0.5
        draws = np.where(kept, random.random(120), random.random((4, 120)))
        curve = MaskingCurve(masking, {"highlighted": draws < 0.8}, ("",) * 120, "zero", 1, 0)
        found = curve.faithfulness(seed=run, resamples=200)
        plain.append(found.value)
        holds += found.low == 0
        signed.append(curve.faithfulness(signed=True, seed=run, resamples=200))
    assert min(plain) >= 0
    assert np.mean(plain) > 0.03
    # The mean of 300 numbers whose standard deviation is 0.06.
    assert abs(np.mean([one.value for one in signed])) < 0.01
    # 285 are expected of each; the standard deviation is 3.8. The low end of Eq. 7's is wrong on one side only.
    assert 276 <= sum(one.low <= 0 <= one.high for one in signed) <= 295
    assert 276 <= holds <= 300


def test_accuracy_has_the_interval_of_a_mean_of_zeros_and_ones():
    correct = np.random.default_rng(1).random((2, 60)) < 0.7
    curve = MaskingCurve(np.array([0.0, 1]), {"highlighted": correct}, ("",) * 60, "zero", 1, 0)
    with pytest.raises(InputError, match="unknown set .which. 'highlight'. Did you mean 'highlighted'"):
        curve.faithfulness("highlight")
    assert curve.accuracy().tolist() == [correct[0].mean(), correct[1].mean()]
    for groups in (None, np.arange(60) // 5):
        found = curve.accuracy_interval(groups=groups)
        assert found == [interval(row.astype(float), groups=groups, bounds=(0, 1)) for row in correct]


def test_beta_is_the_same_with_its_sign_where_accuracy_falls():
    correct = np.array([[True] * 10, [True] * 6 + [False] * 4, [True] * 3 + [False] * 7])
    curve = MaskingCurve(np.array([0, 0.5, 1]), {"highlighted": correct}, ("",) * 10, "zero", 1, 0)
    assert curve.faithfulness() == pytest.approx(curve.faithfulness(signed=True))
    assert curve.faithfulness().value == pytest.approx(0.5 * 0.4 + 0.7)
    # Five persons: what is the same in all clips of one is one observation.
    one, five = correct.repeat(2, axis=1), np.arange(20) // 4
    wider = MaskingCurve(np.array([0, 0.5, 1]), {"highlighted": one}, ("",) * 20, "zero", 1, 0)
    persons, clips = wider.faithfulness(groups=five), wider.faithfulness()
    assert persons.high - persons.low > 1.5 * (clips.high - clips.low)
    # Two are too few.
    assert curve.faithfulness(groups=[0] * 5 + [1] * 5).reason == "too few groups: 2"
    # Where masking mends what was wrong, Eq. 7 counts it and the sign tells.
    mended = MaskingCurve(np.array([0.0, 1]), {"highlighted": np.array([[True, False] * 20, [True] * 40])}, ("",) * 40,
                          "zero", 1, 0)  # fmt: skip
    assert mended.faithfulness().value == 1
    assert mended.faithfulness().low > 0
    assert mended.faithfulness(signed=True).high < 0


@pytest.mark.parametrize("masking", [[0, -0.1, 0.5], [0, 0.5, 1.5], [0.1, 0.5, 1], [-0.1, 0, 1]])
def test_maskings_are_shares_from_zero_on(masking):
    with pytest.raises(InputError, match="expected shares in"):
        faithfulness(masking, [0.8, 0.5, 0.2])


@pytest.mark.parametrize("accuracy", [np.nan, np.inf, -0.1])
def test_what_is_no_accuracy_has_no_beta(accuracy):
    with pytest.raises(InputError, match=r"accuracy: got .*; expected one of at least 0 for each masking"):
        faithfulness([0.0, 0.5, 1.0], [0.8, accuracy, 0.2])
