import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
import xarray as xr

from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.graph.coordinates import distance_between, spread_of_distances


def test_a_correlation_matrix_that_rounding_made_asymmetric_is_undirected():
    rng = np.random.default_rng(0)
    exact = np.abs(np.corrcoef(rng.normal(size=(6, 200)))) - np.eye(6)
    exact = (exact + exact.T) / 2
    for size in (np.finfo(np.float64).eps, 1e-8):
        rounded = exact * (1 + size * rng.normal(size=exact.shape))
        graph = STGraph.from_adjacency(rounded)
        assert not graph.directed
        np.testing.assert_allclose(graph.to_scipy().toarray(), exact, rtol=1e-6)
    # What is zero on one side, and rounds to that on the other.
    assert not STGraph.from_adjacency([[0, 1, 7e-18], [1, 0, 1], [0, 1, 0]]).directed
    assert STGraph.from_adjacency([[0, 1, 0.001], [1, 0, 1], [0, 1, 0]]).directed


def test_labels_of_a_matrix_are_the_names_of_its_nodes():
    table = pd.DataFrame([[0, 1, 0], [0, 0, 2], [0, 0, 0]], index=["a", "b", "c"], columns=["a", "c", "b"])
    with pytest.warns(UserWarning, match="without an edge"):
        expected = STGraph("abc", [(0, 2)], directed=True)
    with pytest.warns(UserWarning, match="graph:") as caught:
        assert STGraph.from_adjacency(table) == expected
    assert [str(one.message).split(":")[1] for one in caught] == [
        " self loops were excluded, of one node ('b')",
        " got one node without an edge ('b')",
    ]
    # The warnings point to whoever called.
    assert {one.filename for one in caught} == {__file__}
    table = table.loc[["a", "c"], ["c", "a"]]
    expected = STGraph("ac", [(0, 1)], directed=True)
    # The order of the data, by name.
    assert STGraph.from_adjacency(table, ["c", "a"]).nodes == ("c", "a")
    assert list(STGraph.from_adjacency(table, ["c", "a"]).to_networkx().edges) == [("a", "c")]
    by_xarray = xr.DataArray(table.to_numpy(), coords={"from": list("ac"), "to": list("ca")}, dims=("from", "to"))
    assert STGraph.from_adjacency(by_xarray) == expected
    with pytest.raises(InputError, match="rows and columns differ in 'c', 'd'"):
        STGraph.from_adjacency(table.rename(columns={"c": "d"}))
    with pytest.raises(InputError, match=r"unknown node \(in the labels\) 'c'"):
        STGraph.from_adjacency(table, ["a", "x"])
    # Read without an index: the columns alone have names, in the order of the rows.
    unindexed = pd.DataFrame([[0, 1], [1, 0]], columns=["left", "right"])
    assert STGraph.from_adjacency(unindexed).nodes == ("left", "right")


def test_a_masked_entry_is_no_edge_and_no_path():
    masked = np.ma.masked_greater(np.array([[0.0, 1.0, 9.0], [1.0, 0.0, 1.0], [9.0, 1.0, 0.0]]), 5)
    assert STGraph.from_adjacency(masked).edges.tolist() == [[0, 1], [1, 2]]
    assert STGraph.from_distances(masked, sigma=1.0, threshold=0.0).edges.tolist() == [[0, 1], [1, 2]]


def pairs_table(distances, names, **columns):
    rows = [(names[i], names[j], distances[i, j]) for i, j in np.argwhere(np.isfinite(distances))]
    return pd.DataFrame(rows, columns=["from", "to", "cost"]).rename(columns=columns)


def test_a_table_of_distances_and_a_sparse_matrix_give_the_graph_of_the_matrix():
    rng = np.random.default_rng(1)
    distances = rng.uniform(1, 9, size=(6, 6))
    distances[rng.random((6, 6)) < 0.3] = np.inf
    np.fill_diagonal(distances, 0)
    names = list("abcdef")
    for options in ({"threshold": 0.0}, {"nearest": 2}, {"sigma": 3.0}):
        expected = STGraph.from_distances(distances, names, **options)
        table = pairs_table(distances, names)
        assert STGraph.from_distances(table, names, **options) == expected
        swapped = table[["cost", "to", "from"]]
        assert STGraph.from_distances(swapped, names, **options) == expected
        named = table.rename(columns={"from": "upstream", "to": "downstream", "cost": "path"})[
            ["path", "upstream", "downstream"]
        ]
        columns = {"source": "upstream", "target": "downstream", "distance": "path"}
        assert STGraph.from_distances(named, names, **columns, **options) == expected
        row, col = np.nonzero(np.isfinite(distances))
        sparse = sp.csr_array((distances[row, col], (row, col)), shape=(6, 6))
        assert STGraph.from_distances(sparse, names, **options) == expected
        # As scipy and others write them: without the diagonal's zeros.
        sparse = sp.coo_array((distances[row, col][row != col], (row[row != col], col[row != col])), shape=(6, 6))
        assert STGraph.from_distances(sparse, names, **options) == expected
        labelled = pd.DataFrame(distances, index=names, columns=names)
        assert STGraph.from_distances(labelled, **options) == expected


def test_links_that_are_listed_once_are_meant_both_ways():
    table = pd.DataFrame({"from": ["a", "b", "c"], "to": ["b", "c", "a"], "distance": [1.0, 2.0, 3.0]})
    graph = STGraph.from_distances(table, sigma=2.0, threshold=0.0)
    assert not graph.directed
    both = pd.concat([table, table.rename(columns={"from": "to", "to": "from"})])
    assert STGraph.from_distances(both, list("abc"), sigma=2.0, threshold=0.0) == graph
    assert STGraph.from_distances(table, sigma=2.0, threshold=0.0, directed=True).directed
    # One link both ways: a direction means something.
    assert STGraph.from_distances(pd.concat([table, both.iloc[[3]]]), sigma=2.0, threshold=0.0).directed


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame(np.ones((3, 3))), "3 rows and 3 columns without names"),
        (pd.DataFrame({"from": ["a"], "to": ["b"]}), r"shape \(1, 2\)"),
        (pd.DataFrame({"from": ["a"], "to": ["b"], "cost": [-1.0]}), r"row 0 \('a' to 'b'\): got -1.0"),
        (pd.DataFrame({"from": ["a"], "to": ["b"], "cost": ["far"]}), "the column 'cost' holds no numbers"),
        (
            pd.DataFrame({"from": ["a", "a"], "to": ["b", "b"], "cost": [1.0, 2.0]}),
            "row 1: got 2.0 from 'a' to 'b', and 1.0",
        ),
        (np.ones((5, 3)), "A list of pairs is given as a pandas table"),
        ([["a", "b"], ["c", "d"]], "without numbers"),
    ],
)
def test_a_table_that_lists_no_distances_is_refused(table, message):
    with pytest.raises(InputError, match=message):
        STGraph.from_distances(table)


@pytest.mark.parametrize("geographic", [False, True])
@pytest.mark.parametrize("nearest", [1, 3, 7])
def test_the_tree_finds_the_neighbours_that_the_matrix_of_all_pairs_has(geographic, nearest):
    rng = np.random.default_rng(nearest)
    points = rng.uniform([-170, -80], [170, 80], size=(40, 2))
    # Points on a grid, which tie, and two at the same place.
    points[:16] = np.stack(np.meshgrid(np.arange(4.0), np.arange(4.0)), -1).reshape(16, 2)
    points[20] = points[21]
    distances = distance_between(points[:, None], points, geographic)
    np.testing.assert_allclose(spread_of_distances(points, geographic), distances.std(), rtol=1e-9)
    for directed in (None, True):
        expected = STGraph.from_distances(distances, nearest=nearest, directed=directed)
        graph = STGraph.from_coordinates(points, nearest=nearest, geographic=geographic, directed=directed)
        assert graph.edges.tolist() == expected.edges.tolist()
        np.testing.assert_allclose(graph.weight, expected.weight, rtol=1e-9)


def test_coordinates_have_three_axes_or_longitudes_to_360():
    points = [(0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (5.0, 0.0, 0.0)]
    graph = STGraph.from_coordinates(points, "abc", nearest=1, sigma=5.0)
    assert graph.edges.tolist() == [[0, 1], [0, 2]]
    np.testing.assert_allclose(graph.positions, np.array(points)[:, :2])
    east = [(10.0, 50.0), (350.0, 50.0), (352.0, 50.0)]
    west = [(10.0, 50.0), (-10.0, 50.0), (-8.0, 50.0)]
    options = {"nearest": 1, "geographic": True, "sigma": 1e6}
    assert STGraph.from_coordinates(east, **options) == STGraph.from_coordinates(west, **options)
    with pytest.raises(InputError, match=r"got shape|has shape \(1, 3\); expected \[N, 2\], longitude"):
        STGraph.from_coordinates([(0.0, 0.0, 1.0)], geographic=True)
    with pytest.raises(InputError, match="got longitude 361"):
        STGraph.from_coordinates([(361.0, 0.0), (0.0, 0.0)], geographic=True)


def test_negative_weights_are_said():
    with pytest.warns(UserWarning, match=r"1 of 1 weights is negative, such as that of 'a' - 'b', -0.3"):
        STGraph.from_adjacency([[0, -0.3], [-0.3, 0]], "ab")


def test_labels_that_count_are_labels_too_where_columns_are_in_another_order():
    graph = STGraph.from_adjacency(pd.DataFrame([[0, 1, 0], [2, 0, 0], [0, 0, 0]], columns=[0, 2, 1]))
    assert list(graph.to_networkx().edges) == [("0", "2"), ("1", "0")]
    ordered = STGraph.from_adjacency(pd.DataFrame([[0, 1], [0, 0]]))
    assert ordered == STGraph("01", [(0, 1)], directed=True)


@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_coo, torch.sparse_csr])
@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_tensors_of_torch_are_matrices(layout):
    weights = torch.tensor([[0.0, 0.5, 0.0], [0.5, 0.0, 2.0], [0.0, 2.0, 0.0]], requires_grad=layout == torch.strided)
    given = weights if layout == torch.strided else weights.to_sparse(layout=layout)
    expected = STGraph("012", [(0, 1), (1, 2)], [0.5, 2.0])
    assert STGraph.from_adjacency(given) == expected
    # What a sparse matrix does not list has no path; a dense one says it by infinity.
    given = torch.where(weights + torch.eye(3) == 0, torch.inf, weights) if layout == torch.strided else given
    near = STGraph.from_distances(given, sigma=1.0, threshold=0.0)
    assert near.edges.tolist() == [[0, 1], [1, 2]]
    np.testing.assert_allclose(near.weight[0], np.exp(-0.25))


def test_distances_from_a_node_to_itself_are_refused():
    # Three pairs in rows, as an array, are no matrix; nor are weights with ones on the diagonal.
    with pytest.raises(
        InputError, match=r"distances at \[1, 1\]: got 2 from a node to itself; expected 0.*pandas table"
    ):
        STGraph.from_distances(np.array([[0, 1, 100.0], [1, 2, 5000.0], [2, 0, 300.0]]))
    with pytest.raises(InputError, match=r"distances at \[0, 0\]: got 1 .* weights give STGraph.from_adjacency"):
        STGraph.from_distances([[1.0, 0.5], [0.5, 1.0]])
    assert len(STGraph.from_distances([[np.inf, 1.0], [1.0, 0.0]], threshold=0.0, sigma=1.0).edges) == 1


def test_equal_distances_have_no_spread():
    with pytest.raises(InputError, match="all the same.* expected sigma"):
        STGraph.from_distances(pd.DataFrame({"from": [0, 1], "to": [1, 2], "km": [7.0, 7.0]}))


@pytest.mark.parametrize("name", ["dist_m", "Distance (km)", "travel_time", "travelTime", "LENGTH", "cost"])
def test_a_column_named_like_distances_is_not_taken_for_weights_in_silence(name):
    table = pd.DataFrame({"a": ["x", "y"], "b": ["y", "z"], name: [100.0, 2.0]})
    with pytest.warns(UserWarning, match="from_distances"):
        STGraph.from_pandas(table, source="a", target="b", weight=name)


@pytest.mark.parametrize("names", [("latitude", "longitude"), ("Lat", "Lng")])
def test_coordinates_of_a_table_are_found_by_the_names_of_its_columns(names):
    points = np.array([[0.1, 359.9], [0.0, 0.1], [-0.1, 120.0]])
    table = pd.DataFrame(points, columns=list(names), index=["p", "q", "r"])
    expected = STGraph.from_coordinates(points[:, ::-1], ["p", "q", "r"], nearest=1, geographic=True)
    assert STGraph.from_coordinates(table, nearest=1) == expected
    # Another column, as files of sensors have it.
    assert STGraph.from_coordinates(table.assign(height=3), nearest=1) == expected
    plane = pd.DataFrame({"y": [0.0, 0.0, 1.0], "x": [0.0, 5.0, 0.0]})
    assert STGraph.from_coordinates(plane, nearest=1).positions.tolist() == [[0, 0], [5, 0], [0, 1]]
    with pytest.raises(InputError, match=r"got a table with the columns \['u', 'v'\]; expected x, y and z"):
        STGraph.from_coordinates(plane.set_axis(["u", "v"], axis=1))
    with pytest.raises(InputError, match="geographic: got False"):
        STGraph.from_coordinates(table, geographic=False)


def test_an_argument_that_no_graph_has_is_named():
    for call in (
        lambda **k: STGraph.from_coordinates([(0, 0), (1, 0), (3, 1)], **k),
        lambda **k: STGraph.from_adjacency([[0, 1], [1, 0]], **k),
        lambda **k: STGraph.from_edges("ab", [("a", "b")], **k),
    ):
        with pytest.raises(InputError, match="unknown argument 'neighbors'"):
            call(neighbors=1)


def test_edges_as_other_libraries_write_them():
    with pytest.raises(InputError, match=r"got shape \(2, 3\), sources over targets.*edges.T"):
        STGraph.from_edges("abc", np.array([[0, 1, 2], [1, 2, 0]]))
    with pytest.raises(InputError, match="weight="):
        STGraph.from_edges("abc", [("a", "b", 2.0)])
