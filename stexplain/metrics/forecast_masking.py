"""Faithfulness for forecasts: what hiding the nodes that an explanation points at does to a forecast."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.axes import check_shape
from stexplain.data.baselines import Baseline
from stexplain.data.windows import WindowBatch
from stexplain.errors import InputError, unknown
from stexplain.explainers.joining import check_alike
from stexplain.graph import STGraph
from stexplain.graph.checks import node_index
from stexplain.metrics.bootstrap import Interval, quantiles, ratio_interval, resampling_weights
from stexplain.metrics.faithfulness import SETS, faithfulness, node_masks
from stexplain.metrics.items import array
from stexplain.metrics.masking import mask_nodes
from stexplain.metrics.probe import Probe, baseline_name, probing

MEASURES = ("error", "change")
"""The mean absolute error against what came, or the mean distance from the forecast of the unmasked sample."""


@dataclass(frozen=True)
class ForecastMaskingCurve:
    """Forecasts against masking, for each of the node sets.

    Attributes:
        masking: m, ``[A]``, the first being 0.
        sums: for each of `SETS` and `MEASURES`, the sum over the observed entries of each sample, ``[A, n]``, in the
            units of the forecast.
        counts: how many entries of each sample were observed, ``[n]``.
        ids: the names of the samples, n of them.
        baseline: what nodes are moved towards.
        nodes: how many are in each set.
    """

    masking: NDArray[np.float64]
    sums: dict[str, dict[str, NDArray[np.float64]]]
    counts: NDArray[np.int64]
    ids: tuple[str, ...]
    baseline: str
    nodes: int

    def curve(self, which: str = "highlighted", measure: str = "error") -> NDArray[np.float64]:
        """The mean over all observed entries of all samples at each masking, ``[A]``, in the units of the forecast."""
        total: NDArray[np.float64] = self._sums(which, measure).sum(axis=1) / self.counts.sum()
        return total

    def interval(
        self,
        which: str = "highlighted",
        measure: str = "error",
        *,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> list[Interval]:
        """The same with bootstrap intervals over samples."""
        options: dict[str, Any] = {"seed": seed, "resamples": resamples, "confidence": confidence}
        return [ratio_interval(row, self.counts, **options) for row in self._sums(which, measure)]

    def faithfulness(
        self, which: str = "highlighted", *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> Interval:
        """Eq. 7 of Das & Ortega (ICASSP 2022) with the error in place of the accuracy, and its bootstrap interval.

            beta = sum over i of m_i |e_0 - e_i| / e_0

        Raises:
            InputError: where the error without masking is zero.
        """
        errors = self._sums(which, "error")
        beta = faithfulness(self.masking, self.curve(which))
        draws = []
        for weights in resampling_weights(len(self.counts), seed=seed, resamples=resamples):
            # The counts of a resample cancel out of the ratio.
            e = weights @ errors.T
            lost = (self.masking * np.abs(e[:, :1] - e)).sum(axis=1)
            draws.append(np.where(e[:, 0] > 0, lost / np.where(e[:, 0] > 0, e[:, 0], 1), np.nan))
        low, high = quantiles(np.concatenate(draws), confidence)
        return Interval(beta, float(low), float(high))

    def to_frame(self, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95) -> pd.DataFrame:
        """A row per set, measure and masking: ``set, measure, masking, value, low, high, baseline, nodes``."""
        options: dict[str, Any] = {"seed": seed, "resamples": resamples, "confidence": confidence}
        return pd.DataFrame(
            [
                {
                    "set": which,
                    "measure": measure,
                    "masking": float(m),
                    **found._asdict(),
                    "baseline": self.baseline,
                    "nodes": self.nodes,
                }
                for which in SETS
                for measure in MEASURES
                for m, found in zip(self.masking, self.interval(which, measure, **options), strict=True)
            ]
        )

    @classmethod
    def joined(cls, parts: "Sequence[ForecastMaskingCurve]") -> "ForecastMaskingCurve":
        """The curves of several batches as one, exactly as if they had come together.

        Raises:
            InputError: where there are none, or they are of other masking, baseline or number of nodes.
        """
        check_alike("curves", parts, ["masking", "nodes", "baseline"])
        first = parts[0]
        return cls(
            first.masking,
            {
                which: {of: np.concatenate([part.sums[which][of] for part in parts], axis=1) for of in MEASURES}
                for which in SETS
            },
            np.concatenate([part.counts for part in parts]),
            tuple(name for part in parts for name in part.ids),
            first.baseline,
            first.nodes,
        )

    def _sums(self, which: str, measure: str) -> NDArray[np.float64]:
        if which not in SETS:
            raise unknown("set", which, SETS)
        if measure not in MEASURES:
            raise unknown("measure", measure, MEASURES)
        return self.sums[which][measure]


def forecast_masking_curve(
    model: nn.Module,
    batches: Iterable[WindowBatch],
    psi: "ArrayLike | Callable[[WindowBatch], ArrayLike]",
    *,
    nodes: int,
    masking: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    at: "int | str | Sequence[int | str] | None" = None,
    horizon: "int | Sequence[int] | None" = None,
    baseline: "str | Baseline | Tensor" = "mean",
    seed: int = 0,
    inputs: str | None = None,
    graph: STGraph | None = None,
    chunk: int | None = None,
    shared: Mapping[str, Any] | None = None,
) -> ForecastMaskingCurve:
    """Hides nodes step by step and measures the forecast: the masking of Das & Ortega (Tables 1-2) for a forecaster.

    Nodes are attenuated in all frames, ``x -> (1 - m) x + m baseline``. The error is the mean of ``|y' - y|`` over all
    observed entries of all samples, the change that of ``|y'(m) - y'(0)|`` over the same entries. Both are in the units
    of the forecast, and summed over the whole of the batches, so that their cut does not matter.

    Args:
        model: a forecaster whose `outputs` says how its output is laid out, such as ``"b t n"``.
        batches: of a `WindowedSeries`; gone through once.
        psi: importance of every node, ``[N]``, or ``[B, N]`` as a function of the batch, such as
            ``lambda batch: explain(batch, target=Forecast(3, 12)).nodes()``.
        nodes: how many nodes are hidden.
        masking: the values of m; 0 is put first where it is missing.
        at: the nodes whose forecasts are measured, by name or index; default: all.
        horizon: which steps ahead are measured, counted from 1; default: all.
        baseline: see `deletion_curve`.
        seed: of the random sets, which follow from it and the names of the samples.
        inputs: see `deletion_curve`.
        graph: see `deletion_curve`.
        chunk: see `deletion_curve`.
        shared: see `deletion_curve`.

    Raises:
        InputError: where an argument is out of range, nothing was observed, or no sample came.
    """
    steps = np.array([0.0, *[float(m) for m in masking if m != 0]])
    sums: dict[str, dict[str, list[NDArray[np.float64]]]] = {which: {m: [] for m in MEASURES} for which in SETS}
    counts: list[NDArray[np.int64]] = []
    ids: list[str] = []
    for batch in batches:
        masks = node_masks(_importance(psi, batch), batch.ids, nodes, seed)
        with probing(model, batch, inputs=inputs, graph=graph, chunk=chunk, shared=shared) as probe:
            ahead, places = _entries(probe, batch, at, horizon)
            found = _forecasts(probe, masks, probe.towards(baseline), steps, ahead, places)
        y, seen = (array(each)[:, ahead][:, :, places] for each in (batch.y, batch.y_observed))
        counts.append(seen.sum((1, 2)))
        ids += batch.ids
        for which, of in found.items():
            sums[which]["error"].append((np.abs(of - y) * seen).sum((2, 3)))
            sums[which]["change"].append((np.abs(of - of[0]) * seen).sum((2, 3)))
    if not ids:
        raise InputError("no batch came: there is nothing to mask.")
    together = {
        which: {measure: np.concatenate(parts, axis=1) for measure, parts in of.items()} for which, of in sums.items()
    }
    seen_of = np.concatenate(counts)
    if not seen_of.sum():
        raise InputError("nothing of y was observed: there is nothing to compare forecasts with.")
    return ForecastMaskingCurve(steps, together, seen_of, tuple(ids), baseline_name(baseline), nodes)


def _importance(psi: "ArrayLike | Callable[[WindowBatch], ArrayLike]", batch: WindowBatch) -> NDArray[np.float64]:
    """The importance of the nodes of each sample, ``[B, N]``."""
    samples, nodes = batch.x.shape[0], batch.x.shape[3]
    if callable(psi):
        rows = np.asarray(psi(batch), np.float64)
        check_shape("psi", rows.shape, "b n", b=samples, n=nodes)
        return rows
    row = np.asarray(psi, np.float64)
    check_shape("psi", row.shape, "n", n=nodes)
    return np.broadcast_to(row, (samples, nodes))


def _entries(
    probe: Probe,
    batch: WindowBatch,
    at: "int | str | Sequence[int | str] | None",
    horizon: "int | Sequence[int] | None",
) -> tuple[list[int], list[int]]:
    """Which steps ahead and which nodes of ``[B, H, N]`` are measured, as indices."""
    steps, nodes = batch.y.shape[1:]
    ahead = range(1, steps + 1) if horizon is None else [horizon] if isinstance(horizon, int) else horizon
    for step in ahead:
        if not 1 <= step <= steps:
            raise InputError(f"there is no horizon {step}: y has steps 1 to {steps}.")
    names = list(probe.output_info.nodes) or [str(index) for index in range(nodes)]
    asked = range(nodes) if at is None else [at] if isinstance(at, int | str) else at
    places = [node_index(node, names, nodes) for node in asked]
    return [step - 1 for step in ahead], places


def _forecasts(
    probe: Probe,
    masks: dict[str, NDArray[np.bool_]],
    base: Tensor,
    steps: NDArray[np.float64],
    ahead: list[int],
    places: list[int],
) -> dict[str, NDArray[np.float64]]:
    """The forecasts for each node set at each masking, ``[A, B, steps ahead, nodes]``."""
    layout = probe.output_info.layout
    if layout is None:
        raise InputError(
            "how the model's output is laid out is not known. Set `model.outputs`, such as 'b t n', where t is the "
            "horizon."
        )
    chosen = [torch.from_numpy(masks[which]).to(probe.ok.device) for which in SETS]
    rest = len(steps) - 1

    def altered(number: int) -> Tensor:
        if number == 0:
            return probe.batch.x
        which, step = divmod(number - 1, rest)
        return mask_nodes(probe.batch.x, base, chosen[which], float(steps[step + 1]))

    def read(output: Tensor, rows: slice) -> Tensor:
        values = layout.to_batch(output)
        check_shape("the forecast", tuple(values.shape), "b m t n c", m=1, n=probe.ok.shape[3], c=1)
        return values[:, 0, :, :, 0][:, ahead][:, :, places]

    found = probe.answers(altered, 1 + len(SETS) * rest, read)
    return {
        which: np.concatenate([found[:1], found[1 + number * rest : 1 + (number + 1) * rest]])
        for number, which in enumerate(SETS)
    }
