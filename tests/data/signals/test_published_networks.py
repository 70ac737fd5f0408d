"""Networks of sensors as LibCity, BasicTS and Torch Spatiotemporal publish them: files rebuilt, with known content."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import DataError, InputError, StexplainError
from tests.data.signals.sensor_files import RING, SHORT, N, T, entries, kernel, readings, times, tsl


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


def test_libcitys_regions_without_coordinates_have_no_places(tmp_path):
    values = readings()
    libcity(tmp_path, values)
    geo = pd.read_csv(tmp_path / "LA.geo", dtype=str)
    geo.assign(type="Polygon", coordinates="[]").to_csv(tmp_path / "LA.geo", index=False)
    series = stx.load_sensors(tmp_path, **SHORT)
    assert series.graph.positions is None
    np.testing.assert_allclose(series.batch([3]).x[0, 0], values[3:7], rtol=1e-6)


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
