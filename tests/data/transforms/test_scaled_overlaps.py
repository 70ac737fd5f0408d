"""Windows that overlap and were scaled one by one are one unit; what resembles by chance is not."""

import warnings

import numpy as np
import pytest

import stexplain as stx

GRAPH = stx.STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])
STARTS = (70, 0, 12, 140, 82)
UNITS = [0, 1, 1, 2, 0]


def recording(seed=0, kind="noise", frames=200):
    random = np.random.default_rng(seed)
    noise = random.normal(size=(frames, 3, 2))
    if kind == "walk":
        return 40 + noise.cumsum(0)
    if kind == "rhythm":
        return 50 + 20 * np.sin(np.arange(frames) / 8)[:, None, None] + noise
    return noise


def cut(values, starts, scale, length=24):
    return [scale(values[start : start + length])[None].astype(np.float32) for start in starts]


def by_node(one):
    return (one - one.mean(0)) / one.std(0)


def whole(one):
    return (one - one.mean()) / one.std()


def in_range(one):
    return (one - one.min(0)) / np.ptp(one, axis=0)


def in_32_bits(one):
    return by_node(one.astype(np.float32))


def unscaled(one):
    return one


def units(x):
    groups = stx.Clips.from_arrays(x, graph=GRAPH).groups.tolist()
    return [list(dict.fromkeys(groups)).index(one) for one in groups]


@pytest.mark.parametrize("scale", [by_node, whole, in_range, in_32_bits, lambda one: one - one.mean(0)])
@pytest.mark.parametrize("kind", ["noise", "walk", "rhythm"])
def test_windows_scaled_one_by_one_are_one_unit_where_they_overlap(scale, kind):
    with pytest.warns(UserWarning, match=r"some of 5 clips.*scaled one by one.* 3 in all"):
        assert units(cut(recording(kind=kind), STARTS, scale)) == UNITS


def test_a_long_run_of_them_is_cut_into_blocks_as_windows_are():
    starts = range(0, 96, 8)
    with pytest.warns(UserWarning, match="scaled one by one"):
        found = units(cut(recording(), starts, by_node))
    with pytest.warns(UserWarning, match="digit by digit"):
        assert found == units(cut(recording(), starts, unscaled))


@pytest.mark.parametrize("scale", [by_node, whole, in_range])
@pytest.mark.parametrize("kind", ["noise", "walk", "rhythm"])
def test_independent_recordings_stay_alone(scale, kind):
    x = [cut(recording(seed, kind), (50,), scale)[0] for seed in range(60)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert units(x) == list(range(60))


def test_curves_that_resemble_by_their_kind_stay_alone():
    t, random = np.arange(24.0)[:, None, None], np.random.default_rng(0)
    some = random.uniform(0.5, 2, (8, 1, 3, 2))
    kinds = [
        [one * t + one for one in some],
        [np.exp(-t / 9) * one for one in some],
        [np.sin(2 * np.pi * (t + 3 * number) / 6) * one for number, one in enumerate(some)],
        [1e4 * one + t * one + 1e-4 * random.normal(size=(24, 3, 2)) for one in some],
        list(random.integers(0, 2, (200, 24, 3, 2))),
        list(random.integers(0, 3, (200, 24, 3, 1)).repeat(2, 3)),
        [np.r_[np.zeros((8, 3, 2)), random.normal(size=(8, 3, 2)), np.zeros((8, 3, 2))] for _ in range(20)],
    ]
    for clips in kinds:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert units([by_node(one + 0.0)[None] for one in clips if (one.std(0) > 0).all()]) == list(
                range(sum((one.std(0) > 0).all() for one in clips))
            )
    # Copies as a whole are no windows, end to end is no overlap, and four frames are too few to be sure.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert units([*cut(recording(), (30, 30), by_node), *cut(recording(), (30,), whole)]) == [0, 1, 2]
        assert units(cut(recording(), (0, 24, 44), by_node)) == [0, 1, 2]
