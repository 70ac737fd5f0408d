"""Effect: how far a model's margin falls when a node in a window of time is replaced by its counterfactual."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.data.clips import Clips
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.model.model_input import Signals
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.results.joining import check_alike
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import Class, Predicted, as_target
from stexplain.metrics.arrays import check_sample_ids
from stexplain.metrics.calls import call_of, refuse_observed
from stexplain.metrics.masked_model import MaskedModel
from stexplain.metrics.truth.margin import MarginOverOthers
from stexplain.metrics.truth.regions import Regions, members_of
from stexplain.result import Result
from stexplain.wording import counted

USED = 0.05
"""A region counts as used where its effect is above this share of the sample's largest."""


@checked
@dataclass(frozen=True, repr=False)
class Effect(Result):
    """The effect of every region (a window of time of a node, or of a group of nodes) of each sample.

    Attributes:
        values: ``[B, W, G]``, W windows of G groups: the score of the sample less its score with the region replaced
            by its counterfactual, in the units of the score (logits, or the forecast's); zero where no observation of
            the region differs from its counterfactual.
        regions: which positions each region has.
        before: the score of each sample as it is, ``[B]``.
        after: its score where all is replaced, ``[B]``.
        classes: the class that the score is of, ``[B]``; -1 where it is of none.
        ids: the names of the samples.
        inferences: how many forward passes each sample took, ``[B]``.
        score: what was measured, in words.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = nn.init.ones_(model[1].weight)
        >>> x = torch.tensor([[[3.0, 1.0], [0.0, 2.0]]])  # one logit, the sum of 2 frames x 2 nodes
        >>> found = effect(model, x, torch.zeros_like(x), windows=2, inputs="b t n")
        >>> found.groups().tolist(), (found.before - found.after).tolist()
        ([[3.0, 2.0]], [6.0])
    """

    values: NDArray[np.float64]
    regions: Regions
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    classes: NDArray[np.int64]
    ids: tuple[str, ...]
    inferences: NDArray[np.int64]
    score: str

    def _said(self) -> str:
        return (
            f"{counted(len(self.ids), 'sample')}: {self.values.shape[1]} windows of {self.values.shape[2]} "
            "groups of nodes"
        )

    def used(self, share: float = USED) -> NDArray[np.bool_]:
        """The regions that the model used, ``[B, W, G]``: those whose effect is above a share of the largest.

        Where no effect is positive, nothing was used.
        """
        return used_regions(self.values, share)

    def groups(self) -> NDArray[np.float64]:
        """The effect of each node or group, ``[B, G]``: its largest over the windows."""
        largest: NDArray[np.float64] = self.values.max(axis=1)
        return largest

    def to_frame(self) -> pd.DataFrame:
        """A row per sample, window and group: ``id, window, group, effect``."""
        return effect_frame(self.values, self.ids, self.regions.names)

    @classmethod
    def joined(cls, parts: "Sequence[Effect]") -> "Effect":
        """The effects of several batches as one.

        Raises:
            InputError: if there are none, or they differ in windows, groups or the length of samples.
        """
        check_alike("effects", parts, ["score"])
        return cls(
            np.concatenate([part.values for part in parts]),
            Regions.joined([part.regions for part in parts]),
            np.concatenate([part.before for part in parts]),
            np.concatenate([part.after for part in parts]),
            np.concatenate([part.classes for part in parts]),
            tuple(name for part in parts for name in part.ids),
            np.concatenate([part.inferences for part in parts]),
            parts[0].score,
        )


def used_regions(values: NDArray[np.float64], share: float = USED) -> NDArray[np.bool_]:
    """The regions whose effect is above a share of the sample's largest, ``[B, W, G]``; none where none is positive.

    Raises:
        InputError: if the share is not in [0, 1).

    Example:
        >>> used_regions(np.array([[[2.0, 0.05, -3.0]], [[-1.0, -2.0, 0.0]]])).tolist()
        [[[True, False, False]], [[False, False, False]]]
    """
    if not 0 <= share < 1:
        raise InputError(f"share: got {share}; expected a share of the largest effect, from 0 to below 1.")
    # A negative largest effect would turn the threshold round.
    largest = np.maximum(values.max(axis=(1, 2), keepdims=True), 0)
    used: NDArray[np.bool_] = values > share * largest
    return used


def effect_frame(values: NDArray[np.float64], ids: Sequence[str], groups: Sequence[str]) -> pd.DataFrame:
    """Effects ``[B, W, G]`` as rows of ``id, window, group, effect``.

    Example:
        >>> effect_frame(np.array([[[2.0, 0.5]]]), ["a"], ["hand", "foot"])["group"].tolist()
        ['hand', 'foot']
    """
    samples, windows, count = values.shape
    return pd.DataFrame(
        {
            "id": np.repeat(ids, windows * count),
            "window": np.tile(np.repeat(np.arange(windows), count), samples),
            "group": np.tile(groups, samples * windows),
            "effect": values.ravel(),
        }
    )


@checked
def effect(
    model: nn.Module,
    x: "Signals | Clips",
    counterfactual: "Signals | Clips | None" = None,
    *,
    target: TargetLike | None = None,
    windows: int = 8,
    groups: Mapping[str, Sequence[int | str]] | None = None,
    explanation: Any = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> Effect:
    """How far the score falls where one node, or group of nodes, is replaced by its counterfactual for one window.

    The counterfactual of a sample is the same sample without what makes its class or event: only a generator knows it,
    see `Clips.counterfactual` and `WindowedSeries.events_batch`. Where it stands in place of x, nothing else changes:
    unlike a baseline, it makes no sample that the data could not hold::

        effect[b, w, g] = score(x[b]) - score(x[b] with group g in window w replaced)

    The score of a class is its *margin*, its logit less the log-sum-exp of all others, with the class of the unaltered
    sample kept: a logit alone can fall with all others and change nothing. Any other target, such as a forecast, is
    scored as it is, and its effect has the sign of its fall: what lowers a forecast has a positive effect where the
    target is minus the forecast. The frames of a sample up to its last valid one are divided into `windows` equal
    parts. A node is replaced in all instances at once (all persons of a clip); observations alone are replaced.

    It costs one forward pass for each region that differs from its counterfactual (at most ``windows * groups``), and
    two more.

    Args:
        model: any module.
        x: samples: see `frozen_masked_model`. Or `Clips` of generated data, all at once: for more than some hundreds
            see `stexplain.metrics.dataset`.
        counterfactual: the same samples without their cause, in the same form and shape; of clips by default theirs.
        target: what is explained; default: the predicted class.
        windows: how many windows of time, at least 1 and at most as many as there are frames.
        groups: nodes that are replaced together, by name or index, such as ``graph.groups``; default: each by itself.
        explanation: where it is an `Explanation`, the model is called as it was for that.
        valid: see `frozen_masked_model`.
        observed: see `frozen_masked_model`.
        shared: see `frozen_masked_model`.
        per_sample: see `frozen_masked_model`.
        **options: how the model is called; see `frozen_masked_model`.

    Returns:
        The effect of each region, in units of the score (logits, or those of the forecast).

    Raises:
        InputError: if the two do not fit each other, are equal (and x is no `Batch` whose truth says that it has no
            cause), or an argument is out of range.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = nn.init.ones_(model[1].weight)
        >>> x = torch.tensor([[[3.0, 1.0], [0.0, 2.0]]])  # one logit, the sum of 2 frames x 2 nodes
        >>> found = effect(model, x, torch.zeros_like(x), windows=2, inputs="b t n")
        >>> found.values.tolist(), found.inferences.tolist()
        ([[[3.0, 1.0], [0.0, 2.0]]], [5])
    """
    if isinstance(x, Clips):
        counterfactual = x.counterfactual() if counterfactual is None else counterfactual
        x = x.batch(slice(None))
    if isinstance(counterfactual, Clips):
        counterfactual = counterfactual.batch(slice(None))
    if counterfactual is None:
        raise InputError("counterfactual: got None; expected the samples without their cause. Give it, or Clips as x.")
    # Recordings of which the truth says that nothing makes their class are as they would be without it.
    causeless = isinstance(x, Batch) and x.truth is not None and not bool(x.truth.any())
    refuse_observed(x, observed)
    call = call_of(explanation, options, valid, shared, per_sample, observed=observed)
    # The same steps for both (layout, recipe, device), so that the two stay aligned.
    masked, other = MaskedModel(model, **call.options), MaskedModel(model, **call.options)
    masked.load(x, call)
    other.load(counterfactual, call)
    replaced, differs = _replaced(masked, other)
    if not causeless and not bool(differs.any()):
        raise InputError(
            "counterfactual: got the samples themselves; expected what they would be without their cause. Use "
            "generated data: clips.counterfactual(), or series.events_batch(counterfactual=True)."
        )
    members = members_of(groups, masked.output_info.nodes, masked.observed.shape[3])
    regions = Regions.of(masked.observed.cpu().numpy(), windows, members)
    with masked.frozen():
        requested = as_target(target)
        # The class of the sample as it is: a copy that is classified otherwise has lost margin, not gained a class.
        fixed, classes = masked.fix_target(requested)
        score = MarginOverOthers(fixed) if isinstance(fixed, Class | Predicted) else fixed
        differing = regions.any(differs.cpu().numpy())
        scores = _scores(masked, score, replaced, regions, differing)
    values = np.zeros(differing.shape)
    samples, window, group = np.nonzero(differing)
    # The k-th differing region of a sample is in the copy 2 + k.
    order = np.concatenate([np.arange(count) for count in differing.sum((1, 2))]).astype(np.int64)
    values[samples, window, group] = scores[0, samples] - scores[2 + order, samples]
    words = "margin" if isinstance(score, MarginOverOthers) else score.text()
    ids = tuple(masked.batch.ids)
    return Effect(values, regions, scores[0], scores[1], classes, ids, 2 + differing.sum((1, 2)), words)


def _replaced(masked: MaskedModel, other: MaskedModel) -> tuple[Tensor, Tensor]:
    """The counterfactual's signals ``[B, M, T, N, C]``, and where an observation differs from it ``[B, M, T, N]``."""
    x, replaced = masked.batch.x, other.batch.x.to(masked.batch.x)
    check_shape("counterfactual", tuple(replaced.shape), "b m t n c", **check_shape("x", tuple(x.shape), "b m t n c"))
    check_sample_ids("counterfactual", other.batch.ids, masked.batch.ids)
    return replaced, (x != replaced).any(-1) & masked.observed


def _scores(
    masked: MaskedModel, score: Any, replaced: Tensor, regions: Regions, differing: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The scores of the samples, of them with all replaced, and then with each differing region: ``[2 + K, B]``.

    Row 2 + k holds for each sample its k-th differing region; samples with fewer are repeated as they are.
    """
    # Regions that are equal to their counterfactual have no effect by definition: they need no forward pass.
    flat = [np.flatnonzero(row) for row in differing.reshape(len(differing), -1)]
    every = masked.observed

    def perturbed(copy: int) -> Tensor:
        if copy == 0:
            return masked.batch.x
        if copy == 1:
            return masked.masked(every, replaced)
        chosen = [int(row[copy - 2]) if copy - 2 < len(row) else -1 for row in flat]
        mask = torch.from_numpy(regions.positions(chosen)).to(every.device)
        return masked.masked(mask, replaced)

    count = 2 + max(len(row) for row in flat)
    return masked.evaluate(perturbed, count, lambda output, rows: masked.scores(score, output, rows).scores)
