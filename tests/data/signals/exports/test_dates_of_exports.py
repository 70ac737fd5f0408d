"""Dates as exports have them: of two-digit years, of digits, in nanoseconds, in parts, and where clocks change."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import DataError

HOW = {"links": "none", "window": 4, "horizon": 2}
HOURS = pd.date_range("2006-01-10", periods=96, freq="h")
VALUES = np.random.default_rng(0).uniform(1, 9, (96, 2)).round(2)


def written(tmp_path, head, lines):
    path = tmp_path / "export.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def followed(path, monkeypatch):
    """The table that the line of the refusal writes, and the refusal."""
    with pytest.raises(DataError) as raised:
        stx.load_sensors(path, **HOW)
    lines = re.search(r"(t = pd\.read_csv\(.*\.to_csv\('x\.csv'\))", str(raised.value))
    assert lines is not None, str(raised.value)
    monkeypatch.chdir(path.parent)
    exec(lines[1], {"pd": pd, "path": path})
    return path.with_name("x.csv"), str(raised.value)


def observed(path):
    series = stx.load_sensors(path, **HOW)
    ((found, _),) = series.observations()
    return series, found[..., 0]


CASES = {
    # NREL's Solar Power Data.
    "two-digit years": ("LocalTime,a,b", lambda x, a, b: f"{x:%m/%d/%y %H:%M},{a},{b}"),
    "two-digit years, half days": ("LocalTime,a,b", lambda x, a, b: f"{x:%m/%d/%y %I:%M %p},{a},{b}"),
    # NREL's MIDC.
    "order in the heading": ("DATE (MM/DD/YYYY),MST,a,b", lambda x, a, b: f"{x:%m/%d/%Y},{x:%H:%M},{a},{b}"),
    # GEFCom 2014, wind and load.
    "digits": ("TIMESTAMP,t,a,b", lambda x, a, b: f"{x:%Y%m%d} {x.hour}:00,w,{a},{b}"),
    "months without zero": ("TIMESTAMP,a,b", lambda x, a, b: f"{x.month}{x:%d%Y} {x.hour}:00,{a},{b}"),
    # InfluxDB 1, of one series.
    "nanoseconds": ("name,tags,time,a,b", lambda x, a, b: f"speed,,{x.value},{a},{b}"),
    "seconds": ("name,time,a,b", lambda x, a, b: f"speed,{x.value // 10**9},{a},{b}"),
    "words of a zone": ("time,a,b", lambda x, a, b: f"{x:%Y-%m-%d %H:%M} MST,{a},{b}"),
    "parts": ("year,month,day,hour,a,b", lambda x, a, b: f"{x.year},{x.month},{x.day},{x.hour},{a},{b}"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_line_of_a_refusal_keeps_the_times(tmp_path, monkeypatch, case):
    head, line = CASES[case]
    path = written(tmp_path, head, [line(x, a, b) for x, (a, b) in zip(HOURS, VALUES, strict=True)])
    anew, said = followed(path, monkeypatch)
    assert "or format=" not in said
    assert "dayfirst=True" not in said
    series, found = observed(anew)
    assert series.graph.nodes == ("a", "b")
    assert (series.time == HOURS).all()
    np.testing.assert_allclose(found, VALUES, rtol=1e-5)


@pytest.mark.parametrize(
    ("head", "line", "names"),
    [
        ("ZONEID,TIMESTAMP,TARGETVAR", lambda x, z, a: f"{z},{x:%Y%m%d} {x.hour}:00,{a}", ("1", "2")),
        ("name,tags,time,value", lambda x, z, a: f"speed,at={z},{x.value},{a}", ("at=1", "at=2")),
    ],
)
def test_a_row_for_each_place_and_time_is_turned_with_its_times(tmp_path, monkeypatch, head, line, names):
    lines = [line(x, z + 1, VALUES[row, z]) for z in (0, 1) for row, x in enumerate(HOURS)]
    series, found = observed(followed(written(tmp_path, head, lines), monkeypatch)[0])
    assert series.graph.nodes == names
    assert (series.time == HOURS).all()
    np.testing.assert_allclose(found, VALUES, rtol=1e-5)


def test_an_order_of_short_dates_that_is_not_certain_is_asked_for(tmp_path):
    path = written(
        tmp_path, "LocalTime,a", [f"{x:%m/%d/%y %H:%M},1.5" for x in pd.date_range("2006-01-02", periods=9, freq="h")]
    )
    with pytest.raises(
        DataError, match="or format='%d/%m/%y %H:%M', where days come first; or format='%y/%m/%d %H:%M'"
    ):
        stx.load_sensors(path, **HOW)


def test_hours_that_parts_of_dates_leave_out_are_missing(tmp_path, monkeypatch):
    kept = np.r_[0:30, 33:96]
    rows = [(HOURS[row], *VALUES[row]) for row in kept]
    path = written(tmp_path, "year,month,day,hour,a,b", [CASES["parts"][1](*row) for row in rows])
    with pytest.warns(UserWarning, match="3 of 96 times are not there"):
        _, found = observed(followed(path, monkeypatch)[0])
    assert np.isnan(found[30:33]).all()
    assert not np.isnan(found[kept]).any()


@pytest.mark.parametrize("minutes", [60, 15])
def test_an_hour_that_clocks_skip_is_said_to_be_that(tmp_path, minutes):
    times = pd.date_range("2024-03-30", periods=72 * 60 // minutes, freq=f"{minutes}min", tz="Europe/Berlin")
    path = written(tmp_path, "time,a,b", [f"{x:%Y-%m-%d %H:%M},{n}.5,{n % 7}.5" for n, x in enumerate(times)])
    clocks = r"times? (is|are) not there.* The hour of 2024-03-31 02:00:00 is one of them. If clocks changed then"
    with pytest.warns(UserWarning, match=clocks):
        assert stx.load_sensors(path, **HOW).time.tz is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (stx.load_sensors(path, time_zone="Europe/Berlin", **HOW).time == times).all()


def test_hours_that_are_left_out_by_day_are_no_clocks(tmp_path):
    times = pd.date_range("2024-03-30", periods=24, freq="h").delete([12])
    path = written(tmp_path, "time,a,b", [f"{x:%Y-%m-%d %H:%M},{n}.5,{n % 7}.5" for n, x in enumerate(times)])
    with pytest.warns(UserWarning, match=r"1 of 24 times .*: their observations are missing\.$"):
        stx.load_sensors(path, **HOW)
