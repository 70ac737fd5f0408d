"""How a model is called: the options that everything which calls one takes, in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class CallOptions(TypedDict, total=False):
    """How a model is called, as keyword arguments; see `ModelCaller` for what each means and its default."""

    inputs: str | Mapping[str, str] | None
    graph: "STGraph | None"
    classes: Sequence[str] | None
    argument: str | None
    signals: "Sequence[int | str] | None"
    channel_names: Sequence[str] | None
    output: "str | int | None"
    chunk: int | None


@dataclass(frozen=True, eq=False, repr=False)
class ModelCall:
    """How the model was called for an explanation, so that nothing that uses it must ask again.

    Attributes:
        options: as of the explainer.
        valid: the padding mask as it was given, ``[B, M, T]``; none: it was not given.
        shared: further arguments of the model's forward, the same for all samples, as they were given.
        per_sample: further arguments with B entries along their first axis, as they were given.
        stream: the one of several streams that was explained; none: all that there is.
        observed: the missing-value mask of a tensor as it was given, ``[B, M, T, N]``; none: it was not given.

    Example:
        >>> call = ModelCall({"inputs": "b t n"}, per_sample={"day": np.array([3, 4])})
        >>> call.rows(np.array([1])).per_sample["day"].tolist()
        [4]
    """

    options: CallOptions = field(default_factory=CallOptions)
    valid: Any = None
    shared: Mapping[str, Any] = field(default_factory=dict)
    per_sample: Mapping[str, Any] = field(default_factory=dict)
    stream: str | None = None
    observed: Any = None

    @classmethod
    def joined(cls, calls: "Sequence[ModelCall | None]") -> "ModelCall | None":
        """The call for the samples of all, one after the other; none where they differ in more than their samples."""
        first = calls[0]
        if len(calls) == 1 or first is None:
            return first
        others = [call for call in calls if call is not None and first._is_like(call)]
        if len(others) < len(calls):
            return None
        per_sample = {name: _concatenated([each.per_sample[name] for each in others]) for name in first.per_sample}
        masks = {name: _concatenated([getattr(each, name) for each in others]) for name in ("valid", "observed")}
        return replace(first, per_sample=per_sample, **masks)

    def _is_like(self, other: "ModelCall") -> bool:
        """Whether the calls differ in nothing but their samples."""
        return (
            self.options == other.options
            and self.stream == other.stream
            and self.per_sample.keys() == other.per_sample.keys()
            and self.shared.keys() == other.shared.keys()
            # By identity: arguments may be of any type, and equality of tensors is no single truth.
            and all(value is other.shared[name] for name, value in self.shared.items())
            and type(self.valid) is type(other.valid)
            and type(self.observed) is type(other.observed)
        )

    def rows(self, rows: NDArray[np.int64]) -> "ModelCall":
        """The call for some of the samples, by index."""
        return replace(
            self,
            valid=_rows(self.valid, rows),
            observed=_rows(self.observed, rows),
            per_sample={name: _rows(value, rows) for name, value in self.per_sample.items()},
        )


def _concatenated(values: Sequence[Any]) -> Any:
    """Values with an entry per sample, one after the other; a value for all samples, as it is."""
    if isinstance(values[0], Tensor):
        return torch.cat([torch.as_tensor(value) for value in values])
    return np.concatenate(values) if isinstance(values[0], np.ndarray | list | tuple) else values[0]


def _rows(value: Any, rows: NDArray[np.int64]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(value[row] for row in rows)
    # One value for all samples, such as valid=True, has none of its own. A tensor takes a list of indices, not an array
    # with a negative stride.
    return value[rows.tolist()] if getattr(value, "ndim", 0) else value
