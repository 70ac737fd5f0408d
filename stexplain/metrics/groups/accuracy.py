"""Whether the network whose explanations are compared is better than guessing: else they explain nothing it learned."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stexplain.checking.labels import class_labels
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.intervals.bootstrap import interval

_PREDICTED = "the predicted class"
"""The target, in words, of explanations whose explained class is the predicted one."""
UNKNOWN = (
    "Whether the network is better than guessing is not known here: give labels, and predicted where another class is "
    "explained. What differs between groups of a network at chance says nothing about what tells classes apart."
)


class BalancedAccuracy(NamedTuple):
    """The mean over classes of the share of samples that are classified correctly, beside that of a guess.

    Attributes:
        value: in [0, 1].
        low: the lower end of its interval over clusters; NaN where there are too few.
        high: the upper end.
        chance: of a guess, 1 / classes.
        confidence: of the interval.
        reason: why there is no interval; empty where there is one.

    Example:
        >>> found = BalancedAccuracy(0.52, 0.41, 0.63, 0.5, 0.95)
        >>> found.better, str(found)
        (False, 'balanced accuracy 0.52 (95% interval 0.41 to 0.63), chance level 0.50')
    """

    value: float
    low: float
    high: float
    chance: float
    confidence: float
    reason: str = ""

    @property
    def better(self) -> bool:
        """Whether it is shown to be better than a guess: the interval lies above it."""
        return bool(self.low > self.chance)

    def __str__(self) -> str:
        ends = f"{self.confidence:.0%} interval {self.low:.2f} to {self.high:.2f}" if not self.reason else self.reason
        return f"balanced accuracy {self.value:.2f} ({ends}), chance level {self.chance:.2f}"


def accuracy_of(
    parts: Sequence[Explanation], labels: Any, predicted: Any, clusters: Sequence[Any], *, confidence: float, seed: int
) -> BalancedAccuracy | None:
    """The balanced accuracy over all samples; none where labels are not known, or are of one class.

    With n samples of K classes, of which n_c are of class c, it is the mean of ``n / (K n_c) right``.

    Args:
        parts: explanations of the samples.
        labels: the true class of each sample, ``[n]``.
        predicted: the predicted class of each; none: the explained one, where that is the predicted one.
        clusters: of each sample; those of one cluster are not independent.
        confidence: of the interval.
        seed: of its resamples.

    Raises:
        InputError: where there is not one label and one prediction for each sample.
    """
    if labels is None:
        if predicted is not None:
            raise InputError(
                "predicted: got predictions without labels; expected both. Give labels=, the true classes."
            )
        return None
    count = len(clusters)
    if predicted is None:
        if any(part.target != _PREDICTED for part in parts):
            raise InputError(
                f"predicted: got none for explanations of {parts[0].target or 'no known class'}; expected the class "
                "that the model predicts for each sample. Give predicted=, such as model(x).argmax(1), or leave labels "
                "out."
            )
        predicted = np.concatenate([part.targets for part in parts])
    classes = parts[0].classes
    true, said = (_checked(name, of, classes, count) for name, of in (("labels", labels), ("predicted", predicted)))
    present, which, counts = np.unique(true, return_inverse=True, return_counts=True)
    if len(present) < 2:
        return None
    weight = count / (len(present) * counts[which])
    found = interval(weight * (said == true), groups=clusters, confidence=confidence, seed=seed)
    low, high = max(found.low, 0.0), min(found.high, 1.0)
    # max and min of NaN and a number depend on their order.
    low, high = (np.nan, np.nan) if found.reason else (low, high)
    return BalancedAccuracy(found.value, low, high, 1 / len(present), confidence, found.reason)


def notes_on(accuracy: BalancedAccuracy | None, parts: Sequence[Explanation], labels: Any) -> tuple[str, ...]:
    """What a reader must know before reading any difference."""
    if accuracy is None:
        if labels is not None:
            return ("All labels are of one class: whether the network is better than guessing is not known.",)
        explained = np.concatenate([part.targets for part in parts])
        # Forecasts and values have no chance level among classes.
        return (UNKNOWN,) if (explained >= 0).all() else ()
    if accuracy.better:
        return ()
    return (
        f"The network is not shown to be better than guessing ({accuracy}): what differs between the groups is not "
        "shown to have to do with telling the classes apart.",
    )


def _checked(name: str, given: Any, classes: Sequence[str], count: int) -> NDArray[np.int64]:
    found = class_labels(name, given, classes)
    if len(found) != count:
        raise InputError(f"{name}: got {len(found)}; expected {count}, one for each sample.")
    return found
