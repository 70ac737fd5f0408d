"""Gradient maps: how much the score changes with each reading of the input."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Explainer, Maps, ModelInput, padding_share_of
from stexplain.explainers.model.activations import gradients
from stexplain.explainers.targets import Scores

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class InputGradient(Explainer):
    """The gradient map of Das & Ortega (ICASSP 2022), Eq. 3, after Pope et al. (CVPR 2019).

    With x ``[B, M, T, N, C]`` the input and y the score of the target, g = dy / dx is reduced over channels::

        ``"norm"``      || g ||       the Euclidean norm: not negative, and the same whichever way the axes of
                                      coordinates are turned; the default
        ``"positive"``  || ReLU(g) || as Pope et al. write it: only directions in which the score rises count, so it
                                      depends on which way the axes point
        ``"sum"``       sum of g      signed: how the score changes when all channels rise together

    Args:
        model: see `STGGradCAM`.
        inputs: see `STGGradCAM`.
        graph: see `STGGradCAM`.
        classes: see `STGGradCAM`.
        reduce: how channels become one number.
        chunk: see `STGGradCAM`.

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

    def __init__(
        self,
        model: nn.Module,
        *,
        inputs: str | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        reduce: Literal["norm", "positive", "sum"] = "norm",
        chunk: int | None = None,
    ):
        if reduce not in ("norm", "positive", "sum"):
            raise unknown("reduction", reduce, ["norm", "positive", "sum"])
        super().__init__(model, inputs=inputs, graph=graph, classes=classes, chunk=chunk)
        self.reduce = reduce

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        return self._several(asked, [scored])[0]

    def _several(self, asked: ModelInput, readings: Sequence[Callable[[Any], Scores]]) -> list[Maps]:
        leaf = asked.x.clone().requires_grad_()
        # A copy goes in: the model may work in place.
        output = self._output(asked, leaf.clone())
        found = [scored(output) for scored in readings]
        maps = []
        for each, (slope,) in zip(found, gradients([each.scores for each in found], [leaf]), strict=True):
            if slope is None:
                raise InputError("the target does not depend on the input in a differentiable way.")
            gradient = self.inputs.to_batch(slope, **asked.sizes)
            if self.reduce == "sum":
                values = gradient.sum(-1)
            else:
                values = (gradient.clamp(min=0) if self.reduce == "positive" else gradient).norm(dim=-1)
            maps.append(Maps(values, each, padding_share=padding_share_of(values, asked.known_valid)))
        return maps
