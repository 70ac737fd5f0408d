"""Skeletons in a CSV: tidy, with a row per joint of a person at a frame; or wide, with a row per frame."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.checking import warn_caller
from stexplain.data.skeletons.columns import (
    AXES,
    NAMES,
    fields_of,
    label_of,
    length_of,
    named_columns,
    numeric,
    say_left_out,
    successive,
    without_units,
)
from stexplain.data.skeletons.keypoints.other_formats import refuse_export
from stexplain.data.skeletons.labels import names_recordings
from stexplain.data.skeletons.take import Take
from stexplain.data.skeletons.wide_table import from_deeplabcut, read_wide, wide_columns
from stexplain.errors import DataError, InputError
from stexplain.reading import readable, text_file
from stexplain.reading.decimals import with_points
from stexplain.reading.table import read_csv, refuse_names_twice, separator_of, without_empty_end

_JOINTS = ("joint", "parent")
_GIVEN = {"labels": "labels=", "joints": "graph="}
_EXAMPLE = (
    "a row per joint and frame:\n"
    "sample,frame,person,joint,x,y,z,score\nwalk 1,0,0,left hip,0.1,0.9,2.0,0.98\n"
    "or a row per frame:\n"
    "frame,left_hip_x,left_hip_y,left_hip_score,left_knee_x,...\n0,0.1,0.9,0.98,0.12,..."
)


def read_table(path: Path, joints: Sequence[str] = ()) -> Iterator[Take]:
    """The recordings of a CSV.

    Tidy: columns frame, joint, x, y, and any of sample, person, z, score, label. Wide: a column for each joint and
    coordinate, such as ``left_knee_x``, and any of sample, frame, person, label; DeepLabCut's three or four lines of
    header too. Without a column of samples the file is one recording, of the file's name.

    Args:
        path: of the file.
        joints: the names of the joints in order, for a tidy table; none: as they first appear.

    Raises:
        InputError: where a column is missing.
        DataError: where a value is no number, a row appears twice, or a joint is unknown; names the line.
    """
    refuse_export(path)
    shape: dict[str, Any] = {"sep": separator_of(path)}
    table = without_empty_end(read_csv(path, once=False, dtype=str, keep_default_na=False, **shape))
    if str(table.columns[0]).strip().lower() == "scorer":
        yield from from_deeplabcut(path)
        return
    _refuse_numbers(path, table)
    refuse_names_twice(path, table.columns, **shape)
    columns = named_columns(table.columns)
    names = [columns[what] for what in ("sample", "joint", "person", "label") if what in columns]
    table = without_units(path, with_points(path, table, shape["sep"], text=names))
    if "joint" not in columns and (wide := wide_columns(table.columns)):
        yield from read_wide(path, table, wide)
        return
    yield from _read_tidy(path, table, columns, joints)


def _refuse_numbers(path: Path, table: pd.DataFrame) -> None:
    """Refuses a table whose first line holds numbers in place of names.

    Raises:
        InputError: with how to save it as an array.
    """
    # Of a number that stands twice pandas makes another name, 0.5.1.
    names = [name for name in map(str, table.columns) if name.count(".") < 2 and not name.startswith("Unnamed: ")]
    if len(names) > 3 and pd.to_numeric(pd.Series(names), errors="coerce").notna().all():
        raise InputError(
            f"{path}: its first line holds numbers, such as {names[0]}; expected the names of the columns. Of numbers "
            "alone, a line for each frame: np.save('x.npy', pd.read_csv(path, header=None).dropna(axis=1, how='all')"
            ".to_numpy().reshape(frames, joints, channels)), and give axes='t n c', graph= and perhaps channels=."
        )


def tables_of_recordings(files: Sequence[Path], others: Collection[Path], *, labelled: bool) -> list[Path]:
    r"""The tables of a folder that hold recordings: those of labels, or of a graph, lie beside them.

    A table of labels, or of a graph, that is not given is said.

    Args:
        files: the tables.
        others: files that are given as something else.
        labelled: whether labels are given: then a table of labels is not said.

    Returns:
        All of them where none would be left.

    Raises:
        DataError: where one cannot be read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.csv").write_text("frame,hip_x,hip_y\n0,1,2\n")
        >>> _ = (folder / "labels.csv").write_text("file,label\na,gait\n")
        >>> [file.name for file in tables_of_recordings(sorted(folder.iterdir()), [], labelled=True)]
        ['a.csv']
    """
    given = {file.resolve() for file in others}
    kept, said = [], []
    for file in files:
        if file.resolve() in given:
            continue
        what = _what_else(file)
        if not what:
            kept.append(file)
        elif what != "labels" or not labelled:
            said.append((file, what))
    if not kept:
        return list(files)
    for file, what in said:
        warn_caller(f"{file} is a table of {what}, and was not read. Where it is to be, give {_GIVEN[what]}.")
    return kept


def _what_else(path: Path) -> str:
    """What a table is of that holds no joint at any frame; empty: recordings, or what is refused where it is read."""
    with readable(path, "a table in CSV"), text_file(path).open(encoding="utf-8-sig") as file:
        line = file.readline()
    sign = separator_of(path)
    names = [name.strip().strip('"').lower() for name in (line.split(sign) if sign in ",;\t|" else line.split())]
    if set(_JOINTS) <= set(names) and "frame" not in named_columns(names):
        return "joints"
    if names[:1] == ["scorer"] or "frame" in named_columns(names) or {"x", "y"} <= set(names) or wide_columns(names):
        return ""
    return "labels" if names_recordings(names) else ""


def _read_tidy(path: Path, table: pd.DataFrame, columns: dict[str, str], joints: Sequence[str]) -> Iterator[Take]:
    lower = {str(name).strip().lower(): str(name) for name in table.columns}
    axes = [name for name in AXES if name in lower]
    missing = [what for what in ("frame", "joint") if what not in columns] + [name for name in "xy" if name not in axes]
    if missing:
        got = ", ".join(map(str, table.columns[:8])) + (", ..." if len(table.columns) > 8 else "")
        raise InputError(f"{path}: got the columns {got}; expected {', '.join(missing)} too, {_EXAMPLE}")
    table = table.rename(columns={columns[what]: what for what in columns} | {lower[name]: name for name in axes})
    for name in (*axes, *(["score"] if "score" in columns else []), "frame"):
        table[name] = numeric(path, table[name], whole=name == "frame")
    table["person"] = table["person"] if "person" in columns else "0"
    table["sample"] = table["sample"] if "sample" in columns else path.stem
    order = list(joints) or list(dict.fromkeys(table["joint"]))
    if unknown := set(table["joint"]) - set(order):
        line = int(np.flatnonzero(table["joint"].isin(list(unknown)))[0]) + 2
        raise DataError(f"{path}, line {line}: joint {sorted(unknown)[0]!r}; expected one of {', '.join(order)}.")
    keys = ["sample", "person", "frame", "joint"]
    if (twice := table.duplicated(keys).to_numpy()).any():
        line = int(np.flatnonzero(twice)[0]) + 2
        row = table.iloc[line - 2]
        needs = [name for name in ("sample", "person") if name not in columns]
        hint = f" A file of several needs a column {' or '.join(needs)} that tells them apart." if needs else ""
        raise DataError(f"{path}, line {line}: {row['joint']!r} of {row['sample']!r} appears twice at one frame.{hint}")
    index = {name: number for number, name in enumerate(order)}
    table["frame"] = successive(path, table)
    say_left_out(path, table, {*NAMES, *axes})
    for sample, part in table.groupby("sample", sort=False):
        persons = list(dict.fromkeys(part["person"]))
        first, frames = length_of(path, str(sample), part["frame"])
        at = (
            np.array([persons.index(name) for name in part["person"]]),
            part["frame"].to_numpy(np.int64) - first,
            np.array([index[name] for name in part["joint"]]),
        )
        shape = (len(persons), frames, len(order))
        values = np.full((*shape, len(axes)), np.nan, np.float32)
        values[at] = part[axes].to_numpy(np.float32)
        score = None
        if "score" in columns:
            score = np.full(shape, np.nan, np.float32)
            score[at] = part["score"].to_numpy(np.float32)
        label = label_of(path, str(sample), part["label"]) if "label" in columns else ""
        fields = fields_of(part, {*NAMES, *axes})
        yield Take(str(sample), values, tuple(axes), score, label, tuple(order), fields=fields)
