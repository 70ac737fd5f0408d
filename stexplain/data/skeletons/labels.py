"""Labels of recordings: from a table of the user's own, a mapping, or the folders that recordings lie in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.cards.messages import alike
from stexplain.checking import warn_caller
from stexplain.errors import DataError, InputError
from stexplain.reading import given_path
from stexplain.reading.table import read_csv, separator_of
from stexplain.wording import agree, an

# Names of the column of recordings, and of that of classes, as tables of others have them.
_IDS = ("file", "sample", "id", "name", "recording", "video", "clip", "filename", "path", "participant_id")
_SUBJECTS = ("sub_id", "subject_id", "subjectid", "participant")
"""Of tables of subjects, as ABIDE's; of recordings these say something else."""
_PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_PARTS["testing"] = "test"
_MISSING = ("", "nan", "na", "n/a", "<na>")
_CLASSES = ("label", "class", "action", "activity", "category", "diagnosis", "dx_group", "y", "target")


def read_labels(
    given: "str | Path | Mapping[str, Any] | pd.DataFrame | pd.Series", *, by_path: bool = False, subjects: bool = False
) -> dict[str, dict[str, Any]]:
    """Class and further fields of each recording, by its name without folder and ending.

    Args:
        given: a CSV or a table with a column of recordings (``file``, ``sample``, ``id``, ...) and one of classes
            (``label``, ``class``, ...), and any more, such as ``subject``; or a mapping from recordings to classes.
        by_path: whether recordings of several folders have one name: their names here keep the folders.
        subjects: whether rows may be of subjects, by a column such as ``SUB_ID``.

    Returns:
        By recording a dictionary with ``label`` (text) and the other columns.

    Raises:
        InputError: where there is no such file, or no such columns.
        DataError: where a recording appears twice, or has no label.

    Example:
        >>> read_labels({"patient_1.skeleton": "gait"})
        {'patient_1': {'label': 'gait'}}
    """
    if isinstance(given, pd.Series | Mapping):
        for name, label in given.items():
            if not as_label(label):
                raise DataError(f"labels: {str(name)!r} has no label; expected one, or leave it out.")
        return {_stem(str(name), by_path): {"label": as_label(label)} for name, label in given.items()}
    where = "labels"
    if not isinstance(given, pd.DataFrame | str | Path):
        raise InputError(
            f"labels: got {an(type(given).__name__)}; expected a mapping from the name of a recording to its class, a "
            "table, or a CSV. Of a list give dict(zip(names, labels))."
        )
    if isinstance(given, pd.DataFrame):
        table = given.map(as_label)
    else:
        path = given_path(given, "labels")
        where = str(path)
        if not path.is_file():
            raise InputError(
                f"labels: there is no file {path}. Give a CSV with the columns file and label, or a mapping."
            )
        table = read_csv(path, dtype=str, keep_default_na=False, sep=separator_of(path))
    columns = {str(name).strip().lower(): str(name) for name in table.columns}
    known = (*_IDS, *_SUBJECTS) if subjects else _IDS
    names = next((columns[name] for name in known if name in columns), None)
    classes = next((columns[name] for name in _CLASSES if name in columns), None)
    if names is None or classes is None:
        raise InputError(
            f"{where}: got the columns {', '.join(map(str, table.columns))}; expected one of recordings "
            f"({', '.join(_IDS[:3])}, ...) and one of classes ({', '.join(_CLASSES[:3])}, ...), "
            f"{_renamed(where, table, names, classes)}"
        )
    found: dict[str, dict[str, Any]] = {}
    for line, row in enumerate(table.to_dict("records"), 2):
        stem, label = _stem(str(row[names]).strip(), by_path), str(row[classes]).strip()
        if stem in found:
            raise DataError(f"{where}, line {line}: {stem!r} appears twice; expected each recording once.")
        if label.lower() in _MISSING:
            written = f", but {label!r}" if label else ""
            raise DataError(
                f"{where}, line {line}: {stem!r} has no label{written}. Write its class, or leave the row out."
            )
        rest = {str(key): value for key, value in row.items() if key not in (names, classes)}
        found[stem] = {"label": label, **rest}
    return found


def names_recordings(columns: Iterable[str]) -> bool:
    """Whether a table has a column of recordings, by their names in lower case, as one of labels has.

    Example:
        >>> names_recordings(["participant_id", "group"]), names_recordings(["hip", "knee"])
        (True, False)
    """
    return not set(columns).isdisjoint(_IDS)


def _renamed(where: str, table: pd.DataFrame, names: str | None, classes: str | None) -> str:
    """How to get the column that is missing: another one under its name, where one may be meant."""
    # Classes repeat, and names do not. More classes than this are hardly typed into a table.
    distinct = {str(name): table[name].nunique() for name in table.columns if name not in (names, classes)}
    repeated = [name for name, count in distinct.items() if 2 <= count <= min(20, len(table) // 2)]
    unlike = [name for name, count in distinct.items() if count == len(table)]
    renamed = {}
    if classes is None and repeated:
        renamed[repeated[0] if "group" not in repeated else "group"] = "label"
    if names is None and unlike:
        renamed[unlike[0]] = "file"
    if len(renamed) == (names is None) + (classes is None):
        changes = " and ".join(f"{old!r} to {new!r}" for old, new in renamed.items())
        # As text, or ids lose the zeros that they begin with.
        read = (
            "labels" if where == "labels" else f"pd.read_csv({where!r}, sep={separator_of(Path(where))!r}, dtype=str)"
        )
        return f"such as {changes} renamed: labels={read}.rename(columns={renamed}), or in the file itself."
    return "such as\nfile,label,subject\npatient_1.skeleton,gait,1"


def as_label(value: Any) -> str:
    """A label or name as text; empty where it is missing. A whole number is named so, also where a table holds a float.

    Example:
        >>> as_label(3), as_label(3.0), as_label(None), as_label(pd.NA), as_label(float("nan"))
        ('3', '3', '', '', '')
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return "" if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)) else str(value)


def recording_names(root: Path, files: "list[Path]", *, one_each: bool = True) -> dict[Path, str]:
    """What recordings are called: as their files, or by their folders too where several have files of one name.

    Args:
        root: the folder that was given.
        files: a path for each recording.
        one_each: whether each file is one recording, which may be renamed.

    Raises:
        DataError: where two recordings of different folders have one name, and files hold several.

    Example:
        >>> recording_names(Path("raw"), [Path("raw/s1/walk.c3d"), Path("raw/s2/walk.c3d")])[Path("raw/s1/walk.c3d")]
        's1/walk'
        >>> recording_names(Path("raw"), [Path("raw/s1/walk.c3d"), Path("raw/s2/run.c3d")])[Path("raw/s1/walk.c3d")]
        'walk'
    """
    stems: set[str] = set()
    twice = next((path for path in files if path.stem in stems or stems.add(path.stem)), None)  # type: ignore[func-returns-value]  # a set tells what it has
    if twice is None or all(path.parent == root for path in files):
        return {path: path.stem for path in files}
    if not one_each:
        raise DataError(f"{twice}: another folder has a recording {twice.stem!r} too; expected different names.")
    return {path: path.relative_to(root).with_suffix("").as_posix() for path in files}


def without_point_zero(labels: Sequence[str]) -> list[str]:
    """Labels of which all are whole numbers, as ``1`` is written: a column with a gap holds ``1.0``.

    Example:
        >>> without_point_zero(["1.0", "2", ""]), without_point_zero(["1.0", "2.5"])
        (['1', '2', ''], ['1.0', '2.5'])
    """
    whole = all(re.fullmatch(r"-?\d+(\.0+)?", label) for label in labels if label)
    return [label.partition(".")[0] for label in labels] if whole else list(labels)


def numbered_from(numbers: Sequence[int], classes: Sequence[str]) -> int:
    """From which number on classes are counted, 0 or 1, where files hold numbers and the user names.

    From 1 where the last of them is the number of classes; else from 0, and where they begin with 1, that is said.

    Example:
        >>> numbered_from([1, 3, 2], ["walk", "sit", "run"]), numbered_from([0, 2], ["walk", "sit", "run"])
        (1, 0)
    """
    if min(numbers) >= 1 and max(numbers) == len(classes):
        return 1
    if min(numbers) == 1 and max(numbers) < len(classes):
        warn_caller(
            f"classes: the recordings have the numbers 1 to {max(numbers)}, counted from 0: 1 is {classes[1]!r}. Where "
            "they are counted from 1, give labels with the names of the classes."
        )
    return 0


def warn_of_folders(others: Sequence[tuple[str, str, str]], labels: Sequence[str]) -> None:
    """Warns of recordings that lie in the folder of another class than the one that their label names.

    Args:
        others: recording, its folder's class and its label, where they differ.
        labels: of all recordings.
    """
    contradicting = [one for one in others if one[1] in labels]
    if contradicting:
        name, folder, label = contradicting[0]
        warn_caller(
            f"labels: {len(contradicting)} of {len(labels)} recordings "
            f"{agree(len(contradicting), 'lies', 'lie')} in the folder of another class, such as {name!r} in "
            f"{folder!r}, with the label {label!r}. The labels count."
        )


def warn_of_unread(root: Path) -> None:
    """Warns of a table of labels that lies in the folder of recordings which nothing gives a class."""
    if (lying := root / "labels.csv").is_file():
        warn_caller(
            f"labels: none were given, so that no recording has a class. Give labels={str(lying)!r} to read it."
        )


def folder_fields(root: Path, files: Mapping[Path, str]) -> dict[str, dict[str, str]]:
    """What the folders say of each recording, by its name: ``label``, and ``split`` where one level of them are parts.

    The folder below `root` is the class, ``gait/walk_1.skeleton``; of ``train/gait/walk_1.skeleton`` and
    ``val/gait/walk_2.skeleton`` the one below that. Levels that are the same of all recordings, or of one recording
    each, say nothing. Where two others are left, such as class and subject, ``levels`` has both in place of a label.
    Empty where all lie in `root`.

    Args:
        root: the folder that was given.
        files: the name of the recording at each path, see `recording_names`.

    Example:
        >>> folder_fields(Path("raw"), {Path("raw/train/gait/a.bvh"): "a", Path("raw/test/sit/b.bvh"): "b"})
        {'a': {'split': 'train', 'label': 'gait'}, 'b': {'split': 'test', 'label': 'sit'}}
        >>> files = [Path("raw/s1/gait/a.bvh"), Path("raw/s1/sit/b.bvh"), Path("raw/s2/sit/c.bvh")]
        >>> folder_fields(Path("raw"), {file: file.stem for file in files})["a"]
        {'levels': 's1/gait'}
    """
    folders = {path: list(path.parent.relative_to(root).parts) for path in files}
    depth = min(map(len, folders.values()), default=0)
    splits: dict[Path, str] = {}
    for level in range(depth):
        # A class called train beside one called walk is a class.
        if all(part_of(parts[level]) for parts in folders.values()):
            splits = {path: part_of(parts.pop(level)) for path, parts in folders.items()}
            break
    classes = _class_levels(list(folders.values()))
    found: dict[str, dict[str, str]] = {}
    for path, parts in folders.items():
        about = {"split": splits[path]} if splits else {}
        if len(classes) > 1:
            about["levels"] = "/".join(parts[level] for level in classes)
        elif parts:
            about["label"] = parts[classes[0]]
        if about:
            found[files[path]] = about
    return found


def _class_levels(folders: "list[list[str]]") -> list[int]:
    """The levels of folders that may be the classes; the first, where some recordings lie in it and some below."""
    depths = set(map(len, folders))
    if len(depths) != 1 or depths == {0}:
        return [0]
    names = [{parts[level] for parts in folders} for level in range(depths.pop())]
    several = [level for level, known in enumerate(names) if len(known) > 1]
    # A folder for each recording is none of a class, where another level is.
    shared = [level for level in several if len(names[level]) < len(folders)]
    return shared or several[:1] or [0]


def refuse_folders(sample: str, levels: str) -> None:
    """Refuses to take one of two levels of folders for the classes.

    Args:
        sample: the name of a recording.
        levels: the names of its folders, joined by ``/``.

    Raises:
        InputError: with how to say it.
    """
    raise InputError(
        f"labels: {sample!r} lies in {levels}; which folder is its class, and which one, such as a subject, is not? "
        "Give a CSV with the columns file, label and perhaps subject; or a mapping, such as {str(file.relative_to("
        "folder)): file.parent.name for file in pathlib.Path(folder).rglob('*.*')} for the inner folder."
    )


def warn_of_alike(classes: Sequence[str]) -> None:
    """Warns of classes whose names differ in case, spaces or leading zeros alone, as where one was mistyped.

    Args:
        classes: their names.
    """
    for other, name in alike(classes):
        warn_caller(f"the classes {other!r} and {name!r} differ in letters' case, spaces or leading zeros alone.")


def part_of(name: str) -> str:
    """Which part of a split a folder or file is called: train, val or test, with anything before; else empty.

    Example:
        >>> part_of("kinetics_train"), part_of("validation"), part_of("train ride")
        ('train', 'val', '')
    """
    last = name.lower().replace("-", "_").split("_")[-1]
    return _PARTS.get(last, "")


def _stem(name: str, by_path: bool = False) -> str:
    # A name with dots inside of it, such as "trial.1", keeps them: only endings of files are cut off.
    path = Path(name.replace("\\", "/"))
    path = path.with_suffix("") if path.suffix.lower() in ENDINGS else path
    # poses.analysis.h5 is of the recording "poses".
    path = path.with_suffix("") if path.suffix == ".analysis" else path
    return path.as_posix().removeprefix("/") if by_path else path.name


ENDINGS = (
    *(".skeleton", ".json", ".bvh", ".c3d", ".npy", ".npz", ".csv", ".avi", ".mp4", ".pkl", ".mov", ".mkv", ".tsv"),
    *(".h5", ".hdf5"),
)
"""What is cut off a name of a recording."""
