"""Station files of PeMS, as its clearinghouse gives them: right to the number, or refused with the line."""

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import DataError, InputError

HOW = {"links": "none", "window": 4, "horizon": 2}
STATIONS = ("400001", "1214203", "400030")


def day(folder, date, seed, stations=STATIONS, kind="5min"):
    """A file of one day's first 24 frames, and its flow, occupancy and speed, ``[24, N, 3]``."""
    values = np.random.default_rng(seed).uniform((0, 0, 20), (400, 0.5, 70), (24, len(stations), 3))
    values = np.stack([values[..., place].round(digits) for place, digits in enumerate((0, 4, 1))], -1)
    times = pd.date_range(date, periods=24, freq="5min")
    rows = [
        f"{time:%m/%d/%Y %H:%M:%S},{station},4,101,N,ML,.305,50,100,{flow:.0f},{occupancy:.4f},{speed:.1f},10,1,"
        f"{flow / 2:.0f},.02,{speed:.1f},0,,,,"
        for time, row in zip(times, values, strict=True)
        for station, (flow, occupancy, speed) in zip(stations, row, strict=True)
    ]
    (folder / f"d04_text_station_{kind}_{times[0]:%Y_%m_%d}.txt").write_text("\n".join(rows) + "\n")
    return values


def whole(series):
    ((values, observed),) = series.observations()
    return values, observed


def test_a_day_is_read_to_the_number(tmp_path):
    values = day(tmp_path, "2017-01-03", 0)
    series = stx.load_sensors(tmp_path / "d04_text_station_5min_2017_01_03.txt", **HOW)
    # In order of their ids as text.
    order = [STATIONS.index(name) for name in series.graph.nodes]
    assert series.graph.nodes == tuple(sorted(STATIONS))
    assert series.channels == ("flow", "occupancy", "speed")
    assert series.measured.units == ("vehicles", "", "mph")
    np.testing.assert_allclose(whole(series)[0], values[:, order], rtol=1e-6)
    assert str(series.time[1]) == "2017-01-03 00:05:00"
    speed = stx.load_sensors(tmp_path, channels=["speed"], **HOW)
    np.testing.assert_allclose(whole(speed)[0][..., 0], values[:, order, 2], rtol=1e-6)


def test_it_is_known_by_its_lines_under_any_name(tmp_path):
    values = day(tmp_path, "2017-01-03", 0)
    (tmp_path / "d04_text_station_5min_2017_01_03.txt").rename(tmp_path / "mine.csv")
    series = stx.load_sensors(tmp_path / "mine.csv", **HOW)
    assert whole(series)[0].sum() == pytest.approx(values.sum(), rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*times are not there:UserWarning")
def test_days_of_a_folder_follow_each_other_and_silent_stations_are_missing(tmp_path):
    first = day(tmp_path, "2017-01-03 00:00", 0)
    (tmp_path / "a").mkdir()
    later = day(tmp_path / "a", "2017-01-03 02:00", 1, STATIONS[:2])
    (tmp_path / "a" / "d04_text_station_5min_2017_01_03.txt").rename(tmp_path / "d04_text_station_5min_2017_01_04.txt")
    series = stx.load_sensors(tmp_path, **HOW)
    values, observed = whole(series)
    names = list(series.graph.nodes)
    assert len(values) == 48
    for station in STATIONS[:2]:
        np.testing.assert_allclose(values[24:, names.index(station)], later[:, STATIONS.index(station)], rtol=1e-6)
    assert not observed[24:, names.index("400030")].any()
    np.testing.assert_allclose(values[:24, names.index("400030")], first[:, 2], rtol=1e-6)


def test_empty_cells_were_not_observed(tmp_path):
    day(tmp_path, "2017-01-03", 0)
    path = tmp_path / "d04_text_station_5min_2017_01_03.txt"
    lines = path.read_text().splitlines()
    lines[4] = ",".join([*lines[4].split(",")[:11], "", *lines[4].split(",")[12:]])
    path.write_text("\n".join(lines))
    series = stx.load_sensors(path, channels=["speed"], **HOW)
    missing = ~whole(series)[1][..., 0]
    assert missing.sum() == 1
    assert missing[1, series.graph.nodes.index("1214203")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines, lines[3]], r"station 400001 has two rows of 2017-01-03 00:05:00"),
        (lambda lines: [*lines[:5], lines[5][:40]], "line 6: it has fewer cells than the first"),
        (lambda lines: [*lines[:5], lines[5].replace("2017", "x"), *lines[6:]], "line 6: got 01/03/x"),
        (lambda lines: [line[:48] for line in lines], "expected 12 at least"),
    ],
)  # fmt: skip
def test_broken_files_are_refused_with_their_line(tmp_path, change, said):
    day(tmp_path, "2017-01-03", 0)
    path = tmp_path / "d04_text_station_5min_2017_01_03.txt"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(DataError, match=said):
        stx.load_sensors(path, **HOW)


def test_lanes_every_30_seconds_are_refused_in_words(tmp_path):
    (tmp_path / "d04_text_station_raw_2017_01_03.txt").write_text("01/03/2017 00:00:05 400001 1 .01 65 2 .02 66\n")
    with pytest.raises(InputError, match="take the station files of five minutes or hours"):
        stx.load_sensors(tmp_path / "d04_text_station_raw_2017_01_03.txt", **HOW)
