"""Several explainers of layers of one model, from one forward and one backward pass."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stexplain.explainers.explanation import Explanation
from stexplain.explainers.joined import joined
from stexplain.explainers.methods.layer.layer_explainer import measure
from stexplain.explainers.methods.layer.layer_gradient import LayerGradient
from stexplain.explainers.model.derivative.compare import noted, warn_of
from stexplain.explainers.model.model_input import ModelInput, Signals
from stexplain.explainers.model.options import ModelCall
from stexplain.explainers.model.output_layout import with_output_layout
from stexplain.explainers.results.made_by import made_by
from stexplain.explainers.target import Target, TargetLike
from stexplain.explainers.targets import as_target


def one_pass(
    explainers: Sequence[LayerGradient],
    x: Signals,
    *,
    target: TargetLike,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
) -> list[Explanation]:
    """The explanations by several explainers, each as it gives them by itself, at the cost of one of them.

    Args:
        explainers: of one model and called in the same way; their methods, parities and layers may differ.
        x: samples; see `Explainer.__call__`, as for the arguments that follow.
        target: one target.
        valid: the padding mask.
        observed: the missing-value mask of a tensor.
        shared: further arguments of the model's forward.
        per_sample: further arguments of the model's forward with an entry per sample.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        >>> options = {"layer": "0", "layout": "b c t n", "inputs": "b c t n"}
        >>> both = [STGGradCAM(model, **options), STGGradCAM(model, parity="das2022", **options)]
        >>> [e.method for e in one_pass(both, torch.randn(5, 2, 8, 6), target=Class(1))]
        ['STG-Grad-CAM', 'STG-Grad-CAM (das2022)']
    """
    first, one_target = explainers[0], as_target(target)
    with first._model_frozen():
        model_input = first._prepare(x, valid, shared, per_sample, observed=observed)
        found = explained_together(explainers, model_input, one_target)
    call = ModelCall(first.options, valid, dict(shared or {}), dict(per_sample or {}), observed=observed)
    return [replace(each, call=call, made_by=made_by(by)) for by, each in zip(explainers, found, strict=True)]


def explained_together(
    explainers: Sequence[LayerGradient], model_input: ModelInput, target: Target
) -> list[Explanation]:
    """The explanation by each explainer. The first prepared the samples, with its model frozen, and runs it."""
    first = explainers[0]
    (target,) = with_output_layout(first, model_input, [target])
    by_explainer: list[list[Explanation]] = [[] for _ in explainers]
    for chunk, score_fns in first._chunks(model_input, [target]):
        measure(chunk, explainers)
        layer_maps = first._maps_at(explainers, chunk, score_fns)
        for each, ((layer_values, scores),), parts in zip(explainers, layer_maps, by_explainer, strict=True):
            maps = each._on_frames(chunk, layer_values, scores)
            # What was seen in the pass of all is of each; of a layer behind it there is nothing to say.
            each._derivative.left_out = first._derivative.left_out
            (maps,) = noted(each, [maps], chunk, [target], score_fns)
            parts.append(each._explanation(chunk, maps, target))
    explanations = [joined(parts) for parts in by_explainer]
    warn_of(explanations)
    return explanations
