"""The margin of a class over all others: log-odds, of any output of a classifier."""

import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers import Class, Custom, Predicted
from stexplain.explainers.target import OutputInfo
from stexplain.metrics.truth.margin import MarginOverOthers

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], dtype=torch.float64)
ODDS = (LOGITS.softmax(1) / (1 - LOGITS.softmax(1))).log()


@pytest.mark.parametrize("output", [LOGITS, LOGITS + 7, LOGITS.softmax(1), LOGITS.log_softmax(1)])
def test_logits_and_probabilities_have_one_margin(output):
    for of, classes in ((Class(2), [2, 2]), (Class([1, 0]), [1, 0]), (Predicted(), [0, 1])):
        found = MarginOverOthers(of).score(output)
        expected = ODDS[[0, 1], classes]
        torch.testing.assert_close(found.scores, expected)
        assert found.classes.tolist() == classes


def test_classes_by_name():
    info = OutputInfo(classes=("throw", "kick", "clap"))
    for output in (LOGITS, LOGITS.softmax(1)):
        torch.testing.assert_close(MarginOverOthers(Class("kick")).score(output, info).scores, ODDS[:, 1])


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_a_single_logit_is_its_own_margin(shape):
    logit = torch.tensor([1.5, -2.0, 0.25]).reshape(shape)
    assert MarginOverOthers(Class(1)).score(logit).scores.tolist() == [1.5, -2.0, 0.25]
    assert MarginOverOthers(Class(0)).score(logit).scores.tolist() == [-1.5, 2.0, -0.25]
    found = MarginOverOthers(Predicted()).score(logit)
    assert (found.scores.tolist(), found.classes.tolist()) == ([1.5, 2.0, 0.25], [1, 0, 1])


def test_whole_numbers_are_logits_too():
    found = MarginOverOthers(Class(0)).score(torch.tensor([[3, 1, 1]]))
    torch.testing.assert_close(found.scores, torch.tensor([3.0 - torch.tensor(2.0).log() - 1.0]))


def test_the_class_can_be_fixed_and_it_says_what_it_is():
    fixed = MarginOverOthers(Predicted()).fixed([2, 0])
    assert isinstance(fixed, MarginOverOthers)
    torch.testing.assert_close(fixed.score(LOGITS).scores, ODDS[[0, 1], [2, 0]])
    assert MarginOverOthers(Class(2)).text() == "the margin of class 2 over all others"
    assert MarginOverOthers(Predicted()).text() == "the margin of the predicted class over all others"
    assert MarginOverOthers.linear is False


@pytest.mark.parametrize("wrong", [2, "kick", Custom(lambda output: output[:, 0])])
def test_it_is_of_a_class(wrong):
    with pytest.raises(InputError, match="of: got"):
        MarginOverOthers(wrong)
