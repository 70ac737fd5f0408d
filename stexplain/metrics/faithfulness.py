"""Faithfulness: how much accuracy a classifier loses when the nodes that an explanation highlights are masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.errors import InputError, unknown
from stexplain.explainers.explanation import Explanation
from stexplain.intervals.bootstrap import Interval, interval
from stexplain.metrics.arrays import check_sample_ids, sample_generator
from stexplain.metrics.masked_model import MaskedModel
from stexplain.metrics.masking import beta_interval, mean_over_masking
from stexplain.metrics.ranking import equal_but_for_rounding
from stexplain.result import Charted
from stexplain.wording import counted

SETS = ("highlighted", "least", "random")
"""The masked nodes: the most important ones, the least important ones, or as many at random."""


@checked
def faithfulness(masking: ArrayLike, accuracy: ArrayLike) -> float:
    """The loss of accuracy as the highlighted nodes are masked: Das & Ortega (ICASSP 2022), Eq. 7.

        beta = sum over i of m_i |a_0 - a_i| / a_0

    Args:
        masking: m_i, in [0, 1], the first being 0.
        accuracy: a_i at each masking, in [0, 1] or in percent; a_0 unmasked.

    Returns:
        0 if nothing is lost; at most the sum of all m_i.

    Raises:
        InputError: if the two differ in length, masking does not begin at 0, a_0 is 0, or an accuracy is none.

    Example:
        >>> faithfulness([0.0, 0.5, 1.0], [0.8, 0.8, 0.2])
        0.75
    """
    m, a = np.asarray(masking, np.float64), np.asarray(accuracy, np.float64)
    check_shape("masking", m.shape, "i")
    if a.shape != m.shape or not len(m):
        raise InputError(f"accuracy: got shape {a.shape}; expected {m.shape}, one accuracy for each masking.")
    if m[0] != 0 or (m < 0).any() or (m > 1).any():
        raise InputError(f"masking: got {m.tolist()}; expected shares in [0, 1], 0 first.")
    if not a[0] > 0:
        raise InputError(f"accuracy: got {a[0]} without masking; expected more than 0, because Eq. 7 divides by it.")
    if not ((a >= 0) & np.isfinite(a)).all():
        raise InputError(f"accuracy: got {a.tolist()}; expected one of at least 0 for each masking.")
    # Rounded, so that decimal inputs such as 0.8 - 0.2 give their decimal result.
    return round(float((m * np.abs(a[0] - a)).sum() / a[0]), 12)


@checked
def node_sets(importance: ArrayLike, count: int, random: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Three sets of nodes of one size: the most important, the least important and a random one.

    Args:
        importance: of every node, ``[N]``; equals come in an order drawn at random, so that no node is preferred for
            its place: of a map that is the same everywhere all three sets are random.
        count: how many nodes are in each set.
        random: draws the random set, and the order of equals.

    Returns:
        Node indices for each name in `SETS`.

    Raises:
        InputError: if importance is not one number per node, or count is not between 1 and N.

    Example:
        >>> sets = node_sets([0.1, 0.9, 0.5], 1, np.random.default_rng(0))
        >>> sets["highlighted"].tolist(), sets["least"].tolist()
        ([1], [0])
    """
    row = np.asarray(importance, np.float64)
    check_shape("importance", row.shape, "n")
    if np.isnan(row).any():
        raise InputError(
            "importance: got NaN; expected a number per node. The class may have no correctly classified sample."
        )
    if not 1 <= count <= len(row):
        raise InputError(f"count: got {count}; expected between 1 and {len(row)} nodes.")
    # Drawn first, so that the random set does not depend on how equals are drawn.
    chosen = random.choice(len(row), count, replace=False)
    row = equal_but_for_rounding(row[None], np.abs(row)[None])[0]
    # lexsort sorts by its last key first.
    order = np.lexsort((random.random(len(row)), -row))
    return {"highlighted": order[:count], "least": order[len(row) - count :], "random": chosen}


@checked
@dataclass(frozen=True, repr=False)
class MaskingCurve(Charted):
    """Accuracy against masking, for each of the node sets.

    Attributes:
        masking: m, ``[A]``, the first being 0.
        correct: whether each sample is classified correctly, for each set that was masked: ``[A, n]``, bool.
        ids: the names of the samples, n of them.
        baseline: the name of the baseline that nodes are moved towards.
        nodes: how many nodes each set has.
        unranked: how many samples have a predicted class without importance; they use the mean over classes.

    Example:
        >>> correct = {"highlighted": np.array([[True, True], [True, False]]), "random": np.ones((2, 2), bool)}
        >>> curve = MaskingCurve(np.array([0.0, 1.0]), correct, ("a", "b"), "zero", nodes=1, unranked=0)
        >>> curve.accuracy("highlighted").tolist(), curve.faithfulness("highlighted").value
        ([1.0, 0.5], 0.5)
    """

    masking: NDArray[np.float64]
    correct: dict[str, NDArray[np.bool_]]
    ids: tuple[str, ...]
    baseline: str
    nodes: int
    unranked: int

    _CHART = "masking_curves"

    def _said(self) -> str:
        return f"{counted(len(self.ids), 'sample')}, {self.nodes} nodes masked, baseline {self.baseline}"

    def to_frame(
        self, *, groups: Any = None, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> pd.DataFrame:
        """A row per set of nodes and masking: ``set, masking, accuracy, low, high, baseline, nodes``.

        Args:
            groups: of the samples, see `stexplain.metrics.interval`.
            seed: of the draws.
            resamples: how many draws.
            confidence: in (0, 1).
        """
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        about = {"baseline": self.baseline, "nodes": self.nodes}
        return pd.DataFrame(
            [
                {"set": which, "masking": float(m), "accuracy": one.value, "low": one.low, "high": one.high, **about}
                for which in self.correct
                for m, one in zip(self.masking, self.accuracy_interval(which, **options), strict=True)
            ]
        )

    def _of(self, which: str) -> NDArray[np.bool_]:
        if which not in self.correct:
            raise unknown("set (which)", which, self.correct)
        return self.correct[which]

    def accuracy(self, which: str = "highlighted") -> NDArray[np.float64]:
        """The share of correctly classified samples at each masking, ``[A]``."""
        means: NDArray[np.float64] = self._of(which).mean(axis=1)
        return means

    def accuracy_interval(
        self,
        which: str = "highlighted",
        *,
        groups: Any = None,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> list[Interval]:
        """The `accuracy` of `which` at each masking, with intervals over samples; see `stexplain.metrics.interval`."""
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        return [interval(row.astype(float), bounds=(0, 1), **options) for row in self._of(which)]

    def areas(self, which: str = "highlighted") -> NDArray[np.float64]:
        """The mean over m of each sample's being classified correctly, ``[n]``: the area of its curve, in [0, 1]."""
        return mean_over_masking(self.masking, self._of(which).astype(np.float64))

    def faithfulness(
        self,
        which: str = "highlighted",
        *,
        signed: bool = False,
        groups: Any = None,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> Interval:
        """Eq. 7 with its interval over samples; see `faithfulness` and `stexplain.metrics.masking.beta_interval`.

        Args:
            which: one of `SETS`.
            signed: beta with its sign, for tests: without bias, and below 0 where masking helps. False: as published,
                which is above 0 by chance alone; of 0.036 on 480 samples of which masking changes nothing on average.
            groups: of the samples, see `stexplain.metrics.interval`.
            seed: of the draws.
            resamples: how many draws.
            confidence: in (0, 1).
        """
        correct = self._of(which).astype(np.float64)
        beta = faithfulness(self.masking, correct.mean(axis=1))
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        return beta_interval(self.masking, correct[:1] - correct, correct[0], published=beta, signed=signed, **options)


def check_sets(sets: Sequence[str]) -> None:
    """Refuses what is not of `SETS`, and none at all."""
    if not sets:
        raise InputError(f"sets: got none; expected at least one of {list(SETS)}.")
    for which in sets:
        if which not in SETS:
            raise unknown("set", which, SETS)


def node_masks(
    importance: NDArray[np.float64], ids: Sequence[str], count: int, seed: int
) -> dict[str, NDArray[np.bool_]]:
    """The sets of `node_sets` for each sample, as masks ``[B, N]``.

    Args:
        importance: of the nodes of each sample, ``[B, N]``.
        ids: names of the samples; a sample's random set depends on the seed and its name.
        count: how many nodes each set has.
        seed: of the random sets.
    """
    masks = {which: np.zeros(importance.shape, np.bool_) for which in SETS}
    for row, (values, name) in enumerate(zip(importance, ids, strict=True)):
        for which, nodes in node_sets(values, count, sample_generator(seed, name)).items():
            masks[which][row, nodes] = True
    return masks


def importance_of_nodes(importance: Any, batch: Any, masked: MaskedModel) -> NDArray[np.float64]:
    """The importance of the nodes of each sample, ``[B, N]``, of what `forecast_masking_curve` takes.

    Args:
        importance: an `Explanation`, a function of the batch, or numbers ``[N]``.
        batch: as it was given.
        masked: holds it.

    Raises:
        InputError: where it is of other samples or nodes.
    """
    samples, _, _, nodes = masked.observed.shape
    if isinstance(importance, Explanation):
        check_sample_ids("node_importance", importance.ids, masked.batch.ids)
        rows = importance.nodes().to_numpy(np.float64)
    elif callable(importance):
        rows = np.asarray(importance(batch), np.float64)
    else:
        row = np.asarray(importance, np.float64)
        check_shape("node_importance", row.shape, "n", n=nodes)
        return np.broadcast_to(row, (samples, nodes))
    check_shape("node_importance", rows.shape, "b n", b=samples, n=nodes)
    return rows
