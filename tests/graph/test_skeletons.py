import networkx as nx
import numpy as np
import pytest

from stexplain.graph import STGraph, skeleton_named, skeleton_names


@pytest.mark.parametrize("name", skeleton_names())
def test_a_skeleton_is_a_tree_that_is_drawn_upright_and_mirrors(name):
    skeleton, graph = skeleton_named(name), STGraph.skeleton(name)
    assert nx.is_tree(graph.to_networkx())
    assert str(len(graph)) in skeleton.title or name.endswith(str(len(graph)))
    # Every joint belongs to one part.
    assert sorted(joint for part in graph.groups.values() for joint in part) == sorted(graph.nodes)
    assert len(np.unique(graph.positions, axis=0)) == len(graph)
    paired = {joint for pair in skeleton.pairs for joint in pair}
    assert {joint for joint in graph.nodes if {"left", "right"} & set(joint.split())} == paired
    for left, right in skeleton.pairs:
        # Seen from the front: the left is on the right, and parents of mirrored joints are mirrored.
        np.testing.assert_allclose(skeleton.positions[left], np.multiply(skeleton.positions[right], [-1, 1]))
        assert skeleton.positions[left][0] > 0
    if "head" in graph.groups and name != "hand-21":
        heights = {
            part: np.mean([skeleton.positions[joint][1] for joint in joints]) for part, joints in graph.groups.items()
        }
        assert heights["head"] > heights["left arm"] > heights["left leg"]
