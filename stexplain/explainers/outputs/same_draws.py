"""The generators of random numbers that models draw from without being given one: torch's, numpy's, Python's."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def generators_kept() -> Iterator[None]:
    """All generators are as before after the block."""
    numpy_state, state = np.random.get_state(), random.getstate()  # noqa: NPY002  # the state of others, not ours
    with torch.random.fork_rng():
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(state)


@contextmanager
def seeded() -> Iterator[None]:
    """What the block draws is the same each time, and the caller's own streams are untouched.

    Example:
        >>> with seeded():
        ...     one = torch.rand(1), random.random()
        >>> with seeded():
        ...     one == (torch.rand(1), random.random())
        True
    """
    with generators_kept():
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        yield
