"""Metrics: functions of arrays, each with its formula and source."""

# `X as X` tells type checkers that a name is exported; an underscore keeps a helper out of `dir`.
from types import ModuleType as _Module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from stexplain.errors import suggest as _suggest
from stexplain.intervals.bootstrap import Interval as Interval
from stexplain.intervals.bootstrap import interval as interval
from stexplain.intervals.bootstrap import ratio_interval as ratio_interval
from stexplain.metrics.comparison.baselines import BestBaseline as BestBaseline
from stexplain.metrics.comparison.baselines import baseline_scores as baseline_scores
from stexplain.metrics.comparison.baselines import best_baseline as best_baseline
from stexplain.metrics.comparison.compare import compare as compare
from stexplain.metrics.comparison.permutation import corrected_p_values as corrected_p_values
from stexplain.metrics.comparison.permutation import sign_flip_test as sign_flip_test
from stexplain.metrics.comparison.permutation import smallest_p as smallest_p
from stexplain.metrics.comparison.result import Comparison as Comparison
from stexplain.metrics.comparison.scores import AbsoluteAttribution as AbsoluteAttribution
from stexplain.metrics.comparison.scores import SampleMetric as SampleMetric
from stexplain.metrics.comparison.scores import complexity_score as complexity_score
from stexplain.metrics.comparison.scores import deletion_score as deletion_score
from stexplain.metrics.comparison.scores import fidelity_score as fidelity_score
from stexplain.metrics.comparison.scores import localisation_score as localisation_score
from stexplain.metrics.comparison.scores import sensitivity_score as sensitivity_score
from stexplain.metrics.complexity import Complexity as Complexity
from stexplain.metrics.complexity import complexity as complexity
from stexplain.metrics.complexity import entropy as entropy
from stexplain.metrics.complexity import gini as gini
from stexplain.metrics.complexity import sparsity as sparsity
from stexplain.metrics.contrastivity import Contrastivity as Contrastivity
from stexplain.metrics.contrastivity import contrastivity as contrastivity
from stexplain.metrics.contrastivity import contrastivity_detail as contrastivity_detail
from stexplain.metrics.deletion import DeletionCurve as DeletionCurve
from stexplain.metrics.deletion import deletion_curve as deletion_curve
from stexplain.metrics.faithfulness import MaskingCurve as MaskingCurve
from stexplain.metrics.faithfulness import faithfulness as faithfulness
from stexplain.metrics.faithfulness import node_sets as node_sets
from stexplain.metrics.fidelity import Fidelity as Fidelity
from stexplain.metrics.fidelity import fidelity as fidelity
from stexplain.metrics.forecast_masking import ForecastMaskingCurve as ForecastMaskingCurve
from stexplain.metrics.forecast_masking import forecast_masking_curve as forecast_masking_curve
from stexplain.metrics.groups.compare import compare_groups as compare_groups
from stexplain.metrics.groups.result import GroupComparison as GroupComparison
from stexplain.metrics.importance import ClassImportance as ClassImportance
from stexplain.metrics.localisation import Localisation as Localisation
from stexplain.metrics.localisation import localisation as localisation
from stexplain.metrics.masking_curves import masking_curve as masking_curve
from stexplain.metrics.robustness import Sensitivity as Sensitivity
from stexplain.metrics.robustness import sensitivity_max as sensitivity_max
from stexplain.metrics.truth.agreement import Agreement as Agreement
from stexplain.metrics.truth.agreement import effect_agreement as effect_agreement
from stexplain.metrics.truth.effect import Effect as Effect
from stexplain.metrics.truth.effect import effect as effect
from stexplain.metrics.truth.inferences import counted_inferences as counted_inferences

# A module, not names: its functions have the names of those for batches.
from stexplain.metrics import dataset as dataset  # isort: skip


def __dir__() -> list[str]:
    # Modules of the package stand beside these names once they are imported; nobody looks for them here.
    names = (name for name, value in globals().items() if name == "dataset" or not isinstance(value, _Module))
    return sorted(name for name in names if not name.startswith("_"))


if not _TYPE_CHECKING:
    # Hidden from type checkers, which would otherwise let any name pass.

    def __getattr__(name: str) -> object:
        names = [name for name in globals() if not name.startswith("_")]
        raise AttributeError(f"stexplain.metrics has no {name!r}. {_suggest(name, names)}")
