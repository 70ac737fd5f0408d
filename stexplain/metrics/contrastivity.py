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
        value: 1 - the mean correlation over pairs of classes, in [0, 2]; NaN if fewer than two classes have a map.
        correlation: Pearson's, ``[classes, classes]``; NaN for excluded classes.
        used: classes whose maps vary.
        constant: classes excluded because their map is the same at all nodes, which has no correlation.
        missing: classes excluded because they have no map (NaN).
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
        psi: class importance, ``[classes, N]``, as of Eq. 6. Its scale per class does not matter.

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

    Example:
        >>> contrastivity_detail([[1.0, 2.0], [2.0, 1.0], [5.0, 5.0]]).constant
        1
    """
    maps = as_numbers("psi", psi).astype(np.float64)
    check_shape("psi", maps.shape, "k n")
    if np.isinf(maps).any():
        raise InputError("psi: got infinite values; expected finite class importance, or NaN for a class without any.")
    missing = np.isnan(maps).any(axis=1)
    deviation = maps - maps.mean(axis=1, keepdims=True)
    norm = np.sqrt((deviation**2).sum(axis=1))
    # The mean of equal numbers may be off by a rounding error, so a constant map is compared with its own magnitude.
    constant = ~missing & (norm <= 1e-12 * np.abs(maps).max(axis=1, initial=0.0) * np.sqrt(maps.shape[1]))
    used = ~(missing | constant)
    # Rows of zero mean and unit norm: their products are Pearson's correlations.
    unit = deviation[used] / norm[used, None]
    among = np.clip(unit @ unit.T, -1.0, 1.0)
    correlation = np.full((len(maps), len(maps)), np.nan)
    correlation[np.ix_(used, used)] = among
    count = int(used.sum())
    # Above the diagonal stands every pair of classes once.
    pairs = among[np.triu_indices(count, 1)]
    # Rounded, so that maps that are equal up to scale give exactly 0.
    value = round(1.0 - float(pairs.mean()), 12) if count > 1 else np.nan
    return Contrastivity(value, correlation, count, int(constant.sum()), int(missing.sum()))
