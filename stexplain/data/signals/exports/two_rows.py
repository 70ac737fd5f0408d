"""Tables whose names stand in two rows, (sensor, channel), as pandas and spreadsheets write them."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from stexplain.checking import warn_caller
from stexplain.data.labelled import CHANNELS, NODES
from stexplain.data.readers.road_graph import positions_beside
from stexplain.data.signals.sensor_data import SensorData
from stexplain.data.signals.tables import index_of
from stexplain.data.signals.tsl_folder import split_columns
from stexplain.errors import DataError
from stexplain.reading import readable, text_file
from stexplain.reading.decimals import with_points
from stexplain.reading.table import read_csv, separator_of


def has_two_rows(path: Path) -> bool:
    r"""Whether the first two lines name the columns: names of the first come twice, or go on, and below stand words.

    Raises:
        DataError: where the file cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_text("sensor,a,a\nchannel,speed,flow\n2012-03-01,60.5,12\n")
        >>> has_two_rows(path)
        True
    """
    return bool(_names(path))


def _names(path: Path) -> list[tuple[str, str]]:
    """The two names of each column but those of the rows; empty where there are no two rows of them."""
    separator = separator_of(path)
    if separator not in ",;\t":
        return []
    with readable(path, "a table in CSV"), text_file(path).open(newline="", encoding="utf-8-sig") as file:
        lines = [cells for _, cells in zip(range(3), csv.reader(file, delimiter=separator), strict=False)]
    if len(lines) < 2 or len(lines[0]) != len(lines[1]) or len(lines[0]) < 3:
        return []
    above, below = ([cell.strip() for cell in cells] for cells in lines[:2])
    # Spreadsheets write a name once for all columns that it is over.
    for place in range(2, len(above)):
        above[place] = above[place] or above[place - 1]
    # Below the names pandas writes that of the index alone.
    index = len(lines) > 2 and bool(lines[2][0]) and not any(cell.strip() for cell in lines[2][1:])
    labels = int(not below[0] or index or _is_heading(below[0]))
    pairs = list(zip(above, below, strict=True))[labels:]
    repeated = len({first for first, _ in pairs}) < len(pairs)
    words = all(first and second and not _is_number(second) for first, second in pairs)
    # With each pair once, as a name that stands twice by mistake has no second.
    return pairs if repeated and words and len(set(pairs)) == len(pairs) else []


def read_two_rows(path: Path, zone: str | None = None) -> SensorData:
    """The series of such a table; of its two names the first is of the sensor unless a heading says otherwise.

    Args:
        path: of the file.
        zone: of its times, where it is given.

    Raises:
        DataError: where a cell is no number, or a sensor lacks a channel.
    """
    pairs, separator = _names(path), separator_of(path)
    cells = read_csv(path, header=None, dtype=str, keep_default_na=False, skipinitialspace=True, sep=separator)
    labels = cells.shape[1] - len(pairs)
    start = 3 if labels and len(cells) > 2 and (cells.iloc[2, 1:] == "").all() and cells.iloc[2, 0] else 2
    body = with_points(path, cells.iloc[start:].reset_index(drop=True), separator, first=1 + start)
    numbers = body.iloc[:, labels:].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    given = body.iloc[:, labels:].apply(lambda column: ~column.str.strip().str.lower().isin(["", "nan"]))
    bad = np.argwhere((numbers.isna() & given).to_numpy())
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{path}, line {row + 1 + start}: column {' '.join(pairs[column])!r} holds "
            f"{body.iloc[row, labels + column]!r}; expected a number. Leave the cell empty where a value is missing."
        )
    if not len(body):
        raise DataError(f"{path} holds names and no row. Fetch the file again.")
    time = None
    if labels:
        first = body.iloc[:, 0].rename(str(cells.iloc[start - 1, 0]) if start == 3 else "")
        known, time = index_of(path, first, True, zone)
        if not known:
            raise DataError(
                f"{path}, line {1 + start}: the first column holds {first.iloc[0]!r}; expected a time, such as "
                "2012-03-31 08:00, or the number of a row."
            )
    above = [str(cells.iloc[place, 0]).strip() if labels else "" for place in (0, 1)]
    names = above if any(above) else ["node", "channel"]
    table = numbers.set_axis(pd.MultiIndex.from_tuples(pairs, names=names), axis=1)
    values, nodes, channels = split_columns(table, path)
    if not any(map(_is_heading, above)):
        warn_caller(
            f"{path}: of its two rows of names the first is taken for sensors ({', '.join(nodes[:3])}), the second for "
            f"channels ({', '.join(channels[:3])}). Where they are the other way round, write sensor and channel in "
            "front of them."
        )
    return SensorData(
        path, values, nodes, channels, time=time, positions=positions_beside(path, list(nodes)), geographic=True
    )


def _is_heading(cell: str) -> bool:
    """Whether a cell says what the names of its row are of."""
    return cell.strip().lower().removesuffix("s") in (*NODES, *CHANNELS)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
