"""Two groups of explanations: what the parts of a course are called, and what is said of unlike targets."""

import numpy as np
import pytest

from stexplain.explainers.explanation import Explanation
from stexplain.metrics.groups.compare import compare_groups
from stexplain.metrics.groups.features import means_by_cluster
from stexplain.metrics.groups.result import _listed
from stexplain.viz import group_comparison

GROUPS = ["control"] * 4 + ["patient"] * 4


def maps(frames=10, **options):
    values = np.random.default_rng(0).gamma(2, size=(8, 1, frames, 2)).astype(np.float32)
    return Explanation(values, np.ones(values.shape[:3], bool), ("C3", "C4"), **options)


def parts_of(e, windows):
    return compare_groups(e, GROUPS, windows=windows).to_frame().query("kind == 'time'")["name"].tolist()


def test_parts_of_trials_are_named_by_their_times():
    trials = maps(time=np.arange(10) / 20 - 0.1, time_unit="s")
    assert parts_of(trials, 2) == ["-0.1 to 0.15 s", "0.15 to 0.4 s"]
    # Ten frames in three parts: 4, 3 and 3.
    assert parts_of(trials, 3) == ["-0.1 to 0.1 s", "0.1 to 0.25 s", "0.25 to 0.4 s"]


def test_parts_of_windows_are_named_by_how_long_ago_they_were():
    windows = maps(12, time=np.arange(-55, 1, 5) * 60.0, time_unit="s")
    assert parts_of(windows, 3) == ["55 to 40 min earlier", "35 to 20 min earlier", "15 to 0 min earlier"]


@pytest.mark.parametrize("short", [True, False])
def test_parts_are_shares_where_courses_differ_or_frames_are_counted(short):
    e = maps(time=np.arange(10) / 20, time_unit="s") if short else maps()
    if short:
        e.valid[0, :, 7:] = False
        e.values[0, :, 7:] = 0
    assert parts_of(e, 2) == ["0-50%", "50-100%"]


def axis_titles(chart):
    return {part["encoding"]["x"]["title"] for part in chart.to_dict()["vconcat"][-1]["layer"]}


def test_the_chart_says_what_its_course_is_counted_in():
    timed = compare_groups(maps(time=np.arange(10) / 20, time_unit="s"), GROUPS, windows=2)
    assert axis_titles(group_comparison(timed)) == {"time"}
    assert axis_titles(group_comparison(compare_groups(maps(), GROUPS, windows=2))) == {"share of the sample's course"}


def test_groups_that_are_explained_for_different_classes_are_said_to_be():
    targets = np.array([0] * 4 + [1] * 4)
    result = compare_groups(maps(targets=targets, classes=("rest", "task")), GROUPS, windows=0)
    *_, note = result.notes
    assert note.startswith("Samples are explained for different classes (rest, task)")
    assert note in result.sentences()
    assert note in str(result)
    assert "different classes" in str(group_comparison(result).to_dict()["title"])
    alike = compare_groups(maps(targets=targets * 0, classes=("rest", "task")), GROUPS, windows=0).notes
    assert not any("different classes" in note for note in alike)


@pytest.mark.parametrize(("count", "shown"), [(4, "(a, b, c, d)"), (5, "(a, b, c, d, ...)")])
def test_four_of_the_classes_are_named(count, shown):
    targets = np.arange(8) % count
    *_, note = compare_groups(maps(targets=targets, classes=tuple("abcdef")), GROUPS, windows=0).notes
    assert shown in note


def test_the_mean_of_a_cluster_leaves_out_what_is_not_known():
    features = np.array([[1.0, np.nan], [3.0, np.nan], [8.0, 5.0], [np.nan, 7.0], [4.0, 9.0]])
    means = means_by_cluster(features, np.array([0, 0, 1, 1, 1]))
    np.testing.assert_array_equal(means, [[2.0, np.nan], [6.0, 7.0]])


def test_many_names_are_cut_after_eight():
    assert _listed(list("abcdefgh")) == "a, b, c, d, e, f, g, h"
    assert _listed(list("abcdefghi")) == "a, b, c, d, e, f, g, h and 1 more"
    assert _listed(list("abc"), most=1) == "a and 2 more"
