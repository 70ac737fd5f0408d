"""Two runs of one experiment, number by number."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

TIMES = ("seconds", "seconds_per_sample")
"""Keys of results that no second run repeats."""


class Differences(NamedTuple):
    """How two nested results differ.

    Attributes:
        same: how many values are equal.
        numbers: key of a number that differs -> both, ordered by how far they are apart, relative to the larger.
        others: keys of words that differ, or that one of the two lacks.
    """

    same: int
    numbers: dict[str, tuple[float, float]]
    others: list[str]


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> Differences:
    """Every value of two nested results, compared by its key; times are left out.

    Example:
        >>> found = differences({"a": [1.0, 2.0], "b": "x", "seconds": 3}, {"a": [1.0, 2.5], "b": "y"})
        >>> found.same, found.numbers, found.others
        (1, {'a/1': (2.0, 2.5)}, ['b'])
    """
    one, two = dict(_flat(first)), dict(_flat(second))
    same, numbers, others = 0, {}, sorted(one.keys() ^ two.keys())
    for key in one.keys() & two.keys():
        a, b = one[key], two[key]
        if a == b and isinstance(a, bool) == isinstance(b, bool):
            same += 1
        elif _number(a) and _number(b):
            numbers[key] = (a, b)
        else:
            others.append(key)
    ordered = sorted(numbers.items(), key=lambda item: (-relative(*item[1]), item[0]))
    return Differences(same, dict(ordered), sorted(others))


def relative(a: float, b: float) -> float:
    """How far two numbers are apart, relative to the larger: 0 to 2.

    Example:
        >>> relative(1.0, 0.5), relative(0.0, 0.0)
        (0.5, 0.0)
    """
    largest = max(abs(a), abs(b))
    return abs(a - b) / largest if largest and math.isfinite(largest) else 0.0 if a == b else math.inf


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in TIMES:
                yield from _flat(inner, f"{key}/{name}" if key else str(name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{key}/{index}")
    else:
        yield key, value
