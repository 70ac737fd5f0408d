"""Explainers: from a model, samples and a target to importance over node x time. One file per method."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from stexplain.errors import suggest as _suggest
from stexplain.explainers.by_stream import summed as summed
from stexplain.explainers.edge_explanation import EdgeExplanation as EdgeExplanation
from stexplain.explainers.explain import explain as explain
from stexplain.explainers.explainer import Explainer as Explainer
from stexplain.explainers.explanation import Explanation as Explanation
from stexplain.explainers.forecast_target import Forecast as Forecast
from stexplain.explainers.forecast_target import NodeClass as NodeClass
from stexplain.explainers.joined import joined as joined
from stexplain.explainers.methods import CAM as CAM
from stexplain.explainers.methods import Acceleration as Acceleration
from stexplain.explainers.methods import Deviation as Deviation
from stexplain.explainers.methods import Displacement as Displacement
from stexplain.explainers.methods import EdgeImportance as EdgeImportance
from stexplain.explainers.methods import ExpectedFall as ExpectedFall
from stexplain.explainers.methods import ExpectedGradients as ExpectedGradients
from stexplain.explainers.methods import GradCAMPlusPlus as GradCAMPlusPlus
from stexplain.explainers.methods import GradientSHAP as GradientSHAP
from stexplain.explainers.methods import GraphAblated as GraphAblated
from stexplain.explainers.methods import HiResCAM as HiResCAM
from stexplain.explainers.methods import InputGradient as InputGradient
from stexplain.explainers.methods import IntegratedGradients as IntegratedGradients
from stexplain.explainers.methods import LayerCAM as LayerCAM
from stexplain.explainers.methods import LayerSweep as LayerSweep
from stexplain.explainers.methods import LearnedMask as LearnedMask
from stexplain.explainers.methods import Motion as Motion
from stexplain.explainers.methods import Occlusion as Occlusion
from stexplain.explainers.methods import OwenValueSampling as OwenValueSampling
from stexplain.explainers.methods import Random as Random
from stexplain.explainers.methods import RelativeCurvature as RelativeCurvature
from stexplain.explainers.methods import ShapleyValueSampling as ShapleyValueSampling
from stexplain.explainers.methods import Slowness as Slowness
from stexplain.explainers.methods import SlownessNearTarget as SlownessNearTarget
from stexplain.explainers.methods import STGGradCAM as STGGradCAM
from stexplain.explainers.methods import TemporalRescaling as TemporalRescaling
from stexplain.explainers.methods import TimePrior as TimePrior
from stexplain.explainers.methods import TrainingMap as TrainingMap
from stexplain.explainers.methods import Variance as Variance
from stexplain.explainers.methods import graph_removed as graph_removed
from stexplain.explainers.methods import layer_sweep as layer_sweep
from stexplain.explainers.methods import layers as layers
from stexplain.explainers.model.adjacency.table import adjacencies as adjacencies
from stexplain.explainers.results.calibration import Calibration as Calibration
from stexplain.explainers.target import OutputInfo as OutputInfo
from stexplain.explainers.target import Target as Target
from stexplain.explainers.targets import Class as Class
from stexplain.explainers.targets import Custom as Custom
from stexplain.explainers.targets import LogOdds as LogOdds
from stexplain.explainers.targets import Margin as Margin
from stexplain.explainers.targets import Output as Output
from stexplain.explainers.targets import PerSample as PerSample
from stexplain.explainers.targets import Predicted as Predicted

if not _TYPE_CHECKING:
    # Hidden from type checkers, which would otherwise let any name pass.

    def __getattr__(name: str) -> object:
        names = [name for name in globals() if not name.startswith("_")]
        raise AttributeError(f"stexplain.explainers has no {name!r}. {_suggest(name, names)}")
