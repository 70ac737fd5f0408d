"""Layer-CAM: what each position of a layer contributes to the score where the score rises with it."""

import torch
from torch import Tensor

from stexplain.explainers.methods.layer.layer_gradient import LayerGradient


class LayerCAM(LayerGradient):
    """Layer-CAM of Jiang et al., "LayerCAM: exploring hierarchical class activation maps" (IEEE TIP 2021), Eq. 5-6.

    With F ``[B, M, T', N, C]`` the output of a layer and y the score of the target:

        H[b, m, t, n] = sum over k of ReLU(dy[b] / dF[b, m, t, n, k]) F[b, m, t, n, k]

    before the ReLU of their Eq. 6, which is `Explanation.importance`. A channel with a negative gradient is left
    out where `HiResCAM` subtracts it: the map shows all evidence for the target and none against it, and does not sum
    to the score. Where F is not negative, neither is H.

    Args:
        model: see `STGGradCAM`.
        **options: the layer, and how the model is called; see `STGGradCAM`.

    Raises:
        InputError: as `STGGradCAM` does.

    Example:
        >>> from torch import nn
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Flatten(start_dim=3), nn.Flatten(), nn.Linear(3, 1))
        >>> _ = model[2].weight.data.copy_(torch.tensor([[2.0, -1.0, 0.5]]))
        >>> with LayerCAM(model, layer="0", layout="b t n c", inputs="b t n c") as explain:
        ...     explain(torch.tensor([1.0, 5.0, 4.0]).view(1, 1, 3, 1), target=Class(1)).values.flatten().tolist()
        [2.0, 0.0, 2.0]
    """

    method = "Layer-CAM"

    def _weighted(self, features: Tensor, gradients: Tensor, pooled: Tensor) -> Tensor:
        # The clamp is what sets it apart from HiResCAM; `pooled` is not needed.
        return torch.einsum("bmtnc,bmtnc->bmtn", features, gradients.clamp(min=0))
