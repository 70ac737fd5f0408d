"""What every reader of a graph says of it: self loops, nodes without an edge and negative weights, each once."""

import json
import pickle
import warnings

import numpy as np
import pytest

from stexplain.data.readers import basicts, largest, pems_npz, tgcn_csv
from stexplain.data.readers.links import graph_of_file
from stexplain.data.readers.road_graph import graph_beside
from stexplain.data.signals.sensors import load_sensors
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from tests.data.series_cards import small_card

NODES = ["n0", "n1", "n2", "n3"]
START = "start = 2012-03-01T00:00:00"
VALUES = np.random.default_rng(0).uniform(1, 70, (40, 4, 1)).astype(np.float32)


def adjacency(diagonal, weight=0.5):
    """From n0 to n1 and from n1 to n2; n3 has no edge."""
    matrix = np.diag(np.array(diagonal, np.float64))
    matrix[0, 1], matrix[1, 2] = 0.9, weight
    return matrix


def of_basicts(folder, matrix):
    VALUES.tofile(folder / "data.dat")
    description = {"shape": list(VALUES.shape), "frequency (minutes)": 5}
    (folder / "desc.json").write_text(json.dumps(description))
    value = (NODES, {name: place for place, name in enumerate(NODES)}, matrix)
    (folder / "adj_mx.pkl").write_bytes(pickle.dumps(value))
    return basicts.read(folder, small_card(folder / "card", "stexplain.data.readers.basicts", more=START)).graph


def of_dcrnn(folder, matrix):
    (folder / "adj_mx.pkl").write_bytes(pickle.dumps((NODES, dict(zip(NODES, range(4), strict=True)), matrix)))
    return graph_beside(folder, NODES)


def of_largest(folder, matrix):
    np.savez(folder / "his.npz", data=VALUES, mean=np.float64(0), std=np.float64(1))
    np.save(folder / "sd_rn_adj.npy", matrix)
    card = small_card(folder / "card", "stexplain.data.readers.largest", ("flow",), START)
    return largest.read(folder, card).graph


def of_tgcn(folder, matrix):
    np.savetxt(folder / "los_adj.csv", matrix, delimiter=",")
    np.savetxt(folder / "los_speed.csv", VALUES[..., 0], delimiter=",", header=",".join(NODES), comments="")
    return tgcn_csv.read(folder, small_card(folder / "card", "stexplain.data.readers.tgcn_csv", more=START)).graph


def of_matrix(folder, matrix):
    np.save(folder / "adj.npy", matrix)
    return graph_of_file(folder / "adj.npy", NODES, "weights")


def rows(matrix):
    return [f"{NODES[i]},{NODES[j]},{value}" for (i, j), value in np.ndenumerate(matrix) if value]


def of_table(folder, matrix):
    (folder / "adj.csv").write_text("\n".join(["from,to,weight", *rows(matrix)]))
    return graph_of_file(folder / "adj.csv", NODES)


def of_neighbours(folder, matrix):
    # Without a number: that of the matrix is none of a link.
    pairs = [row.rpartition(",")[0] for row in rows(matrix)]
    (folder / "edges.csv").write_text("\n".join(["from,to", *pairs]))
    return graph_of_file(folder / "edges.csv", NODES, "neighbours")


def of_pems(folder, matrix):
    np.savez(folder / "pems04.npz", data=VALUES)
    (folder / "pems04.txt").write_text("\n".join(NODES))
    (folder / "distance.csv").write_text("\n".join(["from,to,cost", *rows(matrix)]))
    card = small_card(folder / "card", "stexplain.data.readers.pems_npz", ("flow",), START)
    return pems_npz.read(folder, card).graph


def libcity(folder, matrix, info):
    (folder / "LA.geo").write_text("\n".join(["geo_id,type,coordinates", *(f'{n},Point,"[0, 0]"' for n in NODES)]))
    links = [f"{number},geo,{row}" for number, row in enumerate(rows(matrix))]
    (folder / "LA.rel").write_text("\n".join(["rel_id,type,origin_id,destination_id,cost", *links]))
    times = [f"2012-03-01T00:{5 * t:02d}:00Z" for t in range(10)]
    each = [f"{t * 4 + n},state,{time},{NODES[n]},{t + n}" for t, time in enumerate(times) for n in range(4)]
    (folder / "LA.dyna").write_text("\n".join(["dyna_id,type,time,entity_id,speed", *each]))
    (folder / "config.json").write_text(json.dumps({"info": info}))
    return load_sensors(folder, window=3, horizon=2).graph


def of_libcity(folder, matrix):
    return libcity(folder, matrix, {"init_weight_inf_or_zero": "zero"})


def of_libcitys_links(folder, matrix):
    return libcity(folder, matrix, {"set_weight_link_or_dist": "link"})


MATRICES = [of_basicts, of_dcrnn, of_largest, of_tgcn, of_matrix, of_table, of_libcity]
NEIGHBOURS = [of_neighbours, of_pems, of_libcitys_links]


@pytest.fixture(params=[*MATRICES, *NEIGHBOURS], ids=lambda way: way.__name__)
def way(request):
    return request.param


def named(way, folder, matrix):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = way(folder, matrix)
    assert graph.edges.tolist() == [[0, 1], [1, 2]]
    # LargeST's sensors are numbers.
    said = [str(one.message).removeprefix("graph: ").replace("('", "('n").replace("nn", "n") for one in caught]
    assert said.pop() == LONELY
    return said


LONELY = "got one node without an edge ('n3'): it is kept, and exchanges nothing with others."
LOOP = "self loops were excluded, of one node ('n2'): relations add their own."


def test_a_loop_of_one_node_is_named_once(way, tmp_path):
    assert named(way, tmp_path, adjacency([0, 0, 3, 0])) == [LOOP]


def test_the_ones_of_a_kernel_are_its_own(way, tmp_path):
    assert named(way, tmp_path, adjacency([1, 1, 1, 1])) == []


def test_ones_of_some_nodes_are_loops(way, tmp_path):
    assert named(way, tmp_path, adjacency([0, 0, 1, 0])) == [LOOP]


def test_no_loop_is_no_word(way, tmp_path):
    assert named(way, tmp_path, adjacency([0, 0, 0, 0])) == []


@pytest.mark.parametrize("way", MATRICES, ids=lambda way: way.__name__)
def test_negative_weights_and_lonely_nodes_are_named_once(way, tmp_path):
    with pytest.warns(UserWarning, match="graph") as caught:
        graph = way(tmp_path, adjacency([1, 1, 1, 1], -2.0))
    assert graph.weight.tolist() == [0.9, -2.0]
    said = [str(one.message) for one in caught]
    assert len(said) == 2
    assert "one node without an edge" in said[0]
    assert "1 of 2 weights is negative" in said[1]


@pytest.mark.parametrize("kind", ["matrix", "table", "csv beside", "libcity"])
def test_a_distance_from_a_sensor_to_itself_is_refused_with_the_file(kind, tmp_path):
    far = np.array([[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 5, 1], [3, 2, 1, 0.0]])
    if kind == "matrix":
        np.save(tmp_path / "dist.npy", far)
    else:
        (tmp_path / "distances.csv").write_text("\n".join(["from,to,cost", *rows(far)]))
    ways = {
        "matrix": lambda: graph_of_file(tmp_path / "dist.npy", NODES),
        "table": lambda: graph_of_file(tmp_path / "distances.csv", NODES),
        "csv beside": lambda: graph_beside(tmp_path, NODES),
        "libcity": lambda: libcity(tmp_path, far, {"calculate_weight_adj": True}),
    }
    with pytest.raises((InputError, DataError), match=r"(dist|LA).*: got 5 from a node to itself; expected 0"):
        ways[kind]()


def test_no_link_of_a_sensor_to_itself_is_no_distance(tmp_path):
    far = np.array([[0, 1, 3, 2], [1, 0, 1.5, np.inf], [3, 1.5, 0, 1], [2, np.inf, 1, 0.0]])
    written = np.where(np.isinf(far), 9, far)
    written[[0, 1, 2], [0, 1, 2]] = 9, np.nan, np.inf
    np.save(tmp_path / "dist.npy", written)
    assert graph_of_file(tmp_path / "dist.npy", NODES, no_link=9) == STGraph.from_distances(far, NODES)
