"""Tables of authorities and meters: read where they are certain, or refused with lines of pandas that work."""

import re

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data.times.written import day_comes_first, written_times
from stexplain.errors import DataError, InputError

HOW = {"links": "none", "window": 4, "horizon": 2}
HOURS = pd.date_range("2024-03-12", periods=48, freq="h")
VALUES = np.random.default_rng(0).uniform(10, 90, (48, 2)).round(2)


def whole(series):
    ((values, _),) = series.observations()
    return values


def rows(*lines):
    return "\n".join(lines) + "\n"


def followed(path, monkeypatch):
    """The table that the remedy of the refusal writes."""
    with pytest.raises(DataError) as raised:
        stx.load_sensors(path, **HOW)
    lines = re.search(r"((?:t = )?pd\.read_csv\(.*\.to_csv\('x\.csv'.*?\))", str(raised.value))
    assert lines is not None, str(raised.value)
    monkeypatch.chdir(path.parent)
    exec(lines[1], {"pd": pd, "path": path})
    return path.parent / "x.csv"


def half_hours_of_meters():
    lines = ["LCLid,stdorToU,DateTime,KWH/hh (per half hour) "]
    for meter, column in (("MAC000003", 1), ("MAC000002", 0)):
        lines += [
            f"{meter},Std,{time:%Y-%m-%d %H:%M}:00.0000000, {value} "
            for time, value in zip(HOURS, VALUES[:, column], strict=True)
        ]
    return rows(*lines), ("MAC000002", "MAC000003")


def detectors_by_seconds():
    lines = ["day,interval,detid,flow,occ,error,city,speed"]
    for name, column in (("U1-A", 0), ("U1-B", 1)):
        lines += [
            f"{time:%Y-%m-%d},{time.hour * 3600},{name},{value},0.1{time.hour:02},0,augsburg,"
            for time, value in zip(HOURS, VALUES[:, column], strict=True)
        ]
    return rows(*lines), ("U1-A", "U1-B")


def stations_by_parts_of_dates():
    lines = ['"No","year","month","day","hour","PM2.5","wd","station"']
    for name, column in (("Aotizhongxin", 0), ("Changping", 1)):
        lines += [
            f'{number},{time.year},{time.month},{time.day},{time.hour},{value},"NNW","{name}"'
            for number, (time, value) in enumerate(zip(HOURS, VALUES[:, column], strict=True), 1)
        ]
    return rows(*lines), ("Aotizhongxin", "Changping")


def sites_whose_ids_begin_with_zero():
    lines = ['"State Code","Site Num","Date Local","Time Local","Sample Measurement"']
    for name, column in (("0002", 0), ("1103", 1)):
        lines += [
            f'"06","{name}","{time:%Y-%m-%d}","{time:%H:%M}",{value}'
            for time, value in zip(HOURS, VALUES[:, column], strict=True)
        ]
    return rows(*lines), ("0002", "1103")


def begins_and_ends():
    lines = ["Datum von;Datum bis;Biomasse [MWh];Wind [MWh]"]
    lines += [
        f"{time:%d.%m.%Y %H:%M};{time + pd.Timedelta('1h'):%d.%m.%Y %H:%M};{a:.2f};{b:.2f}".replace(".", ",")
        .replace(f"{time:%d,%m,%Y}", f"{time:%d.%m.%Y}")
        .replace(f"{time + pd.Timedelta('1h'):%d,%m,%Y}", f"{time + pd.Timedelta('1h'):%d.%m.%Y}")
        for time, (a, b) in zip(HOURS, VALUES, strict=True)
    ]
    return rows(*lines), ("Biomasse [MWh]", "Wind [MWh]")


def clocks_with_points():
    lines = ["Date;Time;CO(GT);NOx(GT);;"]
    lines += [
        f"{time:%d/%m/%Y};{time:%H.%M.%S};{f'{a:.2f};{b:.2f}'.replace('.', ',')};;"
        for time, (a, b) in zip(HOURS, VALUES, strict=True)
    ]
    return rows(*lines), ("CO(GT)", "NOx(GT)")


def an_area_beside_each():
    lines = ['"MTU (UTC)","Area","Load [MW]","Forecast [MW]"']
    lines += [
        f'"{time:%d/%m/%Y %H:%M:%S} - {time + pd.Timedelta("1h"):%d/%m/%Y %H:%M:%S}","BZN|DE-LU","{a}","{b}"'
        for time, (a, b) in zip(HOURS, VALUES, strict=True)
    ]
    return rows(*lines), ("Load [MW]", "Forecast [MW]")


@pytest.mark.parametrize(
    "made",
    [
        half_hours_of_meters,
        detectors_by_seconds,
        stations_by_parts_of_dates,
        sites_whose_ids_begin_with_zero,
        begins_and_ends,
        clocks_with_points,
        an_area_beside_each,
    ],
)
def test_the_lines_of_a_remedy_work_as_they_are_written(tmp_path, monkeypatch, made):
    text, names = made()
    (tmp_path / "s.csv").write_text(text)
    series = stx.load_sensors(followed(tmp_path / "s.csv", monkeypatch), **HOW)
    assert series.graph.nodes == names
    np.testing.assert_allclose(whole(series)[..., 0], VALUES, rtol=1e-5)
    assert (series.time.tz_localize(None) == HOURS).all()


def test_a_line_of_units_is_named_with_a_remedy_that_works(tmp_path, monkeypatch):
    table = pd.DataFrame(VALUES, index=HOURS.rename("time"), columns=["a", "b"])
    lines = table.to_csv().splitlines()
    (tmp_path / "s.csv").write_text(rows(lines[0], ",km/h,km/h", *lines[1:]))
    with pytest.raises(DataError, match="line 2: it holds words alone, such as 'km/h'"):
        stx.load_sensors(tmp_path / "s.csv", **HOW)
    np.testing.assert_allclose(
        whole(stx.load_sensors(followed(tmp_path / "s.csv", monkeypatch), **HOW))[..., 0], VALUES, rtol=1e-5
    )


# ---- times as they are written ----


@pytest.mark.parametrize(
    "written",
    ["%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d-%m-%Y %H:%M"],
)  # fmt: skip
@pytest.mark.parametrize("period", [False, True])
def test_times_whose_order_is_certain_are_read(tmp_path, written, period):
    # From the 12th to the 13th of March one order alone gives times.
    ends = (HOURS + pd.Timedelta("1h")).strftime(written)
    index = HOURS.strftime(written) + (" - " + ends if period else "")
    table = pd.DataFrame(VALUES, index=pd.Index(index, name="when"), columns=["a", "b"])
    table.to_csv(tmp_path / "s.csv")
    for given in (tmp_path / "s.csv", table.reset_index()):
        series = stx.load_sensors(given, **HOW)
        assert (series.time == HOURS).all()
        np.testing.assert_allclose(whole(series)[..., 0], VALUES, rtol=1e-5)


def test_an_order_that_is_not_certain_is_asked_for(tmp_path):
    hours = pd.date_range("2024-02-01", periods=48, freq="h")
    table = pd.DataFrame(VALUES, index=pd.Index(hours.strftime("%d/%m/%Y %H:%M"), name="when"), columns=["a", "b"])
    table.to_csv(tmp_path / "s.csv")
    with pytest.raises(DataError, match=r"dayfirst=True.*or dayfirst=False, where months come first"):
        stx.load_sensors(tmp_path / "s.csv", **HOW)
    # Days of months, each the first: both orders go up, evenly by one of them, which is the wrong one.
    months = pd.Series(pd.date_range("2024-01-01", periods=12, freq="MS").strftime("%d/%m/%Y"))
    assert written_times(months) is None
    assert day_comes_first(months) is None


def test_a_heading_says_the_clocks(tmp_path):
    spring = pd.date_range("2024-03-30 20:00", periods=48, freq="h", tz="Europe/Brussels")
    index = [f"{one:%d.%m.%Y %H:%M} - {one + pd.Timedelta('1h'):%d.%m.%Y %H:%M}" for one in spring]
    table = pd.DataFrame(VALUES, index=pd.Index(index, name="Time (CET/CEST)"), columns=["a", "b"])
    table.to_csv(tmp_path / "s.csv")
    series = stx.load_sensors(tmp_path / "s.csv", **HOW)
    assert (series.time == spring).all()
    assert str(series.time.tz) == "Europe/Brussels"
    autumn = pd.date_range("2024-10-26 20:00", periods=48, freq="h", tz="Europe/Brussels")
    table.set_axis(pd.Index(autumn.strftime("%d.%m.%Y %H:%M"), name="MTU (CET/CEST)")).to_csv(tmp_path / "s.csv")
    assert (stx.load_sensors(tmp_path / "s.csv", **HOW).time == autumn).all()
    # The hour that clocks skip.
    bad = pd.date_range("2024-03-30 20:00", periods=48, freq="h").strftime("%d.%m.%Y %H:%M")
    table.set_axis(pd.Index(bad, name="MTU (CET/CEST)")).to_csv(tmp_path / "s.csv")
    with pytest.raises(DataError, match=r"says the clocks of Europe/Brussels, and its times do not fit them: .*02:00"):
        stx.load_sensors(tmp_path / "s.csv", **HOW)


# ---- rows that are numbered, and single numbers ----


def test_a_row_for_each_sensor_and_time_without_names_is_said(tmp_path):
    lines = [f"{meter},{195 * 100 + hour},{VALUES[hour, meter % 2]}" for meter in (1392, 1393) for hour in range(48)]
    (tmp_path / "s.csv").write_text(rows(*lines))
    with pytest.raises(DataError, match=r"no line of names and a row for each sensor and time, as 1392, 19500, "):
        stx.load_sensors(tmp_path / "s.csv", start="2020-01-01", minutes=60, **HOW)
    # Under names that say nothing it is likely, and not certain.
    (tmp_path / "s.csv").write_text(rows("a,b,c", *lines))
    with pytest.warns(UserWarning, match=r"'a' and 'b' of 3 sensors number the rows, .* table\.pivot"):
        stx.load_sensors(tmp_path / "s.csv", start="2020-01-01", minutes=60, **HOW)
    counts = np.random.default_rng(0).integers(0, 9, (96, 3))
    (tmp_path / "s.csv").write_text(rows("a,b,c", *(",".join(map(str, row)) for row in counts)))
    stx.load_sensors(tmp_path / "s.csv", start="2020-01-01", minutes=60, **HOW)


@pytest.mark.parametrize("numbers", [["0,5", "1,5", "2,25"] * 8, ["5,5", "6,5", "7,25"] * 8])
def test_one_column_of_decimal_commas_is_not_two_in_silence(tmp_path, numbers):
    path = tmp_path / "s.csv"
    path.write_text(rows(*numbers))
    with pytest.warns(UserWarning, match="taken for two") if numbers[0] == "5,5" else pytest.raises(InputError) as said:
        stx.load_sensors(path, **HOW)
    message = str(said[0].message if numbers[0] == "5,5" else said.value)
    lines = re.search(r"pd\.read_csv\(.*to_csv\('x\.csv', index=False\)", message)
    assert lines is not None
    exec(lines[0].replace("'x.csv'", "str(path)"), {"pd": pd, "path": path})
    assert whole(stx.load_sensors(path, **HOW))[:3, 0, 0].tolist() == [
        float(one.replace(",", ".")) for one in numbers[:3]
    ]


def test_text_with_semicolons_is_a_table(tmp_path):
    lines = [
        f'"{time:%Y-%m-%d %H:%M:%S}";{a};{b}'.replace(".", ",") for time, (a, b) in zip(HOURS, VALUES, strict=True)
    ]
    (tmp_path / "LD.txt").write_text(rows('"";"MT_001";"MT_002"', *lines))
    series = stx.load_sensors(tmp_path / "LD.txt", **HOW)
    assert series.graph.nodes == ("MT_001", "MT_002")
    np.testing.assert_allclose(whole(series)[..., 0], VALUES, rtol=1e-5)
