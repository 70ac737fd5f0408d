"""What is computed of the clips of a part. Options are plain JSON, so that other processes get them as they are."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from stexplain.data.clips import Clips
from stexplain.explainers.by_name import explainer
from stexplain.explainers.joined import joined
from stexplain.explainers.targets import Class, Predicted
from stexplain.metrics.dataset.parts import Arrays
from stexplain.metrics.importance import ClassImportance
from stexplain.metrics.masking_curves import masking_curve
from stexplain.metrics.truth.effect import effect

IMPORTANCE, MASKING, EFFECT, EXPLANATIONS = "importance", "masking", "effect", "explanations"
Compute = Callable[[Clips, int], Arrays]
"""From the clips of a part, and its number, to its result."""


def computer(measure: str, options: Mapping[str, Any], model: nn.Module, batch: int, folder: Path | None) -> Compute:
    """What computes the parts of a measure; explainers are made once, for all parts.

    Args:
        measure: one of those above.
        options: of the measure.
        model: in this process.
        batch: clips at a time.
        folder: of the parts; explanations are saved beside them.
    """
    if measure == IMPORTANCE:
        return _importance(options, model, batch)
    if measure == MASKING:
        return lambda clips, number: _masking(options, model, batch, clips)
    if measure == EFFECT:
        return lambda clips, number: _effect(options, model, batch, clips)
    assert measure == EXPLANATIONS
    assert folder is not None
    return _explanations(options, model, batch, folder)


def empty_importance(options: Mapping[str, Any]) -> ClassImportance:
    """The class importance to which parts are added."""
    return ClassImportance(
        options["classes"],
        options["nodes"],
        seed=options["seed"],
        resamples=options["resamples"],
        parity=options["parity"],
    )


def explanation_file(number: int) -> str:
    """The name of the file with the explanations of a part."""
    return f"explanations-{number:05d}.nc"


def _importance(options: Mapping[str, Any], model: nn.Module, batch: int) -> Compute:
    explain = explainer(options["method"], model, **options["of_method"])

    def compute(clips: Clips, number: int) -> Arrays:
        importance = empty_importance(options)
        with explain:
            for each in clips.batches(batch):
                importance.update(explain(each, target=Predicted()), each.label.numpy(), groups=each.groups or None)
        return importance.arrays()

    return compute


def _masking(options: Mapping[str, Any], model: nn.Module, batch: int, clips: Clips) -> Arrays:
    # JSON holds the importance of a class without a correct clip as null.
    importance = np.array(options["importance"], np.float64)
    given = {name: options[name] for name in ("nodes", "masking", "baseline", "seed", "sets")}
    curve = masking_curve(model, clips.batches(batch), importance, **given, **options["call"])
    return {**curve.correct, "unranked": np.array(curve.unranked)}


def _effect(options: Mapping[str, Any], model: nn.Module, batch: int, clips: Clips) -> Arrays:
    target = Predicted() if options["target"] is None else Class(options["target"])
    without = clips.counterfactual()
    arrays: dict[str, list[Any]] = {}
    score, names = "", np.array([], np.str_)
    for each, other in zip(clips.batches(batch), without.batches(batch), strict=True):
        found = effect(
            model,
            each,
            other,
            target=target,
            windows=options["windows"],
            groups=options["groups"],
            **options["call"],
        )
        for name in ("values", "before", "after", "classes", "inferences"):
            arrays.setdefault(name, []).append(getattr(found, name))
        score, names = found.score, np.array(found.regions.names, np.str_)
    parts = {name: np.concatenate(each) for name, each in arrays.items()}
    return {**parts, "score": np.array(score), "groups": names}


def _explanations(options: Mapping[str, Any], model: nn.Module, batch: int, folder: Path) -> Compute:
    explain = explainer(options["method"], model, **options["of_method"])
    target = Predicted() if options["target"] is None else Class(options["target"])

    def compute(clips: Clips, number: int) -> Arrays:
        with explain:
            found = joined([explain(each, target=target) for each in clips.batches(batch)])
        # Before the part itself, which says that it is there.
        found.save(folder / explanation_file(number))
        return {"name": np.array(explanation_file(number)), "samples": np.array(len(found))}

    return compute
