"""What may lie below zero, such as a score, does so with its interval; what cannot, such as a size, does not."""

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.metrics import complexity_score, fidelity_score, localisation_score
from stexplain.metrics.deletion import DeletionCurve
from tests.metrics.small_batches import linear

RANDOM = np.random.default_rng(0)
STEPS, IDS = np.array([0.0, 0.5, 1.0]), tuple("abcdefgh")
SCORES = RANDOM.normal(size=(3, 8)) - np.array([[4.0], [5.0], [6.0]])
CURVE = DeletionCurve("deletion", "nodes", "zero", STEPS, SCORES, SCORES[:, None] + 0.5, IDS, "m", "class 0")


def test_a_curve_of_scores_below_zero_has_intervals_below_zero():
    table = CURVE.to_frame("score")
    assert (table["high"] < 0).all()
    assert (table["low"] < table["value"]).all()
    assert CURVE.area(measure="score").high < 0


def test_a_curve_of_sizes_of_change_has_none():
    table = CURVE.to_frame("change").query("share > 0")
    assert (table["low"] >= 0).all()
    assert (table["low"] < table["value"]).all()
    assert (CURVE.to_frame("change").query("share == 0 and set == 'explained'")["low"] == 0).all()


MODEL = linear()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: localisation_score("nods"), "over.*'nods'.*Did you mean 'nodes'"),
        (lambda: localisation_score("nodes", "auroq"), "score.*'auroq'.*Did you mean 'auroc'"),
        (lambda: complexity_score("ginni"), "score.*'ginni'.*Did you mean 'gini'"),
        (lambda: fidelity_score(MODEL, "minos"), "side.*'minos'.*Did you mean 'minus'"),
        (lambda: CURVE.to_frame("chang"), "measure.*'chang'.*Did you mean 'change'"),
        (lambda: CURVE.areas("randm"), "set.*'randm'.*Did you mean 'random'"),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_the_nearest(make, words):
    with pytest.raises(InputError, match=words):
        make()
