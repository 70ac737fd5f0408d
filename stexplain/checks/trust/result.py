"""What `trust` returns: checks with their numbers, and the verdict that follows from them."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from stexplain.intervals.bootstrap import Interval
from stexplain.result import Result

_WORDS = {True: "passed", False: "failed", None: "not checked"}
NEEDED = ("accuracy", "deletion")
"""The checks without which no map is trusted; of the others, none may fail."""


@dataclass(frozen=True)
class TrustCheck:
    """One check: a test that was fixed before looking.

    Attributes:
        name: of the check.
        passed: the verdict; none: it was not made, or there were too few samples to show anything.
        sentence: what was found, or why it was not checked.
        estimate: the number that was tested and its confidence interval; none where there is none.
        threshold: what the interval must lie above (or below).
        above: whether above; else below.

    Example:
        >>> check = TrustCheck.of("stability", Interval(0.9, 0.8, 0.95), 0.5, "The maps stay alike.")
        >>> check.passed, check.value
        (True, 0.9)
    """

    name: str
    passed: bool | None
    sentence: str
    estimate: Interval | None = None
    threshold: float | None = None
    above: bool = True

    @classmethod
    def of(cls, name: str, estimate: Interval, threshold: float, sentence: str, *, above: bool = True) -> "TrustCheck":
        """A check whose whole interval must lie above a threshold, or below it.

        Args:
            name: of the check.
            estimate: with its interval.
            threshold: in the units of the estimate.
            sentence: what it says, for people.
            above: whether it must lie above; else below.
        """
        # `bool` of a comparison: NaN, of no sample at all, passes neither.
        passed = bool(estimate.low > threshold) if above else bool(estimate.high < threshold)
        return cls(name, passed, sentence, estimate, threshold, above)

    @classmethod
    def not_checked(cls, name: str, why: str) -> "TrustCheck":
        """A check that was not made, with the reason.

        Args:
            name: of the check.
            why: a sentence.
        """
        return cls(name, None, why)

    @property
    def value(self) -> float | None:
        """The number that was tested."""
        return None if self.estimate is None else self.estimate.value

    def __str__(self) -> str:
        number = ""
        if self.estimate is not None:
            value, low, high, threshold = (_shown(number) for number in (*self.estimate, self.threshold or 0.0))
            number = f"{value} [{low}, {high}]; expected {'above' if self.above else 'below'} {threshold}: "
        return f"{_WORDS[self.passed]:11}  {self.name:25}  {number}{self.sentence}"


@dataclass(frozen=True, repr=False)
class Trust(Result):
    """The result of `trust`: one verdict, with its reasons.

    Attributes:
        subject: the explainer, model and samples, in words.
        checks: all of them, in the order in which they are made.

    Example:
        >>> accuracy = TrustCheck.of("accuracy", Interval(0.5, 0.4, 0.6), 0.5, "No better than chance.")
        >>> print(Trust("CAM on STGCN", (accuracy, TrustCheck.not_checked("deletion", "The model knows no class."))))
        CAM on STGCN: not trusted; 0 of 2 checks passed, failed: accuracy, not checked: deletion
          failed       accuracy                   0.50 [0.40, 0.60]; expected above 0.50: No better than chance.
          not checked  deletion                   The model knows no class.

        What stands in the way of several checks is said once:

        >>> few = tuple(TrustCheck.not_checked(name, "Got 4 groups; expected at least 10.") for name in NEEDED)
        >>> print(Trust("CAM on STGCN", few))
        CAM on STGCN: not trusted; 0 of 2 checks passed, not checked: accuracy, deletion
          not checked  all checks                 Got 4 groups; expected at least 10.
    """

    subject: str
    checks: tuple[TrustCheck, ...]

    @property
    def trusted(self) -> bool:
        """Whether accuracy and deletion passed, and no other check failed."""
        return all(self[name].passed is True for name in NEEDED) and not self._named(False)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not: a sentence for each check that stands in the way; if trusted, for each that passed.

        A sentence that several checks share is said once, behind their names.
        """
        found: dict[str, list[str]] = {}
        for check in self.checks:
            # A check that was not made is a reason where no map is trusted without it.
            stands = check.passed is False or (check.passed is None and check.name in NEEDED)
            if check.passed if self.trusted else stands:
                found.setdefault(check.sentence, []).append(check.name)
        return tuple(f"{', '.join(names)}: {sentence}" for sentence, names in found.items())

    def __getitem__(self, name: str) -> TrustCheck:
        """The check of this name.

        Raises:
            KeyError: if there is none.
        """
        return {check.name: check for check in self.checks}[name]

    def _named(self, passed: bool | None) -> Sequence[str]:
        return [check.name for check in self.checks if check.passed is passed]

    def _told(self) -> tuple[TrustCheck, ...]:
        """The checks as people read them: those that were not made for one reason are one."""
        names: dict[Any, list[str]] = {}
        for check in self.checks:
            # What has a verdict or a number stands for itself.
            alone = check.passed is not None or check.estimate is not None
            names.setdefault(check.name if alone else (check.sentence,), []).append(check.name)
        first = {
            each[0]: "all checks" if 1 < len(each) == len(self.checks) else ", ".join(each) for each in names.values()
        }
        return tuple(replace(check, name=first[check.name]) for check in self.checks if check.name in first)

    def _headline(self) -> str:
        parts = [f"{len(self._named(True))} of {len(self.checks)} checks passed"]
        # What was not checked is counted too: a verdict on less must not read like a verdict on all.
        for passed in (False, None):
            if names := self._named(passed):
                parts.append(f"{_WORDS[passed]}: {', '.join(names)}")
        return f"{self.subject}: {'trusted' if self.trusted else 'not trusted'}; {', '.join(parts)}"

    def __repr__(self) -> str:
        return f"<Trust of {self._headline()}>"

    def __str__(self) -> str:
        return "\n".join([self._headline(), *(f"  {check}" for check in self._told())])

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdict and the table of checks."""
        numbers = dict.fromkeys(("value", "low", "high", "threshold"), float)
        # As floats, so that nothing stands where nothing was measured.
        table = pd.DataFrame([_row(check) for check in self._told()]).astype(numbers)
        table["expected"] = table["expected"].where(table["threshold"].notna(), "")
        shown = table.to_html(index=False, float_format="{:.2f}".format, na_rep="")
        return f"<p><strong>{html.escape(self._headline())}</strong></p>{shown}"

    def to_frame(self) -> pd.DataFrame:
        """A row per check: columns `check`, `verdict`, `value`, `low`, `high`, `expected`, `threshold`, `sentence`."""
        return pd.DataFrame(self.to_dict()["checks"])

    def to_dict(self) -> dict[str, Any]:
        """The result in JSON's own types."""
        checks = [_row(check) for check in self.checks]
        return {"subject": self.subject, "trusted": self.trusted, "reasons": list(self.reasons), "checks": checks}


def _row(check: TrustCheck) -> dict[str, Any]:
    value, low, high = (None, None, None) if check.estimate is None else check.estimate
    return {
        "check": check.name,
        "verdict": _WORDS[check.passed],
        "value": value,
        "low": low,
        "high": high,
        "expected": "above" if check.above else "below",
        "threshold": check.threshold,
        "sentence": check.sentence,
    }


def _shown(number: float) -> str:
    """A number in short: scores may be of any size, and what lies above a threshold of zero is not shown as zero."""
    return f"{number:.2f}" if abs(number) >= 0.095 or number == 0 else f"{number:.2g}"
