"""Samples and batches, datasets that give them, readers of files, planted generators and the prepared store.

Names are imported when first used: the processes that read recordings need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stexplain.errors import suggest

if TYPE_CHECKING:
    from stexplain.data.clips import Clips as Clips
    from stexplain.data.load import load_clips as load_clips
    from stexplain.data.load import load_dataset as load_dataset
    from stexplain.data.load import load_series as load_series
    from stexplain.data.readers.ntu_skeleton import read as read_skeleton  # noqa: F401 - given on by __getattr__
    from stexplain.data.recording import Recording as Recording
    from stexplain.data.samples import Batch as Batch
    from stexplain.data.samples import Measured as Measured
    from stexplain.data.samples import Sample as Sample
    from stexplain.data.scaler import Scaler as Scaler
    from stexplain.data.series import WindowedSeries as WindowedSeries
    from stexplain.data.series_file import SeriesFile as SeriesFile
    from stexplain.data.signals.eeg.load import load_eeg as load_eeg
    from stexplain.data.signals.regions import load_regions as load_regions
    from stexplain.data.signals.sensors import load_sensors as load_sensors
    from stexplain.data.skeletons.load import load_skeletons as load_skeletons
    from stexplain.data.store.check import check_store as check_store
    from stexplain.data.store.prepared import Store as Store
    from stexplain.data.windows import WindowBatch as WindowBatch

# No name here is that of a submodule: Python would put the submodule in its place once anything imports it.
_NAMES = {
    "Batch": "stexplain.data.samples:Batch",
    "Clips": "stexplain.data.clips:Clips",
    "Measured": "stexplain.data.samples:Measured",
    "Recording": "stexplain.data.recording:Recording",
    "Sample": "stexplain.data.samples:Sample",
    "Scaler": "stexplain.data.scaler:Scaler",
    "SeriesFile": "stexplain.data.series_file:SeriesFile",
    "Store": "stexplain.data.store.prepared:Store",
    "WindowBatch": "stexplain.data.windows:WindowBatch",
    "WindowedSeries": "stexplain.data.series:WindowedSeries",
    "check_store": "stexplain.data.store.check:check_store",
    "load_clips": "stexplain.data.load:load_clips",
    "load_dataset": "stexplain.data.load:load_dataset",
    "load_eeg": "stexplain.data.signals.eeg.load:load_eeg",
    "load_regions": "stexplain.data.signals.regions:load_regions",
    "load_sensors": "stexplain.data.signals.sensors:load_sensors",
    "load_series": "stexplain.data.load:load_series",
    "load_skeletons": "stexplain.data.skeletons.load:load_skeletons",
    "read_skeleton": "stexplain.data.readers.ntu_skeleton:read",
}

__all__ = [*_NAMES]


def __dir__() -> list[str]:
    return sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"stexplain.data has no {name!r}. {suggest(name, _NAMES)}")
    # Not stored in this module: the next access costs a dictionary look-up, and patches of a test stay visible.
    module, _, attribute = _NAMES[name].partition(":")
    return getattr(import_module(module), attribute)
