"""The checks of a self-test, one function each: invariances, exact sums, and parameter randomisation."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from stexplain.checks.randomisation import cascade, curve_row, rank_correlation
from stexplain.checks.subject import Check, Subject, difference, model_input, same_score, score_fn
from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.methods.baselines.random import Random
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.cam import CAM
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.hires_cam import HiResCAM
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.model.arguments.signature import forward_takes
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline
from stexplain.explainers.rebind import in_chunks, renumbered
from stexplain.wording import an

# How many frames are appended: no multiple of the usual strides 2 and 4.
_PADDING = 5
# Integrated gradients and sampled Shapley values approximate their sums, so their limit is wider than the tolerance.
_COMPLETE = 0.05


def deterministic(subject: Subject) -> Check:
    """Two calls give the same map."""
    # Compared within the tolerance, not to the bit: sums of several threads may differ in their last bits.
    again = subject.explain().values
    return Check.of("deterministic", difference(subject.original.values, again), subject.limits.tolerance)


def batch_independence(subject: Subject) -> Check:
    """Every sample by itself gets the map that it gets in the batch."""
    name = "batch independence"
    try:
        rows = [subject.explain(rows=slice(row, row + 1)).values for row in range(len(subject.batch))]
    except InputError as error:
        # Of a fixed batch size, or with an argument that belongs to the batch as a whole.
        return Check.not_applicable(name, f"a sample cannot be explained alone: {str(error).splitlines()[0]}")
    value = difference(subject.original.values, np.concatenate(rows))
    why = "got one sample only; give more" if len(rows) == 1 else ""
    return Check.of(name, value, subject.limits.tolerance, why)


def chunk_independence(subject: Subject) -> Check:
    """Samples that are explained in chunks of one get the same map as in one chunk."""
    name = "chunk independence"
    if subject.explainer.model is None:
        return Check.not_applicable(name, "a baseline explainer uses no model, and explains all samples at once")
    at_once, one_by_one = (in_chunks(subject.explainer, chunk) for chunk in (None, 1))
    try:
        values = [subject.explain(by=each).values for each in (at_once, one_by_one)]
    except InputError as error:
        return Check.not_applicable(name, f"samples cannot be explained one by one: {str(error).splitlines()[0]}")
    return Check.of(name, difference(values[0], values[1]), subject.limits.tolerance)


def node_permutation(subject: Subject) -> Check:
    """A model over the permuted graph gives the permuted map."""
    name = "node permutation"
    if isinstance(subject.explainer, Random):
        return Check.not_applicable(name, "random attribution is drawn by position, not by node")
    batch = subject.batch
    order = np.random.default_rng(subject.limits.seed).permutation(batch.x.shape[3]).tolist()
    other = subject.permuted(order) if subject.permuted is not None else renumbered(subject.model, order)
    if other is None:
        return Check.not_applicable(
            name, f"how to permute the nodes of {an(type(subject.model).__name__)} is unknown: give `permuted`"
        )
    observed = None if batch.observed is None else batch.observed[..., order]
    history = None if batch.history is None else batch.history.permuted(order)
    # Without the samples' own graph, whose order is no longer theirs: the explainer has the one that it needs.
    permuted = replace(batch, x=batch.x[:, :, :, order], observed=observed, history=history, graph=None)
    explanation = subject.explain(by=subject.explainer_for(other), batch=permuted)
    if not same_score(subject, explanation):
        return Check.not_applicable(name, "the permuted model gives other scores: it is another model")
    # Position i of the permuted model is node order[i] of the original.
    value = difference(subject.original.values[..., order], explanation.values)
    return Check.of(name, value, subject.limits.tolerance)


def padding_invariance(subject: Subject) -> Check:
    """Appended frames and instances without an observation do not change the map."""
    name = "padding invariance"
    if not forward_takes(subject.model, "valid"):
        return Check.not_applicable(name, "the model takes no `valid`: padding counts as data")
    batch = subject.batch
    instances, frames = batch.valid.shape[1:]
    # A layout without instances has no place for another one.
    more = 1 if "m" in subject.explainer.inputs.letters and subject.streams is None else 0
    # F.pad lists the axes from the last: of x these are C, N, T, M.
    longer = replace(
        batch,
        x=F.pad(batch.x, (0, 0, 0, 0, 0, _PADDING, 0, more)),
        valid=F.pad(batch.valid, (0, _PADDING, 0, more)),
        unmasked=False,
        observed=None if batch.observed is None else F.pad(batch.observed, (0, 0, 0, _PADDING, 0, more)),
    )
    if subject.explainer.model is not None:
        explainer = subject.explainer
        try:
            with explainer._model_frozen(), torch.no_grad():
                explainer._forward(subject.prepared(explainer, longer))
        except (InputError, RuntimeError) as error:
            # A model of fixed length is not the explainer's fault; the verdict quotes its message.
            return Check.not_applicable(name, f"the model takes no longer samples: {str(error).splitlines()[0]}")
    explanation = subject.explain(batch=longer)
    if not same_score(subject, explanation):
        return Check.not_applicable(name, "the model's own score changes with padding")
    # Streams lie side by side as instances, to none of which another is added.
    kept = slice(instances if subject.streams is None else None)
    value = difference(subject.original.values, explanation.values[:, kept, :frames])
    return Check.of(name, value, subject.limits.tolerance)


def cam_identity(subject: Subject) -> Check:
    """Under global average pooling and a linear head, STG-Grad-CAM is CAM / (M T' N)."""
    name = "CAM identity"
    if (cam_result := _cam(subject)) is None:
        return Check.not_applicable(name, "it holds for STG-Grad-CAM and HiResCAM")
    if isinstance(cam_result, str):
        return Check.not_applicable(name, cam_result)
    cam, explanation, _ = cam_result
    # The gradient of global average pooling spreads each class weight over the M T' N positions.
    expected = cam / np.prod(cam.shape[1:])
    return Check.of(name, difference(expected, explanation.layer_values), subject.limits.tolerance)  # type: ignore[arg-type]  # a layer's explanation has layer_values


def completeness(subject: Subject) -> Check:
    """The map sums to the score minus the head's bias, or minus the baseline's score."""
    name = "completeness"
    explainer = subject.explainer
    if isinstance(explainer, ShapleyValueSampling) and subject.streams is not None:
        return Check.not_applicable(name, "one stream after the other is perturbed: the maps are of several sums")
    if isinstance(explainer, IntegratedGradients | ShapleyValueSampling):
        with explainer._model_frozen():
            samples = model_input(subject)
            copies = PerturbedInputs(explainer, samples, score_fn(subject))
            with torch.no_grad():
                baseline = copies.scores(with_baseline(explainer, samples, explainer.baseline))
        # `scores_of_samples` are y(x) of the unperturbed batch, read when the copies were made.
        expected = (copies.scores_of_samples.scores - baseline).detach().cpu().numpy()
        total = subject.original.values.astype(np.float64).sum((1, 2, 3))
        size = np.abs(subject.original.values).sum((1, 2, 3))
        # 1e-30 keeps a map of zeros from dividing zero by zero.
        value = float((np.abs(total - expected) / np.maximum(size, 1e-30)).max())
        return Check.of(name, value, _COMPLETE, "of y(x) - y(baseline), relative to the sum of absolute values")
    if (cam_result := _cam(subject)) is None:
        return Check.not_applicable(name, f"{explainer.method or type(explainer).__name__} does not sum to the score")
    if isinstance(cam_result, str):
        return Check.not_applicable(name, cam_result)
    _, explanation, bias = cam_result
    assert explanation.layer_values is not None
    total = explanation.layer_values.astype(np.float64).sum((1, 2, 3)) + bias
    size = np.maximum(np.abs(explanation.layer_values).sum((1, 2, 3)), 1e-30)
    return Check.of(name, float((np.abs(total - explanation.score) / size).max()), subject.limits.tolerance, "of y - b")


def parameter_randomisation(subject: Subject, *, depends_on_model: bool = False) -> tuple[Check, pd.DataFrame | None]:
    """The map of a parameter randomisation has lost its rank correlation with the original; also returns the curve.

    Args:
        subject: the explainer and its model.
        depends_on_model: whether it is shown already that the map follows from the model: it is that of the method's
            equation, or finds what known models use. A correlation that is left is then no fault of the software.
    """
    name = "parameter randomisation"
    if isinstance(subject.explainer, BaselineExplainer):
        return Check.not_applicable(name, "a baseline explainer does not use the model"), None
    original = subject.original
    # The level that any two maps without relation have on these samples.
    with Random(subject.model, **subject.explainer.options) as random:
        drawn = subject.explain(by=random)
        # A layer has one map for all streams, random attribution one for each.
        values = drawn.values[:, : original.values.shape[1]]
        level = float(rank_correlation(original, replace(original, values=values)).mean())
    correlations: list[list[NDArray[np.float64]]] = []
    layers: list[str] = []
    for draw in range(subject.limits.draws):
        try:
            cascading = enumerate(cascade(subject.model, subject.limits.seed + draw))
            for stage, (layer, other) in cascading:
                # Every draw has the same stages: their names are kept once.
                if draw == 0:
                    layers.append(layer)
                    correlations.append([])
                # Explained at once: `other` is one copy, which the next stage randomises further.
                correlations[stage].append(rank_correlation(original, _quietly(subject, subject.explainer_for(other))))
        except InputError as error:
            return Check.not_applicable(name, str(error).splitlines()[0]), None
    if not layers:
        return Check.not_applicable(name, "the model has no weights to randomise"), None
    # The original with itself: 1, or 0 for a constant map, which has no ranks.
    trained = curve_row(0, "", rank_correlation(original, original), level)
    rows = [curve_row(stage, layers[stage - 1], np.stack(each), level) for stage, each in enumerate(correlations, 1)]
    curve = pd.DataFrame([trained, *rows])
    why = f"rank correlation after {len(layers)} stages; random attribution has {level:.2f}"
    left = float(curve["correlation"].iloc[-1])
    if depends_on_model and left > subject.limits.threshold:
        remark = "the method does follow the model, so this model's own structure keeps the"
        return replace(Check.not_applicable(name, f"{remark} {why}"), value=left, limit=subject.limits.threshold), curve
    return Check.of(name, left, subject.limits.threshold, why), curve


def _quietly(subject: Subject, explainer: Explainer) -> Explanation:
    """The explanation by an explainer of a randomised model, whose warnings are of no use to anyone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return subject.explain(by=explainer)


CHECKS: tuple[Callable[[Subject], Check], ...] = (
    deterministic,
    batch_independence,
    chunk_independence,
    node_permutation,
    padding_invariance,
    cam_identity,
    completeness,
)
"""All checks but the two that run last, parameter randomisation and whether the model was restored."""


def _cam(subject: Subject) -> "tuple[NDArray[np.float32], Explanation, NDArray[np.float64]] | str | None":
    """CAM and the explainer's map of the batch with all frames valid, and the bias; or the reason why there is no CAM.

    With all frames valid, pooling over valid positions is the plain mean, for which the identity holds.
    """
    explainer = subject.explainer
    # Parity pools and scales as the released code does, for which the identity does not hold.
    if not isinstance(explainer, STGGradCAM | HiResCAM) or getattr(explainer, "parity", None) is not None:
        return None
    whole = replace(subject.batch, valid=torch.ones_like(subject.batch.valid))
    try:
        cam = CAM(
            explainer.model,  # type: ignore[arg-type]  # a layer's explainer has a model
            layer=explainer.layer,
            layout=None if explainer.layout is None else explainer.layout.pattern,
            stride=explainer.stride,
            offset=explainer.offset,
            **explainer.options,
        )
        cam_map = subject.explain(by=cam, batch=whole)
    except InputError as error:
        return str(error)
    assert cam_map.layer_values is not None
    # The bias in the place of the logits, wherever the model returns those: the target then reads its own share of it.
    biases = cam.bias.expand(len(whole), -1)
    bias = subject.target.score(biases, explainer.output_info).scores.detach().cpu().numpy().astype(np.float64)
    return cam_map.layer_values, subject.explain(batch=whole), bias
