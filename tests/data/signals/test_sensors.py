"""Networks of sensors in the formats that others publish: files rebuilt as these write them, with known content."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray

import stexplain as stx
from stexplain.errors import DataError, InputError, StexplainError

T, N = 40, 4
REAL = os.environ.get("STEXPLAIN_REAL_DATA")
SHORT = {"window": 4, "horizon": 2}


def readings(channels=2, seed=0):
    return np.random.default_rng(seed).normal(50, 5, size=(T, N, channels)).astype(np.float32)


def times(zone=None):
    return pd.date_range("2012-03-01", periods=T, freq="5min", tz=zone)


RING = [(0, 1, 1.0), (1, 2, 1.2), (2, 3, 0.8), (3, 0, 1.0), (0, 2, 6.0), (0, 0, 0.0), (1, 1, 0.0)]


def kernel(links=RING, least=0.1):
    """LibCity's and DCRNN's: exp(-(d / sigma)^2) over the listed distances."""
    sigma = np.array([far for *_, far in links]).std()
    found = {(a, b): float(np.exp(-((far / sigma) ** 2))) for a, b, far in links if a != b}
    return {pair: round(weight, 9) for pair, weight in sorted(found.items()) if weight >= least}


def entries(graph):
    return {
        tuple(edge): round(float(weight), 9) for edge, weight in zip(graph.edges.tolist(), graph.weight, strict=True)
    }


# LibCity


def libcity(folder, values, info=None, lines=RING):
    folder.mkdir(exist_ok=True)
    ids = ["773869", "767541", "767542", "717447"]
    geo = "geo_id,type,coordinates\n" + "".join(
        f'{ids[n]},Point,"[{-118 + n / 10}, {34 + n / 10}]"\n' for n in range(N)
    )
    (folder / "LA.geo").write_text(geo)
    rel = "rel_id,type,origin_id,destination_id,cost\n"
    (folder / "LA.rel").write_text(
        rel + "".join(f"{i},geo,{ids[a]},{ids[b]},{far}\n" for i, (a, b, far) in enumerate(lines))
    )
    rows = ["dyna_id,type,time,entity_id,speed,flow"]
    # By sensor, then time, as they write it.
    for n in range(N):
        for t, moment in enumerate(times()):
            rows.append(
                f"{len(rows) - 1},state,{moment:%Y-%m-%dT%H:%M:%SZ},{ids[n]},{values[t, n, 0]!r},{values[t, n, 1]!r}"
            )
    (folder / "LA.dyna").write_text("\n".join(rows).replace("np.float32(", "").replace(")", "") + "\n")
    info = {"calculate_weight_adj": True, "time_intervals": 300, **(info or {})}
    (folder / "config.json").write_text(json.dumps({"info": info}))
    return ids


def test_libcity_keeps_values_times_places_and_links(tmp_path):
    values = readings()
    ids = libcity(tmp_path, values, {"data_col": ["speed", "flow"]})
    series = stx.load_sensors(tmp_path, target_channel="flow", **SHORT)
    assert series.graph.nodes == tuple(ids)
    np.testing.assert_allclose(series.graph.positions[:, 0], [-118, -117.9, -117.8, -117.7])
    assert entries(series.graph) == kernel()
    assert series.graph.directed
    assert (series.time == times("UTC")).all()
    batch = series.batch([3])
    np.testing.assert_allclose(batch.x[0, 0], values[3:7], rtol=1e-6)
    np.testing.assert_allclose(batch.y[0], values[7:9, :, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("info", "weights"),
    [
        ({"calculate_weight_adj": False, "set_weight_link_or_dist": "link"}, [1.0] * 4),
        ({"calculate_weight_adj": False, "init_weight_inf_or_zero": "zero"}, [1.0, 1.2, 0.8, 1.0]),
    ],
)
def test_libcitys_configuration_says_what_links_are(tmp_path, info, weights):
    libcity(tmp_path, readings(), info)
    assert [entries(stx.load_sensors(tmp_path, **SHORT).graph)[a, (a + 1) % 4] for a in range(4)] == weights
    both = {**info, "bidir_adj_mx": True}
    libcity(tmp_path, readings(), both)
    graph = stx.load_sensors(tmp_path, **SHORT).graph
    assert not graph.directed
    assert len(graph.edges) == 5


def test_what_libcity_says_of_its_links_need_not_be_said_again(tmp_path):
    libcity(tmp_path, readings())
    with pytest.raises(InputError, match=r"links: got 'weights'; .*LA.geo says itself what its links are"):
        stx.load_sensors(tmp_path, links="weights", **SHORT)


def test_a_reading_that_is_not_there_is_a_gap(tmp_path):
    libcity(tmp_path, readings())
    path = tmp_path / "LA.dyna"
    lines = path.read_text().splitlines()
    del lines[5]  # the fifth time of the first sensor
    path.write_text("\n".join(lines) + "\n")
    batch = stx.load_sensors(tmp_path, **SHORT).batch([2])
    assert (~batch.observed[0, 0]).nonzero().tolist() == [[2, 0]]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("LA.dyna", "T00:05:00Z", "five past", r"LA.dyna, line 3: the time is '2012-03-01five past'"),
        ("LA.dyna", "773869", "999", r"LA.dyna, line 2: the sensor '999' is not in the .geo"),
        ("LA.dyna", "entity_id", "sensor", r"LA.dyna has the columns .* expected entity_id"),
        ("LA.rel", "767541", "999", r"LA.rel, line 2: the sensor '999' is not in the .geo"),
        ("LA.geo", "[-118.0, 34.0]", f"[{10**400}, 34.0]", r"LA.geo, line 2: the coordinates are"),
        ("LA.geo", "[-118.0, 34.0]", "[west]", r"LA.geo, line 2: the coordinates are '\[west\]'"),
        ("config.json", "true", "false", r"does not say whether cost is a distance or a weight"),
        ("LA.dyna", "2012-03-01T00:05", "2112-03-01T00:05", r"LA.dyna goes from 2012-.* to 2112-.* Is a date wrong"),
        ("config.json", "300", '"often"', r"config.json, info.time_intervals.*: got 'often'; expected"),
        (
            "config.json",
            '"time_intervals"',
            '"data_col": [3], "time_intervals"',
            r"config.json, info.data_col.*got \[?3",
        ),
        ("config.json", "300", "60", r"says 60 s from frame to frame, and the second time of the .dyna is 300 s"),
    ],
)
def test_damage_of_libcity_is_named(tmp_path, file, old, new, message):
    libcity(tmp_path, readings())
    path = tmp_path / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(StexplainError, match=message):
        stx.load_sensors(tmp_path, **SHORT)


# BasicTS


def basicts(folder, values, **more):
    folder.mkdir(exist_ok=True)
    day = np.broadcast_to((np.arange(T) % 288 / 288)[:, None, None], (T, N, 1))
    whole = np.concatenate([values, day], 2).astype(np.float32)
    whole.tofile(folder / "data.dat")
    about = {
        "name": "LA", "shape": list(whole.shape), "frequency (minutes)": 5, "has_graph": True,
        "feature_description": [*[f"speed {n}" for n in range(values.shape[2])], "time of day"],
        "regular_settings": {"INPUT_LEN": 6, "OUTPUT_LEN": 3, "NULL_VAL": 0.0}, **more,
    }  # fmt: skip
    (folder / "desc.json").write_text(json.dumps(about))
    matrix = np.eye(N) + np.diag([0.5, 0.6, 0.7], 1)
    ids = [f"s{n}" for n in range(N)]
    (folder / "adj_mx.pkl").write_bytes(pickle.dumps((ids, {name: n for n, name in enumerate(ids)}, matrix), 2))


def test_basicts_keeps_values_and_says_that_the_calendar_goes(tmp_path):
    values = readings(1)
    values[5, 2] = 0
    basicts(tmp_path, values)
    with pytest.warns(UserWarning, match="channels 'time of day' were excluded"):
        series = stx.load_sensors(tmp_path, start="2012-03-01")
    assert (series.window, series.horizon, series.channels) == (6, 3, ("speed 0",))
    assert series.graph.nodes == ("s0", "s1", "s2", "s3")
    assert entries(series.graph) == {(0, 1): 0.5, (1, 2): 0.6, (2, 3): 0.7}
    assert (series.time == times()).all()
    batch = series.batch([0])
    np.testing.assert_array_equal(batch.x[0, 0, ..., 0], np.where(values[:6, :, 0] == 0, 0, values[:6, :, 0]))
    assert (~batch.observed[0, 0]).nonzero().tolist() == [[5, 2]]


def test_the_length_of_a_frame_is_kept_without_a_first_time(tmp_path):
    basicts(tmp_path, readings(1))
    # It is in desc.json: 5 minutes.
    with pytest.warns(UserWarning, match="time of day"):
        batch = stx.load_sensors(tmp_path, **SHORT).batch([0])
    assert batch.measured.seconds(4).tolist() == [-900, -600, -300, 0]
    with pytest.warns(UserWarning, match="time of day"):
        batch = stx.load_sensors(tmp_path, minutes=15, **SHORT).batch([0])
    assert batch.measured.seconds(4).tolist() == [-2700, -1800, -900, 0]
    with pytest.raises(InputError, match="minutes: got 0; expected a number above 0"):
        stx.load_sensors(tmp_path, minutes=0, **SHORT)


def test_minutes_of_a_file_with_times_are_refused(tmp_path):
    libcity(tmp_path, readings())
    with pytest.raises(InputError, match="minutes: .*LA.geo has times of its own"):
        stx.load_sensors(tmp_path, minutes=15, **SHORT)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"shape": [T, N]}, r"shape is \[40, 4\]; expected \[T, N, C\]"),
        ({"shape": [T, N, 3]}, r"holds 1280 bytes; expected 1920"),
        ({"feature_description": ["speed"]}, r"describes 1 features of 2"),
    ],
)
def test_damage_of_basicts_is_named(tmp_path, more, message):
    basicts(tmp_path, readings(1), **more)
    with pytest.raises(DataError, match=message):
        stx.load_sensors(tmp_path)


# Torch Spatiotemporal


def tsl(path, values, channels=("speed", "flow")):
    """As `to_hdf` writes a frame in the fixed format, columns (sensor, channel)."""
    h5py = pytest.importorskip("h5py")
    names = [f"s{n}" for n in range(N)]
    codes = np.array([[n, c] for n in range(N) for c in range(len(channels))])
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        for axis in ("axis0", "block0_items"):
            group.attrs[f"{axis}_nlevels"], group.attrs[f"{axis}_variety"] = 2, "multi"
            for level, labels in enumerate((names, channels)):
                group[f"{axis}_level{level}"] = np.array(labels, "S")
                group[f"{axis}_label{level}"] = codes[:, level].astype(np.int8)
        group["axis1"] = times().to_numpy().astype("datetime64[ns]").astype(np.int64)
        group["axis1"].attrs["kind"] = "datetime64"
        group["block0_values"] = values.reshape(T, -1)


def test_tsl_frames_keep_their_channels_and_their_distances(tmp_path):
    values = readings()
    tsl(tmp_path / "metr_la.h5", values)
    distances = np.full((N, N), np.inf, np.float32)
    for a, b, far in RING:
        distances[a, b] = far
    np.save(tmp_path / "metr_la_dist.npy", distances)
    series = stx.load_sensors(tmp_path, target_channel="speed", **SHORT)
    assert series.channels == ("speed", "flow")
    # A matrix has the distance of each sensor to itself, which counts.
    expected = kernel([*RING, (2, 2, 0.0), (3, 3, 0.0)])
    assert entries(series.graph) == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(series.batch([1]).x[0, 0], values[1:5], rtol=1e-6)
    assert (series.time == times()).all()


def test_damage_of_tsl_is_named(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "broken.h5"
    tsl(path, readings())
    with h5py.File(path, "a") as file:
        del file["df"]["axis0_label1"]
    with pytest.raises(DataError, match=r"broken.h5 could not be read as HDF5: it has no axis0_label1"):
        stx.load_sensors(path, links="none")
    path.write_bytes(b"no hdf")
    with pytest.raises(DataError, match=r"broken.h5 could not be read as HDF5"):
        stx.load_sensors(path, links="none")


# netCDF and zarr


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


# PEMS and tables


@pytest.mark.parametrize("graph", ["adj.csv", "adj.npy", "distance.csv"])
def test_pems_with_a_matrix_or_with_a_table(tmp_path, graph):
    values = readings(3)
    np.savez(tmp_path / "pems08.npz", data=values)
    matrix = np.zeros((N, N))
    for a, b, _ in RING[:4]:
        matrix[a, b] = 1
    if graph == "adj.csv":
        np.savetxt(tmp_path / graph, matrix, delimiter=",")
    elif graph == "adj.npy":
        np.save(tmp_path / graph, matrix)
    else:
        (tmp_path / graph).write_text("from,to,cost\n" + "".join(f"{a},{b},{far}\n" for a, b, far in RING[:4]))
    options = {"channels": ["flow", "occupancy", "speed"], "start": "2016-07-01", "minutes": 5}
    series = stx.load_sensors(tmp_path, links="neighbours", target_channel="speed", **options, **SHORT)
    assert entries(series.graph) == {(0, 1): 1, (1, 2): 1, (2, 3): 1, (3, 0): 1}
    np.testing.assert_allclose(series.batch([0]).y[0], values[4:6, :, 2], rtol=1e-6)
    with pytest.raises(InputError, match="channels: got 1 names"):
        stx.load_sensors(tmp_path, links="neighbours", channels=["flow"])
    with pytest.raises(InputError, match="how long a frame is. Give minutes="):
        stx.load_sensors(tmp_path, links="neighbours", start="2016-07-01")


def test_a_graph_is_asked_for_where_there_is_none_or_more_than_one(tmp_path):
    np.save(tmp_path / "values.npy", readings())
    with pytest.raises(InputError, match=r"has no links.*Give graph=.*links='none'"):
        stx.load_sensors(tmp_path)
    assert len(stx.load_sensors(tmp_path, links="none").graph.edges) == 0
    np.save(tmp_path / "adj.npy", np.ones((N, N)))
    np.save(tmp_path / "dist.npy", np.ones((N, N)))
    with pytest.raises(InputError, match=r"beside values.npy lie adj.npy, dist.npy; which is the graph"):
        stx.load_sensors(tmp_path)
    series = stx.load_sensors(tmp_path, graph=tmp_path / "adj.npy")
    assert len(series.graph.edges) == 6
    np.save(tmp_path / "more.npy", readings())
    with pytest.raises(InputError, match=r"holds 2 files that may be values \(more.npy, values.npy\)"):
        stx.load_sensors(tmp_path)
    with pytest.raises(InputError, match="there is no"):
        stx.load_sensors(tmp_path / "none")


def test_a_table_with_times_fills_those_it_leaves_out(tmp_path):
    values = pd.DataFrame(readings(1)[..., 0], index=times(), columns=list("abcd")).drop(times()[[7, 8]])
    values.to_csv(tmp_path / "speeds.csv")
    with pytest.warns(UserWarning, match="2 of 40 times are not there"):
        series = stx.load_sensors(tmp_path / "speeds.csv", links="none", **SHORT)
    assert (series.time == times()).all()
    assert series.graph.nodes == tuple("abcd")
    assert series.batch([6]).observed[0, 0].all(1).tolist() == [True, False, False, True]


@pytest.mark.skipif(not REAL, reason="STEXPLAIN_REAL_DATA is not set")
def test_a_real_week_of_los_angeles():
    folder = Path(REAL) / "los-loop"
    with pytest.warns(UserWarning, match="nodes without an edge, one node"):
        series = stx.load_sensors(folder / "los_speed.csv", start="2012-03-01", minutes=5, units=["mph"])
    assert (series.frames, series.nodes, series.unit) == (2016, 207, "mph")
    # The same as the bundled card's reader gives.
    with pytest.warns(UserWarning, match="nodes without an edge, one node"):
        card = stx.load_series("los-loop", folder)
    assert entries(series.graph) == entries(card.graph)
    assert series.graph.nodes == card.graph.nodes
    np.testing.assert_array_equal(series.batch([5]).x[0, 0], card.batch([5]).x[0, 0])


@pytest.mark.skipif(not REAL, reason="STEXPLAIN_REAL_DATA is not set")
def test_the_real_graph_of_metr_la_beside_values_in_another_order(tmp_path):
    where = Path(REAL) / "metr-la-graph"
    ids = (where / "graph_sensor_ids.txt").read_text().strip().split(",")
    table = pd.DataFrame(np.random.default_rng(0).random((T, len(ids))), index=times(), columns=ids[::-1])
    table.to_csv(tmp_path / "speeds.csv")
    with pytest.warns(UserWarning, match="nodes without an edge, one node"):
        series = stx.load_sensors(tmp_path / "speeds.csv", graph=where / "adj_mx.pkl", **SHORT)
    assert series.graph.nodes == tuple(ids[::-1])
    raw = pickle.loads((where / "adj_mx.pkl").read_bytes(), encoding="latin1")[2]
    dense = np.zeros_like(raw)
    row, column = (207 - 1 - series.graph.edges).T
    dense[row, column] = series.graph.weight
    np.testing.assert_allclose(dense, raw * (1 - np.eye(207)), atol=1e-7)


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("773869,767541\n64.4,67.6\n62.7,68\n", ("773869", "767541")),
        ("64.4,67.6\n62.7,68\n61,60\n", ("0", "1")),
        (",773869,767541\n2012-03-01 00:00,1,2\n2012-03-01 00:05,3,4\n", ("773869", "767541")),
        ("2012-03-01 00:00,1,2\n2012-03-01 00:05,3,4\n", ("0", "1")),
        ("time,a,b\n2012-03-01 00:00,1,2\n2012-03-01 00:05,3,4\n", ("a", "b")),
    ],
)
def test_the_first_line_is_read_as_what_it_is(tmp_path, text, nodes):
    (tmp_path / "s.csv").write_text(text)
    series = stx.load_sensors(tmp_path / "s.csv", links="none", window=1, horizon=1)
    assert series.graph.nodes == nodes
    assert series.frames == len(text.splitlines()) - (nodes != ("0", "1"))


def test_counts_below_ids_are_asked_about(tmp_path):
    (tmp_path / "s.csv").write_text("101,102\n7,8\n9,12\n")
    with pytest.raises(InputError, match=r"\(101, 102, ...\) may be ids of sensors or observations. Give header=True"):
        stx.load_sensors(tmp_path / "s.csv", links="none", window=1, horizon=1)
    series = stx.load_sensors(tmp_path / "s.csv", links="none", header=True, window=1, horizon=1)
    assert (series.frames, series.graph.nodes) == (2, ("101", "102"))
    assert stx.load_sensors(tmp_path / "s.csv", links="none", header=False, window=1, horizon=1).frames == 3


@pytest.mark.parametrize("units", ["mph", ["mph"], {"value": "mph"}])
def test_units_are_given_by_order_or_by_name(tmp_path, units):
    rows = [f"2026-01-01 00:{5 * minute:02d},{minute},{minute + 1}" for minute in range(10)]
    (tmp_path / "speeds.csv").write_text("\n".join(["time,a,b", *rows]))
    given = {"links": "none", "window": 2, "horizon": 1}
    assert stx.load_sensors(tmp_path / "speeds.csv", units=units, **given).unit == "mph"
    with pytest.raises(InputError, match=r"unknown channel \(of units\) 'speed'"):
        stx.load_sensors(tmp_path / "speeds.csv", units={"speed": "mph"}, **given)
    with pytest.raises(InputError, match="units: got 'mph', 'veh' for the channels value; expected one each"):
        stx.load_sensors(tmp_path / "speeds.csv", units=["mph", "veh"], **given)


# Places


def placed(tmp_path):
    pd.DataFrame(readings(1)[..., 0], index=times(), columns=["11", "12", "13", "14"]).to_csv(tmp_path / "speeds.csv")
    # In another order, with a sensor more, and a count of rows before.
    table = pd.DataFrame(
        {"sensor_id": [14, 13, 99, 12, 11], "latitude": [4.0, 3, 9, 2, 1], "longitude": [41.0, 11, 9, 40, 10]}
    )
    table.to_csv(tmp_path / "places.csv", index_label="index")
    return tmp_path / "speeds.csv", tmp_path / "places.csv", table


def test_places_of_sensors_come_from_a_table_by_their_ids(tmp_path):
    values, file, table = placed(tmp_path)
    for locations in (file, str(file), table):
        series = stx.load_sensors(values, links="none", locations=locations, **SHORT)
        assert series.graph.nodes == ("11", "12", "13", "14")
        np.testing.assert_array_equal(series.graph.positions, [[10, 1], [40, 2], [11, 3], [41, 4]])


def test_with_them_the_nearest_are_neighbours(tmp_path):
    values, file, _ = placed(tmp_path)
    with pytest.raises(InputError, match="Give locations="):
        stx.load_sensors(values, nearest=1, **SHORT)
    graph = stx.load_sensors(values, nearest=1, locations=file, **SHORT).graph
    assert set(map(tuple, graph.edges.tolist())) == {(0, 2), (1, 3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table[table["sensor_id"] != 12], "no row for 1 of 4 sensors, such as '12'"),
        (lambda table: table.drop(columns="sensor_id"), "expected one of ids, such as sensor_id"),
        (lambda table: table.rename(columns={"latitude": "north"}), "expected x, y and z, or longitude and latitude"),
        (lambda table: table.assign(latitude=100.0), "expected degrees"),
    ],
)
def test_places_that_do_not_fit_are_refused(tmp_path, change, message):
    values, _, table = placed(tmp_path)
    with pytest.raises(InputError, match=message):
        stx.load_sensors(values, links="none", locations=change(table), **SHORT)


def test_places_beside_a_graph_that_has_its_own_are_refused(tmp_path):
    values, file, _ = placed(tmp_path)
    graph = stx.STGraph.from_edges(["11", "12", "13", "14"], [("11", "12"), ("13", "14")])
    with pytest.raises(InputError, match="the STGraph has a graph of its own"):
        stx.load_sensors(values, graph=graph, locations=file, **SHORT)
