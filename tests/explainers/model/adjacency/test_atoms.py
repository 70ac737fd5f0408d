"""The axes of a tensor as atoms: time that is none, and nodes that are stacked by relation, inside and outside."""

import numpy as np
import pytest

from stexplain.explainers.model.adjacency.atoms import atoms_of
from stexplain.explainers.model.adjacency.roles import Atom
from stexplain.explainers.model.probe.axes import TensorAxes
from stexplain.explainers.model.probe.plan import Change, Plan
from stexplain.explainers.model.probe.responses import Factor
from stexplain.explainers.model.probe.time import Timing

NODES, FRAMES = 6, 4
CHANGES = (
    Change(nothing=True),
    *(Change(node=node, instance=0) for node in range(NODES)),
    *(Change(frames=(frame, frame)) for frame in range(FRAMES)),
)
PLAN = Plan(CHANGES, {"m": 1, "t": FRAMES, "n": NODES, "c": 2}, len(CHANGES))
# A graph in which some reach no others: zeros tell the nodes.
REACHES = np.eye(NODES) + np.diag(np.ones(NODES - 1), 1)


def responses(by_node=None, by_frame=None, size=1):
    """Of each copy: nothing, then each node, then each frame, ``[copies, size]``."""
    by_node = np.ones((NODES, size)) if by_node is None else by_node
    by_frame = np.ones((FRAMES, by_node.shape[1])) if by_frame is None else by_frame
    return np.concatenate([np.zeros((1, by_node.shape[1])), by_node, by_frame])


def factor(dimension, size, letter="", response=None):
    return Factor(dimension, size, letter, response, response)


def atoms(factors, shape, timing="aligned"):
    axes = TensorAxes(None, Timing(timing), factors=tuple(factors), shape=shape)
    return [[(atom.letter, atom.size) for atom in each] for each in atoms_of(axes, PLAN)]


BATCH = factor(0, len(CHANGES), "b")


def test_each_axis_has_its_atoms_in_their_order_and_one_of_size_one_an_empty_one():
    factors = [BATCH, factor(0, NODES, "n", responses(size=NODES)), factor(2, 2, "", responses(size=2))]
    assert atoms(factors, (len(CHANGES) * NODES, 1, 2)) == [[("b", 11), ("n", 6)], [("", 1)], [("", 2)]]
    assert atoms_of(TensorAxes(None, Timing("none"), factors=(BATCH,), shape=(11,)), PLAN) == ((Atom("b", 11),),)


def frames(sees):
    """An axis of four positions that see some of the four frames."""
    return responses(np.ones((NODES, len(sees[0]))), np.asarray(sees, float))


@pytest.mark.parametrize(
    ("sees", "timing", "letter"),
    [
        (np.eye(FRAMES), "aligned", "t"),
        (np.tril(np.ones((FRAMES, FRAMES))), "causal", "t"),
        # All see the same: channels of a call at one frame.
        (np.ones((FRAMES, FRAMES)), "aligned", ""),
        (np.repeat([[1], [1], [0], [0]], FRAMES, 1), "causal", ""),
        # Some see nothing at all, as behind a ReLU.
        ([[1, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0]], "causal", ""),
        ([[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0]], "causal", "t"),
        (np.zeros((FRAMES, FRAMES)), "causal", ""),
        # Attention sees the whole clip, and is told by what it sees most.
        (np.ones((FRAMES, FRAMES)), "global", "t"),
    ],
)
def test_positions_that_all_see_the_same_frames_are_no_time(sees, timing, letter):
    factors = [BATCH, factor(1, FRAMES, "t", frames(sees))]
    assert atoms(factors, (len(CHANGES), FRAMES), timing)[1] == [(letter, FRAMES)]


def test_time_that_was_found_otherwise_has_no_response():
    assert atoms([BATCH, factor(1, FRAMES, "t")], (len(CHANGES), FRAMES))[1] == [("", FRAMES)]
    assert atoms([BATCH, factor(1, FRAMES, "t")], (len(CHANGES), FRAMES), "global")[1] == [("t", FRAMES)]


def stacked(relations, inside):
    """Nodes times relations on one axis, each relation by its own edges."""
    table = np.stack(relations)  # [R, changed, responding]
    table = table.transpose(1, 2, 0) if inside else table.transpose(1, 0, 2)
    return responses(table.reshape(NODES, -1))


NO_LOOPS = np.diag(np.ones(NODES - 1), 1)


@pytest.mark.parametrize(
    ("relations", "found"),
    [
        ([REACHES, REACHES.T], True),
        ([REACHES, REACHES.T, REACHES @ REACHES], True),
        # Most must follow, not all.
        ([REACHES, REACHES.T, NO_LOOPS], True),
        ([REACHES, NO_LOOPS], False),
        ([NO_LOOPS, NO_LOOPS], False),
        ([np.ones((NODES, NODES))] * 2, False),
        # One relation is an axis of nodes, told before.
        ([REACHES], False),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_nodes_that_are_stacked_by_relation(relations, found, inside):
    size, count = NODES * len(relations), len(relations)
    expected = [("", size)]
    if found:
        expected = [("n", NODES), ("", count)] if inside else [("", count), ("n", NODES)]
    factors = [BATCH, factor(1, size, "", stacked(relations, inside))]
    assert atoms(factors, (len(CHANGES), size))[1] == expected


def test_beside_an_axis_of_nodes_or_of_another_size_nothing_is_unfolded():
    both = stacked([REACHES, REACHES.T], inside=False)
    nodes = factor(2, NODES, "n", responses(size=NODES))
    assert atoms([BATCH, factor(1, 12, "", both), nodes], (11, 12, 6))[1] == [("", 12)]
    assert atoms([BATCH, factor(1, 11, "", both[:, :11])], (11, 11))[1] == [("", 11)]
    assert atoms([BATCH, factor(1, 12)], (11, 12))[1] == [("", 12)]
