"""Whether the model's score needs what the map ranks first: deletion against baseline explainers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checks.trust.result import TrustCheck
from stexplain.checks.trust.subject import TrustSubject
from stexplain.errors import StexplainError
from stexplain.explainers.by_name import methods, of_class
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.methods.baselines.random import Random
from stexplain.metrics.deletion import DeletionCurve, deletion_curve

_NAME = "deletion"


def check_deletion(subject: TrustSubject, *, steps: int, repeats: int) -> TrustCheck:
    """What is ranked first costs more of the score than random positions, the least, and what baseline explainers rank.

    The test is paired: for each sample the area between two deletion curves, over all shares. The map must be ahead of
    every rival, so no correction is due; the one that it is least ahead of is reported.

    A score that is of no class, such as a forecast, may be moved either way by what matters: values then count by their
    size, and curves are of the distance from the score of the whole sample.
    """
    values = _signed(subject.explanation)
    of_class = bool((subject.explanation.targets >= 0).any())
    measure, sign = ("score", 1) if of_class else ("change", -1)
    values = values if of_class else np.abs(values)
    own = _curve(subject, values, steps, repeats)
    # By the same number of steps, so that areas differ by the order alone.
    areas = {
        "random positions": own.areas("random", measure),
        "the least important": _curve(subject, -values, steps, 0).areas(measure=measure),
    }
    by_model = list(areas)
    for name, baseline_explainer in _baseline_explainers(subject).items():
        areas[name] = _curve(subject, baseline_explainer, steps, 0).areas(measure=measure)
    gains = {name: sign * (area - own.areas(measure=measure)) for name, area in areas.items()}
    intervals = {name: subject.interval(gain) for name, gain in gains.items()}
    # A constant score has gains of zero: no order is better than another.
    rival = min(intervals, key=lambda name: intervals[name].low)
    behind = [name for name, found in intervals.items() if not found.low > 0]
    curve, lies = ("deletion curve", "below") if of_class else ("curve of change under deletion", "above")
    sentence = f"Area by which the map's {curve} lies {lies} that of {_phrase([rival], by_model)}"
    sentence += ", in units of the score."
    if behind:
        does = "cost more of the score" if of_class else "change the score more"
        sentence += f" What the map ranks first does not {does} than {_phrase(behind, by_model)}."
    else:
        sentence += f" The map is ahead of all {len(areas)} orders that it is compared with; of this one by least."
    return TrustCheck.of(_NAME, intervals[rival], 0.0, sentence)


def _signed(explanation: Explanation) -> NDArray[Any]:
    """What contributed to the target, with its sign, ``[B, M, T, N]``: a norm over channels has none."""
    values: NDArray[Any] = explanation.values
    # Of contributions, which add up to the score, channels are summed.
    if explanation.channels is not None and "convergence_delta" in explanation.extra:
        values = explanation.channels.sum(-1)
    return values


def _curve(subject: TrustSubject, values: NDArray[Any], steps: int, repeats: int) -> DeletionCurve:
    return deletion_curve(
        subject.model,
        subject.batch,
        # Values, not the explanation: the model is called as the subject says, and scored for the subject's target.
        np.asarray(values),
        target=subject.target,
        baseline=subject.baseline,
        steps=steps,
        # Of no class they are sizes already, and those of the least important are turned round.
        ranking="signed",
        repeats=repeats,
        seed=subject.seed,
        **subject.arguments,
        **subject.options,
    )


def _baseline_explainers(subject: TrustSubject) -> dict[str, NDArray[np.float32]]:
    """The maps of all baseline explainers but random attribution, which the curve draws by itself."""
    found = {}
    for kind in methods().values():
        if not issubclass(kind, BaselineExplainer) or issubclass(kind, Random):
            continue
        try:
            baseline_explainer = of_class(kind, subject.model, **subject.options)
            found[baseline_explainer.method] = baseline_explainer(subject.batch, target=subject.target).values
        except (StexplainError, TypeError):
            # A baseline explainer may need more than the samples, such as training clips or a graph.
            continue
    return found


def _phrase(names: list[str], by_model: list[str]) -> str:
    """The names of rivals, with what those have in common that are baseline explainers.

    Example:
        >>> _phrase(["random positions", "motion energy", "slowness"], ["random positions"])
        'random positions, or than motion energy and slowness, which use no model'
    """
    free = [name for name in names if name not in by_model]
    parts = [_listed([name for name in names if name in by_model]), _listed(free)]
    if free:
        parts[1] += f", which use{'s' if len(free) == 1 else ''} no model"
    return ", or than ".join(filter(None, parts))


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
