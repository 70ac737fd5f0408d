"""A training that was stopped ends as one that was not; another's checkpoint and a broken one are refused."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stexplain.data.clips import Clips
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from stexplain.training import History, fit
from stexplain.training.fit import CHECKPOINT
from tests.training.standin import (
    PaddedClips,
    Probe,
    StandInClips,
    assert_same,
    network_on,
    recipe,
)
from tests.training.trained import ROOT, trained


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
