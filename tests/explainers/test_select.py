"""Sets of positions keep the share of wrong members that they promise, where the calibration holds."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.explainers import Calibration, Explanation
from stexplain.explainers.results import select as select_module
from stexplain.explainers.results.calibrated import bundled
from stexplain.explainers.results.calibration import _binned

SAMPLES = Path(__file__).with_name("calibrated")


def samples(count, seed, signal=2.0):
    """Maps whose right positions, a tenth of all, are larger on average: exponential, with `signal` times the mean."""
    rng = np.random.default_rng(seed)
    truth = rng.random((count, 1, 16, 40)) < 0.1
    values = rng.exponential(size=truth.shape) * np.where(truth, 1 + 3 * signal, 1)
    return Explanation(values, np.ones((count, 1, 16), bool), method="ours"), truth


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_the_share_of_wrong_members_is_the_promised_one(share):
    e, truth = samples(600, 1)
    calibration = Calibration.of(*samples(600, 0))
    chosen = e.select(share, calibration=calibration)
    measured = (chosen & ~truth).sum() / chosen.sum()
    # At most the promise, and not far below it: an empty set would keep any.
    assert 0.6 * share < measured < 1.1 * share


def test_the_local_rate_is_that_of_the_two_distributions():
    calibration = Calibration.of(*samples(4000, 0))
    scale = 0.9 + 0.1 * 7  # the mean of a map
    at = np.array([0.5, 2.0, 4.0])
    null, right = 0.9 * np.exp(-at * scale), 0.1 / 7 * np.exp(-at * scale / 7)
    np.testing.assert_allclose(calibration.at(at), null / (null + right), atol=0.04)


def test_where_nothing_tells_positions_apart_the_set_is_empty():
    e, _ = samples(50, 1, signal=0)
    assert not e.select(0.1, calibration=Calibration.of(*samples(500, 0, signal=0))).any()


def test_of_equally_important_positions_all_are_chosen_or_none():
    e, truth = samples(300, 0)
    calibration = Calibration.of(e, truth)
    # In steps, as of a network that counts.
    coarse = dataclasses.replace(samples(20, 1)[0], values=np.floor(samples(20, 1)[0].values))
    chosen = coarse.select(0.2, calibration=calibration)
    assert 0.01 < chosen.mean() < 0.2
    for values, mask in zip(coarse.values, chosen, strict=True):
        assert not set(values[mask]) & set(values[~mask])


def test_a_larger_share_keeps_what_a_smaller_one_chose():
    e, _ = samples(20, 2)
    calibration = Calibration.of(*samples(500, 0))
    small, large = (e.select(share, calibration=calibration) for share in (0.1, 0.3))
    assert (large >= small).all()
    assert large.sum() > small.sum()


def test_scale_and_padding_change_nothing():
    e, _ = samples(5, 3)
    calibration = Calibration.of(*samples(500, 0))
    chosen = e.select(0.2, calibration=calibration)
    np.testing.assert_array_equal(
        dataclasses.replace(e, values=1000 * e.values).select(0.2, calibration=calibration), chosen
    )
    padded = Explanation(
        np.pad(e.values, ((0, 0), (0, 0), (0, 8), (0, 0)), constant_values=99),
        np.pad(e.valid, ((0, 0), (0, 0), (0, 8))),
        method="ours",
    )
    found = padded.select(0.2, calibration=calibration)
    np.testing.assert_array_equal(found[:, :, :16], chosen)
    assert not found[:, :, 16:].any()


def test_refused_where_nothing_supports_it():
    e, truth = samples(20, 0)
    with pytest.raises(
        InputError, match="no calibration is known of 'ours' on this data.*was not measured.*Calibration.of"
    ):
        e.select()
    with pytest.raises(InputError, match="share: got 1"):
        e.select(1, calibration=Calibration.of(e, truth))
    other = Calibration.of(dataclasses.replace(e, method="theirs"), truth)
    with pytest.raises(InputError, match="calibration: got one of 'theirs'.*expected one of 'ours'"):
        e.select(0.1, calibration=other)
    with pytest.raises(InputError, match="truth: got the same everywhere"):
        Calibration.of(e, np.zeros_like(truth))


def test_a_calibration_survives_a_file_of_plain_json():
    e, truth = samples(100, 0)
    made = dataclasses.replace(Calibration.of(e, truth, "a game"), measured={0.1: 0.09, 0.2: 0.21})
    again = Calibration.from_dict(json.loads(json.dumps(made.to_dict())))
    assert (again.method, again.reduce, again.data) == ("ours", "", "a game")
    assert again.nodes == e.node_names
    assert again.measured == {0.1: 0.09, 0.2: 0.21}
    # Runs of equal rates are kept by their ends: the function is the same.
    assert len(again.wrong) < len(made.wrong)
    at = np.linspace(0, 10, 1001)
    np.testing.assert_allclose(again.at(at), made.at(at), atol=1e-12)


def test_a_bundled_one_is_taken_for_its_own_nodes_alone_and_says_what_it_promises(monkeypatch):
    e, truth = samples(100, 0)
    made = dataclasses.replace(Calibration.of(e, truth, "a game"), measured={0.1: 0.09})
    monkeypatch.setattr(select_module, "bundled", lambda: (made,))
    with pytest.warns(
        UserWarning, match="positions is expected to be wrong, for data and models like a game. Measured"
    ):
        chosen = e.select(0.1)
    np.testing.assert_array_equal(chosen, e.select(0.1, calibration=made))
    other = dataclasses.replace(e, node_names=tuple(f"sensor {index}" for index in range(40)))
    with pytest.raises(InputError, match="was measured of a game, and says nothing of other nodes"):
        other.select(0.1)


@pytest.mark.parametrize("calibration", bundled(), ids=lambda one: one.data)
def test_bundled_calibrations_keep_their_promise_on_a_sample(calibration):
    """Maps of clips and of a network that took no part in the fit, as `benchmarks/calibrate.py` left them."""
    [sample] = [
        found
        for path in sorted(SAMPLES.glob("*.npz"))
        for found in [np.load(path)]
        if found["truth"].shape[3] == len(calibration.nodes)
    ]
    e = Explanation(
        sample["importance"].astype(np.float32),
        sample["valid"],
        calibration.nodes,
        method=calibration.method,
        reduce=calibration.reduce,
    )
    sizes = []
    for share, known in calibration.measured.items():
        with pytest.warns(UserWarning, match=f"select: A share of at most {share:g}"):
            chosen = e.select(share)
        sizes.append(chosen.sum())
        # Sixty clips are a sample: what was measured on a thousand, give or take.
        assert abs((chosen & ~sample["truth"]).sum() / chosen.sum() - known) < 0.06
        # What is promised is an expectation, and is kept on others of its kind.
        assert known <= 1.25 * share
    assert sizes == sorted(sizes)


def test_positions_of_equal_importance_have_one_rate_wherever_they_lie():
    """By their order in the sample those that come last would be right for certain, half of all that they are."""
    values = np.zeros((1, 1, 1000, 2))
    values[..., 0] = 1.0
    rates = []
    for right in (slice(0, 500), slice(500, 1000), slice(0, 1000, 2)):
        truth = np.zeros(values.shape, bool)
        truth[0, 0, right, 0] = True
        calibration = Calibration.of(Explanation(values, np.ones((1, 1, 1000), bool)), truth)
        rates.append(calibration.at(np.array([0.0, 2.0])).tolist())
    assert rates == [[1.0, 0.5]] * 3


def test_bins_are_of_equal_count_but_for_equals():
    x = np.array([0.0] * 50 + [*np.arange(1.0, 1951.0)])
    at, shares, counts = _binned(x, x < 1000)
    assert (at[0], counts[0], counts.sum()) == (0.0, 50, 2000)
    assert set(counts[1:].tolist()) == {10}
    assert (np.diff(at) > 0).all()
    np.testing.assert_allclose((shares * counts).sum(), (x < 1000).sum())


def test_what_is_no_calibration():
    values = np.linspace(0, 1, 400).reshape(1, 1, 100, 4)
    good = Calibration.of(Explanation(values, np.ones((1, 1, 100), bool)), values > 0.5).to_dict()
    assert Calibration.from_dict(good).to_dict() == good
    for changed in ({"importance": iter([1])}, {"wrong": ["a"]}, {"measured": [1]}, {"nodes": 3}):
        with pytest.raises(InputError, match=r"^values: got a dict that is no calibration .*Calibration\.to_dict"):
            Calibration.from_dict({**good, **changed})
    for name in ("method", "importance", "measured"):
        with pytest.raises(InputError, match=rf"^values: got a dict that is no calibration .*{name}"):
            Calibration.from_dict({key: value for key, value in good.items() if key != name})
