"""Reads a series from a CSV file: a row per frame, the time first, then one column per sensor."""

from pathlib import Path

import numpy as np
import pandas as pd

from stexplain.cards import SeriesCard
from stexplain.data.labelled import check_span
from stexplain.data.readers.number_table import read_table
from stexplain.data.readers.road_graph import graph_beside
from stexplain.data.series_file import SeriesFile, found_file
from stexplain.data.times.zones import in_zone
from stexplain.errors import DataError, InputError


def read(where: Path, card: SeriesCard) -> SeriesFile:
    """Reads the series and its graph.

    Args:
        where: the file, or its folder, in which it is called ``speeds.csv`` or as `files.values` of the card says.
            The graph's file lies beside it, see `graph_beside`.
        card: of the series.

    Returns:
        Values ``[T, N]``, float32; NaN where a cell is empty. Times that the file omits are frames of NaN.

    Raises:
        DataError: where a file is missing or broken: names the line and the cell.
    """
    where = Path(where)
    path = found_file(where, card.files.get("values", "speeds.csv"), "the values", companion=False)
    table = read_table(path, labels=True)
    table.index = parsed_times(pd.Series(table.index), path)
    table = filled(table, card.series.minutes, path, card.series.time_zone)
    ids = [str(name) for name in table.columns]
    return SeriesFile(table.to_numpy(np.float32), graph_beside(path, ids), pd.DatetimeIndex(table.index))


def parsed_times(text: "pd.Series[str]", path: Path) -> pd.DatetimeIndex:
    """The times of the rows.

    Raises:
        DataError: naming the first line whose first cell is no time.
    """
    # One format for all rows: guessing it per row could swap day and month halfway through a file.
    found = pd.to_datetime(text, errors="coerce", format="ISO8601")
    bad = np.flatnonzero(found.isna().to_numpy())
    if bad.size:
        raise DataError(
            f"{path}, line {bad[0] + 2}: the first cell is {text.iloc[bad[0]]!r}; expected a time such as "
            "2012-03-01 00:05:00. The first column holds times, the others one sensor each."
        )
    return pd.DatetimeIndex(found)


def filled(table: pd.DataFrame, minutes: float, path: Path, zone: str | None = None) -> pd.DataFrame:
    """The table with a row of NaN for every time that it omits, such as the hour that summer time skips.

    Args:
        table: by its times.
        minutes: from row to row.
        path: of the file, for messages.
        zone: whose clocks the times are on; none: they stay as they are.

    Raises:
        DataError: where a time occurs twice, or is not a multiple of `minutes` after the first, or is none of the zone.
    """
    try:
        index = in_zone(pd.DatetimeIndex(table.index), zone)
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    table = table.set_axis(index, axis=0)
    twice = index[index.duplicated()]
    if len(twice):
        raise DataError(f"{path} has the time {twice[0]} twice. Keep one of the two rows.")
    check_span(index.min(), index.max(), pd.Timedelta(minutes=minutes), len(index), path)
    every = pd.date_range(index.min(), index.max(), freq=pd.Timedelta(minutes=minutes))
    # Reindexing would drop such rows without a word.
    odd = index[~index.isin(every)]
    if len(odd):
        raise DataError(
            f"{path} has a row at {odd[0]}, which is not a multiple of {minutes:g} min after {index.min()}. "
            "Is `minutes` of the card right?"
        )
    return table if len(every) == len(index) and index.is_monotonic_increasing else table.reindex(every)
