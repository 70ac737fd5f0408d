"""What is hardly meant so: bounds between what is taken, what is named, and what is refused, each from both sides."""

import warnings

import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.graph.coordinates import EARTH_RADIUS, distance_between, neighbour_pairs, spread_of_distances
from stexplain.graph.given.columns import end_columns, is_distance, lists_pairs, refuse_lost_row, role_of
from stexplain.graph.given.correlation import is_correlation, mean_correlation, strongest
from stexplain.graph.given.doubts import refuse_zeros, warn_of_large

R = np.array([[1.0, 0.4, -0.2], [0.4, 1.0, 0.3], [-0.2, 0.3, 1.0]])


def changed(matrix, **entries):
    """A matrix with other entries: ``ab`` is that of row a and column b."""
    matrix = np.array(matrix, float)
    for place, value in entries.items():
        matrix[int(place[1]), int(place[2])] = value
    return matrix


TAKEN, SERIES, HALF, UNLIKE, OTHER = True, False, "half of one", "is not symmetric", "got a symmetric matrix"


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (R, TAKEN),
        (R[:2, :2], TAKEN),
        (R[:1, :1], SERIES),
        (R[:2], SERIES),
        (R[None], SERIES),
        # Halves that files rounded differ by up to 0.001.
        (changed(R, a01=0.4009), TAKEN),
        (changed(R, a01=0.4011), UNLIKE),
        (changed(R, a01=0.4021), UNLIKE),
        # So much may be beyond one.
        (changed(R, a00=1 + 9e-7, a01=1 + 9e-7, a10=1 + 9e-7), TAKEN),
        (changed(R, a01=1 + 2e-6, a10=1 + 2e-6), OTHER),
        (changed(R, a00=1 - 3e-6), OTHER),
        (np.triu(R), HALF),
        (np.tril(R), HALF),
        (np.triu(R, 1), HALF),
        (np.tril(R, -1), HALF),
        # Of two frames and two nodes one may well be zero.
        (np.triu(R[:2, :2] * 3), SERIES),
        (np.eye(3), TAKEN),
        # A half with other numbers on the diagonal is a series.
        (np.triu(R) + np.diag([1.0, 2, 3]), SERIES),
        # Beyond one, halves differ by so much of the largest.
        (changed(50 * R, a01=20 + 4e-5, a10=20.0), OTHER),
        (changed(50 * R, a01=20 + 6e-5, a10=20.0), SERIES),
        (changed(0.5 * R, a01=0.2 + 2e-6), SERIES),
        (changed(0.5 * R, a01=0.2 + 5e-7), OTHER),
        (changed(R, a01=np.nan), SERIES),
        (changed(R, a01=np.nan, a10=np.nan), SERIES),
        (changed(R, a01=np.nan, a10=np.nan, a02=np.nan, a20=np.nan), "row 0 is NaN"),
        (changed(R, a01=np.nan, a10=np.nan, a12=np.nan, a21=np.nan, a11=np.nan), "row 1 is NaN"),
        (changed(np.arctanh(R * (1 - np.eye(3))), a00=np.inf, a11=np.inf, a22=np.inf), r"np.tanh\(matrix\)"),
        (changed(np.arctanh(R * (1 - np.eye(3))), a00=np.inf), r"np.tanh\(matrix\)"),
        (changed(R, a01=np.inf, a10=np.inf), SERIES),
    ],
)
def test_what_is_a_matrix_of_correlations_and_what_nearly(matrix, expected):
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            is_correlation(matrix, "values")
    else:
        assert is_correlation(matrix, "values") is expected


def test_subjects_are_averaged_by_fisher_s_z_whether_correlated_already_or_not():
    series = np.random.default_rng(0).normal(size=(2, 30, 3))
    each = [np.corrcoef(one.T) for one in series]
    z = np.mean([np.arctanh(one - np.diag(np.diag(one))) for one in (*each, R)], axis=0)
    mean, ready = mean_correlation([*series, R])
    np.testing.assert_allclose(mean, np.tanh(z), rtol=1e-9, atol=1e-12)
    assert (ready, np.diag(mean).tolist()) == (1, [0, 0, 0])
    assert mean_correlation([R, series[0], R])[1] == 2
    # Of two nodes that are the same, a little less than one; and symmetric to the bit.
    same = np.stack([series[0, :, 0], -series[0, :, 0], series[0, :, 1]], 1)
    found, _ = mean_correlation(same)
    np.testing.assert_allclose([found[0, 1], found[0, 2]], [-1, each[0][0, 1]], atol=1e-9)
    assert np.array_equal(found, found.T)


@pytest.mark.parametrize(("shape", "taken"), [((3, 2), True), ((2, 2), False), ((2, 3), False), ((3, 1), False)])
def test_three_frames_and_two_nodes_are_the_least(shape, taken):
    series = np.random.default_rng(0).normal(size=shape)
    if taken:
        assert mean_correlation(series)[0].shape == (2, 2)
    else:
        with pytest.raises(InputError, match="three frames and two nodes or more"):
            mean_correlation(series)


def test_the_share_of_pairs_is_rounded_and_one_edge_at_least():
    """Of six pairs; what is zero is none, however many are asked for."""
    weight = np.zeros((4, 4))
    weight[np.triu_indices(4, 1)] = [0.6, -0.5, 0.4, 0.0, 0.2, 0.1]
    weight = weight + weight.T
    for density, kept in ((0.01, 1), (0.24, 1), (0.26, 2), (0.5, 3), (0.6, 4), (1.0, 4)):
        edges, _ = strongest(weight, None, density, "drop")
        assert np.array_equal(edges, edges.T)
        assert sorted(edges[np.triu_indices(4, 1)])[-kept:] == [0.1, 0.2, 0.4, 0.6][-kept:]
        assert np.count_nonzero(edges) == 2 * kept
    assert np.count_nonzero(strongest(weight, None, 1.0, "absolute")[0]) == 10
    # Equally strong ones: the first in the order of the nodes.
    alike, _ = strongest(np.full((3, 3), 0.5) - 0.5 * np.eye(3), None, 0.5, "drop")
    assert np.argwhere(np.triu(alike)).tolist() == [[0, 1], [0, 2]]
    nothing, dropped = strongest(-np.abs(weight), None, 1.0, "drop")
    assert (np.count_nonzero(nothing), dropped) == (0, 0)
    # As many as reach the threshold, less one part in a thousand million.
    for threshold, count in ((0.4, 2), (0.4 * (1 + 5e-10), 2), (0.4 * (1 + 2e-9), 1)):
        assert np.count_nonzero(strongest(weight, threshold, None, "drop")[0]) == 2 * count


PATH = np.array([[0.0, 3, 7], [3, 0, 4], [7, 4, 0]])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (PATH, ""),
        # Two at one place are as far from the third, but for a hundredth.
        (changed(PATH, a01=0, a10=0, a02=4.03, a20=4.03), ""),
        (changed(PATH, a01=0, a10=0, a02=4.06, a20=4.06), r"at \[0, 1\]: got 0.* but 2 is 4.06 from 0 and 4 from 1"),
        (changed(PATH, a02=0, a20=0), r"at \[2, 0\]: got 0.* but 1 is 4 from 2 and 3 from 0"),
        (np.triu(PATH), "0 everywhere below the diagonal"),
        (np.tril(PATH), "0 everywhere above the diagonal"),
        # One way alone: no way to it, and none from it, is longer than by way of the other.
        (changed(PATH, a01=0, a02=4, a20=4), ""),
        (changed(PATH, a01=0, a02=4, a20=3.5, a21=3.6), r"at \[0, 1\]: got 0.* but 2 is 3.6 from 1 and 3.5 from 0"),
        # To a node that neither has a distance to nothing can be compared.
        (changed(PATH, a01=0, a10=0, a02=np.inf, a20=np.inf), ""),
    ],
)
def test_a_distance_of_zero_is_taken_where_all_others_are_as_far(matrix, message):
    source, target = np.nonzero(np.isfinite(matrix))
    if message:
        with pytest.raises(InputError, match=message):
            refuse_zeros(3, source, target, matrix[source, target])
    else:
        refuse_zeros(3, source, target, matrix[source, target])


@pytest.mark.parametrize("unit", [1e-5, 1e-3, 1.0, 1000.0])
@pytest.mark.parametrize(
    ("matrix", "refused"),
    [
        (changed(PATH, a02=0, a20=0), True),
        # Two pairs, each at one place: nothing contradicts it.
        (np.array([[0.0, 3, 0, 3], [3, 0, 3, 0], [0, 3, 0, 3], [3, 0, 3, 0]]), False),
        (np.roll(np.eye(5), 1, 0) + np.roll(np.eye(5), -1, 0), True),
        (changed(PATH, a01=0, a10=0, a02=4.03, a20=4.03), False),
        # Three at one place, one of whose distances is rounded up, far from a fourth.
        (np.array([[0, 0, 0.01, 5], [0, 0, 0, 5], [0.01, 0, 0, 5], [5, 5, 5, 0]]), False),
    ],
)
def test_zeros_are_judged_alike_in_every_unit(matrix, refused, unit):
    source, target = np.nonzero(np.isfinite(matrix))
    distance = unit * matrix[source, target]
    if refused:
        with pytest.raises(InputError, match="got 0, which is as near as can be"):
            refuse_zeros(len(matrix), source, target, distance)
    else:
        refuse_zeros(len(matrix), source, target, distance)


@pytest.mark.parametrize(
    ("distances", "named"),
    [
        ([1, 2, 200, 200], True),
        ([1, 2, 199, 199], False),
        # Once it may be so far; and what all are is no other.
        ([1, 2, 3, 400], False),
        ([400, 400, 400], False),
        ([1, 400, 400], True),
        ([400, 400], False),
        # Zeros alone are no distances to compare with.
        ([0, 0, 400, 400], False),
    ],
)
def test_a_number_far_beyond_all_others_is_named_where_it_comes_more_than_once(distances, named):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warn_of_large(np.array(distances, float))
    assert len(said) == named
    if named:
        others = max(one for one in distances if one < max(distances))
        assert f"2 of {len(distances)} are {max(distances)}, and no other is above {others}:" in str(said[0].message)


@pytest.mark.parametrize(
    ("columns", "options", "expected"),
    [
        (["id", "to", "from"], {}, (2, 1)),
        (["a", "b", "weight"], {}, (0, 1)),
        (["a", "b", "weight"], {"source": "b", "target": "a"}, (1, 0)),
        (["x", "destination_id", "y"], {}, (0, 1)),
        # A name that is known goes before one that holds a word of it.
        (["from_node", "from", "to"], {}, (1, 2)),
        (["a", "weight", "b"], {"source": "a", "target": "b"}, (0, 2)),
        (["a", "weight", "b"], {}, None),
        (["weight", "to"], {}, None),
        (["to", "a"], {}, None),
        (["weight", "b"], {"source": "weight", "target": "b"}, (0, 1)),
    ],
)
def test_which_columns_are_the_ends(columns, options, expected):
    if expected is None:
        with pytest.raises(InputError, match="do not say which are source and target"):
            end_columns(columns, "table", **options)
    else:
        assert end_columns(columns, "table", **options) == expected


def test_names_of_columns():
    assert [role_of(one) for one in (" SRC ", "dest-id", "end", "end_time", "source_to", 3)] == [
        "source", "target", "target", "", "", "",
    ]  # fmt: skip
    assert [is_distance(one) for one in ("travel_time", "Delay", "timestamp", "kmh")] == [True, True, False, False]
    table = pd.DataFrame([[0, 1, 5.0]], columns=["From", " to", "w"])
    assert lists_pairs(table)
    assert not lists_pairs(table.assign(further=1))
    assert not lists_pairs(table.set_index(pd.Index([7])))
    assert not lists_pairs(table[["From", "w"]])
    assert not lists_pairs(table[[" to", "w"]])


@pytest.mark.parametrize("name", ["7", " 7 ", "-7.", "+.5", "1e5", "2.5E-3"])
def test_a_column_called_by_a_number_is_a_lost_row_where_it_is_used(name):
    refuse_lost_row(["a", name], [0], "table")
    with pytest.raises(InputError, match="would be lost"):
        refuse_lost_row(["a", name], [0, 1], "table")


@pytest.mark.parametrize("columns", [["0", "1"], [0, 1], ["a", 7], ["7a", "e5"], ["1.2.3", "."]])
def test_columns_that_are_counted_or_named_are_no_lost_row(columns):
    refuse_lost_row(columns, [0, 1], "table")


@pytest.mark.parametrize("build", [STGraph.from_adjacency, STGraph.from_distances])
def test_a_label_of_two_nodes_is_refused_and_not_taken_for_the_last(build):
    table = pd.DataFrame(1 - np.eye(3), index=[*"aba"], columns=[*"aab"])
    with pytest.raises(InputError, match="got the label 'a' twice; expected one row and one column per node"):
        build(table)


@pytest.mark.parametrize("nodes", [3, 4, 10, 30, 1000])
def test_condensed_distances_are_known_by_their_number(nodes):
    pairs = nodes * (nodes - 1) // 2
    with pytest.raises(InputError, match=f"Of the distances of {nodes} nodes from scipy's pdist"):
        STGraph.from_distances(np.ones(pairs))
    with pytest.raises(InputError, match=rf"has shape \({pairs + 1},\); expected \[N, N\]\.$"):
        STGraph.from_distances(np.ones(pairs + 1))


def test_great_circles_are_those_of_the_angle_between_vectors():
    """On the other side of the earth rounding must give no NaN."""
    random = np.random.default_rng(0)
    one, other = (np.stack([random.uniform(-180, 180, 500), random.uniform(-90, 90, 500)], 1) for _ in range(2))

    def vectors(points):
        longitude, latitude = np.radians(points).T
        return np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])

    across, along = np.cross(vectors(one), vectors(other), axis=0), (vectors(one) * vectors(other)).sum(0)
    angle = np.arctan2(np.linalg.norm(across, axis=0), along)
    np.testing.assert_allclose(distance_between(one, other, True), EARTH_RADIUS * angle, rtol=1e-9)
    opposite = np.stack([one[:, 0] + 180, -one[:, 1]], 1)
    np.testing.assert_allclose(distance_between(one, opposite, True), EARTH_RADIUS * np.pi, rtol=1e-7)
    assert not distance_between(one, one, True).any()


@pytest.mark.parametrize("geographic", [True, False])
@pytest.mark.parametrize("count", [1, 2, 256, 257])
def test_the_spread_of_distances_is_that_of_the_whole_matrix(count, geographic):
    """It is summed up in blocks of 256 rows; each node with itself counts."""
    points = np.random.default_rng(0).uniform(-80, 80, (count, 2))
    matrix = distance_between(points[:, None], points[None], geographic)
    assert spread_of_distances(points, geographic) == pytest.approx(matrix.std(), rel=1e-9)


@pytest.mark.parametrize("geographic", [True, False])
@pytest.mark.parametrize("nearest", [1, 3, 40])
def test_pairs_of_neighbours_are_those_of_the_matrix(geographic, nearest):
    """Each with its nearest, ties all together; a grid has many."""
    points = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0)), -1).reshape(-1, 2)
    matrix = distance_between(points[:, None], points[None], geographic) + np.diag([np.inf] * 12)
    within = np.sort(matrix, axis=1)[:, min(nearest, 11) - 1]
    near = (matrix <= within[:, None] * (1 + 1e-9)) & np.isfinite(matrix)
    pairs = neighbour_pairs(points, nearest, geographic)
    assert (pairs.nodes, pairs.size, pairs.once) == (None, 12, False)
    assert list(zip(pairs.source, pairs.target, strict=True)) == [tuple(one) for one in np.argwhere(near | near.T)]
    np.testing.assert_allclose(pairs.distance, matrix[pairs.source, pairs.target])
    alone = neighbour_pairs(points[:1], nearest, geographic)
    assert (alone.size, len(alone.source), len(alone.target), len(alone.distance)) == (1, 0, 0, 0)
