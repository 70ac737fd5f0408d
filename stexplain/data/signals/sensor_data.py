"""What a reader of a network of sensors gives: values with all labels, and where the graph is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.graph import STGraph


@dataclass(frozen=True)
class SensorData:
    """A series as read from files.

    Attributes:
        path: of the values, for messages.
        values: ``[T, N, C]``, NaN where a value is missing; a memory map where the format allows one.
        nodes: N names.
        channels: C names.
        units: of each channel, empty text where the files do not say it.
        time: of each frame, or none.
        missing: a number that stands for a missing value, as the files say, or none.
        positions: of the nodes, ``[N, 2]``: longitude and latitude, or x and y; or none.
        geographic: whether positions are longitude and latitude.
        graph: as the files say it, or none.
        links: a file of links, see `links.graph_of_file`, or none.
        minutes: from frame to frame, where the files say it and have no times.
        window: frames of a window, where the files say it.
        horizon: frames to be predicted, where the files say it.
    """

    path: Path
    values: Any
    nodes: tuple[str, ...]
    channels: tuple[str, ...]
    units: tuple[str, ...] = ()
    time: pd.DatetimeIndex | None = None
    missing: float | None = None
    positions: NDArray[np.float64] | None = None
    geographic: bool = False
    graph: STGraph | None = None
    links: Path | None = None
    minutes: float | None = None
    window: int | None = None
    horizon: int | None = None
