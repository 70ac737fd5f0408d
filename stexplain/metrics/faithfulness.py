"""Faithfulness: how much accuracy a classifier loses when the nodes that an explanation highlights are masked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stexplain.axes import BATCH, Layout, check_shape
from stexplain.data.baselines import baseline as named_baseline
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.model.frozen import frozen_eval
from stexplain.explainers.model.inspection import device_and_dtype, first_tensor, model_attribute, takes, unwrapped
from stexplain.explainers.model.recipe import apply_recipe
from stexplain.graph import STGraph
from stexplain.metrics.arrays import sample_generator
from stexplain.metrics.bootstrap import Interval, interval, quantiles, resampling_weights
from stexplain.metrics.masking import mask_nodes

SETS = ("highlighted", "least", "random")
"""The masked nodes: the most important ones, the least important ones, or as many at random."""


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


@dataclass(frozen=True)
class MaskingCurve:
    """Accuracy against masking, for each of the node sets.

    Attributes:
        masking: m, ``[A]``, the first being 0.
        correct: whether each sample is classified correctly, for each name in `SETS`: ``[A, n]``, bool.
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

    def accuracy(self, which: str = "highlighted") -> NDArray[np.float64]:
        """The share of correctly classified samples at each masking, ``[A]``."""
        means: NDArray[np.float64] = self.correct[which].mean(axis=1)
        return means

    def accuracy_interval(
        self, which: str = "highlighted", *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> list[Interval]:
        """The accuracy at each masking with its bootstrap interval over samples."""
        options = {"seed": seed, "resamples": resamples}
        return [interval(row.astype(float), confidence=confidence, **options) for row in self.correct[which]]

    def faithfulness(
        self, which: str = "highlighted", *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> Interval:
        """Eq. 7 with its bootstrap interval over samples; see `faithfulness`."""
        correct = self.correct[which].astype(np.float64)
        beta = faithfulness(self.masking, correct.mean(axis=1))
        draws = []
        for weights in resampling_weights(correct.shape[1], seed=seed, resamples=resamples):
            # [resamples, A]: the accuracy of every resample at every masking.
            a = weights @ correct.T / correct.shape[1]
            lost = (self.masking * np.abs(a[:, :1] - a)).sum(axis=1)
            # A resample without a correctly classified sample has no beta.
            draws.append(np.where(a[:, 0] > 0, lost / np.where(a[:, 0] > 0, a[:, 0], 1), np.nan))
        low, high = quantiles(np.concatenate(draws), confidence)
        return Interval(beta, float(low), float(high))


def masking_curve(
    model: nn.Module,
    batches: Iterable[Batch],
    class_importance: ArrayLike,
    *,
    nodes: int,
    masking: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    baseline: str = "zero",
    seed: int = 0,
    graph: STGraph | None = None,
) -> MaskingCurve:
    """Masks nodes step by step and counts how many samples stay correctly classified (Das & Ortega, Tables 1-2).

    The nodes are chosen by the class importance (Eq. 6) of the class that the model predicts for the unmasked sample.
    They are masked in all frames and instances, ``x -> (1 - m) x + m baseline``. A sample's random set depends on the
    seed and its name.

    Args:
        model: any classifier; its input laid out as `model.inputs` says, else ``"b m t n c"``.
        batches: labelled batches; gone through once.
        class_importance: psi of Eq. 6, ``[classes, N]``; NaN for classes that have none.
        nodes: how many nodes are masked.
        masking: the values of m; 0 is put first if it is missing.
        baseline: the name of one in `stexplain.data.baselines`.
        seed: of the random sets.
        graph: for the baseline `neighbours`; default: `model.graph`.

    Raises:
        InputError: if an argument is out of range, or `batches` is empty.
    """
    # Accuracy without masking, a_0 of Eq. 7, is always measured.
    steps = np.array([0.0, *[float(m) for m in masking if m != 0]])
    # Looked up before the loop: a misspelt name fails at once.
    baseline_values = named_baseline(baseline)
    maps = np.asarray(class_importance, np.float64)
    check_shape("class_importance", maps.shape, "k n")
    ranked: NDArray[np.bool_] = np.logical_and.reduce(~np.isnan(maps), axis=1)
    if not ranked.any():
        raise InputError("class_importance: got NaN in every class; expected at least one class to choose nodes by.")
    model = unwrapped(model)
    inputs = Layout(model_attribute(model, "inputs", str) or BATCH)
    graph = graph if graph is not None else model_attribute(model, "graph", STGraph)
    device, dtype = device_and_dtype(model)
    # A class without importance (never predicted correctly) takes the mean over the other classes.
    filled = np.where(ranked[:, None], maps, maps[ranked].mean(axis=0))
    correct: dict[str, list[NDArray[np.bool_]]] = {which: [] for which in SETS}
    ids: list[str] = []
    unranked = 0
    with frozen_eval(model), torch.no_grad():

        def predicted(x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
            model_input = inputs.from_batch(x)
            # Only models that know about padding take the mask.
            output = model(model_input, valid=valid) if takes(model, "valid") else model(model_input)
            return first_tensor(output, "the model").argmax(1)

        for batch in batches:
            samples = apply_recipe(model, batch).to(device)
            x, valid = samples.x.to(dtype), samples.valid
            check_shape("x", tuple(x.shape), BATCH, n=maps.shape[1])
            unmasked = predicted(x, valid)
            classes = unmasked.cpu().numpy()
            if len(classes) and classes.max() >= len(maps):
                raise InputError(
                    f"class_importance: got {len(maps)} classes and the model predicts class {classes.max()}; "
                    "expected a row for each of the model's classes."
                )
            unranked += int((~ranked[classes]).sum())
            ids += batch.ids
            values = baseline_values(x, valid, graph)
            masks = node_masks(filled[classes], batch.ids, nodes, seed)
            for which in SETS:
                mask = torch.from_numpy(masks[which]).to(device)
                # m = 0 is the unmasked sample, which is the same for all sets.
                rows = [unmasked] + [predicted(mask_nodes(x, values, mask, m), valid) for m in steps[1:]]
                # [A, B] against the labels [B].
                correct[which].append((torch.stack(rows) == samples.label).cpu().numpy())
    if not ids:
        raise InputError("batches: got none; expected at least one batch.")
    joined = {which: np.concatenate(parts, axis=1) for which, parts in correct.items()}
    return MaskingCurve(steps, joined, tuple(ids), baseline, nodes, unranked)


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
