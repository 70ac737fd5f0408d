"""Perturbed copies of samples, and their scores: for methods that change the input and compare."""

from typing import Any

import torch
from torch import Tensor

from stexplain.data.baselines import HISTORICAL_AVERAGE, HistoryOr, as_baseline, bones
from stexplain.errors import InputError
from stexplain.explainers.model.caller import ModelCaller, ScoreFn
from stexplain.explainers.model.derivative.compare import watched
from stexplain.explainers.model.fixed_target import FixedTarget
from stexplain.explainers.model.gradients import depends_on, not_differentiable
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.model_input import ModelInput


class PerturbedInputs:
    """Samples, and the scores of perturbed copies of them.

    Args:
        caller: an explainer, or another caller of the model.
        model_input: the samples.
        score_fn: of the target.

    Attributes:
        x: the samples, ``[B, M, T, N, C]``.
        present: which positions hold an observation, ``[B, M, T, N]``, bool.
        scores_of_samples: of the samples themselves, without a gradient.
    """

    def __init__(self, caller: ModelCaller, model_input: ModelInput, score_fn: ScoreFn):
        self._caller, self._model_input = caller, model_input
        self._fixed_target = FixedTarget(score_fn, model_input.sizes["b"])
        self.x = caller.inputs.to_batch(model_input.x, **model_input.sizes)
        self.present = model_input.observed_positions
        self._differentiable = False
        with torch.no_grad():
            self.scores_of_samples = self._fixed_target(caller._forward(model_input))

    def scores(self, x: Tensor) -> Tensor:
        """The target's scores of perturbed copies ``[K * B, M, T, N, C]``, copy by copy: ``[K * B]``.

        Differentiable in x.
        """
        copies = self._caller._copies(self._model_input, x)
        return torch.cat([self._fixed_target(self._caller._forward(some)).scores for some in copies])

    def differentiable_scores(self, x: Tensor) -> Tensor:
        """The same, for x that requires a gradient.

        Raises:
            InputError: where the scores do not depend on x in a differentiable way.
        """
        with watched(self._caller):
            scores = self.scores(x)
        # Once: what a model computes a gradient of does not change from copy to copy.
        self._differentiable = self._differentiable or depends_on(scores, x)
        if not (self._differentiable and scores.requires_grad):
            raise not_differentiable("the input")
        return scores


def with_baseline(caller: ModelCaller, model_input: ModelInput, baseline: Any) -> Tensor:
    """The samples with every observation replaced by the baseline, ``[B, M, T, N, C]``.

    Positions without an observation stay as they are: padding, which is never evidence, is the same in every copy. So
    do channels that are indices, see `index_channels`.

    Args:
        caller: an explainer, or another caller of the model; its layout and graph are used.
        model_input: the samples.
        baseline: a name, a function or a tensor; see `stexplain.data.baselines.as_baseline`. Also
            ``"historical_average"``, of windows that know it, and `HistoryOr`, which is that or another.

    Raises:
        InputError: where there is no such baseline, or it does not fit.
    """
    x, present = caller.inputs.to_batch(model_input.x, **model_input.sizes), model_input.observed_positions
    average = None
    if isinstance(baseline, HistoryOr) or (isinstance(baseline, str) and baseline == HISTORICAL_AVERAGE):
        average = historical_average(caller, model_input, x)
        if average is None and not isinstance(baseline, HistoryOr):
            raise InputError(
                f"baseline: got {HISTORICAL_AVERAGE!r}; expected it for windows of a part of WindowedSeries.split, "
                "whose training split has times, three days or more and two frames a day or more. Use 'mean'."
            )
        if average is None and isinstance(baseline, HistoryOr) and caller._forecasting:
            caller._note(
                f"Baseline: {baseline.otherwise}. The samples hold no historical average of their times: windows of "
                "WindowedSeries.split() with times do."
            )
    chosen = as_baseline(average if average is not None else baseline)
    if chosen is bones:
        _check_coordinates(model_input)
    # [B, M, T] where nothing is missing: baselines then need no mask per node.
    known = model_input.known_valid if model_input.observed is None else present
    replaced = torch.where(present[..., None], chosen(x, known, caller.graph), x)
    signals = signal_mask(caller, model_input)
    return replaced if signals is None else torch.where(signals, replaced, x)


def historical_average(caller: ModelCaller, model_input: ModelInput, x: Tensor) -> Tensor | None:
    """What the nodes of windows usually measure, like x ``[B, 1, T, N, C]``; none where the windows do not know it.

    Channels of the calendar stay as they are: they are known, and nothing is unusual in them.
    """
    history = model_input.history
    found = None if history is None else history.values(x.shape[2])
    # Of another number of nodes, as of windows that someone cut by hand, it is not known whose it is.
    if history is None or found is None or found.shape[3] != x.shape[3] or found.shape[4] > x.shape[4]:
        return None
    caller._note(f"Baseline: {history.history.text}.")
    known = found.to(x).expand(*x.shape[:4], found.shape[4])
    return torch.cat([known, x[..., found.shape[4] :]], -1)


def _check_coordinates(model_input: ModelInput) -> None:
    """Refuses bones of channels that are named, and are no coordinates: of a confidence, say."""
    others = [name for name in model_input.channel_names if name[-1:].lower() not in ("x", "y", "z")]
    if others:
        raise InputError(
            f"the baseline 'bones': got the channels {', '.join(model_input.channel_names)}; expected coordinates "
            "alone, x, y and z. Use 'interpolation'."
        )
