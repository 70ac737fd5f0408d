"""STG-Grad-CAM: the feature maps of a layer, weighted by how much the score depends on each channel."""

from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.errors import unknown
from stexplain.explainers.methods.layer.layer_explainer import LayerOptions
from stexplain.explainers.methods.layer.layer_gradient import LayerGradient
from stexplain.explainers.methods.naming import named


@checked_kept
class STGGradCAM(LayerGradient):
    """STG-Grad-CAM of Das & Ortega, "Gradient-weighted class activation mapping for STGCN" (ICASSP 2022), Eq. 4-5.

    With F ``[B, M, T', N, C]`` the output of a layer and y the score of the target (a logit):

        alpha[b, m, k] = mean over nodes and valid positions of dy[b] / dF[b, m, t, n, k]    (Eq. 4)
        H[b, m, t, n]  = sum over k of alpha[b, m, k] F[b, m, t, n, k]                       (Eq. 5, before its ReLU)

    per sample and per instance, so that a batch gives the maps of its samples one by one. The signed H is kept; the
    ReLU of Eq. 5 is `Explanation.importance`. For an absent instance, which has no valid position, the mean is over
    all its positions; it only enters `Explanation.padding_share`.

    Where the layer is followed by global average pooling and a linear head with bias b, H sums to y - b, and equals
    CAM / (M T' N). Only the part of the network behind the layer is differentiated.

    Args:
        model: any module. Its forward takes x, and `valid` where it has a parameter of that name.
        layer: the name or the module, as `stexplain.layers` lists them; default: the last of `model.blocks`, or else
            the last layer that keeps nodes and frames. Of a tuple or a dict the first tensor is meant, or the one in
            brackets: ``"encoder[1]"``.
        layout: of the layer's output, such as ``"(b m) c t n"``; default: measured.
        inputs: of the model's input, such as ``"b c t n m"``; default: `model.inputs`.
        graph: of the nodes; default: `model.graph`.
        classes: names of the classes; default: `model.class_names`.
        stride: frames from one position of the layer to the next; default: measured.
        offset: the frame that the layer's first position stands for, below 0 where a model pads the past; default:
            measured.
        calls: ``"frames"`` where the layer is a recurrent cell that runs once per frame: its outputs, each laid out
            without t, become the positions, and gradients are total derivatives, through all frames that follow;
            ``"last"`` for the last output. Default: measured.
        parity: ``"das2022"`` pools alpha over instances and padding too and takes the mean, not the sum, over
            channels, as the authors' released code does.
        chunk: how many samples go through the model at a time.
        **options: further ones of how the model is called, such as `output`; see `ModelCaller`.

    Raises:
        InputError: for an unknown layer, a layout, stride or offset that contradicts what was measured, an output that
            does not depend on the layer.

    Example:
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        >>> with STGGradCAM(model, layer="0", layout="b c t n", inputs="b c t n") as explain:
        ...     e = explain(torch.randn(5, 2, 8, 6), target=Class(1))
        >>> e.values.shape
        (5, 1, 8, 6)
        >>> bool(abs(e.layer_values.sum((1, 2, 3)) + model[-1].bias[1].item() - e.score).max() < 1e-5)
        True
    """

    method = "STG-Grad-CAM"

    def __init__(
        self,
        model: nn.Module,
        *,
        parity: Literal["das2022"] | None = None,
        **options: Unpack[LayerOptions],
    ):
        if parity not in (None, "das2022"):
            raise unknown("parity", parity, ["das2022"])
        super().__init__(model, **options)
        self.parity = parity
        self.method = named(type(self), self.method, *([parity] if parity else []))

    def _weighted(self, features: Tensor, gradients: Tensor, pooled: Tensor) -> Tensor:
        if self.parity == "das2022":
            # Dividing alpha by C makes the sum over channels of Eq. 5 their mean.
            alpha = gradients.mean((1, 2, 3)) / features.shape[-1]
            return torch.einsum("bmtnc,bc->bmtn", features, alpha)
        # A mean over nodes and pooled positions, as a weighted sum: each weighs 1 / (their number * N).
        weight = pooled.to(gradients.dtype)
        weight = weight / (weight.sum(-1, keepdim=True) * features.shape[3])
        alpha = torch.einsum("bmtnc,bmt->bmc", gradients, weight)
        return torch.einsum("bmtnc,bmc->bmtn", features, alpha)
