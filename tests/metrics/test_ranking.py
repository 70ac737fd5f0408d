"""Rankings of nodes, frames and positions, against loops."""

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.metrics import localisation, node_sets
from stexplain.metrics.ranking import OVER, aggregate, equal_but_for_rounding, ranking_values, ranks, to_positions

RANDOM = np.random.default_rng(0)
VALID = RANDOM.random((3, 2, 4, 5)) < 0.6
# A node and a frame that were never observed.
VALID[0, :, :, 1] = VALID[1, :, 2] = False
VALUES = np.where(VALID, RANDOM.normal(size=VALID.shape), 0.0)


@pytest.mark.parametrize("over", OVER)
def test_the_mean_of_what_is_valid_of_each_node_frame_or_position(over):
    means, present = aggregate(VALUES, VALID, over)
    length = {"nodes": 5, "frames": 4, "positions": 40}[over]
    assert means.shape == present.shape == (3, length)
    for sample in range(3):
        for entry in range(length):
            where = {
                "nodes": np.s_[:, :, entry], "frames": np.s_[:, entry], "positions": np.unravel_index(entry, (2, 4, 5))
            }[over]  # fmt: skip
            known = VALUES[sample][where][VALID[sample][where]]
            assert present[sample, entry] == bool(known.size)
            assert means[sample, entry] == pytest.approx(known.mean() if known.size else 0.0)
    # And back: each position has what its node, its frame, or itself has.
    back = to_positions(np.arange(3 * length).reshape(3, length), over, VALID.shape)
    assert back.shape == VALID.shape
    place = {"nodes": 4, "frames": 3, "positions": 1 * 20 + 3 * 5 + 4}[over]
    assert back[2, 1, 3, 4] == 2 * length + place


def test_ranks_are_by_importance_and_drawn_orders_are_of_all_entries():
    importance = np.array([[0.1, 0.9, 0.5, 7.0], [3.0, 2.0, 1.0, 0.0]])
    valid = np.array([[True, True, True, False], [True] * 4])
    explained, drawn = ranks(importance, valid, ["a", "b"], seed=0, repeats=3)
    # What is not valid has the rank 4, which no share of the entries reaches.
    assert explained.tolist() == [[2, 0, 1, 4], [0, 1, 2, 3]]
    assert len(drawn) == 3
    assert len({tuple(rank[1]) for rank in drawn}) > 1
    for rank in drawn:
        assert sorted(rank[0]) == [0, 1, 2, 4]
        assert rank[0, 3] == 4
        assert sorted(rank[1]) == [0, 1, 2, 3]


def test_ties_are_broken_by_seed_and_name_alone():
    same = np.zeros((2, 6)), np.ones((2, 6), bool)
    first = ranks(*same, ["a", "b"], seed=0, repeats=0)[0]
    assert first[0].tolist() != first[1].tolist()
    assert ranks(*same, ["b", "a"], seed=0, repeats=2)[0][::-1].tolist() == first.tolist()
    assert ranks(*same, ["a", "b"], seed=1, repeats=0)[0].tolist() != first.tolist()
    # Padding changes nothing.
    longer = ranks(np.zeros((1, 9)), np.arange(9)[None] < 6, ["a"], seed=0, repeats=0)[0]
    assert longer[0].tolist() == [*first[0].tolist(), 9, 9, 9]


def test_names():
    assert ranking_values(np.array([-2.0, 1.0]), "signed").tolist() == [-2, 1]
    assert ranking_values(np.array([-2.0, 1.0]), "magnitude").tolist() == [2, 1]
    with pytest.raises(InputError, match="Did you mean 'magnitude'"):
        ranking_values(np.zeros(2), "magnitud")
    with pytest.raises(InputError, match="Did you mean 'nodes'"):
        aggregate(VALUES, VALID, "node")


def test_nodes_of_a_map_that_is_the_same_everywhere_are_tied_whatever_was_observed():
    """0.1 ten times, three times and seven times: sums and means round, each in its own way."""
    observed = np.arange(10)[:, None] < [10, 3, 7, 1, 6]
    valid = np.stack([observed, observed[:, ::-1]])[:, None]
    values = np.where(valid, 0.1, 0.0)
    for over in ("nodes", "frames"):
        means, present = aggregate(values, valid, over)
        assert [len(set(row[ok].tolist())) for row, ok in zip(means, present, strict=True)] == [1, 1]
    truth = np.zeros(valid.shape, bool)
    truth[..., 1] = True
    scores = localisation(values, truth, valid).scores["nodes"]
    assert scores["auroc"].tolist() == [0.5, 0.5]
    assert scores["pointing"].tolist() == [0.2, 0.2]
    # Nodes that are masked by such a map are drawn: each in its turn.
    importance = values[0].sum((0, 1)) / observed.sum(0)
    first = {int(node_sets(importance, 1, np.random.default_rng(seed))["highlighted"][0]) for seed in range(40)}
    assert first == {0, 1, 2, 3, 4}


def test_means_that_differ_keep_their_order_however_small_they_are():
    means = np.array([[1.0, 1e-15, 2e-15, 0.0, -1e-15, 1e-15 * (1 + 1e-14)]])
    found = equal_but_for_rounding(means, np.abs(means))
    assert found.tolist() == [[1.0, 1e-15, 2e-15, 0.0, -1e-15, 1e-15]]
