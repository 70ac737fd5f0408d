"""One entry of many that does not fit is enough to refuse a call, and without it the same call is made."""

import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods import Motion
from stexplain.explainers.targets import LogOdds, PerSample
from stexplain.intervals.bootstrap import interval
from stexplain.metrics import (
    ClassImportance,
    compare_groups,
    contrastivity,
    deletion_curve,
    effect_agreement,
    faithfulness,
    fidelity,
    masking_curve,
    sensitivity_max,
)
from stexplain.metrics.comparison.permutation import corrected_p_values
from stexplain.metrics.faithfulness import node_sets
from stexplain.metrics.truth.regions import members_of
from tests.metrics.small_batches import batch, linear
from tests.metrics.truth.test_agreement import effect_of

MODEL, BATCH = linear(), batch()
LAST = len(BATCH) - 1
MAPS, SEEN = np.abs(MODEL.contributions(BATCH.x).numpy()), BATCH.valid.numpy()
PSI = np.random.default_rng(0).random((3, 4))
# The class that the model predicts for each sample.
CLASSES = MODEL(BATCH.x).argmax(1).detach().numpy()
SIDES, LABELS = ["a", "b"] * 3, [0, 1] * 3
EFFECT = effect_of([[[10.0, 0.0, 5.0], [4.0, 0.4, 2.0]]])


def but(values, last):
    """The same, but for the last one."""
    return [*values[:-1], last]


def explained(targets):
    return Explanation(MAPS.astype(np.float32), SEEN, ids=BATCH.ids, targets=targets)


def importance(targets, labels, **options):
    found = ClassImportance(["x", "y", "z"], list("abcd"))
    found.update(explained(targets), labels, **options)
    return found


def share(values):
    return compare_groups(Explanation(values, SEEN), SIDES, windows=0, share=True)


ZERO = MAPS * (np.arange(len(MAPS)) != LAST)[:, None, None, None]
OTHER = (CLASSES[LAST] + 1) % 3
ONES = np.ones(6, bool)
CALLS = {
    "a sample explained for another class than is scored": (
        lambda targets: deletion_curve(MODEL, BATCH, explained(targets), steps=2),
        CLASSES,
        but(CLASSES, OTHER),
        f"class {CLASSES[LAST]} for sample {LAST}, which was explained for class {OTHER}",
    ),
    "a label that the model does not know": (
        lambda labels: fidelity(MODEL, BATCH, MAPS, focus="phenomenon", labels=labels),
        CLASSES,
        but(CLASSES, 3),
        "expected classes of the model, 0 to 2",
    ),
    "a share of everything": (lambda share: fidelity(MODEL, BATCH, MAPS, share=share), [0.5, 0.4], [0.5, 1.0], "share"),
    "a share of nothing": (lambda share: fidelity(MODEL, BATCH, MAPS, share=share), [0.5, 0.4], [0.5, 0.0], "share"),
    "a sample without a label": (
        lambda labels: masking_curve(MODEL, BATCH, PSI, nodes=1, labels=labels),
        CLASSES,
        but(CLASSES, -1),
        f"labels: got none for sample {LAST}",
    ),
    "a label beyond the classes": (
        lambda labels: masking_curve(MODEL, BATCH, PSI, nodes=1, labels=labels),
        CLASSES,
        but(CLASSES, 3),
        f"labels: got class 3 at sample {LAST}",
    ),
    "a sample that is explained for no class": (
        lambda targets: importance(targets, CLASSES),
        CLASSES,
        but(CLASSES, -1),
        "for an explanation of no class",
    ),
    "a correct sample that is explained for another class": (
        lambda targets: importance(targets, CLASSES, correct=ONES),
        CLASSES,
        but(CLASSES, OTHER),
        f"got 1 correct samples explained for a class that is not their label, the first at index {LAST}",
    ),
    "a cluster of both groups": (
        lambda clusters: compare_groups(explained(CLASSES), SIDES, clusters=clusters, windows=0),
        list("uvuvwx"),
        list("uvuvww"),
        "'w' has samples of both groups, 'u' of one",
    ),
    "a sample without a group": (
        lambda groups: compare_groups(explained(CLASSES), groups, windows=0),
        SIDES,
        but(SIDES, None),
        f"groups: sample {LAST} has no label",
    ),
    "a sample without shares": (share, MAPS, ZERO, rf"sample {LAST} has an importance of zero throughout"),
    "a masking beyond all": (lambda m: faithfulness(m, [0.9, 0.5, 0.4]), [0.0, 0.5, 1.0], [0.0, 0.5, 1.1], "masking"),
    "a masking below none": (lambda m: faithfulness(m, [0.9, 0.5, 0.4]), [0.0, 0.5, 1.0], [0.0, 0.5, -0.1], "masking"),
    "a node without importance": (
        lambda row: node_sets(row, 1, np.random.default_rng(0)),
        [0.1, 0.2, 0.3],
        [0.1, 0.2, np.nan],
        "importance: got NaN",
    ),
    "a class of infinite importance": (contrastivity, PSI, PSI + np.diag([0, 0, np.inf, 0])[:3], "infinite"),
    "a radius below zero": (
        lambda radius: sensitivity_max(Motion(), BATCH, radius=radius, draws=1),
        [0.1, 0.2],
        [0.1, -0.2],
        "radius",
    ),
    "a p above one": (corrected_p_values, [0.1, 0.9], [0.1, 1.1], "expected p values"),
    "a p below zero": (corrected_p_values, [0.1, 0.9], [0.1, -0.1], "expected p values"),
    "a value beyond its bounds": (
        lambda values: interval(values, bounds=(0, 1)),
        [0.1, 0.5, 0.2, 0.3, 0.9],
        [0.1, 0.5, 0.2, 0.3, 1.9],
        "bounds",
    ),
    "a value below its bounds": (
        lambda values: interval(values, bounds=(0, 1)),
        [0.1, 0.5, 0.2, 0.3, 0.9],
        [0.1, 0.5, 0.2, 0.3, -0.9],
        "bounds",
    ),
    "a probability that is rounded": (
        lambda rows: LogOdds(0)(torch.tensor(rows)),
        [[0.5, 0.5], [0.75, 0.25]],
        [[0.5, 0.5], [1.0, 0.0]],
        "rounds to 1 or 0",
    ),
    "a number of classes that is not that of the targets": (
        lambda classes: PerSample([0, 1]).fixed(classes),
        [0, 1],
        [0, 1, 1],
        "classes: got 3; expected one of each of 2",
    ),
    "a group without nodes": (
        lambda members: members_of({"arm": [0], "leg": members}, ["hand", "foot"], 2),
        ["foot"],
        [],
        "one without nodes",
    ),
    "a value that is no number": (
        lambda values: effect_agreement(np.array(values).reshape(1, 1, 2, 3), EFFECT),
        [0.0, 1.0, 2.0, 0.5, 3.0, 0.2],
        [0.0, 1.0, 2.0, 0.5, 3.0, np.nan],
        "values",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_one_of_many(name):
    call, fits, does_not, words = CALLS[name]
    assert call(fits) is not None
    with pytest.raises(InputError, match=words):
        call(does_not)
