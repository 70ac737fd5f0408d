"""Two groups explained by a network: what is said of whether it is better than guessing."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.metrics.groups.compare import compare_groups
from stexplain.viz import group_comparison

GROUPS = ["control"] * 10 + ["patient"] * 10
LABELS = np.repeat([0, 1], 10)
RIGHT, GUESSED = LABELS.copy(), np.arange(20) % 2


def maps(target="the predicted class", targets=GUESSED, **options):
    """The hand differs between the groups, whatever the network has learned."""
    values = np.random.default_rng(1).gamma(2, size=(20, 1, 8, 2)).astype(np.float32)
    values[10:, ..., 1] += 3
    return Explanation(
        values, np.ones((20, 1, 8), bool), ("hip", "hand"), target=target, targets=np.asarray(targets), **options
    )


def test_differences_of_a_network_at_chance_are_said_to_be_no_more():
    result = compare_groups(maps(), GROUPS, labels=LABELS, windows=0)
    assert result.different()["name"].tolist() == ["hand"]
    assert result.accuracy is not None
    assert (result.accuracy.value, result.accuracy.chance, result.accuracy.better) == (0.5, 0.5, False)
    assert 0 < result.accuracy.low < 0.5 < result.accuracy.high < 1
    said = result.sentences()
    assert said[1].startswith("Balanced accuracy 0.50 (95% interval 0.")
    assert said[1].endswith("), chance level 0.50.")
    note = result.notes[0]
    assert note.startswith("The network is not shown to be better than guessing (balanced accuracy 0.50")
    chart = str(group_comparison(result).to_dict())
    for shown in (repr(result), str(result), result._repr_html_(), " ".join(chart.split())):
        assert "not shown to be better than guessing" in shown
    assert "1 of 2 nodes differs: more at hand." in chart
    attrs = result.to_frame().attrs
    assert attrs["accuracy"]["value"] == 0.5
    assert note in attrs["said"]


def test_the_accuracy_of_a_network_that_has_learned_is_said_without_a_warning():
    result = compare_groups(maps(targets=RIGHT), GROUPS, labels=LABELS, windows=0)
    assert result.sentences()[1].startswith("Balanced accuracy 1.00 (95% interval 0.")
    assert not any("guessing" in note for note in result.notes)
    named = maps(targets=RIGHT, classes=("rest", "task"))
    names = [named.classes[label] for label in LABELS]
    assert compare_groups(named, GROUPS, labels=names, windows=0).accuracy == result.accuracy


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_mean_of_what_is_right_in_each_class(seed):
    random = np.random.default_rng(seed)
    labels, predicted = random.permutation(np.repeat([0, 1, 2], [4, 6, 10])), random.integers(0, 3, 20)
    found = compare_groups(maps("class 1", [1] * 20), GROUPS, labels=labels, predicted=predicted, windows=0).accuracy
    assert found is not None
    assert found.value == pytest.approx(np.mean([(predicted[labels == c] == c).mean() for c in range(3)]))
    assert found.chance == pytest.approx(1 / 3)


def test_its_interval_is_over_clusters():
    clusters = [f"P{number // 4}" for number in range(20)]
    groups = ["control"] * 12 + ["patient"] * 8
    of_clusters = compare_groups(maps(targets=RIGHT * 0), groups, labels=LABELS, clusters=clusters, windows=0).accuracy
    by_sample = compare_groups(maps(targets=RIGHT * 0), groups, labels=LABELS, windows=0).accuracy
    assert of_clusters is not None
    assert by_sample is not None
    assert of_clusters.high - of_clusters.low > 1.5 * (by_sample.high - by_sample.low)
    few = compare_groups(
        maps(targets=RIGHT), GROUPS, labels=LABELS, clusters=[f"P{n // 5}" for n in range(20)], windows=0
    )
    assert few.sentences()[1] == "Balanced accuracy 1.00 (too few groups: 4), chance level 0.50."
    assert "not shown to be better" in few.notes[0]


def test_without_labels_it_is_said_that_accuracy_is_not_known():
    (note,) = compare_groups(maps(targets=[1] * 20), GROUPS, windows=0).notes
    assert note.startswith("Whether the network is better than guessing is not known here: give labels")
    # Forecasts have no chance level among classes.
    assert compare_groups(maps("forecast", [-1] * 20), GROUPS, windows=0).notes == ()
    one_class = compare_groups(maps(targets=[1] * 20), GROUPS, labels=[1] * 20, windows=0)
    assert one_class.accuracy is None
    assert one_class.notes[0].startswith("All labels are of one class")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"labels": LABELS[:3]}, "labels: got 3; expected 20"),
        ({"predicted": GUESSED}, "predicted: got predictions without labels"),
        ({"labels": LABELS, "predicted": GUESSED[:4]}, "predicted: got 4; expected 20"),
        ({"labels": ["a"] * 20}, "labels: got text"),
    ],
)
def test_labels_that_do_not_fit_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        compare_groups(maps(), GROUPS, windows=0, **options)


def test_predictions_are_asked_for_where_another_class_was_explained():
    with pytest.raises(InputError, match="predicted: got none for explanations of class 1; expected"):
        compare_groups(maps("class 1"), GROUPS, labels=LABELS, windows=0)
    result = stx.compare_groups(maps("class 1"), GROUPS, labels=LABELS, predicted=GUESSED, windows=0)
    assert result.accuracy is not None
