"""HiResCAM: what each position of a layer contributes to the score."""

import torch
from torch import Tensor

from stexplain.explainers.methods.layer.layer_gradient import LayerGradient


class HiResCAM(LayerGradient):
    """HiResCAM of Draelos & Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations" (arXiv 2011.08891).

    With F ``[B, M, T', N, C]`` the output of a layer and y the score of the target:

        H[b, m, t, n] = sum over k of dy[b] / dF[b, m, t, n, k] F[b, m, t, n, k]

    Gradients are not pooled, so a position only gets what it contributes itself, and the map of an early layer keeps
    its resolution in time and space, which STG-Grad-CAM loses there by pooling. Under global average pooling and a
    linear head, the two are equal.

    Where the network behind the layer is piecewise linear (ReLU, convolutions, batch norm in eval mode, pooling), H
    sums to y less what the biases behind the layer contribute, ``y - sum over biases b of b dy/db``: to y itself where
    there are none, to y - b where a head with bias b is all that follows.

    Args:
        model: see `STGGradCAM`.
        **options: the layer, and how the model is called; see `STGGradCAM`.

    Raises:
        InputError: as `STGGradCAM` does.

    Example:
        >>> from torch import nn
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 6, 3))
        >>> with HiResCAM(model, layer="1", layout="b c t n", inputs="b c t n") as explain:
        ...     e = explain(torch.randn(5, 2, 8, 6), target=Class(1))
        >>> bool(abs(e.layer_values.sum((1, 2, 3)) + model[-1].bias[1].item() - e.score).max() < 1e-5)
        True
    """

    method = "HiResCAM"

    def _weighted(self, features: Tensor, gradients: Tensor, pooled: Tensor) -> Tensor:
        # Gradient x activation per position; `pooled` is not needed.
        return torch.einsum("bmtnc,bmtnc->bmtn", features, gradients)
