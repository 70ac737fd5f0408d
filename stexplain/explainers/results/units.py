"""What the values of an explanation are in, and the unit of the score where the samples say it."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from stexplain.explainers.forecast_target import Forecast
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.target import Target

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation

# So many times the greatest value that was observed, or less than the least divided by it.
_FAR = 4.0


def unit_of(e: "Explanation", output: str = "", signal: str = "") -> str:
    """What values are in, in words; see `Explanation.unit`."""
    output = output or e.output_unit
    # Where channels are in several units, no one unit is that of a map over all of them.
    signal = signal or (e.channel_units[0] if len(set(e.channel_units)) == 1 else "")
    if e.measures == "score per input":
        return f"{output or 'score'} per {signal or 'unit of the input'}"
    in_scores = e.measures in ("score", "size of score")
    return (output or "score") if in_scores else e.measures or "importance"


def channel_units(model_input: ModelInput) -> tuple[str, ...]:
    """The unit of each channel of the input; none where the samples say none."""
    units, count = model_input.measured.units, model_input.sizes["c"]
    # A calendar's channels follow those of the series, and have no unit.
    return () if not units or len(units) > count else (*units, *[""] * (count - len(units)))


def with_forecast_unit(e: "Explanation", target: Target, model_input: ModelInput, x: Tensor) -> "Explanation":
    """The explanation of a forecast with the unit of what the samples' series predicts.

    A model that gives, say, standardised values gives none in this unit: where more than half of the forecasts of a
    node are far from all that was observed there in these samples, no unit is named, and that is noted.

    Args:
        e: of all samples.
        target: that was explained.
        model_input: the samples.
        x: their signals, ``[B, M, T, N, C]``.
    """
    unit = model_input.measured.target
    if not unit or not isinstance(target, Forecast) or np.isnan(e.score).all():
        return e
    node = _single_node(e, target)
    found = None if node is None else _observed_range(model_input, x, node)
    if found is None:
        return replace(e, output_unit=unit)
    low, high = found
    # A forecast goes beyond a short window often, and so far beyond it hardly ever. Where observations come near to
    # zero or have both signs, small numbers are no sign of another unit.
    least = min(low / _FAR, low * _FAR)
    greatest = max(high * _FAR, high / _FAR)
    if np.mean((e.score < least) | (e.score > greatest)) <= 0.5:
        return replace(e, output_unit=unit)
    note = (
        f"The forecasts ({np.median(e.score):.3g} at the median) are far from all that was observed there in these "
        f"samples ({low:.3g} to {high:.3g} {unit}): is the model's output in another unit, such as standardised "
        "values? No unit is named."
    )
    return replace(e, notes=(*e.notes, note))


def _single_node(e: "Explanation", target: Forecast) -> int | None:
    """The node whose forecast was explained; none of a sum of several, or of a difference, which lie elsewhere."""
    node = target.node[0]
    if type(target) is not Forecast or len(target.node) > 1 or len(target.horizon) > 1 or target.minus is not None:
        return None
    if isinstance(node, str):
        return e.node_names.index(node) if node in e.node_names else None
    return node if 0 <= node < len(e.node_names) else None


def _observed_range(model_input: ModelInput, x: Tensor, node: int) -> tuple[float, float] | None:
    """The least and greatest value of a node that was observed in the unit of the forecast; none where none was."""
    units = channel_units(model_input)
    chosen = [index for index, unit in enumerate(units) if unit == model_input.measured.target]
    values = x[:, :, :, node, chosen][model_input.observed_positions[..., node]]
    return (float(values.min()), float(values.max())) if values.numel() else None
