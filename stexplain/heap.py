"""Memory that was freed goes back to the system, where a long series of batches would let it pile up.

The C library keeps what a program frees, for the next request. Batches of clips differ in length, so their tensors do
in size, and small results stay between large ones that were freed: pieces of the right size become rare, and the heap
grows from batch to batch although nothing is held. Over 3,000 clips it grew by half a gigabyte, of which 4 MB were in
use.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

AnyItem = TypeVar("AnyItem")
SLACK = 64 * 2**20
"""Bytes by which what is held may grow, where half a batch is less."""


def settled(items: Iterable[AnyItem]) -> Iterator[AnyItem]:
    """The items, one for each batch of some work; before each, what is free is given back where it has grown.

    A batch finds the pages of the one before, which is faster than new ones. So they are given back only where the
    process holds half a batch, or `SLACK` where that is more, beyond what a batch takes. No result depends on it.

    Args:
        items: numbers of batches, say: an item is held until the next one is asked for.

    Example:
        >>> list(settled("abc"))
        ['a', 'b', 'c']
    """
    # Nothing is known before the second item: who takes a single batch pays for nothing.
    least, batch, new = -1, 0, False
    for item in items:
        yield item
        held = resident_bytes()
        if held is None:
            continue
        if new:
            # All pages of the first batch after a trim are new: the growth is what a batch takes.
            batch, new = max(batch, held - least), False
        if (least < 0 or held > least + batch + max(batch // 2, SLACK)) and give_back():
            least, new = resident_bytes() or held, True


def resident_bytes() -> int | None:
    """The bytes of memory that this process occupies, without those of files; none where the system does not say.

    Example:
        >>> resident_bytes() is None or resident_bytes() > 0
        True
    """
    if sys.platform == "win32":
        return None
    try:
        _, resident, shared, *_ = Path("/proc/self/statm").read_text("utf-8").split()
    except (OSError, ValueError):
        return None
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> bool:
    """Gives all pages that the C library holds free back to the system; whether it knows how to."""
    trim = _trim()
    if trim is None:
        return False
    trim(0)
    return True


@cache
def _trim() -> Callable[[int], int] | None:
    """The function malloc_trim of glibc; other C libraries have none, and keep less."""
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
