"""The true labels of samples, checked: classes for a classifier, values for a regression or a forecaster."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking.labels import class_labels
from stexplain.errors import InputError
from stexplain.explainers.target import class_index
from stexplain.metrics.arrays import as_array


def checked_labels(labels: Any, samples: int, classes: Sequence[str] = ()) -> NDArray[Any]:
    """Labels as an array with an entry per sample: int64 classes ``[B]``, or float64 values ``[B, ...]``.

    Args:
        labels: class indices or names, or true values.
        samples: how many samples there are.
        classes: the names of the classes, where known.

    Raises:
        InputError: where there is not one for each sample, a name is unknown, or one is missing.

    Example:
        >>> checked_labels(["walk", "nod"], 2, ["nod", "walk"]).tolist()
        [1, 0]
        >>> checked_labels([1, 0, 1], 2)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: labels: got 3; expected 2, one for each sample.
    """
    given = as_array(labels)
    if given.ndim == 0 or len(given) != samples:
        count = "a single one" if given.ndim == 0 else str(len(given))
        raise InputError(f"labels: got {count}; expected {samples}, one for each sample.")
    if given.dtype.kind in "US":
        if given.ndim != 1:
            raise InputError(f"labels: got names of shape {given.shape}; expected one for each sample, ({samples},).")
        return np.array([class_index(str(name), classes, len(classes)) for name in given], np.int64)
    if given.dtype.kind == "b" and given.ndim == 1:
        return class_labels("labels", given, classes if len(classes) > 2 else ())
    if given.dtype.kind in "iub":
        if given.ndim != 1:
            raise InputError(
                f"labels: got whole numbers of shape {given.shape}; expected a class for each sample, ({samples},). "
                "Give true values, as of a regression, as floats."
            )
        if (given < 0).any():
            row = int((given < 0).argmax())
            raise InputError(f"labels: got {given[row]} at sample {row}; expected a class, from 0. Leave it out of x.")
        return given.astype(np.int64)
    if given.dtype.kind != "f":
        raise InputError(
            f"labels: got type {given.dtype}; expected whole numbers or names of classes, or true values as floats."
        )
    if np.isnan(given).reshape(samples, -1).all(1).any():
        row = int(np.isnan(given).reshape(samples, -1).all(1).argmax())
        raise InputError(f"labels: got only NaN at sample {row}; expected a true value. Leave the sample out of x.")
    return given.astype(np.float64)


def check_classes(labels: NDArray[np.int64], count: int) -> None:
    """Refuses a label that is not a class of the model.

    Raises:
        InputError: naming the first.

    Example:
        >>> check_classes(np.array([0, 7]), 4)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: labels: got class 7 at sample 1; expected 0 to 3, the classes of the model.
    """
    if (labels >= count).any():
        row = int((labels >= count).argmax())
        raise InputError(
            f"labels: got class {labels[row]} at sample {row}; expected 0 to {count - 1}, the classes of the model."
        )
