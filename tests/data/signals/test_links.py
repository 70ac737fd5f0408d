"""A file of links: a matrix is never taken for a table, nor distances for weights."""

import numpy as np
import pytest

from stexplain.data.readers.links import graph_of_file
from stexplain.errors import DataError, InputError, StexplainError

NODES = ["a", "b", "c", "d"]
MATRIX = np.array([[0, 0.5, 0, 0.2], [0.5, 0, 0.9, 0], [0, 0.9, 0, 0.4], [0.2, 0, 0.4, 0]])
DISTANCES = np.array([[0, 1, 3, 2], [1, 0, 1.5, 4], [3, 1.5, 0, 1], [2, 4, 1, 0.0]])


def entries(graph):
    return {
        (graph.nodes[a], graph.nodes[b]): round(float(w), 9)
        for (a, b), w in zip(graph.edges.tolist(), graph.weight, strict=True)
    }


WEIGHTED = {("a", "b"): 0.5, ("a", "d"): 0.2, ("b", "c"): 0.9, ("c", "d"): 0.4}


@pytest.mark.parametrize("ending", ["csv", "npy", "npz"])
def test_a_matrix_of_weights_is_the_graph(tmp_path, ending):
    path = tmp_path / f"adj_mx.{ending}"
    if ending == "csv":
        np.savetxt(path, MATRIX, delimiter=",")
    elif ending == "npy":
        np.save(path, MATRIX)
    else:
        np.savez(path, adj=MATRIX, other=np.arange(3))
    assert entries(graph_of_file(path, NODES)) == WEIGHTED


def test_a_labelled_matrix_is_paired_by_name(tmp_path):
    path = tmp_path / "adj.csv"
    order = [2, 0, 3, 1]
    names = [NODES[place] for place in order]
    turned = MATRIX[np.ix_(order, order)]
    rows = [f"{name},{','.join(map(str, row))}" for name, row in zip(names, turned, strict=True)]
    path.write_text("," + ",".join(names) + "\n" + "\n".join(rows) + "\n")
    assert entries(graph_of_file(path, NODES)) == WEIGHTED
    # A header alone names rows too.
    path.write_text(",".join(names) + "\n" + "\n".join(",".join(map(str, row)) for row in turned) + "\n")
    assert entries(graph_of_file(path, NODES)) == WEIGHTED


def kernel(distances, least=0.1):
    finite = distances[np.isfinite(distances)]
    weight = np.exp(-np.square(distances / finite.std()))
    return {
        (NODES[i], NODES[j]): round(float(weight[i, j]), 9)
        for i in range(4)
        for j in range(i + 1, 4)
        if weight[i, j] >= least
    }


def test_distances_get_the_kernel_and_weights_do_not(tmp_path):
    path = tmp_path / "x.csv"
    np.savetxt(path, DISTANCES, delimiter=",")
    assert entries(graph_of_file(path, NODES, "distances")) == kernel(DISTANCES)
    assert entries(graph_of_file(path, NODES, "weights"))["b", "d"] == 4
    assert set(entries(graph_of_file(path, NODES, "neighbours")).values()) == {1.0}
    with pytest.raises(InputError, match=r"x.csv is a matrix that does not say whether.*links='distances'"):
        graph_of_file(path, NODES)
    named = tmp_path / "dist.npy"
    np.save(named, DISTANCES)
    assert entries(graph_of_file(named, NODES)) == kernel(DISTANCES)


def test_zero_is_no_distance_between_two_nodes_unless_it_is_said(tmp_path):
    path = tmp_path / "distances.npy"
    given = DISTANCES.copy()
    given[0, 2] = given[2, 0] = 0
    np.save(path, given)
    with pytest.raises(InputError, match=r"2 pairs of different nodes have the distance 0.*no_link=0"):
        graph_of_file(path, NODES)
    meant = given.copy()
    meant[0, 2] = meant[2, 0] = np.inf
    assert entries(graph_of_file(path, NODES, no_link=0)) == kernel(meant)


def test_weights_that_are_as_large_as_distances_are_refused(tmp_path):
    path = tmp_path / "adj.npy"
    np.save(path, DISTANCES)
    with pytest.raises(InputError, match=r"called like weights, and holds up to 4, as distances do"):
        graph_of_file(path, NODES)


@pytest.mark.parametrize(
    ("header", "links", "weights"),
    [
        ("from,to,cost\n", None, None),
        ("from,to,weight\n", None, [0.5, 0.9, 0.2]),
        ("", "weights", [0.5, 0.9, 0.2]),
        ("", "neighbours", [1.0, 1.0, 1.0]),
        ("", "distances", None),
    ],
)
def test_a_table_of_links(tmp_path, header, links, weights):
    path = tmp_path / "road.csv"
    # A link of a sensor that is not measured, as in files of a whole district, and one of a sensor with itself.
    path.write_text(header + "a,b,0.5\nb,c,0.9\nc,d,0.2\nd,zz,9\na,a,0\n")
    # At no distance from itself, or of no weight: that is no loop, and no word is said of one.
    graph = graph_of_file(path, NODES, links)
    if weights is None:
        listed = np.array([0.5, 0.9, 0.2, 0.0])
        expected = np.exp(-np.square(listed[:3] / listed.std())).round(9)
        pairs = zip([("a", "b"), ("b", "c"), ("c", "d")], expected, strict=True)
        assert entries(graph) == {pair: weight for pair, weight in pairs if weight >= 0.1}
    else:
        assert list(entries(graph).values()) == weights
    assert graph.directed


def test_a_table_without_a_word_is_refused(tmp_path):
    path = tmp_path / "road.csv"
    path.write_text("a,b,0.5\nb,c,0.9\nc,d,0.1\n")
    with pytest.raises(InputError, match=r"whether its third column holds distances or weights.*links='weights'"):
        graph_of_file(path, NODES)


def test_three_by_three_numbers_are_a_matrix_or_a_table(tmp_path):
    path = tmp_path / "distance.csv"
    path.write_text("0,1,2\n1,0,2\n2,1,0\n")
    with pytest.raises(InputError, match=r"of 3 nodes, a matrix and a table of links look alike"):
        graph_of_file(path, ["0", "1", "2"])
    path.write_text("from,to,cost\n0,1,2\n1,0,2\n2,1,1\n")
    assert graph_of_file(path, ["0", "1", "2"], "weights").weight.tolist() == [2, 2, 1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("adj.csv", "1,2,3,4,5\n1,2,3,4,5\n", r"holds 2 x 5 cells; expected a matrix of 4 x 4"),
        ("adj.csv", "0,1,1,1\n1,0,x,1\n1,1,0,1\n1,1,1,0\n", r"adj.csv, line 2: holds 'x'"),
        ("road.csv", "from,to,cost\nx,y,1\n", r"none of its links, such as 'x' to 'y'"),
        ("road.csv", "from,to,cost\na,b,1\nb,c,far\n", r"\['b', 'c'\] has 'far'; expected a number"),
        ("adj.npy", "no array", r"adj.npy could not be read"),
        ("adj.npz", "no zip", r"adj.npz could not be read"),
        ("adj.pkl", "cposix\nsystem\n(S'true'\ntR.", r"asks for posix.system.*nothing of it was run"),
        ("road.csv", "", r"road.csv is empty"),
    ],
)
def test_damage_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(StexplainError, match=message):
        graph_of_file(tmp_path / name, NODES)


def test_a_matrix_of_another_size_is_refused(tmp_path):
    np.save(tmp_path / "adj.npy", np.eye(7))
    with pytest.raises(DataError, match=r"has shape 7 x 7; expected 4 x 4"):
        graph_of_file(tmp_path / "adj.npy", NODES)
    with pytest.raises(InputError, match="there is no file"):
        graph_of_file(tmp_path / "none.npy", NODES)
