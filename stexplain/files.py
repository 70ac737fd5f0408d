"""Writing whole files or none: aside first, then renamed."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stexplain.errors import DataError, InputError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a path to write a file or a folder to, and moves it to `path` only when the block ends well.

    The temporary path lies beside the final one, so that the move is one rename on one file system. Where the block
    raises, what was written is removed and `path` is as it was.

    Args:
        path: where the file or folder shall be. An existing file is replaced; an existing folder too.

    Raises:
        DataError: where the disk is full or the place cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "a.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> (folder / "a.txt").read_text()
        'whole'
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise _explained(path, error) from error
    temporary = holder / path.name
    try:
        yield temporary
        if path.is_dir() and temporary.is_dir():
            path.rename(holder / "replaced")
        temporary.replace(path)
    except OSError as error:
        raise _explained(path, error) from error
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _explained(path: Path, error: OSError) -> DataError:
    remedy = "Free some space, or write to another disk." if error.errno == 28 else "Is the folder there and writable?"
    return DataError(f"{path} could not be written: {error.strerror or error}. {remedy} Nothing half-written is left.")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON object, whole or not at all; NaN becomes null, as JSON has none."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def _plain(value: Any) -> Any:
    """The value in JSON's own types: numpy scalars and arrays, paths and NaN have none there."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if (isinstance(value, float) and value != value) or value in (float("inf"), float("-inf")):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        DataError: where the file is missing or is not a JSON object.
    """
    try:
        value = json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing. Was the run or the preparation finished? Run it again.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not readable as JSON: {error}. Remove it and run again.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} holds a {type(value).__name__}; wanted a JSON object. Remove it and run again.")
    return value


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where generated data is kept: `STEXPLAIN_CACHE` where set, else the user's cache folder."""
    if chosen := os.environ.get("STEXPLAIN_CACHE"):
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("stexplain", appauthor=False)


@contextmanager
def folder_lock(folder: Path, *, wait: bool = True) -> Iterator[Path]:
    """Makes a folder and waits until no other process is in it; the block may remove it at its end.

    Args:
        folder: to be locked.
        wait: whether to wait for another process; else it is an error that one is in it.

    Raises:
        DataError: where it cannot be made.
        InputError: where another process is in it and `wait` is false.
    """
    import fcntl  # POSIX only; imported here so that the module itself imports everywhere

    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / "lock").open("w")
        except FileNotFoundError:  # removed by the process before us, between the two calls
            continue
        except OSError as error:
            raise DataError(f"{folder} could not be made: {error.strerror}. Is its parent writable?") from error
        with file:
            # The system lets go of this lock even where a process is killed.
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"{folder} is in use by another process. Wait until it ends.") from None
            try:
                ours = (folder / "lock").stat().st_ino == os.fstat(file.fileno()).st_ino
            except FileNotFoundError:
                ours = False
            if ours:
                yield folder
                return
