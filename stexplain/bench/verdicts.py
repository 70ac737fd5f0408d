"""What numbers with intervals support: the rules by which stages judge."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

# A convention, fixed before any run; see `too_few` for why there is a limit.
FEWEST = 10
"""Of fewer explained events nothing is supported."""
Outcome = Literal["supported", "inconclusive", "not supported"]
BASELINES = {"Motion": "the motion-energy baseline", "Random": "random attribution"}
"""Baseline explainers, which use no model, and what they are called in a sentence."""
SERIES_BASELINES = {"Motion": "temporal change", "Random": "random attribution"}
"""The same on series, where nothing moves but values change."""


class Verdict(TypedDict):
    """A claim in a sentence, and what the numbers and their intervals say of it."""

    run: str
    stage: str
    text: str
    verdict: Outcome


def known(score: Any) -> bool:
    """Whether a score has its value and both ends of its interval."""
    return isinstance(score, Mapping) and all(score.get(key) is not None for key in ("value", "low", "high"))


def compare_intervals(ours: Mapping[str, float], theirs: Mapping[str, float]) -> int:
    """1 where our interval lies above theirs, -1 where below, 0 where they overlap.

    Example:
        >>> compare_intervals({"low": 0.8, "high": 0.9}, {"low": 0.4, "high": 0.6})
        1
    """
    # Stricter than a test of the difference: no overlap at all.
    return int(ours["low"] > theirs["high"]) - int(ours["high"] < theirs["low"])


def outcome(signs: Sequence[int]) -> Outcome:
    """Supported where all signs are 1, not supported where all are -1, else inconclusive.

    Example:
        >>> outcome([1, 1]), outcome([1, 0]), outcome([-1, -1])
        ('supported', 'inconclusive', 'not supported')
    """
    # One axis, horizon or baseline that does not agree is enough to leave it open.
    return "supported" if min(signs) > 0 else "not supported" if max(signs) < 0 else "inconclusive"


def of_all(supported: Sequence[object], others: Sequence[object]) -> Outcome:
    """Supported where it is for all, not supported where for none, else inconclusive."""
    return "supported" if not others else "not supported" if not supported else "inconclusive"


def too_few(text: str, judged: Outcome, events: int) -> tuple[str, Outcome]:
    """A verdict on explained events; inconclusive where there are fewer than `FEWEST`.

    Intervals of a handful of samples are too narrow, and of one sample there is none.
    """
    if events >= FEWEST:
        return text, judged
    return (
        f"{text} Only {events} event{'s were' if events != 1 else ' was'} explained, too few to tell.",
        "inconclusive",
    )
