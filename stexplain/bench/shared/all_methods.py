"""The claim that every method finds a truth better than what uses no model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.bench.claims import Brief, Claim, Outcome, PairedTest, combined, hardest, of_all, paired_test, scope
from stexplain.bench.html import count, sized


def paired_with_each(
    scores: Mapping[str, NDArray[np.float64]], baseline_explainers: Sequence[str], groups: Any, *, seed: int
) -> dict[str, list[PairedTest]]:
    """The paired tests of every method against each baseline explainer, by groups of samples.

    Args:
        scores: of every method and baseline explainer, one per sample ``[n]``.
        baseline_explainers: their names.
        groups: of samples that are not independent, n of them; none: all are.
        seed: of the permutations.

    Example:
        >>> found = paired_with_each({"ours": np.ones(3), "Random": np.zeros(3)}, ["Random"], None, seed=0)
        >>> found["ours"][0]["against"], found["ours"][0]["difference"]
        ('Random', 1.0)
    """
    against = [name for name in scores if name in baseline_explainers]
    return {
        name: [paired_test(other, scores[name] - scores[other], groups, seed=seed) for other in against]
        for name in scores
        if name not in baseline_explainers
    }


def every_method_claim(
    trainings: Sequence[Mapping[str, Sequence[PairedTest]]],
    means: Mapping[str, float],
    baseline_explainers: Sequence[str],
    *,
    verb: str,
    what: str,
    measure: str,
    samples: object,
    units: str = "samples",
) -> Claim | None:
    """The claim, in words that say which methods are better and which are not; none where there is nothing to test.

    Better than the best baseline explainer is better than each: one hypothesis for each method.

    Args:
        trainings: of each training the tests of `paired_with_each`.
        means: the mean score of every method and baseline explainer over trainings; a method without one has none.
        baseline_explainers: their names.
        verb: what methods do, as in "find".
        what: they find, as in "what the model used".
        measure: the score in words.
        samples: how many each training has.
        units: what they are.
    """
    pairs = {method: combined([paired.get(method, ()) for paired in trainings]) for method in (trainings or [{}])[0]}
    # The baseline explainer that is hardest to beat decides; the test bears the name of the method.
    tests: list[PairedTest] = [{**hardest(found), "against": method} for method, found in pairs.items() if found]
    baseline_explainers = [name for name in baseline_explainers if name in means]
    if not tests or not baseline_explainers:
        return None
    names = [test["against"] for test in tests]
    strongest = max(baseline_explainers, key=lambda name: means[name])
    best = max(names, key=lambda name: means[name])

    def words(signs: Sequence[int]) -> tuple[str, Outcome]:
        better, unsure, worse = (
            [name for name, sign in zip(names, signs, strict=True) if sign == way] for way in (1, 0, -1)
        )
        claim = (
            f"{scope(len(trainings))}, {len(better)} of {len(tests)} methods {verb} {what} better than every baseline "
            f"explainer ({measure}: {strongest}, the best of these, {means[strongest]:.2f}; {best}, the best method, "
            f"{means[best]:.2f}; {count(samples)} {units})."
        )
        claim += f" Better: {', '.join(better)}." if better and (unsure or worse) else ""
        claim += f" Not shown to be better: {', '.join(unsure)}." if unsure else ""
        claim += f" Worse than a baseline explainer: {', '.join(worse)}." if worse else ""
        return claim, of_all(better, unsure, worse)

    brief = Brief(
        f"All methods {verb} {what} better than what uses no model",
        lambda signs: (
            f"{sum(sign > 0 for sign in signs)} of {len(signs)} do; {measure.split()[0]} of the best, {best}, "
            f"{means[best]:.2f}; without a model, {strongest}, {means[strongest]:.2f}{sized(samples, units)}"
        ),
    )
    return Claim(list(tests), words, together=False, brief=brief)
