"""What a target is: a score per sample, read from the model's output. Scores are logits, never probabilities."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from stexplain.axes import Layout
from stexplain.errors import InputError


@dataclass(frozen=True)
class OutputInfo:
    """What is known of a model's output, for a target to read it by.

    Attributes:
        classes: the names of the classes.
        nodes: the names of the nodes.
        groups: the nodes of each group.
        layout: of the output of a forecaster, over b, t (the horizon), n and c; none: not known.
        rows: which samples of the batch the output is of, where a batch is worked through in parts; none: all.
        samples: how many the whole batch has; none: as many as the output.
    """

    classes: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    layout: Layout | None = None
    rows: slice | None = None
    samples: int | None = None

    def part(self, what: Sequence[Any] | Tensor, output: Tensor, name: str) -> Any:
        """Of something that has an entry per sample of the batch, the entries of the samples in `rows`.

        Raises:
            InputError: where it has not one entry per sample.
        """
        samples = len(output) if self.samples is None else self.samples
        if len(what) != samples:
            raise InputError(
                f"the target names {len(what)} {name} for {samples} samples. Name one, or one for every sample."
            )
        return what[self.rows or slice(None)]


UNKNOWN = OutputInfo()
"""Nothing is known of the output."""


class Scores(NamedTuple):
    """What a target reads from an output.

    Attributes:
        scores: ``[B]``, differentiable in the output.
        classes: the class that each score is of, ``[B]`` int64; -1 where it is of none.
    """

    scores: Tensor
    classes: Tensor


class Target(ABC):
    """A score per sample. Called on an output, such as ``[B, classes]``, it gives scores ``[B]``."""

    @abstractmethod
    def score(self, output: Tensor, told: OutputInfo = UNKNOWN) -> Scores:
        """The scores and which class each is of.

        Args:
            output: of the model.
            told: what is known of it.

        Raises:
            InputError: where the target does not fit the output.
        """

    @abstractmethod
    def text(self) -> str:
        """The target in words, as it stands in an explanation."""

    def __call__(self, output: Tensor) -> Tensor:
        """The scores alone."""
        return self.score(output).scores

    def __repr__(self) -> str:
        return f"<target: {self.text()}>"


def one_or_several(what: str, given: Any, kind: Any) -> Any:
    """What was given, or a list of it, in Python's own types.

    Args:
        what: it is, in words.
        given: one, or several of them.
        kind: of each: `int`, or ``int | str``.

    Raises:
        InputError: where anything is of another kind.

    Example:
        >>> one_or_several("node", "s7", int | str), one_or_several("horizon", np.arange(1, 3), int)
        ('s7', [1, 2])
    """
    several = not isinstance(given, str) and isinstance(given, Iterable)
    found = [one.item() if isinstance(one, np.generic) else one for one in (given if several else [given])]
    for one in found:
        if isinstance(one, bool) or not isinstance(one, kind):
            wanted = "a number, counted from 1," if kind is int else "a name or an index,"
            raise InputError(f"the {what} is {one!r}, a {type(one).__name__}; wanted {wanted} or a list of them.")
    return found if several else found[0]
