"""Times that are not evenly spaced are refused with a remedy, and each remedy that is said works."""

import re

import numpy as np
import pandas as pd
import pytest

from stexplain.data import WindowedSeries
from stexplain.data.signals.sensors import load_sensors
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph

GRAPH = STGraph.from_edges("ab", [("a", "b")])
SIZES = {"window": 3, "horizon": 2, "graph": GRAPH}
JITTER = pd.to_timedelta(np.random.default_rng(0).integers(0, 2000, 40), "ms")


def dates(freq, **options):
    return pd.date_range("2012-01-02", periods=40, freq=freq, **options)


RESET = ["df.reset_index(drop=True)"]
MONTHS = [
    "df = df.to_period('M'); df = df.reindex(pd.period_range(df.index[0], df.index[-1], freq='M')); "
    "df.reset_index(drop=True)"
]
QUARTERS = [MONTHS[0].replace("freq='M')", "freq='M')[::3]")]
PERIODS = ["df.reindex(pd.period_range(df.index[0], df.index[-1], freq=df.index.freq))"]

# The index, the remedies that are said, and how many frames each leaves.
CASES = {
    "month starts": (dates("MS"), RESET, [40]),
    "month ends": (dates("ME"), RESET, [40]),
    "working month ends": (dates("BME"), RESET, [40]),
    "working month starts": (dates("BMS"), RESET, [40]),
    "the 17th": (dates("MS") + pd.Timedelta(days=16), RESET, [40]),
    "quarters": (dates("QS"), RESET, [40]),
    "years": (dates("YS"), RESET, [40]),
    "periods of months": (pd.period_range("2012-01", periods=40, freq="M"), RESET, [40]),
    "periods of quarters": (pd.period_range("2012-01", periods=40, freq="Q"), RESET, [40]),
    "a month is missing": (dates("MS").delete(5), MONTHS, [40]),
    "a quarter is missing": (dates("QE").delete(5), QUARTERS, [40]),
    "working days": (dates("B"), ["df.asfreq('1D')", *RESET], [54, 40]),
    "a working day is missing": (dates("B").delete(7), ["df.asfreq('1D')", *RESET], [54, 39]),
    "a day is missing": (dates("D").delete(7), ["df.asfreq('1D')"], [40]),
    "opening hours": (dates("bh"), ["df.asfreq('60min')"], [104]),
    "5 minutes": (dates("5min").delete([4, 5]), ["df.asfreq('5min')"], [40]),
    "20 seconds": (dates("20s").delete(5), ["df.asfreq('20s')"], [40]),
    "10 milliseconds": (dates("10ms").delete(5), ["df.asfreq('10ms')"], [40]),
    "half days": (dates("36h").delete(5), ["df.asfreq('36h')"], [40]),
    "twice a month": (dates("SMS"), ["df.resample('14D').mean()", *RESET], [43, 40]),
    "clocks that jitter": (dates("5min") + JITTER, ["df.resample('5min').mean()", *RESET], [40, 40]),
    "jitter of a zone": (
        dates("5min", tz="Asia/Tokyo") + JITTER,
        ["df.tz_localize(None).resample('5min').mean()", *RESET],
        [40, 40],
    ),
    "a period is missing": (pd.period_range("2012-01-01", periods=40, freq="5min").delete(5), PERIODS, [40]),
    "a zone's days": (
        pd.date_range("2012-03-10", periods=40, freq="D", tz="Europe/Berlin"),
        ["df.tz_localize(None)"],
        [40],
    ),
    "a zone's day is missing": (
        pd.date_range("2012-03-10", periods=40, freq="D", tz="Europe/Berlin").delete(5),
        ["df = df.tz_localize(None); df.asfreq('1D')"],
        [40],
    ),
}
_CALLS = re.compile(r"\.(asfreq|resample|reindex|reset_index|tz_localize|to_period)\(")


def table(index):
    return pd.DataFrame(np.arange(2.0 * len(index)).reshape(-1, 2), index, ["a", "b"])


def carried_out(remedy, frame):
    """What the calls of a remedy make of a table, all but the last assigned to df."""
    names = {"df": frame, "pd": pd}
    *before, last = remedy.split("; ")
    for statement in before:
        exec(statement, names)
    return eval(last, names)


@pytest.mark.parametrize("case", CASES)
def test_each_remedy_that_is_said_works(case):
    index, remedies, frames = CASES[case]
    given = table(index)
    with pytest.raises(InputError) as refused:
        WindowedSeries(given, **SIZES)
    said = str(refused.value)
    # No call is said that is not tried here.
    assert sorted(_CALLS.findall(said)) == sorted(_CALLS.findall(" ".join(remedies)))
    for remedy, count in zip(remedies, frames, strict=True):
        assert all(part in said for part in remedy.split("; ") if part != "df")
        mended = carried_out(remedy, given)
        series = WindowedSeries(mended, **SIZES)
        assert series.frames == count
        # Nothing that was given is lost: averages keep the sum where bins hold one each.
        if "resample" not in remedy:
            assert np.nansum(mended.to_numpy()) == given.to_numpy().sum()


def test_a_file_of_months_can_be_read_without_its_times(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 2)), dates("MS"), ["a", "b"])
    frame.to_csv(tmp_path / "months.csv", index_label="time")
    options = {"links": "none", "window": 3, "horizon": 2}
    with pytest.raises(DataError, match=r"months.csv: .*df.reset_index\(drop=True\)"):
        load_sensors(tmp_path / "months.csv", **options)
    frame.reset_index(drop=True).to_csv(tmp_path / "counted.csv")
    series = load_sensors(tmp_path / "counted.csv", **options)
    np.testing.assert_allclose(series.batch([0]).x[0, 0, :, :, 0], frame.to_numpy()[:3], rtol=1e-6)


def test_periods_one_after_the_other_are_times():
    for freq in ("5min", "D", "h"):
        series = WindowedSeries(table(pd.period_range("2012-01-01", periods=40, freq=freq)), **SIZES)
        assert series.time_of(0) == pd.Timestamp("2012-01-01")
