"""Distances that are hardly meant so: zeros for no link, half of a matrix, a large number for no path."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.errors import InputError

_LOOKED_AT = 500
"""So many distances of zero are compared with those around them."""
_ROUNDED = 0.01
"""Distances are often rounded: nodes at one place are then as far from the others but for so much of it, or of the
median distance, as a share: the unit of the distances is not known."""
_FAR = 100.0
"""No path is written as a number by so many times the largest other one."""


def refuse_zeros(
    size: int, source: NDArray[np.int64], target: NDArray[np.int64], distance: NDArray[np.float64]
) -> None:
    """Refuses distances of zero that stand for no link: by those nodes others would be nearer than they are.

    Two sensors may well stand at one place: from there all others are as far. The triangle inequality says so,
    d(i, k) <= d(i, j) + d(j, k), for d(i, j) = 0.

    Args:
        size: N.
        source: of each pair, ``[P]``.
        target: of each pair, ``[P]``.
        distance: of each pair, ``[P]``.

    Raises:
        InputError: naming the first pair, with the remedy.

    Example:
        >>> pairs = np.array([[0, 1], [1, 2], [0, 2]])
        >>> refuse_zeros(3, pairs[:, 0], pairs[:, 1], np.array([0.0, 5.0, 5.0]))  # 0 and 1 at one place
    """
    apart = source != target
    source, target, distance = source[apart], target[apart], distance[apart]
    zero = distance == 0
    if not zero.any():
        return
    remedy = (
        "Where 0 means that there is no link, give infinity in its place: np.where(d == 0, np.inf, d) of a matrix; of "
        "a table leave such rows out. Of two nodes at one place give a small number."
    )
    for half, where in ((source > target, "below"), (source < target, "above")):
        if (zero == half).all():
            raise InputError(
                f"distances: got 0 everywhere {where} the diagonal, which is half of a matrix; expected both halves. "
                "Give d + d.T."
            )
    # Metres, kilometres and degrees are judged alike.
    unit = float(np.median(distance[~zero])) if not zero.all() else 1.0
    # One more than the distance, as a sparse matrix does not tell a stored zero from what is not listed.
    ways = sp.csr_array((distance / unit + 1, (source, target)), shape=(size, size))
    for matrix, turned in ((ways, False), (sp.csr_array(ways.T), True)):
        for place in np.flatnonzero(zero)[:_LOOKED_AT].tolist():
            ends = int(source[place]), int(target[place])
            near, far = ends[::-1] if turned else ends
            here, there = (matrix[[node]].toarray()[0] for node in (near, far))
            there[far] = 1
            both = (here > 0) & (there > 0)
            off = np.flatnonzero(both & (here - there > _ROUNDED * np.maximum(there - 1, 1)))
            if off.size:
                other = int(off[0])
                raise InputError(
                    f"distances at [{ends[0]}, {ends[1]}]: got 0, which is as near as can be, but {other} is "
                    f"{(here[other] - 1) * unit:g} from {near} and {(there[other] - 1) * unit:g} from {far}. {remedy}"
                )


def warn_of_large(distance: NDArray[np.float64]) -> None:
    """Warns of a number that is likely written for no path: far beyond all others, and there more than once.

    Args:
        distance: of each pair, ``[P]``.

    Warns:
        UserWarning: with the number, as the width of the kernel follows from it.
    """
    if len(distance) < 3:
        return
    largest = float(distance.max())
    rest = distance[distance < largest]
    if len(distance) - len(rest) > 1 and len(rest) and 0 < float(rest.max()) * _FAR <= largest:
        warn_caller(
            f"distances: {len(distance) - len(rest)} of {len(distance)} are {largest:g}, and no other is above "
            f"{rest.max():g}: the kernel's width follows from all of them. Where the number means that there is no "
            f"path, give infinity in its place: np.where(d == {largest:g}, np.inf, d); of a table leave such rows out."
        )
