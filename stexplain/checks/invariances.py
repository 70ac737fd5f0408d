"""The tests of a self-test, one function each."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from stexplain.checks.randomisation import cascade, curve_row, rank_correlation
from stexplain.checks.subject import Check, Subject, asked, difference, same_score, scored
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.baselines import BaselineExplainer, Random
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.cam import CAM
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.hires_cam import HiResCAM
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.model.inspection import takes
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline
from stexplain.explainers.rebind import in_chunks, renumbered

_PADDING = 5
_COMPLETE = 0.05


def the_same_twice(subject: Subject) -> Check:
    """Two calls give one map."""
    again = subject.explain().values
    return Check.of("the same twice", difference(subject.original.values, again), subject.limits.tolerance)


def alone_as_in_the_batch(subject: Subject) -> Check:
    """Every sample by itself gets the map that it gets among the others."""
    rows = [subject.explain(rows=slice(row, row + 1)).values for row in range(len(subject.batch))]
    value = difference(subject.original.values, np.concatenate(rows))
    why = "there is one sample only: give more" if len(rows) == 1 else ""
    return Check.of("alone as in the batch", value, subject.limits.tolerance, why)


def in_chunks_as_at_once(subject: Subject) -> Check:
    """Samples that are worked on one at a time get the map of those worked on at once."""
    name = "in chunks"
    if subject.explainer.model is None:
        return Check.not_applicable(name, "a control asks no model, and works on all samples at once")
    at_once, one_by_one = (in_chunks(subject.explainer, chunk) for chunk in (None, 1))
    values = [subject.explain(by=each).values for each in (at_once, one_by_one)]
    return Check.of(name, difference(values[0], values[1]), subject.limits.tolerance)


def renumbered_nodes(subject: Subject) -> Check:
    """A model over the renumbered graph gives the renumbered map."""
    name = "renumbered nodes"
    if isinstance(subject.explainer, Random):
        return Check.not_applicable(name, "random numbers belong to places, not to nodes")
    batch = subject.batch
    order = np.random.default_rng(subject.limits.seed).permutation(batch.x.shape[3]).tolist()
    other = subject.permuted(order) if subject.permuted is not None else renumbered(subject.model, order)
    if other is None:
        return Check.not_applicable(
            name, f"how to renumber a {type(subject.model).__name__} is not known: give `permuted`"
        )
    observed = None if batch.observed is None else batch.observed[..., order]
    moved = replace(batch, x=batch.x[:, :, :, order], observed=observed)
    there = subject.explain(by=subject.on(other), batch=moved)
    if not same_score(subject, there):
        return Check.not_applicable(name, "the renumbered model scores otherwise: it is another model")
    value = difference(subject.original.values[..., order], there.values)
    return Check.of(name, value, subject.limits.tolerance)


def appended_padding(subject: Subject) -> Check:
    """Frames and instances without a reading, put behind the sample, change nothing."""
    name = "appended padding"
    if not takes(subject.model, "valid"):
        return Check.not_applicable(name, "the model takes no `valid`: all that it is given counts")
    batch = subject.batch
    instances, frames = batch.valid.shape[1:]
    more = 1 if "m" in subject.explainer.inputs.letters else 0
    longer = replace(
        batch,
        x=F.pad(batch.x, (0, 0, 0, 0, 0, _PADDING, 0, more)),
        valid=F.pad(batch.valid, (0, _PADDING, 0, more)),
        observed=None if batch.observed is None else F.pad(batch.observed, (0, 0, 0, _PADDING, 0, more)),
    )
    if subject.explainer.model is not None:
        explainer = subject.explainer
        try:
            with explainer._model_frozen(), torch.no_grad():
                explainer._forward(explainer._prepare(longer, None, subject.shared, subject.per_sample))
        except (InputError, RuntimeError) as error:
            # A model of fixed length is none whose explainer can be blamed; the verdict says what it said.
            return Check.not_applicable(name, f"the model takes no longer samples: {str(error).splitlines()[0]}")
    found = subject.explain(batch=longer)
    if not same_score(subject, found):
        return Check.not_applicable(name, "the model's own score changes by padding")
    value = difference(subject.original.values, found.values[:, :instances, :frames])
    return Check.of(name, value, subject.limits.tolerance)


def cam_identity(subject: Subject) -> Check:
    """Under global average pooling and a linear head, STG-Grad-CAM is CAM / (M T' N)."""
    name = "CAM identity"
    if (found := _cam(subject)) is None:
        return Check.not_applicable(name, "it holds for STG-Grad-CAM and HiResCAM")
    if isinstance(found, str):
        return Check.not_applicable(name, found)
    cam, cells, _ = found
    expected = cam / np.prod(cam.shape[1:])
    return Check.of(name, difference(expected, cells.layer_values), subject.limits.tolerance)  # type: ignore[arg-type]  # a layer's explanation has cells


def conservation(subject: Subject) -> Check:
    """The map sums to the score less that of the head's bias, or less that of the baseline."""
    name = "conservation"
    explainer = subject.explainer
    if isinstance(explainer, IntegratedGradients | ShapleyValueSampling):
        with explainer._model_frozen():
            samples = asked(subject)
            copies = PerturbedInputs(explainer, samples, scored(subject))
            with torch.no_grad():
                bottom = copies.scores(with_baseline(explainer, samples, explainer.baseline))
        expected = (copies.scores_of_samples.scores - bottom).detach().cpu().numpy()
        total = subject.original.values.astype(np.float64).sum((1, 2, 3))
        size = np.abs(subject.original.values).sum((1, 2, 3))
        value = float((np.abs(total - expected) / np.maximum(size, 1e-30)).max())
        return Check.of(name, value, _COMPLETE, "of y(x) - y(baseline), as a share of the sum of magnitudes")
    if (found := _cam(subject)) is None:
        return Check.not_applicable(name, f"{explainer.method or type(explainer).__name__} does not sum to the score")
    if isinstance(found, str):
        return Check.not_applicable(name, found)
    _, cells, bias = found
    assert cells.layer_values is not None
    total = cells.layer_values.astype(np.float64).sum((1, 2, 3)) + bias
    size = np.maximum(np.abs(cells.layer_values).sum((1, 2, 3)), 1e-30)
    return Check.of(name, float((np.abs(total - cells.score) / size).max()), subject.limits.tolerance, "of y - b")


def randomised(subject: Subject) -> tuple[Check, pd.DataFrame | None]:
    """The map of a model that forgot what it learned has lost its correlation with the original; and the curve."""
    name = "randomised model"
    if isinstance(subject.explainer, BaselineExplainer):
        return Check.not_applicable(name, "a control does not look at the model"), None
    original = subject.original
    with Random(subject.model, inputs=subject.explainer.inputs.pattern) as random:
        level = float(rank_correlation(original, random(subject.batch)).mean())
    found: list[list[NDArray[np.float64]]] = []
    layers: list[str] = []
    for draw in range(subject.limits.draws):
        for stage, (layer, other) in enumerate(cascade(subject.model, subject.limits.seed + draw)):
            if draw == 0:
                layers.append(layer)
                found.append([])
            found[stage].append(rank_correlation(original, subject.explain(by=subject.on(other))))
    if not layers:
        return Check.not_applicable(name, "the model has learned nothing that could be forgotten"), None
    whole = curve_row(0, "", rank_correlation(original, original), level)
    rows = [curve_row(stage, layers[stage - 1], np.stack(each), level) for stage, each in enumerate(found, 1)]
    curve = pd.DataFrame([whole, *rows])
    why = f"rank correlation after {len(layers)} stages; random numbers have {level:.2f}"
    return Check.of(name, curve["correlation"].iloc[-1], subject.limits.threshold, why), curve


CHECKS: tuple[Callable[[Subject], Check], ...] = (
    the_same_twice,
    alone_as_in_the_batch,
    in_chunks_as_at_once,
    renumbered_nodes,
    appended_padding,
    cam_identity,
    conservation,
)
"""All but the two that are asked last."""


def _cam(subject: Subject) -> "tuple[NDArray[np.float32], Explanation, NDArray[np.float64]] | str | None":
    """CAM and the explainer's map of the batch with all frames valid, and the bias; or why there is no CAM.

    With all frames valid, all ways of pooling over valid cells are the mean over all.
    """
    explainer = subject.explainer
    if not isinstance(explainer, STGGradCAM | HiResCAM) or getattr(explainer, "parity", None) is not None:
        return None
    whole = replace(subject.batch, valid=torch.ones_like(subject.batch.valid))
    try:
        cam = CAM(
            explainer.model,  # type: ignore[arg-type]  # a layer's explainer has a model
            layer=explainer.layer,
            layout=explainer.layout.pattern,
            inputs=explainer.inputs.pattern,
            graph=explainer.graph,
            classes=explainer.classes,
            stride=explainer.stride,
            offset=explainer.offset,
        )
        mapped = subject.explain(by=cam, batch=whole)
    except InputError as error:
        return str(error)
    assert mapped.layer_values is not None
    biases = cam.bias.expand(len(whole), -1)
    bias = scored(subject)(biases).scores.detach().cpu().numpy().astype(np.float64)
    return mapped.layer_values, subject.explain(batch=whole), bias
