"""Random numbers that follow from a seed and a name alone, the same in every batch."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def own_generator(seed: int, name: str, observations: NDArray[Any] | None = None) -> np.random.Generator:
    """A generator of random numbers for one sample, or anything else that has a name.

    Args:
        seed: an integer of 64 bits.
        name: of the sample.
        observations: of the sample; they stand for it where it has no name.

    Example:
        >>> both = own_generator(0, "a"), own_generator(0, "a")
        >>> bool(both[0].random() == both[1].random())
        True
    """
    source = name.encode() if name or observations is None else observations.tobytes()
    # blake2b rather than hash(), which differs from process to process. The seed is its salt, of 8 bytes.
    digest = hashlib.blake2b(source, digest_size=8, salt=seed.to_bytes(8, "little", signed=True))
    return np.random.default_rng(int.from_bytes(digest.digest()))
