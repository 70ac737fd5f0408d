"""Whether maps agree: with those of another family of methods, and with those of another training."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.checks.randomisation import rank_correlation
from stexplain.checks.trust.result import TrustCheck
from stexplain.checks.trust.subject import TrustSubject, mean_known
from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.wording import an

_METHODS = "agreement between methods"
_TRAININGS = "second training"
# Windows of a clip that occlusion masks one by one, and the most passes of a sample that it may take.
_WINDOWS, _PASSES = 8, 512
# Permuted maps that each map is compared with, and other samples.
_OTHERS = 5


def check_methods(subject: TrustSubject) -> TrustCheck:
    """Rank correlation with a method of another family, above that with permuted maps of that method."""
    others = _references(subject)
    if not others:
        return TrustCheck.not_checked(_METHODS, "No method of another family can explain this model.")
    found = []
    # One of them is enough, so each is tested at its share of the level (Bonferroni).
    confidence = 1 - 0.05 / len(others)
    for name, other in others.items():
        alike = rank_correlation(subject.explanation, other, signed=subject.signed)
        permuted = _with_permuted(subject, other)
        level = float(permuted.mean())
        # The test is of the distance from permuted maps, sample by sample; it is shown as a correlation.
        shown = subject.correlation(alike - permuted, level, confidence=confidence)
        found.append(
            TrustCheck.of(
                _METHODS, shown, level, f"Rank correlation with {name}; expected more than with its permuted maps."
            )
        )
    best = max(found, key=lambda check: -np.inf if check.estimate is None else check.estimate.low)
    tried = "" if len(found) == 1 else f" It is the better of {len(found)} methods of other families."
    return replace(best, sentence=f"{best.sentence}{tried}")


def _references(subject: TrustSubject) -> dict[str, Explanation]:
    """The maps of one method of each other family, where it can explain the model; two at most."""
    frames, nodes = subject.batch.x.shape[2:4]
    families: dict[str, tuple[type[Explainer], dict[str, object]]] = {
        "gradient": (IntegratedGradients, {"steps": 8, "baseline": subject.baseline}),
        "layer": (STGGradCAM, {}),
        "perturbation": (Occlusion, {"window": max(1, frames // _WINDOWS), "baseline": subject.baseline}),
    }
    if nodes * subject.batch.x.shape[1] * _WINDOWS > _PASSES:
        del families["perturbation"]
    found: dict[str, Explanation] = {}
    for name, (kind, options) in families.items():
        if name == subject.family or len(found) == 2:
            continue
        try:
            explanation = subject.explain_by(kind, **options)
        except InputError:
            # No layer with nodes, or an output without a gradient: another family is tried.
            continue
        where = f" at {explanation.layer}" if explanation.layer else ""
        found[f"{explanation.method}{where}"] = explanation
    return found


def _with_permuted(subject: TrustSubject, other: Explanation) -> NDArray[np.float64]:
    """The mean rank correlation with permuted maps, ``[B]``: nodes in another order, and frames shifted circularly.

    Neighbouring frames stay neighbours: a map that is smooth in time is compared with maps as smooth.
    """
    random = np.random.default_rng(subject.seed)
    correlations = []
    for _ in range(_OTHERS):
        values = other.values.copy()
        for row, valid in enumerate(other.valid):
            order = random.permutation(values.shape[3])
            for instance, present in enumerate(valid):
                frames = np.flatnonzero(present)
                moved = np.roll(frames, int(random.integers(max(len(frames), 1))))
                values[row, instance, frames] = other.values[row, instance, moved][:, order]
        correlations.append(rank_correlation(subject.explanation, replace(other, values=values), signed=subject.signed))
    means: NDArray[np.float64] = np.mean(correlations, axis=0)
    return means


def check_second(subject: TrustSubject, second: nn.Module) -> TrustCheck:
    """Maps of the same samples by two trainings are more alike than those of different samples."""
    if not subject.uses_model:
        return TrustCheck.not_checked(_TRAININGS, "The map uses no model: it is the same for both.")
    other = subject.explain(second)
    within = rank_correlation(subject.explanation, other, signed=True)
    count = len(within)
    between = np.full((min(_OTHERS, count - 1), count), np.nan)
    random = np.random.default_rng(subject.seed)
    for number, shift in enumerate(random.permutation(np.arange(1, count))[: len(between)]):
        rows = np.roll(np.arange(count), int(shift))
        found = rank_correlation(subject.explanation, other[rows], signed=True)
        # A sample of the same group is hardly another one.
        same = np.zeros(count, bool) if subject.groups is None else subject.groups == subject.groups[rows]
        between[number] = np.where(same, np.nan, found)
    level = mean_known(between)
    mean = float(np.nanmean(level))
    shown = subject.correlation(within - level, mean)
    sentence = "Rank correlation with the maps of the second training; expected more than between different samples"
    return TrustCheck.of(_TRAININGS, shown, mean, f"{sentence}.")


def check_same_structure(model: nn.Module, second: nn.Module) -> None:
    """Refuses what is not another training of a model.

    Raises:
        InputError: where parameters and buffers differ in name or shape, or not at all.
    """
    one, other = model.state_dict(), second.state_dict()
    shapes = [{name: tuple(getattr(value, "shape", ())) for name, value in each.items()} for each in (one, other)]
    if shapes[0] != shapes[1]:
        differing = sorted(set(shapes[0].items()) ^ set(shapes[1].items()))[0][0]
        raise InputError(
            f"second: got {an(type(second).__name__)} that differs in {differing!r}; expected another training of the "
            f"same {type(model).__name__}."
        )
    if all(torch.equal(value, other[name].to(value)) for name, value in one.items() if isinstance(value, torch.Tensor)):
        raise InputError("second: got the weights of `model` itself; expected those of another training.")
