"""Training: steps, epochs and seeds, what is selected, what is refused, and what is shown of it."""

import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from stexplain.errors import DataError, InputError
from stexplain.training import evaluate, fit
from stexplain.training import tasks as training_tasks
from stexplain.training.fit import CHECKPOINT
from tests.training.standin import (
    Probe,
    StandInClips,
    Straight,
    assert_same,
    recipe,
)
from tests.training.trained import trained


def test_a_model_with_a_recipe_of_its_own_is_trained_by_it():
    stated, _ = trained(recipe(epochs=2))
    own = Probe(3)
    own.recipe = recipe(epochs=2)
    found, _ = trained(None, model=own)
    assert_same(found, stated)


@pytest.mark.parametrize("own", [None, "quick"])
def test_a_model_without_a_recipe_asks_for_one(own):
    model = Probe(3)
    model.recipe = own
    with pytest.raises(InputError, match=r"recipe: got none.*model_card\('stgcn2'\)\.recipe\('quick'\).*load_model"):
        trained(None, model=model)


def scripted(monkeypatch: pytest.MonkeyPatch, correct: list[int]) -> None:
    """Makes validation count, after each epoch, so many of its samples as correct."""
    counts = iter(correct)

    def predict_logits(model: torch.nn.Module, clips: Any, batch: int) -> torch.Tensor:
        logits = torch.nn.functional.one_hot(torch.as_tensor(clips.labels), 3).float()
        logits[next(counts) :] *= -1
        return logits

    monkeypatch.setattr(training_tasks, "predict_logits", predict_logits)


def test_a_few_samples_are_learned_by_heart() -> None:
    model, history = trained(recipe(epochs=30, schedule="one-cycle"))
    assert evaluate(model, StandInClips()).accuracy == 1.0  # type: ignore[arg-type]
    frame = history.to_frame()
    assert list(frame["epoch"]) == list(range(1, 31))
    assert frame["loss"].iloc[-1] < 0.1 < frame["loss"].iloc[0]
    assert frame["validation_accuracy"].isna().all()
    assert not model.training
    assert model.class_names == ["class 0", "class 1", "class 2"]


def test_a_step_is_that_of_plain_torch() -> None:
    # One batch holds all samples, so that their order cannot matter; no dropout, no augmentation.
    clips = StandInClips()
    clips.batch = lambda indices, generator=None: StandInClips.batch(clips, indices)  # type: ignore[method-assign]
    requested = recipe(epochs=5, batch=24, schedule="cosine", weight_decay=0.01)
    model, history = trained(requested, clips, model=Probe(3, dropout=0.0))
    peer = Probe(3, dropout=0.0)
    optimizer = torch.optim.SGD(peer.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    batch = clips.batch(np.arange(24))
    for epoch in range(5):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 + np.cos(np.pi * epoch / 5))
        loss = cross_entropy(peer(batch.x, batch.valid), batch.label)
        assert history.epochs[epoch].loss == pytest.approx(loss.item(), rel=1e-4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for (name, a), (_, b) in zip(model.state_dict().items(), peer.state_dict().items(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5, msg=name)


def test_clip_norm_bounds_the_step() -> None:
    # Plain SGD goes rate * |gradient|, and the gradient is clipped to norm 0.01.
    requested = recipe(epochs=1, batch=24, momentum=0.0, clip_norm=0.01)
    model, _ = trained(requested)
    moved = [(a - b).square().sum() for a, b in zip(model.parameters(), Probe(3).parameters(), strict=True)]
    assert torch.stack(moved).sum().sqrt().item() == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_an_epoch_uses_every_sample_once_in_batches_of_nearly_one_size() -> None:
    clips, seen = StandInClips(21), []

    def batch(indices: Any, generator: Any = None) -> Any:
        seen.append(list(indices))
        return StandInClips.batch(clips, indices, generator)

    clips.batch = batch  # type: ignore[method-assign]
    trained(recipe(epochs=2, batch=8), clips)
    assert [len(part) for part in seen] == [7, 7, 7] * 2
    for epoch in (seen[:3], seen[3:]):
        assert sorted(index for part in epoch for index in part) == list(range(21))
    assert seen[:3] != seen[3:]


def test_a_seed_gives_one_result_and_another_seed_another() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, _ = trained(recipe(), seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    two, _ = trained(recipe(), seed=4)
    assert_same(one, two)
    other, _ = trained(recipe(), seed=5)
    assert not torch.equal(one.last.weight, other.last.weight)


def test_patience_ends_after_so_many_epochs_without_a_better_one(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [3, 6, 6, 5, 9])
    _, history = trained(recipe(epochs=9, patience=2), validation=StandInClips(9, prefix="held"))
    # Epoch 2 is the best, 3 is only as good and 4 is worse; what would have come is never seen.
    assert [epoch.validation_accuracy for epoch in history.epochs] == pytest.approx([3 / 9, 6 / 9, 6 / 9, 5 / 9])
    assert history.stopped_early
    assert history.selected_epoch == 4


def test_a_better_epoch_starts_patience_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [3, 2, 4, 3, 5])
    _, history = trained(recipe(epochs=5, patience=2), validation=StandInClips(9, prefix="held"))
    assert len(history.epochs) == 5
    assert not history.stopped_early


def test_best_selects_the_weights_of_the_best_epoch_and_last_those_of_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    held = StandInClips(9, prefix="held")
    scripted(monkeypatch, [1, 7, 3, 7])
    best, history = trained(recipe(select="best"), validation=held)
    assert history.selected_epoch == 2
    scripted(monkeypatch, [1, 7, 3, 7])
    last, kept = trained(recipe(select="last"), validation=held)
    assert kept.selected_epoch == 4
    scripted(monkeypatch, [1, 7])
    two, _ = trained(recipe(epochs=2), validation=held)  # the rate is constant, so its weights are those of epoch 2
    assert_same(best, two)
    assert not torch.equal(best.last.weight, last.last.weight)


def test_validation_is_measured_in_eval_mode() -> None:
    held = StandInClips(9, seed=3, prefix="held")
    model, history = trained(recipe(), validation=held)
    evaluation = evaluate(model, held)  # type: ignore[arg-type]
    assert history.epochs[-1].validation_accuracy == pytest.approx(evaluation.accuracy)
    assert history.epochs[-1].validation_loss == pytest.approx(evaluation.loss, rel=1e-6)


def test_a_loss_that_breaks_is_named_with_its_place_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    clips = StandInClips()

    def poison(calls: int) -> None:
        if calls == 5:
            clips.x[:] = np.inf

    clips.before_batch = poison
    with pytest.raises(DataError, match=r"loss is NaN or infinite in epoch 2, step 2 of 3, at rate 0.1.*lower rate"):
        trained(recipe(), clips, out=tmp_path)
    assert (tmp_path / CHECKPOINT).is_file()


def test_a_weight_that_breaks_in_the_last_step_is_named() -> None:
    clips = StandInClips()
    clips.x *= 1000
    with pytest.raises(DataError, match="a weight is NaN or infinite in epoch 1, step 1 of 1"):
        fit(Straight(3), clips, recipe=recipe(epochs=1, batch=24, rate=1e38), accelerator="cpu")  # type: ignore[arg-type]


def test_wrong_calls_are_named() -> None:
    def call(match: str, clips: Any = None, what: Any = None, **options: Any) -> None:
        with pytest.raises(InputError, match=match):
            trained(what or recipe(), clips, **options)

    call("train: got no samples", StandInClips(0))
    call("validation: got no samples", validation=StandInClips(0))
    call("got 4 classes; expected the model's 3", StandInClips(classes=4))
    call("validation: got 9 samples of train, such as 'clip0'", validation=StandInClips(9))
    call("validation: got None; expected a split, because the recipe has patience", what=recipe(patience=3))
    call('the recipe has select = "best"', what=recipe(select="best"))
    call("seed, devices: got -1", seed=-1)
    call("devices: got 9 processes for batches of 8 samples", devices=9)
    call("devices: got 2 processes for batches of 1 sample", StandInClips(1), devices=2)
    call("share_statistics: got a model whose 'norm' is a BatchNorm1d", devices=2, share_statistics=True)
    outside = StandInClips()
    outside.labels[:2] = 3
    call("2 labels outside 0 to 2, the first 3 of sample 'clip0'", outside)


def test_each_epoch_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="stexplain.training"):
        trained(recipe(epochs=2), validation=StandInClips(9, prefix="held"))
    lines = [record.getMessage() for record in caplog.records if record.name == "stexplain.training"]
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2: loss ")
    assert "validation " in lines[1]
    assert "samples/s" in lines[1]


def test_the_bar_shows_where_training_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    fit(Probe(3), StandInClips(), recipe=recipe(epochs=2), accelerator="cpu")  # type: ignore[arg-type]
    shown = capsys.readouterr().err
    for part in ("epoch 2/2", "loss ", "accuracy ", "samples/s"):
        assert part in shown
    assert "/s" not in shown.replace("samples/s", ""), "one rate, with its unit"
    assert "s each" not in shown


def test_a_trained_model_can_be_copied_and_pickled() -> None:
    model, _ = trained(recipe(epochs=1))
    assert_same(copy.deepcopy(model), model)
    assert_same(pickle.loads(pickle.dumps(model)), model)


class Frozen(Probe):
    """A probe whose batch norm was frozen, in one of the ways that people freeze it."""

    def __init__(self, how: str) -> None:
        super().__init__(3)
        self.norm.running_mean.fill_(0.5)
        if how == "statistics":
            self.norm.eval()
        if how == "in eval mode":
            self.eval()
        if how != "statistics":
            self.norm.requires_grad_(False)
        if how == "by train()":
            self.train()

    def train(self, mode: bool = True) -> "Frozen":
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.norm.parameters()) and mode:
            self.norm.eval()
        return self


@pytest.mark.parametrize("how", ["statistics", "in eval mode", "by train()"])
def test_what_was_frozen_stays_in_eval_mode(how: str) -> None:
    """A frozen batch norm took the statistics of the training, since all of a model was set to train mode."""
    model = Frozen(how)
    modes: list[tuple[bool, bool]] = []
    model.norm.register_forward_hook(lambda *_: modes.append((model.norm.training, model.dropout.training)))
    before = copy.deepcopy(model.norm.state_dict())
    trained(recipe(epochs=2), model=model, validation=StandInClips(6, seed=1, prefix="other"))
    # Dropout draws in training, and not in validation; the norm is never in train mode.
    assert {dropout for _, dropout in modes} == {True, False}
    assert not any(norm for norm, _ in modes)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(model.norm.state_dict()[name], before[name], rtol=0, atol=0)
    assert not model.training


def test_a_model_in_eval_mode_is_trained_like_any_other() -> None:
    """Loaded models are in eval mode, and were not frozen by that."""
    found, _ = trained(recipe(epochs=1), model=Probe(3).eval())
    assert_same(found, trained(recipe(epochs=1))[0])


def test_a_model_without_anything_to_train_is_refused() -> None:
    with pytest.raises(InputError, match="model: got no parameter that requires a gradient"):
        trained(recipe(epochs=1), model=Probe(3).requires_grad_(False))
