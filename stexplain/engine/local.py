"""Runs parts of a work in processes of this machine."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stexplain.errors import DataError

RETRIES = 3
"""How often a process that was killed, such as for want of memory, is started again."""


@dataclass
class _Child:
    command: list[str]
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    started: int = 1


def run_in_processes(module: str, folder: Path, numbers: Sequence[int], workers: int, poll: Callable[[], None]) -> None:
    """Writes parts in several processes. They end with the call, also on error.

    Args:
        module: see `run_parts`.
        folder: see `run_parts`.
        numbers: of the parts.
        workers: how many processes.
        poll: called while they run.

    Raises:
        DataError: an error that one of them reported, or where one is killed again and again.
    """
    children: list[_Child] = []
    try:
        for first in range(workers):
            command = [sys.executable, "-P", "-m", "stexplain.engine.child", module, str(folder)]
            command += [str(number) for number in numbers[first::workers]]
            # A file and not a pipe: a pipe that nobody reads fills up and stops its writer.
            log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed below, with its process
            children.append(_Child(command, _started(command, log), log))
        # Progress is what lies in the folder: processes report nothing but their errors.
        while any(child.process.poll() is None for child in children):
            poll()
            time.sleep(0.1)
            for child in children:
                _check(child)
        for child in children:
            _check(child)
        poll()
    finally:
        for child in children:
            child.process.terminate()
            child.process.wait()
            child.log.close()


def _started(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    # The caller's search path, so that its own readers and an uninstalled package are found from any folder.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(command, stderr=log, env=environment)


def _check(child: _Child) -> None:
    """Raises what a process reported, and starts one again that was killed: it goes on with the parts that are left."""
    code = child.process.poll()
    if not code:
        return
    if code < 0 and child.started <= RETRIES:
        child.started += 1
        child.process = _started(child.command, child.log)
        return
    child.log.seek(0)
    message = child.log.read().decode("utf-8", "replace").strip()
    killed = f" It was killed {child.started} times by signal {-code}: is there memory enough?" if code < 0 else ""
    raise DataError(message or f"A worker process ended with {code}.{killed}")
