"""Samples, splits, readers of files, planted generators and the prepared store.

Names are imported when first used: the processes that read recordings need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stexplain.errors import suggest

if TYPE_CHECKING:
    from stexplain.data.clips import Clips as Clips
    from stexplain.data.load import load_dataset as load_dataset
    from stexplain.data.load_series import load_series as load_series
    from stexplain.data.readers.ntu_skeleton import read as read_skeleton  # noqa: F401 - given on by __getattr__
    from stexplain.data.samples import Batch as Batch
    from stexplain.data.samples import Sample as Sample
    from stexplain.data.scaler import Scaler as Scaler
    from stexplain.data.series import WindowBatch as WindowBatch
    from stexplain.data.series import WindowedSeries as WindowedSeries
    from stexplain.data.store.prepared import Store as Store
    from stexplain.data.store.prepared import check as check_store  # noqa: F401 - given on by __getattr__

_NAMES = {
    "Batch": "stexplain.data.samples:Batch",
    "Clips": "stexplain.data.clips:Clips",
    "Sample": "stexplain.data.samples:Sample",
    "Scaler": "stexplain.data.scaler:Scaler",
    "Store": "stexplain.data.store.prepared:Store",
    "WindowBatch": "stexplain.data.series:WindowBatch",
    "WindowedSeries": "stexplain.data.series:WindowedSeries",
    "check_store": "stexplain.data.store.prepared:check",
    "load_dataset": "stexplain.data.load:load_dataset",
    "load_series": "stexplain.data.load_series:load_series",
    "read_skeleton": "stexplain.data.readers.ntu_skeleton:read",
}

__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"stexplain.data has no {name!r}. {suggest(name, _NAMES)}")
    module, _, attribute = _NAMES[name].partition(":")
    return getattr(import_module(module), attribute)
