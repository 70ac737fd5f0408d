"""Calibrations that were measured on the bundled recordings, by benchmarks/methods.py."""

from stexplain.explainers.results.calibration import Calibration

BUNDLED: tuple[Calibration, ...] = ()
"""One per method and reduction that was measured."""
