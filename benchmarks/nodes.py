"""Roads of 100 to 8,600 sensors: every method on one forecast, and a training step beside the dense formulation.

Roads are drawn at random: sensors in the plane, each linked to its `--degree` nearest.

Methods: one forecast, of one sensor at one horizon, in one window [1, 1, 12, N, 1]. *local* is what happens unasked, on
the receptive field of the sensor; *whole* is the same with all passes over all nodes, as for a model that does not say
what it depends on. Where a method would take more than `--limit` seconds of CPU on the whole graph, its time is
extrapolated by the growth that was measured, and marked. The exponent is the slope of log time over log N.

Steps (`--steps`): a training step, inference and STG-Grad-CAM on batches of [4, 1, 12, N, 1]. The dense formulation has
the same layers and sees the same input, but multiplies by dense N x N matrices of the Chebyshev terms, in NCHW memory,
as published code does; at 8,600 nodes these alone take 0.9 GB. `--edges` also measures 1,000 nodes with more and more
neighbours: the cost should be linear in edges.

Peak memory is the highest resident memory of the process, imports and data included, and how much of that is above what
was resident before: the mark is set anew before each method, and each step is a process of its own. Seconds are
medians, those of CPU time in parentheses, which other load disturbs less.

    python benchmarks/nodes.py [--threads 1] [--rounds 3] [--nodes 100 300 1000 3000 8600] [--limit 60] [--json FILE]
    python benchmarks/nodes.py --steps [--nodes 207 1000 8600] [--edges]
"""

import argparse
import ctypes
import gc
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.data.scaler import Scaler
from stexplain.explainers import STGGradCAM, explain
from stexplain.explainers.targets import Forecast
from stexplain.graph import STGraph
from stexplain.nn.traffic import STGCNForecaster

BATCH, WINDOW = 4, 12
KINDS = ("training step", "inference", "explanation")
SIZES = [100, 300, 1000, 3000, 8600]
# Sensors are masked for the whole window, one by one. The last looks at a layer: it is always computed on the whole.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "input gradient": ("InputGradient", {}),
    "integrated gradients, 32 steps": ("IntegratedGradients", {"baseline": "mean"}),
    "gradient SHAP, 32 draws": ("GradientSHAP", {"baselines": ["mean", "interpolation"]}),
    "expected fall": ("ExpectedFall", {}),
    "expected gradients": ("ExpectedGradients", {}),
    "occlusion of every sensor": ("Occlusion", {"window": None, "baseline": "mean"}),
    "occlusion by neighbours": ("Occlusion", {"window": None, "baseline": "neighbours"}),
    "Shapley, 25 orders": ("ShapleyValueSampling", {"baseline": "mean"}),
    "learned mask, 50 steps": ("LearnedMask", {}),
    "temporal rescaling": ("TemporalRescaling", {"baseline": "mean"}),
    "STG-Grad-CAM": ("STGGradCAM", {"layer": "blocks.1"}),
}


def roads(nodes: int, degree: int) -> STGraph:
    from scipy.spatial import cKDTree

    positions = np.random.default_rng(0).random((nodes, 2))
    _, near = cKDTree(positions).query(positions, degree + 1)  # each is its own nearest
    pairs = {(min(i, j), max(i, j)) for i, row in enumerate(near.tolist()) for j in row[1:]}
    return STGraph([str(index) for index in range(nodes)], sorted(pairs))


class DenseGate(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, 2 * channels_out, (kernel, 1))
        self.kernel, self.out = kernel, channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        linear, gate = self.conv(x).chunk(2, 1)
        # The residual of a convolution without padding: the last frame of each window, channels filled up with zeros.
        latest = x[:, :, self.kernel - 1 :]
        latest = F.pad(latest, (0, 0, 0, 0, 0, self.out - latest.shape[1]))
        return (linear + latest) * torch.sigmoid(gate)


class DenseBlock(nn.Module):
    def __init__(self, terms: torch.Tensor, channels_in: int):
        super().__init__()
        self.before, self.after = DenseGate(channels_in, 64, 3), DenseGate(16, 64, 3)
        self.mix = nn.Parameter(torch.randn(len(terms), 16, 64) / 14)
        self.bias = nn.Parameter(torch.zeros(16))
        self.norm = nn.LayerNorm(64)
        self.terms = terms

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.before(x)
        messages = torch.einsum("bctn,knw->bkctw", y, self.terms)  # K dense products of N x N
        y = torch.relu(torch.einsum("bkctw,koc->botw", messages, self.mix) + self.bias[:, None, None])
        return self.norm(self.after(y).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Dense(nn.Module):
    """The network with dense matrices [K, N, N], on [B, 1, T, N, 1]."""

    inputs, layout, outputs = "b m t n c", "b c t n", "b t n"

    def __init__(self, graph: STGraph):
        super().__init__()
        terms = torch.from_numpy(graph.relations("chebyshev", largest=2.0).matrices(len(graph))).float()
        self.graph = graph
        self.blocks = nn.ModuleList([DenseBlock(terms, 1), DenseBlock(terms, 64)])
        self.last, self.norm = DenseGate(64, 64, 4), nn.LayerNorm(64)
        self.hidden, self.head = nn.Linear(64, 64), nn.Linear(64, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = (x[:, 0] - 55) / 12  # miles per hour, scaled as the other model's scaler does
        y = y.permute(0, 3, 1, 2)
        for block in self.blocks:
            y = block(y)
        y = self.norm(self.last(y)[:, :, 0].transpose(1, 2))
        return self.head(torch.relu(self.hidden(y))).transpose(1, 2) * 12 + 55

    def stride_at(self, layer: str) -> int:
        return 1

    def offset_at(self, layer: str) -> int:
        return 2 * (int(layer[-1]) + 1)


def resident() -> float:
    """Highest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(which: str, kind: str, nodes: int, degree: int, rounds: int) -> dict[str, Any]:
    graph = roads(nodes, degree)
    torch.manual_seed(0)
    model: nn.Module = STGCNForecaster(graph, scaler=Scaler([55.0], [12.0])) if which == "ours" else Dense(graph)
    x = 55 + 12 * torch.randn(BATCH, 1, WINDOW, nodes, 1)
    y = 55 + 12 * torch.randn(BATCH, 12, nodes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def train() -> None:
        optimizer.zero_grad()
        (model(x) - y).abs().mean().backward()
        optimizer.step()

    def infer() -> None:
        with torch.inference_mode():
            model(x)

    def explain() -> None:
        with STGGradCAM(model) as explainer:
            explainer(x, target=Forecast(nodes // 2, 6))

    run = {"training step": train, "inference": infer, "explanation": explain}[kind]
    model.train(kind == "training step")
    before = resident()
    seconds, cpu_seconds = [], []
    for _ in range(rounds + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        run()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    return {
        "edges": len(graph.edges),
        # The first round allocates memory and builds the graph's topology.
        "seconds": statistics.median(seconds[1:]),
        "CPU seconds": statistics.median(cpu_seconds[1:]),
        "peak MB": resident(),
        "extra MB": resident() - before,
    }


def measure_method(name: str, where: str, nodes: int, degree: int, rounds: int) -> dict[str, Any]:
    """One forecast explained by a method."""
    torch.manual_seed(0)
    model = STGCNForecaster(roads(nodes, degree), scaler=Scaler([55.0], [12.0])).eval()
    x = 55 + 12 * torch.randn(1, 1, WINDOW, nodes, 1)
    with torch.inference_mode():
        model(x)  # its topology is built once, whatever is explained
    if where == "whole":
        # As of a model that does not say which nodes a forecast depends on.
        model.restricted_to = lambda nodes: None  # type: ignore[method-assign]
    method, options = METHODS[name]
    # What earlier measurements left goes back, and the mark of the highest resident memory is set anew.
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    seconds, cpu_seconds, notes = [], [], ""
    for _ in range(rounds):
        start, cpu_start = time.perf_counter(), time.process_time()
        found = explain(model, x, target=Forecast(nodes // 2, 6), method=method, **options)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        notes = " ".join(found.notes)
    return {
        # Of short ones the first round is the one that loads and allocates.
        "seconds": statistics.median(seconds[1:] or seconds),
        "CPU seconds": statistics.median(cpu_seconds[1:] or cpu_seconds),
        "peak MB": status("VmHWM"),
        "extra MB": status("VmHWM") - before,
        "read": int(re.findall(r"Computed on ([\d,]+)", notes)[0].replace(",", ""))
        if "Computed on" in notes
        else nodes,
    }


def status(field: str) -> float:
    """A line of what Linux says of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def growth(sizes: list[int], values: list[float]) -> float:
    """The exponent of growth, by least squares of logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-9)), 1)[0])


def methods_table(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Every method at every size, on the receptive field and on the whole graph."""
    sizes: list[int] = arguments.nodes or SIZES
    results: list[dict[str, Any]] = []
    for name in METHODS:
        for where in ("local", "whole"):
            measured: dict[int, dict[str, Any]] = {}
            for nodes in sizes:
                known = sorted(measured)
                if known:
                    # Linear at first: each further size tells more.
                    exponent = growth(known[-2:], [measured[n]["CPU seconds"] for n in known[-2:]]) if known[1:] else 1
                    expected = measured[known[-1]]["CPU seconds"] * (nodes / known[-1]) ** max(exponent, 1)
                    if where == "whole" and expected > arguments.limit:
                        row = {"method": name, "where": where, "nodes": nodes, "extrapolated": True}
                        results.append({**row, "CPU seconds": expected, "seconds": expected})
                        print(f"{name:30s} {where}, N = {nodes:5d}: extrapolated {expected:9.0f} s", flush=True)
                        continue
                rounds = arguments.rounds if not known or measured[known[-1]]["CPU seconds"] < 2 else 1
                measured[nodes] = one = measure_method(name, where, nodes, arguments.degree, rounds)
                results.append({"method": name, "where": where, "nodes": nodes, "extrapolated": False, **one})
                print(
                    f"{name:30s} {where}, N = {nodes:5d}: {duration(one)}, {one['extra MB']:5.0f} MB more, "
                    f"{one['read']:5d} nodes read",
                    flush=True,
                )
            if len(measured) > 1:
                of = list(measured)
                exponent = growth(of, [measured[n]["CPU seconds"] for n in of])
                results.append({"method": name, "where": where, "exponent": exponent, "of": of})
                print(f"{name:30s} {where}: time grows with N to the power of {exponent:.2f}", flush=True)
            if name == "STG-Grad-CAM":
                break  # always on the whole
    return results


def duration(entry: dict[str, Any]) -> str:
    return f"{entry['seconds'] * 1e3:6.0f} ({entry['CPU seconds'] * 1e3:.0f}) ms"


def in_own_process(*arguments: object) -> dict[str, Any] | None:
    """A measurement in a process of its own; none where it failed, for lack of memory."""
    child = subprocess.run([sys.executable, __file__, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    return json.loads(child.stdout) if child.returncode == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, nargs="+")
    parser.add_argument("--degree", type=int, default=4, help="nearest neighbours that each sensor is linked to")
    parser.add_argument("--limit", type=float, default=60, help="CPU seconds above which the whole is extrapolated")
    parser.add_argument("--steps", action="store_true", help="a training step, inference and STG-Grad-CAM")
    parser.add_argument("--edges", action="store_true", help="also 1,000 nodes with more and more edges")
    parser.add_argument("--dense-up-to", type=int, default=8600, help="largest number of nodes for the dense one")
    parser.add_argument("--json", type=Path, help="writes the figures here")
    parser.add_argument("--one", nargs=2, metavar=("WHICH", "KIND"), help="this measurement alone; prints JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.one:
        which, kind = arguments.one
        print(json.dumps(measure(which, kind, arguments.nodes[0], arguments.degree, arguments.rounds)))
        return
    results = steps_table(arguments) if arguments.steps or arguments.edges else methods_table(arguments)
    if arguments.json:
        about = {"batch": BATCH, "threads": arguments.threads, "torch": torch.__version__}
        arguments.json.write_text(json.dumps({**about, "results": results}, indent=2))


def steps_table(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """A training step, inference and STG-Grad-CAM, beside the dense formulation."""
    common = ("--threads", arguments.threads, "--rounds", arguments.rounds)
    cases = [(nodes, arguments.degree) for nodes in arguments.nodes or [207, 1000, 8600]]
    cases += [(1000, degree) for degree in (8, 16, 32, 64)] if arguments.edges else []
    results = []
    for nodes, degree in cases:
        for kind in KINDS:
            row: dict[str, Any] = {"nodes": nodes, "degree": degree, "kind": kind}
            for which in ("ours", "dense"):
                if which == "ours" or nodes <= arguments.dense_up_to:
                    size = ("--nodes", nodes, "--degree", degree)
                    row[which] = in_own_process(*common, *size, "--one", which, kind)
            results.append(row)
            ours, dense = row["ours"], row.get("dense")
            beside = (
                f"dense {duration(dense)}, peak {dense['peak MB']:6.0f} MB"
                if dense
                else "dense: does not fit"
                if "dense" in row
                else "dense: not tried"
            )
            print(
                f"N = {nodes:5d}, {ours['edges']:6d} edges, {kind:13s}: ours {duration(ours)}, "
                f"peak {ours['peak MB']:6.0f} MB; {beside}",
                flush=True,
            )
    return results


if __name__ == "__main__":
    main()
