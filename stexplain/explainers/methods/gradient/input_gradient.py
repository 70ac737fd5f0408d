"""Input gradients: how much the score changes with each observation."""

from collections.abc import Sequence
from typing import Literal, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.checking import checked_kept
from stexplain.errors import unknown
from stexplain.explainers.explainer import Explainer, Maps, padding_share_of
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.derivative.compare import watched
from stexplain.explainers.model.gradients import gradients, not_differentiable
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions

_REDUCTIONS = {
    "norm": "the Euclidean norm over channels",
    "positive": "the Euclidean norm over channels of the positive part",
    "sum": "the sum over channels",
}


@checked_kept
class InputGradient(Explainer):
    """The gradient map of Das & Ortega (ICASSP 2022), Eq. 3, after Pope et al. (CVPR 2019).

    With x ``[B, M, T, N, C]`` the input and y the score of the target, g = dy / dx is `Explanation.channels`, signed,
    and `Explanation.values` is g reduced over channels::

        "norm"          || g ||       the Euclidean norm: not negative, and the same whichever way the axes of
                                      coordinates are turned; the default
        "positive"      || ReLU(g) || as in Pope et al.: only directions in which the score rises count, so it
                                      depends on which way the axes point
        "sum"           sum of g      signed: how the score changes when all channels rise together

    Args:
        model: see `STGGradCAM`.
        reduce: how channels become one number.
        **options: how the model is called; see `ModelCaller`. Channels that `signals` leaves out count as zero.

    Raises:
        InputError: where the target does not depend on the input in a differentiable way.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[3.0, 4.0, 0.0, -1.0]]))
        >>> with InputGradient(model) as explain:
        ...     explain(torch.ones(1, 1, 1, 2, 2), target=Class(0)).values.tolist()
        [[[[5.0, 1.0]]]]
    """

    method = "input gradient"
    measures = "score per input"
    _scores_alone = True
    _differentiates = True

    def __init__(
        self,
        model: nn.Module,
        *,
        reduce: Literal["norm", "positive", "sum"] = "norm",
        **options: Unpack[CallOptions],
    ):
        if reduce not in _REDUCTIONS:
            raise unknown("reduction", reduce, _REDUCTIONS)
        super().__init__(model, **options)
        self.reduce = reduce

    @property
    def _splits_channels(self) -> bool:
        return True

    def _reduced(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.reduce == "sum":
            return super()._reduced(channels)
        directions = np.maximum(channels, 0) if self.reduce == "positive" else channels
        values: NDArray[np.float32] = np.linalg.norm(directions, axis=-1)
        return values

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        return self._maps_of_targets(model_input, [score_fn])[0]

    def _maps_of_targets(self, model_input: ModelInput, score_fns: Sequence[ScoreFn]) -> list[Maps]:
        leaf = model_input.x.clone().requires_grad_()
        # A copy goes in: the model may work in place, which a leaf does not allow.
        with watched(self):
            output = self._forward(model_input, leaf.clone())
        scores = [score_fn(output) for score_fn in score_fns]
        maps = []
        # Named ones only: a gradient perturbs nothing, so there is no need to find out which channels are indices.
        signals = signal_mask(self, model_input, find=False)
        by_target = gradients([each.scores for each in scores], [leaf])
        for of_target, (gradient,) in zip(scores, by_target, strict=True):
            if gradient is None:
                raise not_differentiable("the input")
            per_channel = self.inputs.to_batch(gradient, **model_input.sizes)  # [B, M, T, N, C]
            if signals is not None:
                per_channel = torch.where(signals, per_channel, 0)
            if self.reduce == "sum":
                values = per_channel.sum(-1)
            else:
                values = (per_channel.clamp(min=0) if self.reduce == "positive" else per_channel).norm(dim=-1)
            # A model without a mask may depend on padding: how much is reported, and the map is zero there.
            share = padding_share_of(values, model_input.known_valid)
            reduce = _REDUCTIONS[self.reduce]
            maps.append(Maps(values, of_target, padding_share=share, channels=per_channel, reduce=reduce))
        return maps
