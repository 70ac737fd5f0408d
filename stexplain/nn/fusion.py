"""Several trained streams as one model: the weighted sum of their logits."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from stexplain.checking import checked
from stexplain.checking.values import require_tensor
from stexplain.checking.words import shown
from stexplain.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stexplain.data.clips import Clips


@checked
class Fusion(nn.Module):
    """Trained models of several streams, such as joints and bones, whose logits are added.

    ::

        logits = sum over streams s of weight_s * model_s(x_s)

    It takes a dict of streams. An explainer of it gives one map per stream, of the whole model's score;
    `stexplain.summed` adds them up.

    Args:
        models: by stream. Their classes are the same, in one order.
        weights: of their logits; none: 1 each.

    Raises:
        InputError: where there is no model, weights have other names, or the classes differ.

    Example:
        >>> def half():
        ...     return nn.Sequential(nn.Flatten(), nn.Linear(8, 2))
        >>> fusion = Fusion({"joint": half(), "bone": half()}, weights={"joint": 1.0, "bone": 0.5})
        >>> x = torch.ones(3, 1, 2, 2, 2)
        >>> fusion({"joint": x, "bone": x}).shape
        torch.Size([3, 2])
    """

    def __init__(self, models: Mapping[str, nn.Module], weights: Mapping[str, float] | None = None):
        super().__init__()
        if not models:
            raise InputError("models: got none; expected a model by the name of each stream.")
        chosen = dict.fromkeys(models, 1.0) if weights is None else dict(weights)
        if set(chosen) != set(models):
            raise InputError(f"weights: got {sorted(chosen)}; expected one for each stream, {sorted(models)}.")
        named = {tuple(getattr(model, "class_names", None) or ()) for model in models.values()} - {()}
        if len(named) > 1:
            raise InputError("models: their classes differ, or have another order; expected the same in all.")
        self.models = nn.ModuleDict(models)
        self.weights = chosen
        self.class_names = list(named.pop()) if named else None
        graphs = [graph for model in models.values() if (graph := getattr(model, "graph", None)) is not None]
        self.graph = graphs[0] if graphs else None

    def forward(self, streams: Mapping[str, Tensor], valid: Tensor | None = None) -> Tensor:
        """The fused logits, ``[B, classes]``.

        Args:
            streams: the input of each model, by its name.
            valid: the padding mask, ``[B, M, T]``, given to each model that takes one.

        Raises:
            InputError: where a stream is missing.
        """
        if not isinstance(streams, Mapping):
            raise InputError(f"streams: got {shown(streams)}; expected a dict of a tensor by the name of each model.")
        if missing := [name for name in self.models if name not in streams]:
            raise InputError(f"streams: got {sorted(streams)}; expected {missing[0]!r} too.")
        for name in self.models:
            require_tensor(f"streams[{name!r}]", streams[name])
            if not streams[name].is_floating_point():
                raise InputError(f"streams[{name!r}]: got {streams[name].dtype}; expected floating-point numbers.")
        total: Tensor | None = None
        for name, model in self.models.items():
            masked = {} if valid is None or not _takes_valid(model) else {"valid": valid}
            try:
                logits = self.weights[name] * model(streams[name], **masked)
            except Exception as error:
                # It is the model's own, and says nothing of which of them it is.
                error.add_note(f"Raised by the model of the stream {name!r}.")
                raise
            if total is not None and total.shape != logits.shape:
                raise InputError(
                    f"streams[{name!r}]: got {len(streams[name])} samples, logits {list(logits.shape)}; "
                    f"expected {list(total.shape)}, as of the streams before it."
                )
            total = logits if total is None else total + logits
        assert total is not None
        return total

    def batch(self, clips: "Clips", indices: "Any | NDArray[np.int64]") -> tuple[dict[str, Tensor], Tensor]:
        """Clips as each model was trained on them, by the recipe that it carries, and their padding mask.

        Args:
            clips: of one dataset.
            indices: which of them.

        Returns:
            The streams by name, ``[B, M, T, N, C]`` each, and `valid`, ``[B, M, T]``.

        Raises:
            InputError: where a model has no recipe, or streams have different frames.
        """
        streams: dict[str, Tensor] = {}
        valid: Tensor | None = None
        for name, model in self.models.items():
            recipe = getattr(model, "recipe", None)
            if recipe is None:
                raise InputError(
                    f"models: {name!r} carries no recipe; expected a model that `fit` trained, or a saved one."
                )
            batch = clips.with_recipe(recipe).batch(indices)
            if valid is not None and not torch.equal(valid, batch.valid):
                raise InputError(
                    f"models: {name!r} samples other frames than the ones before it; expected one sampling. Train "
                    "them by one recipe."
                )
            streams[name], valid = batch.x, batch.valid
        assert valid is not None
        return streams, valid


def _takes_valid(model: nn.Module) -> bool:
    """Whether a model has an argument `valid`, or takes any."""
    parameters = inspect.signature(model.forward).parameters.values()
    return any(one.name == "valid" or one.kind is one.VAR_KEYWORD for one in parameters)
