"""Explain spatio-temporal graph networks: which nodes, when, and how sure one may be of it.

Example:
    >>> import stexplain as stx
    >>> graph = stx.STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])
    >>> len(graph)
    3
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stexplain.version import __version__ as __version__

if TYPE_CHECKING:
    from stexplain import data as data
    from stexplain import metrics as metrics
    from stexplain import viz as viz
    from stexplain.bench.run import bench as bench
    from stexplain.checks.selftest import selftest as selftest
    from stexplain.data.load import load_dataset as load_dataset
    from stexplain.explainers.explanation import Explanation as Explanation
    from stexplain.explainers.methods.baselines import Random as Random
    from stexplain.explainers.methods.gradient.input_gradient import InputGradient as InputGradient
    from stexplain.explainers.methods.layer.cam import CAM as CAM
    from stexplain.explainers.methods.layer.grad_cam import STGGradCAM as STGGradCAM
    from stexplain.explainers.targets import Class as Class
    from stexplain.explainers.targets import Forecast as Forecast
    from stexplain.explainers.targets import Margin as Margin
    from stexplain.explainers.targets import Predicted as Predicted
    from stexplain.graph import STGraph as STGraph
    from stexplain.metrics.comparison.compare import compare as compare
    from stexplain.nn.checkpoint import load_model as load_model
    from stexplain.nn.checkpoint import load_stgcn_checkpoint as load_stgcn_checkpoint
    from stexplain.training import fit as fit

# Where each name lives. They are imported when first used, so that `import stexplain` stays light: torch alone takes
# longer to import than `stexplain --help` may last.
_NAMES = {
    "STGraph": "stexplain.graph",
    "load_dataset": "stexplain.data.load",
    "load_model": "stexplain.nn.checkpoint",
    "load_stgcn_checkpoint": "stexplain.nn.checkpoint",
    "fit": "stexplain.training",
    "STGGradCAM": "stexplain.explainers.methods.layer.grad_cam",
    "CAM": "stexplain.explainers.methods.layer.cam",
    "InputGradient": "stexplain.explainers.methods.gradient.input_gradient",
    "Random": "stexplain.explainers.methods.baselines",
    "Explanation": "stexplain.explainers.explanation",
    "Class": "stexplain.explainers.targets",
    "Predicted": "stexplain.explainers.targets",
    "Margin": "stexplain.explainers.targets",
    "Forecast": "stexplain.explainers.targets",
    "selftest": "stexplain.checks.selftest",
    "compare": "stexplain.metrics.comparison.compare",
    "bench": "",
    "data": "",
    "metrics": "",
    "viz": "",
}

__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        from stexplain.errors import suggest

        raise AttributeError(f"stexplain has no {name!r}. {suggest(name, _NAMES)}")
    module = _NAMES[name]
    value = getattr(import_module(module), name) if module else import_module(f"stexplain.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
