"""Tables of sensor, time and value, or of time, sensor and value, without a line of names, as Q-Traffic's."""

import csv
from pathlib import Path

import pandas as pd

from stexplain.data.readers.number_table import read_text_table
from stexplain.errors import DataError
from stexplain.reading import readable, text_file
from stexplain.reading.table import separator_of

_FEWEST = 8


def refuse_three_columns(path: Path, header: bool | None) -> None:
    """Refuses a table without names that has a row for each sensor and time: it would be one of three sensors.

    It is one where rows of the first column stand in blocks, the second goes up within each, and what it goes through
    is much the same for all.

    Args:
        path: of the file.
        header: whether its first line holds names, as given; none: that is not known.

    Raises:
        DataError: with the line that writes it anew.
    """
    if header:
        return
    with readable(path, "a table"), text_file(path).open(newline="", encoding="utf-8-sig") as file:
        separator = separator_of(path)
        first = next(csv.reader(file, delimiter=separator), []) if separator in ",;\t" else []
    # Large tables of many sensors are not read once more.
    if len(first) != 3:
        return
    text = read_text_table(path, header=False).apply(lambda cells: cells.str.strip()).set_axis(range(3), axis=1)
    numbers = text.apply(pd.to_numeric, errors="coerce")
    if len(text) < _FEWEST or not numbers[2].notna().all():
        return
    times = [pd.to_datetime(text[place], errors="coerce", format="ISO8601").notna().all() for place in (0, 1)]
    dated = [bool(time and numbers[place].isna().all()) for place, time in enumerate(times)]
    if not _in_blocks(text, numbers, dated):
        return
    # Of two columns of numbers that of the steps has more of them.
    of_time = dated.index(True) if any(dated) else int(text[1].nunique() > text[0].nunique())
    names = ["time", "sensor"] if of_time == 0 else ["sensor", "time"]
    sep = "" if separator == "," else f", sep={separator!r}"
    read = f"pd.read_csv(path{sep}, header=None, names={[*names, 'value']!r}, dtype={{'sensor': str}})"
    pivot = "pivot(index='time', columns='sensor', values='value')"
    line = (
        f"t = {read}; t['time'] = pd.to_datetime(t['time']); t.{pivot}.to_csv('x.csv')"
        if dated[of_time]
        else f"{read}.{pivot}.to_csv('x.csv', index=False)"
    )
    after = "" if dated[of_time] else " Then give start= and minutes=, as its times are numbers."
    raise DataError(
        f"{path}: it has no line of names and a row for each sensor and time, as {', '.join(text.iloc[0])}; expected a "
        f"column for each sensor. Its column {of_time + 1} is taken for the times here. Write it anew: {line}.{after}"
    )


def _in_blocks(text: pd.DataFrame, numbers: pd.DataFrame, dated: list[bool]) -> bool:
    outer, inner = text[0], text[1]
    blocks = (outer != outer.shift()).cumsum()
    count = int(blocks.iloc[-1])
    if not 1 < count == outer.nunique() <= len(text) / 2 or 2 * len(text) < count * inner.nunique():
        return False
    if text.duplicated([0, 1]).any():
        return False
    # Sensors stand in any order, but in the same at each time.
    if inner.groupby(blocks).agg(tuple).nunique() == 1:
        return True
    steps = pd.to_datetime(inner, format="ISO8601") if dated[1] else numbers[1]
    return bool(steps.notna().all() and steps.groupby(blocks).is_monotonic_increasing.all())
