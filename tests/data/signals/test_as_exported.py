"""Files as programs export them that were read wrong without a word, or refused with a remedy that led nowhere."""

import json
import pathlib

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import stexplain as stx
from stexplain.checking.implausible import implausible_sensors
from stexplain.data import load_regions, load_sensors
from stexplain.errors import DataError, InputError

IDS = ["773869", "773870", "773871", "773872"]
WEIGHTS = np.array([[0, 0.5, 0, 0], [0.25, 0, 0, 1], [0, 0, 0, 0.75], [0.5, 0, 0.125, 0]])


@pytest.fixture
def speeds(tmp_path):
    times = pd.date_range("2024-03-04", periods=40, freq="5min")
    values = np.random.default_rng(0).uniform(40, 60, (40, 4))
    pd.DataFrame(values, times, IDS).to_csv(tmp_path / "speeds.csv")
    return tmp_path / "speeds.csv"


RING = stx.STGraph.from_edges(["0", "1", "2", "3"], [(0, 1), (1, 2), (2, 3)])

# ---- graphs ----


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_a_sparse_matrix_of_scipy_is_a_graph(tmp_path, speeds, kind):
    scipy.sparse.save_npz(tmp_path / "adj.npz", scipy.sparse.coo_matrix(WEIGHTS).asformat(kind))
    graph = load_sensors(speeds, graph=tmp_path / "adj.npz").graph
    np.testing.assert_allclose(graph.to_scipy().toarray(), WEIGHTS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"indices": np.array([1, 0, 9, 3, 0, 2])}, "indices 0 to 9; expected 0 to 3"),
        ({"indptr": np.array([0, 1, 3, 4, 9])}, "a damaged sparse matrix"),
        ({"format": np.array(["csr", "csc"])}, "expected csr, csc or coo"),
        ({"shape": np.array([10**6, 10**6])}, "1000000 x 1000000; expected 4 x 4"),
    ],
)
def test_a_damaged_sparse_matrix_is_refused(tmp_path, speeds, change, words):
    scipy.sparse.save_npz(tmp_path / "adj.npz", scipy.sparse.csr_matrix(WEIGHTS))
    with np.load(tmp_path / "adj.npz") as held:
        parts = dict(held) | change
    np.savez(tmp_path / "adj.npz", **parts)
    with pytest.raises(DataError, match=words):
        load_sensors(speeds, graph=tmp_path / "adj.npz")


def test_a_matrix_that_numpy_wrote_as_text_is_a_graph(tmp_path, speeds):
    np.savetxt(tmp_path / "adj.txt", WEIGHTS)
    np.testing.assert_allclose(load_sensors(speeds, graph=tmp_path / "adj.txt").graph.to_scipy().toarray(), WEIGHTS)


def test_graphs_of_other_programs_have_lines_that_work(tmp_path, speeds):
    networkx, scipy_io = pytest.importorskip("networkx"), pytest.importorskip("scipy.io")
    made = networkx.relabel_nodes(
        networkx.from_numpy_array(WEIGHTS, create_using=networkx.DiGraph), dict(enumerate(IDS))
    )
    networkx.write_gexf(made, tmp_path / "g.gexf")
    networkx.write_graphml(made, tmp_path / "g.graphml")
    scipy_io.savemat(tmp_path / "adj.mat", {"A": WEIGHTS})
    lines = {}
    for name in ("g.gexf", "g.graphml", "adj.mat"):
        with pytest.raises(InputError, match=rf"graph: {tmp_path / name} .*: graph=") as raised:
            load_sensors(speeds, graph=tmp_path / name)
        lines[name] = str(raised.value).partition(": graph=")[2].rstrip(".")
    for name, line in lines.items():
        known = {"path": tmp_path / name, "networkx": networkx, "scipy": scipy_io and __import__("scipy")}
        graph = eval(line.replace("names", "IDS").replace("'name'", "'A'"), known | {"stx": stx, "IDS": IDS})
        found = load_sensors(speeds, graph=graph).graph
        order = [found.index(one) for one in IDS]
        np.testing.assert_allclose(found.to_scipy().toarray()[np.ix_(order, order)], WEIGHTS)


def test_places_in_geojson_are_no_links_and_have_a_line_that_works(tmp_path, speeds):
    points = [
        {
            "type": "Feature",
            "properties": {"id": one},
            "geometry": {"type": "Point", "coordinates": [-3.7 + 0.01 * at, 40]},
        }
        for at, one in enumerate(IDS)
    ]
    path = tmp_path / "sensors.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": points}))
    for how in ({"graph": path}, {"locations": path, "nearest": 1}):
        with pytest.raises(InputError, match="holds places, and no links: locations=") as raised:
            load_sensors(speeds, **how)
    line = str(raised.value).partition("locations=")[2].rpartition(", nearest=")[0]
    located = eval(line, {"pd": pd, "json": json, "path": path, "pathlib": pathlib})
    assert len(load_sensors(speeds, locations=located, nearest=1).graph.edges)


# ---- numbers that are no observations ----


def test_several_codes_are_named():
    values = np.random.default_rng(0).uniform(1, 9, (30, 3))
    values[3:6, 1], values[9, 2] = -999, -9999
    (said,) = implausible_sensors(values, ["a", "b", "c"])
    assert said.startswith("2 of 3 sensors hold -9999 and -999, and nothing else is below zero ('b', 'c'): ")
    values[9, 2] = values[8, 2]
    values[4, 1] = -9999
    (said,) = implausible_sensors(values, ["a", "b", "c"])
    assert said.startswith("1 of 3 sensors holds -9999 and -999, and nothing else is below zero ('b'): ")
    values[0, 0] = -3.5
    assert not [one for one in implausible_sensors(values, ["a", "b", "c"]) if "nothing else is below" in one]


# ---- who is who ----


@pytest.mark.parametrize(
    "names",
    [
        "ROI_Subject00{}_Session00{}",
        "s0{}_run{}",
        "P{}-rest-scan{}",
        "0050{}_visit_{}_aal",
    ],
)
def test_runs_whose_names_differ_in_the_session_are_of_one_subject(tmp_path, names):
    random = np.random.default_rng(0)
    for subject in (1, 2, 3):
        for run in (1, 2):
            np.save(tmp_path / f"{names.format(subject, run)}.npy", random.normal(size=(30, 4)))
    with pytest.warns(UserWarning, match="6 runs are taken for those of 3 subjects, as names differ in the session"):
        clips = load_regions(tmp_path, graph=RING)
    assert len(set(clips.groups)) == 3
    assert [clips.groups[at] == clips.groups[at + 1] for at in range(5)] == [True, False, True, False, True]


def test_one_run_of_each_keeps_its_name(tmp_path):
    for subject in (1, 2):
        np.save(tmp_path / f"s{subject}_run1.npy", np.random.default_rng(subject).normal(size=(30, 4)))
    for run in (1, 2):
        np.save(tmp_path / f"rest_run{run}.npy", np.random.default_rng(9 + run).normal(size=(30, 4)))
    assert len(set(load_regions(tmp_path, graph=RING).groups)) == 4


# ---- times ----


@pytest.mark.parametrize("long", [True, False])
def test_half_hours_that_are_counted_have_a_line_that_works(tmp_path, long):
    """As Elexon has them: the day on which clocks are set forward has 46."""
    periods = {"2024-03-30": 48, "2024-03-31": 46, "2024-04-01": 48}
    rows = [
        {"settlementDate": day, "settlementPeriod": period, "CCGT": 100 * at + period, "WIND": 1000 + 10 * at - period}
        for at, (day, count) in enumerate(periods.items())
        for period in range(1, count + 1)
    ]
    table = pd.DataFrame(rows)
    if long:
        keys = ["settlementDate", "settlementPeriod"]
        table = table.melt(keys, var_name="fuelType", value_name="generation").sort_values(keys, kind="stable")
    path = tmp_path / "fuel.csv"
    table.to_csv(path, index=False)
    with pytest.raises(DataError, match="Write (it|the table) anew[^:]*: ") as raised:
        load_sensors(path, links="none")
    exec(read_out(raised.value), {"pd": pd, "path": path, "out": tmp_path / "x.csv"})
    series = load_sensors(tmp_path / "x.csv", links="none")
    values, _ = next(series.observations())
    assert series.graph.nodes == ("CCGT", "WIND")
    assert values[:3, :, 0].tolist() == [[1, 999], [2, 998], [3, 997]]
    assert (series.frames, values[-1, 0, 0]) == (142, 248)
    assert [series.time[0], series.time[-1]] == [
        pd.Timestamp("2024-03-30", tz="UTC"),
        pd.Timestamp("2024-04-01 22:30", tz="UTC"),
    ]


def test_hours_that_are_counted_have_a_line_that_works(tmp_path):
    table = pd.DataFrame([(f"2024-03-0{day}", hour, day, hour) for day in (1, 2) for hour in range(1, 25)])
    table.set_axis(["date", "hour", "a", "b"], axis=1).to_csv(tmp_path / "h.csv", index=False)
    with pytest.warns(UserWarning, match="'hour' is taken for a sensor"), pytest.raises(DataError) as raised:
        load_sensors(tmp_path / "h.csv", links="none")
    exec(read_out(raised.value), {"pd": pd, "path": tmp_path / "h.csv", "out": tmp_path / "x.csv"})
    series = load_sensors(tmp_path / "x.csv", links="none")
    assert (series.frames, series.graph.nodes) == (48, ("a", "b"))
    assert [series.time[0], series.time[-1]] == [pd.Timestamp("2024-03-01"), pd.Timestamp("2024-03-02 23:00")]


def read_out(error):
    """The lines of a remedy, that write to `out`."""
    return "t = " + str(error).partition(": t = ")[2].rstrip(".").replace("'x.csv'", "out")
