"""One process at a time in a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stexplain.errors import DataError


@contextmanager
def alone(folder: Path) -> Iterator[Path]:
    """Makes a folder and waits until no other process is in it; the block may remove it at its end.

    Raises:
        DataError: where it cannot be made.
    """
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
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                ours = (folder / "lock").stat().st_ino == os.fstat(file.fileno()).st_ino
            except FileNotFoundError:
                ours = False
            if ours:
                yield folder
                return
