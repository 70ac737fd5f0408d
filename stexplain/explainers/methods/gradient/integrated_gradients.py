"""Integrated gradients: what every observation contributes on the straight line from a baseline to the sample."""

from typing import Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.data.baselines import HISTORY_OR_ZERO, Baseline
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.gradient.convergence import check_convergence
from stexplain.explainers.methods.naming import named
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.gradients import gradient_of
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline

# Above the gaps of networks with ReLUs, attention or recurrent cells at 32 steps, which were 0.04 at most; gated
# forecasters that miss 0.13 to 0.18 at 16 or 24 steps are to learn of it.
_TOLERANCE = 0.05


@checked_kept
class IntegratedGradients(Explainer):
    """Integrated gradients of Sundararajan et al., "Axiomatic attribution for deep networks" (ICML 2017).

    With x' the baseline and y the score of the target:

        IG[b, m, t, n, c] = (x - x')[c]  *  integral over u from 0 to 1 of  dy/dx[c] at x' + u (x - x')

    in the units of the score, is `Explanation.channels`, and `Explanation.values` its sum over channels. The integral
    is a Gauss-Legendre sum of `steps` terms. Complete: values sum to y(x) - y(x'); by how much they miss it is
    ``extra["convergence_delta"]``, ``[B]``, and where that is much, a warning and a note say so. Positions without an
    observation, and channels that are indices, are the same in x and x'.

    Args:
        model: see `STGGradCAM`.
        baseline: x': a name in `stexplain.data.baselines`, a custom function, or a tensor that broadcasts to
            ``[M, T, N, C]``; ``"historical_average"``: what the nodes of a window usually measure at its times, by the
            training split. Default: that, of windows that know it (of `WindowedSeries.split`), else ``"zero"``.
        steps: terms of the sum.
        copies: how many points of the line go through the model at a time; memory grows with them.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: where the target does not depend on the input in a differentiable way.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Custom
        >>> with IntegratedGradients(nn.Flatten()) as explain:
        ...     e = explain(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2, 1), target=Custom(lambda y: y.square().sum(1)))
        >>> e.values.round(4).tolist(), bool(abs(e.extra["convergence_delta"][0]) < 1e-4)
        ([[[[1.0, 9.0]]]], True)
    """

    method = "integrated gradients"
    measures = "score"
    _scores_alone = True
    _differentiates = True

    def __init__(
        self,
        model: nn.Module,
        *,
        baseline: "str | Baseline | Tensor | ArrayLike" = HISTORY_OR_ZERO,
        steps: int = 32,
        copies: int = 8,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        check_counts(steps=steps, copies=copies)
        self.baseline = baseline
        self.steps = steps
        self.copies = copies
        self.method = named(type(self), self.method, baseline=baseline)

    def _finished(self, explanation: Explanation) -> Explanation:
        return check_convergence(explanation, tolerance=_TOLERANCE, finer=f"`steps` (now {self.steps})")

    @property
    def _splits_channels(self) -> bool:
        return True

    @property
    def _copies_at_once(self) -> int:
        return self.copies

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        perturbed = PerturbedInputs(self, model_input, score_fn)
        baseline = with_baseline(self, model_input, self.baseline)
        difference = perturbed.x - baseline
        total = torch.zeros_like(perturbed.x)
        # Gauss-Legendre needs few steps: it is exact for scores that are polynomials along the line.
        places, weights = np.polynomial.legendre.leggauss(self.steps)
        for first in range(0, self.steps, self.copies):
            part = slice(first, first + self.copies)
            # From [-1, 1], where the rule is defined, to [0, 1]: [K, 1, 1, 1, 1, 1].
            u = torch.from_numpy((places[part] + 1) / 2).to(difference).view(-1, 1, 1, 1, 1, 1)
            leaf = (baseline + u * difference).flatten(0, 1).requires_grad_()
            gradient = gradient_of(perturbed.differentiable_scores(leaf).sum(), leaf)
            weight = torch.from_numpy(weights[part] / 2).to(difference)
            total += torch.einsum("k,kbmtnc->bmtnc", weight, gradient.view(-1, *difference.shape))
        per_channel = total * difference
        values = per_channel.sum(-1)
        # Complete but for the sum's error: what is missing shows whether there are enough steps.
        delta = values.sum((1, 2, 3)) - (perturbed.scores_of_samples.scores - perturbed.scores(baseline))
        return Maps(
            values,
            perturbed.scores_of_samples,
            extra={"convergence_delta": delta},
            channels=per_channel,
            reduce="the sum over channels",
        )
