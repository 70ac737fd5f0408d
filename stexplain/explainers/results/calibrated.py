"""Calibrations that come with the package, each of one method on one kind of data, with what was measured on it."""

import json
from functools import cache
from importlib.resources import files

from stexplain.explainers.results.calibration import Calibration


@cache
def bundled() -> tuple[Calibration, ...]:
    """All of them; `benchmarks/calibrate.py` makes their file.

    Example:
        >>> all(one.data and one.measured for one in bundled())
        True
    """
    text = files("stexplain.explainers.results").joinpath("calibrations.json").read_text("utf-8")
    return tuple(map(Calibration.from_dict, json.loads(text)["calibrations"]))
