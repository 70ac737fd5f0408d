"""Gradient SHAP: integrated gradients from baselines drawn at random, at points drawn at random."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.data.baselines import Baseline, HistoryOr
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.gradient.convergence import check_convergence
from stexplain.explainers.methods.naming import named
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.gradients import gradient_of
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline
from stexplain.explainers.random_generator import own_generator

# Draws scatter. Above all gaps that were measured at 32 draws, on networks with ReLUs, attention or recurrent cells.
_TOLERANCE = 0.5
_BASELINES = (HistoryOr("zero"), HistoryOr("mean"), HistoryOr("interpolation"))


@checked_kept
class GradientSHAP(Explainer):
    """Gradient SHAP: the expected gradients that estimate SHAP values.

    The values are those of Lundberg & Lee, "A unified approach to interpreting model predictions" (NeurIPS 2017), the
    estimate is that of their library's GradientExplainer and of captum's GradientShap. With x' drawn from `baselines`,
    e noise, u uniform in [0, 1) and y the score of the target:

        channels[b, m, t, n, c] = mean over draws of  (x + e - x')[c] * dy/dx[c] at x' + u (x + e - x')

    in the units of the score; `values` is their sum over channels. Values sum in expectation to y(x) less the mean y of
    the baselines drawn; by how much they miss it is ``extra["convergence_delta"]``, ``[B]``, and where that is much, a
    warning and a note say so. Draws follow from the seed and the sample alone, so a sample's map is the same in every
    batch.

    Args:
        model: see `STGGradCAM`.
        baselines: what x' is drawn from, each a name in `stexplain.data.baselines`, a custom function, or a tensor
            that broadcasts to ``[M, T, N, C]``; a tensor ``[K, M, T, N, C]`` of other samples will do.
            Default: what the nodes of a window usually measure, see `IntegratedGradients`, else zero, mean and
            interpolation.
        draws: how many.
        noise: standard deviation of e, in the units of the signals.
        seed: of the draws.
        copies: how many draws go through the model at a time; memory grows with them.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: where the target does not depend on the input in a differentiable way.

    Example:
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[2.0, -1.0]]))
        >>> with GradientSHAP(model, baselines=["zero"]) as explain:
        ...     explain(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2, 1), target=Class(1)).values.tolist()
        [[[[2.0, -3.0]]]]
    """

    method = "gradient SHAP"
    measures = "score"
    _scores_alone = True
    _differentiates = True

    def __init__(
        self,
        model: nn.Module,
        *,
        baselines: "Sequence[str | Baseline | Tensor | ArrayLike] | Tensor" = _BASELINES,
        draws: int = 32,
        noise: float = 0.0,
        seed: int = 0,
        copies: int = 8,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        check_counts(draws=draws, copies=copies)
        if isinstance(baselines, str) or not len(baselines):
            raise InputError(f"baselines: got {baselines!r}; expected a list of at least one.")
        if noise < 0:
            raise InputError(f"noise: got {noise}; expected a standard deviation of zero or more.")
        self.baselines = list(baselines)
        self.draws = draws
        self.noise = noise
        self.seed = seed
        self.copies = copies
        self.method = named(type(self), self.method, baselines=self.baselines, noise=noise)

    def _finished(self, explanation: Explanation) -> Explanation:
        # Noisy samples have other scores than the sample: their contributions need not add up to its own.
        if self.noise:
            return explanation
        return check_convergence(explanation, tolerance=_TOLERANCE, finer=f"`draws` (now {self.draws})")

    @property
    def _splits_channels(self) -> bool:
        return True

    @property
    def _copies_at_once(self) -> int:
        return self.copies

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        perturbed = PerturbedInputs(self, model_input, score_fn)
        x = perturbed.x
        baselines = torch.stack([with_baseline(self, model_input, baseline) for baseline in self.baselines])
        # A generator per sample, all draws of which come in one order: a sample's map does not depend on its batch.
        valid = model_input.known_valid
        generators = [
            own_generator(self.seed, name, x[row][valid[row]].cpu().numpy()) for row, name in enumerate(model_input.ids)
        ]
        # Both [draws, B]: the index of x', and u.
        chosen = torch.tensor(
            np.array([each.integers(len(baselines), size=self.draws) for each in generators]).T, device="cpu"
        )
        share = torch.tensor(np.array([each.random(self.draws) for each in generators]).T, device="cpu").to(x)
        total, baseline_scores = torch.zeros_like(x), x.new_zeros(len(x))
        # In float64: of draws that are all alike, squares in float32 leave a spread of their rounding.
        sums, squares = (x.new_zeros(x.shape[:-1], dtype=torch.float64) for _ in range(2))
        for first in range(0, self.draws, self.copies):
            part = slice(first, min(first + self.copies, self.draws))
            start = baselines[chosen[part].to(x.device), torch.arange(len(x), device=x.device)]  # [K, B, M, T, N, C]
            difference = x - start
            if self.noise:
                noise = [self._noise(generators, model_input, perturbed.present) for _ in range(len(difference))]
                difference = difference + torch.stack(noise)
            point = start + share[part].view(-1, len(x), 1, 1, 1, 1) * difference
            leaf = point.flatten(0, 1).requires_grad_()
            gradient = gradient_of(perturbed.differentiable_scores(leaf).sum(), leaf)
            each = gradient.view(difference.shape) * difference
            total += each.sum(0)
            of_values = each.double().sum(-1)
            sums += of_values.sum(0)
            squares += of_values.square().sum(0)
            with torch.no_grad():
                baseline_scores += perturbed.scores(start.flatten(0, 1)).view(len(difference), -1).sum(0)
        per_channel = total / self.draws
        values = per_channel.sum(-1)
        # Complete in expectation: what is missing shows whether there are enough draws.
        delta = values.sum((1, 2, 3)) - (perturbed.scores_of_samples.scores - baseline_scores / self.draws)
        # The draws are independent. Of one alone nobody can tell how far it is from the next.
        variance = None
        if self.draws > 1:
            variance = (squares - sums.square() / self.draws).clamp(min=0) / (self.draws * (self.draws - 1))
        return Maps(
            values,
            perturbed.scores_of_samples,
            extra={"convergence_delta": delta},
            channels=per_channel,
            reduce="the sum over channels",
            standard_error=None if variance is None else variance.sqrt(),
        )

    def _noise(self, generators: Sequence[np.random.Generator], model_input: ModelInput, present: Tensor) -> Tensor:
        """Noise on the observations, ``[B, M, T, N, C]``; none on channels that are indices."""
        channels = model_input.sizes["c"]
        noise = torch.zeros(*present.shape, channels, dtype=model_input.x.dtype, device=model_input.x.device)
        for row, generator in enumerate(generators):
            # As many numbers as there are observations: padding must not shift the draws that follow.
            mask = present[row]
            drawn = generator.normal(scale=self.noise, size=(int(mask.sum()), channels))
            noise[row][mask] = torch.from_numpy(drawn).to(noise)
        signals = signal_mask(self, model_input)
        return noise if signals is None else torch.where(signals, noise, 0)
