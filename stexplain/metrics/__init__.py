"""Metrics: functions of arrays, each with its formula and source."""

from stexplain.metrics.bootstrap import Interval as Interval
from stexplain.metrics.bootstrap import interval as interval
from stexplain.metrics.bootstrap import ratio_interval as ratio_interval
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
from stexplain.metrics.faithfulness import masking_curve as masking_curve
from stexplain.metrics.faithfulness import node_sets as node_sets
from stexplain.metrics.fidelity import Fidelity as Fidelity
from stexplain.metrics.fidelity import fidelity as fidelity
from stexplain.metrics.forecast_masking import ForecastMaskingCurve as ForecastMaskingCurve
from stexplain.metrics.forecast_masking import forecast_masking_curve as forecast_masking_curve
from stexplain.metrics.importance import ClassImportance as ClassImportance
from stexplain.metrics.localisation import Localisation as Localisation
from stexplain.metrics.localisation import localisation as localisation
from stexplain.metrics.robustness import Sensitivity as Sensitivity
from stexplain.metrics.robustness import sensitivity_max as sensitivity_max
