"""What the methods share that weigh a layer's features by the slope of the score: one forward pass, one gradient."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from stexplain.errors import InputError
from stexplain.explainers.methods.layer.layer_explainer import LayerExplainer
from stexplain.explainers.model.activations import capture_activations, gradients
from stexplain.explainers.model.caller import ModelInput, ScoreFn
from stexplain.explainers.targets import Scores


class LayerGradient(LayerExplainer):
    """A method that is one formula over a layer's features F and the slopes g = dy / dF of the score."""

    def _cells(self, asked: ModelInput, readings: Sequence[ScoreFn]) -> list[tuple[Tensor, Scores]]:
        return self._cells_at([self], asked, readings)[0]

    def _cells_at(
        self, layers: Sequence["LayerGradient"], asked: ModelInput, readings: Sequence[ScoreFn]
    ) -> list[list[tuple[Tensor, Scores]]]:
        """For each of several layers of the model, for each target, what `_cells` gives: from one forward pass."""
        with capture_activations({each.layer_name: each.layer for each in layers}, gradient=True) as heard:
            output = self._output(asked)
        calls = [heard.calls(each.layer_name)[0 if each.by_frame else -1 :] for each in layers]
        found = [scored(output) for scored in readings]
        every = gradients([each.scores for each in found], [call for of_layer in calls for call in of_layer])
        maps, start = [], 0
        for each, of_layer in zip(layers, calls, strict=True):
            part = slice(start, start + len(of_layer))
            maps.append(
                [(each._map_of(of_layer, slopes[part], asked), one) for slopes, one in zip(every, found, strict=True)]
            )
            start = part.stop
        return maps

    def _map_of(self, calls: Sequence[Tensor], slopes: Sequence[Tensor | None], asked: ModelInput) -> Tensor:
        if all(slope is None for slope in slopes):
            raise InputError(
                f"the target does not depend on layer {self.layer_name!r} in a differentiable way. "
                "Explain a layer that the output goes through."
            )
        features = self._features([call.detach() for call in calls], asked)
        # A call whose output goes nowhere changes nothing.
        there = [torch.zeros_like(call) if slope is None else slope for call, slope in zip(calls, slopes, strict=True)]
        ok = self._position_valid(asked, features.shape[2])
        # An absent instance has no valid cell: all of its cells count, for what is told of padding alone.
        return self._weighted(features, self._features(there, asked), ok | ~ok.any(-1, keepdim=True))

    @abstractmethod
    def _weighted(self, features: Tensor, slopes: Tensor, counted: Tensor) -> Tensor:
        """The method's formula.

        Args:
            features: F, ``[B, M, T', N, C]``.
            slopes: dy / dF, of the same shape.
            counted: the cells over which the method may pool, ``[B, M, T']``, bool: the valid ones; all, for an
                instance that has none.

        Returns:
            The signed map, ``[B, M, T', N]``.
        """
