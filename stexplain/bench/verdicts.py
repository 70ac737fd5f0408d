"""What tests support: the words of verdicts, and the rules by which stages judge."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

# A convention, fixed before any run; see `too_few` for why there is a limit.
FEWEST = 10
"""Of fewer explained events nothing is supported."""
Outcome = Literal["supported", "inconclusive", "not supported"]


class Verdict(TypedDict):
    """A claim in a sentence, and what its tests say of it."""

    run: str
    stage: str
    text: str
    verdict: Outcome


def known(score: Any) -> bool:
    """Whether a score has its value and both ends of its interval."""
    return isinstance(score, Mapping) and all(score.get(key) is not None for key in ("value", "low", "high"))


def of_all(better: Sequence[object], unsure: Sequence[object], worse: Sequence[object]) -> Outcome:
    """Of a claim about several things: supported where all are better, not supported where some lose and none wins.

    Example:
        >>> of_all(["a"], [], []), of_all([], ["b"], []), of_all([], ["b"], ["c"])
        ('supported', 'inconclusive', 'not supported')
    """
    if better and not unsure and not worse:
        return "supported"
    return "not supported" if worse and not better else "inconclusive"


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
