"""Robustness: how much an explanation changes under small changes of the signals."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.axes import BATCH, check_shape
from stexplain.checking import checked
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.inputs.streams import Streams as PackedStreams
from stexplain.explainers.model.model_input import Signals, Streams
from stexplain.explainers.results.joining import check_alike
from stexplain.explainers.target import Target, TargetLike
from stexplain.explainers.targets import as_target
from stexplain.intervals.bootstrap import Interval, interval
from stexplain.metrics.arrays import names_of, sample_generator
from stexplain.metrics.calls import as_batch, unlabelled
from stexplain.metrics.masked_model import fix_predicted
from stexplain.result import Result
from stexplain.wording import counted


@checked
@dataclass(frozen=True, repr=False)
class Sensitivity(Result):
    """Relative changes of explanations under random perturbations.

    Attributes:
        changes: ``|| E(x + d) - E(x) || / || E(x) ||`` for every draw of d and every sample, ``[draws, n]``; NaN for a
            sample whose map is zero everywhere, which is excluded.
        ids: the names of the samples.
        method: the name of the explainer.

    Example:
        >>> found = Sensitivity(np.array([[0.1, 0.2], [0.3, 0.1]]), ("a", "b"), "ours")
        >>> found.maximum.tolist(), found
        ([0.3, 0.2], <Sensitivity of 2 samples by ours, 2 draws; to_frame() has all>)
    """

    changes: NDArray[np.float64]
    ids: tuple[str, ...]
    method: str

    def _said(self) -> str:
        return f"{counted(len(self.ids), 'sample')} by {self.method}, {len(self.changes)} draws"

    def to_frame(self) -> pd.DataFrame:
        """A row per sample: ``sample, maximum, mean`` of its changes over the draws."""
        ids = list(self.ids) if any(self.ids) else list(range(len(self.ids)))
        return pd.DataFrame({"sample": ids, "maximum": self.maximum, "mean": self.changes.mean(axis=0)})

    @property
    def maximum(self) -> NDArray[np.float64]:
        """The max-sensitivity of each sample: the largest change among the draws, ``[n]``."""
        largest: NDArray[np.float64] = self.changes.max(axis=0)
        return largest

    def interval(
        self, *, groups: Any = None, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> Interval:
        """The mean of `maximum` over samples with its bootstrap interval; see `stexplain.metrics.interval`."""
        return interval(self.maximum, groups=groups, seed=seed, resamples=resamples, confidence=confidence)

    @classmethod
    def joined(cls, parts: "Sequence[Sensitivity]") -> "Sensitivity":
        """Sensitivities of several batches as one.

        Raises:
            InputError: if there are none, or they differ in method or number of draws.
        """
        check_alike("sensitivities", parts, ["method"])
        draws = sorted({len(part.changes) for part in parts})
        if len(draws) > 1:
            raise InputError(
                f"parts: got sensitivities of {draws} draws, which cannot be joined; expected one number. Give all "
                "of them the same `draws`."
            )
        changes = np.concatenate([part.changes for part in parts], axis=1)
        return cls(changes, tuple(name for part in parts for name in part.ids), parts[0].method)


@checked
def sensitivity_max(
    explainer: Explainer,
    x: Signals | Streams,
    *,
    target: TargetLike | None = None,
    radius: "float | Sequence[float]" = 0.1,
    relative: bool = True,
    draws: int = 10,
    seed: int = 0,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
) -> Sensitivity:
    """The largest relative change of an explanation under small random perturbations of the signals.

    Max-sensitivity of Yeh et al. (NeurIPS 2019), over `draws` random perturbations and relative to the map::

        sensitivity = max over d with |d| <= r of  || E(x + d) - E(x) || / || E(x) ||

    The norm is Euclidean over valid positions. d is uniform in [-r, r], independent for every observation and channel,
    and depends on the seed and the sample's name. Positions that are not valid, and channels that are indices, are not
    perturbed. All samples are explained at once, draw by draw; how they are batched or padded does not change the
    result.

    A low sensitivity means nothing by itself: a map that does not depend on the model has none.

    Args:
        explainer: any; its maps' signed values are compared, and the model is called as it says.
        x: the samples, as the explainer takes them. Streams are perturbed together, each channel by its own radius in
            the order of the streams, and the norm is over the maps of all.
        target: the target; default: `Predicted()`, the class predicted for the unperturbed sample, in every draw.
        radius: r, one number or one for each channel.
        relative: whether the radius is a share of the standard deviation of each channel over the valid observations
            of the sample; else it is in the units of the signals.
        draws: how many perturbations.
        seed: of the perturbations.
        valid: see `Explainer`'s call.
        observed: see `Explainer`'s call. What was not observed is not perturbed.
        shared: see `Explainer`'s call.
        per_sample: see `Explainer`'s call.

    Returns:
        Relative changes of every draw and sample, ``[draws, n]``, at least 0, without a unit.

    Raises:
        InputError: if an argument is out of range.

    Example:
        >>> from stexplain.explainers.methods import Motion
        >>> x = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(1, 1, 4, 1, 1)
        >>> result = sensitivity_max(Motion(), x, radius=0.01, relative=False)
        >>> bool(0 < result.maximum[0] <= 0.02)
        True
    """
    if draws < 1:
        raise InputError(f"draws: got {draws}; expected at least 1.")
    # Preprocessed before noise is added; without `sampling` the explainer does not preprocess it again.
    arguments: dict[str, Any] = {"shared": shared, "per_sample": per_sample}
    samples = _Samples(explainer, x, valid, observed, arguments)
    batch = samples.batch
    target = as_target(target)
    perturbed = perturbed_signals(
        batch, samples.signal_channels(), radius=radius, relative=relative, draws=draws, seed=seed
    )
    with explainer:
        original, predicted = samples.maps(samples.x, target)
        # A perturbed sample may be predicted otherwise; the explained class stays that of the original.
        fixed = fix_predicted(target, predicted)
        # Values are zero where they are not valid, so the sum is over valid positions.
        norm = _norm(original)
        changes = np.empty((draws, len(batch)))
        for draw, signals in enumerate(perturbed):
            maps, _ = samples.maps(samples.other(signals), fixed)
            changes[draw] = _norm(maps - original)
    # NaN where a map is zero everywhere.
    return Sensitivity(changes / np.where(norm, norm, np.nan), batch.ids, explainer.method or type(explainer).__name__)


def perturbed_signals(
    batch: Batch,
    channels: NDArray[np.float64],
    *,
    radius: "float | Sequence[float]",
    relative: bool = True,
    draws: int,
    seed: int,
) -> Iterator[Tensor]:
    """The signals of a batch with noise added, ``[B, M, T, N, C]``, draw by draw; see `sensitivity_max`.

    Args:
        batch: the samples; what they do not observe stays as it is.
        channels: one for each channel that is a signal, zero for one that is an index, ``[C]``.
        radius: see `sensitivity_max`.
        relative: see `sensitivity_max`.
        draws: see `sensitivity_max`.
        seed: see `sensitivity_max`.

    Raises:
        InputError: if the radius is out of range.

    Example:
        >>> x, valid = torch.zeros(1, 1, 4, 1, 1), torch.ones(1, 1, 4, dtype=torch.bool)
        >>> still = Batch(x, valid, torch.zeros(1, dtype=torch.int64), ("a",))
        >>> (noisy,) = perturbed_signals(still, np.ones(1), radius=0.5, relative=False, draws=1, seed=0)
        >>> bool(0 < noisy.abs().max() <= 0.5)
        True
    """
    sizes = check_shape("x", tuple(batch.x.shape), BATCH)
    radii = np.atleast_1d(np.asarray(radius, np.float64))
    # `not all` rather than `any below 0`, which NaN would pass.
    if radii.shape not in ((1,), (sizes["c"],)) or not (radii >= 0).all():
        raise InputError(
            f"radius: got {radius}; expected a number of at least 0, or one for each of {sizes['c']} channels."
        )
    observed = batch.present.cpu().numpy()
    signals = batch.x.detach().cpu().double().numpy()
    # r of each sample, [C]: relative radii scale with the sample's own spread. Zero for a channel that is an index:
    # each draw is still of as many numbers.
    scales = [
        radii * (rows[mask].std(axis=0) if relative and mask.any() else 1.0) * channels
        for rows, mask in zip(signals, observed, strict=True)
    ]
    # One per sample for all draws: each draw continues where the last one ended.
    generators = [sample_generator(seed, name) for name in names_of(batch.ids)]

    def draw() -> Tensor:
        perturbed = signals.copy()
        for row, (random, scale) in enumerate(zip(generators, scales, strict=True)):
            # Draw for observed positions only, so that padding changes no other number.
            noise = random.uniform(-1, 1, (int(observed[row].sum()), sizes["c"])) * scale
            # [M, T, N, C] by a mask [M, T, N] is [observed, C], as the noise is.
            perturbed[row][observed[row]] += noise
        # To the device and the floating type of the batch.
        return torch.from_numpy(perturbed).to(batch.x)

    # One at a time: each is as large as the batch.
    return (draw() for _ in range(draws))


class _Samples:
    """Samples, or streams of them, as one batch to perturb, and in the form that an explainer takes.

    Attributes:
        batch: the samples, ``[B, M, T, N, C]``; of streams with the channels of all.
        x: what the explainer is given of them.
    """

    def __init__(
        self, explainer: Explainer, x: Signals | Streams, valid: Any, observed: Any, arguments: Mapping[str, Any]
    ):
        self.explainer, self.valid, self.arguments = explainer, valid, arguments
        self.streams: PackedStreams | None = None
        if not isinstance(x, Mapping):
            # Preprocessed before noise is added; without `sampling` the explainer does not preprocess it again.
            self.batch = replace(as_batch(explainer, x, valid, observed=observed, **arguments), sampling=None)
            # The masks of a batch are its own.
            self.x: Signals | Streams = self.batch
            self.valid = None
            return
        with self._frozen():
            prepared = explainer._prepare(x, valid, observed=observed, **self._named)
            self.batch = unlabelled(prepared, explainer.inputs.to_batch(prepared.x, **prepared.sizes))
            self.streams, self.x = explainer._streams, x

    @property
    def _named(self) -> Mapping[str, Any]:
        # A baseline explainer calls no model, which could take arguments.
        return {} if self.explainer.model is None else self.arguments

    def _frozen(self) -> AbstractContextManager[None]:
        return nullcontext() if self.explainer.model is None else self.explainer._model_frozen()

    def other(self, signals: Tensor) -> Signals | Streams:
        """The samples with other signals ``[B, M, T, N, C]``, in the form that the explainer takes."""
        # To the device and the floating type of the batch.
        signals = signals.to(self.batch.x)
        return replace(self.batch, x=signals) if self.streams is None else self.streams.split(signals)

    def maps(self, x: Signals | Streams, target: Target) -> tuple[NDArray[np.float64], Any]:
        """The maps ``[streams, B, M, T, N]``, and the classes that were explained."""
        found = self.explainer(x, target=target, valid=self.valid, **self.arguments)
        explanations = list(found.values()) if isinstance(found, Mapping) else [found]
        return np.stack([one.values for one in explanations]).astype(np.float64), explanations[0].targets

    def signal_channels(self) -> NDArray[np.float64]:
        """One for each channel that is a signal, zero for one that is an index, ``[C]``."""
        with self._frozen():
            signals = signal_mask(self.explainer, self.explainer._prepare(self.x, self.valid, **self._named))
        return np.ones(self.batch.x.shape[-1]) if signals is None else signals.cpu().numpy().astype(np.float64)


def _norm(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Euclidean norm of the maps of each sample: ``[streams, B, M, T, N]`` to ``[B]``."""
    norm: NDArray[np.float64] = np.sqrt((maps**2).sum((0, 2, 3, 4)))
    return norm
