"""Claims and their tests: paired, fixed before any run, over trainings where there are several, corrected together."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ttest_1samp

from stexplain.bench.html import listed
from stexplain.bench.wording import in_words
from stexplain.intervals.groups import group_codes
from stexplain.metrics.comparison.permutation import corrected_p_values, sign_flip_test, smallest_p

LEVEL = 0.05
"""Significance level of corrected p values."""
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
        units: how many independent units were tested, samples or groups of them; of several trainings the fewest.
    """

    against: str
    difference: float
    p: float | None
    units: NotRequired[int]


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
        {'against': 'chance', 'difference': 2.0, 'p': 0.25, 'units': 3}
        >>> paired_test("chance", [1.0, 2.0, 3.0], groups=["a", "a", "b"])["p"]
        0.5
    """
    values = np.asarray(differences, np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return {"against": against, "difference": 0.0, "p": None}
    p = float(sign_flip_test(values, groups=groups, seed=seed)[0])
    units = len(np.unique(group_codes(groups, len(values))[known]))
    return {"against": against, "difference": float(values[known].mean()), "p": p, "units": units}


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
    mean = float(means.mean())
    found: PairedTest = {"against": tests[0]["against"], "difference": mean, "p": None}
    if known := [test["units"] for test in tests if "units" in test]:
        found["units"] = min(known)
    if any(test["p"] is None for test in tests):
        return found
    by_samples = [test["p"] if test["difference"] * mean > 0 else 1.0 for test in tests]
    # Of equal differences the t statistic is infinite, or undefined where all are zero.
    if np.ptp(means) <= 1e-12 * np.abs(means).max():
        by_training = 0.0 if mean else 1.0
    else:
        by_training = float(ttest_1samp(means, 0.0).pvalue)
    p = max(by_training, min(1.0, 2 * float(np.median(np.array(by_samples, np.float64)))))
    return {**found, "p": p}


def combined(by_training: Sequence[Sequence[PairedTest]]) -> list[PairedTest]:
    """The tests of several trainings as one each; those that a training lacks are left out."""
    found = [{test["against"]: test for test in tests} for tests in by_training]
    return [
        over_trainings([tests[test["against"]] for tests in found])
        for test in (by_training[0] if by_training else ())
        if all(test["against"] in tests for tests in found)
    ]


def judge(claims: Sequence[Claim]) -> list[tuple[str, Outcome]]:
    """What the tests say of all claims of a report, corrected over all of their tests; see `corrected`.

    A claim that all of several things are beaten is right where its largest p is small, and counts as one. Which of
    them are beaten, or win, where it is not, is decided by the same corrected p values.

    Example:
        >>> words = lambda signs: (f"signs {list(signs)}", "supported" if min(signs) > 0 else "inconclusive")
        >>> judge([Claim([{"against": "a", "difference": 1.0, "p": 0.001}], words)])
        [('signs [1]', 'supported')]
    """
    judged = [claim.words(signs) for claim, signs in zip(claims, signs_of(claims), strict=True)]
    count = sum(len(_hypotheses(claim)) for claim in claims)
    return [
        (in_words(text + _too_few_units(claim, count)), outcome)
        for claim, (text, outcome) in zip(claims, judged, strict=True)
    ]


def _too_few_units(claim: Claim, claims: int) -> str:
    """What to add where the tests of a claim could not have shown anything, whatever the differences.

    Args:
        claim: its tests may know of how many units they are.
        claims: how many the correction is over.
    """
    fewest = min((test["units"] for test in claim.tests if test.get("units")), default=None)
    if fewest is None or (least := smallest_p(fewest)) * claims <= LEVEL:
        return ""
    units = f"{fewest} independent unit{'s' if fewest != 1 else ''}"
    if least > LEVEL:
        return f" No test of {units} has a p below {least:.2g}: it cannot show a difference, whatever the size."
    return (
        f" No test of {units} has a p below {least:.2g}, which the correction over {claims} claims may raise above "
        f"{LEVEL:g}: it can hardly show a difference."
    )


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
    return [
        [int(np.sign(test["difference"])) if p <= LEVEL else 0 for test, p in zip(claim.tests, p_single, strict=True)]
        for claim, (p_single, _) in zip(claims, corrected(claims), strict=True)
    ]


def corrected(claims: Sequence[Claim]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The p values of every claim, corrected over all: of its single tests, and of its hypotheses, see `judge`.

    All tests of a report are one family. With m claims, of which r have all of their tests below their level, a
    claim's level is ``0.05 / (m - r)`` (Holm 1979), and within a claim the level of its tests follows Hochberg (1988):
    all are below it where the largest p is, else the smallest p counts as often as there are tests. The probability of
    any false word in a report is then at most 0.05: as long as no claim with a true null hypothesis has all of its
    tests below its level, each of these claims has no more than its share of 0.05.

    NaN for a test that was not made.

    Example:
        >>> test, words = paired_test("a", [1.0] * 8), lambda signs: ("", "supported")
        >>> one, several = corrected([Claim([test], words), Claim([test] * 3, words)])
        >>> test["p"], one[0].tolist(), several[0].tolist(), several[1].tolist()
        (0.0078125, [0.015625], [0.015625, 0.015625, 0.015625], [0.015625])
    """
    units = [unit for claim in claims for unit in _hypotheses(claim)]
    # A claim with a test that was not made never has all of its tests below a level.
    largest = [max(1.0 if test["p"] is None else test["p"] for test in unit) for unit in units]
    whole = corrected_p_values(largest, "holm")
    done = np.concatenate([[0.0], np.sort(whole)[:-1]])  # below which level r claims are done
    left = np.arange(len(units), 0, -1)  # m - r
    single = []
    for unit in units:
        p = _hochberg([test["p"] for test in unit])
        # The smallest level at which so many claims are done that those left leave enough for this test.
        levels = np.maximum(done, left * p[:, None]).min(axis=1, initial=np.inf)
        single.append(np.where(np.isnan(p), np.nan, np.minimum(levels, 1.0)))
    # That all are beaten is shown only where each is (Berger 1982).
    beaten = [all(test["difference"] > 0 for test in unit) for unit in units]
    found: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    first = 0
    for claim in claims:
        count = len(_hypotheses(claim))
        own = slice(first, first + count)
        tests = np.concatenate([np.empty(0), *single[own]])
        found.append((tests, np.where(beaten[own], whole[own], 1.0) if claim.together else tests))
        first += count
    return found


def _hypotheses(claim: Claim) -> list[Sequence[PairedTest]]:
    """The tests of a claim that are decided together, or each by itself."""
    if not claim.together:
        return [[test] for test in claim.tests]
    return [claim.tests] if claim.tests else []


def _hochberg(p: Sequence[float | None]) -> NDArray[np.float64]:
    """P values of one claim corrected over its tests, step by step from the largest; NaN where there was no test.

    It takes the tests to depend on each other positively, if at all. Those of a claim do: each compares the same scores
    with something else.
    """
    values = np.array([np.nan if value is None else value for value in p], np.float64)
    order = np.argsort(-values, kind="stable")  # NaN last
    made = int((~np.isnan(values)).sum())
    values[order[:made]] = np.minimum.accumulate(np.arange(1, made + 1) * values[order[:made]])
    return values


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
        {'against': 'b', 'difference': -0.75, 'p': 1.0, 'units': 2}
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
