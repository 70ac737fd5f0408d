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


def seed_torch() -> None:
    """Seeds torch's own generators, those of accelerators too, with 0.

    Without an accelerator `torch.manual_seed` also notes for each kind, with the whole stack of calls, that it is to be
    seeded once it is there: a tenth of the time of what explains a small network.

    Example:
        >>> with generators_kept():
        ...     seed_torch()
        ...     one = torch.rand(1)
        >>> with torch.random.fork_rng():
        ...     _ = torch.manual_seed(0)
        ...     one == torch.rand(1)
        tensor([True])
    """
    # Torch 2.4 and 2.5 cannot say whether there is any.
    if not hasattr(torch, "accelerator") or torch.accelerator.is_available():
        torch.manual_seed(0)
    else:
        torch.default_generator.manual_seed(0)


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
        seed_torch()
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        yield
