"""Which tests execute which lines of the core: only they can find a fault there."""

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from tests.mutation.mapping import ROOT

Tests = dict[str, tuple[float, dict[str, list[int]]]]
"""Of each test the seconds that it takes and the lines that it executes, by module."""


@dataclass(frozen=True)
class Touched:
    """What the tests of one file execute.

    Attributes:
        digest: of the file and of the core.
        tests: that pass as they are.
    """

    digest: str
    tests: Tests

    def chosen(self, module: str, lines: range | None, seconds: float) -> tuple[list[str], float]:
        """The tests that may find a fault, the shortest first, and what they take.

        Args:
            module: that has the fault.
            lines: of its statement; none: any line of the module.
            seconds: after which no further test is taken.
        """
        where = {name: set(found.get(module, ())) for name, (_, found) in self.tests.items()}
        touching = {name for name, found in where.items() if (found if lines is None else found & set(lines))}
        if not touching:
            return [], 0.0
        chosen, used = [], 0.0
        # The others come last: what the first test has made for all of a file was executed in that one alone.
        for name in sorted(self.tests, key=lambda name: (name not in touching, self.tests[name][0])):
            if used >= seconds:
                break
            chosen.append(name)
            used += self.tests[name][0]
        return chosen, used


def recorded(running: Iterator[str], modules: set[str], failed: Callable[[], str]) -> Tests:
    """Runs tests, and records what they execute.

    Args:
        running: runs a test at each step, and gives its name.
        modules: whose lines are recorded, as paths from the root.
        failed: the name of the first test that failed, if any.

    Raises:
        AssertionError: where a test fails: it could not tell a fault.
    """
    paths = {str(ROOT / module): module for module in modules}
    lines: dict[str, set[int]] = defaultdict(set)

    def on_call(frame: FrameType, event: str, _: Any) -> Any:
        module = paths.get(frame.f_code.co_filename)
        if module is None:
            return None
        found = lines[module]

        def on_line(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                found.add(frame.f_lineno)
            return on_line

        return on_line

    tests: Tests = {}
    threading.settrace(on_call)
    while True:
        lines.clear()
        started = time.process_time()
        sys.settrace(on_call)
        try:
            name = next(running, None)
        finally:
            sys.settrace(None)
        if name is None:
            break
        if failed():
            raise AssertionError(f"{failed()} fails")
        tests[name] = time.process_time() - started, {module: sorted(found) for module, found in lines.items()}
    threading.settrace(None)  # type: ignore[arg-type]
    return tests
