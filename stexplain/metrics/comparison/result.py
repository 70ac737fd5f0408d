"""The result of a comparison of methods: a table with intervals, and paired tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import InputError, unknown
from stexplain.intervals.bootstrap import interval
from stexplain.metrics.comparison.permutation import (
    CORRECTIONS,
    Correction,
    corrected_p_values,
    sign_flip_test,
    smallest_p,
)
from stexplain.result import Charted
from stexplain.wording import counted

LEVEL = 0.05
"""Significance level of the corrected p values."""


@checked
@dataclass(frozen=True, repr=False)
class Comparison(Charted):
    """Scores of several methods on the same samples.

    Attributes:
        scores: metric -> method -> one number per sample ``[n]``; NaN if a sample has none.
        higher_is_better: metric -> whether a higher number is better.
        ids: of the samples, n.
        seconds: method -> seconds of explaining per sample.
        target: the target that was explained, in words.
        seed: of the bootstrap and of the permutation tests.
        resamples: of the bootstrap.
        permutations: of the tests; with fewer sign patterns than that, the test is exact.
        correction: of the tests, see `stexplain.metrics.corrected_p_values`.
        confidence: of the intervals.
        groups: the group of each sample ``[n]``, of samples that are not independent; empty: each by itself.
        bounds: metric -> the smallest and the largest possible score, of metrics that have some.

    Raises:
        InputError: if methods or sample counts differ between metrics.

    Example:
        >>> scores = {"auroc": {"ours": np.linspace(0.7, 0.9, 20), "random": np.linspace(0.4, 0.6, 20)}}
        >>> comparison = Comparison(scores, {"auroc": True}, ids=tuple(map(str, range(20))))
        >>> comparison.best("auroc")
        'ours'
        >>> comparison.tests()[["method", "against", "n", "better"]].to_dict("records")
        [{'method': 'ours', 'against': 'random', 'n': 20, 'better': 'ours'}]
    """

    scores: Mapping[str, Mapping[str, NDArray[np.float64]]]
    higher_is_better: Mapping[str, bool]
    ids: tuple[str, ...]
    seconds: Mapping[str, float] | None = None
    target: str = ""
    seed: int = 0
    resamples: int = 1000
    permutations: int = 9999
    correction: Correction = "holm"
    confidence: float = 0.95
    groups: tuple[Any, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.groups and len(self.groups) != len(self.ids):
            raise InputError(f"groups: got {len(self.groups)}; expected one per sample, {len(self.ids)}.")
        if not self.scores or not self.methods:
            raise InputError("scores: got no metric or no method; expected at least one of each.")
        if self.correction not in CORRECTIONS:
            raise unknown("correction", self.correction, CORRECTIONS)
        for metric, by_method in self.scores.items():
            if metric not in self.higher_is_better:
                raise InputError(
                    f"higher_is_better: got {list(self.higher_is_better)}; expected every metric of scores. Add "
                    f"{metric!r}."
                )
            if tuple(by_method) != self.methods:
                raise InputError(
                    f"scores: got the methods {list(by_method)} for metric {metric!r}; expected {list(self.methods)}, "
                    "as for the first metric and in its order."
                )
            # The tests are paired: entry i must be the same sample for every method.
            for method, values in by_method.items():
                if np.shape(values) != (len(self.ids),):
                    raise InputError(
                        f"scores: got shape {np.shape(values)} for method {method!r} and metric {metric!r}; expected "
                        f"one per sample, [{len(self.ids)}]."
                    )

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics."""
        return tuple(self.scores)

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the methods."""
        return tuple(next(iter(self.scores.values())))

    def to_frame(self) -> pd.DataFrame:
        """A row per metric and method: ``metric, method, value, low, high, n, excluded, seconds, reason``.

        `value` is the mean over samples, `low` and `high` its bootstrap interval, `n` the number of its samples,
        `excluded` the number of samples without a score, `seconds` the time of explaining per sample (NaN if unknown),
        `reason` why there is no interval (empty where there is one).
        """
        # One seed for all rows: methods that score the same samples share their resamples.
        options: dict[str, Any] = {
            "groups": self.groups or None, "seed": self.seed, "resamples": self.resamples, "confidence": self.confidence
        }  # fmt: skip
        rows = []
        for metric, by_method in self.scores.items():
            for method, values in by_method.items():
                missing = int(np.isnan(values).sum())
                found = interval(values, bounds=self.bounds.get(metric), **options)
                rows.append(
                    {
                        "metric": metric,
                        "method": method,
                        **found._asdict(),
                        "n": len(values) - missing,
                        "excluded": missing,
                        "seconds": (self.seconds or {}).get(method, np.nan),
                        "reason": found.reason,
                    }
                )
        return pd.DataFrame(rows)

    _CHART = "comparison"

    def _drawn_with(self) -> dict[str, Any]:
        return {"better": self.higher_is_better}

    def tests(
        self, against: "str | Sequence[str] | None" = None, *, metrics: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Paired two-sided permutation tests by flipping signs, see `stexplain.metrics.sign_flip_test`.

        Args:
            against: test every other method against this one, or these, such as random attribution; none: all pairs.
            metrics: only these; none: all.

        Returns:
            A row per metric and pair: ``metric, method, against, difference, low, high, n, excluded, p, p_corrected,
            better``. `difference` is the mean of method minus against over the `n` samples that both have a score
            for; `p_corrected` is corrected over the tests of one metric, each metric being a family of its own;
            `better` is the method that is better at the level of 0.05, or an empty string. Over all metrics of the
            table, for a sentence about any of them: ``corrected_p_values(table["p"])``.

        Raises:
            InputError: for an unknown method or metric.
        """
        pairs = self._pairs(against)
        tables = [
            self._test_pairs(self._known("metric", name, self.metrics), pairs) for name in metrics or self.metrics
        ]
        return pd.concat(tables, ignore_index=True)

    def best(self, metric: str) -> str:
        """The method with the best mean of a metric; the first of equals.

        Raises:
            InputError: for an unknown metric, or if no method has a score.
        """
        means = self._means(metric)
        if all(np.isnan(value) for value in means.values()):
            raise InputError(
                f"metric {metric!r}: got no score from any method; expected at least one sample with a score."
            )
        # max, with the sign turned for metrics of which less is better; a method without a score never wins.
        sign = 1 if self.higher_is_better[metric] else -1
        return max(means, key=lambda method: -np.inf if np.isnan(means[method]) else sign * means[method])

    def to_dict(self) -> dict[str, Any]:
        """The tables and the options of the tests, in JSON's own types."""
        return {
            "methods": list(self.methods),
            "metrics": {name: {"higher_is_better": self.higher_is_better[name]} for name in self.metrics},
            "samples": len(self.ids),
            "groups": len(set(self.groups)) or len(self.ids),
            "target": self.target,
            "seed": self.seed,
            "resamples": self.resamples,
            "permutations": self.permutations,
            "correction": self.correction,
            "confidence": self.confidence,
            "seconds": dict(self.seconds or {}),
            "table": _records(self.to_frame()),
            # A single method has no pair to test.
            "tests": _records(self.tests()) if len(self.methods) > 1 else [],
        }

    def __str__(self) -> str:
        return "\n".join([*self._head(), self._wide().to_string(), *self._foot()])

    # The table, not the arrays, which is what a dataclass would show.
    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        table = self._wide().to_html(escape=True, border=0)
        head = "".join(f"<p>{escape(line)}</p>" for line in self._head())
        return f"<div>{head}{table}<p>{escape(' '.join(self._foot()))}</p></div>"

    def _means(self, metric: str) -> dict[str, float]:
        by_method = self.scores[self._known("metric", metric, self.metrics)]
        # nanmean warns about all-NaN input; such a method has no mean.
        return {
            method: float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
            for method, values in by_method.items()
        }

    def _pairs(self, against: "str | Sequence[str] | None") -> list[tuple[str, str]]:
        if against is None:
            return list(combinations(self.methods, 2))
        # Every reference is compared with the other methods only, never with another reference.
        references = [against] if isinstance(against, str) else list(against)
        for name in references:
            self._known("method", name, self.methods)
        return [(method, other) for other in references for method in self.methods if method not in references]

    def _test_pairs(self, metric: str, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
        if not pairs:
            raise InputError(
                "got no pair of methods to test; expected at least two methods, of which one is not in against=. "
                f"The methods are {', '.join(self.methods)}: compare more of them, or name fewer in against=."
            )
        by_method = self.scores[metric]
        # NaN minus anything is NaN: a sample without one of the two scores is excluded from this pair alone.
        differences = np.stack([by_method[a] - by_method[b] for a, b in pairs], axis=1)
        # All pairs of a metric are one family of tests, whose p values are corrected together.
        groups = self.groups or None
        p = sign_flip_test(differences, groups=groups, seed=self.seed, permutations=self.permutations)
        adjusted = corrected_p_values(p, self.correction)
        rows = []
        for column, (a, b) in enumerate(pairs):
            difference = interval(
                differences[:, column], groups=groups, seed=self.seed, resamples=self.resamples,
                confidence=self.confidence, bounds=_reach(by_method[a], by_method[b]),
            )  # fmt: skip
            missing = int(np.isnan(differences[:, column]).sum())
            # `==` turns the comparison round for metrics of which less is better.
            first_is_better = (difference.value > 0) == self.higher_is_better[metric]
            rows.append(
                {
                    "metric": metric,
                    "method": a,
                    "against": b,
                    "difference": difference.value,
                    "low": difference.low,
                    "high": difference.high,
                    "n": len(differences) - missing,
                    "excluded": missing,
                    "p": p[column],
                    "p_corrected": adjusted[column],
                    "better": (a if first_is_better else b) if adjusted[column] <= LEVEL else "",
                }
            )
        return pd.DataFrame(rows)

    @staticmethod
    def _known(kind: str, name: str, names: Sequence[str]) -> str:
        if name not in names:
            raise unknown(kind, name, names)
        return name

    def _wide(self) -> pd.DataFrame:
        """A row per method and a column per metric, as text; a star marks the best."""
        texts = {(row["method"], row["metric"]): _value_text(row) for row in _records(self.to_frame())}
        columns: dict[str, list[str]] = {}
        for metric in self.metrics:
            scored = any(not np.isnan(value) for value in self._means(metric).values())
            # `best` refuses a metric without any score; the table shows it as "-".
            best = self.best(metric) if scored else None
            arrow = "↑" if self.higher_is_better[metric] else "↓"
            columns[f"{metric} {arrow}"] = [
                # A space in the place of the star keeps the numbers aligned.
                texts[method, metric] + ("*" if method == best else " ")
                for method in self.methods
            ]
        if self.seconds:
            columns["s / sample"] = [f"{self.seconds.get(method, float('nan')):.2g}" for method in self.methods]
        return pd.DataFrame(columns, index=pd.Index(self.methods, name=None))

    def _head(self) -> list[str]:
        target = f", target: {self.target}" if self.target else ""
        return [f"{counted(len(self.methods), 'method')} on {counted(len(self.ids), 'sample')}{target}"]

    def _over(self) -> str:
        return f" over {counted(len(set(self.groups)), 'group')} of samples" if self.groups else ""

    def _foot(self) -> list[str]:
        table = self.to_frame()
        missing = int(table["excluded"].max())
        lines = [
            f"Means with {self.confidence:.0%} intervals{self._over()}; * best mean; tests() gives the significance of "
            f"differences, corrected over the tests of one metric ({self.correction})."
        ]
        units = len(set(self.groups)) or len(self.ids)
        if len(self.methods) > 1 and (least := smallest_p(units)) > LEVEL:
            of = f"{units} {'group' if self.groups else 'sample'}{'s' if units != 1 else ''}"
            lines.append(f"No p of {of} is below {least:.2g}: a test of so few cannot show a difference.")
        return [*lines, f"Up to {counted(missing, 'sample')} had no score and were excluded."] if missing else lines


def _reach(one: NDArray[np.float64], two: NDArray[np.float64]) -> tuple[float, float] | None:
    """The largest difference that any two of these scores have, to both sides; none where all are the same.

    It bounds what equal differences, which have no spread, leave open.
    """
    both = np.concatenate([one, two])
    both = both[~np.isnan(both)]
    width = float(np.ptp(both)) if len(both) else 0.0
    return (-width, width) if width > 0 else None


def _value_text(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "-"
    if row["low"] is None:
        return f"{row['value']:.3g} ({row['reason']})"
    return f"{row['value']:.3g} ({row['low']:.3g} to {row['high']:.3g})"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    # JSON has no NaN; a plain None takes its place.
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
