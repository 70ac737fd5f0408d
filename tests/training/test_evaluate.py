import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import nn

from stexplain.errors import DataError, InputError
from stexplain.metrics import interval
from stexplain.training.evaluate import evaluate
from tests.reference.scores import slow_scores
from tests.training.standin import Probe, StandInClips, recipe


@pytest.mark.parametrize("classes", [2, 4, 7])
def test_scores_equal_a_slow_count(classes: int) -> None:
    clips = StandInClips(29, classes)
    random = np.random.default_rng(3)
    random.shuffle(clips.labels)
    evaluation = evaluate(Probe(classes, seed=classes), clips, batch=8)  # type: ignore[arg-type]
    accuracy, top5, confusion = slow_scores(evaluation.logits, clips.labels)
    assert evaluation.accuracy == pytest.approx(accuracy, rel=1e-6)
    assert evaluation.top5 == pytest.approx(top5, rel=1e-6)
    assert np.array_equal(evaluation.confusion, confusion)
    assert evaluation.correct.mean() == pytest.approx(accuracy)
    assert np.array_equal(evaluation.labels, clips.labels)
    assert evaluation.ids == tuple(clips.ids)
    assert 0 < accuracy < 1


def test_loss_of_equal_logits_is_the_log_of_the_number_of_classes() -> None:
    model = Probe(3)
    nn.init.zeros_(model.last.weight)
    nn.init.zeros_(model.last.bias)
    assert evaluate(model, StandInClips()).loss == pytest.approx(np.log(3), rel=1e-6)  # type: ignore[arg-type]


def test_the_batch_size_does_not_matter_and_dropout_is_off() -> None:
    model = Probe(3).train()
    one, all_ = (evaluate(model, StandInClips(), batch=size) for size in (1, 100))  # type: ignore[arg-type]
    np.testing.assert_allclose(one.logits, all_.logits, atol=1e-6)
    assert model.training


def test_the_mode_comes_back_after_an_error() -> None:
    model = Probe(3).train()

    def broken(x: object, valid: object) -> None:
        raise InputError("broken")

    model.forward = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(InputError, match="broken"):
        evaluate(model, StandInClips())  # type: ignore[arg-type]
    assert model.training


def test_parts_that_are_frozen_in_eval_mode_stay_so() -> None:
    model = Probe(3).train()
    model.norm.eval()  # its statistics are those of another training
    evaluate(model, StandInClips())  # type: ignore[arg-type]
    assert [part.training for part in (model, model.norm, model.dropout)] == [True, False, True]


def test_a_model_that_knows_its_recipe_is_given_what_it_was_trained_on() -> None:
    class Sampled(StandInClips):
        def with_recipe(self, recipe):  # type: ignore[no-untyped-def]
            return StandInClips(24, 3, seed=recipe.frames)

    model = Probe(3)
    plain = evaluate(model, Sampled())  # type: ignore[arg-type]
    model.recipe = recipe(frames=9)  # type: ignore[assignment]
    np.testing.assert_allclose(
        evaluate(model, Sampled()).logits,  # type: ignore[arg-type]
        evaluate(Probe(3), StandInClips(24, 3, seed=9)).logits,  # type: ignore[arg-type]
    )
    assert not np.allclose(plain.logits, evaluate(model, Sampled()).logits)  # type: ignore[arg-type]


def test_the_interval_is_over_the_groups_of_the_data() -> None:
    clips = StandInClips(29, 4)
    alone = evaluate(Probe(4, seed=4), clips)  # type: ignore[arg-type]
    # A share of independent samples has the mid-P interval: the ends at which its tail holds 2.5%.
    right = int(alone.correct.sum())
    tails = [binom.sf(right, 29, end) + binom.pmf(right, 29, end) / 2 for end in alone.interval[1:]]
    assert tails == pytest.approx([0.025, 0.975], abs=1e-6)
    clips.groups = np.arange(29) // 5  # type: ignore[attr-defined]
    together = evaluate(Probe(4, seed=4), clips)  # type: ignore[arg-type]
    assert together.interval == interval(alone.correct.astype(float), groups=clips.groups, bounds=(0, 1))  # type: ignore[attr-defined]
    assert together.interval != alone.interval


def test_samples_of_one_group_have_no_interval_and_say_so() -> None:
    clips = StandInClips(29, 4)
    clips.groups = ["subject 1"] * 29  # type: ignore[attr-defined]
    shown = repr(evaluate(Probe(4, seed=4), clips))  # type: ignore[arg-type]
    assert "(no interval: too few groups: 1)" in shown


def test_broken_weights_are_named() -> None:
    model = Probe(3)
    with torch.no_grad():
        model.last.weight.fill_(float("nan"))
    with pytest.raises(DataError, match="got NaN or infinite logits for 24 of 24 samples, the first 'clip0'"):
        evaluate(model, StandInClips())  # type: ignore[arg-type]


def test_wrong_calls_are_named() -> None:
    def call(model: nn.Module, clips: StandInClips, match: str, **options: int) -> None:
        with pytest.raises(InputError, match=match):
            evaluate(model, clips, **options)  # type: ignore[arg-type]

    call(Probe(3), StandInClips(0), "clips: got no samples")
    call(Probe(3), StandInClips(4, 1), "got 1 class; expected at least 2")
    call(Probe(4), StandInClips(), "got 3 classes; expected the model's 4")
    call(Probe(3), StandInClips(), "batch: got 0", batch=0)
    outside = StandInClips()
    outside.labels[5] = -1
    call(Probe(3), outside, "1 labels outside 0 to 2, the first -1 of sample 'clip5'")
    named = Probe(3)
    named.class_names = ["class 0", "throw", "class 2"]  # type: ignore[assignment]
    call(named, StandInClips(), "got 'class 1' in the place of 'throw'")
    placed = Probe(3)
    placed.graph = StandInClips().graph  # type: ignore[assignment]
    other = StandInClips()
    other.graph.nodes = other.graph.nodes[::-1]
    call(placed, other, "got a graph of .* in their order")
    untold = Probe(4)
    del untold.classes
    call(untold, StandInClips(), r"got shape \(24, 4\); expected \(24, 3\) for 24 samples of 3 classes")
