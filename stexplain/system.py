"""What differs from system to system: processor cores, locks on files, installed packages."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import IO


def cores() -> int:
    """How many processor cores this process may use.

    Example:
        >>> cores() >= 1
        True
    """
    # Linux alone says which of the machine's cores a process, or its container, may use.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def as_typed(*words: object) -> str:
    """A command of this package as it is typed in this system's shell: what holds a blank is quoted.

    Example:
        >>> as_typed("data", "check", "my card") in ("stexplain data check 'my card'", 'stexplain data check "my card"')
        True
    """
    command = ["stexplain", *map(str, words)]
    # What a shell of Windows reads; single quotes are letters there.
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)


def removes_open_files() -> bool:
    """Whether a file that some process has open can be removed."""
    return sys.platform != "win32"


def lock_file(file: IO[str], *, wait: bool) -> None:
    """Locks an open file for this process, which the system undoes when it is closed, or the process ends.

    Args:
        file: open for writing.
        wait: whether to wait while another process holds the lock.

    Raises:
        BlockingIOError: where another process holds it and `wait` is false.
    """
    if sys.platform == "win32":
        import msvcrt
        import time

        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                return
            except OSError as error:
                if not wait:
                    raise BlockingIOError from error
                time.sleep(0.1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def package_versions(names: Iterable[str]) -> dict[str, str | None]:
    """The versions of packages by name; none of one that is not installed, as DGL is not on every system.

    Example:
        >>> package_versions(["numpy", "no-such-package"])["no-such-package"] is None
        True
    """
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found
