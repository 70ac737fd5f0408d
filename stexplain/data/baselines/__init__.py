"""Baselines: what a masked value is replaced by, by name or as a function."""

from stexplain.data.baselines.named import BASELINES as BASELINES
from stexplain.data.baselines.named import HISTORICAL_AVERAGE as HISTORICAL_AVERAGE
from stexplain.data.baselines.named import HISTORY_OR_ZERO as HISTORY_OR_ZERO
from stexplain.data.baselines.named import Baseline as Baseline
from stexplain.data.baselines.named import HistoryOr as HistoryOr
from stexplain.data.baselines.named import as_baseline as as_baseline
from stexplain.data.baselines.named import baseline as baseline
from stexplain.data.baselines.named import bones as bones
from stexplain.data.baselines.named import interpolation as interpolation
from stexplain.data.baselines.named import mean as mean
from stexplain.data.baselines.named import neighbours as neighbours
from stexplain.data.baselines.named import zero as zero
