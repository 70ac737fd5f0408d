"""What a dataset gives: one sample, or a batch of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.cards import Recipe
from stexplain.errors import InputError


@dataclass(frozen=True)
class Sampled:
    """How a sample or batch of a dataset was sampled, and how to sample it otherwise.

    Attributes:
        recipe: by which it was sampled; none: it is as recorded.
        by: a recipe to the same samples, as a batch, sampled by that recipe; none once the samples were sent from one
            process to another, which leaves the dataset behind.
    """

    recipe: Recipe | None
    by: "Callable[[Recipe], Batch] | None"

    def __reduce__(self) -> tuple[Any, ...]:
        return Sampled, (self.recipe, None)


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
        observed: which single readings are there, ``[M, T, N]``, bool; none: all of the valid frames.
        sampled: where the sample came from, where it is of a dataset.

    Raises:
        InputError: where a shape does not fit, or a valid value is NaN or infinite.
    """

    x: NDArray[np.float32]
    valid: NDArray[np.bool_]
    label: int = -1
    id: str = ""
    truth: NDArray[np.bool_] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    observed: NDArray[np.bool_] | None = None
    sampled: Sampled | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        sizes = check_shape("x", self.x.shape, "m t n c")
        check_shape("valid", self.valid.shape, "m t", m=sizes["m"], t=sizes["t"])
        for name, cells in (("truth", self.truth), ("observed", self.observed)):
            if cells is not None:
                check_shape(name, cells.shape, "m t n", m=sizes["m"], t=sizes["t"], n=sizes["n"])
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
        observed: which single readings are there, ``[B, M, T, N]``, bool; none: all of the valid frames.
        sampled: where the samples came from, where they are of a dataset.
    """

    x: torch.Tensor
    valid: torch.Tensor
    label: torch.Tensor
    ids: tuple[str, ...]
    truth: torch.Tensor | None = None
    observed: torch.Tensor | None = None
    sampled: Sampled | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, *samples: Sample) -> "Batch":
        """Samples as a batch; shorter ones, and those of fewer instances, are padded with what is not valid.

        It collates for a `torch.utils.data.DataLoader`: ``collate_fn=lambda samples: Batch.of(*samples)``.

        Raises:
            InputError: where there are none, or they differ in nodes, channels, or in whether they carry a truth.

        Example:
            >>> long = Sample(np.ones((1, 4, 3, 2), np.float32), np.ones((1, 4), bool), id="long")
            >>> short = Sample(np.ones((1, 2, 3, 2), np.float32), np.ones((1, 2), bool), id="short")
            >>> batch = Batch.of(long, short)
            >>> tuple(batch.x.shape), batch.valid[1].tolist(), batch.ids
            ((2, 1, 4, 3, 2), [[True, True, False, False]], ('long', 'short'))
        """
        if not samples:
            raise InputError("no samples came; wanted at least one.")
        for name, what in (("nodes and channels", lambda s: s.x.shape[2:]), ("truth", lambda s: s.truth is None)):
            if len({what(sample) for sample in samples}) > 1:
                raise InputError(
                    f"the samples differ in {name}, so they cannot be one batch. Take them of one dataset."
                )
        instances, frames = (max(sample.x.shape[axis] for sample in samples) for axis in (0, 1))

        def together(arrays: "list[NDArray[Any]]") -> torch.Tensor:
            out = np.zeros((len(arrays), instances, frames, *arrays[0].shape[2:]), arrays[0].dtype)
            for row, array in enumerate(arrays):
                out[row, : array.shape[0], : array.shape[1]] = array
            return torch.from_numpy(out)

        observed = None
        if any(sample.observed is not None for sample in samples):
            nodes = samples[0].x.shape[2]
            observed = together(
                [
                    np.repeat(one.valid[..., None], nodes, -1) if one.observed is None else one.observed
                    for one in samples
                ]
            )
        return cls(
            together([sample.x for sample in samples]),
            together([np.asarray(sample.valid) for sample in samples]),
            torch.tensor([sample.label for sample in samples]),
            tuple(sample.id for sample in samples),
            None if samples[0].truth is None else together([one.truth for one in samples if one.truth is not None]),
            observed,
            _sampled_alike([sample.sampled for sample in samples]),
        )

    def __len__(self) -> int:
        return int(self.x.shape[0])

    @property
    def there(self) -> torch.Tensor:
        """Which cells hold a reading, ``[B, M, T, N]``, bool."""
        there = self.valid[..., None].expand(self.x.shape[:-1])
        return there if self.observed is None else there & self.observed

    def to(self, device: "torch.device | str") -> Self:
        """The same batch on another device."""
        return self._each(lambda tensor: tensor.to(device))

    def __getitem__(self, index: slice) -> Self:
        """A part of the batch, as a batch."""
        sampled = self.sampled
        if sampled is not None and (whole := sampled.by) is not None:
            sampled = replace(sampled, by=lambda recipe: whole(recipe)[index])
        return replace(self._each(lambda tensor: tensor[index]), ids=self.ids[index], sampled=sampled)

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        values: dict[str, Any] = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        tensors = {name: change(value) for name, value in values.items() if isinstance(value, torch.Tensor)}
        return replace(self, **{**values, **tensors})


def _sampled_alike(each: "list[Sampled | None]") -> Sampled | None:
    """Where the samples of a batch came from; none where not all are of a dataset, or by different recipes."""
    known = [sampled for sampled in each if sampled is not None]
    if len(known) < len(each) or any(sampled.recipe != known[0].recipe for sampled in known):
        return None
    ways = [sampled.by for sampled in known]

    def by(recipe: Recipe) -> Batch:
        batches = [way(recipe) for way in ways if way is not None]
        truth = [batch.truth for batch in batches if batch.truth is not None]
        return Batch(
            torch.cat([batch.x for batch in batches]),
            torch.cat([batch.valid for batch in batches]),
            torch.cat([batch.label for batch in batches]),
            tuple(name for batch in batches for name in batch.ids),
            torch.cat(truth) if truth else None,
            sampled=Sampled(recipe, by),
        )

    return Sampled(known[0].recipe, None if None in ways else by)


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
