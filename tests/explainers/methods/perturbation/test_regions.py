import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.methods.perturbation.regions import Regions, check_partition, node_groups
from stexplain.graph import STGraph
from tests.explainers.small_models import signals

SIZES = {"m": 2, "t": 7, "n": 4}
GROUPS = [[0, 1], [1, 3]]


@pytest.mark.parametrize(("window", "stride"), [(None, None), (3, None), (3, 2), (9, 4), (1, 1)])
@pytest.mark.parametrize("groups", [GROUPS, [[0], [1], [2], [3]]], ids=["groups", "nodes"])
def test_by_loops(groups, window, stride):
    regions = Regions(groups, SIZES, window=window, stride=stride)
    length = window or 7
    starts = range(0, 7, stride or length)
    assert regions.shape == (2, len(groups), len(starts))
    values, there = signals(2, len(regions)), signals(2, 2, 7, 4, seed=1) > 0
    total, overlap, readings = torch.zeros(2, 2, 7, 4), torch.zeros(1, 2, 7, 4), torch.zeros(2, len(regions))
    for number, (m, g, w) in enumerate(np.ndindex(*regions.shape)):
        for t in range(starts[w], min(starts[w] + length, 7)):
            for n in groups[g]:
                total[:, m, t, n] += values[:, number]
                overlap[:, m, t, n] += 1
                readings[:, number] += there[:, m, t, n]
    torch.testing.assert_close(regions.to_positions(values), total)
    torch.testing.assert_close(regions.overlap(), overlap)
    torch.testing.assert_close(regions.observation_counts(there), readings)
    one = torch.eye(len(regions), dtype=torch.bool)
    assert torch.equal(
        regions.covered(one), torch.stack([regions.to_positions(row[None])[0] > 0 for row in one.float()])
    )


def test_groups_by_name_and_index():
    graph = STGraph("abc", [(0, 1), (1, 2)], groups={"end": ["c", "a"]})
    assert node_groups(graph.groups, graph, 3) == {"end": [2, 0]}
    assert node_groups([["b", 0], [2]], graph, 3) == {"a b": [1, 0], "c": [2]}
    assert node_groups(None, graph, 3) == {"a": [0], "b": [1], "c": [2]}
    for groups, known, message in (
        ([["d"]], graph, "unknown node 'd'"),
        ([["a"]], None, "no graph is known"),
        ([[3]], None, "node: got index 3; expected 0 to"),
        ({"none": []}, None, "'none' has no nodes"),
        ([], None, "groups: got none"),
    ):
        with pytest.raises(InputError, match=message):
            node_groups(groups, known, 3)


def test_wrong_use():
    for wrong in ({"window": 0}, {"stride": 0}):
        with pytest.raises(InputError, match="got 0; expected at least one frame"):
            Regions(GROUPS, SIZES, **wrong)
    with pytest.raises(InputError, match="node 1 is in the groups 'left' and 'right'"):
        check_partition({"left": [0, 1], "right": [1, 3]}, 4)
