"""Where a node is: how far from where it began, how far from its mean, and how much it varies at all."""

import torch
from torch import Tensor

from stexplain.explainers.explainer import Maps
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.model_input import ModelInput

LENGTH = "the Euclidean length over channels"


class Displacement(BaselineExplainer):
    """How far each node is from where it was at its first observation, in the units of the signals.

        displacement[b, m, t, n] = || x[b, m, t, n] - x[b, m, first, n] ||

    with || . || the Euclidean norm over channels; channels that `signals` leaves out do not count.

    Args:
        model: see `BaselineExplainer`.
        **options: see `BaselineExplainer`.

    Example:
        >>> Displacement()(torch.tensor([1.0, 3.0, 2.0]).view(1, 1, 3, 1, 1)).values.flatten().tolist()
        [0.0, 2.0, 1.0]
    """

    method = "displacement"

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        x, present = self._signals(model_input)
        # The first true along time, for each node by itself: a sensor may be silent at first.
        first = present.int().argmax(dim=2, keepdim=True)
        start = x.gather(2, first[..., None].expand(*first.shape, x.shape[-1]))
        away = torch.where(present[..., None], x - start, 0)
        return Maps(away.norm(dim=-1), channels=away.abs(), reduce=LENGTH)


class Deviation(BaselineExplainer):
    """How far each node is from its mean over the sample, in the units of the signals.

        deviation[b, m, t, n] = || x[b, m, t, n] - mean over t of x[b, m, t, n] ||

    with || . || the Euclidean norm over channels; channels that `signals` leaves out do not count.

    Args:
        model: see `BaselineExplainer`.
        **options: see `BaselineExplainer`.

    Example:
        >>> Deviation()(torch.tensor([1.0, 3.0, 2.0]).view(1, 1, 3, 1, 1)).values.flatten().tolist()
        [1.0, 1.0, 0.0]
    """

    method = "deviation"

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        apart = _deviations(*self._signals(model_input))
        return Maps(apart.norm(dim=-1), channels=apart.abs(), reduce=LENGTH)


class Variance(BaselineExplainer):
    """The variance of each node over the sample, the same at all frames, in squared units of the signals.

        variance[b, m, t, n] = mean over t of || x[b, m, t, n] - mean over t of x[b, m, t, n] ||^2

    Args:
        model: see `BaselineExplainer`.
        **options: see `BaselineExplainer`.

    Example:
        >>> Variance()(torch.tensor([1.0, 3.0]).view(1, 1, 2, 1, 1)).values.flatten().tolist()
        [1.0, 1.0]
    """

    method = "variance"

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        x, present = self._signals(model_input)
        squares = _deviations(x, present).square().sum(2, keepdim=True)
        channels = (squares / present.sum(2, keepdim=True).clamp(min=1)[..., None]).expand(x.shape)
        return Maps(channels.sum(-1), channels=channels, reduce="the sum over channels")


def _deviations(x: Tensor, present: Tensor) -> Tensor:
    """The differences from each node's mean over its observations, ``[B, M, T, N, C]``; zero where there is none."""
    mean = x.sum(2, keepdim=True) / present.sum(2, keepdim=True).clamp(min=1)[..., None]
    return torch.where(present[..., None], x - mean, 0)
