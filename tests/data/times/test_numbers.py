"""Times that are written as numbers: from which size on, to which, and which digits are dates."""

import numpy as np
import pandas as pd
import pytest

from stexplain.data.times.numbers import date_format, how_to_read, since_1970

UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds of each."""


@pytest.mark.parametrize(("unit", "power"), [("s", 0), ("ms", 3), ("us", 6), ("ns", 9)])
def test_seconds_to_nanoseconds_since_1970_by_their_size(unit, power):
    low, high = 10 ** (8 + power), 42 * 10 ** (8 + power)
    # Neither end is a date by its digits.
    for value in (low, low + 3, 133056 * 10 ** (4 + power) + 7, high):
        found = since_1970(pd.Index([value, value]))
        assert found is not None
        assert (found == pd.Timestamp(value * UNITS[unit])).all()
    for beyond in (low - 10**power, high + 10**power):
        assert since_1970(pd.Index([beyond])) is None
        # One that is of no unit leaves all without.
        assert since_1970(pd.Index([low + 3, beyond])) is None


def test_what_is_no_time():
    for numbers in ([], [np.nan], [1.33e9, np.inf], [1.33e9, 1.33e12]):
        assert since_1970(pd.Index(np.array(numbers, np.float64))) is None
    # A float of seconds may have parts of one.
    assert since_1970(pd.Index([1330560000.5]))[0] == pd.Timestamp("2012-03-01 00:00:00.5")
    # A nanosecond is told from the next.
    exact = since_1970(pd.Index([1330560000000000001, 1330560000000000002]))
    assert np.diff(exact.to_numpy()).astype(int).tolist() == [1]


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ([20200301, 20200302], "%Y%m%d"),
        ([2020030100, 2020030123], "%Y%m%d%H"),
        ([202003010000, 202003012359], "%Y%m%d%H%M"),
        ([20200301000000, 20200301235959], "%Y%m%d%H%M%S"),
        ([19000101], "%Y%m%d"),
        ([21001231], "%Y%m%d"),
        ([18991231], ""),
        ([21010101], ""),
        # No such month, day or hour; in one of them.
        ([20201301], ""),
        ([20200301, 20200230], ""),
        ([2020030124], ""),
        # Of several lengths, of odd ones, with parts, too small, or none.
        ([20200301, 2020030100], ""),
        ([202003011], ""),
        ([20200301.5], ""),
        ([9999999], ""),
        ([20200301, np.nan], ""),
        ([], ""),
    ],
)
def test_digits_that_are_dates(numbers, written):
    assert date_format(pd.Index(np.array(numbers, np.float64))) == written
    if written:
        assert since_1970(pd.Index(numbers)) is None
        assert how_to_read(written) == f"pd.to_datetime(times.astype(str), format='{written}')"
