"""The importance of a node for a class is not known where no sample of the class has an observation of it."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.intervals.poisson import student_reach
from stexplain.metrics import ClassImportance, contrastivity, contrastivity_detail, masking_curve
from stexplain.viz.maps.top_nodes import ranked

CLASSES, NODES, SAMPLES = ("throw", "kick"), ("hip", "hand", "foot", "head"), 24
LABELS = np.arange(SAMPLES) % 2
VALUES = np.random.default_rng(0).random((SAMPLES, 1, 3, 4)) + 0.5
# Never observed: the head; in a throw: the foot. The hand was in three of four clips, in some at the first frame alone.
SEEN = np.ones(VALUES.shape, np.bool_)
SEEN[..., 3] = False
SEEN[LABELS == 0, ..., 2] = False
SEEN[::8, ..., 1] = SEEN[1::8, ..., 1] = False
SEEN[2::8, :, 1:, 1] = False


def explained(rows: slice = slice(None)) -> Explanation:
    seen = SEEN[rows]
    ids = tuple(f"clip {row}" for row in range(SAMPLES))[rows]
    return Explanation(VALUES[rows] * seen, np.ones(seen.shape[:3], bool), NODES, ids=ids, observed=seen)


def filled(rows: slice = slice(None), **options) -> ClassImportance:
    importance = ClassImportance(CLASSES, NODES, **options)
    importance.update(explained(rows), LABELS[rows], np.ones(len(LABELS[rows]), bool))
    return importance


def by_loops(label: int, node: int) -> list[float]:
    """The importance of a node in each sample of a class that has an observation of it."""
    rows = [row for row in range(SAMPLES) if LABELS[row] == label and SEEN[row, 0, :, node].any()]
    return [float(VALUES[row, 0, SEEN[row, 0, :, node], node].mean()) for row in rows]


def test_it_is_the_mean_over_the_samples_that_observed_the_node():
    psi = filled().psi
    for label in range(2):
        for node in range(4):
            means = by_loops(label, node)
            assert psi[label, node] == pytest.approx(np.mean(means)) if means else np.isnan(psi[label, node])
    assert np.isnan(psi).tolist() == [[False, False, True, True], [False, False, False, True]]
    assert len(by_loops(0, 1)) == 9  # of 12
    assert filled().counts.tolist() == [12, 12]


def test_parts_merge_and_are_kept():
    whole, merged, kept = filled(), filled(slice(0, 5)), ClassImportance(CLASSES, NODES)
    merged.merge(filled(slice(5, None)))
    kept.add_arrays(filled(slice(10, None)).arrays())
    kept.add_arrays(filled(slice(0, 10)).arrays())
    for other in (merged, kept):
        np.testing.assert_allclose(other.psi, whole.psi, rtol=1e-12)
        np.testing.assert_allclose(other.draws, whole.draws, rtol=1e-12)
        np.testing.assert_allclose(other.interval(), whole.interval(), rtol=1e-12)


def test_a_group_observed_a_node_if_one_of_its_samples_did():
    # Of the throws 0 | 2 4 6 8 | 10 12 14 16 | 18 20 22 the hand is missing in 0, 8 and 16, which are last in theirs.
    groups = [(row + 6) // 8 for row in range(SAMPLES)]
    importance = ClassImportance(CLASSES, NODES)
    importance.update(explained(), LABELS, np.ones(SAMPLES, bool), groups=groups)
    assert importance._units_of_nodes()[0].tolist() == [4, 3, 0, 0]


def test_an_interval_has_the_degrees_of_those_that_observed_the_node():
    importance = filled(resamples=4000)
    ends = importance.interval()
    assert np.isnan(ends[:, 0, 2:]).all()
    assert np.isnan(ends[:, 1, 3]).all()
    for node in (0, 1):
        means = by_loops(0, node)
        error = np.std(means) / np.sqrt(len(means))
        reach = student_reach(len(means), 0.95) * error
        assert ends[:, 0, node] == pytest.approx(np.mean(means) + np.array([-reach, reach]), abs=0.24 * reach)
    # Four samples of the class are too few for the hand, which only three of them observed, and for all else.
    few = filled(slice(0, 14))  # seven of each class, of which two do not have the hand
    assert few._units_of_nodes()[0].tolist() == [7, 5, 0, 0]
    fewer = filled(slice(0, 12))
    assert fewer._units_of_nodes()[0].tolist() == [6, 4, 0, 0]
    assert np.isnan(fewer.interval()[0, 0]).tolist() == [False, True, True, True]
    assert not np.isnan(few.interval()[0, 0, 1])


def test_a_number_made_of_it_has_the_degrees_of_the_node_of_the_fewest():
    few = filled(slice(0, 12)).interval(contrastivity)
    assert (np.isfinite(few.value), np.isnan(few.low)) == (True, True)
    assert few.reason == "a node of a class was observed in too few samples: 4"
    assert filled(slice(0, 4)).interval(contrastivity).reason == "a node of a class was observed in too few samples: 1"
    assert filled(slice(4, 8)).interval(contrastivity).reason == "a class has too few samples: 2"
    assert np.isfinite(filled(slice(0, 12)).interval(lambda psi: psi[0, 0], nodes=[0]).low)
    assert np.isfinite(filled().interval(contrastivity).low)


def test_parity_counts_zeros_as_the_released_code_does():
    e = explained()
    maps = np.ascontiguousarray(e.values)
    e = Explanation(e.values, e.valid, NODES, ids=e.ids, observed=SEEN, layer_values=maps, stride=1)
    importance = ClassImportance(CLASSES, NODES, parity="das2022")
    importance.update(e, LABELS, np.ones(SAMPLES, bool))
    assert importance.psi[:, 3].tolist() == [0.0, 0.0]
    assert importance.psi[1, 1] == pytest.approx(maps[LABELS == 1, 0, :, 1].mean())


def test_contrastivity_is_over_the_nodes_that_both_classes_have():
    psi = np.random.default_rng(1).random((5, 7))
    psi[0, 2] = psi[1, 2] = psi[3, 4] = np.nan
    psi[:, 6] = np.nan
    pairs = []
    for a in range(5):
        for b in range(a + 1, 5):
            both = ~np.isnan(psi[a] + psi[b])
            pairs.append(np.corrcoef(psi[a, both], psi[b, both])[0, 1])
    found = contrastivity_detail(psi)
    assert found.value == pytest.approx(1 - np.mean(pairs), abs=1e-9)
    assert (found.used, found.constant, found.missing) == (5, 0, 0)
    np.testing.assert_allclose(found.correlation[np.triu_indices(5, 1)], pairs, rtol=1e-9)
    np.testing.assert_array_equal(found.correlation, found.correlation.T)
    # A node that nobody knows is none.
    assert contrastivity(psi[:, :6]) == found.value


def test_two_classes_without_a_common_node_have_no_correlation():
    psi = np.array([[1.0, 2.0, np.nan, np.nan], [np.nan, np.nan, 1.0, 2.0], [1.0, 2.0, 2.0, 1.0]])
    found = contrastivity_detail(psi)
    assert np.isnan(found.correlation[0, 1])
    assert found.correlation[2, :2].tolist() == pytest.approx([1.0, -1.0])
    assert (found.value, found.used) == (1.0, 3)
    assert np.isnan(contrastivity(psi[:2]))


MASKED: set[int] = set()


class Sum(nn.Module):
    """Predicts throw, and forgets it where hip and head are masked; says in `MASKED` which nodes are."""

    def forward(self, x):
        MASKED.update(torch.nonzero((x == 0).all(-1).all(2).any(1).any(0)).flatten().tolist())
        hip, head = x[..., 0, 0].mean((1, 2)), x[..., 3, 0].mean((1, 2))
        return torch.stack([hip + head - 0.5, torch.zeros_like(hip)], 1)


def test_nodes_of_which_nothing_is_known_are_in_no_set():
    x = torch.ones(8, 1, 3, 4, 1)
    batch = Batch(x, torch.ones(8, 1, 3, dtype=torch.bool), torch.zeros(8, dtype=torch.int64), tuple("abcdefgh"))
    psi = np.array([[0.9, 0.5, np.nan, np.nan], [0.2, 0.4, 0.3, np.nan]])
    # The foot of a throw has the importance that it has for a kick: 0.3, the least.
    for nodes, least in ((1, {2}), (2, {1, 2}), (3, {0, 1, 2})):
        MASKED.clear()
        curve = masking_curve(Sum(), batch, psi, nodes=nodes, masking=[1.0], baseline="zero", sets=["least"])
        assert least == MASKED
        assert curve.unranked == 0
    random = masking_curve(Sum(), batch, psi, nodes=3, masking=[1.0], baseline="zero", sets=["random", "highlighted"])
    # Head and hip together decide; the head is never masked.
    assert random.correct["random"].all()
    assert random.correct["highlighted"].all()
    assert curve.correct["least"].all()
    with pytest.raises(
        InputError, match="nodes: got 4; expected at most 3: no sample has an observation of the other 1"
    ):
        masking_curve(Sum(), batch, psi, nodes=4, masking=[1.0])


def test_bars_leave_out_what_is_not_known():
    importance = filled()
    table = ranked(importance, k=9, of=None, groups=None, seed=0).table.set_index("node")
    assert set(table.index) == {"hip", "hand", "foot"}
    # Of the kicks alone.
    assert table.loc["foot", "value"] == pytest.approx(np.mean(by_loops(1, 2)))
    assert table.loc["foot", "low"] < table.loc["foot", "value"] < table.loc["foot", "high"]
    of_throw = ranked(importance, k=9, of="throw", groups=None, seed=0).table.set_index("node")
    assert set(of_throw.index) == {"hip", "hand"}
    assert np.isfinite(of_throw.to_numpy()).all()
    # Of six throws four have the hand, which is too few for it, and not for the hip.
    of_few = ranked(filled(slice(0, 12)), k=9, of=None, groups=None, seed=0).table.set_index("node")
    assert np.isfinite(of_few["low"]).to_dict() == {"hip": True, "hand": False, "foot": True}
