"""The result of a comparison of two groups: a table, and what it says."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from stexplain.checking import checked
from stexplain.metrics.groups.accuracy import BalancedAccuracy
from stexplain.metrics.groups.readable import readable
from stexplain.result import Charted

if TYPE_CHECKING:
    from stexplain.graph import STGraph


@checked
@dataclass(frozen=True, repr=False, eq=False)
class GroupComparison(Charted):
    """Where and when the explanations of two groups of samples differ; `to_frame` has all numbers.

    Attributes:
        clusters: how many of each group, the reference first.
        paired: whether each cluster has samples of both groups.
        permutations: how many were made.
        smallest_p: the smallest p that so many clusters can give.
        reference: the label of the group that is compared with.
        other: the label of the other.
        samples: how many of each group.
        method: of the explanations.
        target: of the explanations, in words.
        unit: of the means.
        confidence: of the intervals.
        graph: of the nodes, where known.
        notes: what may make the groups differ although the model treats them alike, or has learned nothing, a sentence
            each.
        accuracy: of the network on these samples, beside chance; none: not known.

    Example:
        >>> import numpy as np
        >>> from stexplain import Explanation, compare_groups
        >>> values = np.random.default_rng(0).random((12, 1, 16, 2))
        >>> values[6:, ..., 1] += 2
        >>> e = Explanation(values, np.ones((12, 1, 16), bool), ("hip", "hand"))
        >>> found = compare_groups(e, ["control"] * 6 + ["patient"] * 6, windows=0)
        >>> found.different()["name"].tolist(), found.clusters, found.smallest_p == 2 / found.permutations
        (['hand'], (6, 6), True)
    """

    _table: pd.DataFrame
    clusters: tuple[int, int]
    paired: bool
    permutations: int
    smallest_p: float
    reference: str
    other: str
    samples: tuple[int, int]
    method: str
    target: str
    unit: str
    confidence: float
    graph: "STGraph | None"
    notes: tuple[str, ...] = ()
    accuracy: BalancedAccuracy | None = None

    _CHART = "group_comparison"

    def to_frame(self) -> pd.DataFrame:
        """A row per node, and per part of the samples' course.

        Returns:
            Columns ``kind`` ("node" or "time"), ``name``, the means ``reference`` and ``other`` with their intervals
            (``reference_low`` ...), their ``difference`` (other less reference) with ``low`` and ``high``, ``p``, and
            ``p_corrected`` over all rows. Missing where some cluster never observed a node: such a row is not tested.
            ``attrs`` has the sentences, as ``"said"``, and where known ``"accuracy"``: ``value, low, high, chance``.
        """
        table = self._table.copy()
        table.attrs["said"] = self.sentences()
        if self.accuracy is not None:
            # As JSON has them, which Parquet keeps: NaN is none.
            known = self.accuracy._asdict()
            table.attrs["accuracy"] = {name: None if value != value else value for name, value in known.items()}
        return table

    def _drawn_of(self) -> Any:
        return self

    def different(self, level: float = 0.05) -> pd.DataFrame:
        """The rows whose corrected p is at most `level`, the clearest first."""
        found = self._table[self._table["p_corrected"] <= float(level)]
        return found.sort_values(["p_corrected", "p"], kind="stable")

    def sentences(self, level: float = 0.05) -> list[str]:
        """What was compared and found, a sentence each."""
        tested = self._table.dropna(subset=["p"])
        found = self.different(level)
        said = [f"{self.other} against {self.reference}: {self._sizes()}."]
        if self.accuracy is not None:
            said.append(f"{str(self.accuracy).capitalize()}.")
        for kind, noun in (("node", "node"), ("time", "part of the course")):
            count = int((tested["kind"] == kind).sum())
            if not count:
                continue
            rows = found[found["kind"] == kind]
            nouns = noun if count == 1 else "parts of the course" if kind == "time" else "nodes"
            more, less = (
                [str(name) for name in rows["name"][way]] for way in (rows["difference"] > 0, rows["difference"] < 0)
            )
            words = [f"more at {_listed(more)}"] * bool(more) + [f"less at {_listed(less)}"] * bool(less)
            verb = "differs" if len(rows) == 1 else "differ"
            said.append(f"{len(rows)} of {count} {nouns} {verb}{': ' + ', '.join(words) if words else ''}.")
        said.append(f"p is at most {level:g} corrected over {len(tested)} tests; {self.permutations:,} permutations.")
        if self.smallest_p > level:
            said.append(
                f"So few clusters cannot show a difference: no p is below {self.smallest_p:.2g}, whatever is found."
            )
        if left := len(self._table) - len(tested):
            said.append(
                f"{left} {'node was' if left == 1 else 'nodes were'} not observed in some cluster, and not tested."
            )
        return [*said, *self.notes]

    def _sizes(self) -> str:
        other, first = self.clusters[1], self.clusters[0]
        if self.paired:
            return f"{first} clusters with samples of both, {self.samples[1]} and {self.samples[0]} samples"
        if (first, other) == self.samples:
            return f"{other} and {first} samples"
        return f"{other} and {first} clusters of {self.samples[1]} and {self.samples[0]} samples"

    def __repr__(self) -> str:
        return f"<GroupComparison {' '.join(self.sentences())}>"

    def __str__(self) -> str:
        table, factor = self._readable()
        return "\n".join([*self.sentences(), *factor, table.to_string(index=False)])

    def _repr_html_(self) -> str:
        """What a notebook shows: what was found, and the table in short; `to_frame` has it in full."""
        table, factor = self._readable()
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in [*self.sentences(), *factor])
        return said + str(table.to_html(index=False, escape=True, border=0))

    def _readable(self) -> tuple[pd.DataFrame, list[str]]:
        """The table as people read it, and a sentence on the factor of its numbers where there is one."""
        shown, factor = readable(self._table, self.reference, self.other, self.confidence)
        of = f" of {self.unit}" if self.unit else ""
        return shown, [f"Means{of} and their difference {factor}."] * bool(factor)


def _listed(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
