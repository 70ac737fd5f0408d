"""How a node's motion changes: its acceleration, and how sharply it turns for its speed."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from stexplain.explainers.explainer import Maps
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.model_input import ModelInput

WINDOW = 9
"""Frames over which acceleration and speed are averaged before they are divided, an odd number."""


class Acceleration(BaselineExplainer):
    """How much the motion of each node changes, in units of the signals per frame squared.

        acceleration[b, m, t, n] = || x[t + 1] - 2 x[t] + x[t - 1] ||

    with || . || the Euclidean norm over channels; zero where one of the three frames is missing.

    Args:
        model: see `BaselineExplainer`.
        **options: see `BaselineExplainer`.

    Example:
        >>> Acceleration()(torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 3, 1, 1)).values.flatten().tolist()
        [0.0, 1.0, 0.0]
    """

    method = "acceleration"

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        change = _differences(*self._signals(model_input))[0]
        return Maps(change.norm(dim=-1), channels=change.abs(), reduce="the Euclidean length over channels")


class RelativeCurvature(BaselineExplainer):
    """How sharply the path of each node turns for its speed, per frame.

    The acceleration over the speed, each averaged over nine frames around the position: what goes to and fro quickly
    is high, what goes as far in one sweep is low, however fast both are.

        curvature[b, m, t, n] = mean of || x[t + 1] - 2 x[t] + x[t - 1] ||  /  mean of (|| x[t + 1] - x[t - 1] || / 2)

    Zero where nothing moves, and where one of three frames in a row is missing all around.

    Args:
        model: see `BaselineExplainer`.
        **options: see `BaselineExplainer`.

    Example:
        >>> x = torch.zeros(1, 1, 24, 2, 1)
        >>> x[0, 0, :, 0, 0] = torch.arange(24.0)  # straight on
        >>> x[0, 0, ::4, 1, 0] = 1.0  # to and fro
        >>> curvature = RelativeCurvature()(x).values[0, 0, 12]
        >>> bool(curvature[0] == 0), bool(curvature[1] > 1)
        (True, True)
    """

    method = "relative curvature"

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        acceleration, steps = _differences(*self._signals(model_input))
        speed = steps.norm(dim=-1)
        around = _moving_sum(speed, WINDOW)
        # A still node has no curvature, not an infinite one.
        moving = around > 1e-6 * speed.amax(2, keepdim=True).clamp(min=1e-12)

        def ratio(change: Tensor) -> Tensor:
            # Sums over the same frames: their number cancels.
            return torch.where(moving, _moving_sum(change, WINDOW) / torch.where(moving, around, 1), 0)

        channels = torch.stack([ratio(one) for one in acceleration.abs().unbind(-1)], -1)
        return Maps(ratio(acceleration.norm(dim=-1)), channels=channels, reduce="the length of the acceleration")


def _differences(x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Acceleration and velocity at each position, zero where not known, ``[B, M, T, N, C]`` each."""
    known = torch.zeros_like(present)
    known[:, :, 1:-1] = present[:, :, 2:] & present[:, :, 1:-1] & present[:, :, :-2]
    acceleration, velocity = torch.zeros_like(x), torch.zeros_like(x)
    acceleration[:, :, 1:-1] = x[:, :, 2:] - 2 * x[:, :, 1:-1] + x[:, :, :-2]
    # Over two frames: of a motion that turns round at t, the mean of both steps, not the length of one.
    velocity[:, :, 1:-1] = (x[:, :, 2:] - x[:, :, :-2]) / 2
    return torch.where(known[..., None], acceleration, 0), torch.where(known[..., None], velocity, 0)


def _moving_sum(values: Tensor, window: int) -> Tensor:
    """The sum over a window around each frame, of values ``[B, M, T, N]``."""
    batch, instances, frames, nodes = values.shape
    rows = values.movedim(2, -1).reshape(-1, 1, frames)
    sums = avg_pool1d(rows, window, stride=1, padding=window // 2) * window
    return sums.view(batch, instances, nodes, frames).movedim(-1, 2)
