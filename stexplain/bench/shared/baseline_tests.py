"""What a method must beat before a verdict speaks for it: chance, each baseline explainer, and the plain gradient."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stexplain.bench.claims import (
    Brief,
    Claim,
    Outcome,
    PairedTest,
    combined,
    hardest,
    paired_test,
    relation,
    scope,
)
from stexplain.bench.html import listed, rounded
from stexplain.bench.stage import RunResults
from stexplain.wording import counted

RANDOM, GRADIENT = "Random", "InputGradient"
PAPER = "STGGradCAM"
"""The paper's method, of which verdicts speak beside the method whose maps are drawn."""
LOCALISES = (
    "localises the ground truth better than",
    "is not shown to localise the ground truth better than",
    "localises the ground truth worse than",
)
"""How a method stands to what it is tested against: better, undecided, worse."""
CHANCE = {RANDOM: "random attribution"}
"""What chance alone gives -> what it is called in a sentence."""
# A convention, fixed before any run; see `too_few` for why there is a limit.
FEWEST = 10
"""Of fewer explained events nothing is supported."""


class BaselineTests(NamedTuple):
    """What a method must beat.

    Attributes:
        tests: of chance, of the strongest baseline explainer, of the plain gradient; named as in a sentence.
        strongest: the name of that baseline explainer, and behind it the one of the best mean where that is another.
    """

    tests: list[PairedTest]
    strongest: tuple[str, ...]


def must_beat(
    tests: Sequence[PairedTest], where: str = "", chance: Mapping[str, str] = CHANCE, those: str = ""
) -> BaselineTests:
    """What a method must beat, from its tests against all there is.

    Who is better than the strongest baseline explainer is better than each: one hypothesis, not one for each. The
    strongest is the one by which `hardest` decides; a reader looks for the one of the best mean, which is named too
    where it is another.

    Args:
        tests: against what `chance` names, baseline explainers, and `GRADIENT`; the method's own is left out.
        where: what is said behind each name, such as " over nodes".
        chance: what chance alone gives -> what it is called.
        those: what is said before the name of an explainer, such as "those of " where its sensors are compared.

    Example:
        >>> gains = {"Random": 2.0, "Motion": 1.0, "Slowness": 0.5}
        >>> tests = [paired_test(name, [1.0, gain]) for name, gain in gains.items()]
        >>> [test["against"] for test in must_beat(tests).tests]
        ['random attribution', 'the strongest baseline explainer (Slowness)']
        >>> apart = [paired_test("Motion", [0.3, 0.1, 0.3]), paired_test("Slowness", [0.1] * 3)]
        >>> must_beat([*apart, {"against": "Height", "difference": 0.05, "p": 0.001}]).tests[0]["against"]
        'the strongest baseline explainer (Slowness by the test, Height by the mean)'
    """
    named: list[PairedTest] = [
        {**test, "against": f"{chance[test['against']]}{where}"} for test in tests if test["against"] in chance
    ]
    baseline_explainers = [test for test in tests if test["against"] not in (*chance, GRADIENT)]
    strongest: tuple[str, ...] = ()
    if baseline_explainers:
        hard = hardest(baseline_explainers)
        ahead = min(baseline_explainers, key=lambda test: test["difference"])
        strongest = (hard["against"],)
        shown = hard["against"]
        if ahead["difference"] < hard["difference"]:
            strongest = (hard["against"], ahead["against"])
            shown = f"{hard['against']} by the test, {ahead['against']} by the mean"
        # Named, not "every": who is worse than this one may be better than the others.
        named.append({**hard, "against": f"{those}the strongest baseline explainer{where} ({shown})"})
    named += [{**test, "against": f"{those}the plain gradient{where}"} for test in tests if test["against"] == GRADIENT]
    return BaselineTests(named, strongest)


def compare_each(
    scores: Mapping[str, NDArray[np.float64]],
    baseline_explainers: Sequence[str],
    groups: Any = None,
    *,
    seed: int = 0,
) -> dict[str, list[PairedTest]]:
    """Paired tests of every method against the baseline explainers and the plain gradient.

    Args:
        scores: name -> one per sample ``[n]``, the higher the better; NaN excludes a sample.
        baseline_explainers: those of the names that use no model.
        groups: of the samples, see `paired_test`.
        seed: of the permutations.

    Returns:
        Method -> its tests; those that have no sample are left out.
    """
    others = [name for name in scores if name in baseline_explainers or name == GRADIENT]
    found = {
        name: [paired_test(other, values - scores[other], groups, seed=seed) for other in others if other != name]
        for name, values in scores.items()
        if name not in baseline_explainers
    }
    return {name: [test for test in tests if test["p"] is not None] for name, tests in found.items()}


def strongest_of(means: Mapping[str, float], baseline_explainers: Sequence[str]) -> str | None:
    """The baseline explainer with the highest mean; none where none has one.

    Example:
        >>> strongest_of({"STGGradCAM": 0.9, "Motion": 0.6, "Slowness": 0.7}, ["Motion", "Slowness"])
        'Slowness'
    """
    present = {name: mean for name, mean in means.items() if name in baseline_explainers and not np.isnan(mean)}
    return max(present, key=lambda name: present[name]) if present else None


def event_claims(
    run: RunResults,
    stage: str,
    claim: str,
    ways: tuple[str, str, str],
    beaten_by: Callable[[Sequence[Mapping[str, Any]], str], tuple[list[PairedTest], str, str]],
    short: str = "",
) -> Iterator[Claim]:
    """Claims that a method beats chance, every baseline explainer and the plain gradient on explained events.

    Of the method whose maps are drawn, the first, and of the paper's: the more claims, the less each may be believed.
    Tables show all methods.

    Args:
        run: whose trainings hold the `tests` of the stage, by method.
        stage: its name.
        claim: the start of the sentence, with ``{method}``.
        ways: how the method stands to what it is tested against: better, undecided, worse.
        beaten_by: from the results of all trainings and the method to the tests, the numbers that they compare, and the
            same in short.
        short: the claim in one line, with ``{method}``.
    """
    trainings = [training for training in run.trainings if (training.stages.get(stage) or {}).get("tests")]
    results = [training.stages[stage] for training in trainings]
    events = [len(training.stages["events"]["explained"]) for training in trainings]
    methods = list(results[0]["tests"]) if results else []
    for method in dict.fromkeys([*methods[:1], *(name for name in methods if name == PAPER)]):
        tests, numbers, in_short = beaten_by(results, method)
        if not tests:
            continue

        # Default arguments bind the loop's values.
        def words(
            signs: Sequence[int], method: str = method, tests: list[PairedTest] = tests, numbers: str = numbers
        ) -> tuple[str, Outcome]:
            relations, judged = relation(tests, signs, ways)
            text = f"{scope(len(results))}, {claim.format(method=method)} {relations} ({numbers}; {sizes(events)})."
            undecided = [test for test, sign in zip(tests, signs, strict=True) if not sign]
            return too_few(text, judged, min(events), undecided)

        yield Claim(tests, words, brief=Brief(short.format(method=method), f"{in_short} ({sizes(events)})"))


def too_few(text: str, judged: Outcome, events: int, tests: Sequence[PairedTest] = ()) -> tuple[str, Outcome]:
    """A verdict on explained events; inconclusive where there are fewer than `FEWEST`.

    Intervals of a handful of samples are too narrow, and of one sample there is none. What the numbers are is said all
    the same: where something is far behind, a reader sees that before all else.

    Args:
        text: the sentence on what the tests say.
        judged: what they say.
        events: how many were explained.
        tests: those of the claim that show nothing: the text does not say which way their differences are.

    Example:
        >>> test = {"against": "chance", "difference": -0.4, "p": 0.25}
        >>> too_few("It is not shown.", "inconclusive", 3, [test])[0]
        'It is not shown. Only 3 events were explained, too few to tell: on these events it is behind chance.'
        >>> too_few("It holds.", "supported", 1)
        ('It holds. Only 1 event was explained, too few to tell.', 'inconclusive')
    """
    if events >= FEWEST:
        return text, judged
    parts = []
    for way, words in ((1, "ahead of"), (-1, "behind"), (0, "level with")):
        names = [test["against"] for test in tests if np.sign(test["difference"]) == way]
        parts += [f"{words} {listed(names)}"] if names else []
    shown = f": on these events it is {', '.join(parts)}" if parts else ""
    return (
        f"{text} Only {counted(events, 'event was', 'events were')} explained, too few to tell{shown}.",
        "inconclusive",
    )


def combined_tests(results: Sequence[Mapping[str, Any]], method: str) -> list[PairedTest]:
    """The tests of a method over trainings; those that one lacks are left out."""
    return combined([result["tests"].get(method, ()) for result in results])


def sizes(events: Sequence[int]) -> str:
    """How many events were explained, over all trainings.

    Example:
        >>> sizes([60]), sizes([60, 48])
        ('60 events', '48 to 60 events')
    """
    low, high = min(events), max(events)
    return f"{high} event{'s' if high != 1 else ''}" if low == high else f"{low} to {high} events"


def means_in_words(means: Mapping[str, float]) -> str:
    """Names with their means.

    Example:
        >>> means_in_words({"IntegratedGradients": 0.987, "Slowness": 0.9})
        'IntegratedGradients 0.99 and Slowness 0.90'
    """
    return listed([f"{name} {rounded(mean)}" for name, mean in means.items()])


def beside_best(what: str, means: Mapping[str, float], method: str) -> str:
    """The mean of a method beside the highest of all others.

    Example:
        >>> beside_best("AUROC", {"Occlusion": 0.987, "Slowness": 0.9, "Random": 0.5}, "Occlusion")
        'AUROC 0.99, Slowness 0.90'
    """
    others = {name: mean for name, mean in means.items() if name != method}
    best = max(others, key=lambda name: others[name]) if others else None
    own = f"{what} {rounded(means[method])}"
    return own if best is None else f"{own}, {best} {rounded(means[best])}"
