"""Controls that ask no model: what an explainer must beat before it says anything about one."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import nn

from stexplain.explainers.draws import own_generator
from stexplain.explainers.explainer import Explainer, Maps, ModelInput, Signals, TargetLike
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.targets import Predicted, Scores

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class Control(Explainer):
    """An explainer that looks at the signals alone.

    Args:
        model: only tells the layout of the input and the graph, where it is given.
        inputs: the layout of the signals; default: `model.inputs`, else ``"b m t n c"``.
        graph: of the nodes; default: `model.graph`.
    """

    def __init__(self, model: nn.Module | None = None, *, inputs: str | None = None, graph: "STGraph | None" = None):
        super().__init__(model, inputs=inputs, graph=graph)
        self.model = None

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
    def __call__(
        self,
        x: Signals,
        *,
        target: TargetLike | Sequence[TargetLike] | None = None,
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> Explanation | list[Explanation]:
        """Explains samples; see `Explainer`. The target is not used: a control can stand wherever an explainer does."""
        if isinstance(target, Sequence):
            return super().__call__(x, target=target, valid=valid)
        return super().__call__(x, target=Predicted() if target is None else target, valid=valid)


class Random(Control):
    """Uniform random numbers in [0, 1): the importance that knows nothing.

    A sample's numbers follow from the seed and the sample alone (from its name, or from its signals where it has
    none), so that they are the same in every batch and under any padding.

    Args:
        model: see `Control`.
        seed: of the numbers.
        inputs: see `Control`.
        graph: see `Control`.

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
        inputs: str | None = None,
        graph: "STGraph | None" = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph)
        self.seed = seed

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        x = self.inputs.to_batch(asked.x, **asked.sizes).cpu().numpy()
        valid = asked.known_valid.cpu().numpy()
        values = np.zeros(x.shape[:-1], np.float32)
        for row, name in enumerate(asked.ids):
            read = x[row][valid[row]]
            values[row][valid[row]] = own_generator(self.seed, name, read).random(read.shape[:-1])
        return Maps(torch.from_numpy(values))


class Motion(Control):
    """How much each node moves at each frame: the mean Euclidean distance to the frames before and after.

        motion[b, m, t, n] = mean of || x[t] - x[t - 1] || and || x[t + 1] - x[t] ||

    over those neighbouring frames that are valid; zero where there is none. In units of the signals per frame.

    Args:
        model: see `Control`.
        inputs: see `Control`.
        graph: see `Control`.

    Example:
        >>> Motion()(torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 3, 1, 1)).values.flatten().tolist()
        [1.0, 0.5, 0.0]
    """

    method = "motion"

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        x = self.inputs.to_batch(asked.x, **asked.sizes)
        valid = asked.known_valid
        both = valid[:, :, 1:] & valid[:, :, :-1]
        step = (x[:, :, 1:] - x[:, :, :-1]).norm(dim=-1) * both[..., None]
        total, count = torch.zeros(x.shape[:-1], dtype=x.dtype), torch.zeros(valid.shape)
        total[:, :, 1:] += step
        total[:, :, :-1] += step
        count[:, :, 1:] += both
        count[:, :, :-1] += both
        return Maps(total / count.clamp(min=1)[..., None])
