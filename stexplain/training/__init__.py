"""Training by a recipe, evaluation on a split, and baseline forecasts."""

# `X as X` tells type checkers that a name is exported; an underscore keeps a helper out of `dir`.
from types import ModuleType as _Module

from stexplain.data.baselines.historical import HistoricalAverage as HistoricalAverage
from stexplain.training.ablation import GraphAblation as GraphAblation
from stexplain.training.ablation import graph_ablation as graph_ablation
from stexplain.training.baselines import historical_average as historical_average
from stexplain.training.baselines import persistence as persistence
from stexplain.training.evaluate import Evaluation as Evaluation
from stexplain.training.evaluate import evaluate as evaluate
from stexplain.training.fit import History as History
from stexplain.training.fit import fit as fit
from stexplain.training.forecast import ForecastEvaluation as ForecastEvaluation
from stexplain.training.forecast import evaluate_forecast as evaluate_forecast
from stexplain.training.state import Epoch as Epoch


def __dir__() -> list[str]:
    # Modules of the package stand beside these names once they are imported; nobody looks for them here.
    return sorted(name for name, value in globals().items() if name[0] != "_" and not isinstance(value, _Module))
