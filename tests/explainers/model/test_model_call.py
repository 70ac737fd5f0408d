"""An explanation remembers how its model was called."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.explainers.joined import joined
from stexplain.explainers.methods import Random
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.targets import Class
from stexplain.graph import STGraph
from tests.explainers.small_models import signals


class OfTheDay(nn.Module):
    """x ``[B, T, N]``, weighted by a number per sample and an offset for all."""

    def forward(self, x, day, offset):
        return (x * day[:, None, None] + offset).sum(1)


OFFSET = torch.tensor(2.0)


def explained(rows, **options):
    explain = InputGradient(OfTheDay(), inputs="b t n", **options)
    arguments = {"shared": {"offset": OFFSET}, "per_sample": {"day": torch.arange(1.0, 6)[rows]}}
    x = signals(5, 4, 3)[rows]
    return explain(x, target=Class(1), valid=torch.ones(len(x), 1, 4, dtype=torch.bool), **arguments)


@pytest.mark.parametrize("chunk", [None, 2])
def test_a_call_is_remembered_as_it_was_made(chunk):
    call = explained(slice(0, 5), chunk=chunk).call
    assert call.options["inputs"] == "b t n"
    assert call.options["chunk"] == chunk
    assert call.shared["offset"] is OFFSET
    assert call.per_sample["day"].tolist() == [1, 2, 3, 4, 5]
    assert call.valid.shape == (5, 1, 4)
    again = InputGradient(OfTheDay(), **call.options)(
        signals(5, 4, 3), target=Class(1), valid=call.valid, shared=call.shared, per_sample=call.per_sample
    )
    np.testing.assert_array_equal(again.values, explained(slice(0, 5)).values)


@pytest.mark.parametrize("rows", [slice(1, 4), slice(None, None, -1), np.array([True, False, True, False, False]), 3])
def test_rows_of_an_explanation_keep_their_own_arguments(rows):
    e = explained(slice(0, 5))
    expected = np.atleast_1d(np.arange(1.0, 6)[rows])
    assert e[rows].call.per_sample["day"].tolist() == expected.tolist()
    assert len(e[rows].call.valid) == len(expected)


def test_joined_parts_of_one_kind_keep_their_call():
    parts = [explained(slice(0, 2)), explained(slice(2, 5))]
    call = joined(parts).call
    assert call.per_sample["day"].tolist() == [1, 2, 3, 4, 5]
    assert call.valid.shape == (5, 1, 4)
    # Called unlike: there is no one call that made both.
    assert joined([explained(slice(0, 2)), explained(slice(2, 5), chunk=1)]).call is None


@pytest.mark.parametrize(("classes", "expected"), [(None, None), ([], ()), (["a", "b"], ("a", "b"))])
def test_classes_that_are_not_given_are_asked_of_the_samples_of_the_next_caller(classes, expected):
    """None at all says that there are no names, whatever the samples say."""
    assert InputGradient(nn.Identity(), classes=classes).options["classes"] == expected


def test_a_layout_that_was_found_is_that_of_the_last_input_and_none_before_there_was_one():
    graph = STGraph.from_adjacency(np.ones((5, 5)) - np.eye(5))
    explain = InputGradient(nn.Sequential(nn.Conv2d(2, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()), graph=graph)
    assert explain.options["inputs"] is None
    explain(signals(2, 2, 6, 5), target=Class(1))
    assert explain.options["inputs"] == "b c t n"


def test_what_was_made_without_a_model_was_not_called():
    assert Random(inputs="b t n")(signals(2, 4, 3)).call is None


def test_a_file_holds_no_call(tmp_path):
    e = explained(slice(0, 5))
    e.save(tmp_path / "e.nc")
    assert type(e).load(tmp_path / "e.nc").call is None
