"""A run folder whose stages are done once: a run that is killed goes on from its last finished stage."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stexplain.errors import InputError
from stexplain.files import read_json, write_json

log = logging.getLogger(__name__)

_SHOWN = 60
"""Letters of a value that a message shows."""


class Stages:
    """The stages of a run, kept in its folder.

    A stage is finished when its record is written, which is the last thing it does; its files come before. Whatever
    an unfinished stage left is made again.

    Args:
        folder: of the run.
        asked: what was asked for, as JSON: a folder holds one run only.

    Raises:
        InputError: where the folder holds a run of something else.

    Example:
        >>> import tempfile
        >>> stages = Stages(Path(tempfile.mkdtemp()), {"seed": 0})
        >>> stages("sum", lambda: {"value": 1 + 1})["value"]
        2
        >>> stages("sum", lambda: 1 / 0)["value"]  # finished: not done again
        2
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        self.folder = folder
        record = folder / "run.json"
        before = read_json(record) if record.is_file() else dict(asked)
        differs = sorted(key for key in {*asked, *before} if before.get(key) != asked.get(key))
        # A run that never finished a stage, for instance because its data was not there, holds nothing to protect.
        if differs and (folder / "stages").exists():
            what = "; ".join(_differs(key, before.get(key), asked.get(key)) for key in differs)
            raise InputError(
                f"{folder} holds a run of something else: {what}. "
                "Give another folder with --out, or remove this one to start over."
            )
        if not record.is_file() and folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty and holds no run. Give another folder with --out.")
        if differs or not record.is_file():
            write_json(record, asked)

    def __call__(self, name: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The result of a stage: read where it is finished, else worked out and written.

        Args:
            name: of the stage; may contain slashes.
            work: gives a result that JSON can hold.
        """
        record = self._record(name)
        if not record.is_file():
            log.info("%s begins", name)
            started = time.perf_counter()
            result = work()
            seconds = round(time.perf_counter() - started, 3)
            write_json(record, {"seconds": seconds, "result": result})
            log.info("%s ended after %.1f s", name, seconds)
        else:
            log.info("%s was done before", name)
        found: dict[str, Any] = read_json(record)["result"]
        return found

    @contextmanager
    def logged(self) -> Iterator[None]:
        """Appends what the package logs meanwhile to `log.txt` of the folder; errors too."""
        package = logging.getLogger("stexplain")
        handler = logging.FileHandler(self.folder / "log.txt", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        level = package.level
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

    def seconds(self) -> dict[str, float]:
        """How long each finished stage took, in seconds, in the order in which they ended."""
        records = sorted((self.folder / "stages").rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return {
            path.relative_to(self.folder / "stages").with_suffix("").as_posix(): float(read_json(path)["seconds"])
            for path in records
        }

    def _record(self, name: str) -> Path:
        return self.folder / "stages" / f"{name}.json"


def _differs(key: str, before: object, now: object) -> str:
    """What changed of what was asked; hashes and whole experiments would fill the screen."""
    shown = max(len(repr(before)), len(repr(now))) <= _SHOWN
    return f"{key} was {before!r}, now {now!r}" if shown else f"{key} is another"
