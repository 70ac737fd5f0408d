"""Progress of long work: a bar on a terminal; where output is piped or logged, a line now and then.

Both go to standard error: standard output is for results, which may be JSON.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

AnyItem = TypeVar("AnyItem")
AFTER = 5.0
"""Seconds before the bar of a call appears."""
EVERY = 20.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """Shows how far some work is; as a context manager, for the length of the work.

    Inside of another that is shown, nothing is shown: two would write over each other.

    Args:
        what: what is done, in words.
        total: how many steps there are; none: not known.
        shown: whether anything is shown.
        completed: steps that were done before.
        every: seconds between two lines where there is no terminal. Work that takes less prints none.
        after: seconds before a bar appears on a terminal: of calls, short ones show none.
        rate: whether it says how fast the work is; not where its notes do.

    Example:
        >>> with Progress("reading", total=2, shown=False) as progress:
        ...     progress.advance()
        ...     progress.advance()
        >>> progress.completed
        2
    """

    _open = 0
    """How many are shown now, in all threads."""

    def __init__(
        self,
        what: str,
        total: int | None,
        *,
        shown: bool = True,
        completed: int = 0,
        every: float = EVERY,
        after: float = 0.0,
        rate: bool = True,
    ) -> None:
        self.what, self.total, self.completed = what, total, completed
        self._outer = shown = shown and not Progress._open
        self._before, self._note = completed, ""
        self._every, self._after, self._begun, self._rate = every, after, False, rate
        self._lines = shown and not sys.stderr.isatty()
        self._started = self._last = time.monotonic()
        # rich's bar: it takes a tenth of a second to import, so that only who sees it pays for it.
        self._bar: Any = self._terminal_bar() if shown and not self._lines else None
        self._task = self._bar.add_task(what, total=total, completed=completed, note="") if self._bar else None

    def __enter__(self) -> Self:
        Progress._open += self._outer
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        Progress._open -= self._outer
        if self._bar and self._begun:
            self._bar.stop()

    def _begin(self) -> None:
        if self._bar and not self._begun and time.monotonic() - self._started >= self._after:
            self._bar.start()
            self._begun = True

    def advance(self, steps: int = 1) -> None:
        """Some steps more are done."""
        self.update(self.completed + steps)

    def update(self, completed: int, *, what: str | None = None, note: str | None = None) -> None:
        """So many steps are done in all.

        Args:
            completed: steps.
            what: what is done now, in words; none: as before.
            note: what else to say, such as a loss; none: as before.
        """
        self.completed = completed
        self.what = self.what if what is None else what
        self._note = self._note if note is None else note
        if self._bar:
            self._begin()
            note = ", ".join(self._said(time.monotonic() - self._started))
            self._bar.update(self._task, completed=completed, description=self.what, note=note)
        elif self._lines and (now := time.monotonic()) - self._last >= self._every:
            self._last = now
            print(self.line(now - self._started), file=sys.stderr, flush=True)

    def line(self, seconds: float) -> str:
        """What a line says after so many seconds.

        Example:
            >>> progress = Progress("explaining", total=400, shown=False)
            >>> progress.update(100, note="loss 0.31")
            >>> progress.line(50.0)
            'explaining: 100 of 400, loss 0.31, 2.0/s, 2:30 left'
            >>> progress.line(1200.0)
            'explaining: 100 of 400, loss 0.31, 12 s each, 60:00 left'
        """
        done = self.completed - self._before
        of = "" if self.total is None else f" of {self.total:,}"
        parts = [f"{self.what}: {self.completed:,}{of}", *self._said(seconds)]
        if done and seconds > 0 and self.total is not None:
            left = round(seconds / done * (self.total - self.completed))
            parts.append(f"{left // 60}:{left % 60:02d} left")
        return ", ".join(parts)

    def _said(self, seconds: float) -> list[str]:
        """The note, and how fast the work is."""
        rate = _rate(self.completed - self._before, seconds) if self._rate else ""
        return [part for part in (self._note, rate) if part]

    def _terminal_bar(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        # Transient: a finished bar goes, and the line of its stage stays.
        return Bar(*columns, console=Console(stderr=True), transient=True)


def _rate(done: int, seconds: float) -> str:
    """How fast the work is: steps a second, or seconds a step where they are long."""
    if not done or seconds <= 0:
        return ""
    if done >= seconds:
        return f"{done / seconds:,.1f}/s"
    each = seconds / done
    return f"{each:.1f} s each" if each < 9.95 else f"{each:,.0f} s each"


@contextmanager
def progress_bar(what: str, total: int, *, shown: bool = True, after: float = AFTER) -> Iterator[Callable[[int], None]]:
    """The progress of a call that may last: nothing is shown of a short one.

    Args:
        what: is done.
        total: how many there are.
        shown: whether there is a bar at all.
        after: seconds before it appears.

    Yields:
        A function to call with how many are done.

    Example:
        >>> with progress_bar("explaining", 3) as done:
        ...     done(2)
    """
    with Progress(what, total, shown=shown, after=after) as progress:
        yield progress.update


def tracked(items: Iterable[AnyItem], total: int, what: str, shown: bool) -> Iterator[AnyItem]:
    """The items, with their progress.

    Args:
        items: any.
        total: how many they are.
        what: what is done with them, in words.
        shown: whether the progress is shown.

    Example:
        >>> list(tracked("abc", 3, "spelling", shown=False))
        ['a', 'b', 'c']
    """
    with Progress(what, total, shown=shown) as progress:
        for item in items:
            yield item
            progress.advance()
