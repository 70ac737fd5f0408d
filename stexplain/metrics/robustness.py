"""Robustness: how much an explanation moves when the signals move a little."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stexplain.axes import BATCH, check_shape
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer, TargetLike
from stexplain.explainers.joining import check_alike
from stexplain.explainers.model.state import apply_recipe
from stexplain.explainers.targets import Predicted, as_target
from stexplain.metrics.bootstrap import Interval, interval
from stexplain.metrics.items import generator
from stexplain.metrics.probe import fixed_target


@dataclass(frozen=True)
class Sensitivity:
    """How far explanations moved.

    Attributes:
        changes: ``|| E(x + d) - E(x) || / || E(x) ||`` for every draw of d and every sample, ``[draws, n]``; NaN for a
            sample whose map is zero throughout, which is left out.
        ids: the names of the samples.
        method: the name of the method.
    """

    changes: NDArray[np.float64]
    ids: tuple[str, ...]
    method: str

    @property
    def greatest(self) -> NDArray[np.float64]:
        """The sensitivity of each sample: the greatest change among the draws, ``[n]``."""
        most: NDArray[np.float64] = self.changes.max(axis=0)
        return most

    def interval(self, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95) -> Interval:
        """The mean of `greatest` over samples with its bootstrap interval."""
        return interval(self.greatest, seed=seed, resamples=resamples, confidence=confidence)

    @classmethod
    def joined(cls, parts: "Sequence[Sensitivity]") -> "Sensitivity":
        """Those of several batches as one.

        Raises:
            InputError: where there are none, or they are of different methods or numbers of draws.
        """
        check_alike("sensitivities", parts, ["method"])
        draws = sorted({len(part.changes) for part in parts})
        if len(draws) > 1:
            raise InputError(f"sensitivities of different numbers of draws cannot be joined: {draws}.")
        changes = np.concatenate([part.changes for part in parts], axis=1)
        return cls(changes, tuple(name for part in parts for name in part.ids), parts[0].method)


def sensitivity_max(
    explainer: Explainer,
    batch: Batch,
    *,
    target: TargetLike | None = None,
    radius: "float | Sequence[float]" = 0.1,
    relative: bool = True,
    draws: int = 10,
    seed: int = 0,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
) -> Sensitivity:
    """The greatest relative change of an explanation under small random changes of the signals.

    Max-sensitivity of Yeh et al. (NeurIPS 2019), over `draws` random changes and in relation to the map::

        sensitivity = max over d with |d| <= r of  || E(x + d) - E(x) || / || E(x) ||

    The norm is Euclidean over valid cells. d is uniform in [-r, r] in every reading and channel, independent of all
    others, and follows from the seed and the sample's name; what is not valid stays as it is. All samples are explained
    at once, and each draw for all of them; how they are cut into batches or padded changes nothing.

    A low sensitivity says nothing by itself: a map that does not look at the model has none.

    Args:
        explainer: any; its maps' signed values are compared.
        batch: the samples.
        target: what is explained; default: `Predicted()`, that is the class predicted for the unaltered sample, in
            every draw.
        radius: r, one number or one for each channel.
        relative: whether the radius is a share of the standard deviation of each channel over the valid readings of
            the sample; else it is in the units of the signals.
        draws: how many changes are tried.
        seed: of the changes.
        shared: see `Explainer`'s call.
        per_sample: see `Explainer`'s call.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> from stexplain.explainers.methods.baselines import Motion
        >>> x = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(1, 1, 4, 1, 1)
        >>> batch = Batch(x, torch.ones(1, 1, 4, dtype=bool), torch.tensor([-1]), ("a",))
        >>> found = sensitivity_max(Motion(), batch, radius=0.01, relative=False)
        >>> bool(0 < found.greatest[0] <= 0.02)
        True
    """
    if draws < 1:
        raise InputError(f"draws is {draws}; wanted at least 1.")
    batch = replace(apply_recipe(explainer.model, batch), sampling=None)
    x = batch.x
    sizes = check_shape("x", tuple(x.shape), BATCH)
    reach = np.atleast_1d(np.asarray(radius, np.float64))
    if reach.shape not in ((1,), (sizes["c"],)) or not (reach >= 0).all():
        raise InputError(
            f"radius is {radius}; wanted a number of at least 0, or one for each of {sizes['c']} channels."
        )
    ok = batch.present.cpu().numpy()
    goal = as_target(Predicted() if target is None else target)
    signals = x.detach().cpu().double().numpy()
    spans = [
        reach * (rows[some].std(axis=0) if relative and some.any() else 1.0)
        for rows, some in zip(signals, ok, strict=True)
    ]
    randoms = [generator(seed, name) for name in batch.ids]
    more: dict[str, Any] = {"shared": shared, "per_sample": per_sample}
    with explainer:
        first = explainer(batch, target=goal, **more)
        fixed = fixed_target(goal, first.targets)
        whole = first.values.astype(np.float64)
        size = np.sqrt((whole**2).sum((1, 2, 3)))
        changes = np.empty((draws, len(batch)))
        for draw in range(draws):
            moved = signals.copy()
            for row, (random, span) in enumerate(zip(randoms, spans, strict=True)):
                moved[row][ok[row]] += random.uniform(-1, 1, (int(ok[row].sum()), sizes["c"])) * span
            altered = torch.from_numpy(moved).to(x)
            shift = explainer(replace(batch, x=altered), target=fixed, **more).values.astype(np.float64) - whole
            changes[draw] = np.sqrt((shift**2).sum((1, 2, 3)))
    relative_changes = np.where(size > 0, changes / np.where(size > 0, size, 1), np.nan)
    return Sensitivity(relative_changes, batch.ids, explainer.method or type(explainer).__name__)
