import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explain.targets import Class, Custom, Margin, Predicted, as_target

OUTPUT = torch.tensor([[1.0, 5.0, 2.0], [7.0, 3.0, 4.0]])
NAMES = ["throw", "kick", "clap"]


@pytest.mark.parametrize(
    ("target", "scores", "classes"),
    [
        (Class(2), [2.0, 4.0], [2, 2]),
        (Class([1, 0]), [5.0, 7.0], [1, 0]),
        (Class(np.array([1, 0])), [5.0, 7.0], [1, 0]),
        (Class(torch.tensor([1, 0])), [5.0, 7.0], [1, 0]),
        (Class("kick"), [5.0, 3.0], [1, 1]),
        (Class(["clap", 0]), [2.0, 7.0], [2, 0]),
        (Predicted(), [5.0, 7.0], [1, 0]),
        (Margin("kick", 0), [4.0, -4.0], [1, 1]),
        (Custom(lambda output: output.sum(1)), [8.0, 14.0], [-1, -1]),
    ],
)
def test_scores_and_classes(target, scores, classes):
    found = target.score(OUTPUT, names=NAMES)
    assert found.scores.tolist() == scores
    assert found.classes.tolist() == classes


def test_a_part_of_a_batch_gets_its_own_classes():
    found = Class([0, 1, 2, 1]).score(OUTPUT, rows=slice(2, 4), samples=4)
    assert found.classes.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Class(3), "no class 3.*0 to 2"),
        (Class(-1), "no class -1"),
        (Class("thrw"), "Did you mean 'throw'"),
        (Class([0]), "1 classes for 2 samples"),
        (Margin(0, "kik"), "Did you mean 'kick'"),
        (Custom(lambda output: output), r"gave \(2, 3\).*\(2,\)"),
        (Custom(lambda output: 1.0), "gave float"),
    ],
)
def test_what_does_not_fit_is_named(target, words):
    with pytest.raises(InputError, match=words):
        target.score(OUTPUT, names=NAMES)


def test_a_name_without_names_and_an_output_without_classes():
    with pytest.raises(InputError, match="names no classes"):
        Class("throw")(OUTPUT)
    with pytest.raises(InputError, match=r"\[samples, classes\]"):
        Predicted()(OUTPUT[None])


@pytest.mark.parametrize(("wrong", "words"), [(6, "target is 6"), (Predicted, r"Predicted\(\.\.\.\)")])
def test_what_is_no_target(wrong, words):
    with pytest.raises(InputError, match=words):
        as_target(wrong)
