"""Series as programs and people write them: read right, said, or refused with a remedy that works when followed."""

import io
import warnings

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data.signals.formats import _OTHERS
from stexplain.errors import DataError, InputError

VALUES = np.random.default_rng(0).uniform(20, 70, (40, 3)).astype(np.float32)
TIMES = pd.date_range("2012-03-01", periods=40, freq="5min", name="time")
NAMES = ["11", "12", "13"]
HOW = {"links": "none", "window": 4, "horizon": 2}


def frame():
    return pd.DataFrame(VALUES, index=TIMES, columns=NAMES)


def whole(series):
    ((values, observed),) = series.observations()
    return values[..., 0], observed[..., 0]


def written(path, table):
    table.to_csv(path)
    return path


# ---- numbers for no observation ----


@pytest.mark.parametrize("code", [-1, -99, -999.0, -9999])
def test_a_number_for_no_observation_is_said_and_its_remedy_works(tmp_path, code):
    table = frame()
    table.iloc[3:6, 1] = code
    with pytest.warns(UserWarning, match=f"1 of 3 sensors holds {code:g}, .*'12'.*give missing={code:g}"):
        stx.load_sensors(written(tmp_path / "a.csv", table), **HOW)
    seen = whole(stx.load_sensors(tmp_path / "a.csv", missing=code, **HOW))[1]
    assert np.argwhere(~seen).tolist() == [[3, 1], [4, 1], [5, 1]]


@pytest.mark.parametrize(
    "change",
    [
        {(3, 1): -999.0},
        {(3, 1): -1.0, (4, 2): -2.5},
        {(3, 0): -3.0, (9, 0): -3.0},
        {(3, 1): -9.0, (4, 1): -9.0, (5, 2): -1.5},
    ],
)
def test_temperatures_below_zero_are_observations(tmp_path, change):
    table = frame()
    for place, value in change.items():
        table.iloc[place] = value
    stx.load_sensors(written(tmp_path / "a.csv", table), **HOW)


# ---- tables that are laid out otherwise ----


def test_columns_of_times_are_turned_by_the_remedy(tmp_path):
    path = written(tmp_path / "a.csv", frame().T)
    for header in (None, True):
        with pytest.raises(DataError, match=r"its columns are times, from 2012-03-01.*\.T\.to_csv\(path\)"):
            stx.load_sensors(path, header=header, **HOW)
    with pytest.raises(InputError, match=r"path: the DataFrame: its columns are times"):
        stx.load_sensors(frame().T, **HOW)
    pd.read_csv(path, index_col=0).T.to_csv(path)
    np.testing.assert_allclose(whole(stx.load_sensors(path, **HOW))[0], VALUES, rtol=1e-6)


@pytest.mark.parametrize("name", ["meter", "LCLid", "household_id", "who"])
@pytest.mark.parametrize("ids", [[7, 9, 8], ["a", "b", "c"]])
def test_a_row_for_each_sensor_and_time_is_refused_with_a_remedy_that_works(tmp_path, name, ids):
    path = tmp_path / "a.csv"
    long = frame().set_axis(ids, axis=1).rename_axis(columns=name).stack().rename("kwh").reset_index()
    long.to_csv(path, index=False)
    with pytest.raises(DataError, match=r"pivot\(|holds 'a'; expected a number"):
        stx.load_sensors(path, **HOW)
    turned = pd.read_csv(path).pivot(index="time", columns=name, values="kwh")
    turned.to_csv(path)
    series = stx.load_sensors(path, **HOW)
    assert set(series.graph.nodes) == {str(one) for one in ids}


@pytest.mark.parametrize("name", ["weekday", "hour", "is_weekend"])
def test_a_column_of_the_calendar_is_no_sensor_without_a_word(tmp_path, name):
    table = frame().assign(**{name: np.arange(40) % 7})
    for given in (written(tmp_path / "a.csv", table), table):
        with pytest.warns(UserWarning, match=f"the column '{name}' is taken for a sensor"):
            stx.load_sensors(given, **HOW)


def test_arrays_beside_the_values_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", data=VALUES[..., None], timestamps=TIMES.to_numpy(), names=NAMES)
    with pytest.warns(UserWarning, match="only 'data' is read, and not timestamps, names"):
        stx.load_sensors(tmp_path / "a.npz", **HOW)


# ---- files that are not read ----


@pytest.mark.parametrize("ending", _OTHERS)
def test_other_endings_have_their_remedy(tmp_path, ending):
    (tmp_path / f"a{ending}").write_bytes(b"x")
    with pytest.raises(InputError, match="is in no supported format") as raised:
        stx.load_sensors(tmp_path / f"a{ending}", **HOW)
    assert _OTHERS[ending] in str(raised.value)


def test_remedies_by_data_frames_work(tmp_path):
    table = frame().to_csv(sep="\t")
    read = pd.read_csv(io.StringIO(table), sep="\t", index_col=0, parse_dates=True)
    np.testing.assert_allclose(whole(stx.load_sensors(read, **HOW))[0], VALUES, rtol=1e-6)
    plain = pd.read_csv(io.StringIO("\n".join(",".join(f"{v:.4f}" for v in row) for row in VALUES)), header=None)
    series = stx.load_sensors(plain, start="2012-03-01", minutes=5, **HOW)
    np.testing.assert_allclose(whole(series)[0], VALUES, atol=1e-4)
    frame().to_pickle(tmp_path / "a.pkl")
    np.testing.assert_array_equal(whole(stx.load_sensors(pd.read_pickle(tmp_path / "a.pkl"), **HOW))[0], VALUES)


def test_folders_that_hold_no_values_say_what_they_are(tmp_path):
    (tmp_path / "parts" / "year=2012").mkdir(parents=True)
    (tmp_path / "parts" / "year=2012" / "0.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"Of parquet in parts give what it holds: load_sensors\(pd\.read_parquet"):
        stx.load_sensors(tmp_path / "parts")
    (tmp_path / "gtfs").mkdir()
    (tmp_path / "gtfs" / "stop_times.txt").write_text("trip_id\n1\n")
    with pytest.raises(InputError, match="a timetable, GTFS, and holds no observations"):
        stx.load_sensors(tmp_path / "gtfs")


def test_whole_tables_say_nothing_more(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stx.load_sensors(written(tmp_path / "a.csv", frame()), **HOW)
        stx.load_sensors(frame().set_axis([201203, 201204, 201205], axis=1), **HOW)
