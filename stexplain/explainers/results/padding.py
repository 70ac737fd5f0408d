"""Explanations of shorter samples as those of a batch with longer ones: padding behind them, which is no evidence."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation

# By frames; and by positions of the layer, of which an explanation of more frames has more.
_BY_FRAME = ("values", "valid", "observed", "channels", "standard_error")
_BY_POSITION = ("layer_values",)


def of_one_length(parts: "Sequence[Explanation]") -> "list[Explanation]":
    """The explanations, the shorter ones with padding behind them; as they are where any was given its own mask.

    Where their times are not the first of the longest's, as of windows at other seconds, none is changed.

    Args:
        parts: of several lengths.

    Example:
        >>> from stexplain.explainers.explanation import Explanation
        >>> parts = [Explanation(np.ones((1, 1, frames, 2)), np.ones((1, 1, frames), bool)) for frames in (3, 5)]
        >>> of_one_length(parts)[0].valid.tolist()
        [[[True, True, True, False, False]]]
    """
    longest = max(parts, key=lambda part: part.values.shape[2])
    frames = longest.values.shape[2]
    if all(part.values.shape[2] == frames for part in parts):
        return list(parts)
    # The masks of tensors lie in the layout that the model has, where nothing says which axis is time.
    given = any(
        part.call is not None and (part.call.valid is not None or part.call.observed is not None) for part in parts
    )
    alike = all(np.array_equal(part.time, longest.time[: len(part.time)]) for part in parts)
    if given or not alike:
        return list(parts)
    found = []
    for part in parts:
        longer: dict[str, Any] = {"time": longest.time}
        for name in (*_BY_FRAME, *_BY_POSITION):
            own, other = getattr(part, name), getattr(longest, name)
            size = frames if name in _BY_FRAME else None if other is None else other.shape[2]
            if own is not None and size is not None:
                longer[name] = _padded(own, size)
        found.append(replace(part, **longer))
    return found


def _padded(array: NDArray[Any], size: int) -> NDArray[Any]:
    """An array ``[B, M, T, ...]`` with zeros, or False, behind its frames."""
    return np.pad(array, [(0, size - array.shape[2]) if axis == 2 else (0, 0) for axis in range(array.ndim)])
