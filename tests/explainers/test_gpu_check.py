"""The check for GPUs runs where there is none: on the CPU against itself; and finds a device that is wrong."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="the package is not tested in its checkout")
FEW = ["InputGradient", "STGGradCAM"]


@pytest.fixture
def check():
    return runpy.run_path(str(SCRIPT))


def test_it_compares_every_method_that_calls_a_model_and_needs_nothing_more(check):
    names = check["compared"]()
    assert {"ExpectedGradients", "IntegratedGradients", "LearnedMask", "Occlusion", "STGGradCAM"} <= set(names)
    assert not {"Motion", "Random"} & set(names)


def test_the_cpu_agrees_with_itself_and_learns(check, capsys):
    assert check["main"]("cpu", FEW) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown[1:3]] == FEW
    assert shown[-1] == "all agree"


def test_a_device_that_computes_something_else_is_found(check, capsys, monkeypatch):
    found = check["main"].__globals__
    right, calls = found["explained"], []

    def wrong(name, dtype, device):
        e, seconds = right(name, dtype, "cpu")
        calls.append(device)
        # Every second call is that of the device.
        return (e if len(calls) % 2 else type(e)(e.values * 1.01, e.valid)), seconds

    monkeypatch.setitem(found, "explained", wrong)
    assert check["main"]("cpu", ["InputGradient"]) == 1
    assert "InputGradient in torch.float64: 0.01; expected at most 1e-09" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_that_it_was_not_run():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    assert done.stdout == "no GPU: not run\n"
