"""What the columns of a table of keypoints hold, by the names that people give them."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from stexplain.checking import warn_caller
from stexplain.errors import DataError

NAMES = {
    "sample": (
        *("sample", "file", "id", "recording", "video", "clip", "trial"),
        *("sample_id", "file_name", "filename", "recording_id", "video_id", "clip_id", "trial_id"),
    ),
    "frame": ("frame", "frame_index", "frame_idx", "frame_id", "frame_number", "t", "time_index"),
    "joint": (
        *("joint", "node", "keypoint", "marker", "landmark", "bodypart"),
        *("joint_name", "keypoint_name", "landmark_name", "marker_name"),
        *("joint_id", "keypoint_id", "landmark_id", "marker_id", "joint_index", "landmark_index", "joint_idx"),
    ),
    "person": (
        *("person", "body", "instance", "track", "individual"),
        *("person_id", "body_id", "instance_id", "track_id", "person_index"),
    ),
    "label": ("label", "class", "action", "diagnosis"),
    "score": ("score", "confidence", "visibility", "likelihood", "conf", "probability", "prob"),
}
"""By what a column holds, the names it may have."""

AXES = ("x", "y", "z")
MOST_FRAMES = 1_000_000
_UNIT = re.compile(r"(?P<name>.*?)\s*[\[(]\s*(?P<unit>mm|cm|m|metres|meters|px|pixels?)\s*[\])]\s*", re.IGNORECASE)
_METRES = {"mm": 0.001, "cm": 0.01}


def named_columns(columns: Iterable[object]) -> dict[str, str]:
    """Which column holds what, by its name; letters of any case.

    Example:
        >>> named_columns(["Video", "frame", "keypoint", "x"])
        {'sample': 'Video', 'frame': 'frame', 'joint': 'keypoint'}
    """
    lower = {str(name).strip().lower(): str(name) for name in columns}
    found = {what: next((lower[name] for name in names if name in lower), None) for what, names in NAMES.items()}
    return {what: name for what, name in found.items() if name is not None}


def without_units(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """A table whose coordinates have a unit of length in their names, ``x (mm)``, in metres and without it.

    Other units, such as ``[px]``, are left out of the names alone.

    Args:
        path: of the file, for messages.
        table: its cells, as text.

    Raises:
        DataError: where a name would then be there twice.

    Example:
        >>> without_units(Path("a.csv"), pd.DataFrame({"frame": ["1"], "hip_x (mm)": ["500.5"]})).to_dict("list")
        {'frame': ['1'], 'hip_x': ['0.5005']}
    """
    named, scales = [], []
    for column in map(str, table.columns):
        match = _UNIT.fullmatch(column)
        of_place = match is not None and re.search(r"(^|[\s_.:/-])[xyz]$", match["name"], re.IGNORECASE) is not None
        named.append(match["name"] if match is not None and of_place else column)
        scales.append(_METRES.get(match["unit"].lower(), 1.0) if match is not None and of_place else 1.0)
    if named == list(map(str, table.columns)):
        return table
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise DataError(f"{path}: the first line names {twice!r} twice, in other units; expected each name once.")
    found = table.copy()
    for place, scale in enumerate(scales):
        numbers = pd.to_numeric(table.iloc[:, place], errors="coerce") * scale
        # What is no number is refused where it is read, with its line.
        if scale != 1:
            found.isetitem(
                place, table.iloc[:, place].where(numbers.isna(), numbers.map(lambda one: f"{one:.9g}")).to_numpy()
            )
    return found.set_axis(named, axis=1)


def numeric(path: Path, column: "pd.Series[str]", *, whole: bool = False, first: int = 2) -> "pd.Series[float]":
    """A column as numbers; an empty cell is a value that was not read.

    Args:
        path: of the file, for the message.
        column: its name is in the message.
        whole: whether only whole numbers are expected, in every row.
        first: the line of the first row.

    Raises:
        DataError: where a value is no number, or infinite; names the line.
    """
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = numbers.isna() & ~column.str.strip().str.lower().isin(["", "nan", "na"])
    if whole:
        wrong |= numbers.isna() | (numbers % 1 != 0)
    wrong |= np.isinf(numbers)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        expected = "a whole number" if whole else "a number, or nothing where it was not read"
        text = str(column.iloc[row])
        thousands = re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d*", text.strip())
        comma = " Decimals are written with points: pd.read_csv(path, sep=';', decimal=',')" if "," in text else ""
        comma += ".to_csv(path, index=False)." if comma else ""
        if thousands:
            comma = " Without commas of thousands: pd.read_csv(path, thousands=',').to_csv(path, index=False)."
        raise DataError(f"{path}, line {row + first}: {column.name} is {text!r}; expected {expected}.{comma}")
    return numbers


def length_of(path: Path, sample: str, frames: "pd.Series[float]") -> tuple[int, int]:
    """The first frame of a recording and how many there are.

    Raises:
        DataError: where there are so many that the numbers cannot be frames.
    """
    first, last = int(frames.min()), int(frames.max())
    if last - first >= MOST_FRAMES:
        raise DataError(f"{path}: sample {sample!r} has the frames {first} to {last}; expected fewer.")
    return first, last - first + 1


def successive(path: Path, table: pd.DataFrame) -> "pd.Series[int]":
    """The frames of a table as they follow each other: where all numbers go up in steps, such as 0, 2, 4, so do frames.

    A frame between two such numbers is none in which nobody was there: it was not recorded, and that is said.

    Args:
        path: of the file, for the notice.
        table: with the columns sample and frame, whole numbers.

    Example:
        >>> frames = pd.DataFrame({"sample": ["a", "a", "b", "b"], "frame": [10, 15, 0, 20]})
        >>> import warnings
        >>> with warnings.catch_warnings(action="ignore"):
        ...     successive(Path("t.csv"), frames).tolist()
        [0, 1, 0, 4]
    """
    frames = table["frame"].astype(np.int64)
    since = frames - frames.groupby(table["sample"]).transform("min")
    step = int(np.gcd.reduce(since.unique()))
    if step < 2:
        return frames
    warn_caller(
        f"{path}: frames are numbered in steps of {step}: they are taken as successive. A frame rate counts these."
    )
    return since // step


def say_left_out(path: Path, table: pd.DataFrame, taken: Iterable[str]) -> None:
    """Names the columns that are neither taken nor alike in all rows of a recording: nothing holds them."""
    rest = [str(name) for name in table.columns if name not in set(taken)]
    if rest and (gone := [name for name in rest if (table.groupby("sample")[name].nunique() > 1).any()]):
        shown = ", ".join(map(repr, gone[:5])) + (", ..." if len(gone) > 5 else "")
        # Of what unit they are, their name does not say for certain.
        timed = any(re.match(r"(time|seconds)(?![a-z])|timestamp", name.lower()) for name in gone)
        warn_caller(
            f"{path}: the column{'s' * (len(gone) > 1)} {shown} {'were' if len(gone) > 1 else 'was'} left out."
            + " Time is counted in frames, unless a frame rate is given." * timed
        )


def label_of(path: Path, sample: str, labels: "pd.Series[str]") -> str:
    """The one label of a recording.

    Raises:
        DataError: where its rows have several.
    """
    found = list(dict.fromkeys(labels))
    if len(found) > 1:
        raise DataError(f"{path}: sample {sample!r} has the labels {found[:3]}; expected one.")
    return str(found[0])


def fields_of(rows: pd.DataFrame, taken: Iterable[str]) -> dict[str, int | str]:
    """What else the rows of a recording say alike, such as ``{"subject": "3"}``."""
    rest = [name for name in rows.columns if name not in set(taken)]
    return {str(name): str(rows[name].iloc[0]) for name in rest if rows[name].nunique() == 1}
