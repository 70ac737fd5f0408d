"""Windows that overlap are one independent unit, wherever windows are picked from a series."""

import numpy as np
import pandas as pd
import pytest

from stexplain.bench.claims import paired_test
from stexplain.bench.shared.events import event_groups
from stexplain.data.grouping import window_blocks
from stexplain.data.series import WindowedSeries

SPAN = 24


def chains(starts, span):
    """The windows that are joined by overlaps, found by going through all pairs."""
    groups = list(range(len(starts)))
    for one in range(len(starts)):
        for two in range(len(starts)):
            if abs(int(starts[one]) - int(starts[two])) < span:
                old, new = groups[two], groups[one]
                groups = [new if each == old else each for each in groups]
    return groups


@pytest.mark.parametrize("seed", range(8))
def test_no_window_of_one_block_overlaps_one_of_another_where_runs_are_short(seed):
    random = np.random.default_rng(seed)
    # Up to three windows within less than a span, far from the next.
    centres = np.arange(9) * 70 + random.integers(0, 20, 9)
    starts = random.permutation(np.concatenate([c + random.integers(0, SPAN, random.integers(1, 4)) for c in centres]))
    blocks, words = window_blocks(starts, SPAN)
    expected = chains(starts, SPAN)
    assert words == "9 blocks of 24 frames"
    for one in range(len(starts)):
        for two in range(len(starts)):
            assert (blocks[one] == blocks[two]) == (expected[one] == expected[two])


def test_two_hours_that_overlap_are_one_unit_also_across_the_hour_and_midnight():
    # Eleven days of five minutes; windows of two hours with their horizon.
    time = pd.date_range("2024-05-06", periods=11 * 288, freq="5min")
    starts = np.array([286 + 288 * day for day in range(10)] + [290 + 288 * day for day in range(10)])
    blocks, words = window_blocks(starts, SPAN, time)
    assert words == "10 days"  # each pair lies on both sides of midnight
    assert blocks.tolist() == list(range(10)) * 2
    # Of fewer days: 7:50 and 8:10 overlap, 12:00 does not.
    few, words = window_blocks(np.array([94, 98, 144, 94 + 288]), SPAN, time)
    assert (few.tolist(), words) == ([0, 0, 1, 2], "3 blocks of 24 frames")


def test_a_long_run_is_cut_into_blocks_and_nothing_before_moves_it():
    assert window_blocks(np.arange(60), SPAN)[0].tolist() == [0] * 24 + [1] * 24 + [2] * 12
    assert window_blocks(np.append(np.arange(100, 160), 3), SPAN)[0].tolist() == [1] * 24 + [2] * 24 + [3] * 12 + [0]
    assert window_blocks(np.zeros(0, np.int64), SPAN) == (pytest.approx(np.zeros(0)), "0 blocks of 24 frames")


def test_events_are_grouped_by_what_their_windows_share_also_without_times():
    values = np.random.default_rng(0).random((400, 2, 1)).astype(np.float32)
    series = WindowedSeries(values, window=16, horizon=8)
    explained = [{"window": window, "start": None} for window in (10, 30, 200, 210, 300)]
    # 10 and 30 share frames 30 to 33.
    assert event_groups(series, explained) == ["block 0", "block 0", "block 1", "block 1", "block 2"]


def test_a_test_of_windows_that_overlap_fires_no_more_often_than_it_should():
    """Each window's score is the mean of noise over its frames, so that windows that overlap resemble each other."""
    random, by_block, alone, runs = np.random.default_rng(0), 0, 0, 300
    for run in range(runs):
        noise = random.normal(size=3000)
        centres = np.sort(random.choice(100, 30, replace=False)) * 29
        starts = np.concatenate([centre + np.arange(0, 20, 4) for centre in centres])
        scores = np.array([noise[start : start + SPAN].mean() for start in starts])
        by_block += paired_test("x", scores, window_blocks(starts, SPAN)[0], seed=run)["p"] <= 0.05
        alone += paired_test("x", scores, seed=run)["p"] <= 0.05
    assert by_block / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert alone / runs > 0.2
