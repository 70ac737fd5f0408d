"""Random attribution."""

from typing import Unpack

import numpy as np
import torch
from torch import nn

from stexplain.checking import checked_kept
from stexplain.explainers.explainer import Maps
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.random_generator import own_generator


@checked_kept
class Random(BaselineExplainer):
    """Random attribution: uniform random numbers in [0, 1).

    A sample's numbers follow from the seed and the sample alone (from its name, or from its signals where it has
    none), so they are the same in every batch and under any padding.

    Args:
        model: see `BaselineExplainer`.
        seed: of the random numbers.
        **options: see `BaselineExplainer`.

    Example:
        >>> x = torch.randn(2, 1, 10, 5, 3)
        >>> both = Random(seed=1)(x).values
        >>> bool((both[1] == Random(seed=1)(x[1:]).values[0]).all())
        True
    """

    method = "random"

    def __init__(
        self,
        model: nn.Module | None = None,
        *,
        seed: int = 0,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        self.seed = seed

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        x = self.inputs.to_batch(model_input.x, **model_input.sizes).cpu().numpy()
        valid = model_input.known_valid.cpu().numpy()
        values = np.zeros(x.shape[:-1], np.float32)
        for row, name in enumerate(model_input.ids):
            # Numbers are drawn for valid frames only: padding must not shift them.
            observations = x[row][valid[row]]
            values[row][valid[row]] = own_generator(self.seed, name, observations).random(observations.shape[:-1])
        return Maps(torch.from_numpy(values))
