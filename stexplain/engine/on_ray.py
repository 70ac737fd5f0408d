"""Runs parts of a work on a Ray cluster: one that runs, where RAY_ADDRESS names it, else one of this machine.

Ray starts a task again whose worker or machine is lost. A task writes one part, under another name first, so that it
may be run twice.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stexplain.engine.writer import writer_of
from stexplain.errors import DataError, StexplainError
from stexplain.system import cores

RETRIES = 3
"""How often a part is tried again whose worker was lost."""


def write_part(module: str, folder: str, number: int, search: Sequence[str]) -> str:
    """The task: writes one part where it is missing, and gives what went wrong, in words; empty: nothing."""
    # The caller's own readers are found as they are by it.
    sys.path += [path for path in search if path not in sys.path]
    try:
        writer = writer_of(module)
        if not writer.part_path(Path(folder), number).is_file():
            writer.write_part(Path(folder), number)
    except StexplainError as error:
        return str(error)
    return ""


def run_on_ray(
    module: str, folder: Path, numbers: Sequence[int], workers: int | None, poll: Callable[[], None]
) -> None:
    """Writes parts as tasks of a cluster.

    Args:
        module: see `run_parts`.
        folder: see `run_parts`.
        numbers: of the parts.
        workers: how many tasks at a time; none: as many as the cluster has processors.
        poll: called while they run.

    Raises:
        DataError: an error that a task reported, or where its workers were lost again and again.
    """
    import ray

    search = [path for path in sys.path if path]
    with _cluster(ray, workers):
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(write_part)
        at_once = workers or len(numbers)
        waiting, running = list(reversed(numbers)), list[Any]()
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(task.remote(module, str(folder), waiting.pop(), search))
            ready, running = ray.wait(running, timeout=0.5)
            poll()
            for each in ready:
                try:
                    message = ray.get(each)
                except ray.exceptions.RayError as error:
                    raise DataError(
                        f"a part was lost {RETRIES + 1} times with its worker: {str(error).splitlines()[0]} Run the "
                        "same again to resume."
                    ) from error
                if message:
                    raise DataError(message)


@contextmanager
def _cluster(ray: Any, workers: int | None) -> Iterator[None]:
    """A cluster for the length of the block: that of the caller, of RAY_ADDRESS, or a new one of this machine."""
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS")
    # Ray puts the current folder on its workers' search path, where a numpy.py beside the data would be imported;
    # an empty folder in its place is not searched.
    with tempfile.TemporaryDirectory(prefix="stexplain-") as empty:
        options: dict[str, Any] = {"runtime_env": {"working_dir": empty}, "log_to_driver": False}
        if address is None:
            size = workers or cores()
            options |= {"address": "local", "num_cpus": size, "include_dashboard": False}
        try:
            ray.init(logging_level="ERROR", **options)
        # Ray raises plain exceptions: on a busy machine its processes may not be there in time.
        except Exception as error:
            said = str(error).strip().partition("\n")[0]
            raise DataError(
                f"Ray did not start: {said} Run the same again to resume, on a machine that is less busy, or with the "
                "engine 'local'."
            ) from error
        try:
            yield
        finally:
            ray.shutdown()
