"""The check that contributions add up to the difference of scores that they are to explain."""

from dataclasses import replace

import numpy as np

from stexplain.checking import warn_caller
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.derivative.compare import NO_DERIVATIVE
from stexplain.wording import counted

# Of contributions that cancel, the difference of scores is small and no measure by itself: half of their size is one.
# What is below a thousandth of the score is its rounding.
_OF_SIZE, _OF_SCORE = 0.5, 1e-3


def check_convergence(explanation: Explanation, *, tolerance: float, finer: str) -> Explanation:
    """Warns, and notes in the explanation, where contributions do not add up.

    With s the sum of a sample's values, d = ``extra["convergence_delta"]`` and y its score, s - d is the difference of
    scores, and the sample does not add up where::

        |d| > tolerance * max(|s - d|, sum of |values| / 2, |y| / 1000)

    Args:
        explanation: by a method whose contributions add up.
        tolerance: a share.
        finer: what makes the method more exact, with its present value, such as ``"`steps` (now 32)"``.

    Example:
        >>> import warnings
        >>> missed = {"convergence_delta": np.array([-2.0])}
        >>> e = Explanation(np.ones((1, 1, 2, 1)), np.ones((1, 1, 2), bool), extra=missed)
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     print(check_convergence(e, tolerance=0.05, finer="`steps` (now 32)").notes[0][:67])
        No convergence: contributions do not add up in 1 of 1 sample. They
        >>> len(caught)
        1
    """
    gap = np.abs(explanation.extra["convergence_delta"].astype(np.float64))
    total = explanation.values.astype(np.float64).sum((1, 2, 3))
    difference = np.abs(total - explanation.extra["convergence_delta"])
    size = np.abs(explanation.values).sum((1, 2, 3), dtype=np.float64)
    score = np.abs(np.nan_to_num(explanation.score.astype(np.float64)))
    missed = gap > tolerance * np.maximum.reduce([difference, _OF_SIZE * size, _OF_SCORE * score])
    if not missed.any():
        return explanation
    # The largest gap stands for all: where it is, and what it is of.
    worst = int(np.argmax(np.where(missed, gap, -1)))
    note = (
        f"No convergence: contributions do not add up in {missed.sum()} of "
        f"{counted(len(explanation), 'sample')}. They miss the "
        f"difference of scores between sample and baseline, {difference[worst]:.3g}, by up to {gap[worst]:.3g}"
    )
    if any(one.startswith(NO_DERIVATIVE) for one in explanation.notes):
        # Which was warned of, and no step makes up for it.
        note += f", since {NO_DERIVATIVE[0].lower()}{NO_DERIVATIVE[1:]}."
        return replace(explanation, notes=(*explanation.notes, note))
    note += f". Give more {finer}."
    # Charts carry the note in their title; what else may help is said once.
    warn_caller(
        f"{explanation.method}: {note} Where that does not help, the score jumps on the way from the baseline to the "
        "sample: give by `signals` the channels that are not indices, or take a nearer baseline."
    )
    return replace(explanation, notes=(*explanation.notes, note))
