"""Computes several runs at a time, each in a process of its own that has its share of the processors.

An operation that is divided among threads ends with its slowest thread: beside another program, which takes a part of
one core, all cores wait for that one. Processes do not wait for each other.
"""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

from stexplain.bench.processes.plan import Plan
from stexplain.cards.trust import trusted_names
from stexplain.errors import DataError


class _Child(NamedTuple):
    run: str
    process: "subprocess.Popen[bytes]"
    # A file and not a pipe: a pipe that nobody reads fills up and stops its writer.
    error: IO[bytes]


def compute_at_once(folder: Path, plans: Sequence[Plan], workers: int, *, threads: int, shown: bool) -> None:
    """Computes the stages of several runs, and writes their records. All processes end with the call, also on error.

    Args:
        folder: of the experiment, which the caller holds.
        plans: of the runs; begun in this order.
        workers: how many runs at a time.
        threads: of each process.
        shown: whether a line is shown as each stage begins.

    Raises:
        StexplainError: what a run raised; what is finished stays.
        DataError: where a process ended without a word.
    """
    waiting, running = list(plans), list[_Child]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_started(folder, waiting.pop(0), threads, shown))
            time.sleep(0.05)
            for child in list(running):
                if child.process.poll() is not None:
                    running.remove(child)
                    _check(child)
    finally:
        for child in running:
            child.process.terminate()
            child.process.wait()
            child.error.close()


def _started(folder: Path, plan: Plan, threads: int, shown: bool) -> _Child:
    error: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its process
    # The caller's search path, so that its own readers and an uninstalled package are found from any folder.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment["OMP_NUM_THREADS"] = str(threads)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "stexplain.bench.processes.child"],
        stdin=subprocess.PIPE,
        stdout=error,
        env=environment,
    )
    # Bars of several processes would write over each other; and a copy leaves behind what the run holds in memory.
    job = (folder, plan._replace(run=replace(plan.run, progress=False)), threads, shown, trusted_names())
    assert process.stdin is not None
    try:
        with process.stdin as stdin:
            pickle.dump(job, stdin)
    except BrokenPipeError:
        # It ended before it read this; `_check` says how.
        pass
    return _Child(plan.run.name, process, error)


def _check(child: _Child) -> None:
    """Raises what a process raised."""
    child.error.seek(0)
    with child.error as file:
        raised = file.read()
    code = child.process.returncode
    if not code:
        return
    if not raised:
        ended = f"was killed by signal {-code}: is there memory enough?" if code < 0 else f"ended with {code}."
        raise DataError(f"The process of the run {child.run} {ended} Run the same again to resume.")
    # Written by our own process, from which nobody else reads.
    error: Any = pickle.loads(raised)
    raise error
