"""Faithfulness: what hiding the nodes that an explanation points at does to a model's accuracy."""

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
from stexplain.explainers.explainer import model_attribute
from stexplain.explainers.model.state import apply_recipe, device_and_dtype, first_tensor, frozen_eval, takes, unwrapped
from stexplain.graph import STGraph
from stexplain.metrics.bootstrap import Interval, interval, quantiles, resampling_weights
from stexplain.metrics.items import generator
from stexplain.metrics.masking import mask_nodes

SETS = ("highlighted", "least", "random")
"""Which nodes are hidden: the most important ones, the least important ones, or as many at random."""


def faithfulness(masking: ArrayLike, accuracy: ArrayLike) -> float:
    """How much accuracy is lost as the highlighted nodes are hidden: Das & Ortega (ICASSP 2022), Eq. 7.

        beta = sum over i of m_i |a_0 - a_i| / a_0

    Args:
        masking: m_i, in [0, 1], the first being 0.
        accuracy: a_i at each masking, in [0, 1] or in percent; a_0 unmasked.

    Returns:
        0 where nothing is lost; at most the sum of all m_i.

    Raises:
        InputError: where the two differ in length, masking does not begin at 0, or a_0 is 0.

    Example:
        >>> faithfulness([0.0, 0.5, 1.0], [0.8, 0.8, 0.2])
        0.75
    """
    m, a = np.asarray(masking, np.float64), np.asarray(accuracy, np.float64)
    check_shape("masking", m.shape, "i")
    if a.shape != m.shape or not len(m):
        raise InputError(f"masking has shape {m.shape} and accuracy {a.shape}; wanted one accuracy for each masking.")
    if m[0] != 0 or (m < 0).any() or (m > 1).any():
        raise InputError(f"masking is {m.tolist()}; wanted shares in [0, 1], 0 first.")
    if not a[0] > 0:
        raise InputError(f"accuracy without masking is {a[0]}; Eq. 7 divides by it.")
    return round(float((m * np.abs(a[0] - a)).sum() / a[0]), 12)


def node_sets(psi: ArrayLike, count: int, random: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Three sets of nodes of one size, by the importance of each node.

    Args:
        psi: importance of every node, ``[N]``; of equals, the lower index counts as the more important.
        count: how many nodes are in each set.
        random: draws the random set.

    Returns:
        Indices of nodes, for each name in `SETS`.

    Raises:
        InputError: where psi is not one number per node, or count is not between 1 and N.

    Example:
        >>> sets = node_sets([0.1, 0.9, 0.5], 1, np.random.default_rng(0))
        >>> sets["highlighted"].tolist(), sets["least"].tolist()
        ([1], [0])
    """
    row = np.asarray(psi, np.float64)
    check_shape("psi", row.shape, "n")
    if np.isnan(row).any():
        raise InputError("psi holds NaN: the class has no importance to order nodes by.")
    if not 1 <= count <= len(row):
        raise InputError(f"{count} nodes were asked for; wanted between 1 and {len(row)}.")
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
        correct: whether each sample is still right, for each name in `SETS`: ``[A, n]``, bool.
        ids: the names of the samples, n of them.
        baseline: what nodes are moved towards.
        nodes: how many are in each set.
        unranked: samples whose predicted class has no importance of its own; they use the mean over classes.
    """

    masking: NDArray[np.float64]
    correct: dict[str, NDArray[np.bool_]]
    ids: tuple[str, ...]
    baseline: str
    nodes: int
    unranked: int

    def accuracy(self, which: str = "highlighted") -> NDArray[np.float64]:
        """The share of samples that are right at each masking, ``[A]``."""
        means: NDArray[np.float64] = self.correct[which].mean(axis=1)
        return means

    def accuracy_interval(
        self, which: str = "highlighted", *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> list[Interval]:
        """The same with bootstrap intervals over samples."""
        options = {"seed": seed, "resamples": resamples}
        return [interval(row.astype(float), confidence=confidence, **options) for row in self.correct[which]]

    def faithfulness(
        self, which: str = "highlighted", *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> Interval:
        """Eq. 7 with its bootstrap interval over samples; see `faithfulness`."""
        right = self.correct[which].astype(np.float64)
        beta = faithfulness(self.masking, right.mean(axis=1))
        draws = []
        for weights in resampling_weights(right.shape[1], seed=seed, resamples=resamples):
            a = weights @ right.T / right.shape[1]
            lost = (self.masking * np.abs(a[:, :1] - a)).sum(axis=1)
            # A resample that holds no sample the model gets right has no beta.
            draws.append(np.where(a[:, 0] > 0, lost / np.where(a[:, 0] > 0, a[:, 0], 1), np.nan))
        low, high = quantiles(np.concatenate(draws), confidence)
        return Interval(beta, float(low), float(high))


def masking_curve(
    model: nn.Module,
    batches: Iterable[Batch],
    psi: ArrayLike,
    *,
    nodes: int,
    masking: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    baseline: str = "zero",
    seed: int = 0,
    graph: STGraph | None = None,
) -> MaskingCurve:
    """Hides nodes step by step and counts how many samples stay right (Das & Ortega, Tables 1-2).

    The nodes are chosen by psi of the class that the model predicts for the unmasked sample. They are attenuated in
    all frames and instances, ``x -> (1 - m) x + m baseline``. A sample's random set depends on the seed and its name.

    Args:
        model: any classifier; its input laid out as `model.inputs` says, else ``"b m t n c"``.
        batches: labelled batches; gone through once.
        psi: importance per class and node, ``[classes, N]``; NaN for classes that have none.
        nodes: how many nodes are hidden.
        masking: the values of m; 0 is put first where it is missing.
        baseline: the name of one in `stexplain.data.baselines`.
        seed: of the random sets.
        graph: for the baseline `neighbours`; default: `model.graph`.

    Raises:
        InputError: where an argument is out of range, or no sample came.
    """
    steps = np.array([0.0, *[float(m) for m in masking if m != 0]])
    towards = named_baseline(baseline)
    maps = np.asarray(psi, np.float64)
    check_shape("psi", maps.shape, "k n")
    ranked: NDArray[np.bool_] = np.logical_and.reduce(~np.isnan(maps), axis=1)
    if not ranked.any():
        raise InputError("psi holds a NaN in every class: there is nothing to choose nodes by.")
    model = unwrapped(model)
    inputs = Layout(model_attribute(model, "inputs", str) or BATCH)
    graph = graph if graph is not None else model_attribute(model, "graph", STGraph)
    device, kind = device_and_dtype(model)
    filled = np.where(ranked[:, None], maps, maps[ranked].mean(axis=0))
    correct: dict[str, list[NDArray[np.bool_]]] = {which: [] for which in SETS}
    ids: list[str] = []
    unranked = 0
    with frozen_eval(model), torch.no_grad():

        def predicted(x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
            laid_out = inputs.from_batch(x)
            output = model(laid_out, valid=valid) if takes(model, "valid") else model(laid_out)
            return first_tensor(output, "the model").argmax(1)

        for batch in batches:
            moved = apply_recipe(model, batch).to(device)
            x, valid = moved.x.to(kind), moved.valid
            check_shape("x", tuple(x.shape), BATCH, n=maps.shape[1])
            first = predicted(x, valid)
            classes = first.cpu().numpy()
            if len(classes) and classes.max() >= len(maps):
                raise InputError(f"psi has {len(maps)} classes and the model predicts class {classes.max()}.")
            unranked += int((~ranked[classes]).sum())
            ids += batch.ids
            base = towards(x, valid, graph)
            chosen = node_masks(filled[classes], batch.ids, nodes, seed)
            for which in SETS:
                mask = torch.from_numpy(chosen[which]).to(device)
                rows = [first] + [predicted(mask_nodes(x, base, mask, m), valid) for m in steps[1:]]
                correct[which].append((torch.stack(rows) == moved.label).cpu().numpy())
    if not ids:
        raise InputError("no batch came: there is nothing to mask.")
    together = {which: np.concatenate(parts, axis=1) for which, parts in correct.items()}
    return MaskingCurve(steps, together, tuple(ids), baseline, nodes, unranked)


def node_masks(rows: NDArray[np.float64], ids: Sequence[str], count: int, seed: int) -> dict[str, NDArray[np.bool_]]:
    """Which nodes of each sample are in each set of `node_sets`, ``[B, N]``.

    Args:
        rows: importance of the nodes of each sample, ``[B, N]``.
        ids: names of the samples; a sample's random set follows from the seed and its name.
        count: how many nodes are in each set.
        seed: of the random sets.
    """
    chosen = {which: np.zeros(rows.shape, np.bool_) for which in SETS}
    for row, (psi, name) in enumerate(zip(rows, ids, strict=True)):
        for which, nodes in node_sets(psi, count, generator(seed, name)).items():
            chosen[which][row, nodes] = True
    return chosen
