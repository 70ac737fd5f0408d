"""STGCN-10's training step and inference against the dense einsum formulation in NCHW memory.

Both networks hold the same parameters and see the same input, [16, 1, 150, 25, 3] by default, without padding; with
``--mix ntu`` clips as in NTU RGB+D (85 frames on average, four fifths of them of one person), zero-padded to 2 x 300
frames, which ours is told by `valid`; a new batch of 8 in every round. They run in turn in one process, so that what
else the machine does falls on both alike. Printed are medians, the median of the ratios of neighbouring runs (with its
middle half, and that of CPU time, which other load disturbs less), and peak extra memory: the highest resident memory
that a thread sees while one network runs, less what was resident before.

The C library's allocator hands large blocks back to the system, and asks for them (zeroed, page by page) again at the
next operation. An allocator that keeps its pages saves that, and saves the dense formulation more of it, as that one
allocates more; both are measured, the second with glibc told to keep pages. As what glibc keeps depends on what the
process did before, training and inference are measured in a process each.

    python benchmarks/train_step.py [--mix ntu] [--threads 2] [--rounds 15] [--json FILE]
"""

import argparse
import ctypes
import gc
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.cards import dataset_card, model_card
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN

KINDS = ("training step", "inference")
# glibc's own switches: never map a block by itself, never hand the top of the heap back.
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40), "MALLOC_TOP_PAD_": str(2**28)}


class DenseBlock(nn.Module):
    """A block of the network as its authors implemented it: 1x1 convolution, einsum with the dense adjacency."""

    def __init__(self, channels_in: int, channels_out: int, adjacency: torch.Tensor, stride: int, first: bool):
        super().__init__()
        self.relations = len(adjacency)
        self.importance = nn.Parameter(torch.ones_like(adjacency))
        self.mix = nn.Conv2d(channels_in, channels_out * self.relations, 1)
        self.over_time = nn.Sequential(
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, (9, 1), (stride, 1), (4, 0)),
            nn.BatchNorm2d(channels_out),
            nn.Dropout(0.0 if first else 0.5, inplace=True),
        )
        self.skip: nn.Module | None = nn.Identity()
        if first:
            self.skip = None
        elif channels_in != channels_out or stride != 1:
            self.skip = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, (stride, 1)), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        mixed = self.mix(x)
        batch, channels, frames, nodes = mixed.shape
        mixed = mixed.view(batch, self.relations, channels // self.relations, frames, nodes)
        y = torch.einsum("nkctv,kvw->nctw", mixed, adjacency * self.importance).contiguous()
        y = self.over_time(y)
        return F.relu(y if self.skip is None else y + self.skip(x), inplace=True)


class Dense(nn.Module):
    """The whole network on [B, C, T, N, M], dense."""

    adjacency: torch.Tensor

    def __init__(self, adjacency: torch.Tensor, classes: int, channels: list[int], strides: list[int]):
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.data_norm = nn.BatchNorm1d(3 * adjacency.shape[1])
        widths = [3, *channels]
        self.blocks = nn.ModuleList(
            DenseBlock(widths[i], widths[i + 1], adjacency, strides[i], i == 0) for i in range(len(channels))
        )
        self.head = nn.Conv2d(channels[-1], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, frames, nodes, instances = x.shape
        # The released code's order: normalise each node's channels over time, then [(b m), c, t, n].
        x = x.permute(0, 4, 3, 1, 2).contiguous().view(batch * instances, nodes * channels, frames)
        x = self.data_norm(x).view(batch, instances, nodes, channels, frames)
        x = x.permute(0, 1, 3, 4, 2).contiguous().view(batch * instances, channels, frames, nodes)
        for block in self.blocks:
            x = block(x, self.adjacency)
        x = F.avg_pool2d(x, x.shape[2:]).view(batch, instances, -1, 1, 1).mean(1)
        return self.head(x).flatten(1)


def copy_parameters(ours: STGCN, dense: Dense) -> None:
    """Gives the dense network the parameters of ours."""

    def copy_norm(source: nn.Module, target: nn.Module) -> None:
        target.load_state_dict(source.state_dict())

    with torch.no_grad():
        copy_norm(ours.data_norm, dense.data_norm)
        for ours_block, block in zip(ours.blocks, dense.blocks, strict=True):
            out, channels, relations, _ = ours_block.spatial.weight.shape
            # Ours is [out, C, K, 1]; the dense one has a block of outputs per relation.
            block.mix.weight.copy_(
                ours_block.spatial.weight.permute(2, 0, 1, 3).reshape(relations * out, channels, 1, 1)
            )
            block.mix.bias.copy_(ours_block.spatial.bias.T.reshape(-1))
            copy_norm(ours_block.spatial_norm, block.over_time[0])
            block.over_time[2].weight.copy_(ours_block.temporal.weight.transpose(2, 3))
            block.over_time[2].bias.copy_(ours_block.temporal.bias)
            copy_norm(ours_block.temporal_norm, block.over_time[3])
            if isinstance(block.skip, nn.Sequential):
                block.skip[0].weight.copy_(ours_block.residual[0].weight)
                block.skip[0].bias.copy_(ours_block.residual[0].bias)
                copy_norm(ours_block.residual[1], block.skip[1])
        dense.head.weight.copy_(ours.head.weight[:, :, None, None])
        dense.head.bias.copy_(ours.head.bias)


def resident() -> int:
    """Resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_extra(run: Callable[[], object]) -> float:
    """The highest resident memory while `run` runs less that before, in MB, sampled every half millisecond."""
    # Freed memory that is still resident would hide what the run takes.
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    before = highest = resident()
    finished = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not finished.wait(0.0005):
            highest = max(highest, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    run()
    finished.set()
    watcher.join()
    return (highest - before) / 1e6


def in_turn(
    runs: dict[str, Callable[[], object]], rounds: int, before: Callable[[], None]
) -> dict[str, dict[str, list[float]]]:
    """Seconds on the clock and of CPU time of every run, in turn, after two rounds that are not counted."""
    seconds: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in runs} for kind in ("clock", "cpu")}
    for i in range(rounds + 2):
        before()
        for name, run in runs.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            run()
            if i >= 2:
                seconds["clock"][name].append(time.perf_counter() - start)
                seconds["cpu"][name].append(time.process_time() - start_cpu)
    return seconds


def valid_like_ntu(clips: int, generator: np.random.Generator) -> torch.Tensor:
    """The padding mask of clips as in NTU RGB+D 60, ``[B, 2, 300]``: 85 frames on average, 18% of two persons."""
    # Lengths there are from 32 to 300, skewed to the right: a log-normal distribution of mean 85.
    lengths = np.exp(generator.normal(np.log(85) - 0.4**2 / 2, 0.4, clips)).round().clip(32, 300).astype(int)
    valid = torch.zeros(clips, 2, 300, dtype=torch.bool)
    for clip, (length, two) in enumerate(zip(lengths, generator.random(clips) < 10_347 / 56_578, strict=True)):
        valid[clip, : 1 + two, :length] = True
    return valid


class Data:
    """The batch that both networks see; `draw` takes another."""

    def __init__(self, shape: list[int], mix: str | None):
        self.shape, self.mix, self.generator = shape, mix, np.random.default_rng(0)
        self.shares: list[float] = []
        self.labels = torch.randint(60, (shape[0],))
        self.draw()

    def draw(self) -> None:
        """The next batch: the same numbers, with other frames padded where there is a mix."""
        if self.mix is None and self.shares:
            return
        self.valid = valid_like_ntu(self.shape[0], self.generator) if self.mix else None
        self.x = torch.randn(self.shape)
        if self.valid is not None:
            self.x = self.x * self.valid[..., None, None]
        self.theirs = self.x.permute(0, 4, 2, 3, 1).contiguous()
        self.shares.append(1.0 if self.valid is None else float(self.valid.float().mean()))

    def logits(self, model: nn.Module) -> torch.Tensor:
        """Of our model or of the dense one."""
        out: torch.Tensor = model(self.x, self.valid) if isinstance(model, STGCN) else model(self.theirs)
        return out


def measure(kind: str, shape: list[int], rounds: int, mix: str | None) -> dict[str, object]:
    """The figures of one process: of the ``"training step"`` or of ``"inference"``."""
    torch.manual_seed(0)
    graph = STGraph.from_card(dataset_card("ntu"))
    hyperparameters = model_card("stgcn10").hyperparameters
    ours = STGCN(graph, classes=60, **hyperparameters)
    adjacency = torch.from_numpy(ours.relations.matrices(len(graph))).float()
    dense = Dense(adjacency, 60, hyperparameters["channels"], hyperparameters["strides"])
    copy_parameters(ours, dense)

    data = Data(shape, mix)
    ours.eval()
    dense.eval()
    with torch.no_grad():
        # The dense network counts padding, which ours leaves out: they are compared on a batch without.
        whole = Data([2, 1, 64, 25, 3], None)
        difference = float((whole.logits(ours) - whole.logits(dense)).abs().max() / whole.logits(dense).abs().max())

    def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[], object]:
        def run() -> None:
            model.train()
            optimizer.zero_grad()
            F.cross_entropy(data.logits(model), data.labels).backward()
            optimizer.step()

        return run

    def infer(model: nn.Module) -> Callable[[], object]:
        def run() -> None:
            model.eval()
            with torch.inference_mode():
                data.logits(model)

        return run

    optimizers = [
        torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
        for model in (ours, dense)
    ]
    kinds = {
        "training step": {"ours": step(ours, optimizers[0]), "dense": step(dense, optimizers[1])},
        "inference": {"ours": infer(ours), "dense": infer(dense)},
    }
    runs = kinds[kind]
    seconds = in_turn(runs, rounds, data.draw)
    ratios = {
        how: [a / b for a, b in zip(values["ours"], values["dense"], strict=True)] for how, values in seconds.items()
    }
    return {
        "largest relative difference of logits": difference,
        "seconds": {name: statistics.median(values) for name, values in seconds["clock"].items()},
        "share of frames": statistics.mean(data.shares),
        "ratio": statistics.median(ratios["clock"]),
        "ratio, middle half": statistics.quantiles(ratios["clock"], n=4)[::2],
        "ratio of CPU time": statistics.median(ratios["cpu"]),
        "peak extra MB": {name: max(peak_extra(run) for _ in range(3)) for name, run in runs.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=5, help="of the input, B M T N C; default: 16 1 150 25 3")
    parser.add_argument("--mix", choices=["ntu"], help="clips with padding as in this dataset, 8 of 2 x 300 frames")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="writes the figures here")
    parser.add_argument("--one", choices=KINDS, help="this kind alone, with this process's allocator; prints JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.mix and arguments.shape:
        parser.error("--mix has a shape of its own: leave --shape out.")
    shape = [8, 2, 300, 25, 3] if arguments.mix else arguments.shape or [16, 1, 150, 25, 3]
    if arguments.one:
        print(json.dumps(measure(arguments.one, shape, arguments.rounds, arguments.mix)))
        return
    results: dict[str, dict[str, Any]] = {}
    for name, setting in {"default allocator": {}, "allocator keeps pages": KEEP_PAGES}.items():
        results[name] = {}
        print(name)
        for kind in KINDS:
            command = [sys.executable, __file__, "--one", kind, "--threads", str(arguments.threads)]
            command += ["--rounds", str(arguments.rounds)]
            command += ["--mix", arguments.mix] if arguments.mix else ["--shape", *map(str, shape)]
            child = subprocess.run(
                command, env={**os.environ, **setting}, stdout=subprocess.PIPE, check=True, text=True
            )
            entry = results[name][kind] = json.loads(child.stdout)
            low, high = entry["ratio, middle half"]
            seconds, memory, difference = (
                entry["seconds"],
                entry["peak extra MB"],
                entry["largest relative difference of logits"],
            )
            if arguments.mix:
                print(f"  {entry['share of frames']:.3f} of the frames are none of padding")
            print(
                f"  {kind:14s} ours {seconds['ours'] * 1e3:6.0f} ms, dense {seconds['dense'] * 1e3:6.0f} ms, "
                f"ratio {entry['ratio']:.2f} ({low:.2f} to {high:.2f}), of CPU time {entry['ratio of CPU time']:.2f}; "
                f"peak extra memory {memory['ours']:.0f} of {memory['dense']:.0f} MB; "
                f"logits differ by at most {difference:.0e}, relative",
                flush=True,
            )
    if arguments.json:
        about = {"shape": shape, "mix": arguments.mix, "threads": arguments.threads, "torch": torch.__version__}
        arguments.json.write_text(json.dumps({**about, **results}, indent=2))


if __name__ == "__main__":
    main()
