"""Copies of explainers, here and in another process, and of what they give and raise."""

import copy
import pickle

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.explainers.methods import EdgeImportance, Occlusion, STGGradCAM
from stexplain.explainers.model.running.finite import NotFiniteError
from stexplain.explainers.targets import Class
from tests.explainers.our_models import batch, small_model


def sent(value):
    return pickle.loads(pickle.dumps(value))


def values(explainer):
    return explainer(batch(8, samples=2), target=Class(1)).values


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, sent])
@pytest.mark.parametrize("kind", [EdgeImportance, Occlusion, STGGradCAM], ids=lambda kind: kind.__name__)
def test_a_copy_of_an_explainer_gives_the_same(kind, copied):
    explainer = kind(small_model())
    expected = values(explainer)
    other = copied(explainer)
    assert (other.model is explainer.model) == (copied is copy.copy)
    np.testing.assert_array_equal(values(other), expected)


@pytest.mark.parametrize("copied", [copy.deepcopy, sent])
def test_an_explainer_whose_block_is_open_is_refused_and_goes_on(copied):
    with Occlusion(small_model()) as explainer:
        expected = values(explainer)
        with pytest.raises(InputError, match=r"^got an Occlusion whose `with` block is open.*before\.$"):
            copied(explainer)
        np.testing.assert_array_equal(values(copy.copy(explainer)), expected)
    np.testing.assert_array_equal(values(copied(explainer)), expected)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, sent])
def test_an_error_of_a_worker_is_as_it_was_raised(copied):
    error = NotFiniteError("the score holds NaN", "It began in 'head' (Linear).")
    other = copied(error)
    assert (str(other), other.problem, other.origin) == (str(error), error.problem, error.origin)
