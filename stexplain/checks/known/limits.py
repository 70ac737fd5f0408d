"""What no one can expect of a method: kinds of known models that it cannot see, with the reason."""

from collections.abc import Mapping

from stexplain.explainers.explainer import Explainer

SEEN = 0.8
"""A kind counts as seen from this AUROC over positions on: a map over nodes alone, or in windows, reaches 0.85."""
ELEMENTARY = ("one position", "decoy", "second person")
"""Kinds that every explainer must see: it is at fault where it does not."""

_LAYER = {
    "message": "the layer holds the message where it arrived, not where it was sent",
    "order": "the layer notes the order at the second event alone",
}
_STILL = "a small change of a signal that is still, or a baseline that is still too, changes nothing of its stillness"
_ABLATED = "it needs a graph convolution of this package, which known models have none of"
# By class name, for classes and those derived from them.
_LIMITS: Mapping[str, Mapping[str, str]] = {
    "LayerExplainer": _LAYER,
    "InputGradient": {"absence": _STILL},
    "IntegratedGradients": {"absence": _STILL},
    "GradientSHAP": {"absence": _STILL},
    "ExpectedGradients": {"absence": _STILL},
    "LearnedMask": {
        "absence": _STILL,
        "order": "its mask starts at one half, and two half events are none: the score has no gradient there",
    },
    "Occlusion": {"absence": "a window of zeros is as still as what it replaces"},
    "ShapleyValueSampling": {"absence": "a node of zeros is as still as what it replaces"},
    "TemporalRescaling": {"absence": "it rescales the gradient, which is zero where a signal is still"},
    "GraphAblated": dict.fromkeys(
        ("absence", "decoy", "message", "one position", "order", "second person", "together"), _ABLATED
    ),
}


def limits_of(explainer: type[Explainer]) -> dict[str, str]:
    """The kinds that an explainer class cannot see by its defaults, each with the reason.

    Args:
        explainer: the class of a method; classes derived from it have its limits too.

    Returns:
        Kind of known model -> the reason; empty where the class sees all.

    Example:
        >>> from stexplain.explainers.methods.layer.cam import CAM
        >>> sorted(limits_of(CAM))
        ['message', 'order']
    """
    for kind in explainer.__mro__:
        if kind.__name__ in _LIMITS:
            return dict(_LIMITS[kind.__name__])
    return {}
