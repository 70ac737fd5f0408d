"""Array arguments that all metrics share: importance and its validity mask, sample names, random generators."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.checking.values import as_numbers
from stexplain.data.samples import check_finite
from stexplain.errors import InputError
from stexplain.explainers.random_generator import own_generator
from stexplain.wording import counted


def valid_importance(name: str, values: Any, valid: Any = None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Importance and the mask of its valid positions; positions that are not valid get importance zero.

    Args:
        name: of the argument, for messages.
        values: ``[B, M, T, N]``, or of one sample ``[M, T, N]``; array, tensor or `Explanation`.
        valid: ``[B, M, T]``, or ``[B, M, T, N]`` where single observations are missing; without B for one sample.
            Default: what the explanation's samples held, else all valid.

    Returns:
        Both ``[B, M, T, N]``.

    Raises:
        InputError: if shapes do not fit, or a value at a valid position is NaN or infinite.
    """
    # Both attributes tell an explanation from a pandas table, which has `values` alone.
    if hasattr(values, "values") and hasattr(values, "present"):
        # Of an explanation only what was observed: a gap of a sensor is no importance of zero.
        values, valid = values.values, values.present if valid is None else valid
    importance = as_numbers(name, values).astype(np.float64)
    mask = None if valid is None else as_numbers("valid", valid).astype(np.bool_)
    if importance.ndim == 3:
        importance, mask = importance[None], None if mask is None else mask[None]
    sizes = check_shape(name, importance.shape, "b m t n")
    if mask is None:
        mask = np.ones(importance.shape, np.bool_)
    elif mask.ndim == 4:
        check_shape("valid", mask.shape, "b m t n", **sizes)
    else:
        check_shape("valid", mask.shape, "b m t", **{axis: sizes[axis] for axis in "bmt"})
        # A frame that is valid is so at all of its nodes.
        mask = np.broadcast_to(mask[..., None], importance.shape)
    # Set to zero before the check: padding may hold anything, NaN included.
    importance = np.where(mask, importance, 0.0)
    check_finite(name, importance)
    return importance, mask


def as_array(values: Any) -> NDArray[Any]:
    """A tensor or an array as a NumPy array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def sample_generator(seed: int, name: str) -> np.random.Generator:
    """A random generator that depends on the seed and the sample's name alone, not on the batch it is in.

    Example:
        >>> bool(sample_generator(0, "clip 1").random() == sample_generator(0, "clip 1").random())
        True
    """
    # The seed is part of the name, so that metrics and explainers of the same seed draw independent numbers.
    return own_generator(0, f"{seed}:{name}")


def names_of(ids: Sequence[str], first: int = 0) -> list[str]:
    """The names of samples; those without one are named by their place, so that each draws its own random numbers.

    Args:
        ids: an empty name for a sample that has none.
        first: how many samples came before, in other batches.

    Example:
        >>> names_of(["a", ""], first=3)
        ['a', 'sample 4']
    """
    return [name or f"sample {first + row}" for row, name in enumerate(ids)]


def check_sample_ids(what: str, ids: Sequence[str], expected: Sequence[str]) -> None:
    """Refuses an explanation of other samples than the batch's.

    Args:
        what: the argument, for messages.
        ids: its samples' names; an empty name matches any.
        expected: the names of the batch's samples.

    Raises:
        InputError: with the first name that differs.
    """
    if len(ids) != len(expected):
        raise InputError(f"{what}: got {counted(len(ids), 'sample')}; expected the batch's {len(expected)}.")
    for row, (name, batch_name) in enumerate(zip(ids, expected, strict=True)):
        if name and batch_name and name != batch_name:
            raise InputError(
                f"{what}: got sample {name!r} at index {row}; expected {batch_name!r}, as in the batch. Explain the "
                "batch that is scored."
            )
