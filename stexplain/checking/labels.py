"""The classes of samples, as their caller gives them: by number or by name, and never guessed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking.words import shown
from stexplain.errors import InputError, unknown


def class_labels(
    name: str, labels: Any, classes: Sequence[str] = (), *, count: int | None = None, lowest: int = 0
) -> NDArray[np.int64]:
    """The class of each sample as its number.

    Whole numbers are classes, also as floats. Text is the name of a class, also where it reads as a number: which
    number that would be is not known without the names. Booleans are the classes 0 and 1 of two.

    Args:
        name: of the argument, for messages.
        labels: of each sample, ``[B]``.
        classes: the names of the classes, where known.
        count: how many classes there are, where known; default: as many as names.
        lowest: -1 where that stands for no class.

    Raises:
        InputError: for a fraction, a missing value, text that names no class, booleans of more than two classes, a
            number that is no class, and rows of one-hot numbers.

    Example:
        >>> class_labels("labels", [3.0, 7.0]).tolist(), class_labels("labels", ["7", "3"], ["3", "7"]).tolist()
        ([3, 7], [1, 0])
        >>> class_labels("labels", ["3", "7"])
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: labels: got text, such as '3', and no names of classes; expected numbers. ...
    """
    array = _array(labels)
    count = count if count is not None else len(classes) or None
    if array.ndim != 1:
        remedy = " Of one-hot rows give labels.argmax(1)." if array.ndim == 2 and array.shape[1] > 1 else ""
        raise InputError(f"{name}: got shape {array.shape}; expected [B], the class of each sample.{remedy}")
    # Of objects each is what it is: numpy would make text of numbers beside a name.
    each = list(labels) if isinstance(labels, list | tuple) else array.tolist()
    if all(isinstance(one, str) for one in each) and each:
        return _by_name(name, each, classes)
    if array.dtype.kind == "O":
        array = _of_objects(name, each)
    if array.dtype.kind == "b":
        refuse_booleans(name, array, count)
        return array.astype(np.int64)
    if array.dtype.kind not in "iuf" or any(isinstance(one, str) for one in each):
        raise InputError(f"{name}: got {shown(labels)}; expected the number or the name of each sample's class.")
    whole = np.isfinite(array)
    whole[whole] = array[whole] % 1 == 0
    if not whole.all():
        row = int((~whole).argmax())
        raise InputError(
            f"{name}: got {array[row]} at sample {row}; expected the number of a class, from 0. Leave out a sample "
            "whose class is not known."
        )
    numbers: NDArray[np.int64] = array.astype(np.int64)
    outside = (numbers < lowest) | (numbers >= (count if count is not None else np.inf))
    if outside.any():
        row = int(outside.argmax())
        allowed = "from 0" if count is None else f"0 to {count - 1}"
        raise InputError(
            f"{name}: got class {numbers[row]} at sample {row}; expected {allowed}{', or -1 for none' * (lowest < 0)}."
        )
    return numbers


def refuse_booleans(name: str, labels: Any, count: int | None) -> None:
    """Refuses labels that are booleans where there are more than two classes; none: not known.

    Raises:
        InputError: naming the argument.

    Example:
        >>> refuse_booleans("labels", [True, False], 3)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: labels: got booleans for 3 classes; expected the number or the name of ...
    """
    if count is not None and count > 2 and _array(labels).dtype.kind == "b":
        raise InputError(
            f"{name}: got booleans for {count} classes; expected the number or the name of each sample's class."
        )


def _array(labels: Any) -> NDArray[Any]:
    return np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)


def _by_name(name: str, labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    if not len(classes):
        raise InputError(
            f"{name}: got text, such as {labels[0]!r}, and no names of classes; expected numbers. Give the names "
            "as classes=, in the order of their numbers; or, where the text is numbers, [int(one) for one in labels]."
        )
    place = {str(one): number for number, one in enumerate(classes)}
    for one in labels:
        if one not in place:
            raise unknown(f"class (in {name})", one, place)
    return np.array([place[one] for one in labels], np.int64)


def _of_objects(name: str, each: Sequence[Any]) -> NDArray[Any]:
    """Numbers among objects, as a column of a table that once held something else."""
    for row, one in enumerate(each):
        if isinstance(one, bool) or not isinstance(one, int | float | np.number):
            raise InputError(
                f"{name}: got {shown(one)} at sample {row}; expected the number or the name of each sample's class."
            )
    return np.array(each, np.float64)
