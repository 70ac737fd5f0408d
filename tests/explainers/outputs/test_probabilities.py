"""What is read as logits and looks like probabilities is said, and nothing else is."""

import pytest
import torch

from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.outputs.probabilities import is_probability, notes_of_probabilities


def notes(raw, which=None, samples=3):
    return notes_of_probabilities(ModelOutput(raw, samples, which=which))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0.2, 0.8], True),
        ([1.0, 0.0], True),
        ([0.2, 0.80009], True),
        ([0.2, 0.80011], False),
        ([0.2, 0.79991], True),
        ([0.2, 0.79989], False),
        ([-0.1, 1.1], False),
        ([1.0], False),
    ],
)
def test_rows_that_sum_to_one_to_four_digits_and_have_nothing_below_zero(row, expected):
    """A single column of ones is no share of anything."""
    rows = torch.tensor([row], dtype=torch.float64)
    assert is_probability(rows) == expected
    # One row that is not tells of all.
    assert is_probability(torch.cat([torch.eye(len(row), dtype=torch.float64)[:1], rows])) == expected


def test_probabilities_and_their_logarithms_are_said():
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0], [3.0, 3.0, 3.0]])
    assert notes(logits) == ()
    for shares in (logits.softmax(1), logits.log_softmax(1)):
        (note,) = notes(shares)
        assert "gives probabilities, or their logarithms" in note


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_single_outputs_between_0_and_1_may_be_probabilities(shape):
    (note,) = notes(torch.tensor([0.0, 0.4, 1.0]).view(shape))
    assert "between 0 and 1" in note
    assert notes(torch.tensor([0.0, 0.4, 1.01]).view(shape)) == ()
    assert notes(torch.tensor([-0.01, 0.4, 1.0]).view(shape)) == ()


def test_several_outputs_between_0_and_1_that_are_no_shares_are_not_said():
    assert notes(torch.full((3, 2), 0.3)) == ()
    assert notes(torch.full((3, 2, 2), 0.5)) == ()


def test_a_tuple_of_rows_of_other_widths_is_said_where_nobody_chose():
    first, other = torch.full((3, 2), 3.0), torch.zeros(3, 5)
    for raw in ((first, other), [first, other]):
        (note,) = notes(raw)
        assert "its first was read" in note
        assert notes(raw, which=0) == ()
    assert notes({"logits": first, "other": other}) == ()
    # As wide, of another number of samples, of three axes, or of whole numbers: none may be meant in its place.
    for beside in (first + 1, torch.zeros(4, 5), torch.zeros(3, 5, 2), torch.zeros(3, 5, dtype=torch.int64)):
        assert notes((first, beside)) == ()
    # Of some as wide and some not, one may be meant.
    assert len(notes((first, first + 1, other))) == 1
    # Beside single outputs there are no rows to be mistaken for.
    assert notes((torch.full((3,), 3.0), other)) == ()
