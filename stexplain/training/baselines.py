"""Forecasts that need no network. A forecaster that does not beat them is not worth explaining."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from stexplain.errors import InputError
from stexplain.training.forecast import ForecastEvaluation, evaluated

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries
    from stexplain.data.windows import WindowBatch

Floats = NDArray[np.float64]
_DAY, _WEEK = np.timedelta64(1, "D"), np.timedelta64(7, "D")


def persistence(train: "WindowedSeries", series: "WindowedSeries", *, batch: int = 64) -> ForecastEvaluation:
    """Everything stays as it is: at all horizons, each node's last observed reading of the window.

    A node without one in the window is forecast by its mean over the training part.

    Args:
        train: the training part.
        series: the part to be evaluated on.
        batch: windows at a time.

    Raises:
        InputError: where the two do not have the same nodes and target, or `series` is empty.
        DataError: where no target is observed.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> rising = WindowedSeries(np.arange(80.0)[:, None] + np.zeros(3), window=4, horizon=2)
        >>> train, _, test = rising.split()
        >>> persistence(train, test).mae
        array([1., 2.])
    """
    _check_pair(train, series)
    mean = torch.from_numpy(_node_means(*_target_sums(train, np.zeros(len(train.covered), np.int64))))

    def forecast(windows: "WindowBatch") -> torch.Tensor:
        latest = last_observed(windows, series.target_channel)
        return torch.where(latest.isnan(), mean, latest)[:, None].expand(windows.y.shape)

    return evaluated(forecast, series, batch=batch)


def historical_average(train: "WindowedSeries", series: "WindowedSeries", *, batch: int = 64) -> ForecastEvaluation:
    """As it usually is: each node's mean over the training part at that time of day and day of the week.

    Where the training part has no observed reading of a node at that time of that day, it is the node's mean at that
    time of day; where there is none either, the node's mean.

    Args:
        train: the training part.
        series: the part to be evaluated on.
        batch: windows at a time.

    Raises:
        InputError: where the two do not have the same nodes and target, or no times, or `series` is empty.
        DataError: where no target is observed.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> import pandas as pd
        >>> time = pd.date_range("2024-01-01", periods=24 * 28, freq="h")
        >>> daily = WindowedSeries(np.tile(np.arange(24.0), 28)[:, None], window=4, horizon=2, time=time)
        >>> train, _, test = daily.split()
        >>> historical_average(train, test).mae
        array([0., 0.])
    """
    _check_pair(train, series)
    if train.time is None or series.time is None or len(train.time) < 2:
        raise InputError("the historical average needs times, and the series has none. Give `time`.")
    step = (train.time[1] - train.time[0]).to_timedelta64()
    usual = torch.from_numpy(_usual(train, step))
    ahead = (series.window + np.arange(series.horizon)) * step

    def forecast(windows: "WindowBatch") -> torch.Tensor:
        return usual[torch.from_numpy(_slot(windows.start[:, None] + ahead, step))]

    return evaluated(forecast, series, batch=batch)


def last_observed(windows: "WindowBatch", channel: int) -> torch.Tensor:
    """The last observed reading of each node, ``[B, N]``, float64; NaN where the window holds none.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> series = WindowedSeries(np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, 3.0]]), window=2, horizon=1)
        >>> last_observed(series.batch([0]), 0).tolist()
        [[2.0, nan]]
    """
    x, there = windows.x[:, 0, :, :, channel].double(), windows.observed[:, 0]
    frames = torch.arange(1, x.shape[1] + 1)[:, None]
    last = (there * frames).amax(1)
    latest = x.gather(1, (last - 1).clamp(min=0)[:, None])[:, 0]
    return latest.masked_fill(last == 0, torch.nan)


def sums_by_slot(train: "WindowedSeries", slot: NDArray[np.int64], slots: int) -> tuple[Floats, Floats]:
    """Sum and number of the observed readings of each node by slot, such as a time of day.

    Args:
        train: the series.
        slot: of each frame that it covers, in [0, slots).
        slots: how many there are.

    Returns:
        Both ``[slots, N, C]``.
    """
    total = np.zeros((slots, train.nodes, len(train.channels)))
    count = np.zeros_like(total)
    at = 0
    for values, there in train.observations():
        part = slot[at : at + len(values)]
        np.add.at(total, part, np.where(there, values, 0.0))
        np.add.at(count, part, there)
        at += len(values)
    return total, count


def _check_pair(train: "WindowedSeries", series: "WindowedSeries") -> None:
    for name in ("nodes", "target_channel", "unit"):
        theirs, ours = getattr(train, name), getattr(series, name)
        if theirs != ours:
            raise InputError(f"train has {name} {theirs!r} and series {ours!r}. Take both from one split.")


def _slot(times: NDArray[np.datetime64], step: np.timedelta64) -> NDArray[np.int64]:
    """The place of each time in a week that starts on Monday, in steps."""
    # 1970-01-05 was a Monday.
    return np.asarray(((times - np.datetime64("1970-01-05", "ns")) % _WEEK) // step, np.int64)


def _target_sums(train: "WindowedSeries", slot: NDArray[np.int64]) -> tuple[Floats, Floats]:
    total, count = sums_by_slot(train, slot, int(slot.max()) + 1)
    return total[..., train.target_channel], count[..., train.target_channel]


def _mean(total: Floats, count: Floats) -> Floats:
    found: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return found


def _node_means(total: Floats, count: Floats) -> Floats:
    """The mean of each node, ``[N]``; of a node without readings, that of all."""
    means = _mean(total.sum(0), count.sum(0))
    return np.where(np.isnan(means), total.sum() / max(count.sum(), 1.0), means)


def _usual(train: "WindowedSeries", step: np.timedelta64) -> Floats:
    """The mean of each node at each slot of the week, ``[slots, N]``, filled where there is no reading."""
    assert train.time is not None
    if _DAY % step:
        raise InputError(f"the series has a frame every {step}, which does not divide a day: no time comes again.")
    slot = _slot(train.time.to_numpy().astype("datetime64[ns]")[train.covered], step)
    total, count = _target_sums(train, slot)
    rest = int(_WEEK // step) - len(total)
    total, count = (np.pad(each, ((0, rest), (0, 0))) for each in (total, count))
    days = [each.reshape(7, -1, train.nodes).sum(0) for each in (total, count)]
    usual = _mean(total, count)
    for otherwise in (np.tile(_mean(*days), (7, 1)), _node_means(total, count)):
        usual = np.where(np.isnan(usual), otherwise, usual)
    return usual
