"""The claim that every method finds a truth better than what uses no model."""

from collections.abc import Mapping, Sequence

from stexplain.bench.claims import Brief, Claim, Outcome, PairedTest, of_all, scope
from stexplain.bench.html import count


def every_method_claim(
    tests: Sequence[PairedTest],
    means: Mapping[str, float],
    baseline_explainers: Sequence[str],
    *,
    verb: str,
    what: str,
    measure: str,
    trainings: int,
    samples: object,
) -> Claim | None:
    """The claim, in words that say which methods are better and which are not; none where there is nothing to test.

    Better than the best baseline explainer is better than each: one hypothesis for each method.

    Args:
        tests: of each method against the baseline explainer that is hardest to beat; `against` names the method.
        means: the mean score of every method and baseline explainer.
        baseline_explainers: their names.
        verb: what methods do, as in "find".
        what: they find, as in "what the model used".
        measure: the score in words.
        trainings: how many the tests are over.
        samples: how many each training has.
    """
    if not tests or not baseline_explainers:
        return None
    # A method may stand with its baseline, as in "Occlusion, historical_average".
    names = [_in_words(test["against"]) for test in tests]
    means = {_in_words(name): mean for name, mean in means.items()}
    strongest = max(map(_in_words, baseline_explainers), key=lambda name: means[name])
    best = max(names, key=lambda name: means[name])

    def words(signs: Sequence[int]) -> tuple[str, Outcome]:
        better, unsure, worse = (
            [name for name, sign in zip(names, signs, strict=True) if sign == way] for way in (1, 0, -1)
        )
        claim = (
            f"{scope(trainings)}, {len(better)} of {len(tests)} methods {verb} {what} better than every baseline "
            f"explainer ({measure}: {strongest}, the best of these, {means[strongest]:.2f}; {best}, the best method, "
            f"{means[best]:.2f}; {count(samples)} samples)."
        )
        claim += f" Better: {', '.join(better)}." if better and (unsure or worse) else ""
        claim += f" Not shown to be better: {', '.join(unsure)}." if unsure else ""
        claim += f" Worse than a baseline explainer: {', '.join(worse)}." if worse else ""
        return claim, of_all(better, unsure, worse)

    brief = Brief(
        f"All methods {verb} {what} better than what uses no model",
        lambda signs: (
            f"{sum(sign > 0 for sign in signs)} of {len(signs)} do; best {best} {means[best]:.2f}, "
            f"without a model {strongest} {means[strongest]:.2f}"
        ),
    )
    return Claim(list(tests), words, together=False, brief=brief)


def _in_words(name: str) -> str:
    """A method with its baseline, as it is read.

    Example:
        >>> _in_words("Occlusion, historical_average"), _in_words("Occlusion")
        ('Occlusion (historical average)', 'Occlusion')
    """
    method, comma, baseline = name.partition(", ")
    return f"{method} ({baseline.replace('_', ' ')})" if comma else method
