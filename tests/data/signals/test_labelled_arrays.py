"""Networks of sensors in netCDF, zarr and xarray: channels, units, time zones, and dimensions that do not fit."""

import numpy as np
import pandas as pd
import pytest
import xarray

import stexplain as stx
from stexplain.errors import DataError
from tests.data.signals.sensor_files import SHORT, N, T, readings, times


def dataset(zone=None):
    values = readings()
    made = xarray.Dataset(
        {"speed": (("time", "node"), values[..., 0], {"units": "mph"}), "flow": (("node", "time"), values[..., 1].T)},
        {
            "time": times(),
            "node": [f"s{n}" for n in range(N)],
            "lon": ("node", np.arange(4.0)),
            "lat": ("node", np.ones(4)),
        },
    )
    if zone:
        made["time"].attrs["timezone"] = zone
    return made, values


@pytest.mark.parametrize("kind", ["netcdf3", "netcdf4", "zarr", "object"])
def test_each_variable_is_a_channel_with_its_unit(tmp_path, kind):
    made, values = dataset("America/Los_Angeles")
    given = tmp_path / f"roads.{'zarr' if kind == 'zarr' else 'nc'}"
    if kind == "netcdf3":
        made.to_netcdf(given, engine="scipy")
    elif kind == "netcdf4":
        pytest.importorskip("h5netcdf")
        made.to_netcdf(given, engine="h5netcdf")
    elif kind == "zarr":
        pytest.importorskip("zarr")
        made.to_zarr(given, consolidated=False, zarr_format=2)
    series = stx.load_sensors(
        made if kind == "object" else given, nearest=1, channels=["speed", "flow"], target_channel="flow", **SHORT
    )
    assert (series.channels, series.measured.units, series.unit) == (("speed", "flow"), ("mph", ""), "")
    assert stx.load_sensors(made, nearest=1, **SHORT).unit == "mph"
    np.testing.assert_allclose(series.batch([2]).x[0, 0], values[2:6], rtol=1e-6)
    assert series.graph.nodes == ("s0", "s1", "s2", "s3")
    assert series.graph.positions.tolist() == [[0, 1], [1, 1], [2, 1], [3, 1]]
    assert (series.time == times("America/Los_Angeles")).all()


@pytest.mark.parametrize(
    ("units", "calendar", "first"),
    [
        ("minutes since 2012-03-01 08:00:00", "standard", "2012-03-01 08:00"),
        ("minutes since 2012-03-01 08:00:00 -08:00", "gregorian", "2012-03-01 08:00-08:00"),
        ("minutes since 2012-03-01 08:00:00Z", "", "2012-03-01 08:00"),
    ],
)
def test_times_keep_their_zone(units, calendar, first):
    values = readings()
    attributes = {"units": units, **({"calendar": calendar} if calendar else {})}
    made = xarray.Dataset(
        {"speed": (("time", "node"), values[..., 0])}, {"time": ("time", 5 * np.arange(T), attributes)}
    )
    series = stx.load_sensors(made, links="none", **SHORT)
    assert series.time[0] == pd.Timestamp(first)
    assert (series.time[1] - series.time[0]) == pd.Timedelta(minutes=5)


def _grid():
    return xarray.Dataset({"t2m": (("time", "lat", "lon"), np.zeros((T, 2, 3)))}, {"time": times()})


def _calendar():
    about = {"units": "days since 2000-01-01", "calendar": "noleap"}
    return xarray.Dataset({"a": (("time", "node"), np.zeros((T, 2)))}, {"time": ("time", np.arange(T), about)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_grid, r"the variables over 'time' are t2m \(time, lat, lon\).*dataset.stack\(node="),
        (_calendar, r"the calendar of time is 'noleap'.*convert_calendar"),
        (lambda: xarray.Dataset({"a": (("i", "j"), np.zeros((3, 4)))}), r"the dimensions i, j, of which 0 are times"),
    ],
)
def test_dimensions_that_do_not_fit_are_said(make, message):
    with pytest.raises(DataError, match=message):
        stx.load_sensors(make(), links="none")


def test_damage_of_netcdf_is_named(tmp_path):
    (tmp_path / "broken.nc").write_bytes(b"CDF\x01 and no more")
    with pytest.raises(DataError, match=r"broken.nc could not be (read|opened)"):
        stx.load_sensors(tmp_path / "broken.nc", links="none")
