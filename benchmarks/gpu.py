"""Compares every method on a GPU with the CPU, in float64 and float32, trains there, and times both.

    python benchmarks/gpu.py                    on the CUDA device; where there is none it says so, and ends with 0
    python benchmarks/gpu.py --device cpu       the check itself, on the CPU against itself

In float64 the maps of both devices agree to 1e-9 of their size, in float32 to 1e-3; the largest difference of each
method is printed. Ends with 1 where one is larger, or training on the device does not lower the loss.
"""

import argparse
import inspect
import sys
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

import stexplain as stx
from stexplain.data.samples import Batch
from stexplain.explainers.by_name import explainer, methods
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.baselines.base import BaselineExplainer

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}
NODES, FRAMES, SAMPLES = 8, 16, 4
NO_GPU = "no GPU: not run"


def model_and_batch(dtype: torch.dtype, device: str) -> tuple[nn.Module, Batch]:
    """The package's own network of random weights, and samples of noise, the same on every device."""
    names = [f"n{number}" for number in range(NODES)]
    ring = [(names[number], names[(number + 1) % NODES]) for number in range(NODES)]
    graph = stx.STGraph.from_edges(names, ring, center=names[0], groups={"left": names[:6], "right": names[6:]})
    torch.manual_seed(0)
    model = stx.load_model("stgcn2", graph=graph, classes=["a", "b", "c"], channels_in=2).eval().to(dtype)
    random = np.random.default_rng(0)
    x = torch.tensor(random.normal(size=(SAMPLES, 1, FRAMES, NODES, 2)), dtype=dtype)
    valid = torch.ones(SAMPLES, 1, FRAMES, dtype=torch.bool)
    valid[0, :, -5:] = False
    batch = Batch(torch.where(valid[..., None, None], x, 0), valid, torch.arange(SAMPLES) % 3, tuple("wxyz"))
    return model.to(device), batch


def compared() -> list[str]:
    """The methods that call a model and need nothing else."""
    return [name for name, kind in methods().items() if not issubclass(kind, BaselineExplainer) and not _needed(kind)]


def _needed(kind: type) -> list[str]:
    """What must be given to a class of explainers beside the model, or the explainer that it wraps."""
    parameters = inspect.signature(kind).parameters
    return [
        name
        for name, one in parameters.items()
        if name not in ("model", "explainer")
        and one.default is one.empty
        and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]


def explained(name: str, dtype: torch.dtype, device: str) -> tuple[Explanation, float]:
    """The maps of a method on a device, and the seconds of the second of two calls."""
    model, batch = model_and_batch(dtype, device)
    seconds = 0.0
    with explainer(name, model) as explain:
        for _ in range(2):  # the first call compiles and fills caches
            started = time.perf_counter()
            e = explain(batch, target=1)
            if device != "cpu":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - started
    return e, seconds


def difference(one: Explanation, other: Explanation) -> float:
    """The largest difference of two maps, as a share of the largest value."""
    size = float(np.abs(one.values).max())
    return float(np.abs(one.values - other.values).max()) / (size or 1.0)


def trained(device: str) -> tuple[float, float, float]:
    """The loss before and after 20 steps on a device, and the milliseconds of a step."""
    model, batch = model_and_batch(torch.float32, device)
    optimizer = torch.optim.SGD(model.train().parameters(), lr=0.05, momentum=0.9)
    batch = batch.to(device)
    losses = []
    started = time.perf_counter()
    for _ in range(20):
        loss = nn.functional.cross_entropy(model(batch.x, batch.valid), batch.label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses[0], losses[-1], (time.perf_counter() - started) / 20 * 1e3


def main(device: str, names: Sequence[str]) -> int:
    """Prints a row per method of these names; the exit code."""
    failed = []
    print(f"{'method':<24} {'float64':>9} {'float32':>9} {'CPU':>10} {device:>10}")
    for name in names:
        row = []
        for dtype, tolerance in TOLERANCE.items():
            (here, slow), (there, fast) = explained(name, dtype, "cpu"), explained(name, dtype, device)
            row.append(difference(here, there))
            if not row[-1] <= tolerance:  # NaN is wrong, too
                failed.append(f"{name} in {dtype}: {row[-1]:.2g}; expected at most {tolerance:g}")
        print(f"{name:<24} {row[0]:>9.1e} {row[1]:>9.1e} {slow * 1e3:>7.1f} ms {fast * 1e3:>7.1f} ms", flush=True)
    for where in dict.fromkeys(("cpu", device)):
        before, after, step = trained(where)
        print(f"training on {where}: loss {before:.3f} to {after:.3f} in 20 steps of {step:.1f} ms")
        if not after < before:
            failed.append(f"training on {where} does not lower the loss")
    print("\n".join(failed) or "all agree")
    return int(bool(failed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--methods", nargs="+", default=None, help="of these classes alone")
    arguments = parser.parse_args()
    chosen = arguments.device
    if chosen.startswith("cuda") and not torch.cuda.is_available():
        print(NO_GPU)
        sys.exit(0)
    sys.exit(main(chosen, arguments.methods or compared()))
