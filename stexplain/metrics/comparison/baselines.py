"""What explainers that call no model find: the best of them is what a method must beat."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from stexplain.checking import checked
from stexplain.checking.words import shown
from stexplain.data import Batch, Clips, WindowedSeries
from stexplain.errors import InputError, unknown
from stexplain.explainers import by_name
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import Predicted
from stexplain.metrics.localisation import Localisation, localisation

BASELINE_EXPLAINERS = (
    "Motion",
    "Displacement",
    "Deviation",
    "Variance",
    "Acceleration",
    "RelativeCurvature",
    "TrainingMap",
    "TimePrior",
)
"""Baseline explainers of any signals, by class name. `Random` is none of them: it is chance."""
SERIES_BASELINE_EXPLAINERS = (*BASELINE_EXPLAINERS, "Slowness", "SlownessNearTarget")
"""Baseline explainers of series of speeds."""


class BestBaseline(NamedTuple):
    """The best baseline explainer by one score.

    Attributes:
        name: of its class.
        value: its mean score over samples.

    Example:
        >>> scores = {"Motion": localisation([[[[2.0, 1.0]]]], [[[[True, False]]]])}
        >>> name, value = best_baseline(scores, "nodes")
        >>> name, value
        ('Motion', 1.0)
    """

    name: str
    value: float


@checked
def baseline_scores(
    batches: Sequence[Batch],
    *,
    training: Batch | Clips | WindowedSeries | None = None,
    baseline_explainers: Sequence[str] | None = None,
    targets: Sequence[TargetLike] | None = None,
    model: nn.Module | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Localisation]:
    """How well each baseline explainer localises the ground truth.

    Args:
        batches: samples with ground truth.
        training: samples of the training split, which priors need. None: those that need them are excluded.
        baseline_explainers: class names; none: `SERIES_BASELINE_EXPLAINERS` where `training` is a series, else
            `BASELINE_EXPLAINERS`.
        targets: of each batch, for those that look near a node; none: the prediction, which names no node.
        model: for the layout of the input, the graph and the recipe, where batches are raw.
        options: class name -> options of that baseline explainer.

    Raises:
        InputError: where a batch has no ground truth, or a name is of no baseline explainer.

    Returns:
        Class name -> scores per sample.

    Example:
        >>> import torch
        >>> x = torch.zeros(1, 1, 4, 2, 1)
        >>> x[0, 0, :, 1, 0] = torch.tensor([0.0, 1.0, 0.0, 1.0])  # the second node moves
        >>> truth = torch.zeros(1, 1, 4, 2, dtype=torch.bool)
        >>> truth[..., 1] = True
        >>> batch = Batch(x, torch.ones(1, 1, 4, dtype=torch.bool), torch.zeros(1), ("a",), truth)
        >>> scores = baseline_scores([batch], baseline_explainers=["Motion", "TimePrior"])
        >>> best_baseline(scores, "nodes")
        BestBaseline(name='Motion', value=1.0)
    """
    chosen = baseline_explainers or (
        SERIES_BASELINE_EXPLAINERS if isinstance(training, WindowedSeries) else BASELINE_EXPLAINERS
    )
    scores: dict[str, Localisation] = {}
    for name in chosen:
        kind: Any = by_name.method_class(name)
        own = dict((options or {}).get(name, {}))
        if by_name.takes(name, "training") and training is not None:
            own.setdefault("training", training)
        # The map of training samples is nothing without them; other baseline explainers do with less.
        elif name == "TrainingMap" and "training" not in own:
            continue
        explain: BaselineExplainer = kind(model, **own)
        parts = []
        for number, batch in enumerate(batches):
            if not hasattr(batch, "truth"):
                raise InputError(f"batches[{number}]: got {shown(batch)}; expected a Batch with ground truth.")
            e = explain(batch, target=Predicted() if targets is None else targets[number])
            present = batch.present.cpu().numpy() if batch.observed is not None else batch.valid
            parts.append(localisation(e.values, batch.truth, present))
        scores[name] = Localisation.joined(parts)
    return scores


@checked
def best_baseline(scores: Mapping[str, Localisation], over: str, score: str = "auroc") -> BestBaseline:
    """The baseline explainer with the highest mean.

    It is chosen on the samples that it is judged on, which favours it: what beats it has beaten each.

    Args:
        scores: of `baseline_scores`.
        over: ``"nodes"``, ``"frames"`` or ``"positions"``.
        score: one of `stexplain.metrics.localisation.SCORES`.

    Returns:
        The name of its class, and its mean over samples, in units of the score.

    Raises:
        InputError: where there are no scores, or none of that name.

    Example:
        >>> truth = np.array([[[[True, False, False]]]])
        >>> maps = {"Motion": [[[[2.0, 1.0, 3.0]]]], "Variance": [[[[3.0, 2.0, 1.0]]]]}
        >>> best_baseline({name: localisation(values, truth) for name, values in maps.items()}, "nodes")
        BestBaseline(name='Variance', value=1.0)
    """
    for one in scores.values():
        if over not in one.scores:
            raise unknown("axis (over)", over, one.scores)
        if score not in one.scores[over]:
            raise unknown("score", score, one.scores[over])
    # Samples of which all positions are true, or none, have no score.
    known = {name: one.scores[over][score][~np.isnan(one.scores[over][score])] for name, one in scores.items()}
    means = {name: float(values.mean()) for name, values in known.items() if len(values)}
    if not means:
        raise InputError(
            f"scores: got none over {over}; expected a baseline explainer with a score for at least one sample."
        )
    best = max(means, key=lambda name: (means[name], name))
    return BestBaseline(best, means[best])
