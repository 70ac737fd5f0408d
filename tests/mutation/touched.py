"""Which tests execute which statements of the core: only they can find a fault there."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.mutation.watch import named

Tests = dict[str, tuple[float, list[str]]]
"""Of each test the seconds that it takes and the names of the statements that it executes."""
WITH_FAULT = "with a fault"
"""In the place of the digest of a module that had a fault while its tests were recorded."""
_OTHERS = 0.25
"""Of the time, for tests that do not execute the statement: they may look at what another one made."""


@dataclass(frozen=True)
class Place:
    """Where a fault is.

    Attributes:
        module: its path from the root.
        digest: of the module.
        function: the qualified name; empty at the level of the module or a class, which all tests of it execute.
        code: the first line of the statement.
    """

    module: str
    digest: str
    function: str
    code: str


@dataclass(frozen=True)
class Touched:
    """What the tests of one file execute.

    Attributes:
        digest: of the file.
        modules: the digests of the modules of the core, as they were.
        tests: that passed.
    """

    digest: str
    modules: dict[str, str]
    tests: Tests

    def chosen(self, place: Place, seconds: float) -> tuple[list[str], float]:
        """The tests that may find a fault, the shortest first, and what they take.

        Args:
            place: of the fault.
            seconds: after which no further test is taken.
        """
        touching = self._touching(place)
        if not touching:
            return [], 0.0
        chosen: list[str] = []
        used, most = 0.0, seconds
        # The others come last: what the first test has made for all of a file was executed in that one alone.
        for name in sorted(self.tests, key=lambda name: (name not in touching, self.tests[name][0])):
            if name not in touching:
                most = min(most, used + _OTHERS * seconds) if most == seconds else most
            if used >= most:
                break
            chosen.append(name)
            used += self.tests[name][0]
        return chosen, used

    def _touching(self, place: Place) -> set[str]:
        if not place.function:
            return self._beginning(named(place.module, "", "").removesuffix(":"))
        found = self._executing(place)
        # A statement that was changed since is looked for by its function.
        changed = self.modules.get(place.module) != place.digest
        return found or (self._beginning(named(place.module, place.function, "")) if changed else set())

    def _executing(self, place: Place) -> set[str]:
        name = named(place.module, place.function, place.code)
        return {test for test, (_, executed) in self.tests.items() if name in executed}

    def _beginning(self, start: str) -> set[str]:
        return {test for test, (_, executed) in self.tests.items() if any(one.startswith(start) for one in executed)}

    def tells(self, place: Place) -> bool:
        """Whether the record tells who executes a place: one made beside a fault may have led around it."""
        beside_a_fault = self.modules.get(place.module) == WITH_FAULT and place.function
        return not beside_a_fault or bool(self._executing(place))

    def packed(self) -> list[Any]:
        """As JSON, in which each statement's name stands once."""
        names = sorted({name for _, executed in self.tests.values() for name in executed})
        number = {name: place for place, name in enumerate(names)}
        tests = {
            test: [taken, sorted(map(number.__getitem__, executed))] for test, (taken, executed) in self.tests.items()
        }
        return [self.digest, self.modules, names, tests]

    @classmethod
    def unpacked(cls, digest: str, modules: dict[str, str], names: list[str], tests: dict[str, Any]) -> "Touched":
        """From `packed`."""
        unpacked = {test: (taken, [names[one] for one in executed]) for test, (taken, executed) in tests.items()}
        return cls(digest, modules, unpacked)


def recorded(
    running: Iterator[str], noted: set[str], shared: set[str], failed: Callable[[], bool], seconds: float
) -> Tests:
    """Runs tests, and records what they execute.

    Args:
        running: runs a test at each step, and gives its name.
        noted: the statements that are executed are entered there, by what is run.
        shared: likewise those that are executed for several tests together.
        failed: whether a test failed: it is the last one.
        seconds: of a processor, after which no further test is run.
    """
    tests: Tests = {}
    began = time.process_time()
    while time.process_time() - began < seconds:
        noted.clear()
        started = time.process_time()
        name = next(running, None)
        if name is None:
            break
        if failed():
            break
        tests[name] = time.process_time() - started, sorted(noted)
    return {name: (taken, sorted({*executed, *shared})) for name, (taken, executed) in tests.items()}
