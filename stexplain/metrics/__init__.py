"""Metrics: functions of arrays, each with its formula and source."""

from stexplain.metrics.bootstrap import Interval as Interval
from stexplain.metrics.bootstrap import interval as interval
from stexplain.metrics.contrastivity import Contrastivity as Contrastivity
from stexplain.metrics.contrastivity import contrastivity as contrastivity
from stexplain.metrics.contrastivity import contrastivity_detail as contrastivity_detail
from stexplain.metrics.faithfulness import MaskingCurve as MaskingCurve
from stexplain.metrics.faithfulness import faithfulness as faithfulness
from stexplain.metrics.faithfulness import masking_curve as masking_curve
from stexplain.metrics.faithfulness import node_sets as node_sets
from stexplain.metrics.importance import ClassImportance as ClassImportance
from stexplain.metrics.localisation import Localisation as Localisation
from stexplain.metrics.localisation import localisation as localisation
