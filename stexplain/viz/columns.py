"""Checks of the tables that charts draw."""

from collections.abc import Sequence

import pandas as pd

from stexplain.errors import InputError, unknown


def require(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Checks that a table has rows, and every column that a chart needs.

    Raises:
        InputError: where the table is empty or lacks a column; the message names the nearest column.
    """
    for column in columns:
        if column not in table.columns:
            raise unknown("column", column, [str(name) for name in table.columns])
    if table.empty:
        raise InputError(f"table has no rows; expected at least one, with columns {', '.join(columns)}.")
