"""Graph ablation: a forecaster against the same one without message passing, trained in the same way."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch

from stexplain.cards import Recipe
from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.intervals.bootstrap import Interval
from stexplain.nn.traffic import STGCNForecaster, without_message_passing
from stexplain.result import Result
from stexplain.training.fit import History, fit
from stexplain.training.forecast import METRICS, ForecastEvaluation, evaluate_forecast
from stexplain.wording import an

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries


# Compared by identity: the default == fails on arrays, whose comparison has no single truth value.
@checked
@dataclass(frozen=True, eq=False, repr=False)
class GraphAblation(Result):
    """A forecaster and the same one without message passing (identity adjacency), on the same windows.

    Attributes:
        with_graph: the forecaster's errors.
        without_graph: the errors without message passing.
        model: the trained model without message passing.
        history: of its training.

    Example:
        >>> import numpy as np
        >>> from stexplain.cards import model_card
        >>> from stexplain.data.series import WindowedSeries
        >>> from stexplain.graph import STGraph
        >>> roads = STGraph.from_edges(["a", "b"], [("a", "b")])
        >>> speeds = np.random.default_rng(0).normal(60, 5, (120, 2))
        >>> train, _, test = WindowedSeries(speeds, graph=roads, window=12, horizon=12).split(validation=0.0)
        >>> recipe = model_card("stgcn-roads").recipe("quick").model_copy(update={"epochs": 1, "select": "last"})
        >>> model = STGCNForecaster(roads)
        >>> _ = fit(model, train, recipe=recipe, progress=False)
        >>> result = graph_ablation(model, train, test, recipe=recipe, progress=False)
        >>> result.to_frame(horizons=[3, 12])["horizon"].tolist()
        [3, 12, 'all']
        >>> result.gain.value == result.without_graph.minus(result.with_graph).value
        True
    """

    with_graph: ForecastEvaluation
    without_graph: ForecastEvaluation
    model: STGCNForecaster
    history: History

    def _said(self) -> str:
        gain = self.gain
        unit = f" {self.with_graph.unit}" if self.with_graph.unit else ""
        within = f"(no interval: {gain.reason})" if gain.reason else f"[{gain.low:.3g}, {gain.high:.3g}]"
        return f"{len(self.with_graph)} windows: the graph lowers the MAE by {gain.value:.3g}{unit} {within}"

    @property
    def gain(self) -> Interval:
        """How much the graph lowers the MAE over all horizons, in the target's unit; negative if it raises it."""
        return self.without_graph.minus(self.with_graph)

    @property
    def uses_graph(self) -> bool:
        """Whether the interval of `gain` lies above zero.

        If it does not, an explanation's importance of other sensors than the target means little: STGCN is known to
        lose little without its graph (https://github.com/hazdzz/STGCN/issues/32).
        """
        # The lower end, not the mean: a gain within the noise of the windows shows no use of the graph.
        return self.gain.low > 0

    def to_frame(self, horizons: Sequence[int] = (3, 6, 12)) -> pd.DataFrame:
        """A row per horizon, and one over all: ``mae``, ``mae_without_graph``, ``mae_gain``, ``mae_gain_low``, ...

        The same columns follow for each metric of `stexplain.training.forecast.METRICS`.

        Args:
            horizons: from 1; those beyond H are dropped.
        """
        requested: list[int | None] = [horizon for horizon in horizons if horizon <= self.with_graph.horizons]
        rows = []
        for horizon in [*requested, None]:
            row: dict[str, object] = {"horizon": "all" if horizon is None else horizon}
            for metric in METRICS:
                gain = self.without_graph.minus(self.with_graph, metric, horizon)
                row |= {
                    metric: self.with_graph.score(metric, horizon).value,
                    f"{metric}_without_graph": self.without_graph.score(metric, horizon).value,
                    f"{metric}_gain": gain.value,
                    f"{metric}_gain_low": gain.low,
                    f"{metric}_gain_high": gain.high,
                }
            rows.append(row)
        return pd.DataFrame(rows)


@checked
def graph_ablation(
    model: STGCNForecaster,
    train: "WindowedSeries",
    test: "WindowedSeries",
    *,
    recipe: Recipe,
    validation: "WindowedSeries | None" = None,
    out: Path | None = None,
    seed: int = 0,
    progress: bool = True,
) -> GraphAblation:
    """Trains `without_message_passing(model)` as the model was trained, and evaluates both on the same windows.

    The interval is over windows for these two trainings; it does not include how trainings differ by their seed.

    Args:
        model: the trained forecaster.
        train: its training split.
        test: the split that both are evaluated on.
        recipe: its training recipe.
        validation: its validation split.
        out: folder for the checkpoint of the training, as of `fit`.
        seed: of the initial weights and of the training.
        progress: as of `fit`.

    Returns:
        The errors of both, in the units of the series.

    Raises:
        InputError: if the model is no `STGCNForecaster`, and as of `fit` and `evaluate_forecast`.
        DataError: as of `fit` and `evaluate_forecast`.

    Example:
        >>> import numpy as np
        >>> from stexplain.cards import model_card
        >>> from stexplain.data.series import WindowedSeries
        >>> from stexplain.graph import STGraph
        >>> roads = STGraph.from_edges(["a", "b"], [("a", "b")])
        >>> speeds = np.random.default_rng(0).normal(60, 5, (120, 2))
        >>> train, _, test = WindowedSeries(speeds, graph=roads, window=12, horizon=12).split(validation=0.0)
        >>> recipe = model_card("stgcn-roads").recipe("quick").model_copy(update={"epochs": 1, "select": "last"})
        >>> model = STGCNForecaster(roads)
        >>> _ = fit(model, train, recipe=recipe, progress=False)
        >>> result = graph_ablation(model, train, test, recipe=recipe, progress=False)
        >>> len(result.without_graph), len(result.history.epochs)  # windows of the test split
        (13, 1)
    """
    if not isinstance(model, STGCNForecaster):
        raise InputError(
            f"model: got {an(type(model).__name__)}; expected an STGCNForecaster, whose message passing can be "
            "removed. "
            "For another model, train one without its graph and use ForecastEvaluation.minus."
        )
    try:
        with_graph = evaluate_forecast(model, test)
    except InputError as error:
        # Before the training, which may take hours; of this function the series is `test`.
        raise InputError(re.sub("^series:", "test:", str(error))) from error
    # A fork, so that seeding the new weights does not reset the caller's random numbers.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        ablated = without_message_passing(model)
    # By the model's own recipe, so that the trainings differ in the graph and in nothing chosen.
    history = fit(ablated, train, recipe=recipe, validation=validation, out=out, seed=seed, progress=progress)
    return GraphAblation(with_graph, evaluate_forecast(ablated, test), ablated, history)
