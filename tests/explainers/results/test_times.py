"""Times of frames: which unit people count them in, from which size on, and what is said of them."""

import numpy as np
import pytest

from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.times import as_lags, times_in_words, times_of


def of(time, unit="frame", values=None) -> Explanation:
    values = np.ones(len(time)) if values is None else np.asarray(values, np.float64)
    return Explanation(
        values.reshape(1, 1, -1, 1), np.ones((1, 1, len(time)), bool), time=np.asarray(time, np.float64), time_unit=unit
    )


@pytest.mark.parametrize(
    ("minutes", "expected", "unit"),
    [
        ([-2880, -1440, 0], [-2, -1, 0], "d"),
        ([-1440, -720, 0], [-24, -12, 0], "h"),
        ([-120, -60, 0], [-2, -1, 0], "h"),
        ([-120, -30, 0], [-120, -30, 0], "min"),
        ([-60.001, 0], [-60.001, 0], "min"),
        # Seconds divided by sixty: whole to nine digits.
        ([-60 * (1 + 1e-11), 0], [-1, 0], "h"),
        ([0], [0], "min"),
    ],
)
def test_lags_are_in_days_or_hours_where_all_are_whole_ones(minutes, expected, unit):
    found, its_unit = as_lags(np.array(minutes, np.float64))
    assert (found.tolist(), its_unit) == (expected, unit)


@pytest.mark.parametrize(
    ("time", "given", "expected", "unit"),
    [
        # Windows end with zero, a minute apart at least; what is shorter is in seconds.
        ([-120, -60, 0], "s", [-2, -1, 0], "min"),
        ([-118, -59, 0], "s", [-118, -59, 0], "s"),
        ([-7200, -3600, 0], "s", [-2, -1, 0], "h"),
        ([0, 60, 120], "s", [0, 60, 120], "s"),
        ([-120, -60, 1], "s", [-120, -60, 1], "s"),
        ([0], "s", [0], "s"),
        ([0, 1, 2], "frame", [0, 1, 2], "frame"),
        ([-120, -60, 0], "frame", [-120, -60, 0], "frame"),
        ([0, 0.5, 1], "frame", [0, 0.5, 1], "s"),
        ([0, 1, 1.5], "frame", [0, 1, 1.5], "s"),
    ],
)
def test_the_unit_of_times(time, given, expected, unit):
    found, its_unit = times_of(of(time, given))
    assert (found.tolist(), its_unit) == (expected, unit)


@pytest.mark.parametrize(
    ("time", "values", "words"),
    [
        ([-7200, -3600, 0], [1, 5, 2], ("2 to 0 h earlier", "1 h earlier")),
        ([-172800, -86400, 0], [1, 5, 2], ("2 to 0 days earlier", "1 day earlier")),
        ([-172800, -86400, 0], [5, 1, 2], ("2 to 0 days earlier", "2 days earlier")),
        ([-7200, -3600, 0], [1, 5, 6], ("2 to 0 h earlier", "the last observation")),
        ([-7200, -3600, 0], [0, 0, 0], ("2 to 0 h earlier", "")),
        ([-7200, -3600, 0], [-3, -1, -2], ("2 to 0 h earlier", "")),
        ([0.25, 0.75, 1.25], [1, 2, 5], ("0.25 to 1.25 s", "1.25 s")),
        ([0.25, 0.75, 1.25], [0, 0, 0], ("0.25 to 1.25 s", "")),
        # Of equals the first.
        ([0.25, 0.75, 1.25], [3, 1, 3], ("0.25 to 1.25 s", "0.25 s")),
        ([0, 1, 2], [1, 5, 2], ("", "")),
    ],
)
def test_the_span_and_the_peak(time, values, words):
    unit = "frame" if time == [0, 1, 2] else "s"
    assert times_in_words(of(time, unit, values)) == words


def test_the_peak_is_of_all_samples_instances_and_nodes():
    values = np.zeros((2, 2, 3, 2))
    values[0, 0, 0, 0] = 3
    values[0, 1, 1, 1] = values[1, 0, 1, 0] = 2
    values[1, 1, 2, 1] = -9
    e = Explanation(values, np.ones((2, 2, 3), bool), time=[0.0, 0.5, 1.0], time_unit="s")
    assert times_in_words(e) == ("0.00 to 1.00 s", "0.50 s")
    assert times_in_words(e[:0]) == ("", "")
