"""Claims and their tests: paired, fixed before any run, over trainings where there are several, corrected together."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ttest_1samp

from stexplain.bench.html import listed
from stexplain.bench.wording import in_words
from stexplain.metrics.comparison.permutation import corrected_p_values, sign_flip_test

LEVEL = 0.05
"""Significance level of corrected p values."""
# A convention, fixed before any run; see `too_few` for why there is a limit.
FEWEST = 10
"""Of fewer explained events nothing is supported."""
Outcome = Literal["supported", "inconclusive", "not supported"]


class Verdict(TypedDict):
    """A claim in a sentence, and what its tests say of it; `claim` and `number` are the same in one line."""

    run: str
    stage: str
    text: str
    verdict: Outcome
    claim: NotRequired[str]
    number: NotRequired[str]


class Brief(NamedTuple):
    """A claim in one line, as the first screen of a report shows it.

    Attributes:
        claim: what is claimed, the same words for every run; a verdict says whether it holds.
        number: what it rests on, of this run; or a function to it from the sign of every test.
    """

    claim: str = ""
    number: str | Callable[[Sequence[int]], str] = ""


class PairedTest(TypedDict):
    """A paired two-sided test, as results hold it: of one training, or of several.

    Attributes:
        against: what is compared with.
        difference: the mean difference, positive where the claim is right.
        p: of no difference; none where there was nothing to test.
    """

    against: str
    difference: float
    p: float | None


class Claim(NamedTuple):
    """A claim that its tests decide.

    Attributes:
        tests: one for each thing that is to be beaten.
        words: from the sign of every test (1 better, -1 worse, 0 undecided) to the sentence and its outcome.
        together: whether the claim is that all are beaten; else each test is a finding of its own.
        brief: the claim in one line, and its number.
    """

    tests: Sequence[PairedTest]
    words: Callable[[Sequence[int]], tuple[str, Outcome]]
    together: bool = True
    brief: Brief = Brief()


def paired_test(against: str, differences: ArrayLike, groups: Any = None, *, seed: int = 0) -> PairedTest:
    """The sign-flip test of differences on the same samples, by whole groups of samples that are not independent.

    Args:
        against: what is compared with.
        differences: one per sample, ``[n]``; NaN excludes a sample.
        groups: a label per sample, ``[n]`` or nested ``[n, levels]``, outermost first; none: all are independent.
        seed: of the permutations.

    Example:
        >>> paired_test("chance", [1.0, 2.0, 3.0])
        {'against': 'chance', 'difference': 2.0, 'p': 0.25}
        >>> paired_test("chance", [1.0, 2.0, 3.0], groups=["a", "a", "b"])["p"]
        0.5
    """
    values = np.asarray(differences, np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return {"against": against, "difference": 0.0, "p": None}
    p = float(sign_flip_test(values, groups=groups, seed=seed)[0])
    return {"against": against, "difference": float(values[known].mean()), "p": p}


def over_trainings(tests: Sequence[PairedTest]) -> PairedTest:
    """One test of a difference over several trainings, whose samples are the same.

    Both must speak for the difference: Student's test of the means of the trainings, and the samples, whose p values
    depend on each other in an unknown way, so that twice their median is taken (Rüger 1978). The larger p counts. A
    training that points the other way has p = 1.

    Example:
        >>> one = {"against": "chance", "difference": 0.2, "p": 0.001}
        >>> over_trainings([one]) == one
        True
        >>> over_trainings([one, {**one, "difference": 0.3}, {**one, "difference": -0.2}])["p"] > 0.05
        True
    """
    if len(tests) == 1:
        return tests[0]
    means = np.array([test["difference"] for test in tests])
    mean, against = float(means.mean()), tests[0]["against"]
    if any(test["p"] is None for test in tests):
        return {"against": against, "difference": mean, "p": None}
    by_samples = [test["p"] if test["difference"] * mean > 0 else 1.0 for test in tests]
    # Of equal differences the t statistic is infinite, or undefined where all are zero.
    if np.ptp(means) <= 1e-12 * np.abs(means).max():
        by_training = 0.0 if mean else 1.0
    else:
        by_training = float(ttest_1samp(means, 0.0).pvalue)
    p = max(by_training, min(1.0, 2 * float(np.median(np.array(by_samples, np.float64)))))
    return {"against": against, "difference": mean, "p": p}


def combined(by_training: Sequence[Sequence[PairedTest]]) -> list[PairedTest]:
    """The tests of several trainings as one each; those that a training lacks are left out."""
    found = [{test["against"]: test for test in tests} for tests in by_training]
    return [
        over_trainings([tests[test["against"]] for tests in found])
        for test in (by_training[0] if by_training else ())
        if all(test["against"] in tests for tests in found)
    ]


def judge(claims: Sequence[Claim]) -> list[tuple[str, Outcome]]:
    """What the tests say of all claims of a report, corrected over all of them by Holm's method.

    A claim that all of several things are beaten is right where its largest p is small: one hypothesis for the
    correction. Which of them are beaten, or win, where it is not, is decided by corrected p values of all single tests.

    Example:
        >>> words = lambda signs: (f"signs {list(signs)}", "supported" if min(signs) > 0 else "inconclusive")
        >>> judge([Claim([{"against": "a", "difference": 1.0, "p": 0.001}], words)])
        [('signs [1]', 'supported')]
    """
    judged = [claim.words(signs) for claim, signs in zip(claims, signs_of(claims), strict=True)]
    return [(in_words(text), outcome) for text, outcome in judged]


def briefs(claims: Sequence[Claim]) -> list[dict[str, str]]:
    """Every claim in one line and its number, judged as `judge` does."""
    found = []
    for claim, signs in zip(claims, signs_of(claims), strict=True):
        number = claim.brief.number
        shown = number if isinstance(number, str) else number(signs)
        words = in_words(claim.brief.claim)
        # A method's name may begin the line in lower case.
        found.append({"claim": words[:1].upper() + words[1:], "number": in_words(shown)})
    return found


def signs_of(claims: Sequence[Claim]) -> list[list[int]]:
    """What every test says, corrected over all claims: 1 better, -1 worse, 0 undecided."""
    found = []
    for claim, (p_single, p_whole) in zip(claims, corrected(claims), strict=True):
        if claim.together and len(p_whole) and p_whole[0] <= LEVEL:
            found.append([1] * len(claim.tests))
            continue
        pairs = zip(claim.tests, p_single, strict=True)
        found.append([int(np.sign(test["difference"])) if p <= LEVEL else 0 for test, p in pairs])
    return found


def corrected(claims: Sequence[Claim]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The p values of every claim, corrected over all: of its single tests, and of its hypotheses, see `judge`.

    NaN for a test that was not made.
    """
    single = _corrected([test["p"] for claim in claims for test in claim.tests])
    whole = _corrected([p for claim in claims for p in _hypotheses(claim)])
    found, start, first = [], 0, 0
    for claim in claims:
        tests, count = len(claim.tests), len(_hypotheses(claim))
        found.append((single[start : start + tests], whole[first : first + count]))
        start, first = start + tests, first + count
    return found


def _hypotheses(claim: Claim) -> list[float | None]:
    if not claim.together:
        return [test["p"] for test in claim.tests]
    if not claim.tests:
        return []
    # The union of its null hypotheses is rejected only where each is (Berger 1982).
    return [max(1.0 if test["p"] is None or test["difference"] <= 0 else test["p"] for test in claim.tests)]


def _corrected(p: Sequence[float | None]) -> NDArray[np.float64]:
    # A test that was not made decides nothing: NaN is not below the level.
    return corrected_p_values(np.array([np.nan if value is None else value for value in p], np.float64), "holm")


BETTER = ("better than", "not shown to be better than", "worse than")


def relation(
    tests: Sequence[PairedTest], signs: Sequence[int], ways: tuple[str, str, str] = BETTER
) -> tuple[str, Outcome]:
    """Against what the claim holds, in words, and its outcome: supported against all, not supported where one wins.

    Example:
        >>> tests = [paired_test("chance", [1.0]), paired_test("motion", [0.1]), paired_test("the gradient", [-1.0])]
        >>> relation(tests, [1, 0, -1])
        ('better than chance; not shown to be better than motion; worse than the gradient', 'not supported')
    """
    parts = []
    for way, words in zip((1, 0, -1), ways, strict=True):
        names = [test["against"] for test, sign in zip(tests, signs, strict=True) if sign == way]
        parts += [f"{words} {listed(names)}"] if names else []
    outcome: Outcome = "supported" if min(signs) > 0 else "not supported" if min(signs) < 0 else "inconclusive"
    return "; ".join(parts), outcome


def hardest(tests: Sequence[PairedTest]) -> PairedTest:
    """The test of several that speaks least for the claim: who passes it is better than all that are tested.

    Its p value is the largest where all speak for the claim. Where one speaks against it, which one is chosen after
    looking: p is then multiplied by the number of tests (Bonferroni), for the finding that some of them wins.

    Example:
        >>> tests = [paired_test("a", [1.0, 1.0, 1.0]), paired_test("b", [-1.0, -0.5])]
        >>> hardest(tests)
        {'against': 'b', 'difference': -0.75, 'p': 1.0}
    """

    def evidence(test: PairedTest) -> tuple[float, float]:
        # From -1, clearly worse, over 0 to 1, clearly better; where p is the same, the difference tells.
        sure = 0.0 if test["p"] is None else float(np.sign(test["difference"])) * (1 - test["p"])
        return sure, test["difference"]

    chosen = min(tests, key=evidence)
    if chosen["p"] is None or chosen["difference"] > 0:
        return chosen
    return {**chosen, "p": min(1.0, chosen["p"] * len(tests))}


def scope(trainings: int) -> str:
    """Over what a claim holds, as words at its start.

    Example:
        >>> scope(1), scope(5)
        ('For this training', 'Over 5 trainings')
    """
    return "For this training" if trainings == 1 else f"Over {trainings} trainings"


def of_all(better: Sequence[object], unsure: Sequence[object], worse: Sequence[object]) -> Outcome:
    """Of a claim about all of several things: supported where all are better, not supported where any is worse.

    Example:
        >>> of_all(["a"], [], []), of_all(["a"], ["b"], []), of_all(["a"], ["b"], ["c"])
        ('supported', 'inconclusive', 'not supported')
    """
    if worse:
        return "not supported"
    return "supported" if better and not unsure else "inconclusive"


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
