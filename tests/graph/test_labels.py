"""Numbers go to the nodes whose names they have, whatever the order, the type and the axes of a table."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stexplain.errors import InputError
from stexplain.graph import STGraph

# The far node c is listed first in one, and last in the other.
PLACES = pd.DataFrame({"x": [3.0, 0.0, 1.0], "y": [0.0, 0.0, 0.5]}, index=["c", "a", "b"])


def edges(graph):
    """The edges by name, whatever the order of the nodes."""
    ends = ([graph.nodes[end] for end in edge] for edge in graph.edges.tolist())
    return {tuple(edge if graph.directed else sorted(edge)) for edge in ends}


def test_nodes_give_the_order_of_points_that_have_names():
    graph = STGraph.from_coordinates(PLACES, ["a", "b", "c"], nearest=1)
    assert graph.nodes == ("a", "b", "c")
    assert graph.positions.tolist() == [[0, 0], [1, 0.5], [3, 0]]
    assert edges(graph) == edges(STGraph.from_coordinates(PLACES, nearest=1)) == {("a", "b"), ("b", "c")}
    with pytest.raises(InputError, match=r"unknown node \(a label of coordinates\) 'c'"):
        STGraph.from_coordinates(PLACES, ["a", "b", "d"], nearest=1)


@pytest.mark.parametrize("ids", [[7, 5, 9], pd.array([7, 5, 9], "Int64"), [7.0, 5.0, 9.0], pd.Categorical([7, 5, 9])])
@pytest.mark.parametrize("column", ["sensor_id", "ID", "station"])
def test_a_column_of_ids_names_the_points(ids, column):
    table = PLACES.reset_index(drop=True).assign(road=["I-5", "I-5", "I-10"])
    table.insert(0, column, ids)
    assert STGraph.from_coordinates(table, nearest=1).nodes == ("7", "5", "9")


def test_a_name_of_several_points_names_none():
    table = PLACES.reset_index(drop=True).assign(name=["I-5", "I-5", "I-10"])
    assert STGraph.from_coordinates(table, nearest=1).nodes == ("0", "1", "2")


def test_points_of_xarray_have_the_names_of_their_nodes():
    array = xr.DataArray(PLACES.to_numpy(), dims=("node", "axis"), coords={"node": list("cab")})
    assert STGraph.from_coordinates(array, nearest=1).nodes == ("c", "a", "b")
    turned = array.assign_coords(axis=["x", "y"]).isel(axis=[1, 0])
    assert STGraph.from_coordinates(turned, nearest=1).positions.tolist() == PLACES.to_numpy().tolist()


WEIGHTS = np.array([[0, 1, 0], [0, 0, 2], [0, 0, 0]])


@pytest.mark.parametrize("names", [("source", "target"), ("from", "to")])
def test_axes_that_are_named_target_and_source_are_turned(names):
    table = pd.DataFrame(WEIGHTS, index=list("abc"), columns=list("abc"))
    array = xr.DataArray(WEIGHTS.T, dims=names[::-1], coords={name: list("abc") for name in names})
    for given in (
        table,
        table.rename_axis(index=names[0], columns=names[1]),
        table.T.rename_axis(index=names[1], columns=names[0]),
        array,
        array.T,
    ):
        assert edges(STGraph.from_adjacency(given)) == {("a", "b"), ("b", "c")}


def test_whole_numbers_that_may_be_missing_are_numbers():
    table = pd.DataFrame(WEIGHTS + WEIGHTS.T, index=list("abc"), columns=list("abc")).astype("Int64")
    assert edges(STGraph.from_adjacency(table)) == {("a", "b"), ("b", "c")}
    with pytest.raises(InputError, match=r"matrix at \[0, 1\]: got nan; expected a finite number"):
        STGraph.from_adjacency(table.mask(table == 1))
    with pytest.raises(InputError, match=r"distances at \[0, 1\]: got nan; expected at least 0"):
        STGraph.from_distances(table.mask(table == 1))


@pytest.mark.parametrize("lost", [None, np.nan, pd.NA])
def test_a_missing_name_is_no_node(lost):
    table = pd.DataFrame({"from": ["a", "b"], "to": ["b", lost], "weight": [1.0, 2.0]})
    for call, argument in (
        (STGraph.from_pandas, "table"),
        (lambda one: STGraph.from_edges("abc", one), "edges"),
        (lambda one: STGraph.from_distances(one.rename(columns={"weight": "cost"})), "distances"),
    ):
        with pytest.raises(InputError, match=f"{argument}, row 1: got no name in the column 'to'"):
            call(table)
    assert len(STGraph.from_pandas(table.dropna()).edges) == 1


def test_ids_that_became_floats_are_the_ids():
    table = pd.DataFrame({"from": [773869.0, 767541.0], "to": [767541.0, 9.0], "cost": [1.0, 2.0]})
    assert STGraph.from_distances(table, sigma=2.0).nodes == ("773869", "767541", "9")
    assert STGraph.from_pandas(table[["from", "to"]], nodes=["9", "767541", "773869"]).edges.tolist() == [
        [2, 1],
        [1, 0],
    ]


def test_a_column_that_appears_twice_is_not_chosen_from():
    table = pd.DataFrame([["a", "b", 1.0, 9.0]], columns=["from", "to", "weight", "weight"])
    for call in (
        STGraph.from_pandas,
        lambda one: STGraph.from_edges("ab", one),
        lambda one: STGraph.from_distances(one.rename(columns={"weight": "cost"})),
    ):
        with pytest.raises(InputError, match="got the column '(weight|cost)' twice; expected it once"):
            call(table)


def signals():
    """Signals of which only a and b go together, as a frame."""
    values = np.random.default_rng(0).normal(size=(80, 3))
    values[:, 1] += 3 * values[:, 0]
    return pd.DataFrame(values, columns=list("abc"))


@pytest.mark.filterwarnings("ignore:graph:UserWarning")
def test_columns_of_signals_are_matched_by_their_names():
    table = signals()
    turned = table[["c", "b", "a"]]
    for given, nodes in (
        (table, None),
        (turned, None),
        (table, ["c", "a", "b"]),
        ([table, turned], None),
        ([table, turned.astype("Float64")], ["b", "c", "a"]),
        (table.corr(), None),
        (table.corr()[["c", "a", "b"]], None),
        ([table.corr(), table.corr().loc[["b", "a", "c"]]], ["c", "a", "b"]),
        (xr.DataArray(turned, dims=("time", "region")), None),
        (xr.DataArray(turned.T, dims=("region", "time")), None),
    ):
        graph = STGraph.from_correlation(given, nodes, threshold=0.5)
        assert edges(graph) == {("a", "b")}
        assert nodes is None or graph.nodes == tuple(nodes)
    with pytest.raises(InputError, match=r"a column of values\) 'd'"):
        STGraph.from_correlation([table, table.rename(columns={"c": "d"})], threshold=0.5)
    with pytest.raises(InputError, match="a column of values: got 'a' twice"):
        STGraph.from_correlation(table.set_axis(["a", "a", "b"], axis=1), threshold=0.5)


def test_positions_of_a_table_are_matched_by_the_names_of_its_rows():
    drawn = PLACES.assign(road="I-5")[["y", "road", "x"]]
    by_column = drawn.reset_index(names="node")
    for given in (drawn, by_column, drawn.sample(frac=1, random_state=1)):
        graph = STGraph("abc", [(0, 1), (1, 2)], positions=given)
        assert graph.positions.tolist() == [[0, 0], [1, 0.5], [3, 0]]
    with pytest.raises(InputError, match=r"unknown node \(a row of positions\) 'c'"):
        STGraph("abd", [(0, 1), (1, 2)], positions=drawn)


@pytest.mark.parametrize("rows", [2, 3, 4])
@pytest.mark.parametrize("names", [("from", "to", "cost"), ("Source", "Target", "weight")])
def test_a_table_of_pairs_is_no_matrix(rows, names):
    pairs = [(0, 1, 5.0), (1, 2, 3.0), (0, 2, 9.0), (2, 3, 1.0)][:rows]
    with pytest.raises(InputError, match=r"got a table with a row for each pair .*STGraph\.from_distances\(table\)"):
        STGraph.from_adjacency(pd.DataFrame(pairs, columns=names))
    # Nodes may be called so where the rows are, too.
    table = pd.DataFrame(np.ones((2, 2)) - np.eye(2), index=["from", "to"], columns=["from", "to"])
    assert STGraph.from_adjacency(table).nodes == ("from", "to")


def test_distances_that_are_not_used_are_said():
    table = pd.DataFrame({"from": ["a", "b"], "to": ["b", "c"], "Distance (km)": [5.0, 3.0], "lanes": [1, 2]})
    with pytest.warns(
        UserWarning, match=r"the column 'Distance \(km\)' is not used.*STGraph\.from_distances"
    ) as caught:
        assert STGraph.from_pandas(table).weight.tolist() == [1, 1]
    assert len(caught) == 1
    STGraph.from_pandas(table.drop(columns="Distance (km)"))
