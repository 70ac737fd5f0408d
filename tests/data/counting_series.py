"""A series whose values say where they are from, for the tests."""

import numpy as np

from stexplain.data.series import WindowedSeries


def series(frames: int = 60, nodes: int = 3, **options) -> WindowedSeries:
    """The value of node n at frame t is 10 t + n, so each value says where it is from."""
    values = 10.0 * np.arange(frames)[:, None] + np.arange(nodes)
    return WindowedSeries(values, **{"window": 4, "horizon": 3, **options})
