"""Decimals written with commas, as spreadsheets of many countries write them: read where they are certain."""

import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from stexplain.errors import DataError

_NUMBER = r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+|\d{1,3}(?:\.\d{3})+,\d+)(?:[eE][+-]?\d+)?"
_EMPTY = ("", "nan", "na", "n/a", "null", "none")
# 1,234 may be a thousand and some, or one and some.
_EITHER = r"[+-]?[1-9]\d{0,2},\d{3}"
_REMEDY = "Write decimals with points: pd.read_csv(path, sep={sep!r}, decimal=',').to_csv('x.csv', index=False)"


def with_points(
    path: Path, table: pd.DataFrame, separator: str, *, first: int = 2, text: Collection[str] = ()
) -> pd.DataFrame:
    """A table whose decimals are written with commas, as one in which they are written with points.

    That is certain where no number has a point, and one of them has another number of digits behind its comma than
    three: else it may be that of thousands. A point before a comma, as in ``1.234,5``, is one of thousands. Columns
    that hold anything but numbers stay as they are.

    Args:
        path: of the file, for messages.
        table: its cells, as text.
        separator: of the cells.
        first: the line of the first row.
        text: columns that hold names, also where these look like numbers.

    Raises:
        DataError: where a comma may be either, or some numbers have commas and some points; names the line.

    Example:
        >>> table = pd.DataFrame({"joint": ["hip,l", "foot"], "x": ["1,5", "2"], "y": ["1.234,5", ""]})
        >>> with_points(Path("a.csv"), table, ";").to_numpy().tolist()
        [['hip,l', '1.5', '1234.5'], ['foot', '2', '']]
        >>> with_points(Path("a.csv"), pd.DataFrame({"x": ["1,234", "5,678"]}), ";")
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: a.csv, line 2: '1,234' may be a thousand and some, or one and some; ...
    """
    given = [place for place in range(table.shape[1]) if table.columns[place] not in set(text)]
    places = [place for place in given if _is_numeric(table.iloc[:, place])]
    cells = table.iloc[:, places].apply(lambda column: column.str.strip())
    commas = cells.apply(lambda column: column.str.contains(",", regex=False))
    if not commas.to_numpy().any():
        return table
    remedy = _REMEDY.format(sep=separator)
    points = cells.apply(lambda column: column.str.contains(".", regex=False)) & ~commas
    if points.to_numpy().any():
        line, cell = _first(cells, points)
        other, comma = _first(cells, commas)
        raise DataError(
            f"{path}, line {line + first}: got {cell!r}, with a point, and in line {other + first} {comma!r}, with a "
            f"comma; expected one of them for decimals. {remedy}, or with decimal='.', thousands=','."
        )
    either = cells.apply(lambda column: column.str.fullmatch(_EITHER))
    if (either | ~commas).to_numpy().all():
        line, cell = _first(cells, commas)
        raise DataError(
            f"{path}, line {line + first}: {cell!r} may be a thousand and some, or one and some; expected points for "
            f"decimals. {remedy}; of thousands with thousands=',' in place of decimal=','."
        )
    found = table.copy()
    for number, place in enumerate(places):
        column = cells.iloc[:, number]
        found.isetitem(place, column.str.replace(".", "", regex=False).str.replace(",", ".", regex=False))
    return found


def _is_numeric(column: pd.Series) -> bool:
    text = column.str.strip()
    return bool((text.str.fullmatch(_NUMBER) | text.str.lower().isin(_EMPTY)).all())


def _first(cells: pd.DataFrame, where: pd.DataFrame) -> tuple[int, str]:
    row, column = next(zip(*where.to_numpy().nonzero(), strict=True))
    return int(row), str(cells.iloc[row, column])


def is_separated_by(separator: str, line: str) -> bool:
    """Whether a line is separated by something else than commas, which stand within its numbers alone.

    Example:
        >>> is_separated_by(";", "0,5;1,25;3"), is_separated_by(";", "a,b;c,d"), is_separated_by(";", "0.5,1.25")
        (True, False, False)
    """
    return separator in line and all(
        "," not in cell or re.fullmatch(_NUMBER, cell.strip().strip('"')) for cell in line.split(separator)
    )
