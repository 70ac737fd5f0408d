"""Training beside a busy program: seconds per epoch with idle threads that spin, and with idle threads that sleep.

A thread of OpenMP that waits for the next operation either spins or sleeps (`OMP_WAIT_POLICY` ACTIVE or PASSIVE; unset,
it spins for some milliseconds first). The command line sets PASSIVE and a small `GOMP_SPINCOUNT`, which lets threads
spin for microseconds before they sleep. An epoch of the main job's model (STGCN-10,
recipe `quick`, 45 batches of 16 clips, as `stexplain bench ntu` trains on) is timed under each policy, first with the
machine as it is, then beside a process that keeps one core busy. Each measurement is a process of its own, as the
policy is read once, when torch is loaded; policies take turns, so that what else the machine does falls on all alike.
The fair share is twice the time of an idle machine: the thread that shares its core gets half of it, and an operation
ends with its slowest thread.

    python benchmarks/busy_core.py [--rounds 3] [--steps 45] [--json FILE]
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stexplain.cli.openmp import SETTINGS, WAITING

POLICIES: dict[str, dict[str, str]] = {
    "default": {},
    "active": {"OMP_WAIT_POLICY": "ACTIVE"},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "command line": WAITING,
}


def measure(steps: int, epochs: int) -> list[float]:
    """Seconds of each epoch of `steps` training steps, after one that is not counted."""
    # Imported here: the parent process needs no torch, and the policy must be set before it is loaded.
    import torch
    from torch.nn import functional as F

    from stexplain.cards import model_card
    from stexplain.graph import STGraph
    from stexplain.nn.checkpoint import load_model

    torch.manual_seed(0)
    graph = STGraph.from_card("ntu")
    recipe = model_card("stgcn10").recipe("quick")
    model = load_model("stgcn10", graph=graph, classes=12, recipe="quick").train()
    x = torch.randn(recipe.batch, 1, recipe.clip_frames, len(graph), 3)
    labels = torch.randint(12, (recipe.batch,))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    seconds = []
    for _ in range(epochs + 1):
        start = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(model(x), labels).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def spin() -> None:
    """A program that is always busy, on one core."""
    while True:
        pass


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """Keeps as many cores busy while the block runs."""
    # Spawned, not forked: the parent's threads are none of their business.
    programs = [multiprocessing.get_context("spawn").Process(target=spin, daemon=True) for _ in range(count)]
    for program in programs:
        program.start()
    try:
        yield
    finally:
        for program in programs:
            program.terminate()
            program.join()


def in_own_process(policy: dict[str, str], steps: int, epochs: int) -> list[float]:
    environment = {name: value for name, value in os.environ.items() if name not in (*SETTINGS, "OMP_NUM_THREADS")}
    environment |= {"DGLBACKEND": "pytorch"} | policy
    command = [sys.executable, __file__, "--one", "--steps", str(steps), "--epochs", str(epochs)]
    child = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    seconds: list[float] = json.loads(child.stdout)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="processes per policy and load")
    parser.add_argument("--epochs", type=int, default=2, help="epochs that are timed in each process")
    parser.add_argument("--steps", type=int, default=45, help="training steps in an epoch")
    parser.add_argument("--busy", type=int, default=1, help="busy programs beside the training")
    parser.add_argument("--json", type=Path, help="writes the figures here")
    parser.add_argument("--one", action="store_true", help="measures in this process alone; prints JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.steps, arguments.epochs)))
        return
    loads = {"idle": 0, "beside a busy program": arguments.busy}
    seconds: dict[str, dict[str, list[float]]] = {load: {name: [] for name in POLICIES} for load in loads}
    for _ in range(arguments.rounds):
        for load, count in loads.items():
            for name, policy in POLICIES.items():
                with busy_programs(count):
                    epochs = in_own_process(policy, arguments.steps, arguments.epochs)
                # Spinning threads beside a busy program take minutes: each figure is shown as it comes.
                print(f"{load}, {name}: {', '.join(f'{each:.2f} s' for each in epochs)}", file=sys.stderr, flush=True)
                seconds[load][name] += epochs
    medians: dict[str, dict[str, Any]] = {
        load: {name: statistics.median(values) for name, values in rows.items()} for load, rows in seconds.items()
    }
    cores = len(os.sched_getaffinity(0))
    print(f"an epoch of {arguments.steps} steps, {cores} cores, {arguments.busy} busy programs beside it, medians")
    for name in POLICIES:
        idle, busy = (medians[load][name] for load in loads)
        print(f"  {name:12s} idle {idle:6.2f} s, beside a busy program {busy:6.2f} s: {busy / idle:5.2f} x")
    idle, busy = medians.values()
    print(f"  command line of default: idle {idle['command line'] / idle['default']:.2f} x, ", end="")
    print(f"beside a busy program {busy['command line'] / busy['default']:.2f} x")
    if arguments.json:
        about = {"cores": cores, "busy": arguments.busy, "steps": arguments.steps}
        arguments.json.write_text(json.dumps({**about, "medians": medians, "seconds": seconds}, indent=2) + "\n")


if __name__ == "__main__":
    main()
