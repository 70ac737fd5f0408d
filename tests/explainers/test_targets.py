import numpy as np
import pytest
import torch

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.targets import (
    Class,
    Custom,
    Forecast,
    Margin,
    OutputInfo,
    PerSample,
    Predicted,
    as_target,
    as_targets,
)

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
    result = target.score(OUTPUT, OutputInfo(classes=tuple(NAMES)))
    assert result.scores.tolist() == scores
    assert result.classes.tolist() == classes


def test_the_predicted_class_is_fixed_to_the_classes_that_are_given_and_is_itself_where_there_are_none():
    predicted = Predicted()
    assert predicted.fixed(-1) is predicted
    fixed = [predicted.fixed(classes).score(OUTPUT).classes.tolist() for classes in (0, 1, 2, [2, 1])]
    assert fixed == [[0, 0], [1, 1], [2, 2], [2, 1]]


def test_a_part_of_a_batch_gets_its_own_classes():
    result = Class([0, 1, 2, 1]).score(OUTPUT, OutputInfo(rows=slice(2, 4), samples=4))
    assert result.classes.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Class(3), "no class 3.*0 to 2"),
        (Class(-1), "no class -1"),
        (Class("thrw"), "Did you mean 'throw'"),
        (Class([0]), "1 classes for 2 samples"),
        (Margin(0, "kik"), "Did you mean 'kick'"),
        (Custom(lambda output: output), r"returned \(2, 3\).*\(2,\)"),
        (Custom(lambda output: 1.0), "returned float"),
    ],
)
def test_what_does_not_fit_is_named(target, words):
    with pytest.raises(InputError, match=words):
        target.score(OUTPUT, OutputInfo(classes=tuple(NAMES)))


def test_a_name_without_names_and_an_output_without_classes():
    with pytest.raises(InputError, match="has no class names"):
        Class("throw")(OUTPUT)
    with pytest.raises(InputError, match=r"\[samples, classes\]"):
        Predicted()(OUTPUT[None])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (6.5, "target: got 6.5; expected a class, by index or name"),
        (True, "target: got True"),
        (torch.tensor([0.5]), "target: got float32 of shape \\(1,\\); expected indices of classes"),
        (np.zeros((2, 2), int), "of shape \\(2, 2\\); expected indices of classes"),
        (Predicted, r"Predicted\(\.\.\.\)"),
    ],
)
def test_what_is_no_target(wrong, words):
    with pytest.raises(InputError, match=words):
        as_target(wrong)


# Two samples, two steps ahead, three nodes, two channels; values number the positions.
STEPS = torch.arange(24.0).view(2, 2, 3, 2)
INFO = OutputInfo(nodes=("a", "b", "c"), groups={"ends": ("a", "c")}, layout=Layout("b t n c"))


@pytest.mark.parametrize(
    ("target", "scores"),
    [
        (Forecast("b", 1, 0), [2.0, 14.0]),
        (Forecast(1, 2, 1), [9.0, 21.0]),
        (Forecast("ends", 1, 0), [0.0 + 4.0, 12.0 + 16.0]),
        (Forecast(["b", 2], [1, 2], 0), [2.0 + 4.0 + 8.0 + 10.0, 14.0 + 16.0 + 20.0 + 22.0]),
        (Forecast("b", 1, 0, minus=[1.0, 2.0]), [1.0, 12.0]),
        (Forecast("b", 1, 0, minus=STEPS + 5), [-5.0, -5.0]),
        (PerSample([Forecast("b", 1, 0), Forecast("c", 2, 0)]), [2.0, 22.0]),
    ],
)
def test_forecasts(target, scores):
    result = target.score(STEPS, INFO)
    assert result.scores.tolist() == scores
    assert result.classes.tolist() == [-1, -1]


def test_a_forecast_reads_any_layout():
    moved = STEPS.permute(0, 3, 2, 1)
    assert Forecast(1, 2, 1, layout="b c n t")(moved).tolist() == Forecast(1, 2, 1, layout="b t n c")(STEPS).tolist()


def test_a_part_of_a_batch_gets_its_own_targets_and_its_own_forecasts_to_compare_with():
    second = OutputInfo(rows=slice(1, 2), samples=2, layout=INFO.layout, nodes=INFO.nodes)
    assert PerSample([Forecast("b", 1, 0), Forecast("c", 2, 0)]).score(STEPS[1:], second).scores.tolist() == [22.0]
    assert Forecast("b", 1, 0, minus=[1.0, 2.0]).score(STEPS[1:], second).scores.tolist() == [12.0]


@pytest.mark.parametrize(
    ("target", "info", "words"),
    [
        (Forecast("bb", 1, 0), INFO, "unknown node 'bb'. Did you mean 'b'"),
        (Forecast(3, 1, 0), INFO, "node: got index 3; expected 0 to 2"),
        (Forecast("b", 3, 0), INFO, "horizon: got 3; expected 1 to 2"),
        (Forecast("b", 0, 0), INFO, "horizon: got 0"),
        (Forecast("b", 1), INFO, "2 channels. Give one"),
        (Forecast("b", 1, 2), INFO, "channel: got 2"),
        (Forecast(0, 1, 0), OutputInfo(), r"layout of the model's output .* is not known.*b t n"),
        (Forecast("b", 1, 0), OutputInfo(layout=INFO.layout), "no graph is known"),
        (Forecast(0, 1, 0, minus=[1.0]), INFO, "1 forecasts to compare with for 2 samples"),
        (PerSample([Predicted()]), OutputInfo(), "1 targets for 2 samples"),
    ],
)
def test_a_forecast_that_does_not_fit_is_named(target, info, words):
    with pytest.raises(InputError, match=words):
        target.score(STEPS, info)


def test_a_forecast_of_nothing():
    with pytest.raises(InputError, match="node or horizon is an empty list"):
        Forecast([], 1)


def test_a_single_logit_is_of_class_one_against_class_zero():
    logits = torch.tensor([2.0, -3.0])
    for output in (logits, logits[:, None]):
        assert Class(1)(output).tolist() == [2.0, -3.0]
        assert Class(0)(output).tolist() == [-2.0, 3.0]
        predicted = Predicted().score(output)
        assert predicted.scores.tolist() == [2.0, 3.0]
        assert predicted.classes.tolist() == [1, 0]
        assert Margin(1, 0)(output).tolist() == [2.0, -3.0]
        assert Margin(0, 1)(output).tolist() == [-2.0, 3.0]
        assert Class([0, 1])(output).tolist() == [-2.0, -3.0]
        for names in (("rest", "wave"), ("wave",)):
            assert Class("wave").score(output, OutputInfo(classes=names)).scores.tolist() == [2.0, -3.0]
    with pytest.raises(InputError, match="no class 2: the model has 2"):
        Class(2)(logits)


def test_a_single_logit_of_a_part_of_a_batch():
    info = OutputInfo(rows=slice(1, 2), samples=2)
    assert Predicted().score(torch.tensor([[-3.0]]), info).scores.tolist() == [3.0]
    assert PerSample([Predicted(), Class(0)]).score(torch.tensor([-2.0, -3.0])).classes.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (2, Class(2)),
        (np.int64(2), Class(2)),
        (NAMES[1], Class(NAMES[1])),
        (None, Predicted()),
        (torch.tensor(1), Class(1)),
        (torch.arange(len(OUTPUT)) % 2, Class([row % 2 for row in range(len(OUTPUT))])),
        (np.arange(len(OUTPUT)) % 2, Class([row % 2 for row in range(len(OUTPUT))])),
    ],
)
def test_what_is_meant_by_a_class_labels_or_nothing(given, meant):
    info = OutputInfo(classes=tuple(NAMES))
    got, expected = as_target(given).score(OUTPUT, info), meant.score(OUTPUT, info)
    assert torch.equal(got.scores, expected.scores)
    assert torch.equal(got.classes, expected.classes)


def test_several_targets_are_a_list_of_targets():
    assert [target.text() for target in as_targets([Class(1), "jump"])[0]] == ["class 1", "class 'jump'"]
    assert as_targets("jump")[1] is False
    assert as_targets(None)[1] is False
    assert as_targets([Predicted()])[1] is True


def test_a_bare_number_may_have_meant_a_node():
    """Only where it is not said to be a class, and there are as many outputs as nodes."""
    info, output = OutputInfo(node_count=3), ModelOutput(OUTPUT, 2)
    assert "taken for classes" in as_target(1).notes(output, info)[0]
    assert Class(1).notes(output, info) == ()
    assert as_target(1).notes(output, OutputInfo(node_count=5)) == ()
    assert as_target("kick").notes(output, OutputInfo(node_count=3, classes=tuple(NAMES))) == ()


@pytest.mark.parametrize(
    ("entries", "nodes", "classes", "words"),
    [
        (3, 3, 0, "as many as there are nodes"),
        (2, 2, 0, "as many as there are nodes"),
        (6, 3, 0, "2 times as many as there are nodes"),
        (9, 3, 0, "Where they are forecasts of 3 steps"),
        # Any even number of classes has as many for each of two nodes; names of classes say what the entries are.
        (4, 2, 0, None),
        (3, 3, 3, None),
        (6, 3, 6, None),
        (4, 3, 0, None),
        (2, 3, 0, None),
        (3, 1, 0, None),
        (3, 0, 0, None),
    ],
)
def test_entries_that_may_be_of_nodes_are_said_to_be_taken_for_classes(entries, nodes, classes, words):
    output = ModelOutput(torch.randn(2, entries, generator=torch.Generator().manual_seed(0)), 2)
    info = OutputInfo(node_count=nodes, classes=tuple("abcdef"[:classes]))
    notes = Predicted().notes(output, info)
    assert len(notes) == (words is not None)
    assert words is None or words in notes[0]


def test_each_of_several_targets_gets_the_entries_of_its_own_sample():
    """Where they list something for every sample of the batch themselves, also of a part of it."""
    target = PerSample([Class([0, 1, 2]), Class([1, 2, 0]), Forecast(0, 1, minus=[1.0, 2.0, 4.0], layout="b n")])
    output = torch.arange(9.0).view(3, 3)
    whole = target.score(output)
    assert (whole.scores.tolist(), whole.classes.tolist()) == ([0.0, 5.0, 2.0], [0, 2, -1])
    part = target.score(output[1:], OutputInfo(rows=slice(1, 3), samples=3))
    assert (part.scores.tolist(), part.classes.tolist()) == ([5.0, 2.0], [2, -1])


@pytest.mark.parametrize(
    ("output", "scores", "expected"),
    [
        (torch.float64, torch.float64, torch.float64),
        (torch.float64, torch.float32, torch.float64),
        (torch.float32, torch.float64, torch.float32),
        (torch.float32, torch.int64, torch.float32),
        # Methods subtract scores: half precision is not enough.
        (torch.bfloat16, torch.bfloat16, torch.float32),
        (torch.float16, torch.float32, torch.float32),
        (torch.int64, torch.int64, torch.float32),
    ],
)
def test_scores_of_a_function_are_in_the_precision_of_the_output(output, scores, expected):
    found = Custom(lambda y: y.sum(1).to(scores))(torch.ones(2, 3).to(output))
    assert (found.dtype, found.tolist()) == (expected, [3.0, 3.0])


def test_a_function_gives_one_real_number_per_sample():
    assert Custom(lambda y: y.sum())(torch.ones(1, 3)).tolist() == [3.0]
    for wrong, words in (
        (lambda y: y.sum(), r"returned \(\)"),
        (lambda y: y[:1, 0], r"returned \(1,\)"),
        (lambda y: y[:, 0].tolist(), "returned list"),
        (lambda y: y[:, 0] * 1j, "returned complex numbers"),
    ):
        with pytest.raises(InputError, match=words):
            Custom(wrong)(torch.ones(2, 3))
