"""Files: atomic writes, JSON, checksums, the cache folder, and a lock on a folder."""

import errno
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from stexplain.errors import DataError, InputError
from stexplain.reading import read_json_value, readable
from stexplain.reading.shape import check_shape
from stexplain.system import lock_file, removes_open_files

_PART = ".part"
"""How the folder ends that `atomic_write` writes in."""
_HELD = ".held"
"""The file in it that the writing process has locked."""
_LETTERS = 40
"""So many of a path's name are in that of the folder."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write a file or folder to, and renames it to `path` when the block succeeds.

    The temporary path is beside the final one, so that the move is one rename on one file system. Where the block
    raises, the temporary is removed and `path` stays as it was. Where the process is killed, it is left until
    `path` is written again: see also `remove_leftovers`.

    Args:
        path: the final file or folder. An existing one is replaced.

    Raises:
        DataError: where the disk is full or the path is not writable.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "a.txt") as temporary:
        ...     _ = temporary.write_text("all of it")
        >>> (folder / "a.txt").read_text()
        'all of it'
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        holder, held = _holder(path)
    except OSError as error:
        raise _write_error(path, error) from error
    temporary = holder / path.name
    try:
        # Held as long as this process writes, and released by the system where it is killed.
        with held:
            yield temporary
            # `replace` overwrites a file but not a folder with entries: move the old folder into the holder first.
            if path.is_dir() and temporary.is_dir():
                path.rename(holder / "replaced")
            temporary.replace(path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _holder(path: Path) -> tuple[Path, IO[str]]:
    """A folder to write in, and the file in it that this process has locked; what was left of the same path goes."""
    # With what follows it, the name shall stay below the system's limit wherever the path's own does.
    prefix = f".{path.name[:_LETTERS]}."
    for left in path.parent.glob(f"{glob.escape(prefix)}*{_PART}"):
        # Without its file, someone has made it this moment.
        if left.is_dir() and not left.is_symlink() and (left / _HELD).exists():
            _remove_if_left(left)
    while True:
        holder = Path(tempfile.mkdtemp(prefix=prefix, suffix=_PART, dir=path.parent))
        held = (holder / _HELD).open("a")
        lock_file(held, wait=True)
        # Another process that writes the same may have taken it for left, before it was locked.
        if (holder / _HELD).exists():
            return holder, held
        held.close()


def is_leftover(path: Path) -> bool:
    """Whether a path is named as what `atomic_write` writes to.

    Example:
        >>> is_leftover(Path("run/.results.json.x1y2z3.part"))
        True
    """
    return path.name.startswith(".") and path.name.endswith(_PART)


def remove_leftovers(folder: Path) -> None:
    """Removes what processes that were killed left of files that they were writing, in a folder and those in it.

    What another process is writing right now stays.

    Args:
        folder: that this process has locked, or else made.
    """
    # A link leads to what nobody here was writing.
    for holder in [path for path in folder.rglob(f".*{_PART}") if path.is_dir() and not path.is_symlink()]:
        _remove_if_left(holder)


def _remove_if_left(holder: Path) -> None:
    try:
        with (holder / _HELD).open("a") as held:
            lock_file(held, wait=False)
            # Locked still: who is about to lock it too must find it gone.
            shutil.rmtree(holder, ignore_errors=True)
    # Someone writes there, or has just ended, or it is another user's.
    except (BlockingIOError, FileNotFoundError, PermissionError):
        return
    # Windows removes no open file.
    shutil.rmtree(holder, ignore_errors=True)


def _write_error(path: Path, error: OSError) -> DataError:
    full = error.errno == errno.ENOSPC
    remedy = "Free some space, or write to another disk." if full else "Does the folder exist, and is it writable?"
    # What is copied into it may be the one that lacks.
    other = error.filename if error.filename and Path(str(error.filename)).name != path.name else None
    reason = f"{error.strerror or error}{f' ({other})' if other else ''}"
    return DataError(f"{path} could not be written: {reason}. {remedy} No partial file is left.")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON object atomically. NaN and infinity become null, as JSON has neither."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def plain(value: Any) -> Any:
    """The value in JSON types: numpy scalars, arrays, paths, NaN and infinity are converted."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    # NaN is the only float that differs from itself.
    if (isinstance(value, float) and value != value) or value in (float("inf"), float("-inf")):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def read_json(path: Path, form: Any = dict[str, Any], *, remedy: str = "Remove it and run again.") -> dict[str, Any]:
    """Reads a JSON object.

    Args:
        path: of the file.
        form: what it must hold, see `check_shape`; further entries are allowed.
        remedy: what to do where it does not, for the message.

    Raises:
        DataError: where the file is missing, or is not a JSON object of this form.
    """
    if not os.path.lexists(path):
        raise DataError(f"{path} is missing: the run or preparation did not finish. Run it again.")
    value = read_json_value(path, remedy)
    if not isinstance(value, dict):
        raise DataError(f"{path}: got a JSON {type(value).__name__}; expected an object. {remedy}")
    check_shape(path, value, form, remedy)
    return value


def digest(value: Any) -> str:
    """The SHA-256 of a value as JSON, whatever the order of its keys.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()


def check_digest(path: Path, value: Any, expected: str | None, remedy: str) -> None:
    """Refuses what is not as it was written: its numbers are nobody's.

    Args:
        path: of the file.
        value: what it holds, without its checksum.
        expected: its checksum; none: a file of an earlier version, which has none.
        remedy: what to do, for the message.

    Raises:
        DataError: where it has changed.
    """
    with readable(path, "JSON", remedy):
        if expected is not None and digest(value) != expected:
            raise DataError(f"{path} has changed since it was written. {remedy}")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        DataError: where it may not be read.
    """
    with readable(Path(path), "a file", "Allow it to be read."), Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """The folder of generated data: `STEXPLAIN_CACHE` where set, else the user's cache folder."""
    if chosen := os.environ.get("STEXPLAIN_CACHE"):
        return Path(chosen).expanduser()
    # Imported here: few calls need it, and every import of the package would pay for it.
    from platformdirs import user_cache_path

    return user_cache_path("stexplain", appauthor=False)


@contextmanager
def folder_lock(folder: Path, *, wait: bool = True) -> Iterator[Path]:
    """Creates a folder and holds an exclusive lock on it; the block may remove the folder at its end.

    Args:
        folder: to be locked.
        wait: whether to wait while another process holds the lock.

    Raises:
        DataError: where the folder cannot be created.
        InputError: where another process holds the lock and `wait` is false.
    """
    made = not folder.exists()
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / "lock").open("a")
        except FileNotFoundError:  # the previous holder removed the folder between the two calls
            continue
        except OSError as error:
            raise DataError(f"{folder} could not be created: {error.strerror}. Is its parent writable?") from error
        with file:
            # The system releases this lock even where the process is killed.
            try:
                lock_file(file, wait=wait)
            except BlockingIOError:
                raise InputError(f"{folder} is in use by another process. Wait until it ends.") from None
            # While we waited, the holder may have removed the file: then our lock is on a deleted one, so try again.
            try:
                current = (folder / "lock").stat().st_ino == os.fstat(file.fileno()).st_ino
            except FileNotFoundError:
                current = False
            if current:
                try:
                    yield folder
                finally:
                    file.close()
                    # Where no open file is removed, another process's lock is not either: what the block left goes.
                    left = [path.name for path in folder.glob("*")] if made else []
                    if not removes_open_files() and left == ["lock"]:
                        shutil.rmtree(folder, ignore_errors=True)
                return
