import math

import numpy as np
import pytest
import torch

from stexplain.data.baselines import as_baseline, bones, interpolation
from stexplain.data.baselines.bones import skeleton_tree
from stexplain.errors import InputError
from stexplain.explainers import Occlusion
from stexplain.explainers.targets import Custom
from stexplain.graph import STGraph, skeleton_names
from tests.explainers.small_models import signals

BODY = STGraph(["hip", "neck", "elbow", "hand", "knee"], [(0, 1), (1, 2), (2, 3), (0, 4)], center="neck")
EDGES = BODY.edges.tolist()
ALL = torch.ones(2, 2, 9, dtype=torch.bool)


def moving(frames=9, channels=3):
    return signals(2, 2, frames, 5, channels, seed=3).double()


def lengths(x):
    return torch.stack([(x[:, :, :, a] - x[:, :, :, b]).norm(dim=-1) for a, b in EDGES], -1)


@pytest.mark.parametrize("channels", [2, 3])
def test_bones_keep_their_lengths_and_both_ends_their_pose(channels):
    x = moving(channels=channels)
    found = bones(x, ALL, BODY)
    torch.testing.assert_close(lengths(found), lengths(x), rtol=0, atol=1e-9)
    torch.testing.assert_close(found[:, :, [0, -1]], x[:, :, [0, -1]], rtol=0, atol=1e-9)
    # The gesture between is gone, and a straight line would not keep the lengths.
    assert (found - x)[:, :, 4].norm() > 1
    assert (lengths(interpolation(x, ALL)) - lengths(x)).abs().max() > 0.1
    single = bones(x.float(), ALL, BODY)
    torch.testing.assert_close(lengths(single), lengths(x.float()), rtol=0, atol=1e-5)


def test_a_bone_turns_evenly_on_the_sphere():
    angle = torch.linspace(0, 2.0, 9).double()
    x = torch.zeros(1, 1, 9, 5, 3).double()
    x[..., 1, 0] = torch.linspace(1, 5, 9)  # The neck, the root, moves along.
    for joint, offset in ((0, [0, -3, 0]), (2, [0, 1, 0]), (4, [1, -4, 0])):
        x[..., joint, :] = x[..., 1, :] + torch.tensor(offset).double()
    turned = torch.stack([angle.cos(), torch.zeros(9).double(), angle.sin()], -1)
    x[..., 3, :] = x[..., 2, :] + 0.7 * turned
    # An even turn by the shortest way is what the baseline makes: it is returned as it is.
    torch.testing.assert_close(bones(x, ALL[:1, :1], BODY), x)
    other = x.clone()
    other[:, :, 1:-1, 3] = other[:, :, 1:-1, 2] + 0.7 * signals(7, 3, seed=5).double().div(
        signals(7, 3, seed=5).double().norm(dim=-1, keepdim=True)
    )
    torch.testing.assert_close(bones(other, ALL[:1, :1], BODY), x)


def test_a_still_body_stays_as_it_is():
    x = moving()[:, :, :1].expand(-1, -1, 9, -1, -1)
    torch.testing.assert_close(bones(x, ALL, BODY), x, rtol=0, atol=1e-12)


def test_turned_and_moved_with_the_body():
    x, turn = moving(), torch.linalg.qr(signals(3, 3, seed=8).double())[0]
    shift = torch.tensor([1.0, -2.0, 5.0]).double()
    torch.testing.assert_close(bones(x @ turn + shift, ALL, BODY), bones(x, ALL, BODY) @ turn + shift)


def test_opposite_directions_have_no_shortest_way():
    x = torch.zeros(1, 1, 4, 2, 2)
    x[0, 0, :, 1, 0] = torch.tensor([1.0, 1.0, 1.0, -1.0])
    pair = STGraph(["hip", "hand"], [(0, 1)])
    assert bones(x, ALL[:1, :1, :4], pair)[0, 0, :, 1, 0].tolist() == [1, 1, -1, -1]


def test_what_was_not_observed_enters_nothing_and_its_children_follow():
    x, present = moving(), torch.ones(2, 2, 9, 5, dtype=torch.bool)
    present[0, 0, 3, 2] = False  # the elbow for a frame
    present[1, 0, :, 2] = False  # the elbow of another body for the whole clip
    found = bones(x, present, BODY)
    assert torch.equal(bones(torch.where(present[..., None], x, math.pi), present, BODY), found)
    assert (found[~present] == 0).all()
    # A hand whose elbow was never observed has no bone: it goes straight.
    torch.testing.assert_close(found[1, 0, :, 3], interpolation(x, ALL)[1, 0, :, 3])
    # All else is the same body as if nothing were missing.
    complete = bones(x, ALL, BODY)
    torch.testing.assert_close(found[0, 0, :, [0, 1, 4]], complete[0, 0, :, [0, 1, 4]])
    # The hand hangs on an elbow that has the mean length of its bone at the frame where it was not observed.
    upper = (x[0, 0, :, 2] - x[0, 0, :, 1]).norm(dim=-1)
    lower = (x[0, 0, :, 3] - x[0, 0, :, 2]).norm(dim=-1)
    seen = torch.arange(9) != 3
    reach = (found[0, 0, 3, 3] - found[0, 0, 3, 1]).norm()
    both = upper[seen].mean(), lower[seen].mean()
    assert abs(both[0] - both[1]) - 1e-9 <= reach <= both[0] + both[1] + 1e-9


def test_trees_of_named_skeletons_hold_every_joint_once():
    trees = 0
    for name in skeleton_names():
        graph = STGraph.skeleton(name)
        if len(graph.edges) >= len(graph):
            with pytest.raises(InputError, match="circle"):
                skeleton_tree(graph, len(graph))
            continue
        order = skeleton_tree(graph, len(graph))
        trees += 1
        assert sorted(bone.joint for bone in order) == list(range(len(graph)))
        placed = {-1}
        for bone in order:
            assert bone.parent in placed
            placed.add(bone.joint)
        if graph.center is not None:
            assert graph.nodes[order[0].joint] == graph.center
    assert trees >= 3


def test_is_refused_without_a_tree_or_coordinates():
    x = moving()
    with pytest.raises(InputError, match="'bones' needs the graph"):
        bones(x, ALL)
    with pytest.raises(InputError, match="got a graph of 5 nodes; expected 4"):
        bones(x[:, :, :, :4], ALL, BODY)
    ring = STGraph(list("abcde"), [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)])
    with pytest.raises(InputError, match="without cycles; node '[abc]' is on one"):
        bones(x, ALL, ring)
    with pytest.raises(InputError, match="got 4 channels; expected two or three"):
        bones(moving(channels=4), ALL, BODY)


def test_methods_take_it_by_name():
    x = moving()
    explain = Occlusion(torch.nn.Flatten(), window=3, baseline="bones", graph=BODY)
    target = Custom(lambda output: output.square().sum(1))
    values = explain(x, target=target, valid=True).values
    found = as_baseline("bones")(x, ALL, BODY)
    one = x.clone()
    one[:, 0, 3:6, 3] = found[:, 0, 3:6, 3]
    drop = x.square().sum((1, 2, 3, 4)) - one.square().sum((1, 2, 3, 4))
    np.testing.assert_allclose(values[:, 0, 4, 3], drop, rtol=1e-4)
    named = Occlusion(torch.nn.Flatten(), baseline="bones", graph=BODY, channel_names=["x", "y", "confidence"])
    with pytest.raises(InputError, match="got the channels x, y, confidence; expected coordinates"):
        named(x, target=target, valid=True)
