"""The speed-up of training under `torchrun`: one process on one core, then several, each on a core of its own.

Both train STGCN-7 by its released recipe on generated clips of NTU RGB+D's lengths and persons, over the same batches:
the global batch is the same, and each process takes its share. Printed are seconds of an epoch (the median of the
epochs after the first, which warms up), the speed-up, and what one process loses by waiting for the others. Run it on
a machine with nothing else on it: processes that wait for a core of their own measure that, and not the training.

    python benchmarks/torchrun.py [--processes 2] [--clips 256] [--epochs 4] [--json FILE]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from whole_store import generate

from stexplain.cards import model_card
from stexplain.data.clips import Clips
from stexplain.data.load import load_dataset
from stexplain.graph import STGraph
from stexplain.nn.checkpoint import load_model
from stexplain.training import fit


def train(store: Path, out: Path, epochs: int, batch: int) -> None:
    """What every process does: trains with the others that torchrun started, or alone."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data: Clips = load_dataset("ntu", store)
    recipe = (
        model_card("stgcn7").recipe("stgcn2018").model_copy(update={"epochs": epochs, "batch": batch, "rate": 0.01})
    )
    network = load_model("stgcn7", graph=STGraph.from_card("ntu"), classes=data.classes)
    history = fit(network, data, recipe=recipe, accelerator="cpu", progress=False)
    if os.environ.get("RANK", "0") == "0":
        out.write_text(json.dumps([[epoch.seconds, epoch.loss] for epoch in history.epochs]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16, help="of all processes together")
    parser.add_argument("--json", type=Path, help="writes the figures here")
    parser.add_argument("--train", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        store, out = map(Path, arguments.train)
        train(store, out, arguments.epochs, arguments.batch)
        return
    if arguments.epochs < 2:
        parser.error("--epochs: the first one warms up; give two at least.")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        generate(store, arguments.clips)
        given = ["--epochs", str(arguments.epochs), "--batch", str(arguments.batch), "--train", str(store)]
        # One thread each, as processes share a machine by its cores.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        seconds, losses = [], []
        for processes in (1, arguments.processes):
            out = Path(folder) / f"{processes}.json"
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
            command = [sys.executable, *launcher, __file__, *given, str(out)]
            subprocess.run(command, env=environment, check=True)
            epochs = json.loads(out.read_text())
            seconds.append(statistics.median(each[0] for each in epochs[1:]))
            losses.append(epochs[-1][1])
            print(f"{processes} processes: {seconds[-1]:.1f} s an epoch, last loss {losses[-1]:.4f}", flush=True)
    speed_up = seconds[0] / seconds[1]
    print(f"speed-up {speed_up:.2f} of {arguments.processes}: {speed_up / arguments.processes:.0%} of each core")
    results: dict[str, Any] = {
        "processes": arguments.processes,
        "seconds": seconds,
        "losses": losses,
        "speed-up": speed_up,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps({**results, "torch": torch.__version__}, indent=2))


if __name__ == "__main__":
    main()
