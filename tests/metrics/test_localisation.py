import numpy as np
import pytest
import torch

import stexplain as stx
from stexplain.errors import InputError
from stexplain.explainers.methods import Random
from stexplain.metrics import Localisation, localisation
from tests.reference.scores import slow_auroc, slow_average_precision, slow_mask_scores


def planted(samples=6, seed=0, ties=False):
    random = np.random.default_rng(seed)
    values = random.normal(size=(samples, 2, 7, 4))
    if ties:
        values = np.maximum(values.round(0), 0)
    truth = random.random((samples, 2, 7, 4)) < 0.15
    truth[:, :, :, 0] = truth[:, :, 0] = False
    truth[:, 0, 1, 2] = True
    valid = random.random((samples, 2, 7)) > 0.3
    valid[:, 0, :2] = True
    valid[0, 1] = False
    return values, truth, valid


def flat(values, truth, valid, over, row):
    """What is to be ranked, by loops."""
    value, true, ok = values[row], truth[row], valid[row]
    positions = [(m, t, n) for m, t, n in np.ndindex(value.shape) if ok[m, t]]
    if over == "positions":
        return np.array([value[position] for position in positions]), np.array(
            [true[position] for position in positions]
        )
    axis = {"nodes": 2, "frames": 1}[over]
    items = sorted({position[axis] for position in positions})
    groups = [[position for position in positions if position[axis] == item] for item in items]
    return (
        np.array([np.mean([value[position] for position in group]) for group in groups]),
        np.array([any(true[position] for position in group) for group in groups]),
    )


@pytest.mark.parametrize("over", ["nodes", "frames", "positions"])
@pytest.mark.parametrize("ties", [False, True])
def test_equals_all_pairs(over, ties):
    values, truth, valid = planted(ties=ties)
    scores = localisation(values, truth, valid).scores[over]
    for row in range(len(values)):
        value, true = flat(values, truth, valid, over, row)
        assert 0 < true.sum() < len(true)
        assert scores["auroc"][row] == pytest.approx(slow_auroc(value, true), abs=1e-12)
        assert scores["average_precision"][row] == pytest.approx(slow_average_precision(value, true), abs=1e-12)
        assert scores["pointing"][row] == pytest.approx(true[value == value.max()].mean())
        assert scores["prevalence"][row] == pytest.approx(true.mean())


@pytest.mark.parametrize("over", ["nodes", "frames", "positions"])
@pytest.mark.parametrize("ties", [False, True])
def test_areas_information_and_entropy_equal_their_definitions(over, ties):
    values, truth, valid = planted(samples=3, ties=ties)
    scores = localisation(values, truth, valid).scores[over]
    for row in range(len(values)):
        expected = slow_mask_scores(*flat(values, truth, valid, over, row))
        for name in ("aup", "aur"):
            # The slow integral errs by at most one of its intervals per value.
            assert scores[name][row] == pytest.approx(expected[name], abs=84 / 5_000)
        for name in ("information", "entropy"):
            assert scores[name][row] == pytest.approx(expected[name], rel=1e-9)


def test_a_mask_by_hand():
    # Min-max: 0, 1/4, 1/2, 1; the true positions are those of 1 and 1/4.
    scores = localisation([[[[2.0, 3.0, 4.0, 6.0]]]], np.array([[[[False, True, False, True]]]])).scores["positions"]
    # Precision is 1 above 1/2, 1/2 above 1/4, 2/3 above 0; recall 1/2, 1/2 and 1.
    assert scores["aup"] == pytest.approx(0.5 * 1 + 0.25 * 0.5 + 0.25 * 2 / 3)
    assert scores["aur"] == pytest.approx(0.5 * 0.5 + 0.25 * 0.5 + 0.25)
    assert scores["information"] == pytest.approx(-np.log(3 / 4) - np.log(1e-5))
    assert scores["entropy"] == pytest.approx(-np.log(1 / 4) / 4 - 3 / 4 * np.log(3 / 4))


def test_masks_that_find_all_and_none():
    _, truth, valid = planted()
    truth &= valid[..., None]
    best = localisation(truth, truth, valid).scores["positions"]
    assert np.allclose(best["aup"], 1)
    assert np.allclose(best["aur"], 1)
    assert np.allclose(best["entropy"], 0)
    assert np.allclose(best["information"], truth.sum((1, 2, 3)) * -np.log(1e-5))
    nothing = localisation(np.ones(truth.shape), truth, valid).scores["positions"]
    for name in ("aup", "aur", "information", "entropy"):
        assert np.allclose(nothing[name], 0)


def test_neither_the_scale_of_a_map_nor_padding_changes_a_score():
    values, truth, valid = planted()
    one = localisation(values, truth, valid)
    two = localisation(
        np.pad(values * 8 - 16, ((0, 0), (0, 1), (0, 3), (0, 0)), constant_values=99.0),
        np.pad(truth, ((0, 0), (0, 1), (0, 3), (0, 0))),
        np.pad(valid, ((0, 0), (0, 1), (0, 3))),
    )
    for over, scores in one.scores.items():
        for score, numbers in scores.items():
            assert np.allclose(numbers, two.scores[over][score], atol=1e-10)


def test_single_readings_that_are_missing_take_no_part():
    values, truth, valid = planted()
    positions = np.broadcast_to(valid[..., None], values.shape).copy()
    positions[..., 3] = False
    one, two = localisation(values, truth, positions), localisation(values[..., :3], truth[..., :3], valid)
    for over, scores in one.scores.items():
        for score, numbers in scores.items():
            assert np.allclose(numbers, two.scores[over][score], atol=1e-12, equal_nan=True)


def test_a_perfect_a_reversed_and_a_constant_map():
    _, truth, valid = planted()
    truth &= valid[..., None]
    for values, auroc in ((truth, 1.0), (~truth, 0.0), (np.ones(truth.shape), 0.5)):
        scores = localisation(values, truth, valid).scores["positions"]
        assert np.allclose(scores["auroc"], auroc)
    assert np.allclose(scores["average_precision"], scores["prevalence"])
    assert np.allclose(scores["pointing"], scores["prevalence"])
    assert np.allclose(localisation(truth, truth, valid).scores["positions"]["average_precision"], 1)


def test_what_lies_on_padding_does_not_count():
    values, truth, valid = planted()
    other, elsewhere = values.copy(), truth.copy()
    other[~valid] = 1e6
    elsewhere[~valid] = True
    one, two = localisation(values, truth, valid), localisation(other, elsewhere, valid)
    for over, scores in one.scores.items():
        for score, values_ in scores.items():
            assert np.array_equal(values_, two.scores[over][score])


def test_samples_with_nothing_to_find_are_counted():
    values, truth, valid = planted()
    truth[1] = False
    truth[2] = True
    valid[3] = False
    result = localisation(values, truth, valid)
    assert result.excluded("positions") == 3
    assert np.isnan(result.scores["positions"]["auroc"][[1, 2, 3]]).all()
    table = result.to_frame().set_index(["over", "score"])
    assert table.loc[("positions", "auroc"), "excluded"] == 3
    assert table.loc[("positions", "auroc"), "samples"] == 3
    kept = localisation(values[[0, 4, 5]], truth[[0, 4, 5]], valid[[0, 4, 5]])
    assert kept.interval("positions", "auroc") == result.interval("positions", "auroc")


def test_intervals_are_of_a_thousand_resamples_unless_told():
    result = localisation(*planted(12))
    stated = {"seed": 0, "resamples": 1000, "confidence": 0.95}
    assert result.interval("positions", "auroc") == result.interval("positions", "auroc", **stated)
    assert result.interval("positions", "auroc") != result.interval("positions", "auroc", resamples=1001)
    assert result.to_frame().equals(result.to_frame(**stated))


def test_a_guess_is_a_half():
    _, truth, _ = planted(300)
    values = Random(seed=1, inputs="b m t n c")(torch.randn(300, 2, 7, 4, 1)).values
    result = localisation(values, truth)
    for over in ("nodes", "frames", "positions"):
        interval = result.interval(over, "auroc", confidence=0.999)
        assert interval.low < 0.5 < interval.high
        assert interval.high - interval.low < 0.2


def test_parts_join_and_one_sample_needs_no_batch():
    values, truth, valid = planted()
    whole = localisation(values, truth, valid)
    parts = Localisation.joined(
        [localisation(values[i : i + 2], truth[i : i + 2], valid[i : i + 2]) for i in (0, 2, 4)]
    )
    alone = stx.metrics.localisation(torch.from_numpy(values[3]), torch.from_numpy(truth[3]), valid[3])
    for over, scores in whole.scores.items():
        for score, numbers in scores.items():
            assert np.array_equal(numbers, parts.scores[over][score])
            assert alone.scores[over][score][0] == numbers[3]


def test_wrong_use():
    values, truth, valid = planted()
    with pytest.raises(InputError, match="truth has shape"):
        localisation(values, truth[:, :1], valid)
    with pytest.raises(InputError, match="valid has shape"):
        localisation(values, truth, valid[:, :, :3])
    values[0, 0, np.flatnonzero(valid[0, 0])[0], 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        localisation(values, truth, valid)
