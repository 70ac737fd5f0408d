"""Many clips in one call, by every registered method: what it holds at most stays below 2 GB, whatever their number.

STGCN-7 explains clips of one person in a single call, with the method's own `chunk`. Each method is a process of its
own; *peak* is the highest resident memory less that of the process before the call, maps and samples included. What is
held does not depend on how many passes a method makes, so that they are few here: two steps, two orders, windows of 16
frames. `--own` takes each method's own numbers, which lasts hours.

    python benchmarks/memory.py [--clips 1000] [--frames 64] [--width 1] [--only NAME ...] [--own] [--json FILE]
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch
from whole_store import memory

from stexplain.errors import StexplainError
from stexplain.explainers.by_name import explainer, methods, option_names
from stexplain.graph import STGraph
from stexplain.nn.checkpoint import load_model

LIMIT = 2000
"""Megabytes."""
FEW: dict[str, Any] = {"steps": 2, "draws": 2, "orders": 2, "window": 16}


def measured(name: str, clips: int, frames: int, width: float, own: bool) -> dict[str, Any]:
    """Peak memory and time of one method, in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    graph = STGraph.from_card("ntu")
    network = load_model("stgcn7", graph=graph, classes=60, width=width).eval()
    x = torch.randn(clips, 1, frames, len(graph), 3)
    few = {} if own else {option: FEW[option] for option in option_names(name) if option in FEW}
    try:
        method = explainer(name, network, **few)
        # What is loaded at the first call is no part of what a call holds.
        method(x[:1, :, :16])
    except (StexplainError, TypeError) as error:
        return {"refused": str(error).split(". ")[0]}
    before, highest, over = memory("RssAnon"), 0.0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not over.wait(0.01):
            highest = max(highest, memory("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.process_time()
    try:
        explanation = method(x)
    finally:
        over.set()
        watcher.join()
    assert len(explanation) == clips
    return {"peak": highest - before, "cpu": time.process_time() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--width", type=float, default=1.0, help="factor on the channels of STGCN-7")
    parser.add_argument("--only", nargs="+", choices=list(methods()), default=list(methods()), metavar="METHOD")
    parser.add_argument("--own", action="store_true", help="each method's own number of passes")
    parser.add_argument("--json", type=Path, help="writes the figures here")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.only[0], given.clips, given.frames, given.width, given.own)))
        return
    sizes = ["--clips", str(given.clips), "--frames", str(given.frames), "--width", str(given.width)]
    print(f"{given.clips:,} clips of {given.frames} frames, STGCN-7 at width {given.width:g}: MB at most, CPU seconds")
    results: dict[str, Any] = {}
    for name in given.only:
        command = [sys.executable, __file__, "--one", *sizes, "--only", name, *(["--own"] if given.own else [])]
        child = subprocess.run(command, env=os.environ, stdout=subprocess.PIPE, check=True, text=True)
        found = results[name] = json.loads(child.stdout.splitlines()[-1])
        shown = found.get("refused") or f"{found['peak']:7.0f} {found['cpu']:8.1f}"
        print(f"  {name:24s} {shown}", flush=True)
    if given.json:
        given.json.write_text(json.dumps({"clips": given.clips, "frames": given.frames, "methods": results}, indent=2))
    above = [name for name, found in results.items() if found.get("peak", 0) > LIMIT]
    print(f"above {LIMIT:,} MB: {', '.join(above) or 'none'}")
    sys.exit(bool(above))


if __name__ == "__main__":
    main()
