"""What a dataset gives: one sample, or a batch of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.errors import InputError


@dataclass(frozen=True)
class Sample:
    """One sample of signals on a graph over time.

    Attributes:
        x: signals ``[M, T, N, C]``, float32; zero where `valid` is false.
        valid: which frames of which instance hold a reading, ``[M, T]``, bool.
        label: the class, as an index into the class names; -1 where there is none.
        id: what the sample is called in its dataset.
        truth: which cells decide the class, ``[M, T, N]``, bool, where that was planted; else none.
        fields: what the dataset knows about the sample, such as ``{"subject": 3, "camera": 1}``.

    Raises:
        InputError: where a shape does not fit, or a valid value is NaN or infinite.
    """

    x: NDArray[np.float32]
    valid: NDArray[np.bool_]
    label: int = -1
    id: str = ""
    truth: NDArray[np.bool_] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = check_shape("x", self.x.shape, "m t n c")
        check_shape("valid", self.valid.shape, "m t", m=sizes["m"], t=sizes["t"])
        if self.truth is not None:
            check_shape("truth", self.truth.shape, "m t n", m=sizes["m"], t=sizes["t"], n=sizes["n"])
        check_finite("x", self.x, self.id)


@dataclass(frozen=True)
class Batch:
    """Samples of one size, stacked.

    Attributes:
        x: ``[B, M, T, N, C]``, float32; zero where `valid` is false.
        valid: ``[B, M, T]``, bool.
        label: ``[B]``, int64; -1 where there is none.
        ids: B names.
        truth: ``[B, M, T, N]``, bool, or none.
    """

    x: torch.Tensor
    valid: torch.Tensor
    label: torch.Tensor
    ids: tuple[str, ...]
    truth: torch.Tensor | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def to(self, device: "torch.device | str") -> "Batch":
        """The same batch on another device."""
        truth = None if self.truth is None else self.truth.to(device)
        return replace(self, x=self.x.to(device), valid=self.valid.to(device), label=self.label.to(device), truth=truth)

    def __getitem__(self, index: slice) -> "Batch":
        """A part of the batch, as a batch."""
        truth = None if self.truth is None else self.truth[index]
        return Batch(self.x[index], self.valid[index], self.label[index], self.ids[index], truth)


def check_finite(name: str, values: "NDArray[Any] | torch.Tensor", where: str = "") -> None:
    """Refuses NaN and infinite values, and says where the first one is.

    Args:
        name: of the argument, for the message.
        values: an array or tensor.
        where: the name of the sample, for the message.

    Raises:
        InputError: naming the place and the remedy.

    Example:
        >>> check_finite("x", np.array([0.0, np.nan]))
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: x holds 1 value that is NaN or infinite, the first at index (1,). ...
    """
    if isinstance(values, torch.Tensor):
        # A sum is finite only where every value is; it costs one pass and no memory.
        if bool(torch.isfinite(values.sum())):
            return
        values = values.detach().cpu().numpy()
    bad = ~np.isfinite(values)
    count = int(bad.sum())
    if count:
        first = tuple(int(axis) for axis in np.argwhere(bad)[0])
        raise InputError(
            f"{name}{f' of sample {where!r}' if where else ''} holds {count} value{'s' if count > 1 else ''} that "
            f"{'are' if count > 1 else 'is'} NaN or infinite, the first at index {first}. "
            "Mark missing readings in `valid` and set them to zero."
        )
