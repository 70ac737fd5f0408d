"""Which equation an explainer claims, and its map by that equation."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stexplain.checks.plain import inputs, layers, masks
from stexplain.checks.plain.layers import Locator
from stexplain.checks.plain.part import Part, PlainMap
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.methods.gradient.expected_fall import ExpectedFall
from stexplain.explainers.methods.gradient.expected_gradients import ExpectedGradients
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.cam import CAM
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.grad_cam_plus_plus import GradCAMPlusPlus
from stexplain.explainers.methods.layer.hires_cam import HiResCAM
from stexplain.explainers.methods.layer.layer_cam import LayerCAM
from stexplain.explainers.methods.layer.layer_explainer import LayerExplainer, LayerOptions
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.model.caller import ModelCaller

_FORMULAS: Mapping[type[Explainer], layers.Formula] = {
    STGGradCAM: layers.grad_cam,
    GradCAMPlusPlus: layers.grad_cam_plus_plus,
    HiResCAM: layers.hires_cam,
    LayerCAM: layers.layer_cam,
}
_OTHERS = (
    CAM,
    ExpectedFall,
    ExpectedGradients,
    InputGradient,
    IntegratedGradients,
    GradientSHAP,
    Occlusion,
    ShapleyValueSampling,
)


def equation_of(explainer: Explainer) -> type[Explainer] | None:
    """The documented class whose equation an explainer claims: its own class, or the nearest it is derived from.

    A derived class that has an equation of its own says so by an attribute `equation`, any text.

    Example:
        >>> class Mine(Occlusion):
        ...     pass
        >>> from torch import nn
        >>> equation_of(Mine(nn.Flatten())).__name__
        'Occlusion'
        >>> Mine.equation = "the largest drop, not the mean"
        >>> equation_of(Mine(nn.Flatten())) is None
        True
    """
    for kind in type(explainer).__mro__:
        if kind in _FORMULAS or kind in _OTHERS:
            return kind
        if "equation" in vars(kind):
            return None
    return None


def plain_caller(explainer: Explainer, plain: ModelCaller, *, declared: bool = True) -> ModelCaller:
    """A caller of the explainer's model with its options, none of whose code is the explainer's own.

    Args:
        explainer: called before, so that its layer and the layout of its input are known.
        plain: a caller of its model with its options: what is given where the method looks at no layer.
        declared: whether what was declared of the layer is taken over; else all is measured.
    """
    if not isinstance(explainer, LayerExplainer):
        return plain
    options: LayerOptions = {
        **explainer.options,
        "layer": explainer.layer_name,
        # A choice of the caller's, which cannot be measured.
        "calls": explainer.calls,
        "layout": explainer.layout.pattern if declared and explainer.layout is not None else None,
        "stride": explainer.stride if declared else None,
        "offset": explainer.offset if declared else None,
    }
    assert explainer.model is not None
    locator = Locator(explainer.model, **options)
    # The axes of the model's output are the same whoever calls it.
    locator._axes_by_kind = plain._axes_by_kind
    return locator


def plain_map(explainer: Explainer, part: Part, values: NDArray[np.float32]) -> PlainMap | str:
    """The map of a part of the samples by the equation that an explainer claims; or why there is none.

    Args:
        explainer: any.
        part: some of the samples, of a `plain_caller`.
        values: the explainer's map of them: methods that take long are re-computed where it is largest.

    Raises:
        InputError: where the method does not apply to the model.
    """
    kind = equation_of(explainer)
    if kind is None:
        return f"{type(explainer).__name__} states no equation that is known here"
    if isinstance(part.caller, Locator):
        if isinstance(explainer, CAM):
            return layers.cam_map(part, part.caller, explainer)
        formula = _FORMULAS[kind]
        if isinstance(explainer, STGGradCAM) and explainer.parity is not None:
            formula = layers.grad_cam_das2022
        return layers.layer_map(part, part.caller, formula)
    if isinstance(explainer, InputGradient):
        return inputs.input_gradient(part, explainer)
    if isinstance(explainer, ExpectedFall):
        return inputs.expected_fall(part, explainer)
    if isinstance(explainer, ExpectedGradients):
        return inputs.expected_gradients(part, explainer)
    if isinstance(explainer, IntegratedGradients):
        return inputs.integrated_gradients(part, explainer)
    if isinstance(explainer, GradientSHAP):
        return "noise is drawn" if explainer.noise else inputs.gradient_shap(part, explainer)
    if isinstance(explainer, Occlusion):
        return masks.occlusion(part, explainer, values)
    assert isinstance(explainer, ShapleyValueSampling)
    return masks.shapley(part, explainer, values)
