"""Baseline forecasts without a network. A forecaster that does not beat them is not worth explaining."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.data.baselines.historical import clock_times, local_times, sums_by_slot
from stexplain.data.series_source import OneChannel
from stexplain.errors import InputError
from stexplain.training.forecast import ForecastEvaluation, forecast_errors

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries
    from stexplain.data.windows import WindowBatch

Floats = NDArray[np.float64]
_DAY, _WEEK = np.timedelta64(1, "D"), np.timedelta64(7, "D")


@checked
def persistence(train: "WindowedSeries", series: "WindowedSeries", *, batch: int = 64) -> ForecastEvaluation:
    """Persistence: forecasts each node's last observed value of the window at all horizons.

    What counts as observed is the target channel's own value, also where another channel was silent. A node without an
    observation in the window is forecast by its mean over the training split.

    Args:
        train: the training split.
        series: the split to evaluate on.
        batch: windows at a time.

    Returns:
        Errors at each horizon, in the units of the series; MAPE in percent.

    Raises:
        InputError: if the two differ in nodes or target, or `series` is empty.
        DataError: if no target is observed.

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
        latest = last_observed(windows, 0)
        return torch.where(latest.isnan(), mean, latest)[:, None].expand(windows.y.shape)

    return forecast_errors(forecast, target_alone(series), batch=batch)


@checked
def historical_average(train: "WindowedSeries", series: "WindowedSeries", *, batch: int = 64) -> ForecastEvaluation:
    """Historical average: each node's mean over the training split at that time of day and day of the week.

    If the training split has no observation of a node at that time of that day, its mean at that time of day is taken;
    if there is none either, its mean over all times. Times are those of the clock on the wall where the series has a
    time zone, also behind a change of the clocks.

    Args:
        train: the training split.
        series: the split to evaluate on.
        batch: windows at a time.

    Returns:
        Errors at each horizon, in the units of the series; MAPE in percent.

    Raises:
        InputError: if the two differ in nodes, target, time zone or step, have no times, or `series` is empty.
        DataError: if no target is observed.

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
        raise InputError(
            "train, series: got no times; expected at least two for the historical average. Give `time` to the series."
        )
    _check_times(train.time, series.time)
    step = (train.time[1] - train.time[0]).to_timedelta64()
    average = torch.from_numpy(_weekly_average(train, step))
    # The frames to forecast follow the window: offsets from the window's start.
    offsets = (series.window + np.arange(series.horizon)) * step

    def forecast(windows: "WindowBatch") -> torch.Tensor:
        assert windows.timestamps is not None
        # The clocks may change between the start of a window and what is forecast.
        return average[torch.from_numpy(_slot(clock_times(windows.timestamps, offsets), step))]

    return forecast_errors(forecast, series, batch=batch)


def target_alone(series: "WindowedSeries") -> "WindowedSeries":
    """The windows of the target channel alone: observed is then where it was, whatever other channels say.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> values = np.array([[[1.0, 5]], [[2.0, np.nan]], [[3.0, 7]]])
        >>> both = WindowedSeries(values, window=2, horizon=1, channels=["a", "b"])
        >>> both.batch([0]).observed.flatten().tolist(), target_alone(both).batch([0]).observed.flatten().tolist()
        ([True, False], [True, True])
    """
    source, channel = series._source, series.target_channel
    if len(source.channels) == 1 and len(series.channels) == 1:
        return series
    own = source if len(source.channels) == 1 else replace(source, values=OneChannel(source.values, channel))
    units = series.measured.units[channel : channel + 1]
    return series._with(
        _source=replace(own, channels=source.channels[channel : channel + 1]),
        _calendar=False,
        target_channel=0,
        measured=replace(series.measured, units=units),
    )


def last_observed(windows: "WindowBatch", channel: int) -> torch.Tensor:
    """The last observed value of each node, ``[B, N]``, float64; NaN if the window has none.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> series = WindowedSeries(np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, 3.0]]), window=2, horizon=1)
        >>> last_observed(series.batch([0]), 0).tolist()
        [[2.0, nan]]
    """
    x, observed = windows.x[:, 0, :, :, channel].double(), windows.observed[:, 0]
    # Frames count from 1 here, so that 0 means that none is observed.
    frames = torch.arange(1, x.shape[1] + 1)[:, None]
    last = (observed * frames).amax(1)
    latest = x.gather(1, (last - 1).clamp(min=0)[:, None])[:, 0]
    return latest.masked_fill(last == 0, torch.nan)


def _check_pair(train: "WindowedSeries", series: "WindowedSeries") -> None:
    for name in ("nodes", "target_channel", "unit"):
        of_train, of_series = getattr(train, name), getattr(series, name)
        if of_train != of_series:
            raise InputError(
                f"series: got {name} {of_series!r}; expected {of_train!r}, as train has. Take both from one "
                "WindowedSeries.split."
            )
    if train.graph is not None and series.graph is not None:
        for own, other in zip(train.graph.nodes, series.graph.nodes, strict=True):
            if own != other:
                raise InputError(
                    f"series: got the node {other!r} in the place of {own!r}; expected the nodes of train in their "
                    "order. Take both from one WindowedSeries.split."
                )


def _check_times(train: pd.DatetimeIndex, series: pd.DatetimeIndex) -> None:
    """Refuses times that cannot be looked up in the average of the others: it knows clocks, not moments."""
    if str(train.tz) != str(series.tz):
        raise InputError(
            f"series: got times {f'in {series.tz}' if series.tz else 'without a zone'}; expected them "
            f"{f'in {train.tz}' if train.tz else 'without one'}, as train has. Give both in one zone: "
            "time.tz_convert(zone), of times without one time.tz_localize(zone)."
        )
    steps = [(time[1] - time[0]).to_timedelta64() for time in (train, series) if len(time) > 1]
    if len(steps) == 2 and steps[0] != steps[1]:
        each = [float(step / np.timedelta64(1, "m")) for step in steps]
        raise InputError(
            f"series: got a frame every {each[1]:g} min; expected every {each[0]:g} min, as train has. Resample one of "
            "them."
        )


def _slot(times: NDArray[np.datetime64], step: np.timedelta64) -> NDArray[np.int64]:
    """The slot of each time in its week, from Monday 00:00, in steps."""
    # 1970-01-05 was a Monday.
    return np.asarray(((times - np.datetime64("1970-01-05", "ns")) % _WEEK) // step, np.int64)


def _target_sums(train: "WindowedSeries", slot: NDArray[np.int64]) -> tuple[Floats, Floats]:
    total, count = sums_by_slot(train, slot, int(slot.max()) + 1)
    return total[..., train.target_channel], count[..., train.target_channel]


def _mean(total: Floats, count: Floats) -> Floats:
    mean: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _node_means(total: Floats, count: Floats) -> Floats:
    """The mean of each node, ``[N]``; for a node without observations, the mean over all nodes."""
    means = _mean(total.sum(0), count.sum(0))
    # The mean over all nodes is 0 if nothing is observed at all.
    return np.where(np.isnan(means), total.sum() / max(count.sum(), 1.0), means)


def _weekly_average(train: "WindowedSeries", step: np.timedelta64) -> Floats:
    """The mean of each node at each slot of the week, ``[slots, N]``, filled in where nothing is observed."""
    assert train.time is not None
    if _DAY % step:
        raise InputError(
            f"train: got a frame every {step}, which does not divide a day; expected a step that does, so that every "
            "day has the same times. Resample the series."
        )
    slot = _slot(local_times(train.time)[train.covered], step)
    total, count = _target_sums(train, slot)
    # The sums end at the last slot that occurs; pad them to a whole week.
    rest = int(_WEEK // step) - len(total)
    total, count = (np.pad(each, ((0, rest), (0, 0))) for each in (total, count))
    # [slots of the week, N] -> [7, slots of a day, N], summed over the days of the week.
    by_day = [each.reshape(7, -1, train.nodes).sum(0) for each in (total, count)]
    average = _mean(total, count)
    for fallback in (np.tile(_mean(*by_day), (7, 1)), _node_means(total, count)):
        average = np.where(np.isnan(average), fallback, average)
    return average
