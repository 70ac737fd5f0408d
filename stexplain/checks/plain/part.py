"""A part of the samples, and what the model predicts of it: all that a plain re-implementation asks of a model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.explainers.model.caller import ModelCaller, ScoreFn
from stexplain.explainers.model.fixed_target import FixedTarget
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.target import Scores, Target


@dataclass(frozen=True)
class PlainMap:
    """What a plain re-implementation gives for some samples.

    Attributes:
        values: ``[B, M, T, N]``.
        magnitude: the largest sum of absolute summands of a value, ``[B]``: what rounding errors are relative to.
        layer_values: ``[B, M, T', N]``, where a layer is explained.
        computed: which values were computed, ``[B, M, T, N]``, where not all are.
        channels: ``[B, M, T, N, C]``, where the method knows them.
    """

    values: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    layer_values: NDArray[np.float64] | None = None
    computed: NDArray[np.bool_] | None = None
    channels: NDArray[np.float64] | None = None


class Part:
    """Samples that go through the model together.

    Args:
        caller: of the model; plain, not the explainer that is tested.
        samples: of the part.
        score_fn: of the target.

    Attributes:
        scores: of the samples.
        output: what the model returned for them.
        x: the samples, ``[B, M, T, N, C]``.
        present: which positions hold an observation, ``[B, M, T, N]``, bool.
    """

    def __init__(self, caller: ModelCaller, samples: ModelInput, score_fn: ScoreFn):
        self.caller, self.samples, self.score_fn = caller, samples, score_fn
        self._fixed = FixedTarget(score_fn, samples.sizes["b"])
        self.x = caller.inputs.to_batch(samples.x, **samples.sizes)
        self.present = samples.observed_positions.cpu().numpy()
        with torch.no_grad():
            self.output = caller._forward(samples)
            # The first call fixes the classes of the samples, for which perturbed copies are scored.
            self.scores: Scores = self._fixed(self.output)

    def score(self, x: Tensor) -> Tensor:
        """The target's scores of the same samples with other signals ``[B, M, T, N, C]``; differentiable in x."""
        signals = self.caller.inputs.from_batch(x).contiguous()
        return self._fixed(self.caller._forward(self.samples, signals)).scores

    def score_number(self, x: Tensor) -> NDArray[np.float64]:
        """`score` without a gradient, as an array ``[B]``."""
        with torch.no_grad():
            return as_float64(self.score(x))

    def gradient(self, x: Tensor) -> NDArray[np.float64]:
        """The gradient of the scores at x, ``[B, M, T, N, C]``."""
        leaf = x.detach().clone().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self.score(leaf).sum(), leaf)
        return as_float64(gradient)

    def masked(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values ``[B, M, T, N]`` or ``[B, M, T, N, C]``, zero where there is no observation."""
        present = self.present if values.ndim == 4 else self.present[..., None]
        return np.where(present, values, 0)


def parts(
    caller: ModelCaller,
    x: Any,
    valid: Any,
    target: Target,
    shared: Mapping[str, Any],
    per_sample: Mapping[str, Any],
) -> Iterator[Part]:
    """The samples in parts as small as the caller's chunks. To be called where the caller's model is frozen."""
    samples = caller._prepare(x, valid, shared, per_sample)
    for chunk, (score_fn,) in caller._chunks(samples, [target]):
        yield Part(caller, chunk, score_fn)


def as_float64(tensor: Tensor) -> NDArray[np.float64]:
    """A tensor as an array of float64, on the CPU."""
    return tensor.detach().double().cpu().numpy()
