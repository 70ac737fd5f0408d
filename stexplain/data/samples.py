"""What a dataset gives: one sample, or a batch of them.

Two masks travel with the signals, and mean the same everywhere in the package:

- `valid`, the **padding mask**, ``[M, T]`` of a sample and ``[B, M, T]`` of a batch: true where a frame of an instance
  exists. False are frames that pad a shorter sample and instances that are absent.
- `observed`, the **missing-value mask**, ``[M, T, N]`` or ``[B, M, T, N]``: true where the value of a node at a frame
  was observed. None: everything in the valid frames was.

Signals are zero where either mask is false, and such positions are never evidence. `Batch.present` joins the two.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.cards import Recipe
from stexplain.checking import checked
from stexplain.checking.values import usable_device
from stexplain.data.baselines.window_history import WindowHistory
from stexplain.data.times.measured import UNMEASURED as UNMEASURED
from stexplain.data.times.measured import Measured as Measured
from stexplain.errors import InputError
from stexplain.graph import STGraph


@dataclass(frozen=True)
class Sampling:
    """How a sample or batch of a dataset was sampled, and how to sample it by another recipe.

    Attributes:
        recipe: by which it was sampled; none: it is raw.
        resample: from a recipe to the same samples, as a batch, sampled by that recipe; none once the samples were
            sent from one process to another, which leaves the dataset behind.
    """

    recipe: Recipe | None
    resample: "Callable[[Recipe], Batch] | None"

    def __reduce__(self) -> tuple[Any, ...]:
        # `resample` closes over the whole dataset: pickling it would copy that to every worker process.
        return Sampling, (self.recipe, None)


@checked
@dataclass(frozen=True, repr=False)
class Sample:
    """One sample of signals on a graph over time.

    Attributes:
        x: signals ``[M, T, N, C]``, float32; zero where `valid` is false.
        valid: the padding mask, ``[M, T]``, bool; see the module.
        label: the class, as an index into the class names; -1 where there is none.
        id: what the sample is called in its dataset.
        truth: which positions decide the class, ``[M, T, N]``, bool, where the dataset has that ground truth; or none.
        fields: what the dataset knows about the sample, such as ``{"subject": 3, "camera": 1}``.
        observed: the missing-value mask, ``[M, T, N]``, bool, or none; see the module.
        sampling: how the sample was drawn, where it is of a dataset.
        channels: the names of the C channels, where known.
        group: of samples that are not independent, such as of one person; empty: not known.
        measured: the units of the channels and the frame rate, where the source says them.
        history: of a window, what its nodes usually measure at its times; none: not known. It goes with `x`, as
            `observed` does.
        graph: of the N nodes, where known.
        classes: the names of the classes, where known; `label` indexes them.
        timestamp: the moment of the first frame, in the time zone of the data where that has one; none: not known.

    Raises:
        InputError: where a shape does not fit, or a value of `x` is NaN or infinite.

    Example:
        >>> long, short = (Sample(np.ones((1, t, 3, 2), np.float32), np.ones((1, t), bool)) for t in (8, 6))
        >>> Batch.of(long, short).valid.sum((1, 2))
        tensor([8, 6])
    """

    x: NDArray[np.float32]
    valid: NDArray[np.bool_]
    label: int = -1
    id: str = ""
    truth: NDArray[np.bool_] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    observed: NDArray[np.bool_] | None = None
    sampling: Sampling | None = field(default=None, repr=False, compare=False)
    channels: tuple[str, ...] = ()
    group: str = ""
    measured: Measured = UNMEASURED
    history: "WindowHistory | None" = field(default=None, repr=False, compare=False)
    graph: STGraph | None = field(default=None, repr=False, compare=False)
    classes: tuple[str, ...] = ()
    timestamp: pd.Timestamp | None = None

    def __post_init__(self) -> None:
        sizes = check_shape("x", self.x.shape, "m t n c")
        check_shape("valid", self.valid.shape, "m t", m=sizes["m"], t=sizes["t"])
        for name, mask in (("truth", self.truth), ("observed", self.observed)):
            if mask is not None:
                check_shape(name, mask.shape, "m t n", m=sizes["m"], t=sizes["t"], n=sizes["n"])
        check_finite("x", self.x, self.id)
        if isinstance(self.label, bool) or not hasattr(self.label, "__index__"):
            raise InputError(f"label: got {self.label!r}; expected the number of a class, or -1 for none.")

    def __repr__(self) -> str:
        return f"<Sample{f' {self.id!r}' if self.id else ''}: {_sizes(self.x.shape, self.channels)}>"


@checked
@dataclass(frozen=True, repr=False)
class Batch:
    """Samples of one size, stacked.

    Attributes:
        x: ``[B, M, T, N, C]``, float32; zero where `valid` is false.
        valid: the padding mask, ``[B, M, T]``, bool; see the module.
        label: ``[B]``, int64; -1 where there is none.
        ids: B names.
        truth: which positions decide the class, ``[B, M, T, N]``, bool, or none.
        observed: the missing-value mask, ``[B, M, T, N]``, bool, or none; see the module.
        sampling: how the samples were drawn, where they are of a dataset.
        channels: the names of the C channels, where known.
        groups: the group of each sample, B of them, such as ``"subject 3"``: samples of one group are not
            independent; empty: not known.
        unmasked: whether no one gave `valid`, which then says what was noticed in a plain tensor: a model that takes a
            mask is given none.
        measured: the units of the channels and the frame rate, where the source says them. Its seconds become the time
            axis of an explanation.
        history: of windows, what their nodes usually measure at their times; none: not known. It goes with `x`, as
            `observed` does.
        graph: of the N nodes, where known. `explain` takes it for a model that has none.
        classes: the names of the classes, where known; `label` indexes them, and so does the output of a model that was
            trained on it.
        timestamps: the moment of each sample's first frame, ``[B]``, in the time zone of the data where that has one;
            none: not known.

    Example:
        >>> x, valid = torch.randn(2, 1, 8, 3, 2), torch.ones(2, 1, 8, dtype=torch.bool)
        >>> Batch(x, valid, torch.tensor([0, 1]), ("first", "second"))[1:]
        <Batch of 1: 1 instance x 8 frames x 3 nodes x 2 channels; second>
    """

    x: torch.Tensor
    valid: torch.Tensor
    label: torch.Tensor
    ids: tuple[str, ...]
    truth: torch.Tensor | None = None
    observed: torch.Tensor | None = None
    sampling: Sampling | None = field(default=None, repr=False, compare=False)
    channels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    unmasked: bool = field(default=False, repr=False, compare=False)
    measured: Measured = UNMEASURED
    history: "WindowHistory | None" = field(default=None, repr=False, compare=False)
    graph: STGraph | None = field(default=None, repr=False, compare=False)
    classes: tuple[str, ...] = ()
    timestamps: pd.DatetimeIndex | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        named = [name for name in self.ids if name]
        names = f"; {', '.join(named[:3])}{', ...' if len(named) > 3 else ''}" if named else ""
        return f"<{type(self).__name__} of {len(self.ids)}: {_sizes(self.x.shape[1:], self.channels)}{names}>"

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
            raise InputError("got no samples; expected at least one.")
        for name, key in (("nodes and channels", lambda s: s.x.shape[2:]), ("truth", lambda s: s.truth is None)):
            if len({key(sample) for sample in samples}) > 1:
                raise InputError(
                    f"the samples differ in {name}, so they cannot be one batch. Take samples of one dataset."
                )
        instances, frames = (max(sample.x.shape[axis] for sample in samples) for axis in (0, 1))

        def stacked(arrays: "list[NDArray[Any]]") -> torch.Tensor:
            # Zero (false, for masks) is the padding: what no sample fills stays invalid.
            out = np.zeros((len(arrays), instances, frames, *arrays[0].shape[2:]), arrays[0].dtype)
            for row, array in enumerate(arrays):
                out[row, : array.shape[0], : array.shape[1]] = array
            return torch.from_numpy(out)

        observed = None
        # One sample with missing values gives all a mask; where a sample has none, its valid frames are observed.
        if any(sample.observed is not None for sample in samples):
            nodes = samples[0].x.shape[2]
            observed = stacked(
                [
                    np.repeat(one.valid[..., None], nodes, -1) if one.observed is None else one.observed
                    for one in samples
                ]
            )
        return cls(
            stacked([sample.x for sample in samples]),
            stacked([np.asarray(sample.valid) for sample in samples]),
            torch.tensor([sample.label for sample in samples], device="cpu"),
            tuple(sample.id for sample in samples),
            None if samples[0].truth is None else stacked([one.truth for one in samples if one.truth is not None]),
            observed,
            _common_sampling([sample.sampling for sample in samples]),
            # Samples of one dataset agree; names that not all of them have are nobody's.
            samples[0].channels if len({sample.channels for sample in samples}) == 1 else (),
            tuple(sample.group for sample in samples) if all(sample.group for sample in samples) else (),
            measured=samples[0].measured if len({sample.measured for sample in samples}) == 1 else UNMEASURED,
            history=WindowHistory.joined([sample.history for sample in samples]),
            graph=samples[0].graph if len({_hash(sample.graph) for sample in samples}) == 1 else None,
            classes=samples[0].classes if len({sample.classes for sample in samples}) == 1 else (),
            timestamps=_common_zone([sample.timestamp for sample in samples]),
        )

    def __len__(self) -> int:
        return int(self.x.shape[0])

    @property
    def present(self) -> torch.Tensor:
        """Which positions hold an observed value: `valid` and `observed` together, ``[B, M, T, N]``, bool."""
        valid = self.valid[..., None].expand(self.x.shape[:-1])
        return valid if self.observed is None else valid & self.observed

    def to(self, device: "torch.device | str") -> Self:
        """The same batch on another device.

        Raises:
            InputError: where there is no such device.
        """
        place = usable_device("device", device)
        return self._each(lambda tensor: tensor.to(place))

    def __getitem__(self, index: slice) -> Self:
        """A part of the batch, as a batch."""
        sampling = self.sampling
        if sampling is not None and (whole := sampling.resample) is not None:
            # Resampling the whole batch and cutting again keeps the samples in the order of this part.
            sampling = replace(sampling, resample=lambda recipe: whole(recipe)[index])
        history = None if self.history is None else self.history[index]
        cut = self._each(lambda tensor: tensor[index])
        return replace(
            cut,
            ids=self.ids[index],
            groups=self.groups[index],
            sampling=sampling,
            history=history,
            timestamps=None if self.timestamps is None else self.timestamps[index],
        )

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        """The batch with every tensor changed, those that a subclass adds too."""
        values: dict[str, Any] = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        tensors = {name: change(value) for name, value in values.items() if isinstance(value, torch.Tensor)}
        return replace(self, **{**values, **tensors})


def _hash(graph: STGraph | None) -> str:
    return "" if graph is None else graph.hash


def _common_zone(each: "list[pd.Timestamp | None]") -> pd.DatetimeIndex | None:
    """The moments of samples of one time zone; none where not all are known, or they are on several clocks."""
    known = [one for one in each if one is not None]
    if len(known) < len(each) or len({str(one.tz) for one in known}) > 1:
        return None
    return pd.DatetimeIndex(known)


def _common_sampling(each: "list[Sampling | None]") -> Sampling | None:
    """How the samples of a batch were drawn; none where not all are of a dataset, or by different recipes."""
    known = [sampling for sampling in each if sampling is not None]
    if len(known) < len(each) or any(sampling.recipe != known[0].recipe for sampling in known):
        return None
    resamplers = [sampling.resample for sampling in known]

    def resample(recipe: Recipe) -> Batch:
        batches = [one(recipe) for one in resamplers if one is not None]
        truth = [batch.truth for batch in batches if batch.truth is not None]
        # A recipe gives every clip one length, so batches of one sample concatenate without padding.
        return Batch(
            torch.cat([batch.x for batch in batches]),
            torch.cat([batch.valid for batch in batches]),
            torch.cat([batch.label for batch in batches]),
            tuple(name for batch in batches for name in batch.ids),
            torch.cat(truth) if truth else None,
            sampling=Sampling(recipe, resample),
            channels=batches[0].channels,
            groups=tuple(name for batch in batches for name in batch.groups),
            graph=batches[0].graph,
            classes=batches[0].classes,
        )

    return Sampling(known[0].recipe, None if None in resamplers else resample)


def check_finite(name: str, values: "NDArray[Any] | torch.Tensor", sample: str = "") -> None:
    """Refuses NaN and infinite values, and says where the first one is.

    Args:
        name: of the argument, for the message.
        values: an array or tensor.
        sample: the name of the sample, for the message.

    Raises:
        InputError: naming the place and the remedy.

    Example:
        >>> check_finite("x", np.array([0.0, np.nan]))
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: x holds 1 value that is NaN or infinite, the first at index (1,). ...
    """
    if isinstance(values, torch.Tensor):
        # A sum is finite only where every value is; it costs one pass and no memory. Meta tensors have no values.
        if values.is_meta or bool(torch.isfinite(values.sum())):
            return
        values = values.detach().cpu().numpy()
    bad = ~np.isfinite(values)
    count = int(bad.sum())
    # An overflow of the sum alone, of finite values, comes out here as zero bad values.
    if count:
        first = tuple(int(axis) for axis in np.argwhere(bad)[0])
        raise InputError(
            f"{name}{f' of sample {sample!r}' if sample else ''} holds {count} value{'s' if count > 1 else ''} that "
            f"{'are' if count > 1 else 'is'} NaN or infinite, the first at index {first}. "
            "Mark what is missing: whole frames by `valid`, and zeros in x; single nodes by `observed`, of a Batch or "
            "of a call such as stexplain.explain(model, x, observed=...), which takes NaN there."
        )


def _sizes(shape: Sequence[int], channels: Sequence[str]) -> str:
    nouns = ("instance", "frame", "node", "channel")
    counts = " x ".join(f"{size} {noun}{'' if size == 1 else 's'}" for size, noun in zip(shape, nouns, strict=True))
    return counts + (f" ({', '.join(channels)})" if channels else "")
