"""Explain spatio-temporal graph networks: which nodes, when, and how reliable the explanation is.

Example:
    >>> import stexplain as stx
    >>> graph = stx.STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])
    >>> len(graph)
    3
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from stexplain.version import __version__ as __version__

if TYPE_CHECKING:
    from stexplain import cards as cards
    from stexplain import data as data
    from stexplain import errors as errors
    from stexplain import explainers as explainers
    from stexplain import metrics as metrics
    from stexplain import nn as nn
    from stexplain import training as training
    from stexplain import viz as viz
    from stexplain.bench.runner import bench as bench
    from stexplain.checks.selftest import selftest as selftest
    from stexplain.checks.trust.trust import trust as trust
    from stexplain.data import Batch as Batch
    from stexplain.data import Clips as Clips
    from stexplain.data import Sample as Sample
    from stexplain.data import WindowedSeries as WindowedSeries
    from stexplain.data import load_dataset as load_dataset
    from stexplain.data import load_eeg as load_eeg
    from stexplain.data import load_regions as load_regions
    from stexplain.data import load_sensors as load_sensors
    from stexplain.data import load_series as load_series
    from stexplain.data import load_skeletons as load_skeletons
    from stexplain.explainers import CAM as CAM
    from stexplain.explainers import Acceleration as Acceleration
    from stexplain.explainers import Calibration as Calibration
    from stexplain.explainers import Class as Class
    from stexplain.explainers import Custom as Custom
    from stexplain.explainers import Deviation as Deviation
    from stexplain.explainers import Displacement as Displacement
    from stexplain.explainers import EdgeExplanation as EdgeExplanation
    from stexplain.explainers import EdgeImportance as EdgeImportance
    from stexplain.explainers import ExpectedFall as ExpectedFall
    from stexplain.explainers import ExpectedGradients as ExpectedGradients
    from stexplain.explainers import Explanation as Explanation
    from stexplain.explainers import Forecast as Forecast
    from stexplain.explainers import GradCAMPlusPlus as GradCAMPlusPlus
    from stexplain.explainers import GradientSHAP as GradientSHAP
    from stexplain.explainers import GraphAblated as GraphAblated
    from stexplain.explainers import HiResCAM as HiResCAM
    from stexplain.explainers import InputGradient as InputGradient
    from stexplain.explainers import IntegratedGradients as IntegratedGradients
    from stexplain.explainers import LayerCAM as LayerCAM
    from stexplain.explainers import LayerSweep as LayerSweep
    from stexplain.explainers import LearnedMask as LearnedMask
    from stexplain.explainers import LogOdds as LogOdds
    from stexplain.explainers import Margin as Margin
    from stexplain.explainers import Motion as Motion
    from stexplain.explainers import NodeClass as NodeClass
    from stexplain.explainers import Occlusion as Occlusion
    from stexplain.explainers import Output as Output
    from stexplain.explainers import OwenValueSampling as OwenValueSampling
    from stexplain.explainers import PerSample as PerSample
    from stexplain.explainers import Predicted as Predicted
    from stexplain.explainers import Random as Random
    from stexplain.explainers import RelativeCurvature as RelativeCurvature
    from stexplain.explainers import ShapleyValueSampling as ShapleyValueSampling
    from stexplain.explainers import Slowness as Slowness
    from stexplain.explainers import SlownessNearTarget as SlownessNearTarget
    from stexplain.explainers import STGGradCAM as STGGradCAM
    from stexplain.explainers import TemporalRescaling as TemporalRescaling
    from stexplain.explainers import TimePrior as TimePrior
    from stexplain.explainers import TrainingMap as TrainingMap
    from stexplain.explainers import Variance as Variance
    from stexplain.explainers import adjacencies as adjacencies
    from stexplain.explainers import explain as explain
    from stexplain.explainers import layer_sweep as layer_sweep
    from stexplain.explainers import layers as layers
    from stexplain.explainers import summed as summed
    from stexplain.graph import STGraph as STGraph
    from stexplain.metrics import GroupComparison as GroupComparison
    from stexplain.metrics import compare as compare
    from stexplain.metrics import compare_groups as compare_groups
    from stexplain.metrics.truth.margin import MarginOverOthers as MarginOverOthers
    from stexplain.nn import load_model as load_model
    from stexplain.nn import load_stgcn_checkpoint as load_stgcn_checkpoint
    from stexplain.training import fit as fit

# Names by the module that has them. They are imported when first used, so that `import stexplain` stays light: torch
# alone takes longer to import than `stexplain --help` may last.
_MODULES = {
    "stexplain.checks.selftest": ("selftest",),
    "stexplain.checks.trust.trust": ("trust",),
    "stexplain.data": (
        "Batch",
        "Clips",
        "Sample",
        "WindowedSeries",
        "load_dataset",
        "load_eeg",
        "load_regions",
        "load_sensors",
        "load_series",
        "load_skeletons",
    ),
    "stexplain.explainers": (
        "CAM",
        "Calibration",
        "Class",
        "Custom",
        "Deviation",
        "Displacement",
        "Variance",
        "Acceleration",
        "RelativeCurvature",
        "TimePrior",
        "TrainingMap",
        "Slowness",
        "SlownessNearTarget",
        "EdgeExplanation",
        "EdgeImportance",
        "Explanation",
        "Forecast",
        "GradCAMPlusPlus",
        "ExpectedFall",
        "ExpectedGradients",
        "GradientSHAP",
        "GraphAblated",
        "HiResCAM",
        "InputGradient",
        "IntegratedGradients",
        "LayerCAM",
        "LayerSweep",
        "LearnedMask",
        "Margin",
        "Motion",
        "Occlusion",
        "OwenValueSampling",
        "PerSample",
        "LogOdds",
        "NodeClass",
        "Output",
        "Predicted",
        "Random",
        "STGGradCAM",
        "ShapleyValueSampling",
        "TemporalRescaling",
        "adjacencies",
        "explain",
        "layer_sweep",
        "layers",
        "summed",
    ),
    "stexplain.graph": ("STGraph",),
    "stexplain.metrics": ("GroupComparison", "compare", "compare_groups"),
    "stexplain.metrics.truth.margin": ("MarginOverOthers",),
    "stexplain.nn": ("load_model", "load_stgcn_checkpoint"),
    "stexplain.training": ("fit",),
}
# Each name's module. Submodules of the package have none: the name is that of the module itself.
_NAMES = {name: module for module, names in _MODULES.items() for name in names}
_NAMES |= dict.fromkeys(("bench", "cards", "data", "errors", "explainers", "metrics", "nn", "training", "viz"), "")

__all__ = sorted(_NAMES)


def __dir__() -> list[str]:
    return sorted([*_NAMES, "__version__"])


if not TYPE_CHECKING:
    # Hidden from type checkers, which would otherwise let any name pass.

    def __getattr__(name: str) -> object:
        if name not in _NAMES:
            from stexplain.checking.elsewhere import no_name

            raise AttributeError(no_name(name, _NAMES))
        module = _NAMES[name]
        value = getattr(_import_module(module), name) if module else _import_module(f"stexplain.{name}")
        # Found at once from now on, without this function.
        globals()[name] = value
        return value
