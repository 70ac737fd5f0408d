"""Skeletons in a tidy CSV: a row per joint of a person at a frame."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stexplain.data.skeletons.take import Take
from stexplain.errors import DataError, InputError
from stexplain.reading.table import read_csv

_NEEDED = ("sample", "frame", "joint")
_NAMES = {
    "sample": ("sample", "file", "id", "recording", "video", "clip", "trial"),
    "frame": ("frame", "frame_index", "t", "time_index"),
    "joint": ("joint", "node", "keypoint", "marker", "landmark"),
    "person": ("person", "body", "instance", "track"),
    "label": ("label", "class", "action", "diagnosis"),
    "score": ("score", "confidence", "visibility", "likelihood"),
}
_MOST_FRAMES = 1_000_000


def read_table(path: Path, joints: Sequence[str] = ()) -> Iterator[Take]:
    """The recordings of a tidy CSV: columns sample, frame, joint, x, y, and any of person, z, score, label.

    Args:
        path: of the file.
        joints: the names of the joints in order; none: as they first appear.

    Raises:
        InputError: where a column is missing.
        DataError: where a value is no number, a row stands twice, or a joint is unknown; names the line.
    """
    table = read_csv(path, sep=None, engine="python", dtype=str, keep_default_na=False)
    lower = {str(name).strip().lower(): str(name) for name in table.columns}
    columns = {
        what: next(lower[name] for name in names if name in lower)
        for what, names in _NAMES.items()
        if any(name in lower for name in names)
    }
    axes = [name for name in ("x", "y", "z") if name in lower]
    missing = [what for what in _NEEDED if what not in columns] + [name for name in ("x", "y") if name not in axes]
    if missing:
        got = ", ".join(map(str, table.columns))
        raise InputError(
            f"{path}: got the columns {got}; expected {', '.join(missing)} too, such as\n"
            "sample,frame,person,joint,x,y,z,score\nwalk 1,0,0,left hip,0.1,0.9,2.0,0.98"
        )
    table = table.rename(columns={columns[what]: what for what in columns} | {lower[name]: name for name in axes})
    for name in (*axes, *(["score"] if "score" in columns else []), "frame"):
        table[name] = _numeric(path, table[name], name, whole=name == "frame")
    table["person"] = table["person"] if "person" in columns else "0"
    order = list(joints) or list(dict.fromkeys(table["joint"]))
    if unknown := set(table["joint"]) - set(order):
        line = int(np.flatnonzero(table["joint"].isin(list(unknown)))[0]) + 2
        raise DataError(f"{path}, line {line}: joint {sorted(unknown)[0]!r}; expected one of {', '.join(order)}.")
    keys = ["sample", "person", "frame", "joint"]
    if (twice := table.duplicated(keys).to_numpy()).any():
        line = int(np.flatnonzero(twice)[0]) + 2
        row = table.iloc[line - 2]
        raise DataError(f"{path}, line {line}: {row['joint']!r} of {row['sample']!r} stands twice at one frame.")
    index = {name: number for number, name in enumerate(order)}
    for sample, part in table.groupby("sample", sort=False):
        persons = list(dict.fromkeys(part["person"]))
        first, last = int(part["frame"].min()), int(part["frame"].max())
        if last - first >= _MOST_FRAMES:
            raise DataError(f"{path}: sample {sample!r} has the frames {first} to {last}; expected fewer.")
        at = (
            np.array([persons.index(name) for name in part["person"]]),
            part["frame"].to_numpy(np.int64) - first,
            np.array([index[name] for name in part["joint"]]),
        )
        shape = (len(persons), last - first + 1, len(order))
        values = np.full((*shape, len(axes)), np.nan, np.float32)
        values[at] = part[axes].to_numpy(np.float32)
        score = None
        if "score" in columns:
            score = np.full(shape, np.nan, np.float32)
            score[at] = part["score"].to_numpy(np.float32)
        labels = list(dict.fromkeys(part["label"])) if "label" in columns else [""]
        if len(labels) > 1:
            raise DataError(f"{path}: sample {sample!r} has the labels {labels[:3]}; expected one.")
        taken = {*_NAMES, *axes}
        rest = [name for name in part.columns if name not in taken]
        fields = {str(name): str(part[name].iloc[0]) for name in rest if part[name].nunique() == 1}
        yield Take(str(sample), values, tuple(axes), score, str(labels[0]), tuple(order), fields=fields)


def _numeric(path: Path, column: "pd.Series[str]", name: str, *, whole: bool) -> "pd.Series[float]":
    """A column as numbers; an empty cell is a value that was not read."""
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = numbers.isna() & ~column.str.strip().str.lower().isin(["", "nan", "na"])
    if whole:
        wrong |= numbers.isna() | (numbers % 1 != 0)
    wrong |= np.isinf(numbers)
    if wrong.any():
        line = int(np.flatnonzero(wrong)[0]) + 2
        expected = "a whole number" if whole else "a number, or nothing where it was not read"
        raise DataError(f"{path}, line {line}: {name} is {column.iloc[line - 2]!r}; expected {expected}.")
    return numbers
