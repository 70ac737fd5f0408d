"""A progress bar for calls that last."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AFTER = 5.0
"""Seconds before a bar appears: short calls show none."""


@contextmanager
def progress_bar(what: str, total: int, *, shown: bool = True, after: float = AFTER) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal: none in a pipe, a log or a notebook.

    Args:
        what: is done.
        total: how many there are.
        shown: whether there is a bar at all.
        after: seconds before it appears.

    Yields:
        To be told how many are done.

    Example:
        >>> with progress_bar("explaining", 3) as done:
        ...     done(2)
    """
    if not shown or not sys.stderr.isatty():
        yield lambda finished: None
        return
    # Imported here: most calls are over before there is a bar.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    line, began, started = bar.add_task(what, total=total), time.monotonic(), False

    def done(finished: int) -> None:
        nonlocal started
        if not started and time.monotonic() - began >= after:
            bar.start()
            started = True
        bar.update(line, completed=finished)

    try:
        yield done
    finally:
        if started:
            bar.stop()
