"""Labels of samples: which class is which is known, or refused, wherever they enter."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.checking.labels import class_labels
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph

PATH = STGraph.from_edges("abcd", [("a", "b"), ("b", "c"), ("c", "d")])
X = np.random.default_rng(0).normal(size=(6, 1, 8, 4, 2)).astype(np.float32)
TEN = [str(number) for number in range(10)]
# Of classes 3 and 7, as whole numbers of any type.
NUMBERS = {
    "integers": [3, 7] * 3,
    "floats": [3.0, 7.0] * 3,
    "array": np.array([3, 7] * 3, np.int16),
    "tensor": torch.tensor([3, 7] * 3),
    "tensor of floats": torch.tensor([3.0, 7.0] * 3),
    "column": pd.Series([3, 7] * 3),
    "column of objects": pd.Series([3, 7.0] * 3, dtype=object),
}
WRONG = {
    "fraction": ([3.7, 7] * 3, "got 3.7 at sample 0; expected the number of a class"),
    "missing": ([3, np.nan] * 3, "got nan at sample 1; expected the number of a class"),
    "none": ([3, None] * 3, "got None at sample 1; expected the number or the name"),
    "infinite": ([np.inf, 3] * 3, "got inf at sample 0"),
    "text": (["walk", "7"] * 3, r"unknown class \(in labels\) 'walk'"),
    "booleans": ([True, False] * 3, "got booleans for 10 classes"),
    "booleans among numbers": (pd.Series([True, 7] * 3, dtype=object), "got True at sample 0"),
    "text among numbers": ([3, "7"] * 3, "expected the number or the name of each sample's class"),
    "too large": ([3, 10] * 3, "got class 10 at sample 1; expected 0 to 9"),
    "too small": ([3, -2] * 3, "got class -2 at sample 1; expected 0 to 9"),
    "one-hot": (np.eye(10)[[3, 7] * 3], r"got shape \(6, 10\); expected \[B\].*labels.argmax\(1\)"),
}


def model(outputs=10):
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 6, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, outputs)]
    return nn.Sequential(*layers).eval()


def tensor():
    return torch.tensor(X[:, 0]).permute(0, 3, 1, 2)


def of_clips(labels):
    return stx.data.Clips.from_arrays(X, labels, graph=PATH, classes=TEN).labels.tolist()


def of_importance(labels):
    """Samples that are counted, each explained for the class that it is said to have."""
    explanation = stx.explain(model(), tensor(), target=torch.tensor([3, 7] * 3), method="InputGradient", graph=PATH)
    importance = stx.metrics.ClassImportance(TEN, list("abcd"))
    importance.update(explanation, labels)
    return [3, 7] * 3 if importance.counts.tolist() == [0, 0, 0, 3, 0, 0, 0, 3, 0, 0] else importance.counts.tolist()


def of_masking(labels):
    """Which class each sample was compared with: the one whose curve is as with whole numbers."""
    psi, options = np.random.default_rng(0).random((10, 4)), {"nodes": 2, "graph": PATH, "classes": TEN}
    curves = [
        stx.metrics.masking_curve(model(), [tensor()], psi, labels=each, **options) for each in (labels, [3, 7] * 3)
    ]
    same = all(np.array_equal(curves[0].correct[which], each) for which, each in curves[1].correct.items())
    return [3, 7] * 3 if same else None


def of_fidelity(labels):
    e = stx.explain(model(), tensor(), method="InputGradient", graph=PATH)
    found = [
        stx.metrics.fidelity(model(), tensor(), e, labels=each, focus="phenomenon", classes=TEN)
        for each in (labels, [3, 7] * 3)
    ]
    same = np.array_equal(found[0].scores["plus"]["probability"], found[1].scores["plus"]["probability"])
    return [3, 7] * 3 if same else None


ENTRANCES = [of_clips, of_importance, of_masking, of_fidelity]


@pytest.fixture(params=ENTRANCES, ids=lambda entrance: entrance.__name__)
def entrance(request):
    return request.param


@pytest.mark.parametrize("kind", NUMBERS)
def test_whole_numbers_are_classes_by_their_index(entrance, kind):
    assert entrance(NUMBERS[kind]) == [3, 7] * 3


def test_text_is_the_name_of_a_class(entrance):
    assert entrance(["3", "7"] * 3) == [3, 7] * 3


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_class_is_refused(entrance, case):
    labels, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        entrance(labels)


def test_booleans_are_refused_where_the_model_alone_knows_how_many_classes():
    e, labels = stx.explain(model(), tensor(), method="InputGradient", graph=PATH), [True, False] * 3
    with pytest.raises(InputError, match="got booleans for 10 classes"):
        stx.metrics.fidelity(model(), tensor(), e, labels=labels, focus="phenomenon")
    with pytest.raises(InputError, match="got booleans for 10 classes"):
        stx.metrics.masking_curve(model(), [tensor()], np.ones((10, 4)), labels=labels, nodes=2, graph=PATH)


def test_names_that_read_as_numbers_are_names():
    turned = stx.data.Clips.from_arrays(X, ["0", "1"] * 3, graph=PATH, classes=["1", "0"])
    assert turned.labels.tolist() == [1, 0] * 3
    with pytest.raises(InputError, match=r"got text, such as '3', and no names of classes.*classes="):
        stx.data.Clips.from_arrays(X, ["3", "7"] * 3, graph=PATH)


def test_a_subset_of_a_models_classes_is_by_number_or_refused():
    by_number = stx.data.Clips.from_arrays(X, [3, 7] * 3, graph=PATH, classes=TEN).batch(range(6))
    e = stx.explain(model(), by_number, target=by_number.label, method="InputGradient", inputs="b c t n")
    assert e.targets.tolist() == [3, 7] * 3
    # Two classes of another numbering: 0 would be the model's class 0, not 3.
    renamed = stx.data.Clips.from_arrays(X, ["3", "7"] * 3, graph=PATH, classes=["3", "7"]).batch(range(6))
    for target in ("7", 1, renamed.label):
        with pytest.raises(InputError, match="got 2 names of classes for 10 outputs of the model"):
            stx.explain(model(), renamed, target=target, method="InputGradient", inputs="b c t n")


@pytest.mark.parametrize("labels", [[True, False], np.array([True, False]), torch.tensor([True, False])])
def test_booleans_are_the_classes_of_two(labels):
    assert class_labels("labels", labels).tolist() == [1, 0]
    assert class_labels("labels", labels, ["no", "yes"]).tolist() == [1, 0]


@pytest.mark.parametrize("label", [1.0, 1.5, True, "3", None, np.bool_(True), float("nan")])
def test_the_label_of_a_sample_is_a_number(label):
    with pytest.raises(InputError, match="label: got .*; expected the number of a class, or -1 for none"):
        stx.data.Sample(X[0], np.ones((1, 8), bool), label=label)
    for whole in (3, np.int64(3), torch.tensor(3), -1):
        stx.data.Sample(X[0], np.ones((1, 8), bool), label=whole)


def trusted(outputs, labels, **options):
    x = torch.randn(12, 2, 8, 4, generator=torch.Generator().manual_seed(0))
    return stx.trust(
        model(outputs), "InputGradient", x, labels=labels, graph=PATH, copies=3, draws=1, steps=4, **options
    )


def test_trust_knows_classes_from_values():
    for labels, message in (
        ([True, False] * 6, "got booleans for 10 classes"),
        ([3, 12] * 6, r"got class 12 at sample 1; expected 0 to 9"),
        ([3.0, 7.0] * 6, "whole numbers: labels.astype|10 outputs"),
        (["3", "7"] * 6, "the model has no class names"),
    ):
        with pytest.raises(InputError, match=message):
            trusted(10, labels)
    with pytest.raises(InputError, match=r"nothing but 0 and 1 as floats.*astype\(int\).*target=Output\(\)"):
        trusted(1, [0.0, 1.0] * 6)
    assert "accuracy" in trusted(1, [True, False] * 6)["accuracy"].sentence.lower()
    assert "absolute error" in trusted(1, [0.0, 1.0] * 6, target=stx.Output())["accuracy"].sentence.lower()


def recordings(folder, **arrays):
    np.savez(folder / "clips.npz", x=np.random.default_rng(0).normal(size=(4, 8, 17, 2)), **arrays)
    return folder / "clips.npz"


@pytest.mark.parametrize("y", [np.array([3, 7, 3, 7]), np.array([3.0, 7, 3, 7]), np.eye(10)[[3, 7, 3, 7]]])
def test_classes_of_an_array_are_named_by_their_numbers(tmp_path, y):
    path = recordings(tmp_path, y=y)
    clips = stx.load_skeletons(path, graph="coco-17")
    assert clips.classes == ["3", "7"]
    assert clips.labels.tolist() == [0, 1, 0, 1]
    # With the names of all classes a number is an index.
    names = [f"action {number}" for number in range(10)]
    assert stx.load_skeletons(path, graph="coco-17", classes=names).labels.tolist() == [3, 7, 3, 7]


def test_labels_of_a_table_that_became_floats_or_are_missing(tmp_path):
    path = recordings(tmp_path)
    table = pd.DataFrame({"file": ["0", "1", "2", "3"], "label": [3.0, 7.0, 3.0, 7.0]})
    assert stx.load_skeletons(path, graph="coco-17", labels=table).classes == ["3", "7"]
    assert stx.load_skeletons(path, graph="coco-17", labels=dict(zip("0123", [3.0, 7] * 2, strict=True))).classes == [
        "3",
        "7",
    ]
    table.loc[2, "label"] = np.nan
    with pytest.raises(DataError, match="'2' has no label"):
        stx.load_skeletons(path, graph="coco-17", labels=table)
    with pytest.raises(DataError, match="'2' has no label"):
        stx.load_skeletons(path, graph="coco-17", labels={"0": 1, "1": 2, "2": None, "3": 1})


def test_labels_of_regions_that_became_floats_or_are_missing(tmp_path):
    np.savez(tmp_path / "runs.npz", x=np.random.default_rng(0).normal(size=(4, 30, 3)))
    options = {"graph": STGraph.from_edges(["0", "1", "2"], [("0", "1"), ("1", "2")])}
    clips = stx.load_regions(tmp_path / "runs.npz", labels=[3.0, 7, 3, np.nan], **options)
    assert clips.classes == ["3", "7"]
    assert clips.labels.tolist() == [0, 1, 0, -1]
