"""What the graph is worth to a forecaster: the same one, trained in the same way, in which no sensor hears another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch

from stexplain.cards import Recipe
from stexplain.errors import InputError
from stexplain.nn.traffic import STGCNForecaster, without_graph
from stexplain.training.fit import History, fit
from stexplain.training.forecast import METRICS, Estimate, ForecastEvaluation, evaluate_forecast

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries


@dataclass(frozen=True, eq=False)
class GraphAblation:
    """A forecaster beside the same one without its graph, on the same windows.

    Attributes:
        with_graph: what the forecaster does.
        without_graph: what the one without does.
        model: the one without, trained.
        history: of its training.
    """

    with_graph: ForecastEvaluation
    without_graph: ForecastEvaluation
    model: STGCNForecaster
    history: History

    @property
    def gain(self) -> Estimate:
        """By how much the graph lowers MAE over all horizons, in the target's unit; below 0: it raises it."""
        return self.without_graph.minus(self.with_graph)

    @property
    def uses_graph(self) -> bool:
        """Whether the interval of `gain` lies above zero.

        Where it does not, what an explanation says of other sensors than the target is of little weight: STGCN is
        known to lose little without its graph (https://github.com/hazdzz/STGCN/issues/32).
        """
        return self.gain.low > 0

    def to_frame(self, horizons: Sequence[int] = (3, 6, 12)) -> pd.DataFrame:
        """A row per horizon, and one over all: ``mae``, ``mae_without``, ``mae_gain``, ``mae_gain_low``, ... by metric.

        Args:
            horizons: from 1; those beyond H are left out.
        """
        asked: list[int | None] = [horizon for horizon in horizons if horizon <= self.with_graph.horizons]
        rows = []
        for horizon in [*asked, None]:
            row: dict[str, object] = {"horizon": "all" if horizon is None else horizon}
            for metric in METRICS:
                gain = self.without_graph.minus(self.with_graph, metric, horizon)
                row |= {
                    metric: self.with_graph.score(metric, horizon).value,
                    f"{metric}_without": self.without_graph.score(metric, horizon).value,
                    f"{metric}_gain": gain.value,
                    f"{metric}_gain_low": gain.low,
                    f"{metric}_gain_high": gain.high,
                }
            rows.append(row)
        return pd.DataFrame(rows)


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
    """Trains `without_graph(model)` as the model was trained, and evaluates both on the same windows.

    The interval is over windows, for these two trainings; how much trainings differ by their seed is not in it.

    Args:
        model: trained.
        train: what it was trained on.
        test: what both are evaluated on.
        recipe: that it was trained by.
        validation: as it was trained with.
        out: folder for the checkpoint of the training, as of `fit`.
        seed: of the weights at the start and of the training.
        progress: as of `fit`.

    Raises:
        InputError: where the model is no `STGCNForecaster`, and as of `fit` and `evaluate_forecast`.
        DataError: as of `fit` and `evaluate_forecast`.
    """
    if not isinstance(model, STGCNForecaster):
        raise InputError(
            f"the model is a {type(model).__name__}, and how to take its graph away is not known; wanted an "
            "STGCNForecaster. For another, train one without its graph and use ForecastEvaluation.minus."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        alone = without_graph(model)
    history = fit(alone, train, recipe=recipe, validation=validation, out=out, seed=seed, progress=progress)
    return GraphAblation(evaluate_forecast(model, test), evaluate_forecast(alone, test), alone, history)
