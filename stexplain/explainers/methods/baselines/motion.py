"""Motion energy: speed, or on series temporal change."""

import torch
from torch import Tensor

from stexplain.explainers.explainer import Maps
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.model_input import ModelInput


class Motion(BaselineExplainer):
    """Motion energy: how far each node moves at each frame, the mean distance to the frames before and after.

    On series, such as the speeds of roads, it is the temporal change. With || . || the Euclidean norm over channels:

        motion[b, m, t, n] = mean of || x[t] - x[t - 1] || and || x[t + 1] - x[t] ||

    over those neighbouring frames in which the node was observed, as at t; zero where there is none. In units of the
    signals per frame. The motion of every channel by itself is `Explanation.channels`; those that `signals` leaves out
    have none.

    Args:
        model: see `BaselineExplainer`.
        **options: see `BaselineExplainer`.

    Example:
        >>> Motion()(torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 3, 1, 1)).values.flatten().tolist()
        [1.0, 0.5, 0.0]
    """

    method = "motion energy"

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        x, present = self._signals(model_input)
        both = present[:, :, 1:] & present[:, :, :-1]  # of two frames in a row
        # A gap is no step: a sensor that falls silent has not stopped.
        steps = torch.where(both[..., None], x[:, :, 1:] - x[:, :, :-1], 0)
        count = torch.zeros(present.shape, dtype=x.dtype, device=x.device)
        count[:, :, 1:] += both
        count[:, :, :-1] += both

        def mean(step: Tensor) -> Tensor:
            """The mean of the steps ``[B, M, T - 1, N, ...]`` to a frame and from it."""
            total = torch.zeros(*x.shape[:3], *step.shape[3:], dtype=x.dtype, device=x.device)
            # Each step belongs to both of its frames.
            total[:, :, 1:] += step
            total[:, :, :-1] += step
            return total / count.clamp(min=1).view(*count.shape, *[1] * (step.ndim - 4))

        return Maps(
            mean(steps.norm(dim=-1)),
            channels=mean(steps.abs()),
            reduce="the mean length of the steps over all channels",
        )
