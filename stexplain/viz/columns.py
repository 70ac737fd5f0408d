"""The columns that a figure draws."""

from collections.abc import Sequence

import pandas as pd

from stexplain.errors import InputError, unknown


def require(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Checks that a table has the columns that a figure draws.

    Raises:
        InputError: naming the column that is missing and the nearest that is there, or that the table is empty.
    """
    for column in columns:
        if column not in table.columns:
            raise unknown("column", column, [str(name) for name in table.columns])
    if table.empty:
        raise InputError(f"the table has no rows; wanted {', '.join(columns)}.")
