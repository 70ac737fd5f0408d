"""Graphs as they lie in notebooks and files: what is meant is taken, and what could be meant otherwise is refused."""

import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
import xarray as xr
from scipy.spatial.distance import pdist, squareform

from stexplain.errors import InputError
from stexplain.graph import STGraph

POINTS = np.array([[0, 0], [1, 0], [0, 2], [3, 3.0]])
FAR = squareform(pdist(POINTS))
ROAD = pd.DataFrame({"from": ["a", "b"], "to": ["b", "c"]})


def links(graph):
    return {(graph.nodes[a], graph.nodes[b]) for a, b in graph.edges.tolist()}


def quietly(call, *args, **options):
    """What a call gives, where its notices are tested elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **options)


@pytest.mark.parametrize(
    ("distances", "said"),
    [
        (np.triu(FAR), "everywhere below the diagonal"),
        (np.tril(FAR), "everywhere above the diagonal"),
        # neighbours alone, 0 for no link
        (np.array([[0, 1, 0], [1, 0, 2], [0, 2, 0.0]]), "as near as can be"),
        (np.array([[0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 3], [4, 0, 0, 0.0]]), "as near as can be"),
        (pd.DataFrame({"from": list("aca"), "to": list("bbc"), "cost": [5.0, 1.0, 0.0]}), "as near as can be"),
        (pdist(POINTS), "squareform"),
        (sp.coo_array(([1.0, 0.0], ([0, 1], [1, 2])), shape=(3, 3)), "eliminate_zeros"),
        (sp.coo_array(([1.0, 3.0], ([0, 0], [1, 1])), shape=(3, 3)), "more than one entry"),
        (ROAD.assign(cost=[1.0, 2.0]).set_index(["from", "to"]), "reset_index"),
        (ROAD.assign(cost=[1.0, 2.0]).set_index(["from", "to"])["cost"], "reset_index"),
        (pd.DataFrame([[7, 8, 2.0], [8, 9, 3.0], [9, 7, 4.0], [7, 9, 1.0]], columns=["5", "6", "0.4"]), "header=None"),
    ],
)
def test_distances_that_are_meant_otherwise(distances, said):
    with pytest.raises(InputError, match=said):
        STGraph.from_distances(distances)


def test_two_nodes_may_stand_at_one_place():
    points = np.vstack([POINTS, POINTS[:1]])
    graph = STGraph.from_distances(squareform(pdist(points)), sigma=9.0)
    assert graph.weight[graph.edges.tolist().index([0, 4])] == 1
    # Of a directed network: b and c lie at one place, a one-way road leads from a to both.
    one_way = np.array([[0, 5, 5, 9], [np.inf, 0, 0, 4], [np.inf, 0, 0, 4], [np.inf, np.inf, np.inf, 0]])
    assert ("1", "2") in links(quietly(STGraph.from_distances, one_way, sigma=5.0, directed=True))


@pytest.mark.parametrize("far", [999999.0, 1e9])
def test_a_number_for_no_path_is_named(far):
    matrix = np.array([[0, 1, far], [1, 0, 2], [far, 2, 0]])
    with pytest.warns(UserWarning, match="no path"):
        STGraph.from_distances(matrix)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        STGraph.from_distances(FAR * 1000, threshold=0.0)
        quietly(STGraph.from_distances, np.where(matrix == far, np.inf, matrix))


def test_half_a_matrix_is_said_to_be_directed():
    half = np.triu(np.arange(1.0, 17).reshape(4, 4), 1)
    with pytest.warns(UserWarning, match="above the diagonal alone"):
        assert STGraph.from_adjacency(half).directed
    with pytest.warns(UserWarning, match="below the diagonal alone"):
        STGraph.from_adjacency(half.T)
    with pytest.warns(UserWarning, match="distances has entries above"):
        STGraph.from_distances(sp.coo_array(half), sigma=9.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert STGraph.from_adjacency(half, directed=True).directed
        # A river: each node but the last flows into one other.
        assert STGraph.from_adjacency(np.diag([1.0, 1, 1], 1)).directed


@pytest.mark.parametrize(
    "columns",
    [["from", "to"], ["to", "from"], ["weight", "to", "from"], ["id", "from", "to"], ["Weight", "from", "to"]],
)
@pytest.mark.parametrize("made", ["from_pandas", "from_edges"])
def test_the_ends_of_edges_are_known_by_name(columns, made):
    table = ROAD.assign(weight=[2.0, 3.0], Weight=[2.0, 3.0], id=[1, 2])[columns]
    build = STGraph.from_pandas if made == "from_pandas" else lambda t, **o: STGraph.from_edges(list("abc"), t, **o)
    graph = build(table, directed=True)
    assert links(graph) == {("a", "b"), ("b", "c")}
    assert sorted(graph.weight.tolist()) == ([2.0, 3.0] if "eight" in "".join(columns) else [1.0, 1.0])


@pytest.mark.parametrize(
    "ends", [("origin_id", "destination_id"), ("node_from", "node_to"), ("u", "v"), ("FROM", "TO")]
)
def test_names_of_ends_in_the_other_order(ends):
    table = pd.DataFrame({ends[1]: ["b", "c"], ends[0]: ["a", "b"], "cost": [1.0, 2.0]})
    assert quietly(STGraph.from_distances, table, sigma=2.0, directed=True).edges.tolist() == [[0, 1], [1, 2]]
    assert links(quietly(STGraph.from_pandas, table, directed=True)) == {("a", "b"), ("b", "c")}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pd.DataFrame([[7, 8, 0.5]], columns=["5", "6", "0.4"]), "header=None"),
        (pd.DataFrame(np.random.default_rng(0).random((3, 3)), columns=list("abc")), "from_adjacency"),
        (pd.DataFrame({"a": ["x"], "weight": [1.0]}), "which are source and target"),
        (ROAD.assign(w=[1.0, 2.0]).set_index(["from", "to"]), "reset_index"),
    ],
)
def test_tables_that_are_no_edges(table, said):
    with pytest.raises(InputError, match=said):
        quietly(STGraph.from_pandas, table)


@pytest.mark.parametrize("name", ["w", "Strength", "correlation", "value"])
def test_a_number_of_each_edge_is_not_dropped_in_silence(name):
    with pytest.warns(UserWarning, match="every edge has the weight 1"):
        STGraph.from_pandas(ROAD.assign(**{name: [0.5, 0.2]}))


def test_an_adjacency_is_no_list_of_edges():
    listed = pd.DataFrame({"start": [0, 1, 2], "end": [1, 2, 0], "w": [1.0, 2, 3]})
    with pytest.raises(InputError, match="a row for each pair"):
        STGraph.from_adjacency(listed)
    with pytest.raises(InputError, match="index_col=0"):
        STGraph.from_adjacency(pd.DataFrame(np.ones((3, 3)), index=list("abc")).reset_index())
    with pytest.raises(InputError, match="complex"):
        STGraph.from_adjacency(np.ones((2, 2)) * 1j)


def test_dimensions_that_are_called_target_and_source():
    matrix = xr.DataArray(
        [[0.0, 0], [1, 0]], dims=("node_to", "node_from"), coords={"node_to": ["a", "b"], "node_from": ["a", "b"]}
    )
    assert links(STGraph.from_adjacency(matrix)) == {("a", "b")}


def test_nodes_as_a_dictionary_are_in_the_order_of_their_rows():
    matrix = np.array([[0, 1, 0], [1, 0, 2], [0, 2, 0.0]])
    assert STGraph.from_adjacency(matrix, {"a": 2, "b": 1, "c": 0}).nodes == ("c", "b", "a")
    for nodes in ({"a": 1, "b": 2, "c": 3}, {"a": (0, 1), "b": (1, 0), "c": (2, 2)}):
        with pytest.raises(InputError, match="nodes"):
            STGraph.from_adjacency(matrix, nodes)
    assert all(type(name) is str for name in STGraph.from_adjacency(matrix, np.array(["a", "b", "c"])).nodes)


def test_a_number_is_not_the_index_of_one_node_and_the_name_of_another():
    for edges in ([(1, 2)], pd.DataFrame({"from": [1], "to": [2]}), np.array([[1, 2]])):
        with pytest.raises(InputError, match="names as text"):
            STGraph.from_edges(["1", "2", "3"], edges)
    assert STGraph.from_edges(["0", "1", "2"], [(0, 1), (1, 2)]).edges.tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize("attribute", ["distance", "length", "travel_time"])
def test_networkx_says_what_is_far(attribute):
    network = nx.path_graph(3)
    nx.set_edge_attributes(network, 5.0, attribute)
    with pytest.warns(UserWarning, match="from_distances"):
        assert STGraph.from_networkx(network).weight.tolist() == [1, 1]
    with pytest.warns(UserWarning, match="the far are strong"):
        assert STGraph.from_networkx(network, weight=attribute).weight.tolist() == [5, 5]
    with pytest.raises(InputError, match=attribute):
        STGraph.from_networkx(network, weight="wieght")


def test_tensors_of_half_precision():
    matrix = torch.tensor([[0, 0.5], [0.5, 0]])
    assert STGraph.from_adjacency(matrix.bfloat16()).weight.tolist() == [0.5]
    assert STGraph.from_adjacency(matrix.bfloat16().to_sparse()).weight.tolist() == [0.5]


def test_rows_that_were_picked_keep_their_ids():
    table = pd.DataFrame({"sensor_id": list("abcd"), "lat": [1.0, 2, 3, 4], "lon": [4.0, 5, 6, 7]})
    assert STGraph.from_coordinates(table.iloc[[3, 1, 2]], nearest=1).nodes == ("d", "b", "c")
    assert STGraph.from_coordinates(table.drop(columns="sensor_id").iloc[[3, 1, 2]], nearest=1).nodes == ("3", "1", "2")


SIGNALS = np.random.default_rng(0).normal(size=(60, 4)) + np.random.default_rng(1).normal(size=(60, 1))
R = np.corrcoef(SIGNALS.T)
LOST = np.where((np.arange(4) == 3)[:, None] | (np.arange(4) == 3), np.nan, R)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.triu(R), "half of one of correlations"),
        (np.tril(R), "half of one of correlations"),
        (np.triu(R, 1), "half of one of correlations"),
        (LOST, "row 3 is NaN"),
        (np.where(np.eye(4) == 1, 1, LOST), "row 3 is NaN"),
        (np.where(np.eye(4) == 1, np.inf, np.arctanh(R - np.eye(4))), "np.tanh"),
        (np.where(np.arange(4)[:, None] > np.arange(4), R / 2, R), "not symmetric"),
        (xr.DataArray(np.stack([SIGNALS.T] * 2), dims=("a", "roi", "time")), "subject, time and node"),
    ],
)
def test_matrices_that_must_not_be_correlated_again(matrix, said):
    with pytest.raises(InputError, match=said):
        STGraph.from_correlation(matrix, threshold=0.1)


@pytest.mark.parametrize("matrix", [R.round(3), R + np.triu(np.full((4, 4), 5e-4), 1), R.astype(np.float16)])
def test_correlations_that_are_rounded(matrix):
    with pytest.warns(UserWarning, match="taken as given"):
        graph = STGraph.from_correlation(matrix, threshold=0.01)
    pairs = np.triu_indices(4, 1)
    np.testing.assert_allclose(graph.weight, R[pairs], atol=2e-3)


@pytest.mark.parametrize("dims", [("subject", "time", "roi"), ("subject", "roi", "time"), ("roi", "volumes", "run")])
def test_dimensions_of_several_subjects(dims):
    known = {"subject": 2, "run": 2, "time": 60, "volumes": 60, "roi": 4}
    whole = xr.DataArray(np.stack([SIGNALS, SIGNALS]), dims=("s", "t", "roi"), coords={"roi": list("abcd")})
    names = {"s": next(d for d in dims if known[d] == 2), "t": next(d for d in dims if known[d] == 60)}
    graph = STGraph.from_correlation(whole.rename(names).transpose(*dims), threshold=0.01)
    assert graph.nodes == ("a", "b", "c", "d")
    np.testing.assert_allclose(graph.weight, R[np.triu_indices(4, 1)], rtol=1e-9)


def test_sources_over_targets_are_told_from_pairs():
    names = list("abcd")
    for edges in (
        torch.tensor([[0, 2], [1, 3]]),
        (torch.tensor([0, 2]), torch.tensor([1, 3])),
        np.array([[0, 2, 0], [1, 3, 3]]),
    ):
        with pytest.raises(InputError, match="edges: got .*sources"):
            quietly(STGraph.from_edges, names, edges)
    assert quietly(STGraph.from_edges, names, np.array([[0, 1], [2, 3]])).edges.tolist() == [[0, 1], [2, 3]]
    assert quietly(STGraph.from_edges, names, torch.tensor([[0, 1], [1, 2]])).edges.tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize("written", ["52°30'N", "52,5", "x"])
def test_places_that_are_no_numbers_are_shown(written):
    with pytest.raises(InputError, match=f"text such as .{written}"):
        STGraph.from_coordinates(pd.DataFrame({"lat": ["52.5", written], "lon": ["13.4", "13.5"]}))


def test_sensors_at_one_place_are_taken_where_distances_are_rounded():
    # To whole metres, by two routes: 500 and 501.
    distances = np.array([[0, 0, 500, 900], [0, 0, 501, 900], [500, 501, 0, 400], [900, 900, 400, 0]], float)
    graph = STGraph.from_distances(distances, list("abcd"), sigma=500.0)
    assert graph.weight[graph.edges.tolist().index([0, 1])] == 1
    distances[0, 1] = distances[1, 0] = np.inf
    distances[0, 3] = distances[3, 0] = 0  # 900 away by way of c
    with pytest.raises(InputError, match=r"at \[0, 3\]: got 0.*2 is 500 from 0 and 400 from 3.*a small number"):
        STGraph.from_distances(distances, list("abcd"), sigma=500.0)
