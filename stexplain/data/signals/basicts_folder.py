"""BasicTS' folders: `data.dat` of float32, `desc.json` that describes it, and `adj_mx.pkl` where there is a graph."""

from pathlib import Path

import numpy as np

from stexplain.checking import warn_caller
from stexplain.data.readers.basicts import mapped
from stexplain.data.readers.dcrnn_pickle import read_adjacency
from stexplain.data.signals.sensor_data import SensorData
from stexplain.errors import DataError
from stexplain.reading import is_there

_CALENDAR = ("time of day", "day of week", "day of month", "day of year", "day in week", "time in day")


def read(folder: Path) -> SensorData:
    """Reads a folder; values stay on disk and are mapped into memory.

    Channels of the calendar (time of day, day of week, ...) are excluded, with a warning: they are computed from times
    by `WindowedSeries.with_calendar`. Of ``regular_settings`` are taken the lengths of window and horizon, and the
    value of missing observations.

    Raises:
        DataError: where a file is missing or broken, or sizes do not fit.
    """
    path, about = folder / "data.dat", folder / "desc.json"
    for file in (path, about):
        if not file.is_file():
            raise DataError(
                f"{folder} holds no {file.name}; expected a folder of BasicTS, with data.dat and desc.json."
            )
    values, described = mapped(path, about)
    shape = values.shape
    names = [str(name) for name in described.get("feature_description") or []]
    if names and len(names) != shape[2]:
        raise DataError(f"{about} describes {len(names)} features of {shape[2]}; expected one each.")
    names = names or [f"channel {number}" for number in range(shape[2])]
    kept = [number for number, name in enumerate(names) if name.lower() not in _CALENDAR]
    if len(kept) < len(names):
        gone = ", ".join(repr(name) for number, name in enumerate(names) if number not in kept)
        warn_caller(f"BasicTS: the channels {gone} were excluded: series.with_calendar() computes them, with start=.")
    last = len(kept) - 1
    # The calendar comes last in their files: a view then, without reading.
    chosen = values[..., : last + 1] if kept == list(range(last + 1)) else values[..., kept]
    settings = described.get("regular_settings") or {}
    pickles = [folder / "adj_mx.pkl"] if is_there(folder / "adj_mx.pkl") else sorted(folder.glob("adj_*.pkl"))[:1]
    # Rows of the values are those of the adjacency, which alone knows their ids.
    nodes = read_adjacency(pickles[0])[0] if pickles else [str(number) for number in range(shape[1])]
    if len(nodes) != shape[1]:
        raise DataError(
            f"{pickles[0]} is of {len(nodes)} sensors; {path.name} holds {shape[1]}. Are both of one dataset?"
        )
    null, minutes = settings.get("NULL_VAL"), described.get("frequency (minutes)")
    return SensorData(
        path,
        chosen,
        tuple(nodes),
        tuple(names[number] for number in kept),
        links=pickles[0] if pickles else None,
        missing=float(null) if isinstance(null, int | float) and np.isfinite(null) else None,
        minutes=float(minutes) if isinstance(minutes, int | float) and minutes > 0 else None,
        window=_length(settings.get("INPUT_LEN")),
        horizon=_length(settings.get("OUTPUT_LEN")),
    )


def _length(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
