"""A run folder whose stages are computed once: an experiment that is stopped resumes from its last finished stage."""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stexplain.errors import DataError, InputError
from stexplain.files import (
    check_digest,
    digest,
    folder_lock,
    is_leftover,
    plain,
    read_json,
    remove_leftovers,
    write_json,
)
from stexplain.reading import is_there, regular_file
from stexplain.reading.shape import Form
from stexplain.reading.within import inside, refuse_links_out

log = logging.getLogger(__name__)

_SHOWN = 60
"""Letters of a value that a message shows."""
_LOCK = "lock"
"""The file by which a process holds a folder, see `folder_lock`."""
RESULTS = "results.json"
"""What a run ends with, written with a checksum and read back as it was."""
_AGAIN = "Remove it and run the experiment again: what was computed is kept."
_FORMATS = ("json", "html", "png", "svg", "narrow")
"""By these keys a figure names its files."""


class Records:
    """What is computed in a run folder, a record each.

    A stage is finished when its record is written, which is the last thing it does; its files come before. Whatever an
    unfinished stage left is computed again.

    Args:
        folder: of the run.

    Example:
        >>> import tempfile
        >>> records = Records(Path(tempfile.mkdtemp()))
        >>> records("sum", lambda: {"value": 1 + 1})["value"]
        2
        >>> records("sum", lambda: 1 / 0)["value"]  # finished: not computed again
        2
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The seconds of finished parts, one entry per level of nesting.
        self._part_seconds: list[float] = []

    def __contains__(self, name: str) -> bool:
        return is_there(self._record(name))

    def __call__(self, name: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The result of a stage: read where it is finished, else computed and written.

        Args:
            name: of the stage; may contain slashes.
            work: gives a result that JSON can hold; it may call this for parts of the stage.
        """
        # The record is the last thing that is written: where it exists, the stage's files are whole.
        if name in self:
            log.info("%s was finished before", name)
        else:
            log.info("%s begins", name)
            started = time.perf_counter()
            self._part_seconds.append(0.0)
            try:
                result = work()
            finally:
                # Also where the work raises, so that levels stay paired.
                in_parts = self._part_seconds.pop()
            elapsed = time.perf_counter() - started
            if self._part_seconds:
                self._part_seconds[-1] += elapsed
            # The time of parts is in their own records: all times add up to that of the experiment.
            whole = {"seconds": round(elapsed - in_parts, 3), "result": result, "sha256": digest(result)}
            write_json(self._record(name), whole)
            log.info("%s ended after %.1f s", name, elapsed)
        # Read back also where it was just computed, so that a resumed run sees the very same values.
        recorded: dict[str, Any] = read_record(self._record(name))["result"]
        return recorded

    def seconds(self) -> dict[str, float]:
        """How long each finished stage took, in seconds, in the order in which they ended."""
        records = sorted((self.folder / "stages").rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return {
            path.relative_to(self.folder / "stages").with_suffix("").as_posix(): read_record(path)["seconds"]
            for path in records
        }

    def _record(self, name: str) -> Path:
        return self.folder / "stages" / f"{name}.json"


class Record(Form):
    """What the file of a record holds; those of earlier versions have no checksum."""

    seconds: float | int
    result: dict[str, Any]
    sha256: str | None = None


def read_record(path: Path) -> dict[str, Any]:
    """The record in a file, which is as it was written: a damaged one would give numbers that nobody computed."""
    found = read_json(path, Record)
    check_digest(path, found["result"], found.get("sha256"), "Remove it and run again.")
    return found


class _Results(Form):
    """What is taken from the file; a page is made of unfinished results too, so every entry may be missing."""

    title: str | None = None
    node: str | None = None
    seed: int = 0
    sha256: str | None = None
    runs: dict[str, dict[str, Any]] | None = None
    datasets: dict[str, dict[str, Any]] | None = None
    stages: dict[str, dict[str, Any]] | None = None
    figures: list[dict[str, Any]] | None = None
    tables: dict[str, dict[str, str]] | None = None
    verdicts: list[dict[str, str]] | None = None
    seconds: dict[str, float | int] | None = None
    versions: dict[str, str | None] | None = None


def write_results(folder: Path, results: Mapping[str, Any]) -> None:
    """Writes the results of a run folder, with a checksum over them."""
    content = {key: value for key, value in plain(results).items() if key != "sha256"}
    write_json(folder / RESULTS, {**content, "sha256": digest(content)})


def read_results(folder: Path) -> dict[str, Any]:
    """The results of a run folder.

    Raises:
        DataError: where there are none, they have changed since they were written: numbers that nobody computed; or
            what they name, or a link in the folder, leads out of it.
    """
    refuse_links_out(folder)
    results = read_json(folder / RESULTS, _Results, remedy=_AGAIN)
    content = {key: value for key, value in results.items() if key != "sha256"}
    check_digest(folder / RESULTS, content, results.get("sha256"), _AGAIN)
    named = [*(content.get("runs") or {}), *(one["file"] for one in (content.get("tables") or {}).values())]
    named += [str(one[key]) for one in content.get("figures") or () for key in _FORMATS if one.get(key) is not None]
    for name in named:
        inside(name, folder / RESULTS, _AGAIN)
    return content


@contextmanager
def run_folder(folder: Path, requested: Mapping[str, Any]) -> Iterator[Records]:
    """A run folder of one's own: no other process works in it meanwhile, and it holds one experiment only.

    What the package logs meanwhile goes to its `log.txt`; errors too.

    Args:
        folder: made where it is missing.
        requested: what was requested, as JSON; kept in `run.json`.

    Raises:
        InputError: where another process runs in the folder, or it holds something else.
    """
    _check(folder, requested)
    made = [path for path in (folder, *folder.absolute().parents) if not path.exists()]
    with _locked(folder):
        # Another process may have begun here since.
        _check(folder, requested)
        remove_leftovers(folder)
        write_json(folder / "run.json", requested)
        try:
            with logged(folder):
                yield Records(folder)
        except InputError:
            # The call was wrong: what was made for it is of no use. While the lock is held, nobody else is in there.
            if folder in made and not _worked(folder):
                _remove(made)
            raise


def _remove(made: Sequence[Path]) -> None:
    """Removes a folder, and those above that were made for it, where nobody has put anything there since."""
    shutil.rmtree(made[0], ignore_errors=True)
    for above in made[1:]:
        with suppress(OSError):
            above.rmdir()


def _worked(folder: Path) -> bool:
    """Whether anything was computed: a stage finished, or raw recordings were read into a store."""
    stages = folder / "stages"
    # The record of data that was opened says where it lies, no more.
    return (folder / "store").exists() or (stages.exists() and any(path.name != "data" for path in stages.iterdir()))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        with folder_lock(folder, wait=False):
            try:
                yield
            finally:
                # While it is still held; afterwards it may be another process's. Windows removes no file that is open:
                # there it stays.
                with suppress(PermissionError):
                    (folder / _LOCK).unlink(missing_ok=True)
    except InputError as error:
        # Errors of the work itself go through here as well, and keep their own message.
        if isinstance(error.__context__, BlockingIOError):
            raise InputError(
                f"{folder} is in use: another process runs an experiment in it. Wait until it ends, or give another "
                "folder with --out."
            ) from None
        raise


def _check(folder: Path, requested: Mapping[str, Any]) -> None:
    record = folder / "run.json"
    # What is written into a folder of somebody else's must not land elsewhere.
    refuse_links_out(folder)
    if not is_there(record):
        if folder.exists() and any(path.name != _LOCK and not is_leftover(path) for path in folder.iterdir()):
            raise InputError(f"{folder} is not empty and holds no run. Give another folder with --out.")
        return
    before = read_json(record)
    differs = sorted(key for key in {*requested, *before} if before.get(key) != requested.get(key))
    # A run that never finished a stage, for instance because its data was missing, holds nothing to protect.
    if differs and (folder / "stages").exists():
        what = "; ".join(difference(key, before.get(key), requested.get(key)) for key in differs)
        resumed = f"Set OMP_NUM_THREADS={before.get('threads')} to resume it. " if differs == ["threads"] else ""
        raise InputError(
            f"{folder} holds another run: {what}. {resumed}Give another folder with --out, or remove this one to start "
            "over."
        )


def difference(key: str, before: object, now: object, words: tuple[str, str] = ("was", "now")) -> str:
    """What changed of what was requested; hashes and whole experiments would fill the screen.

    Example:
        >>> difference("seed", 0, 1)
        'seed was 0, now 1'
    """
    shown = max(len(repr(before)), len(repr(now))) <= _SHOWN
    return f"{key} {words[0]} {before!r}, {words[1]} {now!r}" if shown else f"{key} differs"


@contextmanager
def logged(folder: Path) -> Iterator[None]:
    """Adds what the package logs within the block, errors too, to the `log.txt` of a run folder."""
    package = logging.getLogger("stexplain")
    path = folder / "log.txt"
    # A pipe would wait for a reader.
    if os.path.lexists(path):
        regular_file(path, "Remove it and run again.")
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} could not be written: {error.strerror}. Remove it and run again.") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    level = package.level
    # The package's logger belongs to the caller too: level and handlers are put back at the end.
    package.addHandler(handler)
    package.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    except BaseException as error:
        log.error("stopped by %s: %s", type(error).__name__, error)
        raise
    finally:
        package.setLevel(level)
        package.removeHandler(handler)
        handler.close()
