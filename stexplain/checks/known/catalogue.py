"""The list of known models, made of the kinds that are there."""

import pkgutil
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise

from stexplain.checks.known import kinds
from stexplain.checks.known.network import KnownModel
from stexplain.errors import unknown
from stexplain.explainers.arguments import check_counts
from stexplain.graph import STGraph


def _roads() -> STGraph:
    """Twelve sensors on two roads that meet, every edge in the direction of travel."""
    names = [f"s{number}" for number in range(12)]
    one, other = [*range(8)], [8, 9, 10, 11, 4]
    pairs = [*pairwise(one), *pairwise(other)]
    return STGraph.from_edges(names, [(names[a], names[b]) for a, b in pairs], directed=True)


KNOWN_GRAPHS: dict[str, Callable[[], STGraph]] = {
    "skeleton": lambda: STGraph.skeleton("kinect-v2"),
    "roads": _roads,
}
"""The graphs that known models lie on, by name."""


def kinds_by_name() -> dict[str, Callable[[STGraph, str, int, int], KnownModel]]:
    """Each kind's `make`, by the name of its file in words.

    Example:
        >>> "second person" in kinds_by_name()
        True
    """
    return {
        module.name.replace("_", " "): import_module(f"{kinds.__name__}.{module.name}").make
        for module in pkgutil.iter_modules(kinds.__path__)
    }


def known_models(kind: str | None = None, *, samples: int = 8, seed: int = 0) -> list[KnownModel]:
    """Networks whose function is written down, with samples and their exact truth.

    Args:
        kind: of one kind alone; default: all.
        samples: of each model, B.
        seed: of the positions that count and of the samples' noise.

    Returns:
        A model for every kind, on a skeleton and on a graph of roads.

    Raises:
        InputError: where there is no such kind.

    Example:
        >>> first = known_models("one position")[0]
        >>> first.name, tuple(first.x.shape), int(first.truth[0].sum())
        ('one position, skeleton', (8, 1, 16, 25, 1), 2)
    """
    check_counts(samples=samples)
    makers = kinds_by_name()
    if kind is not None and kind not in makers:
        raise unknown("kind", kind, makers)
    return [
        make(graph(), over, samples, seed)
        for name, make in makers.items()
        if kind in (None, name)
        for over, graph in KNOWN_GRAPHS.items()
    ]
