"""Runs the parts of a work that are not finished yet, by the engine that was chosen."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from stexplain.engine.local import run_in_processes
from stexplain.engine.on_ray import run_on_ray
from stexplain.engine.writer import writer_of
from stexplain.errors import DataError, InputError, unknown
from stexplain.system import cores
from stexplain.wording import agree

Engine = Literal["local", "ray"]
"""Processes of this machine, or the machines of a Ray cluster."""
ENGINES: tuple[str, ...] = get_args(Engine)


def check_engine(engine: str, workers: int | None) -> None:
    """Refuses an engine or a number of workers before any work is begun.

    Raises:
        InputError: for another engine, fewer than one worker, or Ray where it is not installed.

    Example:
        >>> check_engine("rai", None)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown engine 'rai'. Did you mean 'ray'?
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if workers is not None and workers < 1:
        raise InputError(f"workers: got {workers}; expected at least 1.")
    if engine == "ray":
        try:
            import ray  # noqa: F401 - is it there?
        except ImportError as error:
            raise InputError(
                "engine: got 'ray', which is not installed. Install it with `pip install 'stexplain[ray]'`, or use "
                "the engine 'local'."
            ) from error


def run_parts(
    module: str,
    folder: Path,
    count: int,
    *,
    engine: str = "local",
    workers: int | None = None,
    done: Callable[[int], None] = lambda finished: None,
) -> None:
    """Writes every part of a work that is not there yet.

    A part that a lost worker was writing is written by another, and so is the same file: parts do not depend on who
    writes them, or in which order. What was finished before a kill stays, and is not written again.

    Args:
        module: the name of a module of this package that is a `Writer`.
        folder: of the work. On a cluster, every machine sees it under this path.
        count: how many parts; their numbers are 0 to ``count - 1``.
        engine: see `Engine`.
        workers: how many parts at a time; none: one for each processor of this machine, or of the cluster.
        done: called now and then with the number of finished parts.

    Raises:
        StexplainError: what a worker reported; what is finished stays.
        DataError: where parts are missing in the end.
    """
    check_engine(engine, workers)
    writer, folder = writer_of(module), Path(folder).resolve()

    def left() -> list[int]:
        return [number for number in range(count) if not writer.part_path(folder, number).is_file()]

    missing = left()
    done(count - len(missing))
    if engine == "ray" and missing:
        run_on_ray(module, folder, missing, workers, lambda: done(count - len(left())))
    elif min(workers or cores(), len(missing)) <= 1:
        # One worker needs no process: simpler to debug.
        for number in missing:
            writer.write_part(folder, number)
            done(count - len(missing) + missing.index(number) + 1)
    else:
        number = min(workers or cores(), len(missing))
        run_in_processes(module, folder, missing, number, lambda: done(count - len(left())))
    if unfinished := left():
        raise DataError(
            f"{len(unfinished)} of {count} parts {agree(len(unfinished), 'was', 'were')} not written. Run the "
            "same again to resume."
        )
