"""Bins of a calibration, against a plain loop over positions in order."""

from collections import Counter

import numpy as np
import pytest

from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results import calibration
from stexplain.explainers.results.calibration import _binned, relative_importance


def slow(x: list[float], wrong: list[bool], most: int) -> list[tuple[float, float, int]]:
    """Positions by rising importance fill bins of one size, the first ones of one more where it does not divide."""
    order = sorted(range(len(x)), key=lambda at: x[at])
    bins = min(most, len(x))
    size, more = divmod(len(x), bins)
    bin_at = [index for index in range(bins) for _ in range(size + (index < more))]
    counts = Counter(x)
    members: dict[tuple[int, bool], list[int]] = {}
    begins: dict[float, int] = {}
    for rank, at in enumerate(order):
        begins.setdefault(x[at], bin_at[rank])
        # More than fill a bin have one for themselves.
        members.setdefault((begins[x[at]], counts[x[at]] > size), []).append(at)
    return [
        (float(np.mean([x[at] for at in each])), float(np.mean([wrong[at] for at in each])), len(each))
        for _, each in sorted(members.items())
    ]


@pytest.mark.parametrize("most", [1, 3, 4])
@pytest.mark.parametrize("seed", range(12))
def test_equals_a_plain_loop(monkeypatch: pytest.MonkeyPatch, most: int, seed: int) -> None:
    monkeypatch.setattr(calibration, "_BINS", most)
    random = np.random.default_rng(seed)
    # Few values, so that many are equal, and now and then as many as fill a bin.
    x = random.integers(0, int(random.integers(1, 7)), int(random.integers(1, 14))).astype(np.float64)
    wrong = random.random(len(x)) < 0.5
    expected = slow(x.tolist(), wrong.tolist(), most)
    np.testing.assert_allclose(np.transpose(_binned(x, wrong)), expected)
    assert sum(number for *_, number in expected) == len(x)


def test_as_many_equal_ones_as_fill_a_bin_share_it_with_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_BINS", 2)
    at, rate, number = _binned(np.array([1.0, 2.0, 2.0, 3.0]), np.array([True, False, False, False]))
    assert (number.tolist(), at.tolist(), rate.tolist()) == ([3, 1], [5 / 3, 3], [1 / 3, 0])
    at, _, number = _binned(np.array([1.0, 2.0, 2.0, 2.0]), np.zeros(4, bool))
    assert (number.tolist(), at.tolist()) == ([1, 3], [1, 2])


@pytest.mark.parametrize("seen", range(4))
def test_relative_importance_is_over_the_mean_of_the_observed_positions(seen: int) -> None:
    values = np.arange(1.0, 13.0).reshape(1, 2, 2, 3)
    observed = (np.arange(12) < seen).reshape(values.shape)
    e = Explanation(values * observed, np.ones((1, 2, 2), bool), tuple("abc"), observed=observed)
    mean = (seen + 1) / 2  # of 1, 2, ..
    np.testing.assert_allclose(relative_importance(e), values * observed / mean)
