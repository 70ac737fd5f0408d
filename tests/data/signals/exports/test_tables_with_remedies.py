"""Exports of meters, stations and dashboards: refused with lines of pandas, which are run as they are written."""

import pathlib
import re

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import DataError, InputError

HOW = {"links": "none", "window": 4, "horizon": 2}
HOURS = pd.date_range("2024-03-12", periods=72, freq="h")
VALUES = np.random.default_rng(0).uniform(1, 9, (72, 2)).round(2)


def followed(path, folder, monkeypatch):
    """The table that the line of the refusal writes."""
    with pytest.raises((DataError, InputError)) as raised:
        stx.load_sensors(path, **HOW)
    lines = re.search(r"((?:t = )?pd\.(?:read_csv|concat)\(.*\.to_csv\('x\.csv'.*?\))", str(raised.value))
    assert lines is not None, str(raised.value)
    monkeypatch.chdir(folder)
    exec(lines[1], {"pd": pd, "path": path, "pathlib": pathlib})
    return folder / "x.csv"


def is_read(path, names, hours=HOURS, values=VALUES):
    series = stx.load_sensors(path, **HOW)
    ((found, _),) = series.observations()
    assert series.graph.nodes == names
    assert (series.time.tz_localize(None) == hours).all()
    np.testing.assert_allclose(found[..., 0], values, rtol=1e-5)
    return series


@pytest.mark.parametrize(
    "columns",
    [
        [f"hh_{n}" for n in range(48)],
        [f"h{n}" for n in range(1, 49)],
        [f"{n // 2:02}:{n % 2 * 30:02}" for n in range(48)],
    ],
)
def test_a_row_for_each_day_becomes_one_for_each_time(tmp_path, monkeypatch, columns):
    halves = pd.date_range("2024-03-12", periods=144, freq="30min")
    values = np.random.default_rng(1).uniform(1, 9, (144, 2)).round(3)
    days = [f"{day:%Y-%m-%d}" for day in halves[::48]]
    parts = [
        pd.DataFrame(values[:, n].reshape(3, 48), columns=columns).assign(LCLid=name, day=days)
        for n, name in enumerate(("MAC000002", "MAC000003"))
    ]
    table = pd.concat(parts)[["LCLid", "day", *columns]]
    table.to_csv(tmp_path / "blocks.csv", index=False)
    written = followed(tmp_path / "blocks.csv", tmp_path, monkeypatch)
    is_read(written, ("MAC000002", "MAC000003"), halves, values)
    # Without a column of meters all is one.
    parts[0][["day", *columns]].to_csv(tmp_path / "one.csv", index=False)
    is_read(followed(tmp_path / "one.csv", tmp_path, monkeypatch), ("value",), halves, values[:, :1])


def test_columns_that_are_no_day_stay_sensors(tmp_path):
    table = pd.DataFrame(np.random.default_rng(0).uniform(1, 9, (30, 24)), columns=[f"v{n}" for n in range(5, 29)])
    table.insert(0, "time", HOURS[:30])
    table.to_csv(tmp_path / "s.csv", index=False)
    assert len(stx.load_sensors(tmp_path / "s.csv", **HOW).graph) == 24
    # Numbered as the hours are, with a time of day in each row.
    table.columns = ["time", *(f"v{n}" for n in range(24))]
    table.to_csv(tmp_path / "s.csv", index=False)
    assert len(stx.load_sensors(tmp_path / "s.csv", **HOW).graph) == 24


def station(name, column):
    parts = pd.DataFrame({"year": HOURS.year, "month": HOURS.month, "day": HOURS.day, "hour": HOURS.hour})
    return parts.assign(**{"No": range(1, 73), "PM2.5": VALUES[:, column], "wd": "NNW", "station": name})


def test_parts_of_dates_are_no_sensors(tmp_path, monkeypatch):
    station("Wanliu", 0).drop(columns="station").to_csv(tmp_path / "one.csv", index=False)
    is_read(followed(tmp_path / "one.csv", tmp_path, monkeypatch), ("PM2.5",), values=VALUES[:, :1])


def test_a_frame_in_pandas_table_format_is_named(tmp_path):
    import h5py

    with h5py.File(tmp_path / "speeds.h5", "w") as file:
        rows = np.zeros(5, [("index", "<i8"), ("values_block_0", "<f8", (2,))])
        file.create_group("df").create_dataset("table", data=rows)
    with pytest.raises(DataError, match=r"pandas' table format: write it anew, pd\.read_hdf\(path\)\.to_hdf\('x\.h5'"):
        stx.load_sensors(tmp_path / "speeds.h5", **HOW)


@pytest.mark.parametrize("named", [True, False])
def test_a_table_for_each_station_is_joined(tmp_path, monkeypatch, named):
    folder = tmp_path / "stations"
    folder.mkdir()
    for column, name in enumerate(("Changping", "Wanliu")):
        table = station(name, column)
        (table if named else table.drop(columns="station")).to_csv(folder / f"{name}.csv", index=False)
    joined = followed(folder, tmp_path, monkeypatch).rename(tmp_path / "joined.csv")
    is_read(followed(joined, tmp_path, monkeypatch), ("Changping", "Wanliu"))


def test_values_and_links_in_tables_of_one_kind_are_asked_for(tmp_path):
    pd.DataFrame(VALUES).assign(third=VALUES[::-1, 0], fourth=VALUES[::-1, 1]).to_csv(
        tmp_path / "PeMSD7_V_4.csv", index=False, header=False
    )
    (tmp_path / "PeMSD7_W_4.csv").write_text("0,350.5,0,90\n350.5,0,70,0\n0,70,0,80.5\n90,0,80.5,0\n")
    with pytest.raises(InputError, match=r"Give the file of values, and graph= where another is of links\."):
        stx.load_sensors(tmp_path, window=4, horizon=2)
    how = {"links": "neighbours", "window": 4, "horizon": 2}
    series = stx.load_sensors(tmp_path / "PeMSD7_V_4.csv", graph=tmp_path / "PeMSD7_W_4.csv", **how)
    assert {frozenset(edge) for edge in series.graph.edges.tolist()} == {
        frozenset(pair) for pair in ((0, 1), (1, 2), (2, 3), (0, 3))
    }


def test_a_pickled_frame_in_a_folder_has_its_remedy(tmp_path):
    pd.DataFrame(VALUES, HOURS, ["a", "b"]).to_pickle(tmp_path / "df.pkl")
    with pytest.raises(
        InputError, match=r"holds 0 files .* give what it holds: load_sensors\(pd\.read_pickle\(path\)\)"
    ):
        stx.load_sensors(tmp_path, **HOW)
    is_read(pd.read_pickle(tmp_path / "df.pkl"), ("a", "b"))


def influx(notes):
    lines = ["#group,false,false,true,true", "#datatype,string,long,dateTime:RFC3339"] if notes else []
    lines.append("result,table,_start,_stop,_time,_value,sensor")
    for column, name in enumerate(("s0", "s1")):
        lines += [
            f",{column},2024-03-01T00:00:00Z,2024-04-01T00:00:00Z,{time:%Y-%m-%dT%H:%M:%SZ},{value},{name}"
            for time, value in zip(HOURS, VALUES[:, column], strict=True)
        ]
    return "\n".join(lines) + "\n"


def test_exports_of_influx_are_turned(tmp_path, monkeypatch):
    (tmp_path / "plain.csv").write_text(influx(notes=False))
    is_read(followed(tmp_path / "plain.csv", tmp_path, monkeypatch), ("s0", "s1"))
    (tmp_path / "notes.csv").write_text(influx(notes=True))
    with pytest.raises(DataError, match="its first 2 lines begin with #, as notes do"):
        stx.load_sensors(tmp_path / "notes.csv", **HOW)
    written = followed(tmp_path / "notes.csv", tmp_path, monkeypatch).rename(tmp_path / "plain.csv")
    is_read(followed(written, tmp_path, monkeypatch), ("s0", "s1"))


def test_units_in_cells_go(tmp_path, monkeypatch):
    lines = ["Time,node1,node2"]
    lines += [f"{time},{a} °C,{f'{b} °C' if b > 5 else b}" for time, (a, b) in zip(HOURS, VALUES, strict=True)]
    (tmp_path / "grafana.csv").write_text("\n".join(lines), encoding="utf-8")
    is_read(followed(tmp_path / "grafana.csv", tmp_path, monkeypatch), ("node1", "node2"))


def test_notes_in_more_cells_than_there_are_columns(tmp_path, monkeypatch):
    lines = ["Source,Location ID,City,State,Country", "NSRDB,227400,-,-,-", "time,GHI,DHI"]
    lines += [f"{time},{a},{b}" for time, (a, b) in zip(HOURS, VALUES, strict=True)]
    (tmp_path / "nsrdb.csv").write_text("\n".join(lines))
    is_read(followed(tmp_path / "nsrdb.csv", tmp_path, monkeypatch), ("GHI", "DHI"))
    (tmp_path / "cut.csv").write_text("\n".join(["time,GHI,DHI", *lines[3:], "2024"]))
    with pytest.raises(DataError, match=r"line 74: 1 cells; expected 3, as in the first line\. Is the file truncated"):
        stx.load_sensors(tmp_path / "cut.csv", **HOW)


@pytest.mark.parametrize("sensors_first", [True, False])
@pytest.mark.parametrize("names", [("15257588940", "1525745"), ("b", "a")])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_three_columns_without_names_are_no_three_sensors(tmp_path, monkeypatch, sensors_first, names, separator):
    """As Q-Traffic has them, with numbers of steps or with times."""
    steps = [f"{hour:%Y-%m-%d %H:%M:%S}" for hour in HOURS]
    for name, times in (("dated.csv", steps), ("steps.csv", range(72))):
        rows = [(one, time, VALUES[t, n]) for n, one in enumerate(names) for t, time in enumerate(times)]
        if not sensors_first:
            rows = [(time, one, VALUES[t, n]) for t, time in enumerate(times) for n, one in enumerate(names)]
        lines = [separator.join(map(str, row)) for row in rows]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    order = np.argsort(names)
    expected = tuple(sorted(names))
    is_read(followed(tmp_path / "dated.csv", tmp_path, monkeypatch), expected, values=VALUES[:, order])
    followed(tmp_path / "steps.csv", tmp_path, monkeypatch)
    table = pd.read_csv(tmp_path / "x.csv", dtype={})
    assert tuple(table.columns) == expected
    np.testing.assert_allclose(table.to_numpy(), VALUES[:, order])


def test_three_sensors_without_names_are_three(tmp_path):
    """Two that change slowly, and as whole numbers, among them."""
    hours = np.arange(72)
    for first, second in ((hours // 24, hours % 7), (VALUES[:, 0], hours % 5), (hours, 71 - hours)):
        np.savetxt(tmp_path / "x.csv", np.stack([first, second, VALUES[:, 1]], 1), delimiter=",", fmt="%g")
        series = stx.load_sensors(tmp_path / "x.csv", header=False, **HOW)
        assert len(series.graph.nodes) == 3
