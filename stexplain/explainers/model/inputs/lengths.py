"""What was measured of a model at two lengths of its input, and was alike, is taken for other lengths.

Batches of a dataset that are padded to the longest of each differ in their number of frames. Where the output has its
samples, or whether copies may run together, does not depend on it in any model that we know: two lengths that agree are
taken as evidence, and no further one is measured.
"""

from collections.abc import Callable, Hashable, Mapping
from operator import eq
from typing import TypeVar

_Found = TypeVar("_Found")


def known_at(
    found: "Mapping[tuple[Hashable, int], _Found]",
    kind: Hashable,
    frames: int,
    alike: "Callable[[_Found, _Found], bool]" = eq,
) -> "list[_Found]":
    """What is known for an input: measured at its length, or alike at all others, which are two at least; else nothing.

    Args:
        found: what was measured, by kind of input and number of frames.
        kind: of the input, without its length.
        frames: its length, T.
        alike: whether two of them say the same whatever the length.

    Returns:
        One, or none: a value may be None itself.

    Example:
        >>> found = {("clips", 80): "axis 0", ("clips", 96): "axis 0", ("roads", 12): "axis 1"}
        >>> known_at(found, "clips", 300), known_at(found, "roads", 12), known_at(found, "roads", 24)
        (['axis 0'], ['axis 1'], [])
    """
    if (kind, frames) in found:
        return [found[kind, frames]]
    others = [value for (other, _), value in found.items() if other == kind]
    return others[:1] if len(others) > 1 and all(alike(others[0], other) for other in others) else []
