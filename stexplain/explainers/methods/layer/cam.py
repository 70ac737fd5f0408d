"""CAM: the class activation map of networks that end in global average pooling and a linear head."""

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.errors import InputError
from stexplain.explainers.methods.layer.layer_explainer import LayerExplainer, LayerOptions
from stexplain.explainers.model.activations import capture_activations
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.layer_names import find_layer
from stexplain.explainers.model.model_input import ModelInput, Signals
from stexplain.explainers.target import Scores
from stexplain.wording import an

_Pointwise = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


@checked_kept
class CAM(LayerExplainer):
    """The class activation map of Zhou et al., "Learning deep features for discriminative localization" (CVPR 2016).

    With F ``[B, M, T', N, C]`` the layer's output and w the weights of the linear head for class c:

        CAM[b, m, t, n] = sum over k of w[c, k] F[b, m, t, n, k]

    It is defined where the layer is followed by global average pooling and a linear head, which is checked: the pooled
    map plus bias must be the model's logits. Nothing is differentiated, and all classes cost no more than one.

    Args:
        model: see `STGGradCAM`.
        head: the linear head, a `Linear` or a convolution of kernel size 1, by name or module; default: the last one
            in the model.
        **options: the layer, and how the model is called; see `STGGradCAM`.

    Raises:
        InputError: where the model has no such head, or does more than pooling before it.

    Example:
        >>> from stexplain.explainers.targets import Predicted
        >>> model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        >>> with CAM(model, layer="0", layout="b c t n", inputs="b c t n") as explain:
        ...     e = explain(torch.randn(5, 2, 8, 6), target=Predicted())
        ...     explain.every_class(torch.randn(5, 2, 8, 6)).shape
        (5, 3, 1, 8, 6)
        >>> bias = model[-1].bias.detach().numpy()[e.targets]
        >>> bool(abs(e.layer_values.mean((1, 2, 3)) + bias - e.score).max() < 1e-5)
        True
    """

    method = "CAM"

    def __init__(
        self,
        model: nn.Module,
        *,
        head: "str | nn.Module | None" = None,
        **options: Unpack[LayerOptions],
    ):
        super().__init__(model, **options)
        assert self.model is not None
        self.head_name, self.head = _linear(self.model, head)

    @property
    def weight(self) -> Tensor:
        """The head's weights ``[classes, C]``, as they are now."""
        weight: Tensor = self.head.weight  # type: ignore[assignment]  # a module's attributes are of any type
        return weight.detach().flatten(1)

    @property
    def bias(self) -> Tensor:
        """The head's biases ``[classes]``, as they are now; zeros where it has none."""
        # Read at every call, not stored: the head may be trained between two explanations.
        if self.head.bias is None:
            return self.weight.new_zeros(len(self.weight))
        bias: Tensor = self.head.bias  # type: ignore[assignment]  # a module's attributes are of any type
        return bias.detach()

    def every_class(self, x: Signals, *, valid: Any = None, observed: Any = None) -> NDArray[np.float32]:
        """The maps of all classes at once, at the layer's resolution: ``[B, classes, M, T', N]``.

        Args:
            x: as when called.
            valid: as when called.
            observed: as when called.

        Raises:
            InputError: as when called.
        """
        with self._model_frozen():
            model_input = self._prepare(x, valid, observed=observed)
            parts = []
            # Without targets: every chunk's features give the maps of all classes.
            for chunk, _ in self._chunks(model_input, []):
                features, _ = self._pooled_features(chunk)
                parts.append(torch.einsum("bmtnc,kc->bkmtn", features, self.weight).cpu().numpy().astype(np.float32))
        return np.concatenate(parts)

    def _layer_maps(self, model_input: ModelInput, score_fns: Sequence[ScoreFn]) -> list[tuple[Tensor, Scores]]:
        features, output = self._pooled_features(model_input)
        maps = []
        for score_fn in score_fns:
            if bool((score_fn(output).classes < 0).any()):
                raise InputError("target names no class; CAM expects Class(...), Predicted() or Margin(..., ...).")
            # The target as weights of classes: exact, as every target that names classes is linear in the logits.
            scores, gradient = score_fn.with_gradient(output)
            class_weights = gradient.flatten(1)  # [B, classes]; a single logit may have no axis of its own
            maps.append((torch.einsum("bmtnc,bc->bmtn", features, class_weights @ self.weight), scores))
        return maps

    def _pooled_features(self, model_input: ModelInput) -> tuple[Tensor, Any]:
        """The layer's features ``[B, M, T', N, C]``, checked to be pooled into the logits, and the model's output."""
        place = self._place(model_input)
        with capture_activations({place.name: place.module}, gradient=False) as activations, torch.no_grad():
            output = self._forward(model_input)
        features = self._features(activations.calls(place.name), model_input)
        logits = self._output_tensor(output, model_input)
        self._check_pooling(features, logits[:, None] if logits.ndim == 1 else logits, model_input)
        return features, output

    def _check_pooling(self, features: Tensor, output: Tensor, model_input: ModelInput) -> None:
        """Refuses a model whose logits are not the pooled features through the head."""
        problem = f"CAM needs global average pooling and a linear head after layer {self.layer_name!r}; "
        if features.shape[-1] != self.weight.shape[1] or output.shape[1:] != self.weight.shape[:1]:
            raise InputError(
                f"{problem}{self.head_name!r} maps {self.weight.shape[1]} channels to {self.weight.shape[0]}, where "
                f"the layer has {features.shape[-1]} and the output is {tuple(output.shape)}. Use STGGradCAM."
            )
        over_nodes = features.mean(3)
        valid = self._position_valid(model_input, over_nodes.shape[2]).to(features.dtype)
        present = (valid.sum(2) > 0).to(features.dtype)  # instances with a valid position, [B, M]
        instance_means = torch.einsum("bmtc,bmt->bmc", over_nodes, valid / valid.sum(2, keepdim=True).clamp(min=1))
        # Models pool in three ways: over all positions, padding included; over the valid ones; or over the valid ones
        # of each instance, then over the instances present.
        pools = [
            over_nodes.mean((1, 2)),
            torch.einsum("bmtc,bmt->bc", over_nodes, valid / valid.sum((1, 2), keepdim=True).clamp(min=1)),
            torch.einsum("bmc,bm->bc", instance_means, present / present.sum(1, keepdim=True).clamp(min=1)),
        ]
        # Relative to the largest logit: float32 sums over thousands of positions differ in the last digits.
        tolerance = 1e-3 * (float(output.abs().max()) + 1e-6)
        if not any(float((pool @ self.weight.T + self.bias - output).abs().max()) < tolerance for pool in pools):
            raise InputError(f"{problem}the pooled maps do not give the model's logits. Use STGGradCAM.")


def _linear(model: nn.Module, head: "str | nn.Module | None") -> tuple[str, nn.Module]:
    """The name of the linear head, and the head."""
    if head is None:
        candidates = [name for name, module in model.named_modules() if name and _is_pointwise(module)]
        if not candidates:
            raise InputError(
                f"{type(model).__name__} has no linear layer that could be the head that CAM needs. Use STGGradCAM."
            )
        # Modules are listed in the order in which they were defined: the head comes last.
        head = candidates[-1]
    name, module = find_layer(model, head)
    if not _is_pointwise(module) or not isinstance(module, _Pointwise):
        raise InputError(f"head {name!r}: got {an(type(module).__name__)}; expected a Linear or a 1x1 convolution.")
    return name, module


def _is_pointwise(module: nn.Module) -> bool:
    """Whether a module is a linear map of channels: a Linear, or a convolution of kernel size 1 without groups."""
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return module.groups == 1 and all(size == 1 for size in module.kernel_size)
    return isinstance(module, nn.Linear)
