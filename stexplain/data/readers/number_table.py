"""Tables of numbers in CSV files, with errors that name the line."""

import csv
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.data.times.anew import written_anew
from stexplain.errors import DataError
from stexplain.reading import readable, text_file
from stexplain.reading.decimals import with_points
from stexplain.reading.table import read_csv, separator_of

_WITH_UNIT = r"|[-+]?\d+([.,]\d+)?( [^\d\s]\S*)?"
"""A number and perhaps a unit, as dashboards export them; or nothing."""


def read_table(path: Path, *, header: bool = True, labels: bool = False) -> pd.DataFrame:
    r"""Reads a CSV file of numbers; an empty cell is NaN.

    Args:
        path: of the file.
        header: whether its first line names the columns.
        labels: whether its first column labels the rows; it becomes the index, as text.

    Returns:
        A table of float64, its columns named by text.

    Raises:
        DataError: where the file cannot be read, is empty, a line has another number of cells than the first, or a
            cell is no number: names the line and the cell.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "speeds.csv"
        >>> _ = path.write_text("a,b\n60.5,61\n59,x\n")
        >>> read_table(path)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /.../speeds.csv, line 3: column 'b' holds 'x'; expected a number. ...
    """
    table = _numbers(path, header, labels)
    if header:
        _refuse_nameless(path, table)
    return table


def _numbers(path: Path, header: bool, labels: bool) -> pd.DataFrame:
    text_file(path)
    try:
        # Not none: pandas makes labels of what lines have more than the first.
        first = [0] if labels else False
        options: dict[str, Any] = {"index_col": first, "dtype": {0: str} if labels else None, "skipinitialspace": True}
        table = read_csv(path, header=0 if header else None, sep=_separator(path), **options)
    except DataError:  # the slow way below says what is wrong
        table = pd.DataFrame()
    if header and not table.empty:
        _refuse_first_line(path, table)
    # pandas fills a short line with NaN, which looks like an empty last cell: the slow way distinguishes the two.
    if not table.empty and all(kind.kind in "fiu" for kind in table.dtypes) and not table.iloc[:, -1].isna().any():
        return (
            table.astype(np.float64).rename(columns=_name).set_axis(table.index.astype(str) if labels else table.index)
        )
    text = read_text_table(path, header=header)
    if labels:
        text = text.set_index(text.columns[0])
    numbers: pd.DataFrame = text.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    # Not a number, and neither empty nor written as NaN.
    bad = np.argwhere(
        (numbers.isna() & (text != "") & (text.apply(lambda cells: cells.str.lower()) != "nan")).to_numpy()
    )
    if len(bad):
        if said := _wrong_rows(path, text, numbers, header):
            raise DataError(said)
        row, column = bad[0]
        name, cell = str(text.columns[column]), str(text.iloc[row, column])
        if column == 0 and not labels and (wrong := _no_time(text.iloc[:, 0])) is not None:
            raise DataError(
                f"{path}, line {wrong + 1 + header}: column {name!r} holds {text.iloc[wrong, 0]!r}, which is no time; "
                "expected them as 2012-03-31 08:00. Midnight is 00:00 of the next day, and not 24:00."
            )
        raise DataError(
            f"{path}, line {row + 1 + header}: column {name!r} holds {cell!r}; expected a number. "
            + _remedy(path, text.reset_index() if labels else text, labels, row, column + labels)
        )
    return numbers


def _wrong_rows(path: Path, text: pd.DataFrame, numbers: pd.DataFrame, header: bool) -> str:
    """What is wrong where the first row has words alone, as of units, and the second has numbers; else empty."""
    if len(text) < 3 or not header or numbers.iloc[0].notna().any() or numbers.iloc[1].isna().all():
        return ""
    words = [cell for cell in text.iloc[0] if cell]
    return (
        f"{path}, line 2: it holds words alone, such as {words[-1]!r}, as where units stand below the names; expected "
        "numbers. Leave it out: pd.read_csv(path, skiprows=[1]).to_csv('x.csv', index=False), with its separator."
        if words and not all(_is_number(cell) for cell in words)
        else ""
    )


def _no_time(cells: "pd.Series[str]") -> int | None:
    """The row of the first cell that is no time, where most are; none where they are not."""
    times = pd.to_datetime(cells, errors="coerce", format="ISO8601")
    numbers = pd.to_numeric(cells, errors="coerce")
    dated = (times.notna() & numbers.isna()).to_numpy()
    return int((~dated).argmax()) if dated.mean() > 0.5 and not dated.all() else None


def _remedy(path: Path, text: pd.DataFrame, labels: bool, row: int, column: int) -> str:
    """What to write in place of a cell that is no number; with `labels` the first column labels the rows."""
    name, cell = str(text.columns[column]), str(text.iloc[row, column])
    first = str(text.columns[0])
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d*", cell):
        return "Without commas of thousands: pd.read_csv(path, thousands=',').to_csv('x.csv', index=False)."
    if column and re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", cell):
        return f"Join day and time: pd.to_datetime(table[{first!r}] + ' ' + table[{name!r}]), as the first column."
    nameless = not first or first.startswith("Unnamed: ")
    if (nameless or not labels) and column and re.fullmatch(r"\d{4}-\d{2}-\d{2}.*", cell):
        numbered = ", index_col=0" if nameless else ""
        return f"Times are the first column: pd.read_csv(path{numbered}).set_index({name!r}).to_csv('x.csv')."
    # A column of words, and not a cell of one.
    wrong = pd.to_numeric(text.iloc[:, column], errors="coerce").isna() & (text.iloc[:, column] != "")
    if wrong.mean() > 0.5 and (anew := written_anew(text, _separator(path))):
        return f"Write the table anew, with a row for each time and a column for each sensor: {anew}."
    if re.fullmatch(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}.*", cell):
        return f"Times are written as 2012-03-31 08:00: pd.to_datetime(table[{name!r}], dayfirst=True), or False."
    if column and text.iloc[:, 1:].apply(lambda cells: cells.str.fullmatch(_WITH_UNIT)).to_numpy().all():
        return (
            "Leave the units out: pd.read_csv(path, index_col=0, dtype=str).apply(lambda cells: cells.str.split()"
            ".str[0]).to_csv('x.csv'), with its separator."
        )
    if wrong.mean() > 0.5 and column:
        return f"Leave the column out: pd.read_csv(path).drop(columns={name!r}).to_csv('x.csv', index=False)."
    # In the first row of the first column it is most likely a time in a format of its own.
    times = " Times in the first column are written as 2012-03-31 08:00." if row == 0 and not column else ""
    return "Leave the cell empty where a value is missing." + times


def _refuse_nameless(path: Path, table: pd.DataFrame) -> None:
    """Refuses a column with numbers and without a name, but for the first, which may number the rows."""
    for name in table.columns:
        if (match := re.fullmatch(r"Unnamed: ([1-9]\d*)", name)) is not None:
            raise DataError(
                f"{path}, line 1: column {int(match.group(1)) + 1} has numbers and no name; expected a name for each "
                "column. Name it, or leave it out."
            )


def _refuse_first_line(path: Path, table: pd.DataFrame) -> None:
    """Refuses a first line of numbers that are no names, but observations, and one that comes again further below."""
    names = pd.to_numeric(pd.Series(table.columns.astype(str)), errors="coerce").to_numpy(np.float64)
    if np.isnan(names).any():
        return
    if (names % 1).any():
        shown = ", ".join(map(str, table.columns[:3]))
        raise DataError(
            f"{path}, line 1: it holds {shown}, which are observations; expected the names of the columns. Is the line "
            "with the names missing?"
        )
    if len(names) > 1 and all(kind.kind in "fiu" for kind in table.dtypes):
        again = np.flatnonzero((table.to_numpy(np.float64) == names).all(1))
        if len(again):
            raise DataError(
                f"{path}, line {again[0] + 2}: it has the names of the columns once more; expected observations. Were "
                "files joined? Leave it out."
            )


def read_text_table(path: Path, *, header: bool = True) -> pd.DataFrame:
    """Reads a CSV file as text, cell by cell; see `read_table`. Decimals with commas get points, where certain."""
    with readable(path, "a table in CSV"), text_file(path).open(encoding="utf-8-sig") as file:
        notes = sum(1 for _ in itertools.takewhile(lambda line: line.startswith("#"), file))
    # The names of the columns may be marked so themselves.
    if notes > 1:
        raise DataError(f"{path}: its first {notes} lines begin with #, as notes do; {_without(notes)}")
    separator = _separator(path)
    table = read_csv(
        path,
        header=0 if header else None,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
        index_col=False,
        sep=separator,
    )
    if table.empty:
        raise DataError(f"{path} holds a header and no row. Fetch the file again.")
    # pandas fills a short line as if its last cells were empty, so lines are counted a second time.
    with readable(path, "a table in CSV"), path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=separator)
        for line, cells in enumerate(reader, start=1):
            if cells and len(cells) != table.shape[1]:
                below = [len(other) for other, _ in zip(reader, range(3), strict=False)]
                if header and line <= 30 and below == [len(cells)] * 3 and len(cells) > 1:
                    raise DataError(
                        f"{path}: from line {line} on its lines have {len(cells)} cells, and not {table.shape[1]} as "
                        f"the first, as where notes stand above the names of the columns; {_without(line - 1)}"
                    )
                raise DataError(
                    f"{path}, line {line}: {len(cells)} cells; expected {table.shape[1]}, as in the first line. "
                    "Is the file truncated?"
                )
    # Separators at the end of every line, as of some spreadsheets, make columns without a name and a value.
    while table.shape[1] > 1 and not (table.iloc[:, -1] != "").any() and _is_nameless(table.columns[-1]):
        table = table.iloc[:, :-1]
    table = table.rename(columns=_name)
    # A first row of words is that of names.
    names = 0 if header or all(_is_number(cell) for cell in table.iloc[0]) else 1
    numbers = with_points(path, table.iloc[names:], separator, first=1 + header + names)
    return pd.concat([table.iloc[:names], numbers]) if names else numbers


def _without(lines: int) -> str:
    return (
        "expected the names of the columns first. Leave out what stands above them: pd.read_csv(path, "
        f"skiprows={lines}).to_csv('x.csv', index=False), with its separator."
    )


def _separator(path: Path) -> str:
    """What separates the cells: commas, semicolons or tabs."""
    found = separator_of(path)
    return found if found in ";\t" else ","


def _name(column: object) -> str:
    return str(column).strip()


def _is_nameless(column: object) -> bool:
    """Whether pandas has called a column itself: by a number, where the first line holds no names."""
    return not isinstance(column, str) or re.fullmatch(r"Unnamed: \d+", column) is not None


def has_header(path: Path) -> bool:
    r"""Whether the first line of a CSV file names the columns: it does where it holds text above numbers.

    Where every column of the first line is of the kind of those below it, the line is one of values, as in DCRNN's own
    ``distances_bay_2017.csv``: taken for names, its pair would be lost. A file of one line is one of names where it
    holds no number.

    Raises:
        DataError: where the file cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "distances.csv"
        >>> _ = path.write_text("1201054,1201054,0.0\n1201054,1201066,2610.9\n")
        >>> has_header(path)
        False
        >>> _ = path.write_text("from,to,cost\n1201054,1201054,0.0\n")
        >>> has_header(path)
        True
    """
    separator = _separator(path)
    with readable(path, "a table in CSV"), text_file(path).open(newline="", encoding="utf-8-sig") as file:
        lines = [cells for _, cells in zip(range(20), csv.reader(file, delimiter=separator), strict=False) if cells]
    if not lines:
        return False
    first, rest = lines[0], lines[1:]
    if not rest:
        return not any(_is_number(cell) for cell in first)
    # A column counts where all lines below have a number in it; ids may be text.
    numeric = [column for column in range(len(first)) if all(_is_number(c[column]) for c in rest if column < len(c))]
    if numeric:
        return any(not _is_number(first[column]) for column in numeric)
    return not any(_is_number(cell) for cell in first)


def _is_number(cell: str) -> bool:
    try:
        # Of decimals with commas; where commas separate cells, none is in one.
        float(cell.replace(",", "."))
    except ValueError:
        return not cell.strip()
    return True


def require_ids(ids: list[str], required: list[str], what: str, where: Path) -> None:
    """Refuses ids that lack one that is required; further ones are allowed.

    Args:
        ids: that a file has.
        required: that it must have.
        what: an id names, for the message, such as ``"sensor"``.
        where: the file.

    Raises:
        DataError: naming the first that is missing.
    """
    for name in required:
        if name not in set(ids):
            raise DataError(f"{where} does not have the {what} {name!r}. Do the two files belong to one dataset?")
