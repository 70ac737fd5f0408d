"""Expected gradients: integrated gradients averaged over several baselines, with a standard error for every value."""

from collections.abc import Sequence
from typing import Any, Literal, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.data.baselines import Baseline, HistoryOr
from stexplain.errors import InputError, unknown
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.naming import named
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.gradients import gradient_of
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline

# Of the settings that were measured (docs/decisions/0186), the best on planted data at less than 40 inferences.
_BASELINES, _STEPS, _REACH = (HistoryOr("interpolation"), HistoryOr("mean")), 8, 0.5
_REDUCTIONS = {"norm": "the Euclidean norm over channels", "sum": "the sum over channels"}


@checked_kept
class ExpectedGradients(Explainer):
    """Expected gradients of Erion et al. (Nature Machine Intelligence 2021), from named baselines.

    After "Improving performance of deep learning models with axiomatic attribution priors and expected gradients".
    With baselines x'_1 ... x'_K, y the score of the target, and u uniform in [1 - reach, 1], the part of the way from
    each baseline that is nearest to the sample::

        EG[b, m, t, n, c] = mean over k of  (x - x'_k)[c]  *  mean over u of  dy/dx[c] at x'_k + u (x - x'_k)

    in the units of the score, is `Explanation.channels`, signed. It sums to y(x) less the mean of y where the part
    begins, over `reach`, so with all of the way to the difference from the baselines; but for the sampling error,
    which is ``extra["convergence_delta"]``. `Explanation.values` is its Euclidean norm over channels:
    how much a position matters, whichever way. That localises a cause better than the signed sum does, in which the
    coordinates of one node cancel each other; `reduce="sum"` gives the signed sum.

    u is drawn once in each of `steps` strata of equal length, alike for all samples, so a sample's map is the same
    alone and in a batch, and follows from the seed. `Explanation.standard_error` is the standard deviation of a value
    over such draws, estimated by collapsing neighbouring strata in pairs (Cochran, Sampling Techniques, 1977, 5A.12):
    it errs upwards where the gradient changes along the line. It says how exactly the expectation was computed, and
    nothing of whether the model or the baselines are right.

    Two baselines, one that keeps start and end of every signal and one without any movement, agree on what a cause is
    more often than either is right. Only a part of the way is gone: near a baseline nothing happens anywhere, and what
    a network's gradients say there is not what decided the sample. A step costs a forward and a backward pass:
    2 * K * steps + K + 1 inferences of a sample in all, 35 by default.

    Args:
        model: see `STGGradCAM`; it must be differentiable in its input.
        baselines: names in `stexplain.data.baselines`, custom functions, or tensors; at least one. Default: what the
            nodes of a window usually measure, see `IntegratedGradients`, else interpolation and mean.
        reach: how much of the way to the baselines is gone, in (0, 1]; 1: all of it, as published.
        steps: draws of u per baseline: an even number, since strata are paired.
        reduce: how channels become one number: ``"norm"`` or ``"sum"``.
        seed: of the draws.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: where there is no baseline, `steps` is odd, `reach` is out of range, a baseline or reduction does
            not exist, or the target does not depend on the input in a differentiable way.

    Example:
        >>> from stexplain.explainers.targets import Custom
        >>> with ExpectedGradients(nn.Flatten(), baselines=["zero", "mean"], reach=1, reduce="sum") as explain:
        ...     e = explain(torch.tensor([1.0, 3.0]).view(1, 1, 2, 1, 1), target=Custom(lambda y: (3 * y).sum(1)))
        >>> e.values.round(4).tolist(), bool(e.standard_error.max() < 1e-5)
        ([[[[0.0], [6.0]]]], True)
    """

    method = "expected gradients"
    measures = "score"
    _scores_alone = True
    _differentiates = True

    def __init__(
        self,
        model: nn.Module,
        *,
        baselines: "Sequence[str | Baseline | Tensor | ArrayLike]" = _BASELINES,
        reach: float = _REACH,
        steps: int = _STEPS,
        reduce: Literal["norm", "sum"] = "norm",
        seed: int = 0,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        check_counts(steps=steps)
        if steps % 2:
            raise InputError(f"steps: got {steps}; expected an even number, since standard errors come from pairs.")
        if not 0 < reach <= 1:
            raise InputError(f"reach: got {reach}; expected a share of the way to the baselines, above 0, at most 1.")
        # A string is a sequence too, of letters, and a tensor one of its rows.
        if not isinstance(baselines, list | tuple) or not baselines:
            raise InputError(f'baselines: got {baselines!r}; expected a list, such as ["interpolation", "mean"].')
        if reduce not in _REDUCTIONS:
            raise unknown("reduction", reduce, _REDUCTIONS)
        self.baselines, self.reach, self.steps = tuple(baselines), float(reach), steps
        self.reduce, self.seed = reduce, seed
        # Other settings have another name: what was measured of the default must not be taken for theirs.
        self.method = named(type(self), self.method, baselines=self.baselines, reach=self.reach, steps=steps)

    @property
    def _held_copies(self) -> int:
        # The draws: one by one, stacked, along the map, and their differences.
        return 4 * len(self.baselines) * self.steps

    @property
    def _splits_channels(self) -> bool:
        return True

    def _reduced(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        values: NDArray[np.float32] = channels.sum(-1) if self.reduce == "sum" else np.linalg.norm(channels, axis=-1)
        return values

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        perturbed = PerturbedInputs(self, model_input, score_fn)
        x = perturbed.x
        # One number per stratum, alike for all samples: a sample's map must not depend on who else is in the batch.
        points = self._points()
        draws, expected = [], torch.zeros_like(perturbed.scores_of_samples.scores)
        for which, row in zip(self.baselines, points, strict=True):
            replaced = with_baseline(self, model_input, which)
            with torch.no_grad():
                begin = replaced + (1 - self.reach) * (x - replaced)
                expected = expected + perturbed.scores(begin) / len(self.baselines)
            for u in row:
                draws.append(self._gradient(perturbed, replaced + float(u) * (x - replaced)) * (x - replaced))
        each = torch.stack(draws)  # [K * steps, B, M, T, N, C]
        per_channel = each.mean(0)
        norm = per_channel.norm(dim=-1)
        if self.reduce == "sum":
            values, along = per_channel.sum(-1), torch.ones_like(per_channel)
        else:
            # The norm moves with the draws along its own direction alone, to first order.
            values, along = norm, per_channel / norm[..., None].clamp(min=torch.finfo(norm.dtype).tiny)
        projected = (each * along).sum(-1)
        delta = per_channel.sum((1, 2, 3, 4)) - (perturbed.scores_of_samples.scores - expected) / self.reach
        return Maps(
            values,
            perturbed.scores_of_samples,
            extra={"convergence_delta": delta},
            channels=per_channel,
            reduce=_REDUCTIONS[self.reduce],
            standard_error=collapsed_standard_error(projected),
        )

    def _points(self) -> NDArray[np.float64]:
        """U of every baseline and stratum, ``[K, steps]``."""
        jitter = np.random.default_rng(self.seed).random((len(self.baselines), self.steps))
        points: NDArray[np.float64] = 1 - self.reach + self.reach * (np.arange(self.steps) + jitter) / self.steps
        return points

    def _gradient(self, perturbed: PerturbedInputs, x: Tensor) -> Tensor:
        leaf = x.detach().requires_grad_()
        # A copy goes in: the model may work in place, which a leaf does not allow.
        return gradient_of(perturbed.differentiable_scores(leaf.clone()).sum(), leaf)


def collapsed_standard_error(draws: Any) -> Tensor:
    """The standard error of the mean of one draw from each stratum, ``[S, ...]`` to ``[...]``.

    Neighbouring strata are taken as one, of which both draws come: half the squared difference is then the variance of
    a draw, and too large by what the two strata differ.

    Example:
        >>> collapsed_standard_error(torch.tensor([1.0, 3.0, 5.0, 5.0]))
        tensor(0.5000)
    """
    differences = draws[0::2] - draws[1::2]
    error: Tensor = differences.square().sum(0).sqrt() / len(draws)
    return error
