"""Times on clocks that change: hours that are left out or come twice, and several offsets in one file."""

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import DataError, InputError

ZONE, NAMES = "Europe/Berlin", ["north", "south", "west"]
# Clocks are put forward on 30 March 2025, and back on 26 October.
SPRING, AUTUMN = "2025-03-28", "2025-10-24"


def table(start):
    index = pd.date_range(start, periods=100, freq="h", tz=ZONE, name="time")
    return pd.DataFrame(np.random.default_rng(0).uniform(100, 200, (100, 3)).round(1), index, NAMES)


def load(given, **more):
    graph = stx.STGraph.from_edges(NAMES, [("north", "south"), ("south", "west")])
    return stx.load_sensors(given, graph=graph, window=4, horizon=2, **more)


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
@pytest.mark.parametrize(
    "written",
    [
        lambda frame: frame,  # with offsets, of which there are two
        lambda frame: frame.tz_convert("UTC"),
        lambda frame: frame.tz_localize(None),  # as the clocks showed it
    ],
)
def test_a_zone_that_is_given_makes_one_series_of_all_ways_to_write_it(tmp_path, start, written):
    frame = table(start)
    written(frame).to_csv(tmp_path / "load.csv")
    for given in (tmp_path / "load.csv", written(frame)):
        series = load(given, time_zone=ZONE)
        assert series.time.tz_convert("UTC").tolist() == frame.index.tz_convert("UTC").tolist()
        assert str(series.time.tz) == ZONE
        # The time of day is that of the clocks, after the change as before.
        assert np.allclose(series.calendar[:, 0] * 24, frame.index.hour)
        np.testing.assert_allclose(series.batch([10]).x[0, 0, :, :, 0], frame.to_numpy()[10:14])


def test_a_first_time_is_on_the_clocks_of_the_zone(tmp_path):
    np.save(tmp_path / "load.npy", table(SPRING).to_numpy())
    series = stx.load_sensors(tmp_path / "load.npy", links="none", start=SPRING, minutes=60, time_zone=ZONE)
    assert series.time.tolist() == table(SPRING).index.tolist()


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
def test_several_offsets_without_a_zone_are_asked_about(tmp_path, start):
    table(start).to_csv(tmp_path / "load.csv")
    with pytest.raises(DataError, match=r"several offsets from UTC.*whose clocks.*time_zone=, such as 'Europe/Berlin'"):
        load(tmp_path / "load.csv")


def test_an_hour_that_comes_twice_is_refused_with_the_argument_that_tells_it(tmp_path):
    table(AUTUMN).tz_localize(None).to_csv(tmp_path / "load.csv")
    with pytest.raises(DataError, match=r"times that increase.*time_zone='Europe/Berlin'\.$"):
        load(tmp_path / "load.csv")


@pytest.mark.parametrize("zone", ["Europe/Berlinn", "", "CESTX", "../etc/passwd"])
def test_a_zone_that_is_none(tmp_path, zone):
    with pytest.raises(InputError, match="time_zone: got .*expected a name such as 'Europe/Berlin'"):
        load(table(SPRING).tz_localize(None), time_zone=zone)


def test_times_that_the_clocks_of_the_zone_never_show(tmp_path):
    hours = pd.date_range(SPRING, periods=100, freq="h")
    with pytest.raises(InputError, match=r"time_zone: the times do not fit the clocks of Europe/Berlin.*'Etc/GMT-1'"):
        load(table(SPRING).set_axis(hours), time_zone=ZONE)
    with pytest.raises(InputError, match=r"time_zone: the times do not fit"):
        # In autumn, with the hour but once.
        load(table(AUTUMN).set_axis(pd.date_range(AUTUMN, periods=100, freq="h")), time_zone=ZONE)


def test_data_without_times_has_no_zone(tmp_path):
    np.save(tmp_path / "load.npy", table(SPRING).to_numpy())
    with pytest.raises(InputError, match="time_zone: .* has no times. Give the first by start="):
        stx.load_sensors(tmp_path / "load.npy", links="none", time_zone=ZONE)
