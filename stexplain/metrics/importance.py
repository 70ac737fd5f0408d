"""Class importance: the mean importance of every node for every class, over correctly classified samples (Eq. 6)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.checking.labels import class_labels
from stexplain.errors import InputError, unknown
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.options import ModelCall
from stexplain.intervals.bootstrap import Interval
from stexplain.intervals.groups import group_names
from stexplain.intervals.poisson import mean_ends, poisson_weights, student_reach
from stexplain.intervals.units import FEWEST, too_few
from stexplain.result import Charted
from stexplain.wording import counted

_GROUP = b"group "
"""Begins the name of a unit that is a group."""


@checked
class ClassImportance(Charted):
    """Importance per class and node: Das & Ortega (ICASSP 2022), Eq. 6.

        psi[c, n] = mean over correctly classified samples of class c
                    of the mean over valid frames and instances of ReLU(H[m, t, n])

    A sample in which a node was never observed tells nothing of that node: the mean is over those in which it was.

    Explanations are added batch by batch in constant memory, and importances of other shards can be merged; neither
    order nor shards change the result beyond float64 rounding. Intervals come from a Poisson bootstrap: the weight of a
    sample in each resample is a Poisson(1) draw that depends on the seed and the name of its group alone, or on its own
    name where it is in no group.

    Args:
        classes: names of the classes; the index is the label.
        nodes: names of the nodes.
        seed: of the bootstrap.
        resamples: of the bootstrap; 0 for none. They take ``resamples x classes x N x 16`` bytes.
        parity: ``"das2022"``: the first instance only, and the mean over the layer's positions instead of over frames,
            as in the authors' released code. A node that was not observed counts as zero there.

    Example:
        >>> importance = ClassImportance(["throw", "kick"], ["hand", "foot"])
        >>> e = Explanation(np.array([[[[2.0, 0.0]]], [[[4.0, -1.0]]]]), np.ones((2, 1, 1), bool), ids=("a", "b"))
        >>> importance.update(e, labels=[0, 0], correct=[True, True])
        >>> importance.to_frame().loc["throw"].tolist()
        [3.0, 0.0]
        >>> importance.counts.tolist()
        [2, 0]
    """

    def __init__(
        self,
        classes: Sequence[str],
        nodes: Sequence[str],
        *,
        seed: int = 0,
        resamples: int = 200,
        parity: Literal["das2022"] | None = None,
    ):
        if parity not in (None, "das2022"):
            raise unknown("parity", parity, ["das2022"])
        if resamples < 0:
            raise InputError(f"resamples: got {resamples}; expected 0 or more.")
        self.classes, self.nodes = tuple(classes), tuple(nodes)
        self.seed, self.resamples, self.parity = seed, resamples, parity
        self.call: ModelCall | None = None
        """How the model was called for the first explanation, but for what belongs to its samples; none: unknown."""
        self.counts: NDArray[np.int64] = np.zeros(len(self.classes), np.int64)
        self._sums = np.zeros((len(self.classes), len(self.nodes)))
        # In how many of the samples a node was observed.
        self._observed = np.zeros(self._sums.shape, np.int64)
        self._resampled_observed = np.zeros((resamples, *self._sums.shape))
        self._resampled_sums = np.zeros((resamples, *self._sums.shape))
        # What is independent: the groups of each class, or its samples, and in which of them each node was observed,
        # [N]. Their number decides how wide an interval is.
        self._units: list[dict[bytes, NDArray[np.bool_]]] = [{} for _ in self.classes]

    def update(
        self, explanation: Explanation, labels: ArrayLike, correct: ArrayLike | None = None, *, groups: Any = None
    ) -> None:
        """Adds the correctly classified samples of an explanation.

        Args:
            explanation: of the class that each sample belongs to; `Predicted()` is, for correct samples.
            labels: the class of every sample, ``[B]``, by number or name.
            correct: whether the model classified each sample correctly, ``[B]``; default: if the explained class is the
                label.

            groups: a label per sample, ``[B]``, the same for samples that are not independent; see
                `stexplain.metrics.interval`. All updates name them, or none.

        Raises:
            InputError: if shapes, nodes or labels do not fit, or a correct sample was explained for another class.
        """
        label = class_labels("labels", labels, self.classes)
        check_shape("labels", label.shape, "b", b=len(explanation))
        if explanation.values.shape[-1] != len(self.nodes):
            raise InputError(
                f"explanation: got {explanation.values.shape[-1]} nodes; expected {len(self.nodes)}, as given to "
                "ClassImportance."
            )
        if correct is None and (explanation.targets < 0).any():
            raise InputError("correct: got None for an explanation of no class; expected a mask [B]. Give `correct`.")
        counted = explanation.targets == label if correct is None else np.asarray(correct, np.bool_)
        check_shape("correct", counted.shape, "b", b=len(explanation))
        other = counted & (explanation.targets >= 0) & (explanation.targets != label)
        if other.any():
            raise InputError(
                f"explanation: got {int(other.sum())} correct samples explained for a class that is not their label, "
                f"the first at index {int(other.argmax())}; expected the label. Explain Predicted(), or the label."
            )
        if self.call is None and explanation.call is not None:
            self.call = ModelCall(
                explanation.call.options, shared=explanation.call.shared, stream=explanation.call.stream
            )
        means, observed = self._sample_means(explanation)
        units = _units_of(explanation, means, groups)
        # Class by class, because `sums[label] += means` would add only one of several samples of a class.
        for index in np.unique(label[counted]):
            rows = np.flatnonzero(counted & (label == index))
            self.counts[index] += len(rows)
            self._sums[index] += means[rows].sum(axis=0)
            self._observed[index] += observed[rows].sum(axis=0)
            if self.resamples:
                # [samples, resamples]: sums and counts of every resample are kept, so that shards can be merged.
                weights = np.stack([poisson_weights(self.seed, units[row], self.resamples) for row in rows])
                self._add_units(index, ((units[row], observed[row]) for row in rows))
                self._resampled_observed[:, index] += weights.T @ observed[rows]
                self._resampled_sums[:, index] += weights.T @ means[rows]

    def merge(self, other: "ClassImportance") -> None:
        """Adds the samples of another class importance, such as of another shard.

        Raises:
            InputError: if it has other classes, nodes, seed, resamples or parity.
        """
        for name in ("classes", "nodes", "seed", "resamples", "parity"):
            if getattr(self, name) != getattr(other, name):
                raise InputError(
                    f"other: got a class importance of different {name}; expected the same. Make both with the same "
                    "classes, nodes, seed, resamples and parity."
                )
        self.call = self.call or other.call
        self.counts += other.counts
        self._sums += other._sums
        self._observed += other._observed
        self._resampled_observed += other._resampled_observed
        self._resampled_sums += other._resampled_sums
        for index, units in enumerate(other._units):
            self._add_units(index, units.items())

    def _add_units(self, index: int, units: Iterable[tuple[bytes, NDArray[np.bool_]]]) -> None:
        own = self._units[index]
        for name, observed in units:
            own[name] = own[name] | observed if name in own else observed

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that was added so far, as arrays that can be kept in a file; see `add_arrays`."""
        units = [(index, name, each[name]) for index, each in enumerate(self._units) for name in sorted(each)]
        return {
            "counts": self.counts,
            "sums": self._sums,
            "observed": self._observed,
            "resampled_observed": self._resampled_observed,
            "resampled_sums": self._resampled_sums,
            "unit_classes": np.array([index for index, _, _ in units], np.int64),
            "units": np.array([name.hex() for _, name, _ in units], np.str_),
            "unit_observed": np.array([each for _, _, each in units], np.bool_).reshape(-1, len(self.nodes)),
        }

    def add_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Adds what `arrays` gave of another class importance of the same classes, nodes, seed, resamples and parity.

        Raises:
            InputError: if they are of other sizes.
        """
        own: dict[str, NDArray[Any]] = {"counts": self.counts, "sums": self._sums, "observed": self._observed}
        own |= {"resampled_observed": self._resampled_observed, "resampled_sums": self._resampled_sums}
        # All are looked at before the first is added.
        if lacking := [name for name in (*own, "unit_classes", "units", "unit_observed") if name not in arrays]:
            raise InputError(f"arrays: got {sorted(arrays)}; expected {lacking[0]!r} too, as `arrays` gives it.")
        for name, values in own.items():
            if np.shape(arrays[name]) != values.shape:
                raise InputError(
                    f"arrays[{name!r}]: got shape {np.shape(arrays[name])}; expected {values.shape}, as of this one."
                )
        classes, units, observed = arrays["unit_classes"].tolist(), arrays["units"].tolist(), arrays["unit_observed"]
        check_shape("units", arrays["units"].shape, "units", units=len(classes))
        check_shape("unit_observed", observed.shape, "units n", units=len(classes), n=len(self.nodes))
        for name, values in own.items():
            values += arrays[name]
        for index, unit, each in zip(classes, units, observed, strict=True):
            self._add_units(index, [(bytes.fromhex(unit), each)])

    @property
    def psi(self) -> NDArray[np.float64]:
        """Class importance, psi of Eq. 6, ``[classes, N]``.

        NaN where it is not known: for a class without a correctly classified sample, and for a node that was observed
        in none of them.
        """
        return _means(self._sums, self._observed)

    @property
    def draws(self) -> NDArray[np.float64]:
        """`psi` in each resample, ``[resamples, classes, N]``."""
        return _means(self._resampled_sums, self._resampled_observed)

    @overload
    def interval(self, statistic: None = None, *, confidence: float = ...) -> NDArray[np.float64]: ...
    @overload
    def interval(
        self, statistic: Callable[[NDArray[np.float64]], float], *, nodes: ArrayLike = ..., confidence: float = ...
    ) -> Interval: ...
    def interval(
        self,
        statistic: Callable[[NDArray[np.float64]], float] | None = None,
        *,
        nodes: ArrayLike | None = None,
        confidence: float = 0.95,
    ) -> "NDArray[np.float64] | Interval":
        """The interval over samples or groups, of psi or of a statistic of it, such as contrastivity.

        Of psi: Student's t times the standard deviation of its resamples, at least 0. Of a statistic, with ``bias`` the
        mean of its resamples less its value::

            value - bias +- sqrt((t sd)^2 + bias^2)

        Noise in psi makes classes look different, so contrastivity of few samples is too large, and that of their
        resamples is so once more: that is the bias. t has the degrees of the number of samples, or groups, of a class
        in which the node was observed; for a statistic, of the class and node of the fewest.

        Args:
            statistic: from psi ``[classes, N]`` to a number; none: psi itself.
            nodes: those that the statistic is of, by index; default: all that were observed.
            confidence: in (0, 1).

        Returns:
            The ends ``[2, classes, N]``, NaN for fewer than 5 samples or groups; or, for a statistic, its value and
            ends, NaN with the reason where a class has fewer than 5, or a node of it was observed in fewer.

        Raises:
            InputError: if `resamples` is 0.
        """
        if not self.resamples:
            raise InputError(
                "resamples: got 0; expected at least 1 for an interval. Give `resamples` to ClassImportance."
            )
        if statistic is None:
            ends = mean_ends(self.psi, self.draws, self._units_of_nodes(), confidence)
            # Importance is positive: the mean of ReLU.
            return np.maximum(ends, 0.0)
        value = float(statistic(self.psi))
        counts = self._units_of_nodes()
        counts = counts if nodes is None else counts[:, np.asarray(nodes).reshape(-1)]
        # What was never observed is part of no number.
        fewest = int(counts[counts > 0].min(initial=np.iinfo(np.int64).max)) if counts.any() else 0
        if fewest < FEWEST:
            grouped = any(unit.startswith(_GROUP) for units in self._units for unit in units)
            whole = any(0 < len(units) <= fewest for units in self._units) or not fewest
            of = "a class has" if whole else "a node of a class was observed in"
            return Interval(value, np.nan, np.nan, f"{of} {too_few(fewest, grouped=grouped)}")
        draws = np.array([statistic(draw) for draw in self.draws])
        draws = draws[~np.isnan(draws)]
        if not len(draws):
            return Interval(value, np.nan, np.nan, "no resample has the statistic")
        bias = float(draws.mean()) - value
        # The bias is an estimate too: its size counts as a further error.
        reach = float(np.hypot(student_reach(fewest, confidence) * draws.std(), bias))
        return Interval(value, value - bias - reach, value - bias + reach)

    def _units_of_nodes(self) -> NDArray[np.int64]:
        """In how many groups, or samples, of each class each node was observed, ``[classes, N]``."""
        counts = np.zeros(self._sums.shape, np.int64)
        for index, units in enumerate(self._units):
            for observed in units.values():
                counts[index] += observed
        return counts

    def to_frame(self) -> pd.DataFrame:
        """`psi` as a table: a row per class, a column per node."""
        return pd.DataFrame(
            self.psi, index=pd.Index(self.classes, name="class"), columns=pd.Index(self.nodes, name="node")
        )

    _CHART = "importance_map"

    def _said(self) -> str:
        return f"{len(self.classes)} classes and {len(self.nodes)} nodes, {counted(int(self.counts.sum()), 'sample')}"

    def display(self) -> pd.DataFrame:
        """The table with each class scaled to [0, 1] by min-max, for figures only; zeros if a class is constant."""
        table = self.to_frame()
        low, high = table.min(axis=1), table.max(axis=1)
        return table.sub(low, axis=0).div((high - low).where(high > low, 1.0), axis=0)

    def _sample_means(self, explanation: Explanation) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The importance of the nodes of each sample, and which of them were observed in it; both ``[B, N]``."""
        if self.parity is None:
            observed: NDArray[np.bool_] = np.logical_or.reduce(explanation.present, axis=(1, 2))
            return explanation.nodes().to_numpy(np.float64), observed
        if explanation.layer_values is None:
            raise InputError(
                "parity: got 'das2022' for an explanation without a layer's values; expected one of a layer."
            )
        # [B, T', N]: the first instance only.
        maps = np.maximum(explanation.layer_values[:, 0].astype(np.float64), 0)
        # The released code keeps the first ceil(T' f / T) positions of a clip of f frames: those that start within it.
        frames: NDArray[np.bool_] = np.logical_or.reduce(explanation.valid, axis=1)
        within = np.stack(
            [frames[:, start : start + explanation.stride].any(axis=1) for start in self._starts(explanation)]
        )
        weight = within.T / np.maximum(within.T.sum(axis=1, keepdims=True), 1)
        means: NDArray[np.float64] = np.einsum("btn,bt->bn", maps, weight)
        return means, np.ones(means.shape, np.bool_)

    @staticmethod
    def _starts(explanation: Explanation) -> range:
        """The first frame of each of the layer's T' positions in time."""
        assert explanation.layer_values is not None
        return range(0, explanation.layer_values.shape[2] * explanation.stride, explanation.stride)


def _units_of(explanation: Explanation, means: NDArray[np.float64], groups: Any) -> list[bytes]:
    """What each sample is resampled as: its group, its name, or, without either, its importance."""
    if groups is not None:
        return [_GROUP + f"{name}".encode() for name in group_names(groups, len(explanation))]
    return [
        name.encode() if name else mean.astype(np.float32).tobytes()
        for name, mean in zip(explanation.ids, means, strict=True)
    ]


def _means(sums: NDArray[np.float64], counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    # Of no samples there is no mean.
    means: NDArray[np.float64] = sums / np.where(counts, counts, np.nan)
    return means
