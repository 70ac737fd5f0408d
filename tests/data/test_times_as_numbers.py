"""Times as numbers and text: since 1970 where that is certain, and refused where they could mean other times."""

import numpy as np
import pandas as pd
import pytest

from stexplain.data import WindowedSeries
from stexplain.data.signals.sensors import load_sensors
from stexplain.errors import DataError, InputError

TIMES = pd.date_range("2020-01-31 22:00", periods=20, freq="5min")
VALUES = np.random.default_rng(0).random((20, 3))


def series(time=None, index=None):
    values = VALUES if index is None else pd.DataFrame(VALUES, index=index)
    return WindowedSeries(values, window=3, horizon=2, time=time)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_numbers_since_1970_are_times_wherever_they_stand(unit):
    numbers = TIMES.as_unit(unit).asi8
    for found in (series(time=numbers), series(time=numbers.tolist()), series(index=numbers)):
        assert list(found.time) == list(TIMES)


@pytest.mark.parametrize("written", ["%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%d%H", "%Y%m%d"])
def test_dates_by_their_digits_are_not_since_1970(written, tmp_path):
    step = {"%Y%m%d%H": "h", "%Y%m%d": "D"}.get(written, "5min")
    digits = pd.date_range("2020-01-01", periods=20, freq=step).strftime(written).astype(np.int64)
    for call in (lambda: series(time=digits), lambda: series(index=digits)):
        with pytest.raises(InputError, match=f"dates by their digits.*format='{written}'"):
            call()
    for name in ("time", "", "ts"):
        pd.DataFrame(VALUES, index=digits, columns=list("abc")).to_csv(tmp_path / "speeds.csv", index_label=name)
        with pytest.raises(DataError, match=f"dates by their digits.*format='{written}'"):
            load_sensors(tmp_path / "speeds.csv", links="none", window=3, horizon=2)


@pytest.mark.parametrize("written", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M"])
def test_day_and_month_are_not_guessed(written):
    with pytest.raises(InputError, match="day and month may stand either way"):
        series(time=list(TIMES.strftime(written)))


@pytest.mark.parametrize("time", [np.arange(20) * 0.5, np.arange(20), 43831 + np.arange(20) / 288])
def test_other_numbers_are_no_times(time):
    with pytest.raises(InputError, match="expected times"):
        series(time=time)


def test_times_as_text_periods_and_objects():
    for time in (list(TIMES.astype(str)), TIMES.to_period("5min"), TIMES.to_pydatetime(), TIMES.to_numpy(), TIMES):
        assert list(series(time=time).time) == list(TIMES)


def test_a_table_with_a_row_for_each_sensor_and_time_is_refused(tmp_path):
    wide = pd.DataFrame(VALUES, columns=["101", "102", "103"])
    listed = wide.stack().reset_index().set_axis(["frame", "Sensor_ID", "speed"], axis=1)
    listed.to_csv(tmp_path / "speeds.csv", index=False)
    with pytest.raises(DataError, match=r"pivot\(index=..., columns='Sensor_ID'"):
        load_sensors(tmp_path / "speeds.csv", links="none")


def test_a_comma_too_many_is_no_sensor(tmp_path):
    text = pd.DataFrame(VALUES, index=TIMES, columns=list("abc")).to_csv()
    (tmp_path / "speeds.csv").write_text("\n".join(f"{line}," for line in text.splitlines()))
    series = load_sensors(tmp_path / "speeds.csv", links="none", window=4, horizon=2)
    assert series.graph.nodes == ("a", "b", "c")


@pytest.mark.parametrize(("ids", "separator"), [(("007", "07", "7"), ","), (("101", "102", "103"), ";")])
def test_ids_of_places_are_as_they_are_written(tmp_path, ids, separator):
    pd.DataFrame(VALUES, index=TIMES, columns=ids).to_csv(tmp_path / "speeds.csv")
    places = pd.DataFrame({"sensor_id": ids[::-1], "latitude": [3.5, 2.5, 1.5], "longitude": [3.0, 2.0, 1.0]})
    places.to_csv(tmp_path / "places.txt", index=False, sep=separator)
    series = load_sensors(tmp_path / "speeds.csv", locations=tmp_path / "places.txt", nearest=2, window=3, horizon=2)
    assert series.graph.nodes == ids
    assert series.graph.positions.tolist() == [[1.0, 1.5], [2.0, 2.5], [3.0, 3.5]]


def test_places_in_degrees_and_minutes_are_shown(tmp_path):
    pd.DataFrame(VALUES, index=TIMES, columns=list("abc")).to_csv(tmp_path / "speeds.csv")
    places = pd.DataFrame({"sensor_id": list("abc"), "latitude": "34°6'N", "longitude": "118°6'W"})
    places.to_csv(tmp_path / "places.txt", index=False)
    with pytest.raises(InputError, match="minutes / 60"):
        load_sensors(tmp_path / "speeds.csv", locations=tmp_path / "places.txt", nearest=1, window=3, horizon=2)
