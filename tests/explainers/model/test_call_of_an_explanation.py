"""How a model was called, cut to some samples and joined: what differs in more than its samples is not joined."""

import numpy as np
import pytest
import torch

from stexplain.explainers.model.options import ModelCall

SHARED = {"road": torch.eye(3)}


def call(*rows, **other):
    """Of samples by their numbers."""
    given = {
        "options": {"inputs": "b t n"},
        "valid": np.array([[[row % 2 == 0]] for row in rows]),
        "observed": torch.tensor([[[[row > 1]]] for row in rows]),
        "per_sample": {"day": torch.tensor(rows), "name": [f"s{row}" for row in rows]},
        "shared": SHARED,
    }
    return ModelCall(**{**given, **other})


def same(one, other):
    for name in ("valid", "observed"):
        assert type(getattr(one, name)) is type(getattr(other, name))
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert one.per_sample["day"].tolist() == other.per_sample["day"].tolist()
    assert list(one.per_sample["name"]) == list(other.per_sample["name"])
    assert one.shared is other.shared
    assert one.options == other.options


@pytest.mark.parametrize("rows", [[1], [3, 0], [2, 2, 1]])
def test_some_of_the_samples(rows):
    same(call(0, 1, 2, 3).rows(np.array(rows)), call(*rows))
    same(call(0, 1, 2).rows(np.array([0, 1, 2])[::-1]), call(2, 1, 0))


def test_calls_of_more_samples():
    same(ModelCall.joined([call(0, 1), call(2), call(3, 0)]), call(0, 1, 2, 3, 0))
    one = call(0)
    assert ModelCall.joined([one]) is one
    # A mask for all samples, or none, is that of all.
    every = ModelCall.joined([call(0, valid=True, observed=None), call(1, valid=True, observed=None)])
    assert (every.valid, every.observed) == (True, None)
    assert ModelCall(valid=True).rows(np.array([0])).valid is True


@pytest.mark.parametrize(
    "other",
    [
        {"options": {"inputs": "b n t"}},
        {"stream": "bone"},
        {"shared": {}},
        {"shared": {"road": torch.eye(3)}},
        {"per_sample": {"day": torch.tensor([1])}},
        {"valid": None},
        {"observed": np.array([[[[True]]]])},
    ],
)
def test_calls_that_differ_are_not_joined(other):
    """Also where arguments are alike, but not the same: equality of tensors is no single truth."""
    assert ModelCall.joined([call(0), call(1, **other)]) is None
    assert ModelCall.joined([call(1, **other), call(0)]) is None


def test_what_was_called_otherwise_is_not_joined():
    assert ModelCall.joined([None, call(0)]) is None
    assert ModelCall.joined([call(0), None]) is None
    assert ModelCall.joined([None, None]) is None
