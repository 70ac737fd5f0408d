"""Random numbers that follow from a seed and a name alone, the same in every batch."""

import hashlib
from collections.abc import Iterator, Sequence
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


def node_noise(
    seed: int, names: Sequence[str], shape: Sequence[int], draws: int, needed: Any
) -> Iterator[NDArray[np.float32]]:
    """Standard normal noise on a sample, which follows from the names of its nodes, draw by draw.

    Renumbered nodes keep theirs, and further frames or instances change no other's.

    Args:
        seed: an integer of 64 bits.
        names: of the nodes, N.
        shape: of a sample, ``[M, T, N, C]``.
        draws: how many.
        needed: which positions need any, ``[M, T, N]``, bool; a node without one has zeros.

    Yields:
        The noise of each draw, ``[M, T, N, C]``.

    Example:
        >>> here = next(node_noise(0, ["a", "b"], (1, 3, 2, 1), 1, np.ones((1, 3, 2), bool)))
        >>> there = next(node_noise(0, ["b", "a"], (1, 5, 2, 1), 1, np.ones((1, 5, 2), bool)))
        >>> bool((here == there[:, :3, ::-1]).all())
        True
    """
    instances, frames, nodes, channels = shape
    noise = np.zeros((draws, instances, frames, nodes, channels), np.float32)
    for instance, node in np.argwhere(np.asarray(needed).any(1)):
        generator = own_generator(seed, f"{instance}/{names[node]}")
        # Frame by frame: as many numbers for each, so that those of a frame do not depend on how many follow.
        drawn = generator.standard_normal((frames, draws, channels), np.float32)
        noise[:, instance, :, node] = drawn.swapaxes(0, 1)
    yield from noise
