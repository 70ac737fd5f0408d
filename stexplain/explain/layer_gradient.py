"""What the methods share that weigh a layer's features by the slope of the score: one forward pass, one gradient."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from stexplain.errors import InputError
from stexplain.explain.cells import cell_valid
from stexplain.explain.explainer import Asked
from stexplain.explain.layer_explainer import LayerExplainer
from stexplain.explain.model_state import gradients, listening
from stexplain.explain.targets import Scored


class LayerGradient(LayerExplainer):
    """A method that is one formula over a layer's features F and the slopes g = dy / dF of the score."""

    def _cells(self, asked: Asked, readings: Sequence[Callable[[Any], Scored]]) -> list[tuple[Tensor, Scored]]:
        with listening(self.layer_name, self.layer, gradient=True) as heard:
            output = self._output(asked)
        found = [scored(output) for scored in readings]
        slopes = gradients([each.scores for each in found], heard.tensor)
        features = self._features(heard.tensor.detach(), asked)
        ok = cell_valid(asked.known_valid, features.shape[2], self._stride(asked.sizes["t"], features.shape[2]))
        # An absent instance has no valid cell: all of its cells count, for what is told of padding alone.
        counted = ok | ~ok.any(-1, keepdim=True)
        cells = []
        for slope in slopes:
            if slope is None:
                raise InputError(
                    f"the target does not depend on layer {self.layer_name!r} in a differentiable way. "
                    "Explain a layer that the output goes through."
                )
            cells.append(self._weighted(features, self._features(slope, asked), counted))
        return list(zip(cells, found, strict=True))

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
