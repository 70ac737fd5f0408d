"""Integrated gradients: what every reading adds on the straight way from a baseline to the sample."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from stexplain.data.baselines import Baseline
from stexplain.explainers.explainer import Explainer, Maps, ModelInput
from stexplain.explainers.methods.gradient.through_captum import captum_attr
from stexplain.explainers.model.perturb import PerturbedInputs, check_counts, with_baseline
from stexplain.explainers.targets import Scores

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class IntegratedGradients(Explainer):
    """Integrated gradients of Sundararajan et al., "Axiomatic attribution for deep networks" (ICML 2017), by captum.

    With x' the baseline and y the score of the target:

        IG[b, m, t, n] = sum over c of (x - x')[c]  *  integral over u from 0 to 1 of  dy/dx[c] at x' + u (x - x')

    in the units of the score. The integral is a Gauss-Legendre sum of `steps` terms. Complete: values sum to
    y(x) - y(x'); by how much they miss it is ``extra["convergence_delta"]``, ``[B]``. Cells without a reading are the
    same in x and x'.

    Args:
        model: see `STGGradCAM`.
        inputs: see `STGGradCAM`.
        graph: see `STGGradCAM`.
        classes: see `STGGradCAM`.
        baseline: x': a name in `stexplain.data.baselines`, one's own function, or a tensor that broadcasts to
            ``[M, T, N, C]``.
        steps: terms of the sum.
        copies: how many points of the way go through the model at a time; memory grows with them.
        chunk: see `STGGradCAM`.

    Raises:
        InputError: where captum is not installed, or the target does not depend on the input in a differentiable way.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Custom
        >>> with IntegratedGradients(nn.Flatten()) as explain:
        ...     e = explain(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2, 1), target=Custom(lambda y: y.square().sum(1)))
        >>> e.values.round(4).tolist(), bool(abs(e.extra["convergence_delta"][0]) < 1e-4)
        ([[[[1.0, 9.0]]]], True)
    """

    method = "integrated gradients"

    def __init__(
        self,
        model: nn.Module,
        *,
        inputs: str | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        baseline: "str | Baseline | Tensor" = "zero",
        steps: int = 32,
        copies: int = 8,
        chunk: int | None = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph, classes=classes, chunk=chunk)
        check_counts(steps=steps, copies=copies)
        self.baseline = baseline
        self.steps = steps
        self.copies = copies
        self._captum = captum_attr("IntegratedGradients")

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        copies = PerturbedInputs(self, asked, scored)
        start = with_baseline(self, asked, self.baseline)
        found: Tensor = self._captum.IntegratedGradients(copies.differentiable_scores).attribute(
            copies.x,
            baselines=start,
            n_steps=self.steps,
            method="gausslegendre",
            internal_batch_size=self.copies * len(copies.x),
        )
        values = found.sum(-1)
        delta = values.sum((1, 2, 3)) - (copies.found.scores - copies.scores(start))
        return Maps(values, copies.found, extra={"convergence_delta": delta})
