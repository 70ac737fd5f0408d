"""Tables in CSV."""

from pathlib import Path
from typing import Any

import pandas as pd

from stexplain.errors import DataError
from stexplain.reading.contents import readable, reason_of, regular_file


def read_csv(path: Path, *, remedy: str = "Fetch the file again.", **options: Any) -> pd.DataFrame:
    r"""A table in a CSV file, by pandas; what it raises on a broken one is a `DataError` that names the file.

    Args:
        path: of the file.
        remedy: what to do where it is broken, for the message.
        **options: of `pandas.read_csv`.

    Raises:
        DataError: where it cannot be read, or is no table.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_bytes(b"name,x\n\xff,1\n")
        >>> read_csv(path)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /.../a.csv could not be read as a table in CSV: the byte 0xff is not text ...
    """
    regular_file(path, remedy)
    with readable(path, "a table in CSV", remedy):
        try:
            # Of pandas' two parsers, the one that finds separators takes a byte order mark for text.
            found: pd.DataFrame = pd.read_csv(path, encoding="utf-8-sig", **options)
        except pd.errors.EmptyDataError as error:
            raise DataError(f"{path} is empty; expected a table in CSV. {remedy}") from error
        except pd.errors.ParserError as error:
            raise DataError(f"{path} is not a table in CSV: {reason_of(error)}. {remedy}") from error
    return found
