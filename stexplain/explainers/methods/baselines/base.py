"""Explainers that call no model: what a method must beat before its maps say anything about a model."""

from collections.abc import Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.model_input import ModelInput, Streams
from stexplain.explainers.model.options import CallOptions, ModelCall
from stexplain.explainers.target import Target


@checked_kept
class BaselineExplainer(Explainer):
    """An explainer that uses the signals alone.

    Args:
        model: used only for the layout of the input, the graph and the recipe, where it is given.
        **options: as of an explainer that calls the model; see `ModelCaller`.
    """

    def __init__(self, model: nn.Module | None = None, **options: Unpack[CallOptions]):
        super().__init__(model, **options)
        # No model to call. `_recipe_model` stays: raw samples are preprocessed as the model's own.
        self.model = None

    def _explain_streams(
        self,
        x: Streams,
        targets: Sequence[Target],
        call: ModelCall,
        ids: Sequence[Any] | None,
    ) -> list[dict[str, Explanation]]:
        by_target: list[dict[str, Explanation]] = [{} for _ in targets]
        for name, signals in x.items():
            # Each by itself: what moves in one stream says nothing of another.
            self._add_streams([name], self._explain({name: signals}, targets, call, ids), by_target)
        return by_target

    def _signals(self, model_input: ModelInput) -> tuple[Tensor, Tensor]:
        """Signals ``[B, M, T, N, C]``, zero in channels that are none, and what was observed, ``[B, M, T, N]``.

        Both lie where the samples do. A value that is missing is zero and counts nowhere.
        """
        x = self.inputs.to_batch(model_input.x, **model_input.sizes)
        signals = signal_mask(self, model_input, find=False)
        present = model_input.observed_positions
        if signals is not None:
            x = torch.where(signals, x, 0)
        return torch.where(present[..., None], x, 0), present
