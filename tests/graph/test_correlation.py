"""Graphs of correlations: Pearson and Fisher by hand, the strongest pairs, and what is said of negative ones."""

import warnings

import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.graph import STGraph

NOISE = np.random.default_rng(0).normal(size=(9, 4))


def subjects(count=3, frames=80, nodes=5, seed=0):
    random = np.random.default_rng(seed)
    mix = np.abs(random.normal(size=(nodes, nodes)))
    return [random.normal(size=(frames + number, nodes)) @ mix for number in range(count)]


def by_hand(series):
    z = np.mean([np.arctanh(np.corrcoef(one.T) - 1e-9 * np.eye(one.shape[1])) for one in series], 0)
    return np.tanh(z)


def test_weights_are_mean_correlations():
    series = subjects()
    graph = STGraph.from_correlation(series, list("abcde"), threshold=0.3)
    expected = by_hand(series)
    pairs = {(a, b): expected[a, b] for a in range(5) for b in range(a + 1, 5) if expected[a, b] >= 0.3}
    assert {tuple(edge) for edge in graph.edges.tolist()} == set(pairs)
    np.testing.assert_allclose(graph.weight, [pairs[tuple(edge)] for edge in graph.edges.tolist()], rtol=1e-6)
    assert not graph.directed


@pytest.mark.parametrize("density", [0.1, 0.4, 1.0])
def test_density_takes_the_strongest(density):
    series = subjects()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nodes without an edge
        graph = STGraph.from_correlation(series, density=density)
    expected = by_hand(series)[np.triu_indices(5, 1)]
    assert len(graph.edges) == round(density * 10)
    np.testing.assert_allclose(sorted(graph.weight), sorted(expected)[-len(graph.edges) :], rtol=1e-6)


def test_one_subject_an_array_and_a_frame_are_the_same():
    one = subjects(1)[0]
    names = list("abcde")
    assert len(STGraph.from_correlation(one, names, density=1).edges) == 10
    expected = STGraph.from_correlation(one, names, threshold=0.01)
    assert STGraph.from_correlation([one], names, threshold=0.01) == expected
    assert STGraph.from_correlation(one[None], names, threshold=0.01) == expected
    of_frame = STGraph.from_correlation(pd.DataFrame(one, columns=names), threshold=0.01)
    assert of_frame.nodes == expected.nodes
    np.testing.assert_allclose(of_frame.weight, expected.weight)


def test_negative_correlations_are_named():
    a, b = np.random.default_rng(0).normal(size=(2, 200))
    series = np.stack([a, -a + 0.1 * b, a + 0.1 * b], 1)
    alone = pytest.warns(UserWarning, match="without an edge")
    with alone, pytest.warns(UserWarning, match="2 correlations are negative"):
        graph = STGraph.from_correlation(series, threshold=0.5)
    assert graph.edges.tolist() == [[0, 2]]
    assert len(STGraph.from_correlation(series, threshold=0.5, negative="absolute").edges) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "expected one of them"),
        ({"threshold": 0.2, "density": 0.2}, "expected one of them"),
        ({"threshold": 1.5}, "threshold: got 1.5"),
        ({"density": 0}, "density: got 0"),
        ({"density": 0.5, "negative": "keep"}, "unknown use of negative correlations 'keep'"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(InputError, match=words):
        STGraph.from_correlation(subjects(), **options)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones((10, 3)), "node 'a' never changes"),
        (np.full((10, 3), np.nan), "got NaN or infinity"),
        (np.zeros(5), r"got shape \(5,\)"),
        ([], "got no subject"),
        (
            [np.random.default_rng(0).normal(size=(9, 3)), np.random.default_rng(0).normal(size=(9, 4))],
            "subject 1: got 4 nodes",
        ),
    ],
)
def test_values_that_do_not_correlate(values, words):
    with pytest.raises(InputError, match=words):
        STGraph.from_correlation(values, ["a", "b", "c"], density=0.5)


def test_a_matrix_of_correlations_is_not_correlated_again():
    series = subjects()
    matrix = np.round(by_hand(series) + np.diag(1 - np.diag(by_hand(series))), 6)
    with pytest.warns(UserWarning, match="a matrix 5 x 5 of correlations, taken as given"):
        graph = STGraph.from_correlation(pd.DataFrame(matrix, columns=list("abcde")), threshold=0.3)
    expected = STGraph.from_correlation(series, list("abcde"), threshold=0.3)
    assert (graph.nodes, graph.edges.tolist()) == (expected.nodes, expected.edges.tolist())
    np.testing.assert_allclose(graph.weight, expected.weight, atol=1e-6)
    with pytest.warns(UserWarning, match="2 matrices of correlations"):
        same = STGraph.from_correlation(np.stack([matrix, matrix]), list("abcde"), threshold=0.3)
    np.testing.assert_allclose(same.weight, graph.weight)


@pytest.mark.parametrize("matrix", [np.ones((4, 4)) - np.eye(4), 3 * np.eye(4) + 2, 50 - np.eye(4)])
def test_a_symmetric_matrix_of_other_numbers_is_refused(matrix):
    with pytest.raises(InputError, match=r"got a symmetric matrix \(4, 4\).*from_adjacency"):
        STGraph.from_correlation(matrix, threshold=0.3)


def test_trials_by_channels_are_refused_with_how_to_turn_them():
    trials = np.random.default_rng(1).normal(size=(20, 4, 50))
    turn = r"got shape \(4, 50\); expected frames x nodes, 4 of them.*swapaxes\(-1, -2\)"
    with pytest.raises(InputError, match=turn):
        STGraph.from_correlation(trials, list("abcd"), density=0.5, negative="absolute")
    with pytest.raises(InputError, match=r"expected frames x nodes, 3 of them by the names\.$"):
        STGraph.from_correlation(trials, list("abc"), density=0.5, negative="absolute")
    turned = STGraph.from_correlation(trials.swapaxes(-1, -2), list("abcd"), density=0.5, negative="absolute")
    assert turned.nodes == tuple("abcd")


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.3, 0.7, 1.0])
def test_a_correlation_that_is_the_threshold_is_an_edge(threshold):
    matrix = np.eye(3)
    matrix[0, 1] = matrix[1, 0] = threshold
    matrix[1, 2] = matrix[2, 1] = -threshold
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        graph = STGraph.from_correlation(matrix, threshold=threshold)
        both = STGraph.from_correlation(matrix, threshold=threshold, negative="absolute")
    assert graph.edges.tolist() == [[0, 1]]
    assert both.edges.tolist() == [[0, 1], [1, 2]]
    # The one that is as strong below zero is counted among those that are left out.
    assert any("one correlation is negative" in str(each.message) for each in said)


@pytest.mark.parametrize(("strength", "said"), [(-0.5, True), (-0.499, False)])
def test_a_negative_one_as_strong_as_the_weakest_edge_is_counted(strength, said):
    matrix = np.eye(4)
    for (a, b), value in {(0, 1): 0.9, (0, 2): 0.5, (1, 2): strength, (1, 3): 0.2, (0, 3): 0.1}.items():
        matrix[a, b] = matrix[b, a] = value
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        graph = STGraph.from_correlation(matrix, density=0.3)
    assert graph.edges.tolist() == [[0, 1], [0, 2]]
    assert any("one correlation is negative" in str(each.message) for each in noted) == said
