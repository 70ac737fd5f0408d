"""What the methods share that weight a layer's features by gradients: one forward pass, one backward pass."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from stexplain.explainers.methods.layer.layer_explainer import LayerExplainer
from stexplain.explainers.methods.layer.place import LayerPlace
from stexplain.explainers.model.activations import capture_activations
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.derivative.compare import watched
from stexplain.explainers.model.gradients import gradients, not_differentiable
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.target import Scores


class LayerGradient(LayerExplainer):
    """A method that is one formula over a layer's features F and the gradients g = dy / dF of the score."""

    _differentiates = True

    def _differentiated_at(self, model_input: ModelInput) -> LayerPlace | None:
        return self._place(model_input)

    def _layer_maps(self, model_input: ModelInput, score_fns: Sequence[ScoreFn]) -> list[tuple[Tensor, Scores]]:
        return self._maps_at([self], model_input, score_fns)[0]

    def _maps_at(
        self, explainers: Sequence["LayerGradient"], model_input: ModelInput, score_fns: Sequence[ScoreFn]
    ) -> list[list[tuple[Tensor, Scores]]]:
        """For each explainer of one of the model's layers, for each target, its layer map: from one forward pass."""
        places = [each._place(model_input) for each in explainers]
        layers = {place.name: place.module for place in places}
        with capture_activations(layers, gradient=True) as activations, watched(self):
            output = self._forward(model_input)
        # All calls where calls are frames, else the last one alone.
        calls = [activations.calls(place.name)[0 if place.by_frame else -1 :] for place in places]
        scores = [score_fn(output) for score_fn in score_fns]
        all_calls = [call for of_layer in calls for call in of_layer]
        by_target = gradients([each.scores for each in scores], all_calls)
        maps, start = [], 0
        for each, of_layer in zip(explainers, calls, strict=True):
            # The gradients at this layer's calls, among those of all layers.
            part = slice(start, start + len(of_layer))
            maps.append(
                [
                    (each._map_of(of_layer, at_calls[part], model_input), of_target)
                    for at_calls, of_target in zip(by_target, scores, strict=True)
                ]
            )
            start = part.stop
        return maps

    def _map_of(self, calls: Sequence[Tensor], at_calls: Sequence[Tensor | None], model_input: ModelInput) -> Tensor:
        """The layer map from the outputs of the layer's calls and the gradients there."""
        if all(gradient is None for gradient in at_calls):
            raise not_differentiable(f"layer {self.layer_name!r}", "Explain a layer that the output goes through. ")
        features = self._features([call.detach() for call in calls], model_input)
        # No gradient means that nothing uses the output of a call: its gradient is zero.
        filled = [
            torch.zeros_like(call) if gradient is None else gradient
            for call, gradient in zip(calls, at_calls, strict=True)
        ]
        pooled = self._position_pooled(model_input, features.shape[2])
        # An absent instance has no valid position: all of its positions are pooled, for its share on padding alone.
        return self._weighted(features, self._features(filled, model_input), pooled | ~pooled.any(-1, keepdim=True))

    @abstractmethod
    def _weighted(self, features: Tensor, gradients: Tensor, pooled: Tensor) -> Tensor:
        """The method's formula.

        Args:
            features: F, ``[B, M, T', N, C]``.
            gradients: dy / dF, of the same shape.
            pooled: the positions over which the method may pool, ``[B, M, T']``, bool: the valid ones; all, for an
                instance that has none.

        Returns:
            The signed map, ``[B, M, T', N]``.
        """
