import copy
import logging
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from stexplain.data.clips import Clips
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from stexplain.nn.normalisation import ChannelNorm
from stexplain.nn.stgcn import STGCN
from stexplain.training import History, evaluate, fit
from stexplain.training import tasks as training_tasks
from stexplain.training.fit import CHECKPOINT
from tests.training.standin import (
    PaddedClips,
    Probe,
    StandInClips,
    Straight,
    Unaugmented,
    assert_same,
    network_on,
    recipe,
)

ROOT = Path(__file__).parents[2]


def trained(requested: Any, clips: Any = None, *, model: Probe | None = None, **options: Any) -> tuple[Probe, History]:
    model = model or Probe(3)
    return model, fit(
        model,
        StandInClips() if clips is None else clips,
        recipe=requested,
        progress=False,
        accelerator="cpu",
        **options,
    )


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


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("failing", [1, 5, 11])
def test_a_training_that_failed_midway_ends_as_one_that_did_not(tmp_path: Path, optimizer: str, failing: int) -> None:
    requested = recipe(optimizer=optimizer, rate=0.01, select="best", schedule="cosine")
    options: dict[str, Any] = {"validation": StandInClips(9, seed=7, prefix="held"), "out": tmp_path, "save_every": 0.0}
    whole, history = trained(requested, **{**options, "out": None})

    def fail(calls: int) -> None:
        if calls == failing:
            raise KeyboardInterrupt

    clips = StandInClips()
    clips.before_batch = fail
    with pytest.raises(KeyboardInterrupt):
        trained(requested, clips, **options)
    # Other weights at the start: those of the checkpoint count, where one was written.
    model, resumed = trained(requested, model=Probe(3, seed=0 if failing == 1 else 9), **options)
    assert_same(model, whole)
    assert resumed.selected_epoch == history.selected_epoch
    columns = ["epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "rate"]
    assert resumed.to_frame()[columns].equals(history.to_frame()[columns])


def test_a_killed_process_leaves_what_the_next_one_needs(tmp_path: Path) -> None:
    script = """
import sys
from tests.training.standin import Probe, StandInClips, killed_at, recipe
from stexplain.training import fit
clips = StandInClips()
clips.before_batch = killed_at(8)
fit(Probe(3), clips, recipe=recipe(), out=sys.argv[1], progress=False, accelerator="cpu", save_every=0.0)
"""
    # As many threads as here: sums are to the bit those of one number of threads.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, cwd=ROOT, check=False)
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / CHECKPOINT).is_file()
    resumed, _ = trained(recipe(), model=Probe(3, seed=9), out=tmp_path)
    whole, _ = trained(recipe())
    assert_same(resumed, whole)


def test_a_finished_training_is_read_and_not_done_again(tmp_path: Path) -> None:
    first, history = trained(recipe(), out=tmp_path)
    clips = StandInClips()
    clips.before_batch = lambda calls: pytest.fail("a batch was trained on")
    again, read = trained(recipe(), clips, model=Probe(3, seed=9), out=tmp_path)
    assert_same(first, again)
    assert read == history


def test_another_training_s_checkpoint_is_refused_with_what_differs(tmp_path: Path) -> None:
    trained(recipe(), out=tmp_path)
    with pytest.raises(
        InputError, match=r"recipe.rate is 0.1 there, 0.2 here; seed is 0 there, 3 here.*another folder"
    ):
        trained(recipe(rate=0.2), out=tmp_path, seed=3)
    with pytest.raises(InputError, match=r"train.count is 24 there, 21 here"):
        trained(recipe(), StandInClips(21), out=tmp_path)
    with pytest.raises(InputError, match=r"model.parameters"):
        trained(recipe(), StandInClips(classes=4), model=Probe(4), out=tmp_path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", "truncated"])
def test_a_broken_checkpoint_is_refused(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / CHECKPOINT
    if content == "truncated":
        trained(recipe(), out=tmp_path)
        path.write_bytes(path.read_bytes()[:-10])
    else:
        path.write_bytes(content)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"could not be read as a complete training checkpoint.*Remove it"):
        trained(recipe(), out=tmp_path)


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


TORCHRUN = """
import atexit, os, torch
# Called last, as it is registered first. A group that is left when a process ends aborts it now and then.
atexit.register(lambda: print("left a group:", torch.distributed.is_initialized()))
from stexplain.training.fit import fit
from tests.training.standin import PaddedClips, network_on, recipe
requested = recipe(epochs=2, batch=7, optimizer="sgd", rate=0.01)
for training in range(2):
    model = network_on(PaddedClips())
    fit(model, PaddedClips(21), recipe=requested, accelerator="cpu", progress=False, share_statistics=True)
torch.save(model.state_dict(), {path!r} + os.environ["RANK"])
"""


def test_training_on_padded_clips_resumes_to_the_same_bits(tmp_path: Path) -> None:
    requested = recipe(epochs=2, batch=7)

    def train(out: Path | None, before_batch: Any = None) -> STGCN:
        clips, model = PaddedClips(21), network_on(PaddedClips(), dropout=0.4)
        clips.before_batch = before_batch
        fit(model, clips, recipe=requested, out=out, accelerator="cpu", progress=False, save_every=0.0)  # type: ignore[arg-type]
        return model

    def stop(call: int) -> None:
        if call == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, stop)
    assert_same(train(tmp_path), train(None))


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
    call("devices: got 2 processes for batches of 1 samples", StandInClips(1), devices=2)
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


def test_two_processes_train_what_one_does() -> None:
    # Without batch norm and dropout, which are per process, the mean of the shares' gradients is the batch's.
    one, two = Straight(3), Straight(3)
    history = fit(one, Unaugmented(), recipe=recipe(), accelerator="cpu", progress=False)  # type: ignore[arg-type]
    both = fit(two, Unaugmented(), recipe=recipe(), accelerator="cpu", progress=False, devices=2)  # type: ignore[arg-type]
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, two.state_dict()[name], rtol=1e-4, atol=1e-6)
    assert [epoch.loss for epoch in both.epochs] == pytest.approx([epoch.loss for epoch in history.epochs], rel=1e-5)


def test_a_sample_of_an_odd_batch_is_used_once() -> None:
    # Batches of 7 for two processes: shares of 4 and 3.
    clips, one, two = Unaugmented(21), Straight(3), Straight(3)
    requested = recipe(batch=7, optimizer="sgd", rate=0.01)
    history = fit(one, clips, recipe=requested, accelerator="cpu", progress=False)  # type: ignore[arg-type]
    both = fit(two, clips, recipe=requested, accelerator="cpu", progress=False, devices=2)  # type: ignore[arg-type]
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, two.state_dict()[name], rtol=1e-5, atol=1e-7)
    losses, expected = ([epoch.loss for epoch in each.epochs] for each in (both, history))
    assert losses == pytest.approx(expected, rel=1e-6)
    assert [epoch.accuracy for epoch in both.epochs] == [epoch.accuracy for epoch in history.epochs]


def test_processes_that_share_statistics_train_what_one_does() -> None:
    clips, one, two = PaddedClips(21), network_on(PaddedClips()), network_on(PaddedClips())
    requested = recipe(epochs=2, batch=7, optimizer="sgd", rate=0.01)
    options: dict[str, Any] = {"recipe": requested, "accelerator": "cpu", "progress": False}
    fit(one, clips, **options)  # type: ignore[arg-type]
    fit(two, clips, devices=2, share_statistics=True, **options)  # type: ignore[arg-type]
    for name, value in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], value, rtol=1e-4, atol=1e-5, msg=name)
    apart = network_on(PaddedClips())
    fit(apart, clips, devices=2, **options)  # type: ignore[arg-type]
    assert not torch.allclose(apart.head.weight, one.head.weight)
    assert not any(norm.shares_statistics for norm in two.modules() if isinstance(norm, ChannelNorm))


def test_torchrun_trains_what_one_process_does(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TORCHRUN.format(path=str(tmp_path / "weights")))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr
    assert done.stdout.count("left a group: False") == 2
    one = network_on(PaddedClips())
    requested = recipe(epochs=2, batch=7, optimizer="sgd", rate=0.01)
    fit(one, PaddedClips(21), recipe=requested, accelerator="cpu", progress=False)  # type: ignore[arg-type]
    for rank in (0, 1):
        found = torch.load(tmp_path / f"weights{rank}", weights_only=True)
        for name, value in one.state_dict().items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_the_network_itself_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    graph = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")], center="hip")
    x = [random.normal(size=(1 + row % 2, 9 + row % 3, 3, 3)).astype(np.float32) for row in range(12)]
    clips = Clips.from_arrays(x, np.arange(12) % 3, graph=graph, channels=["x", "y", "z"])
    requested = recipe(
        frames=8, sampling="resample", center="first", augment={"rotate": 20, "crop": 0.5}, clip_norm=0.5
    )

    def network(seed: int) -> STGCN:
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            return STGCN(graph, classes=3, channels=(4, 4, 8), strides=(1, 1, 2), temporal_kernel=3)

    def train(model: STGCN, out: Path | None = None) -> History:
        return fit(model, clips, recipe=requested, out=out, progress=False, accelerator="cpu", save_every=0.0)

    whole, resumed = network(0), network(5)
    train(whole)
    original, calls = Clips.batch, []

    def failing(self: Clips, indices: Any, generator: Any = None) -> Any:
        calls.append(indices)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(self, indices, generator)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clips, "batch", failing)
        with pytest.raises(KeyboardInterrupt):
            train(network(0), tmp_path)
    train(resumed, tmp_path)
    assert_same(resumed, whole)
    assert not torch.equal(whole.head.weight, network(0).head.weight)
