"""Samples that belong together: the cameras of one performance, the clips of one person, the windows of one day.

Such samples resemble each other, so that n of them tell less than n independent ones. What is independent are the
groups: intervals and tests of this package take their labels, ``groups``, and count groups in place of samples.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking.words import shown
from stexplain.errors import InputError

_OF_MISSING = ("nan", "NaT", "<NA>")
"""What numpy and pandas make of a missing label among others that are text."""


def group_codes(groups: Any, count: int) -> NDArray[np.intp]:
    """The group of every sample as a number from 0, ``[count]``, in the order in which the labels sort.

    Args:
        groups: a label per sample, ``[n]``, numbers or text; nested groups as ``[n, levels]``, outermost first, of
            which the outermost decides, because nothing smaller is independent. None: every sample for itself.
        count: how many samples there are.

    Raises:
        InputError: where there is not one label per sample, or a label is missing.

    Example:
        >>> group_codes(["b", "a", "b"], 3).tolist()
        [1, 0, 1]
        >>> group_codes([["subject 2", "nod"], ["subject 2", "wave"]], 2).tolist()
        [0, 0]
    """
    if groups is None:
        return np.arange(count)
    codes: NDArray[np.intp] = np.unique(group_names(groups, count), return_inverse=True)[1].reshape(-1)
    return codes


def group_names(groups: Any, count: int, name: str = "groups") -> NDArray[Any]:
    """The outermost label of every sample, ``[count]``, as it was given; see `group_codes`.

    Args:
        groups: see `group_codes`.
        count: how many samples there are.
        name: of the argument, for messages.

    Raises:
        InputError: where there is not one label per sample, or a label is missing.

    Example:
        >>> group_names([[3, 1], [3, 2]], 2).tolist()
        [3, 3]
    """
    try:
        labels = np.asarray(groups)
    except (ValueError, TypeError, RuntimeError) as error:  # of unequal lengths; a tensor that numpy cannot take
        raise InputError(
            f"{name}: got {shown(groups)}, of which there is no array; expected a label per sample, [{count}], or "
            f"nested ones, [{count}, levels], outermost first."
        ) from error
    if labels.ndim not in (1, 2) or len(labels) != count or 0 in labels.shape[1:]:
        raise InputError(
            f"{name}: got shape {labels.shape}; expected a label per sample, [{count}], or nested ones, "
            f"[{count}, levels], outermost first."
        )
    outer = labels if labels.ndim == 1 else labels[:, 0]
    # A missing label would make one group of all samples without one, which nobody meant.
    missing = np.flatnonzero(_missing(outer))
    if len(missing):
        row = int(missing[0])
        text = f", but {str(outer[row])!r}" if outer.dtype.kind == "U" else ""
        raise InputError(
            f"{name}: got no label for sample {row}{text}; expected one for each. Name its group, or leave the sample "
            "out."
        )
    # Labels of several types do not sort; their text does, and equal labels have equal texts.
    named: NDArray[Any] = outer.astype(str) if outer.dtype.kind == "O" else outer
    return named


def is_missing(label: Any) -> bool:
    """Whether a label is none: None, NaN and the like, or the text that a table makes of them.

    Example:
        >>> [is_missing(label) for label in (None, float("nan"), "nan", "none", 0)]
        [True, True, True, False, False]
    """
    if label is None or isinstance(label, str):
        return label in (None, *_OF_MISSING)
    try:
        return bool(label != label)
    except TypeError:  # pandas' NA is neither equal to itself nor unequal
        return True


def _missing(labels: NDArray[Any]) -> NDArray[np.bool_]:
    if labels.dtype.kind == "O":
        return np.array([is_missing(label) for label in labels], np.bool_)
    # NaN and NaT are not equal to themselves.
    found: NDArray[np.bool_] = np.isin(labels, _OF_MISSING) if labels.dtype.kind == "U" else labels != labels
    return found


def group_sums(values: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sums over the samples of each group that has any: values ``[n]`` or ``[n, ...]`` -> ``[G]`` or ``[G, ...]``."""
    # Codes of groups that lost all of their samples are left out.
    present, codes = np.unique(codes, return_inverse=True)
    sums: NDArray[np.float64] = np.zeros((len(present), *values.shape[1:]))
    np.add.at(sums, codes.reshape(-1), values)
    return sums
