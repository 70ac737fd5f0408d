"""The markers of a C3D file; called in a process of its own, see `reading.child_process`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """``points`` ``[4, N, T]``, ``residuals`` ``[1, N, T]``, ``labels`` ``[N]``, ``unit``, ``rate`` and ``up``."""
    import ezc3d

    content: Any = ezc3d.c3d(str(path))
    points = np.asarray(content["data"]["points"], np.float64)
    about = content["parameters"]["POINT"]
    labels = [str(name) for name in about["LABELS"]["value"]][: points.shape[1]]
    return {
        "points": points,
        "residuals": np.asarray(content["data"]["meta_points"]["residuals"], np.float64),
        "labels": np.array(labels, np.str_),
        "unit": np.array(str((about.get("UNITS", {}).get("value") or ["mm"])[0])),
        # X_SCREEN and Y_SCREEN: the axes to the right and up on a screen that shows the room.
        "up": np.array(str((about.get("Y_SCREEN", {}).get("value") or [""])[0])),
        "rate": np.array(float(about["RATE"]["value"][0])),
    }
