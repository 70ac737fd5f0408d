"""How much memory is free."""

import os
import sys
from pathlib import Path


def free_memory() -> int | None:
    """The bytes of memory that this process may still take; none where the system does not say.

    It is what the system has to give without swapping, or what the process's own limit leaves, if that is less.

    Example:
        >>> free = free_memory()
        >>> free is None or free > 0
        True
    """
    found = [size for size in (_available(), _within_limit()) if size is not None]
    return min(found, default=None)


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _within_limit() -> int | None:
    if sys.platform == "win32":  # it has no such limits, and no module `resource`
        return None
    import resource

    try:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return None
        pages = int(Path("/proc/self/statm").read_text("utf-8").split()[0])
    except OSError:
        return None
    return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))
