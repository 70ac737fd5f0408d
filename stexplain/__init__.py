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
    from stexplain.data.load import load_dataset as load_dataset
    from stexplain.explain.cam import CAM as CAM
    from stexplain.explain.controls import Random as Random
    from stexplain.explain.explanation import Explanation as Explanation
    from stexplain.explain.grad_cam import STGGradCAM as STGGradCAM
    from stexplain.explain.gradient import InputGradient as InputGradient
    from stexplain.explain.selftest import selftest as selftest
    from stexplain.explain.targets import Class as Class
    from stexplain.explain.targets import Forecast as Forecast
    from stexplain.explain.targets import Margin as Margin
    from stexplain.explain.targets import Predicted as Predicted
    from stexplain.graph import STGraph as STGraph
    from stexplain.metrics.compare import compare as compare
    from stexplain.nn.checkpoint import load_model as load_model
    from stexplain.nn.checkpoint import load_stgcn_checkpoint as load_stgcn_checkpoint
    from stexplain.train import fit as fit

# Where each name lives. They are imported when first used, so that `import stexplain` stays light: torch alone takes
# longer to import than `stexplain --help` may last.
_NAMES = {
    "STGraph": "stexplain.graph",
    "load_dataset": "stexplain.data.load",
    "load_model": "stexplain.nn.checkpoint",
    "load_stgcn_checkpoint": "stexplain.nn.checkpoint",
    "fit": "stexplain.train",
    "STGGradCAM": "stexplain.explain.grad_cam",
    "CAM": "stexplain.explain.cam",
    "InputGradient": "stexplain.explain.gradient",
    "Random": "stexplain.explain.controls",
    "Explanation": "stexplain.explain.explanation",
    "Class": "stexplain.explain.targets",
    "Predicted": "stexplain.explain.targets",
    "Margin": "stexplain.explain.targets",
    "Forecast": "stexplain.explain.targets",
    "selftest": "stexplain.explain.selftest",
    "compare": "stexplain.metrics.compare",
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
