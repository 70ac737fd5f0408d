"""Faithfulness for forecasts: how much a forecast changes when the nodes that an explanation highlights are masked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.axes import Layout, check_shape
from stexplain.checking import checked
from stexplain.data.baselines import Baseline
from stexplain.data.windows import WindowBatch
from stexplain.errors import InputError, unknown
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.model_input import Signals, Streams
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.results.joining import check_alike
from stexplain.graph.checks import node_index
from stexplain.intervals.bootstrap import Interval, not_negative, ratio_interval
from stexplain.metrics.arrays import as_array, names_of
from stexplain.metrics.calls import call_of, parts_of, refuse_observed
from stexplain.metrics.faithfulness import SETS, check_sets, faithfulness, importance_of_nodes, node_masks
from stexplain.metrics.masked_model import MaskedModel, baseline_name
from stexplain.metrics.masking import MASKINGS, beta_interval, masking_steps, mean_over_masking
from stexplain.result import Charted

MEASURES = ("error", "change")
"""The mean absolute error against the observed targets, or the mean distance from the unmasked forecast."""


@checked
@dataclass(frozen=True, repr=False)
class ForecastMaskingCurve(Charted):
    """Forecasts against masking, for each of the node sets.

    Attributes:
        masking: m, ``[A]``, the first being 0.
        sums: for each set that was masked and each of `MEASURES`, the sum over the observed targets of each sample,
            ``[A, n]``, in the units of the forecast.
        counts: how many targets of each sample were observed, ``[n]``.
        ids: the names of the samples, n of them.
        baseline: the name of the baseline that nodes are moved towards.
        nodes: how many nodes each set has.

    Example:
        >>> last = type("Last", (nn.Module,), {"forward": lambda self, x: x[:, -1:]})
        >>> x, y = torch.tensor([[[3.0, 5.0], [3.0, 5.0]]]), torch.tensor([[[4.0, 5.0]]])
        >>> options = {"y": y, "layout": "b t n", "inputs": "b t n", "baseline": "zero"}
        >>> curve = forecast_masking_curve(last(), x, [0.0, 1.0], nodes=1, masking=[1], **options)
        >>> curve.curve("highlighted").tolist()  # the mean error at m = 0 and m = 1
        [0.5, 3.0]
    """

    masking: NDArray[np.float64]
    sums: dict[str, dict[str, NDArray[np.float64]]]
    counts: NDArray[np.int64]
    ids: tuple[str, ...]
    baseline: str
    nodes: int

    _CHART = "masking_curves"

    def _drawn_of(self) -> pd.DataFrame:
        return self.to_frame().query("measure == 'error'").rename(columns={"value": "error"})

    def _drawn_with(self) -> dict[str, Any]:
        return {"measure": "error", "unit": "forecast error", "title": "Faithfulness: error as nodes are masked"}

    def curve(self, which: str = "highlighted", measure: str = "error") -> NDArray[np.float64]:
        """The mean over all observed targets of all samples at each masking, ``[A]``, in the units of the forecast.

        Args:
            which: one of the sets that were masked.
            measure: one of `MEASURES`.
        """
        # A ratio of sums: a window in which few targets are observed weighs accordingly.
        total: NDArray[np.float64] = self._sums(which, measure).sum(axis=1) / self.counts.sum()
        return total

    def interval(
        self,
        which: str = "highlighted",
        measure: str = "error",
        *,
        groups: Any = None,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> list[Interval]:
        """The `curve` of `which` and `measure` with intervals over samples; see `stexplain.metrics.ratio_interval`."""
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        return [not_negative(ratio_interval(row, self.counts, **options)) for row in self._sums(which, measure)]

    def areas(self, which: str = "highlighted", measure: str = "error") -> NDArray[np.float64]:
        """The mean over m of each sample's curve of `which` and `measure`, ``[n]``; NaN where no target is observed."""
        counts = np.where(self.counts, self.counts, np.nan)
        return mean_over_masking(self.masking, self._sums(which, measure) / counts)

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
        """Eq. 7 of Das & Ortega (ICASSP 2022) with the error in place of the accuracy, and its interval over samples.

            beta = sum over i of m_i |e_0 - e_i| / e_0,   signed: sum over i of m_i (e_i - e_0) / e_0

        The arguments are those of `MaskingCurve.faithfulness`.

        Raises:
            InputError: if the error without masking is zero.
        """
        errors = self._sums(which, "error")
        beta = faithfulness(self.masking, self.curve(which))
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        # Sums suffice: the count of targets divides both e_i and e_0 and cancels out.
        return beta_interval(self.masking, errors - errors[:1], errors[0], published=beta, signed=signed, **options)

    def to_frame(
        self, *, groups: Any = None, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> pd.DataFrame:
        """A row per set, measure and masking: ``set, measure, masking, value, low, high, baseline, nodes``.

        The interval is that of `stexplain.metrics.ratio_interval`.
        """
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        return pd.DataFrame(
            [
                {
                    "set": which,
                    "measure": measure,
                    "masking": float(m),
                    **estimate._asdict(),
                    "baseline": self.baseline,
                    "nodes": self.nodes,
                }
                for which in self.sums
                for measure in MEASURES
                for m, estimate in zip(self.masking, self.interval(which, measure, **options), strict=True)
            ]
        )

    @classmethod
    def joined(cls, parts: "Sequence[ForecastMaskingCurve]") -> "ForecastMaskingCurve":
        """The curves of several batches as one; the result does not depend on how samples were batched.

        Raises:
            InputError: if there are none, or they differ in masking, baseline or number of nodes.
        """
        check_alike("curves", parts, ["masking", "nodes", "baseline"])
        first = parts[0]
        return cls(
            first.masking,
            {
                which: {name: np.concatenate([part.sums[which][name] for part in parts], axis=1) for name in MEASURES}
                for which in first.sums
            },
            np.concatenate([part.counts for part in parts]),
            tuple(name for part in parts for name in part.ids),
            first.baseline,
            first.nodes,
        )

    def _sums(self, which: str, measure: str) -> NDArray[np.float64]:
        if which not in self.sums:
            raise unknown("set", which, list(self.sums))
        if measure not in MEASURES:
            raise unknown("measure", measure, MEASURES)
        return self.sums[which][measure]


@checked
def forecast_masking_curve(
    model: nn.Module,
    batches: "Signals | Streams | Iterable[Signals | Streams]",
    node_importance: "ArrayLike | Explanation | Callable[[Any], ArrayLike]",
    *,
    nodes: int,
    masking: Sequence[float] = (*MASKINGS, 1.0),
    at: "int | str | Sequence[int | str] | None" = None,
    horizon: "int | Sequence[int] | None" = None,
    baseline: "str | Baseline | Tensor | ArrayLike" = "mean",
    seed: int = 0,
    sets: Sequence[str] = SETS,
    y: ArrayLike | None = None,
    layout: str | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> ForecastMaskingCurve:
    """Masks nodes step by step and measures the forecast: the masking of Das & Ortega (Tables 1-2) for a forecaster.

    Nodes are masked in all frames, ``x -> (1 - m) x + m baseline``. The error is the mean of ``|y' - y|`` over all
    observed targets of all samples, the change that of ``|y'(m) - y'(0)|``, in units of the forecast, however batched.

    Args:
        model: a forecaster.
        batches: of a `WindowedSeries`, or tensors in the model's own layout, or a single one; gone through once.
        node_importance: ``[N]``; or ``[B, N]`` as a function of the batch, such as
            ``lambda batch: explain(batch, target=Forecast(3, 12)).nodes()``; or an `Explanation` of a single batch.
        nodes: how many nodes are masked.
        masking: the values of m, ascending; 0 is put first if it is missing.
        at: the nodes whose forecasts are measured, by name or index; default: all.
        horizon: which steps ahead are measured, counted from 1; default: all.
        baseline: see `deletion_curve`.
        seed: of the random sets, which depend on it and the names of the samples.
        sets: only these of `SETS` are masked.
        y: what was to be forecast, ``[n, H, N]``, sample by sample, NaN where not observed; default: the batches'.
        layout: of the model's output, such as ``"b t n"``, where t is the horizon; default: `model.outputs`.
        valid: see `frozen_masked_model`; of all samples, in their order.
        observed: see `frozen_masked_model`; of all samples, in their order.
        shared: see `frozen_masked_model`.
        per_sample: see `frozen_masked_model`; of all samples, in their order.
        **options: how the model is called; see `frozen_masked_model`.

    Raises:
        InputError: if an argument is out of range, no target is observed, or `batches` is empty.

    Example:
        >>> last = type("Last", (nn.Module,), {"forward": lambda self, x: x[:, -1:] + x[:, -1:].sum(2, keepdim=True)})
        >>> options = {"y": torch.full((1, 1, 2), 4.0), "at": 0, "layout": "b t n", "inputs": "b t n"}
        >>> x = torch.tensor([[[0.0, 0.0], [1.0, 2.0]]])
        >>> curve = forecast_masking_curve(last(), x, [0.0, 1.0], nodes=1, masking=[1], baseline="zero", **options)
        >>> curve.curve("highlighted").tolist(), curve.curve("highlighted", "change").tolist()
        ([0.0, 2.0], [0.0, 2.0])
    """
    # m = 0 is always measured, because all others are compared with it.
    steps = masking_steps(masking)
    check_sets(sets)
    sums: dict[str, dict[str, list[NDArray[np.float64]]]] = {which: {m: [] for m in MEASURES} for which in sets}
    counts: list[NDArray[np.int64]] = []
    ids: list[str] = []
    call = call_of(node_importance, options, valid, shared, per_sample, observed=observed)
    masked = MaskedModel(model, **call.options)
    for batch, part in parts_of(masked, batches, call):
        refuse_observed(batch, observed)
        masked.load(batch, part)
        truth, known = _truth(masked, batch, None if y is None else as_array(y)[len(ids) :][: len(masked.batch)])
        # Before the model is frozen below: `node_importance` may be an explainer, which freezes it by itself.
        names = names_of(masked.batch.ids, len(ids))
        masks = node_masks(importance_of_nodes(node_importance, batch, masked), names, nodes, seed)
        steps_ahead, measured = _measured_targets(masked, truth.shape, at, horizon)
        with masked.frozen():
            base = masked.baseline_values(baseline)
            by_set = _forecasts(
                masked, {which: masks[which] for which in sets}, base, steps, steps_ahead, measured, layout
            )
        # In two steps: NumPy would pair up two lists of indices, entry by entry.
        truth, known = (each[:, steps_ahead][:, :, measured] for each in (truth, known))
        counts.append(known.sum((1, 2)))
        ids += masked.batch.ids
        for which, forecasts in by_set.items():
            # [A, B, steps ahead, nodes] against [B, steps ahead, nodes], summed to [A, B].
            sums[which]["error"].append((np.abs(forecasts - truth) * known).sum((2, 3)))
            sums[which]["change"].append((np.abs(forecasts - forecasts[0]) * known).sum((2, 3)))
    if not ids:
        raise InputError("batches: got none; expected at least one batch.")
    joined = {
        which: {measure: np.concatenate(parts, axis=1) for measure, parts in measures.items()}
        for which, measures in sums.items()
    }
    count = np.concatenate(counts)
    if not count.sum():
        raise InputError("batches: got no observed target in y; expected some to compare forecasts with.")
    return ForecastMaskingCurve(steps, joined, count, tuple(ids), baseline_name(baseline), nodes)


def _truth(masked: MaskedModel, batch: Any, y: NDArray[Any] | None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """What was to be forecast ``[B, H, N]``, and which of it was observed; where not, it holds some number."""
    if y is None and isinstance(batch, WindowBatch):
        # Targets that are not observed hold no number to compare with: they are multiplied by zero.
        return as_array(batch.y), as_array(batch.y_observed)
    if y is None:
        raise InputError(
            f"y: got None for a {type(batch).__name__}; expected what was to be forecast, [samples, steps ahead, "
            "nodes]. Give `y`, or batches of a WindowedSeries."
        )
    check_shape("y", y.shape, "b t n", b=len(masked.batch), n=masked.observed.shape[3])
    observed = np.isfinite(y)
    return np.where(observed, y, 0.0), observed


def _measured_targets(
    masked: MaskedModel,
    shape: tuple[int, ...],
    at: "int | str | Sequence[int | str] | None",
    horizon: "int | Sequence[int] | None",
) -> tuple[list[int], list[int]]:
    """The indices of the steps ahead and of the nodes of ``[B, H, N]`` that are measured."""
    _, steps, nodes = shape
    horizons = range(1, steps + 1) if horizon is None else [horizon] if isinstance(horizon, int) else horizon
    for step in horizons:
        if not 1 <= step <= steps:
            raise InputError(f"horizon: got {step}; expected 1 to {steps}, the steps of y.")
    names = list(masked.output_info.nodes) or [str(index) for index in range(nodes)]
    # `str` before the sequences: a name is also a sequence, of letters.
    requested = range(nodes) if at is None else [at] if isinstance(at, int | str) else at
    # Horizons count from 1, as people do; indices from 0.
    return [step - 1 for step in horizons], [node_index(node, names, nodes) for node in requested]


def _forecasts(
    masked: MaskedModel,
    masks: dict[str, NDArray[np.bool_]],
    baseline: Tensor,
    steps: NDArray[np.float64],
    steps_ahead: list[int],
    measured: list[int],
    given: str | None,
) -> dict[str, NDArray[np.float64]]:
    """The forecasts for each node set at each masking, ``[A, B, steps ahead, nodes]``."""
    layout = masked.output_info.layout if given is None else Layout(given)
    if layout is None:
        raise InputError(
            "layout: got None for a model without `outputs`; expected the layout of the model's output. Give "
            "`layout`, such as 'b t n', where t is the horizon."
        )
    node_sets = [torch.from_numpy(mask).to(masked.observed.device) for mask in masks.values()]
    # Copy 0 is the unmasked batch, which all sets share; then come the other maskings, set by set.
    rest = len(steps) - 1

    def perturbed(index: int) -> Tensor:
        if index == 0:
            return masked.batch.x
        which, step = divmod(index - 1, rest)
        return masked.moved(node_sets[which], baseline, float(steps[step + 1]))

    def read(output: Any, rows: slice) -> Tensor:
        # Axes that the layout lacks, m and c, come with size 1. Sizes that are known take folded axes apart.
        known = {"b": rows.stop - rows.start, "n": masked.observed.shape[3]}
        values = layout.to_batch(masked.chosen_tensor(output, rows), **known)
        check_shape("the forecast", tuple(values.shape), "b m t n c", m=1, n=masked.observed.shape[3], c=1)
        # [B, 1, H, N, 1] -> [B, steps ahead, nodes]
        return values[:, 0, :, :, 0][:, steps_ahead][:, :, measured]

    forecasts = masked.evaluate(perturbed, 1 + len(masks) * rest, read)
    # The shared copy first, then the set's own maskings: A in all.
    own = np.split(forecasts[1:], len(masks))
    return {which: np.concatenate([forecasts[:1], own[index]]) for index, which in enumerate(masks)}
