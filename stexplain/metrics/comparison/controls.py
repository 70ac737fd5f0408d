"""What explainers that call no model find: the best of them is what a method must beat."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from stexplain.data import Batch, Clips, WindowedSeries
from stexplain.errors import InputError
from stexplain.explainers import by_name
from stexplain.explainers.methods.controls.base import BaselineExplainer
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import Predicted
from stexplain.metrics.localisation import Localisation, localisation

CONTROLS = (
    "Motion",
    "Displacement",
    "Deviation",
    "Variance",
    "Acceleration",
    "RelativeCurvature",
    "TrainingMap",
    "TimePrior",
)
"""Controls of any signals, by class name. `Random` is none of them: it is chance."""
SERIES_CONTROLS = (*CONTROLS, "Slowness", "SlownessNearTarget")
"""Controls of series of speeds."""


class BestControl(NamedTuple):
    """The best control by one score.

    Attributes:
        name: of its class.
        value: its mean score over samples.
    """

    name: str
    value: float


def control_scores(
    batches: Sequence[Batch],
    *,
    training: Batch | Clips | WindowedSeries | None = None,
    controls: Sequence[str] | None = None,
    targets: Sequence[TargetLike] | None = None,
    model: nn.Module | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Localisation]:
    """How well each control localises the ground truth.

    Args:
        batches: samples with ground truth.
        training: samples of the training part, which priors need. None: controls that need them are left out.
        controls: class names; none: `SERIES_CONTROLS` where `training` is a series, else `CONTROLS`.
        targets: of each batch, for controls that look near a node; none: the prediction, which names no node.
        model: for the layout of the input, the graph and the recipe, where batches are raw.
        options: class name -> options of that control.

    Returns:
        Class name -> scores per sample.

    Example:
        >>> import torch
        >>> x = torch.zeros(1, 1, 4, 2, 1)
        >>> x[0, 0, :, 1, 0] = torch.tensor([0.0, 1.0, 0.0, 1.0])  # the second node moves
        >>> truth = torch.zeros(1, 1, 4, 2, dtype=torch.bool)
        >>> truth[..., 1] = True
        >>> batch = Batch(x, torch.ones(1, 1, 4, dtype=torch.bool), torch.zeros(1), ("a",), truth)
        >>> scores = control_scores([batch], controls=["Motion", "TimePrior"])
        >>> best_control(scores, "nodes")
        BestControl(name='Motion', value=1.0)
    """
    chosen = controls or (SERIES_CONTROLS if isinstance(training, WindowedSeries) else CONTROLS)
    scores: dict[str, Localisation] = {}
    for name in chosen:
        kind: Any = by_name.method_class(name)
        own = dict((options or {}).get(name, {}))
        if by_name.takes(name, "training") and training is not None:
            own.setdefault("training", training)
        # The map of training samples is nothing without them; other controls do with less.
        elif name == "TrainingMap" and "training" not in own:
            continue
        explain: BaselineExplainer = kind(model, **own)
        parts = []
        for number, batch in enumerate(batches):
            e = explain(batch, target=Predicted() if targets is None else targets[number])
            present = batch.present.cpu().numpy() if batch.observed is not None else batch.valid
            parts.append(localisation(e.values, batch.truth, present))
        scores[name] = Localisation.joined(parts)
    return scores


def best_control(scores: Mapping[str, Localisation], over: str, score: str = "auroc") -> BestControl:
    """The control with the highest mean.

    It is chosen on the samples that it is judged on, which favours the controls: what beats it has beaten each of them.

    Args:
        scores: of `control_scores`.
        over: ``"nodes"``, ``"frames"`` or ``"positions"``.
        score: one of `stexplain.metrics.localisation.SCORES`.

    Raises:
        InputError: where there are no scores.
    """
    # Samples of which all positions are true, or none, have no score.
    known = {name: one.scores[over][score][~np.isnan(one.scores[over][score])] for name, one in scores.items()}
    means = {name: float(values.mean()) for name, values in known.items() if len(values)}
    if not means:
        raise InputError(f"scores: got none over {over}; expected a control with a score for at least one sample.")
    best = max(means, key=lambda name: (means[name], name))
    return BestControl(best, means[best])
