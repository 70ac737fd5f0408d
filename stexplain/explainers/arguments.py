"""Checks of arguments that several methods and charts share."""

import inspect
from collections.abc import Iterable
from typing import Any

from stexplain.errors import InputError


def check_counts(least: int = 1, /, **counts: int) -> None:
    """Refuses counts below one, or below `least`.

    Of a negative count Python would take all but so many, where it is an end of a slice.

    Raises:
        InputError: naming the argument.

    Example:
        >>> check_counts(steps=0)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: steps: got 0; expected at least 1.
        >>> check_counts(0, labels=0)
    """
    for name, count in counts.items():
        if count < least:
            raise InputError(f"{name}: got {count}; expected at least {least}.")


def check_window(window: int | None, stride: int | None = None) -> None:
    """Refuses windows of no frames.

    Raises:
        InputError: where window or stride is less than one frame.

    Example:
        >>> check_window(0)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: window: got 0; expected at least one frame, or none for all.
    """
    for name, frames, none in (("window", window, "for all"), ("stride", stride, "for the length of the window")):
        if frames is not None and frames < 1:
            raise InputError(f"{name}: got {frames}; expected at least one frame, or none {none}.")


def refuse_of_forward(model: Any, given: Iterable[str]) -> None:
    """Refuses what the model takes beside x, given by its own name, as explainers of other packages take it.

    Args:
        model: whose ``forward`` may take it.
        given: names of arguments that are not of the call.

    Raises:
        InputError: naming the argument, and where it belongs.
    """
    taken = inspect.signature(model.forward).parameters if hasattr(model, "forward") else {}
    for name in given:
        if name in taken:
            raise InputError(
                f"{name!r} is an argument of {type(model).__name__}.forward. Give it in shared={{{name!r}: ...}} where "
                "it is the same for all samples, else in per_sample=."
            )
