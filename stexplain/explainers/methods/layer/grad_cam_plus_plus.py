"""Grad-CAM++: channels weighted by gradients that count more where a channel is active at few positions."""

import torch
from torch import Tensor

from stexplain.errors import InputError
from stexplain.explainers.methods.layer.layer_gradient import LayerGradient


class GradCAMPlusPlus(LayerGradient):
    """Grad-CAM++ of Chattopadhay et al., "Grad-CAM++: improved visual explanations" (WACV 2018), Eq. 5, 11 and 19.

    With F ``[B, M, T', N, C]`` the output of a layer, y the score of the target, g = dy / dF, and S the sum of F over
    the nodes and valid positions of a sample and instance, per channel:

        alpha[b, m, t, n, k] = g^2 / (2 g^2 + S[b, m, k] g^3)                     0 where g is 0
        w[b, m, k]           = sum over nodes and valid positions of alpha ReLU(g)
        H[b, m, t, n]        = sum over k of w[b, m, k] F[b, m, t, n, k]

    This is the closed form that the paper gives (Eq. 19) for Y = exp(y) where y is piecewise linear in F: the
    derivatives of exp(y) of first, second and third order along one position are then exp(y) times g, g^2 and g^3.
    exp(y), a factor of the whole map of a sample, is left out, as it only overflows. Where y is not piecewise linear
    behind the layer (a softmax, a gate), the closed form is an approximation.

    It is derived for features that are not negative, as behind a ReLU: alpha is then in [0, 1/2]. Where features are
    negative the denominator may vanish, so the method refuses them.

    Args:
        model: see `STGGradCAM`.
        **options: the layer, and how the model is called; see `STGGradCAM`.

    Raises:
        InputError: as `STGGradCAM` does, and where features are negative.

    Example:
        >>> from torch import nn
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Flatten(start_dim=3), nn.Flatten(), nn.Linear(2, 1))
        >>> _ = model[2].weight.data.copy_(torch.tensor([[2.0, -1.0]]))
        >>> with GradCAMPlusPlus(model, layer="0", layout="b t n c", inputs="b t n c") as explain:
        ...     explain(torch.tensor([1.0, 4.0]).view(1, 1, 2, 1), target=Class(1)).values.flatten().tolist()
        [0.1666..., 0.6666...]
    """

    method = "Grad-CAM++"
    # Its weights are ratios of powers of gradients: ten times the score is not ten times the map.
    measures = ""

    def _weighted(self, features: Tensor, gradients: Tensor, pooled: Tensor) -> Tensor:
        if bool((features < 0).any()):
            raise InputError(
                f"layer {self.layer_name!r} has features down to {float(features.min()):.3g}; Grad-CAM++ expects "
                "features that are not negative. Explain the layer after its ReLU, or use HiResCAM or LayerCAM."
            )
        share = pooled.to(features.dtype)
        total = torch.einsum("bmtnc,bmt->bmc", features, share)[:, :, None, None]  # S, [B, M, 1, 1, C]
        # g^2 cancels: powers of the small gradients of late layers would leave the range of float32.
        rising = gradients.clamp(min=0)
        weight = torch.einsum("bmtnc,bmt->bmc", rising / (2 + total * rising), share)
        return torch.einsum("bmtnc,bmc->bmtn", features, weight)
