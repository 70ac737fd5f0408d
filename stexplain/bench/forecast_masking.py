"""Hides sensors of the windows that are explained, by their importance, and measures the forecast at the target."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.data.windows import WindowBatch
from stexplain.metrics.faithfulness import SETS
from stexplain.metrics.forecast_masking import MEASURES, ForecastMaskingCurve, forecast_masking_curve


def masked(
    model: nn.Module,
    batch: WindowBatch,
    table: pd.DataFrame,
    maps: Mapping[str, NDArray[np.float32]],
    normal: torch.Tensor,
    *,
    nodes: int,
    masking: list[float],
    seed: int,
) -> dict[str, Any]:
    """Error and change of the explained forecasts, in their unit, as sensors go towards what is usual.

    Args:
        model: a forecaster.
        batch: the windows, B.
        table: of the forecasts that are explained, a row per window: `node`, `horizon`.
        maps: importance ``[B, 1, T, N]``, not negative, by method.
        normal: what is usual in each window, ``[B, 1, T, N, C]``.
        nodes: how many sensors are hidden.
        masking: the values of m, without 0.
        seed: of the random sets.

    Returns:
        By method and set: ``masking``, ``error`` and ``change`` with intervals, and ``beta`` (Eq. 7 on the error).
    """
    aims = list(zip(table["node"].tolist(), table["horizon"].tolist(), strict=True))
    found: dict[str, Any] = {}
    for name, values in maps.items():
        psi = values.mean((1, 2))
        curve = ForecastMaskingCurve.joined(
            [
                forecast_masking_curve(
                    model,
                    [batch[row : row + 1]],
                    psi[row],
                    nodes=nodes,
                    masking=masking,
                    at=int(node),
                    horizon=int(horizon),
                    baseline=normal[row : row + 1],
                    seed=seed,
                )
                for row, (node, horizon) in enumerate(aims)
                if bool(batch.y_observed[row, int(horizon) - 1, int(node)])
            ]
        )
        found[name] = {
            which: {
                "masking": curve.masking.tolist(),
                **{of: [each._asdict() for each in curve.interval(which, of, seed=seed)] for of in MEASURES},
                "beta": curve.faithfulness(which, seed=seed)._asdict(),
            }
            for which in SETS
        }
    return found


def masking_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """The errors as rows of ``method, set, masking, error, low, high``."""
    return pd.DataFrame(
        [
            {"method": method, "set": which, "masking": m, "error": e["value"], "low": e["low"], "high": e["high"]}
            for method, sets in found.items()
            for which, curve in sets.items()
            for m, e in zip(curve["masking"], curve["error"], strict=True)
        ]
    )
