"""Faithfulness: how much accuracy a classifier loses when the nodes that an explanation highlights are masked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.axes import BATCH, check_shape
from stexplain.checking import checked
from stexplain.checking.labels import refuse_booleans
from stexplain.data.baselines import Baseline, as_baseline
from stexplain.data.clips import Clips
from stexplain.errors import InputError, unknown
from stexplain.explainers.model.model_input import Signals, Streams
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.targets import Predicted
from stexplain.intervals.bootstrap import Interval, interval
from stexplain.metrics.arrays import as_array, names_of, sample_generator
from stexplain.metrics.calls import call_of, parts_of
from stexplain.metrics.importance import ClassImportance
from stexplain.metrics.masked_model import MaskedModel, baseline_name
from stexplain.metrics.masking import beta_interval, mean_over_masking

# Of clips that are given as such.
_BATCH = 64
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
        InputError: if the two differ in length, masking does not begin at 0, or a_0 is 0.

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
    # Rounded, so that decimal inputs such as 0.8 - 0.2 give their decimal result.
    return round(float((m * np.abs(a[0] - a)).sum() / a[0]), 12)


@checked
def node_sets(importance: ArrayLike, count: int, random: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Three sets of nodes of one size: the most important, the least important and a random one.

    Args:
        importance: of every node, ``[N]``; of equals, the lower index counts as the more important.
        count: how many nodes are in each set.
        random: draws the random set.

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
    # A stable sort of the negative keeps equals in the order of their index.
    order = np.argsort(-row, kind="stable")
    return {
        "highlighted": order[:count],
        "least": order[len(row) - count :],
        "random": random.choice(len(row), count, replace=False),
    }


@checked
@dataclass(frozen=True)
class MaskingCurve:
    """Accuracy against masking, for each of the node sets.

    Attributes:
        masking: m, ``[A]``, the first being 0.
        correct: whether each sample is classified correctly, for each set that was masked: ``[A, n]``, bool.
        ids: the names of the samples, n of them.
        baseline: the name of the baseline that nodes are moved towards.
        nodes: how many nodes each set has.
        unranked: how many samples have a predicted class without importance; they use the mean over classes.
    """

    masking: NDArray[np.float64]
    correct: dict[str, NDArray[np.bool_]]
    ids: tuple[str, ...]
    baseline: str
    nodes: int
    unranked: int

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
        """The accuracy at each masking with its bootstrap interval over samples."""
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


@checked
def masking_curve(
    model: nn.Module,
    batches: "Signals | Streams | Clips | Iterable[Signals | Streams]",
    class_importance: "ArrayLike | ClassImportance",
    *,
    nodes: int,
    masking: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    baseline: "str | Baseline | Tensor | ArrayLike" = "zero",
    seed: int = 0,
    sets: Sequence[str] = SETS,
    labels: ArrayLike | None = None,
    valid: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> MaskingCurve:
    """Masks nodes step by step and counts how many samples stay correctly classified (Das & Ortega, Tables 1-2).

    The nodes are chosen by the class importance (Eq. 6) of the class that the model predicts for the unmasked sample.
    They are masked in all frames and instances, ``x -> (1 - m) x + m baseline``. A sample's random set depends on the
    seed and its name.

    Args:
        model: any classifier, of logits ``[B, K]`` or of a single logit.
        batches: batches, or tensors in the model's own layout, or a single one, gone through once; or `Clips`, which
            are masked in batches. For whole datasets see `stexplain.metrics.dataset`.
        class_importance: psi of Eq. 6, ``[classes, N]``; NaN for classes that have none. A `ClassImportance` remembers
            how the model was called, but for `valid` and `per_sample`.
        nodes: how many nodes are masked.
        masking: the values of m; 0 is put first if it is missing.
        baseline: see `deletion_curve`.
        seed: of the random sets.
        sets: only these of `SETS` are masked.
        labels: the class of each sample, ``[n]``, in their order; default: the labels of the batches.
        valid: see `frozen_masked_model`; of all samples, in their order.
        shared: see `frozen_masked_model`.
        per_sample: see `frozen_masked_model`; of all samples, in their order.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: if an argument is out of range, a sample has no label, or `batches` is empty.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
        >>> curve = masking_curve(model, torch.ones(1, 2), [[0.9, 0.1]] * 2, nodes=1, labels=[0], inputs="b n")
        >>> curve.accuracy()[[0, -1]].tolist()
        [1.0, 0.0]
    """
    if isinstance(batches, Clips):
        batches = batches.batches(_BATCH)
    # Accuracy without masking, a_0 of Eq. 7, is always measured.
    steps = np.array([0.0, *[float(m) for m in masking if m != 0]])
    # Looked up before the loop: a misspelt name fails at once.
    as_baseline(baseline)
    check_sets(sets)
    remembered = class_importance if isinstance(class_importance, ClassImportance) else None
    maps = np.asarray(class_importance if remembered is None else remembered.psi, np.float64)
    check_shape("class_importance", maps.shape, "k n")
    ranked: NDArray[np.bool_] = np.logical_and.reduce(~np.isnan(maps), axis=1)
    if not ranked.any():
        raise InputError("class_importance: got NaN in every class; expected at least one class to choose nodes by.")
    # A class without importance (never predicted correctly) takes the mean over the other classes.
    filled = np.where(ranked[:, None], maps, maps[ranked].mean(axis=0))
    refuse_booleans("labels", labels, len(maps))
    call = call_of(None if remembered is None else remembered.call, options, valid, shared, per_sample)
    masked = MaskedModel(model, **call.options)
    correct: dict[str, list[NDArray[np.bool_]]] = {which: [] for which in sets}
    ids: list[str] = []
    unranked = 0
    for batch, part in parts_of(masked, batches, call):
        # One copy per forward pass, so that how samples are batched decides how much memory is used.
        masked.load(batch, part, at_once=1)
        check_shape("x", tuple(masked.batch.x.shape), BATCH, n=maps.shape[1])
        # A list as it is: as an array a number beside a name would be text.
        given = labels if labels is None or isinstance(labels, list | tuple) else as_array(labels)
        label = masked.labels(None if given is None else given[len(ids) : len(ids) + len(masked.batch)])
        if (label < 0).any():
            raise InputError(
                f"labels: got none for sample {len(ids) + int((label < 0).argmax())}; expected a class for each. Give "
                "`labels`, or batches that have them."
            )
        with masked.frozen():
            classes, predicted = _predictions(
                masked,
                filled,
                masked.baseline_values(baseline),
                steps,
                nodes,
                seed,
                names_of(masked.batch.ids, len(ids)),
                sets,
            )
        if (label >= len(maps)).any():
            first = int((label >= len(maps)).argmax())
            expected = f"expected 0 to {len(maps) - 1}, as class_importance has rows"
            raise InputError(f"labels: got class {label[first]} at sample {len(ids) + first}; {expected}.")
        unranked += int((~ranked[classes]).sum())
        ids += masked.batch.ids
        for which in sets:
            # [A, B] against the labels [B].
            correct[which].append(predicted[which] == label)
    if not ids:
        raise InputError("batches: got none; expected at least one batch.")
    joined = {which: np.concatenate(parts, axis=1) for which, parts in correct.items()}
    return MaskingCurve(steps, joined, tuple(ids), baseline_name(baseline), nodes, unranked)


def check_sets(sets: Sequence[str]) -> None:
    """Refuses what is not of `SETS`, and none at all."""
    if not sets:
        raise InputError(f"sets: got none; expected at least one of {list(SETS)}.")
    for which in sets:
        if which not in SETS:
            raise unknown("set", which, SETS)


def _predictions(
    masked: MaskedModel,
    importance: NDArray[np.float64],
    baseline: Tensor,
    steps: NDArray[np.float64],
    nodes: int,
    seed: int,
    names: Sequence[str],
    sets: Sequence[str],
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """The classes predicted for the unmasked samples, ``[B]``, and for each node set at each masking, ``[A, B]``."""
    target = Predicted()

    def read(output: Any, rows: slice) -> Tensor:
        return masked.scores(target, output, rows).classes

    # Classes are whole numbers, which float64 holds exactly.
    unmasked = masked.evaluate(lambda _: masked.batch.x, 1, read).astype(np.int64)
    if unmasked.max() >= len(importance):
        raise InputError(
            f"class_importance: got {len(importance)} classes and the model predicts class {unmasked.max()}; "
            "expected a row for each of the model's classes."
        )
    masks = node_masks(importance[unmasked[0]], names, nodes, seed)
    node_sets = [torch.from_numpy(masks[which]).to(baseline.device) for which in sets]
    rest = len(steps) - 1

    def perturbed(index: int) -> Tensor:
        which, step = divmod(index, rest)
        return masked.moved(node_sets[which], baseline, float(steps[step + 1]))

    by_set = masked.evaluate(perturbed, len(sets) * rest, read).astype(np.int64) if rest else unmasked[:0]
    own = np.split(by_set, len(sets))
    # m = 0 is the unmasked sample, which is the same for all sets.
    return unmasked[0], {which: np.concatenate([unmasked, own[index]]) for index, which in enumerate(sets)}


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
