"""Several processes train what one does."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from stexplain.nn.normalisation import ChannelNorm
from stexplain.training import fit
from tests.training.standin import (
    PaddedClips,
    Straight,
    Unaugmented,
    network_on,
    recipe,
)
from tests.training.trained import ROOT

TORCHRUN = """
import atexit, os, pathlib, torch
# Called last, as it is registered first. A group that is left when a process ends aborts it now and then. In a file of
# each process: what two print to one pipe may come out mixed.
ended = pathlib.Path({path!r} + os.environ["RANK"] + ".txt")
atexit.register(lambda: ended.write_text("a group is left: " + str(torch.distributed.is_initialized())))
from stexplain.training.fit import fit
from tests.training.standin import PaddedClips, network_on, recipe
requested = recipe(epochs=2, batch=7, optimizer="sgd", rate=0.01)
for training in range(2):
    model = network_on(PaddedClips())
    fit(model, PaddedClips(21), recipe=requested, accelerator="cpu", progress=False, share_statistics=True)
torch.save(model.state_dict(), {path!r} + os.environ["RANK"])
"""


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
    ended = [(tmp_path / f"weights{rank}.txt").read_text() for rank in (0, 1)]
    assert ended == ["a group is left: False"] * 2
    one = network_on(PaddedClips())
    requested = recipe(epochs=2, batch=7, optimizer="sgd", rate=0.01)
    fit(one, PaddedClips(21), recipe=requested, accelerator="cpu", progress=False)  # type: ignore[arg-type]
    for rank in (0, 1):
        found = torch.load(tmp_path / f"weights{rank}", weights_only=True)
        for name, value in one.state_dict().items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5, msg=name)
