"""Baseline explainers, which call no model: what a method must beat before its maps say anything about a model."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, overload

import numpy as np
import torch
from torch import Tensor, nn

from stexplain.explainers.draws import own_generator
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.model_input import ModelInput, Signals, Streams
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.target import Target, TargetLike
from stexplain.explainers.targets import Predicted


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
        valid: Any,
        shared: Mapping[str, Any] | None,
        per_sample: Mapping[str, Any] | None,
    ) -> list[dict[str, Explanation]]:
        by_target: list[dict[str, Explanation]] = [{} for _ in targets]
        for name, signals in x.items():
            # Each by itself: what moves in one stream says nothing of another.
            self._add_streams([name], self._explain({name: signals}, targets, valid, None, None), by_target)
        return by_target

    @overload
    def __call__(
        self,
        x: Signals,
        *,
        target: TargetLike | None = None,
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> Explanation: ...
    @overload
    def __call__(
        self,
        x: Signals,
        *,
        target: Sequence[TargetLike],
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> list[Explanation]: ...
    @overload
    def __call__(
        self,
        x: Streams,
        *,
        target: TargetLike | None = None,
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> dict[str, Explanation]: ...
    @overload
    def __call__(
        self,
        x: Streams,
        *,
        target: Sequence[TargetLike],
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Explanation]]: ...
    def __call__(
        self,
        x: Signals | Streams,
        *,
        target: TargetLike | Sequence[TargetLike] | None = None,
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> Explanation | list[Explanation] | dict[str, Explanation] | list[dict[str, Explanation]]:
        """Explains samples; see `Explainer`. The target is not used, so that a baseline can replace any explainer."""
        if isinstance(target, Sequence):
            return super().__call__(x, target=target, valid=valid)
        return super().__call__(x, target=Predicted() if target is None else target, valid=valid)


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


class Motion(BaselineExplainer):
    """Motion energy: how far each node moves at each frame, the mean distance to the frames before and after.

    On series, such as the speeds of roads, it is the temporal change. With || . || the Euclidean norm over channels:

        motion[b, m, t, n] = mean of || x[t] - x[t - 1] || and || x[t + 1] - x[t] ||

    over those neighbouring frames that are valid; zero where there is none. In units of the signals per frame. The
    motion of every channel by itself is `Explanation.channels`; those that `signals` leaves out have none.

    Args:
        model: see `BaselineExplainer`.
        inputs: see `BaselineExplainer`.
        graph: see `BaselineExplainer`.

    Example:
        >>> Motion()(torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 3, 1, 1)).values.flatten().tolist()
        [1.0, 0.5, 0.0]
    """

    method = "motion"

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        x = self.inputs.to_batch(model_input.x, **model_input.sizes)
        signals = signal_mask(self, model_input, find=False)
        steps = x[:, :, 1:] - x[:, :, :-1]
        if signals is not None:
            steps = torch.where(signals, steps, 0)
        valid = model_input.known_valid
        both = valid[:, :, 1:] & valid[:, :, :-1]  # of two frames in a row
        count = torch.zeros(valid.shape)
        count[:, :, 1:] += both
        count[:, :, :-1] += both

        def mean(step: Tensor) -> Tensor:
            """The mean of the steps ``[B, M, T - 1, N, ...]`` to a frame and from it."""
            total = torch.zeros(*x.shape[:3], *step.shape[3:], dtype=x.dtype)
            step = step * both.view(*both.shape, *[1] * (step.ndim - 3))
            # Each step belongs to both of its frames.
            total[:, :, 1:] += step
            total[:, :, :-1] += step
            return total / count.clamp(min=1).view(*count.shape, *[1] * (step.ndim - 3))

        return Maps(
            mean(steps.norm(dim=-1)),
            channels=mean(steps.abs()),
            reduce="the mean length of the steps over all channels",
        )
