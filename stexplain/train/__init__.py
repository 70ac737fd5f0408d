"""Training by a recipe, and evaluation of what came of it."""

from stexplain.train.evaluate import Evaluation as Evaluation
from stexplain.train.evaluate import evaluate as evaluate
from stexplain.train.fit import History as History
from stexplain.train.fit import fit as fit
from stexplain.train.state import Epoch as Epoch
