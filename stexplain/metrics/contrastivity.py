"""Contrastivity: how differently a model looks at its classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.errors import InputError


@dataclass(frozen=True)
class Contrastivity:
    """Contrastivity and what it is made of.

    Attributes:
        value: 1 - the mean correlation over pairs of classes, in [0, 2]; NaN where fewer than two classes have a map.
        correlation: Pearson's, ``[classes, classes]``; NaN for classes left out.
        used: classes whose maps vary.
        constant: classes left out because their map is the same at all nodes, and so has no correlation.
        missing: classes left out because they have no map (NaN).
    """

    value: float
    correlation: NDArray[np.float64]
    used: int
    constant: int
    missing: int


def contrastivity(psi: ArrayLike) -> float:
    """1 - the mean Pearson correlation of the classes' node importances over all pairs of classes.

    Das & Ortega (ICASSP 2022), Table 3:

        1 - 2 / (C (C - 1)) * sum over classes i < j of corr(psi[i], psi[j])

    Args:
        psi: importance per class and node, ``[classes, N]``. Its scale per class does not matter.

    Returns:
        0 where all classes look at nodes alike, 1 where their maps are unrelated; in [0, 2].

    Raises:
        InputError: where psi is not classes x nodes, or holds infinite values.

    Example:
        >>> contrastivity([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
        0.0
        >>> contrastivity([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
        2.0
    """
    return contrastivity_detail(psi).value


def contrastivity_detail(psi: ArrayLike) -> Contrastivity:
    """The same with all that it is made of; see `contrastivity`.

    Example:
        >>> contrastivity_detail([[1.0, 2.0], [2.0, 1.0], [5.0, 5.0]]).constant
        1
    """
    maps = np.asarray(psi, np.float64)
    check_shape("psi", maps.shape, "k n")
    if np.isinf(maps).any():
        raise InputError("psi holds infinite values.")
    missing = np.isnan(maps).any(axis=1)
    shift = maps - maps.mean(axis=1, keepdims=True)
    size = np.sqrt((shift**2).sum(axis=1))
    # A constant map's deviations are rounding errors of its own size.
    constant = ~missing & (size <= 1e-12 * np.abs(maps).max(axis=1, initial=0.0) * np.sqrt(maps.shape[1]))
    used = ~(missing | constant)
    unit = shift[used] / size[used, None]
    among = np.clip(unit @ unit.T, -1.0, 1.0)
    correlation = np.full((len(maps), len(maps)), np.nan)
    correlation[np.ix_(used, used)] = among
    count = int(used.sum())
    pairs = among[np.triu_indices(count, 1)]
    value = round(1.0 - float(pairs.mean()), 12) if count > 1 else np.nan
    return Contrastivity(value, correlation, count, int(constant.sum()), int(missing.sum()))
