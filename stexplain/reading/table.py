"""Tables in CSV."""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from stexplain.errors import DataError
from stexplain.reading.contents import readable, reason_of
from stexplain.reading.decimals import is_separated_by
from stexplain.reading.text import text_file


def read_csv(path: Path, *, remedy: str = "Fetch the file again.", once: bool = True, **options: Any) -> pd.DataFrame:
    r"""A table in a CSV file, by pandas; what it raises on a broken one is a `DataError` that names the file.

    Args:
        path: of the file.
        remedy: what to do where it is broken, for the message.
        once: whether a name that the first line has twice is refused.
        **options: of `pandas.read_csv`.

    Raises:
        DataError: where it cannot be read, is no table, or has lines of more cells than the first.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_bytes(b"name,x\n\xff,1\n")
        >>> read_csv(path)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /.../a.csv could not be read as a table in CSV: the byte 0xff is not text ...
    """
    text_file(path, remedy)
    with readable(path, "a table in CSV", remedy), warnings.catch_warnings():
        # Of cells beyond the first line's, pandas would make labels of the rows, or leave them out.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            # Of pandas' two parsers, the one that finds separators takes a byte order mark for text.
            found: pd.DataFrame = pd.read_csv(path, **{"encoding": "utf-8-sig", "index_col": False, **options})
        except pd.errors.EmptyDataError as error:
            raise DataError(f"{path} is empty; expected a table in CSV. {remedy}") from error
        except pd.errors.ParserWarning as error:
            raise DataError(
                f"{path}: its lines have more cells than the first, which names the columns; expected as many. Are "
                "decimals written with commas? Write them with points, or separate the cells by semicolons."
            ) from error
        except pd.errors.ParserError as error:
            if line := _line_of_names(str(error)):
                raise DataError(
                    f"{path}: line {line} has more cells than those above it; expected the names of the columns first. "
                    f"Leave out what stands above them: pd.read_csv(path, skiprows={line - 1}).to_csv('x.csv', "
                    "index=False), with its separator."
                ) from error
            raise DataError(f"{path} is not a table in CSV: {reason_of(error)}. {remedy}") from error
    if once and options.get("header", 0) is not None:
        refuse_names_twice(path, found.columns, **options)
    return found


def _line_of_names(said: str) -> int:
    """The line that has the names of columns, below notes of a program, by what pandas says; 0: not known."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", said)
    # Notes are a cell or two, and few.
    return int(found[2]) if found and int(found[1]) <= 2 < int(found[3]) and int(found[2]) <= 30 else 0


def without_empty_end(table: pd.DataFrame) -> pd.DataFrame:
    """The table without columns at its end that have no name and no value: each line ended with a separator.

    Example:
        >>> without_empty_end(pd.DataFrame([["1", ""]], columns=["a", "Unnamed: 1"])).columns.tolist()
        ['a']
    """
    kept = len(table.columns)
    while kept and re.fullmatch(r"Unnamed: \d+", str(table.columns[kept - 1])):
        last = table.iloc[:, kept - 1]
        if not (last.isna() | (last == "")).all():
            break
        kept -= 1
    return table.iloc[:, :kept]


def separator_of(path: Path) -> str:
    r"""What separates the cells of a table: the one of comma, semicolon, tab and bar that its first line has most of.

    A line of none of them is one cell, or words with spaces between them.

    Raises:
        DataError: where the file cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels.csv"
        >>> _ = path.write_text("file;label\npatient_1;gait\n")
        >>> separator_of(path)
        ';'
    """
    with readable(path, "a table in CSV"), text_file(path).open(encoding="utf-8-sig") as file:
        line = file.readline()
    if certain := next((sign for sign in ";\t" if is_separated_by(sign, line)), ""):
        return certain
    best = max(",;\t|", key=line.count)
    return best if line.count(best) else r"\s+" if " " in line.strip() else ","


def refuse_names_twice(path: Path, columns: Iterable[Any], **options: Any) -> None:
    """Refuses a table whose first line has a name twice, which pandas calls ``a`` and ``a.1``.

    Args:
        path: of the file.
        columns: as pandas called them.
        **options: by which it was read.

    Raises:
        DataError: with the name and the places of its columns.
    """
    names = {str(name) for name in columns}
    # A file may have columns of such names itself: the first line is read once more only where they are there.
    if not any(match and match.group(1) in names for match in (re.fullmatch(r"(.+)\.\d+", name) for name in names)):
        return
    shape = {key: value for key, value in options.items() if key in ("sep", "engine", "comment", "skipinitialspace")}
    line = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, encoding="utf-8-sig", **shape)
    first = [str(name) for name in line.iloc[0]]
    for place, name in enumerate(first):
        if name in first[:place]:
            raise DataError(
                f"{path}: the first line names {name!r} twice, in columns {first.index(name) + 1} and {place + 1}; "
                "expected each name once. Rename or leave out one of them."
            )
