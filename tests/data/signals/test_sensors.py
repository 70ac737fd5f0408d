"""Networks of sensors in tables and in PEMS' files, and where sensors are: what is not certain is asked for."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import InputError
from tests.data.signals.sensor_files import RING, SHORT, N, T, entries, readings, times

REAL = os.environ.get("STEXPLAIN_REAL_DATA")


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
    with pytest.warns(UserWarning, match="one node without an edge"):
        series = stx.load_sensors(folder / "los_speed.csv", start="2012-03-01", minutes=5, units=["mph"])
    assert (series.frames, series.nodes, series.unit) == (2016, 207, "mph")
    # The same as the bundled card's reader gives.
    with pytest.warns(UserWarning, match="one node without an edge"):
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
    with pytest.warns(UserWarning, match="one node without an edge"):
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


@pytest.mark.parametrize("start", ["", "NaT", float("nan"), "the first of May"])
def test_a_start_that_is_no_time(tmp_path, start):
    np.savez(tmp_path / "data.npz", data=np.random.default_rng(0).normal(50, 5, (40, 3, 1)))
    with pytest.raises(InputError, match="^start: got .*; expected a time, such as '2012-03-01 00:00'"):
        stx.load_sensors(tmp_path / "data.npz", links="none", start=start, minutes=5)
