"""Contrastivity: how much the node importance differs between classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.checking.values import as_numbers
from stexplain.errors import InputError


@checked
@dataclass(frozen=True)
class Contrastivity:
    """Contrastivity with the correlations that it is computed from.

    Attributes:
        value: 1 - the mean correlation over pairs of classes, in [0, 2]; NaN if no two classes have one.
        correlation: Pearson's, ``[classes, classes]``, over the nodes that both classes have; NaN for excluded classes,
            and for two whose maps do not vary over common nodes.
        used: classes whose maps vary.
        constant: classes excluded because their map is the same at all nodes, which has no correlation.
        missing: classes excluded because they have no map (NaN at every node).

    Example:
        >>> found = contrastivity_detail([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [np.nan] * 3])
        >>> found.value, found.used, found.missing
        (2.0, 2, 1)
    """

    value: float
    correlation: NDArray[np.float64]
    used: int
    constant: int
    missing: int


@checked
def contrastivity(psi: ArrayLike) -> float:
    """1 - the mean Pearson correlation of the classes' node importances over all pairs of classes.

    Das & Ortega (ICASSP 2022), Table 3:

        1 - 2 / (C (C - 1)) * sum over classes i < j of corr(psi[i], psi[j])

    Args:
        psi: class importance, ``[classes, N]``, as of Eq. 6. Its scale per class does not matter. NaN where it is not
            known, such as of a joint that was never observed: two classes are compared over the nodes that both have.

    Returns:
        0 if all classes rely on the same nodes, 1 if their maps are unrelated; in [0, 2].

    Raises:
        InputError: if psi is not classes x nodes, or holds infinite values.

    Example:
        >>> contrastivity([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
        0.0
        >>> contrastivity([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
        2.0
    """
    return contrastivity_detail(psi).value


@checked
def contrastivity_detail(psi: ArrayLike) -> Contrastivity:
    """Contrastivity with its correlations and the excluded classes; see `contrastivity`.

    Args:
        psi: see `contrastivity`.

    Returns:
        Contrastivity, in [0, 2], and what it was computed of.

    Raises:
        InputError: as of `contrastivity`.

    Example:
        >>> contrastivity_detail([[1.0, 2.0], [2.0, 1.0], [5.0, 5.0]]).constant
        1
    """
    maps = as_numbers("psi", psi).astype(np.float64)
    check_shape("psi", maps.shape, "k n")
    if np.isinf(maps).any():
        raise InputError("psi: got infinite values; expected finite class importance, or NaN where there is none.")
    known = ~np.isnan(maps)
    missing = ~known.any(axis=1)
    # By the largest of each class: squares of very large or small numbers would leave the range of float64.
    largest = np.abs(np.where(known, maps, 0.0)).max(axis=1, initial=0.0, keepdims=True)
    maps = maps / np.where(largest > 0, largest, 1.0)
    varies = np.zeros(len(maps), np.bool_)
    correlation = np.full((len(maps), len(maps)), np.nan)
    # Classes that have the same nodes go together: mostly there is one such set.
    sets, of = np.unique(known, axis=0, return_inverse=True)
    members = [np.flatnonzero(of.reshape(-1) == index) for index in range(len(sets))]
    for first, rows in enumerate(members):
        varies[rows] = _unit(maps[np.ix_(rows, sets[first])])[1]
        for second in range(first, len(members)):
            others, common = members[second], sets[first] & sets[second]
            if common.any():
                one, other = (_unit(maps[np.ix_(each, common)])[0] for each in (rows, others))
                correlation[np.ix_(rows, others)] = np.clip(one @ other.T, -1.0, 1.0)
                correlation[np.ix_(others, rows)] = correlation[np.ix_(rows, others)].T
    # Above the diagonal stands every pair of classes once.
    pairs = correlation[np.triu_indices(len(maps), 1)]
    pairs = pairs[~np.isnan(pairs)]
    # Rounded, so that maps that are equal up to scale give exactly 0.
    value = round(1.0 - float(pairs.mean()), 12) if len(pairs) else np.nan
    return Contrastivity(value, correlation, int(varies.sum()), int((~varies & ~missing).sum()), int(missing.sum()))


def _unit(maps: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Maps ``[k, n]`` of zero mean and unit norm, whose products are Pearson's correlations, and which vary, ``[k]``.

    NaN where a map is the same at all nodes.
    """
    deviation = maps - maps.sum(axis=1, keepdims=True) / max(maps.shape[1], 1)
    # The mean of equal numbers may be off by a rounding error, so a constant map is compared with its own magnitude.
    varies = np.abs(deviation).max(axis=1, initial=0.0) > 1e-12
    norm = np.sqrt((deviation**2).sum(axis=1))
    return deviation / np.where(varies, norm, np.nan)[:, None], varies
