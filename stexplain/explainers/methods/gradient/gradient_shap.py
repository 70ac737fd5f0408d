"""Gradient SHAP: integrated gradients from baselines drawn at random, at points drawn at random."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from stexplain.data.baselines import Baseline
from stexplain.errors import InputError
from stexplain.explainers.draws import own_generator
from stexplain.explainers.explainer import Explainer, Maps, ModelInput
from stexplain.explainers.model.perturb import PerturbedInputs, check_counts, with_baseline
from stexplain.explainers.targets import Scores

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class GradientSHAP(Explainer):
    """Gradient SHAP: the expected gradients that estimate SHAP values.

    The values are those of Lundberg & Lee, "A unified approach to interpreting model predictions" (NeurIPS 2017), the
    estimate is that of their library's GradientExplainer and of captum's GradientShap. With x' drawn from `baselines`,
    e noise, u uniform in [0, 1) and y the score of the target:

        values[b, m, t, n] = mean over draws of  sum over c of (x + e - x')[c] * dy/dx[c] at x' + u (x + e - x')

    in the units of the score. Values sum in expectation to y(x) less the mean y of the baselines drawn; by how much
    they miss it is ``extra["convergence_delta"]``, ``[B]``. Draws follow from the seed and the sample alone, so a
    sample's map is the same in every batch.

    Args:
        model: see `STGGradCAM`.
        inputs: see `STGGradCAM`.
        graph: see `STGGradCAM`.
        classes: see `STGGradCAM`.
        baselines: what x' is drawn from, each a name in `stexplain.data.baselines`, one's own function, or a tensor
            that broadcasts to ``[M, T, N, C]``; a tensor ``[K, M, T, N, C]`` of other samples will do.
        draws: how many.
        noise: standard deviation of e, in the units of the signals.
        seed: of the draws.
        copies: how many draws go through the model at a time; memory grows with them.
        chunk: see `STGGradCAM`.

    Raises:
        InputError: where the target does not depend on the input in a differentiable way.

    Example:
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[2.0, -1.0]]))
        >>> with GradientSHAP(model, baselines=["zero"]) as explain:
        ...     explain(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2, 1), target=Class(0)).values.tolist()
        [[[[2.0, -3.0]]]]
    """

    method = "gradient SHAP"

    def __init__(
        self,
        model: nn.Module,
        *,
        inputs: str | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        baselines: "Sequence[str | Baseline | Tensor] | Tensor" = ("zero", "mean", "interpolation"),
        draws: int = 32,
        noise: float = 0.0,
        seed: int = 0,
        copies: int = 8,
        chunk: int | None = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph, classes=classes, chunk=chunk)
        check_counts(draws=draws, copies=copies)
        if isinstance(baselines, str) or not len(baselines):
            raise InputError(f"baselines are {baselines!r}; wanted a list of at least one.")
        if noise < 0:
            raise InputError(f"noise is {noise}; wanted a standard deviation, zero or above.")
        self.baselines = list(baselines)
        self.draws = draws
        self.noise = noise
        self.seed = seed
        self.copies = copies

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        copies = PerturbedInputs(self, asked, scored)
        x, rows = copies.x, range(asked.sizes["b"])
        starts = torch.stack([with_baseline(self, asked, baseline) for baseline in self.baselines])
        generators = [
            own_generator(self.seed, asked.ids[row], x[row][asked.known_valid[row]].cpu().numpy()) for row in rows
        ]
        which = torch.tensor(np.array([each.integers(len(starts), size=self.draws) for each in generators]).T)
        share = torch.tensor(np.array([each.random(self.draws) for each in generators]).T).to(x)
        total, spent = torch.zeros_like(x), x.new_zeros(len(x))
        for first in range(0, self.draws, self.copies):
            part = slice(first, min(first + self.copies, self.draws))
            start = starts[which[part].to(x.device), torch.arange(len(x), device=x.device)]
            way = x - start
            if self.noise:
                way = way + torch.stack([self._noise(generators, asked, copies.there) for _ in range(len(way))])
            point = start + share[part].view(-1, len(x), 1, 1, 1, 1) * way
            leaf = point.flatten(0, 1).requires_grad_()
            (slope,) = torch.autograd.grad(copies.differentiable_scores(leaf).sum(), leaf)
            total += (slope.view(way.shape) * way).sum(0)
            with torch.no_grad():
                spent += copies.scores(start.flatten(0, 1)).view(len(way), -1).sum(0)
        values = (total / self.draws).sum(-1)
        delta = values.sum((1, 2, 3)) - (copies.found.scores - spent / self.draws)
        return Maps(values, copies.found, extra={"convergence_delta": delta})

    def _noise(self, generators: Sequence[np.random.Generator], asked: ModelInput, there: Tensor) -> Tensor:
        """Noise on the readings, ``[B, M, T, N, C]``; as many numbers are drawn for a sample however it is padded."""
        noise = torch.zeros(*there.shape, asked.sizes["c"], dtype=asked.x.dtype, device=asked.x.device)
        for row, generator in enumerate(generators):
            cells = there[row]
            drawn = generator.normal(scale=self.noise, size=(int(cells.sum()), asked.sizes["c"]))
            noise[row][cells] = torch.from_numpy(drawn).to(noise)
        return noise
