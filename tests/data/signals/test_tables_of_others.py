"""Tables of stations as programs write them: right, or refused with a remedy that works."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import DataError, InputError

T = 48
TIMES = pd.date_range("2021-03-01", periods=T, freq="15min")
SHORT = {"window": 4, "horizon": 2, "links": "none"}
IDS = ["a", "b", "c", "d"]


def values(scale=1.0):
    return (np.random.default_rng(0).uniform(20, 70, (T, 4)) * scale).round(2)


def frame(table=None, index=TIMES, columns=IDS):
    return pd.DataFrame(values() if table is None else table, index=pd.Index(index, name="time"), columns=columns)


def right(series, expected=None, times=True):
    expected = values() if expected is None else expected
    found = np.stack([series[n].x[0, 0, :, 0] for n in range(len(series))])
    np.testing.assert_allclose(found, expected[: len(series)], rtol=1e-5)
    assert series.graph.nodes == tuple(IDS)
    if times:
        assert (series.time == TIMES).all()


def load(table, **more):
    return stx.load_sensors(table, **SHORT, **more)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("name", ["timestamp", "whatever"])
def test_a_first_column_of_seconds_is_no_sensor_in_memory_either(unit, name):
    table = frame().reset_index(drop=True)
    table.insert(0, name, TIMES.as_unit(unit).asi8)
    right(load(table))


def test_other_first_columns_in_memory():
    table = frame().reset_index(drop=True)
    right(load(table.assign(time=TIMES)[["time", *IDS]]))
    right(load(table.assign(time=TIMES.astype(str))[["time", *IDS]]))
    right(load(table.assign(frame=range(T))[["frame", *IDS]]), times=False)
    with pytest.raises(InputError, match=r"path: the DataFrame: the column 'date' has dates by their digits"):
        load(table.assign(date=TIMES.strftime("%Y%m%d%H%M").astype(int))[["date", *IDS]])
    # A first sensor, and a table of one.
    right(load(table), times=False)


def test_objects_that_are_all_numbers_are_numbers():
    right(load(frame().astype(object)))
    gaps = frame().astype(object)
    gaps.iloc[3, 1] = None
    assert load(gaps)[3].observed[0, 0].tolist() == [True, False, True, True]
    text = frame().astype(str)
    with pytest.raises(InputError, match=r"hold text, such as '51\.85'; expected numbers.*df\.apply\(pd\.to_numeric\)"):
        load(text)
    right(load(text.apply(pd.to_numeric)))
    right(load(text.map(lambda cell: cell.replace(".", ",")).map(lambda cell: float(cell.replace(",", ".")))))


@pytest.mark.parametrize("code", [9999, 99999, 999.9, 1e20, -3.4028234663852886e38, -99.9, -999.9, 9.96921e36])
def test_numbers_that_stand_for_no_observation_are_suspected_with_a_remedy_that_works(tmp_path, code):
    table = values()
    table[3:6, 1] = code
    frame(table).to_csv(tmp_path / "s.csv")
    with pytest.warns(UserWarning, match=r"1 of 4 sensors holds .* give missing=") as said:
        load(tmp_path / "s.csv")
    given = float(str(said[0].message).partition("missing=")[2].split(". ")[0])
    series = load(tmp_path / "s.csv", missing=given)
    assert series[3].observed[0, 0].tolist() == [True, False, True, True]


@pytest.mark.parametrize("highest", [99, 999, 9999])
def test_nines_among_others_of_their_size_are_not_suspected(tmp_path, highest):
    table = values(highest / 70)
    table[3:6, 1] = highest
    frame(table).to_csv(tmp_path / "s.csv")
    right(load(tmp_path / "s.csv"), table)


def test_a_mean_of_the_others_is_named(tmp_path):
    table = values()
    table[:, 3] = table[:, :3].mean(1).round(2)
    frame(table).to_csv(tmp_path / "s.csv")
    with pytest.warns(UserWarning, match=r"1 of 4 sensors is the mean of the others: .* \('d'\)"):
        load(tmp_path / "s.csv")


DAYS = (TIMES - pd.Timestamp("1899-12-30")) / pd.Timedelta("1D")
EXCEL = {"unit": "D", "origin": "1899-12-30"}


@pytest.mark.parametrize(
    ("index", "said", "again"),
    [
        (TIMES.strftime("%m/%d/%Y %H:%M"), r"holds '03/01/2021 00:00'; .*; or dayfirst=False", {"dayfirst": False}),
        (DAYS, r"counts days, .*origin='1899-12-30'\)\.dt\.round", EXCEL),
    ],
)  # fmt: skip
def test_times_of_spreadsheets_have_a_remedy_that_works(tmp_path, index, said, again):
    path = tmp_path / "s.csv"
    frame(index=index).to_csv(path)
    with pytest.raises(DataError, match=r"s\.csv.*'time'.*" + said):
        load(path)
    table = pd.read_csv(path)
    table["time"] = pd.to_datetime(table["time"], **again).dt.round("s")
    table.to_csv(path, index=False)
    right(load(path))


def test_days_of_spreadsheets_do_not_go_in_silence(tmp_path):
    days = np.arange(44256, 44256 + T)
    frame(index=days).to_csv(tmp_path / "s.csv")
    with pytest.raises(DataError, match=r"the column 'time' counts days, from 44256 to 44303"):
        load(tmp_path / "s.csv")
    # Frames are not.
    frame(index=pd.RangeIndex(44256, 44256 + T)).rename_axis("frame").to_csv(tmp_path / "s.csv")
    right(load(tmp_path / "s.csv"), times=False)


def test_a_time_that_is_none_is_named_and_not_the_first(tmp_path):
    hours = [f"2021-03-0{day} {hour:02}:00" for day in (1, 2) for hour in range(1, 25)]
    frame(index=hours).to_csv(tmp_path / "s.csv")
    with pytest.raises(DataError, match=r"s\.csv, line 25: column 'time' holds '2021-03-01 24:00', which is no time"):
        load(tmp_path / "s.csv")


def test_times_in_other_columns_have_a_remedy_that_works(tmp_path):
    path = tmp_path / "s.csv"
    table = frame().reset_index()
    table[[*IDS, "time"]].to_csv(path, index=False)
    with pytest.raises(DataError, match=r"pd\.read_csv\(path\)\.set_index\('time'\)\.to_csv\('x\.csv'\)"):
        load(path)
    pd.read_csv(path).set_index("time").to_csv(path)
    right(load(path))
    table.to_csv(path)
    with pytest.raises(DataError, match=r"pd\.read_csv\(path, index_col=0\)\.set_index\('time'\)\.to_csv\('x\.csv'\)"):
        load(path)
    pd.read_csv(path, index_col=0).set_index("time").to_csv(path)
    right(load(path))
    apart = frame().reset_index(drop=True)
    apart.insert(0, "date", TIMES.strftime("%Y-%m-%d"))
    apart.insert(1, "clock", TIMES.strftime("%H:%M"))
    apart.to_csv(path, index=False)
    with pytest.raises(DataError, match=r"pd\.to_datetime\(table\['date'\] \+ ' ' \+ table\['clock'\]\)"):
        load(path)
    apart.insert(0, "time", pd.to_datetime(apart.pop("date") + " " + apart.pop("clock")))
    apart.to_csv(path, index=False)
    right(load(path))


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("# station export\n# 2021\n", "its first 2 lines begin with #, as notes do"),
        ("sep=,\n", "line 2 has more cells than those above it"),
    ],
)
def test_notes_above_the_names_have_a_remedy_that_works(tmp_path, above, said):
    path = tmp_path / "s.csv"
    frame().to_csv(path)
    path.write_text(above + path.read_text())
    count = above.count("\n")
    with pytest.raises(DataError, match=rf"{said}; .*skiprows={count}\)"):
        load(path)
    pd.read_csv(path, skiprows=count).to_csv(path, index=False)
    right(load(path))


def test_tabs_of_a_tsv(tmp_path):
    frame().to_csv(tmp_path / "s.tsv", sep="\t")
    right(load(tmp_path / "s.tsv"))


@pytest.mark.parametrize(
    ("ids", "links"),
    [
        (["0123", "0124", "1125", "1126"], [123, 124, 1125, 1126]),
        (["123", "124", "125", "126"], ["0123", "0124", "125", "126"]),
        (["123", "124", "125", "126"], ["123.0", "124.0", "125.0", "126.0"]),
    ],
)
def test_ids_that_lost_their_zeros_do_not_lose_their_links(tmp_path, ids, links):
    frame(columns=ids).to_csv(tmp_path / "s.csv")
    path = tmp_path / "links.csv"
    pd.DataFrame(list(pairwise(links)), columns=["from", "to"]).to_csv(path, index=False)
    with pytest.raises(DataError, match=rf"links\.csv: got '{links[0]}', where the values have '{ids[0]}'.*dtype=str"):
        stx.load_sensors(tmp_path / "s.csv", graph=path, window=4, horizon=2)
    pd.DataFrame(list(pairwise(ids)), columns=["from", "to"]).to_csv(path, index=False)
    assert len(stx.load_sensors(tmp_path / "s.csv", graph=path, window=4, horizon=2).graph.edges) == 3


def test_columns_called_as_channels_are_said_with_a_remedy_that_works(tmp_path):
    table = frame(columns=["a_speed", "a_flow", "b_speed", "b_flow"])
    table.to_csv(tmp_path / "s.csv")
    with pytest.warns(
        UserWarning, match=r"its 4 columns are taken for sensors, and are called as speed and flow of 2\."
    ):
        load(tmp_path / "s.csv")
    table.columns = pd.MultiIndex.from_tuples([tuple(name.rsplit("_", 1)) for name in table.columns])
    series = load(table)
    assert (series.graph.nodes, series.channels) == (("a", "b"), ("speed", "flow"))
    np.testing.assert_allclose(series[0].x[0, 0], values()[0].reshape(2, 2), rtol=1e-5)


@pytest.mark.parametrize(
    "columns", [["a_speed", "b_speed", "c_speed", "d_speed"], ["a_speed", "a_flow", "b_speed", "c"]]
)
def test_other_columns_are_no_channels(tmp_path, columns):
    frame(columns=columns).to_csv(tmp_path / "s.csv")
    assert load(tmp_path / "s.csv").graph.nodes == tuple(columns)


def test_an_array_that_is_turned_round_is_said(tmp_path):
    turned = np.random.default_rng(0).uniform(20, 70, (12, 200))
    np.save(tmp_path / "s.npy", turned)
    for given in (tmp_path / "s.npy", turned):
        with pytest.warns(UserWarning, match=r"got 12 times of 200 sensors without names: is it turned round\?"):
            load(given)
    load(turned.T)
    load(pd.DataFrame(turned, index=pd.date_range("2020-01-01", periods=12, freq="1h")).add_prefix("s"))


def test_places_with_decimal_commas(tmp_path):
    frame().to_csv(tmp_path / "s.csv")
    path = tmp_path / "places.csv"
    path.write_text("sensor_id;latitude;longitude\na;52,5;13,40\nb;52,6;13,41\nc;52,25;13,42\nd;52,125;13,5\n")
    series = stx.load_sensors(tmp_path / "s.csv", locations=path, nearest=2, window=4, horizon=2)
    np.testing.assert_allclose(series.graph.positions, [[13.4, 52.5], [13.41, 52.6], [13.42, 52.25], [13.5, 52.125]])
