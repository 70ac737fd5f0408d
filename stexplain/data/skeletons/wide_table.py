"""Skeletons in a wide CSV: a row per frame, a column per joint and coordinate, as pose trackers write them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

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
)
from stexplain.data.skeletons.take import SCORE, Take
from stexplain.errors import DataError, InputError
from stexplain.reading.table import read_csv, separator_of

_COLUMN = re.compile(rf"(?P<joint>.+?)[\s_.:/-]+(?P<what>{'|'.join((*AXES, *NAMES['score']))})", re.IGNORECASE)
_FIRST = re.compile(rf"(?P<what>{'|'.join((*AXES, *NAMES['score']))})[\s_.:/-]+(?P<joint>.*[^\d\s].*)", re.IGNORECASE)
# Landmarks by number, as x0, y0, z0, v0, x1, ... or x_0: people write MediaPipe's so.
_NUMBERED = re.compile(r"(?P<what>x|y|z|v|vis|visibility|score|conf|confidence)_?(?P<joint>\d{1,4})", re.IGNORECASE)
# The lines above the numbers of a file of DeepLabCut, by their first cell; the first is always "scorer".
_PARTS, _COORDINATES, _PERSONS = "bodyparts", "coords", "individuals"


def wide_columns(columns: Iterable[object]) -> dict[str, dict[str, str]]:
    """By joint and by what they hold the columns of a wide table; empty where it is none.

    A score that belongs to no joint with coordinates, such as that of a whole body, is left out.

    Example:
        >>> wide_columns(["frame", "left_knee_x", "left_knee_y", "left_knee_likelihood"])
        {'left_knee': {'x': 'left_knee_x', 'y': 'left_knee_y', 'score': 'left_knee_likelihood'}}
        >>> wide_columns(["x0", "y0", "x1", "y1"])
        {'0': {'x': 'x0', 'y': 'y0'}, '1': {'x': 'x1', 'y': 'y1'}}
    """
    columns = list(columns)
    found: dict[str, dict[str, str]] = {}
    # Behind the joint, else before it, as x_hip.
    for pattern in (_COLUMN, _FIRST):
        found = {}
        for column in map(str, columns):
            if match := pattern.fullmatch(column.strip()):
                what = match["what"].lower()
                found.setdefault(match["joint"], {})[what if what in AXES else SCORE] = column
        found = {joint: held for joint, held in found.items() if set(held) & set(AXES)}
        if found:
            return found
    return _numbered_columns(list(map(str, columns)))


def _numbered_columns(columns: list[str]) -> dict[str, dict[str, str]]:
    """The columns of joints that are numbers behind the coordinate; empty where there are fewer than two of them."""
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        if match := _NUMBERED.fullmatch(column.strip()):
            what = match["what"].lower()
            found.setdefault(str(int(match["joint"])), {})[what if what in AXES else SCORE] = column
    return found if len(found) > 1 and all({"x", "y"} <= set(held) for held in found.values()) else {}


def read_wide(
    path: Path, table: pd.DataFrame, joints: Mapping[str, Mapping[str, str]], *, first: int = 2
) -> Iterator[Take]:
    """The recordings of a wide table.

    Args:
        path: of the file.
        table: its cells, as text; without a column of frames a row is a frame.
        joints: by `wide_columns`.
        first: the line of the first row, for messages.

    Raises:
        InputError: where a joint has other columns than the others.
        DataError: where a value is no number, or a frame appears twice; names the line.
    """
    named = named_columns(table.columns)
    held = list(next(iter(joints.values())))
    for joint, columns in joints.items():
        if set(columns) != set(held) or not {"x", "y"} <= set(columns):
            raise InputError(
                f"{path}: joint {joint!r} has the columns {', '.join(columns.values())}; expected x and y, and the "
                f"same of every joint ({next(iter(joints))!r} has {', '.join(held)})."
            )
    axes = tuple(name for name in AXES if name in held)
    # [rows, joints, axes], and the scores
    values = np.stack([_of(path, table, joints, name, first) for name in axes], 2)
    scores = _of(path, table, joints, SCORE, first) if SCORE in held else None
    about = pd.DataFrame({what: table[name] for what, name in named.items() if what not in ("joint", SCORE)})
    used = {column for columns in joints.values() for column in columns.values()} | set(named.values())
    about = about.reindex(table.index).assign(**{name: table[name] for name in table.columns if name not in used})
    about["sample"] = about["sample"] if "sample" in named else path.stem
    about["person"] = about["person"] if "person" in named else "0"
    keys = ["sample", "person"]
    if "frame" in named:
        about["frame"] = numeric(path, about["frame"], whole=True, first=first)
        about["frame"] = successive(path, about)
    else:
        about["frame"] = about.groupby(keys).cumcount()
    if (twice := about.duplicated([*keys, "frame"]).to_numpy()).any():
        row = int(np.flatnonzero(twice)[0])
        raise DataError(
            f"{path}, line {row + first}: frame {about['frame'].iloc[row]:g} of {about['sample'].iloc[row]!r} appears "
            "twice. A file of several recordings or persons needs a column sample, or person, that names them."
        )
    say_left_out(path, about, NAMES)
    for sample, part in about.groupby("sample", sort=False):
        rows = table.index.get_indexer(part.index)
        persons = list(dict.fromkeys(part["person"]))
        start, frames = length_of(path, str(sample), part["frame"])
        at = np.array([persons.index(name) for name in part["person"]]), part["frame"].to_numpy(np.int64) - start
        shape = (len(persons), frames, len(joints))
        placed = np.full((*shape, len(axes)), np.nan, np.float32)
        placed[at] = values[rows]
        score = None
        if scores is not None:
            score = np.full(shape, np.nan, np.float32)
            score[at] = scores[rows]
        label = label_of(path, str(sample), part["label"]) if "label" in named else ""
        fields = fields_of(part, NAMES)
        yield Take(str(sample), placed, axes, score, label, tuple(joints), fields=fields)


def _of(
    path: Path, table: pd.DataFrame, joints: Mapping[str, Mapping[str, str]], what: str, first: int
) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """A coordinate or the score of every joint, ``[rows, joints]``."""
    each = [numeric(path, table[columns[what]], first=first).to_numpy(np.float32) for columns in joints.values()]
    return np.stack(each, 1)


def from_deeplabcut(path: Path) -> Iterator[Take]:
    """The recording of a file of DeepLabCut: lines scorer, (individuals,) bodyparts, coords, then a row per frame.

    Raises:
        DataError: where a line of the header is missing, or a value is no number.
    """
    cells = read_csv(path, header=None, sep=separator_of(path), dtype=str, keep_default_na=False)
    head = [str(name).strip().lower() for name in cells.iloc[:4, 0]]
    above = {name: cells.iloc[number, 1:].tolist() for number, name in enumerate(head) if name.isalpha()}
    if missing := {_PARTS, _COORDINATES} - set(above):
        raise DataError(f"{path}: the header has no line {sorted(missing)[0]!r}; expected scorer, bodyparts, coords.")
    rows = cells.iloc[len(above) :].reset_index(drop=True)
    people = above.get(_PERSONS, ["0"] * len(above[_PARTS]))
    tables = []
    for person in dict.fromkeys(people):
        mine = [number for number, name in enumerate(people) if name == person]
        table = rows[[number + 1 for number in mine]]
        table.columns = pd.Index([f"{above[_PARTS][number]}_{above[_COORDINATES][number]}" for number in mine])
        joints = wide_columns(table.columns)
        if not joints:
            raise DataError(f"{path}: {person!r} has no coordinates x and y; expected them in the line coords.")
        numbered = table.assign(frame=rows[0], person=str(person))
        tables += list(read_wide(path, numbered, joints, first=len(above) + 1))
    # A joint that one individual has and another lacks, such as a marker of the room, is not read.
    yield _together(tables)


def _together(takes: list[Take]) -> Take:
    """Persons of one recording as one take, with the joints that all of them have; frames are already alike."""
    shared = [joint for joint in takes[0].joints if all(joint in one.joints for one in takes)]
    values = [one.values[:, :, [one.joints.index(joint) for joint in shared]] for one in takes]
    scores = [one.score[:, :, [one.joints.index(joint) for joint in shared]] for one in takes if one.score is not None]
    score = np.concatenate(scores) if len(scores) == len(takes) else None
    first = takes[0]
    return Take(first.id, np.concatenate(values), first.channels, score, first.label, tuple(shared))
