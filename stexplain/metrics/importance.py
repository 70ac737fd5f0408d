"""Class importance: which nodes decide each class, over all samples that the model gets right."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.errors import InputError, unknown
from stexplain.explainers.explanation import Explanation
from stexplain.metrics.bootstrap import Interval, quantiles


class ClassImportance:
    """Importance per class and node: Das & Ortega (ICASSP 2022), Eq. 6.

        psi[c, n] = mean over correctly classified samples of class c
                    of the mean over valid frames and instances of ReLU(H[m, t, n])

    Explanations are added batch by batch, in constant memory, and parts made elsewhere are merged; neither the order
    nor the parts change the result beyond float64's rounding. Intervals are by a Poisson bootstrap: in each resample
    a sample counts as often as a Poisson(1) draw says that depends on the seed and the sample's name alone.

    Args:
        classes: names of the classes; the index is the label.
        nodes: names of the nodes.
        seed: of the bootstrap.
        resamples: of the bootstrap; 0: none. They take ``resamples x classes x N x 8`` bytes.
        parity: ``"das2022"``: the first instance only, and the mean over the layer's cells instead of over frames, as
            the authors' released code does.

    Example:
        >>> importance = ClassImportance(["throw", "kick"], ["hand", "foot"])
        >>> e = Explanation(np.array([[[[2.0, 0.0]]], [[[4.0, -1.0]]]]), np.ones((2, 1, 1), bool), ids=("a", "b"))
        >>> importance.update(e, labels=[0, 0], correct=[True, True])
        >>> importance.table().loc["throw"].tolist()
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
            raise InputError(f"resamples is {resamples}; wanted 0 or more.")
        self.classes, self.nodes = tuple(classes), tuple(nodes)
        self.seed, self.resamples, self.parity = seed, resamples, parity
        self.counts: NDArray[np.int64] = np.zeros(len(self.classes), np.int64)
        self._sums = np.zeros((len(self.classes), len(self.nodes)))
        self._drawn_counts = np.zeros((resamples, len(self.classes)))
        self._drawn_sums = np.zeros((resamples, *self._sums.shape))

    def update(self, explanation: Explanation, labels: ArrayLike, correct: ArrayLike | None = None) -> None:
        """Adds the samples of an explanation that were classified correctly.

        Args:
            explanation: of the class that each sample belongs to; `Predicted()` is, for correct samples.
            labels: the class of every sample, ``[B]``.
            correct: whether the model got it right, ``[B]``; default: where the explained class is the label.

        Raises:
            InputError: where shapes, nodes or labels do not fit, or a correct sample was explained for another class.
        """
        label = np.asarray(labels, np.int64)
        check_shape("labels", label.shape, "b", b=len(explanation))
        if len(label) and not (label.min() >= 0 and label.max() < len(self.classes)):
            raise InputError(
                f"labels reach from {label.min()} to {label.max()}; there are {len(self.classes)} classes."
            )
        if explanation.values.shape[-1] != len(self.nodes):
            raise InputError(f"the explanation has {explanation.values.shape[-1]} nodes, not {len(self.nodes)}.")
        if correct is None and (explanation.targets < 0).any():
            raise InputError("the explanation is of no class, so `correct` must be given.")
        right = explanation.targets == label if correct is None else np.asarray(correct, np.bool_)
        check_shape("correct", right.shape, "b", b=len(explanation))
        other = right & (explanation.targets >= 0) & (explanation.targets != label)
        if other.any():
            raise InputError(
                f"{int(other.sum())} correct samples were explained for a class that is not theirs, the first being "
                f"number {int(other.argmax())}. Explain Predicted(), or the label."
            )
        means = self._sample_means(explanation)
        for number in np.unique(label[right]):
            rows = np.flatnonzero(right & (label == number))
            self.counts[number] += len(rows)
            self._sums[number] += means[rows].sum(axis=0)
            if self.resamples:
                drawn = np.stack([self._draws(explanation.ids[row], means[row]) for row in rows])
                self._drawn_counts[:, number] += drawn.sum(axis=0)
                self._drawn_sums[:, number] += drawn.T @ means[rows]

    def merge(self, other: "ClassImportance") -> None:
        """Adds all that another one of the same kind has seen.

        Raises:
            InputError: where it is of other classes, nodes, seed, resamples or parity.
        """
        for name in ("classes", "nodes", "seed", "resamples", "parity"):
            if getattr(self, name) != getattr(other, name):
                raise InputError(f"class importances of different {name} cannot be merged.")
        self.counts += other.counts
        self._sums += other._sums
        self._drawn_counts += other._drawn_counts
        self._drawn_sums += other._drawn_sums

    @property
    def psi(self) -> NDArray[np.float64]:
        """Importance ``[classes, N]``; NaN for a class without a correctly classified sample."""
        return _means(self._sums, self.counts)

    @property
    def draws(self) -> NDArray[np.float64]:
        """`psi` in each resample, ``[resamples, classes, N]``."""
        return _means(self._drawn_sums, self._drawn_counts)

    @overload
    def interval(self, statistic: None = None, *, confidence: float = 0.95) -> NDArray[np.float64]: ...
    @overload
    def interval(self, statistic: Callable[[NDArray[np.float64]], float], *, confidence: float = 0.95) -> Interval: ...
    def interval(
        self, statistic: Callable[[NDArray[np.float64]], float] | None = None, *, confidence: float = 0.95
    ) -> "NDArray[np.float64] | Interval":
        """The bootstrap interval over samples, of psi or of a number made of it, such as contrastivity.

        Args:
            statistic: psi ``[classes, N]`` to a number; none: psi itself.
            confidence: in (0, 1).

        Returns:
            The ends ``[2, classes, N]``, or, for a statistic, its value and ends.

        Raises:
            InputError: where no resamples were asked for at the start.
        """
        if not self.resamples:
            raise InputError("there are no resamples to make an interval of. Give `resamples`.")
        if statistic is None:
            return quantiles(self.draws, confidence)
        low, high = quantiles(np.array([statistic(draw) for draw in self.draws]), confidence)
        return Interval(float(statistic(self.psi)), float(low), float(high))

    def table(self) -> pd.DataFrame:
        """`psi` as a table: a row per class, a column per node."""
        return pd.DataFrame(
            self.psi, index=pd.Index(self.classes, name="class"), columns=pd.Index(self.nodes, name="node")
        )

    def display(self) -> pd.DataFrame:
        """The table with each class stretched to [0, 1], for figures only; zeros where a class is constant."""
        table = self.table()
        low, high = table.min(axis=1), table.max(axis=1)
        return table.sub(low, axis=0).div((high - low).where(high > low, 1.0), axis=0)

    def _sample_means(self, explanation: Explanation) -> NDArray[np.float64]:
        if self.parity is None:
            return explanation.nodes().to_numpy(np.float64)
        if explanation.layer_values is None:
            raise InputError("parity='das2022' is about a layer's cells, and the explanation has none.")
        cells = np.maximum(explanation.layer_values[:, 0].astype(np.float64), 0)
        # The released code keeps the first ceil(T' f / T) cells of a clip of f frames: those that begin within it.
        frames: NDArray[np.bool_] = np.logical_or.reduce(explanation.valid, axis=1)
        ok = np.stack(
            [frames[:, start : start + explanation.stride].any(axis=1) for start in self._starts(explanation)]
        )
        weight = ok.T / np.maximum(ok.T.sum(axis=1, keepdims=True), 1)
        means: NDArray[np.float64] = np.einsum("btn,bt->bn", cells, weight)
        return means

    @staticmethod
    def _starts(explanation: Explanation) -> range:
        assert explanation.layer_values is not None
        return range(0, explanation.layer_values.shape[2] * explanation.stride, explanation.stride)

    def _draws(self, name: str, mean: NDArray[np.float64]) -> NDArray[np.int64]:
        """How often a sample counts in each resample."""
        what = name.encode() if name else mean.astype(np.float32).tobytes()
        digest = hashlib.blake2b(f"{self.seed}:".encode() + what, digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest)).poisson(1.0, self.resamples)


def _means(sums: NDArray[np.float64], counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.where(counts > 0, 1.0, np.nan)[..., None] * sums / np.maximum(counts, 1)[..., None]
    return means
