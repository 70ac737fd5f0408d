"""Dilated layers with a stride over clips in which not each frame is changed by itself: right, or unknown."""

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.explainers.model.probe.in_time import doubted, rivals
from stexplain.explainers.model.probe.plan import Change, first_plan, further_plan
from stexplain.explainers.model.probe.time import Timing, timing_of
from tests.explainers.model.probe.timing.test_time_by_enumeration import changed_by

# Frames, kernel, dilation, stride, padding before and behind: each was taken for a layer of another stride or offset.
TAKEN = [
    (23, 6, 3, 4, 7, 0), (20, 4, 5, 4, 7, 0), (24, 2, 7, 3, 4, 2), (21, 8, 2, 4, 3, 1), (19, 4, 6, 2, 9, 0),
    (19, 6, 3, 4, 0, 7), (19, 3, 4, 4, 5, 3), (26, 5, 7, 2, 14, 0), (29, 8, 3, 4, 10, 0), (25, 5, 7, 4, 15, 13),
    (35, 6, 6, 4, 15, 0), (35, 7, 5, 4, 9, 2),
]  # fmt: skip


def measured(frames, kernel, dilation, stride, before, behind, doubt=doubted):
    """As a probe measures it, and what is right: the stride, and the offsets that it may be said to have."""
    view = dilation * (kernel - 1) + 1
    count = (frames + before + behind - view) // stride + 1
    taps = range(-before, view - before, dilation)
    sizes = {"m": 1, "t": frames, "n": 1, "c": 1}
    changes, plan, timing = [], first_plan(sizes), Timing("unknown")
    for _ in range(3):
        changes += [plan.changes[copy] for copy in plan.frame_tests]
        seen = changed_by([one.frames for one in changes], taps, stride, count, frames)
        timing = doubt(timing_of(changes, seen, frames), changes, seen, frames)
        if timing.kind != "unknown":
            break
        plan = further_plan(
            sizes, timing.more_frames, frames_again=True, all_see_all=True, nodes=False, every=timing.every
        )  # fmt: skip
    within = [tap for tap in taps if any(0 <= tap + stride * p < frames for p in range(count))]
    offsets = {0.0 if one[0] < 0 == one[-1] else (one[0] + one[-1]) / 2 for one in (within, taps)}
    return timing, stride, offsets


@pytest.mark.parametrize("layer", TAKEN)
def test_a_layer_that_was_taken_for_another(layer):
    timing, stride, offsets = measured(*layer)
    assert not timing.known or (timing.stride == stride and timing.offset in offsets)


@pytest.mark.parametrize("seed", range(3))
def test_layers_drawn_at_random(seed):
    random, known, before_doubt = np.random.default_rng(seed), 0, 0
    for _ in range(120):
        frames, kernel, dilation = (int(random.integers(*of)) for of in ((17, 65), (2, 10), (1, 9)))
        reach = dilation * (kernel - 1)
        before, behind = (int(random.integers(0, reach + 1)) for _ in range(2))
        stride = int(random.integers(1, 5))
        if (frames + before + behind - reach - 1) // stride < 1:
            continue
        layer = (frames, kernel, dilation, stride, before, behind)
        timing, stride, offsets = measured(*layer)
        if timing.known:
            known += 1
            assert timing.stride == stride, layer
            assert timing.kind in ("causal", "anticausal") or timing.offset in offsets, layer
        plain, *_ = measured(*layer, doubt=lambda timing, *_: timing)
        before_doubt += plain.known and plain.stride == stride and plain.offset in offsets
    # Not by refusing: what was right is still told.
    assert known >= 0.97 * before_doubt > 50


def test_every_layer_is_among_its_rivals():
    changes = [one for one in first_plan({"m": 1, "t": 30, "n": 1, "c": 1}).changes if one.frames]
    # The largest of each; one that begins behind the first frame; one whose last tap is its own frame.
    for kernel, dilation, stride, before in (
        (2, 2, 1, 0), (3, 8, 2, 8), (9, 4, 4, 31), (5, 3, 8, 12), (2, 2, 7, -8), (3, 2, 1, 4),
    ):  # fmt: skip
        taps = range(-before, dilation * (kernel - 1) + 1 - before, dilation)
        sees = changed_by([one.frames for one in changes], taps, stride, 4, 30)
        within = [tap for tap in taps if tap + 3 * stride >= 0]
        offset = 0.0 if within[0] < 0 == within[-1] else (within[0] + within[-1]) / 2
        assert (stride, offset) in set(rivals(changes, sees, 30))


def test_what_no_other_layer_would_do_is_not_doubted():
    changes = [Change(frames=(frame, frame)) for frame in range(20)]
    sees = changed_by([one.frames for one in changes], range(-1, 2), 2, 10, 20)
    found = timing_of(changes, sees, 20)
    assert doubted(found, changes, sees, 20) is found
    unknown = Timing("unknown", why="so")
    assert doubted(unknown, changes, sees, 20) is unknown


@pytest.mark.parametrize(
    ("frames", "stride", "count", "is_doubted"),
    [(64, 2, 8, True), (65, 2, 8, False), (64, 1, 32, True), (64, 1, 33, False), (64, 2, 33, True)],
)
def test_short_clips_and_few_positions_are_doubted(frames, stride, count, is_doubted):
    """What is told has nothing to do with what is seen, of which any other layer would tell."""
    changes = [one for one in first_plan({"m": 1, "t": frames, "n": 1, "c": 1}).changes if one.frames]
    sees = changed_by([one.frames for one in changes], range(-3, 4, 3), 1, count, frames)
    told = Timing("aligned", stride, 40.0, 3, 41)
    found = doubted(told, changes, sees, frames)
    assert (found is told) == (not is_doubted)
    assert (found.kind, found.every) == (("unknown", True) if is_doubted else ("aligned", False))
    anywhere = Timing("global", stride, 0.0, frames)
    assert doubted(anywhere, changes, sees, frames) is anywhere


@pytest.mark.parametrize("layer", TAKEN[:4])
def test_a_network_of_such_a_layer(layer):
    frames, kernel, dilation, stride, before, behind = layer
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.ZeroPad2d((0, 0, before, behind)),
        nn.Conv2d(2, 3, (kernel, 1), stride=(stride, 1), dilation=(dilation, 1)),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2),
    )  # fmt: skip
    row = stx.layers(model, torch.randn(1, 2, frames, 3), inputs="b c t n").set_index("layer").loc["1"]
    _, stride, offsets = measured(*layer)
    assert row.stride is None or np.isnan(row.stride) or (row.stride == stride and row.offset in offsets), row
