"""What is compared of each sample, by loops: means of what was observed, parts of its course, and their names."""

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.metrics.groups.features import means_by_cluster, node_means, shares, window_means, window_names

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(4, 2, 9, 3))
OBSERVED = RANDOM.random(VALUES.shape) < 0.7
OBSERVED[1, :, :, 2] = OBSERVED[2, :, 7:] = False
E = Explanation(VALUES, np.ones((4, 2, 9), bool), observed=OBSERVED)


@pytest.mark.parametrize("signed", [False, True])
def test_a_node_has_the_mean_of_what_was_observed_of_it(signed):
    found = node_means(E, signed=signed)
    for b, n in np.ndindex(4, 3):
        own = VALUES[b, :, :, n][OBSERVED[b, :, :, n]]
        own = own if signed else np.maximum(own, 0)
        np.testing.assert_allclose(found[b, n], own.mean() if len(own) else np.nan, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("windows", [1, 2, 4, 7])
def test_parts_of_the_course_of_each_sample(windows, signed):
    """Frame i of k is in part floor(i w / k); frames in which nothing was observed are none."""
    found = window_means(E, windows, signed=signed)
    for b in range(4):
        frames = [t for t in range(9) if OBSERVED[b, :, t].any()]
        parts = [[] for _ in range(windows)]
        for number, t in enumerate(frames):
            parts[number * windows // len(frames)] += VALUES[b, :, t][OBSERVED[b, :, t]].tolist()
        expected = [np.mean(part if signed else np.maximum(part, 0)) for part in parts]
        np.testing.assert_allclose(found[b], expected, rtol=1e-5, atol=1e-7)
    with pytest.raises(InputError, match="windows: got 8; sample 2 has 7 frames"):
        window_means(E, 8, signed=signed)
    named = Explanation(VALUES, np.ones((4, 2, 9), bool), observed=OBSERVED, ids=tuple("abcd"))
    with pytest.raises(InputError, match="windows: got 9; sample 'c' has 7 frames"):
        window_means(named, 9, signed=signed)


def timed(time, unit="s", samples=2, missing=False) -> Explanation:
    valid = np.ones((samples, 1, len(time)), bool)
    valid[0, 0, -1] = not missing
    return Explanation(np.ones((samples, 1, len(time), 1)), valid, time=time, time_unit=unit)


@pytest.mark.parametrize(
    ("parts", "windows", "names"),
    [
        ([timed([0.0, 0.5, 1.0, 1.5])], 2, ["0 to 1 s", "1 to 2 s"]),
        # Frames that do not divide evenly: the first part is the longer one.
        ([timed([0.0, 0.5, 1.0])], 2, ["0 to 1 s", "1 to 1.5 s"]),
        ([timed([0.0, 0.5, 1.0])], 3, ["0 to 0.5 s", "0.5 to 1 s", "1 to 1.5 s"]),
        ([timed([-600, -300, 0])], 3, ["10 to 10 min earlier", "5 to 5 min earlier", "0 to 0 min earlier"]),
        ([timed([-900, -600, -300, 0])], 2, ["15 to 10 min earlier", "5 to 0 min earlier"]),
        ([timed([0.0, 0.5, 1.0, 1.5])], 0, []),
        # Of other times, of one frame, of frames that are counted, or with one that is missing: shares.
        ([timed([0.0, 0.5, 1.0]), timed([0.0, 0.5, 1.5])], 2, ["0-50%", "50-100%"]),
        ([timed([0.0, 0.5, 1.0]), timed([0.0, 0.5, 1.0])], 1, ["0 to 1.5 s"]),
        ([timed([0.5])], 1, ["0-100%"]),
        ([timed([0.0, 1.0, 2.0], "frame")], 3, ["0-33%", "33-66%", "66-100%"]),
        ([timed([0.0, 0.5, 1.0], missing=True)], 1, ["0-100%"]),
        ([timed([0.0, 0.5]), timed([0.0, 0.5], missing=True)], 1, ["0-100%"]),
    ],
)
def test_names_of_parts(parts, windows, names):
    assert window_names(parts, windows) == names


def test_shares_are_of_what_there_is_without_a_sign():
    features = np.array([[1.0, -3.0, np.nan], [0.0, 5.0, 0.0]])
    found = shares(features, ["a", "b"])
    np.testing.assert_array_equal(found, [[0.25, -0.75, np.nan], [0.0, 1.0, 0.0]])
    zero = np.array([[1.0, 2.0], [0.0, np.nan], [0.0, 0.0]])
    with pytest.raises(InputError, match="share: sample 'b' has an importance of zero"):
        shares(zero, ["a", "b", "c"])
    with pytest.raises(InputError, match="share: sample 1 has an importance of zero"):
        shares(zero, ["", "", ""])


def test_a_cluster_has_the_mean_of_its_samples_that_have_the_number():
    features = np.array([[1.0, np.nan], [3.0, 4.0], [10.0, np.nan], [5.0, 8.0]])
    found = means_by_cluster(features, np.array([0, 0, 1, 0]))
    np.testing.assert_array_equal(found, [[3.0, 6.0], [10.0, np.nan]])
