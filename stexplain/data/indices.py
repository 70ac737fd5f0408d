"""Which samples of a dataset a user picks: integers, a bool mask or a slice, as whole numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import InputError


def picked_indices(indices: Sequence[int] | NDArray[Any] | slice, size: int, what: str) -> NDArray[np.int64]:
    """Indices, a bool mask or a slice as whole numbers from 0 to ``size - 1``.

    Args:
        indices: integers (negative ones count from the end), a bool mask ``[size]``, or a slice.
        size: how many there are to pick from.
        what: they are, for the message, such as ``"clips"``.

    Raises:
        InputError: where an index is out of range or of another type.

    Example:
        >>> picked_indices([-1, 0], 5, "clips").tolist(), picked_indices(slice(3, None), 5, "clips").tolist()
        ([4, 0], [3, 4])
    """
    every = np.arange(size)
    if isinstance(indices, slice):
        return every[indices]
    picked = np.asarray(indices)
    # An empty list has the dtype float64, which would be refused below.
    if picked.size == 0:
        return every[:0]
    if picked.dtype != bool and not np.issubdtype(picked.dtype, np.integer):
        raise InputError(f"indices: got an index of type {picked.dtype}; expected integers, a bool mask or a slice.")
    try:
        # Indexing the range checks bounds, resolves negative indices and applies masks in one go.
        return np.asarray(every[picked.reshape(-1)])
    except IndexError as error:
        raise InputError(f"indices: {error}. There are {size} {what}.") from None


def slices(length: int, size: int) -> list[slice]:
    """Slices of `size`, one behind another; the last may be smaller.

    Args:
        length: how many there are in all.
        size: of a batch.

    Raises:
        InputError: where the size is less than 1.

    Example:
        >>> slices(5, 2)
        [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    if size < 1:
        raise InputError(f"size: got a batch size of {size}; expected at least 1.")
    return [slice(start, start + size) for start in range(0, length, size)]
