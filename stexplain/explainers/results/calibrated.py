"""Calibrations that come with the package: none yet, so a set is chosen by a calibration of one's own."""

from stexplain.explainers.results.calibration import Calibration

BUNDLED: tuple[Calibration, ...] = ()
"""One per method and reduction that was measured on the bundled data."""
