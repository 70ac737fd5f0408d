"""Training by a recipe, and evaluation of what came of it."""

from stexplain.train.ablation import GraphAblation as GraphAblation
from stexplain.train.ablation import graph_ablation as graph_ablation
from stexplain.train.baselines import historical_average as historical_average
from stexplain.train.baselines import persistence as persistence
from stexplain.train.evaluate import Evaluation as Evaluation
from stexplain.train.evaluate import evaluate as evaluate
from stexplain.train.fit import History as History
from stexplain.train.fit import fit as fit
from stexplain.train.forecast import ForecastEvaluation as ForecastEvaluation
from stexplain.train.forecast import evaluate_forecast as evaluate_forecast
from stexplain.train.state import Epoch as Epoch
