"""Checks of what charts draw: explanations, and tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stexplain.errors import InputError, unknown
from stexplain.explainers.edge_explanation import EdgeExplanation
from stexplain.explainers.explanation import Explanation
from stexplain.wording import an

# What draws a thing that was given to another chart.
_DRAWN_BY = {
    Explanation: "skeleton, timeline, road_network and lag_map draw an Explanation",
    EdgeExplanation: "edge_network and edge_timeline draw an EdgeExplanation",
}


def expect(name: str, given: Any, kind: type, made_by: str) -> None:
    """Checks that an argument is of the kind that a chart draws.

    Args:
        name: of the argument.
        given: it.
        kind: what it must be.
        made_by: where one comes from, for the message.

    Raises:
        InputError: where it is of another kind.

    Example:
        >>> expect("e", 3, Explanation, "an explainer")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: e: got an int; expected an Explanation, from an explainer.
    """
    if isinstance(given, kind):
        return
    one = _DRAWN_BY.get(type(given))
    hint = f" {one[0].upper()}{one[1:]}." if one else ""
    raise InputError(f"{name}: got {an(type(given).__name__)}; expected {an(kind.__name__)}, from {made_by}.{hint}")


def numbers(name: str, given: ArrayLike) -> NDArray[np.float64]:
    """An argument as an array of numbers.

    Raises:
        InputError: where it is none.

    Example:
        >>> numbers("values", "high")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: values: got a str; expected numbers.
    """
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: got {an(type(given).__name__)}; expected numbers.") from error


def require(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Checks that a table has rows, and every column that a chart needs.

    Raises:
        InputError: where the table is empty or lacks a column; the message names the nearest column.
    """
    expect("table", table, pd.DataFrame, "the method or metric that this chart is named after")
    for column in columns:
        if column not in table.columns:
            raise unknown("column", column, [str(name) for name in table.columns])
    if table.empty:
        raise InputError(f"table has no rows; expected at least one, with columns {', '.join(columns)}.")


def few_words(table: pd.DataFrame) -> str:
    """What a chart says where a value has no interval; nothing where all have one.

    Example:
        >>> few_words(pd.DataFrame({"value": [0.8], "low": [np.nan], "high": [np.nan]}))
        'No line: too few samples or groups for an interval.'
    """
    without = table["value"].notna() & table["low"].isna()
    return "No line: too few samples or groups for an interval." if without.any() else ""
