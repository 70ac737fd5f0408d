"""Warnings that point at the line of the caller's own code."""

import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parents[1])
"""The folder of the package's code."""


def warn_caller(text: str) -> None:
    """Warns, at the first line outside of the package on the way up: the line that the user wrote.

    Args:
        text: the warning.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)
