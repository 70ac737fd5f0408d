"""Evaluation of a forecaster over a split of a series: masked MAE, RMSE and MAPE, intervals over blocks of time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.checking import check_arguments, checked
from stexplain.data.grouping import window_blocks
from stexplain.errors import DataError, InputError, unknown
from stexplain.intervals.bootstrap import Interval, ratio_interval
from stexplain.result import Result
from stexplain.training.evaluate import eval_mode
from stexplain.training.forecaster_call import ForecasterCall, check_series
from stexplain.wording import counted

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries
    from stexplain.data.windows import WindowBatch

Floats = NDArray[np.float64]
Metric = Literal["mae", "rmse", "mape"]
METRICS: tuple[Metric, ...] = ("mae", "rmse", "mape")
NEAR_ZERO = 5e-5
"""Targets of at most this absolute value (in their unit) do not count in MAPE, which would divide by them."""


# Compared by identity: the default == fails on arrays, whose comparison has no single truth value.
@checked
@dataclass(frozen=True, eq=False, repr=False)
class ForecastEvaluation(Result):
    """Errors of n windows at H horizons, as sums, so that every metric is over the whole split and not per batch.

    With e the error of a forecast and y the target, over the observed targets of all windows and nodes:

        MAE = mean of |e|,  RMSE = sqrt(mean of e^2),  MAPE = 100 mean of |e / y| over |y| > 5e-5

    MAPE excludes targets of zero, as the masked metrics of DCRNN (Li et al., ICLR 2018) do, and those near zero, as
    BasicTS (Shao et al. 2024) does.

    Intervals are those of `stexplain.intervals.bootstrap.ratio_interval` over blocks of time. Windows overlap, and
    errors of one hour resemble those of the next, so windows are not independent and are resampled in blocks (see
    `block`): days if there are at least 10 of them, else runs of consecutive windows as long as a window and its
    horizon. Such runs are short: an effect that lasts longer, such as a bad day, is not covered and the interval is too
    narrow.

    Attributes:
        absolute: sum of ``|e|`` over nodes, ``[n, H]``.
        squared: sum of e^2, ``[n, H]``.
        count: number of observed targets, ``[n, H]``.
        relative: sum of ``|e / y|`` over targets that are not near zero, ``[n, H]``.
        relative_count: number of these targets, ``[n, H]``.
        blocks: the block of each window, ``[n]``, from 0.
        block: the description of the blocks.
        unit: of MAE and RMSE. MAPE is in percent.
        ids: n names of windows.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> from stexplain.training.baselines import persistence
        >>> rising = WindowedSeries(np.arange(40.0)[:, None] + np.zeros(3), window=4, horizon=2)
        >>> result = persistence(rising, rising)
        >>> result.mae.tolist(), result.score("mae").value
        ([1.0, 2.0], 1.5)
    """

    absolute: Floats
    squared: Floats
    count: NDArray[np.int64]
    relative: Floats
    relative_count: NDArray[np.int64]
    blocks: NDArray[np.int64]
    block: str
    unit: str
    ids: tuple[str, ...]

    def __len__(self) -> int:
        """The number of windows, n."""
        return len(self.absolute)

    @property
    def horizons(self) -> int:
        """The number of horizons, H."""
        return int(self.absolute.shape[1])

    @property
    def mae(self) -> Floats:
        """Mean absolute error at each horizon, ``[H]``; NaN if no target is observed."""
        return self._values("mae")

    @property
    def rmse(self) -> Floats:
        """Root mean square error at each horizon, ``[H]``."""
        return self._values("rmse")

    @property
    def mape(self) -> Floats:
        """Mean absolute percentage error at each horizon, ``[H]``, in percent."""
        return self._values("mape")

    def score(self, metric: Metric = "mae", horizon: int | None = None, *, seed: int = 0) -> Interval:
        """A metric at a horizon, with its interval.

        Args:
            metric: ``"mae"``, ``"rmse"`` or ``"mape"``.
            horizon: from 1 to H; none: all horizons together.
            seed: of the bootstrap's draws.

        Raises:
            InputError: for another metric or horizon.
        """
        total, count = self._sums(metric, horizon)
        value = float(_ratio(metric, total.sum(), count.sum()))
        found = ratio_interval(total, count, groups=self.blocks, seed=seed)
        # No error is below zero. Of the root of a mean, and of a mean in percent, the ends are those of the mean.
        low, high = (float(_of_mean(metric, max(end, 0.0))) for end in found[1:])
        return Interval(value, low, high, found.reason)

    def minus(
        self, other: "ForecastEvaluation", metric: Metric = "mae", horizon: int | None = None, *, seed: int = 0
    ) -> Interval:
        """The difference of this error and another's on the same windows, with its interval.

        Differences are taken window by window, so that windows that are hard for both do not widen the interval: with
        N observed targets, ``n_w`` of them in window w, and ``f`` the root for RMSE, 100 times for MAPE, else nothing::

            interval of sum over w of (d n_w / N + u_w),   u_w = f'(A) (a_w - A n_w) / N  -  the same of the other

        where A is the mean of the terms, ``a_w`` their sum in a window, and d the difference (the delta method).

        Args:
            other: of the same split of the same series.
            metric: as for `score`.
            horizon: as for `score`.
            seed: of the bootstrap's draws.

        Raises:
            InputError: if the other is of other windows.
        """
        differences, weight = self.differences(other, metric, horizon)
        if np.isnan(differences).all():
            return Interval(np.nan, np.nan, np.nan, "no target is observed")
        return ratio_interval(differences, weight, groups=self.blocks, seed=seed)

    def differences(
        self, other: "ForecastEvaluation", metric: Metric = "mae", horizon: int | None = None
    ) -> tuple[Floats, Floats]:
        """What each window adds to the difference of `minus`, ``[n]``, and its weight, ``[n]``, which sums to 1.

        Their sum is the difference; NaN if no target is observed. By whole `blocks` they are what a paired test takes.

        Args:
            other: of the same windows.
            metric: as for `score`.
            horizon: as for `score`.

        Raises:
            InputError: as of `minus`.
        """
        if self.ids != other.ids or self.horizons != other.horizons:
            raise InputError(
                f"other: got an evaluation of other windows: {len(self)} and {len(other)} windows, {self.horizons} and "
                f"{other.horizons} horizons; expected the same. Evaluate both on one split of a series."
            )
        one, two = self._sums(metric, horizon), other._sums(metric, horizon)
        value = float(_ratio(metric, one[0].sum(), one[1].sum()) - _ratio(metric, two[0].sum(), two[1].sum()))
        weight: Floats = one[1] / one[1].sum() if one[1].sum() else np.full(len(self), np.nan)
        each: Floats = value * weight + _influence(metric, *one) - _influence(metric, *two)
        return each, weight

    def to_frame(self, horizons: Sequence[int] = (3, 6, 12), *, seed: int = 0) -> pd.DataFrame:
        """A row per horizon, and one over all of them: metrics with their intervals.

        Args:
            horizons: from 1; those beyond H are dropped.
            seed: of the bootstrap's draws.

        Returns:
            Columns ``horizon`` (a number, or ``"all"``), and for each metric ``mae``, ``mae_low``, ``mae_high``, ...
        """
        requested: list[int | None] = [horizon for horizon in horizons if horizon <= self.horizons]
        rows = []
        for horizon in [*requested, None]:
            row: dict[str, object] = {"horizon": "all" if horizon is None else horizon}
            for metric in METRICS:
                value, low, high = self.score(metric, horizon, seed=seed)
                row |= {metric: value, f"{metric}_low": low, f"{metric}_high": high}
            rows.append(row)
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        value, low, high = self.score()
        unit = f" {self.unit}" if self.unit else ""
        return (
            f"<ForecastEvaluation of {counted(len(self), 'window')}, {self.horizons} horizons: "
            f"MAE {value:.3f}{unit} (95%: {low:.3f} to {high:.3f}, by {self.block}); to_frame() has all>"
        )

    def _values(self, metric: Metric) -> Floats:
        total, count = self._sums(metric, slice(None))
        return _ratio(metric, total.sum(0), count.sum(0))

    def _sums(self, metric: Metric, horizon: int | slice | None) -> tuple[Floats, Floats]:
        """The sum of a metric's terms and their number for each window: ``[n]``, or ``[n, H]`` for a slice."""
        if metric not in METRICS:
            raise unknown("metric", metric, METRICS)
        if isinstance(horizon, int) and not 1 <= horizon <= self.horizons:
            raise InputError(f"horizon: got {horizon}; expected 1 to {self.horizons}, or None for all.")
        total = {"mae": self.absolute, "rmse": self.squared, "mape": self.relative}[metric]
        count = self.relative_count if metric == "mape" else self.count
        if isinstance(horizon, slice):
            return total, count.astype(np.float64)
        # A slice of one horizon keeps the axis, so that both cases are summed over it.
        at = slice(None) if horizon is None else slice(horizon - 1, horizon)
        return total[:, at].sum(1), count[:, at].sum(1).astype(np.float64)


@checked
def evaluate_forecast(model: nn.Module, series: "WindowedSeries", *, batch: int = 64) -> ForecastEvaluation:
    """Evaluates a forecaster on every window of a split of a series, in eval mode.

    Args:
        model: takes ``x [B, 1, T, N, C]`` in physical units (and `valid` and `observed` where its forward has
            parameters of these names), gives ``[B, H, N]`` in the target's unit; other layouts: its `inputs` and
            `outputs`. The mode of each of its modules is restored.
        series: the split.
        batch: windows at a time; the result does not depend on it beyond rounding.

    Returns:
        Errors at each horizon, in the units of the series; MAPE in percent.

    Raises:
        InputError: if the split is empty or does not fit the model.
        DataError: if a forecast is NaN or infinite, or no target is observed.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> class Same(nn.Module):
        ...     def forward(self, x):
        ...         return x[:, 0, -1:, :, 0].repeat(1, 2, 1)
        >>> rising = WindowedSeries(np.arange(40.0)[:, None] + np.zeros(3), window=4, horizon=2)
        >>> evaluate_forecast(Same(), rising).mae
        array([1., 2.])
    """
    check_series(model, series, "series")
    call = ForecasterCall.of(model)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with eval_mode(model), torch.inference_mode():
        return forecast_errors(lambda windows: call(model, windows.to(device)).cpu(), series, batch=batch)


def forecast_errors(
    forecast: "Callable[[WindowBatch], torch.Tensor]", series: "WindowedSeries", *, batch: int = 64
) -> ForecastEvaluation:
    """The errors of any forecast, given as a function from a batch to ``[B, H, N]`` in the target's unit.

    Raises:
        InputError: if `batch` is below 1, or the series is empty.
        DataError: if a forecast of an observed target is NaN or infinite, or no target is observed.
    """
    # The series would call it by the name of its own argument.
    check_arguments(forecast_errors, batch=batch)
    if not len(series):
        raise InputError(
            "series: got no windows; expected at least one. Is that part of the split long enough for one?"
        )
    parts = []
    ids: list[str] = []
    for windows in series.batches(batch):
        observed = windows.y_observed
        # Missing targets are filled with anything, NaN included: they are masked before a sum could see them.
        error = (forecast(windows).double() - windows.y.double()).abs().masked_fill(~observed, 0.0)
        broken = ~torch.isfinite(error).flatten(1).all(1)
        if broken.any():
            raise DataError(
                "the forecast: got values that are NaN or infinite for the window "
                f"{windows.ids[int(broken.int().argmax())]!r}; expected finite ones. Are the model's weights broken? "
                "Train it again, at a lower rate."
            )
        # float64 throughout: a split has millions of targets, whose float32 sum would lose digits.
        size = windows.y.double().abs()
        large_enough = observed & (size > NEAR_ZERO)
        # `where` computes both branches: the clamp keeps the one that is dropped from dividing by zero.
        relative_error = torch.where(large_enough, error / size.clamp(min=NEAR_ZERO), 0.0)
        sums = (error, error**2, observed, relative_error, large_enough)
        # Summed over nodes: [B, H, N] -> [B, H].
        parts.append([each.sum(2).numpy() for each in sums])
        ids += windows.ids
    absolute, squared, count, relative, large = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not count.sum():
        raise DataError("series: got no observed target; expected at least one. Is `missing` right, or the split?")
    blocks, block = window_blocks(series.starts, series.window + series.horizon, series.time)
    return ForecastEvaluation(
        absolute, squared, count, relative, large, blocks=blocks, block=block, unit=series.unit, ids=tuple(ids)
    )


def _ratio(metric: Metric, total: Floats, count: Floats) -> Floats:
    """The metric from the sum of its terms and their number; NaN if there are none."""
    mean: Floats = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
    return _of_mean(metric, mean)


def _of_mean(metric: Metric, mean: "Floats | float") -> Floats:
    """The metric from the mean of its terms."""
    return np.asarray(np.sqrt(mean) if metric == "rmse" else np.multiply(mean, 100 if metric == "mape" else 1))


def _influence(metric: Metric, total: Floats, count: Floats) -> Floats:
    """How far the terms of each window move the metric, ``[n]``, to first order; they sum to zero."""
    number = count.sum()
    if not number:
        return np.full(len(total), np.nan)
    mean = total.sum() / number
    # Where there is no error at all, no window moves anything.
    slope = {"mae": 1.0, "mape": 100.0, "rmse": 0.5 / np.sqrt(mean) if mean else 0.0}[metric]
    moved: Floats = slope * (total - mean * count) / number
    return moved
