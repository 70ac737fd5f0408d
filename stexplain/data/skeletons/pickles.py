"""Keypoints in pickles: pyskl's annotations, and ST-GCN's array beside its list of labels. Nothing is executed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stexplain.checking import warn_caller
from stexplain.data.readers.plain_pickle import load_plain
from stexplain.data.skeletons.keypoints.other_pickles import refuse_others, refuse_packed
from stexplain.data.skeletons.labels import part_of
from stexplain.data.skeletons.take import XY, XYZ, Take, class_number, numbers, without_zeros
from stexplain.errors import DataError
from stexplain.reading.npy import load_npy

# Its two datasets: NTU RGB+D, and Kinetics-skeleton.
_OF_STGCN = ("kinect-v2", "openpose-18")


def read_pyskl(path: Path) -> Iterator[Take]:
    """The annotations of pyskl or MMAction2: ``{"split": {...}, "annotations": [...]}``, the list alone, or only one.

    Each annotation has ``frame_dir``, ``label``, ``keypoint`` ``[M, T, V, 2 or 3]``, and may have ``keypoint_score``
    ``[M, T, V]``. The splits that hold a recording are its field ``split``.

    Raises:
        DataError: where the file is broken, or asks for anything to be executed.
    """
    content = load_plain(path, "a file of annotations")
    if isinstance(content, dict) and "keypoint" in content:
        # As MMAction2's extraction of poses writes it: a file for each video.
        content = [{"frame_dir": path.stem, **content}]
    annotations = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        refuse_others(path, content)
    splits: dict[str, list[str]] = {}
    named = content.get("split", {}) if isinstance(content, dict) else {}
    for split, members in (named if isinstance(named, dict) else {}).items():
        if not _is_list(members):
            raise DataError(f"{path}, split {split!r}: got {type(members).__name__}; expected a list of names.")
        for member in members:
            splits.setdefault(str(member), []).append(str(split))
    # A dict, as a set has its names in another order each time.
    names = {str(one.get("frame_dir", one.get("filename", number))): None for number, one in enumerate(annotations)}
    if strangers := [member for member in splits if member not in names]:
        if len(strangers) == len(splits):
            raise DataError(
                f"{path}, split {splits[strangers[0]][0]!r}: got {strangers[0]!r}; expected names of recordings, such "
                f"as {next(iter(names), '')!r}."
            )
        warn_caller(
            f"{path}: {len(strangers)} of the {len(splits)} names in its splits, such as {strangers[0]!r}, are of no "
            "recording."
        )
    for number, one in enumerate(annotations):
        where = f"annotation {number + 1}"
        refuse_packed(path, where, one)
        if "keypoint" not in one:
            raise DataError(f"{path}, {where} has no 'keypoint'; it has {', '.join(map(str, one))}.")
        name = str(one.get("frame_dir", one.get("filename", number)))
        where = f"{where} ({name})"
        keypoint = numbers(path, where, one["keypoint"], "[M, T, V, C]")
        score = None
        if one.get("keypoint_score") is not None:
            score = numbers(path, where, one["keypoint_score"], "[M, T, V]")
            if score.shape != keypoint.shape[:3]:
                raise DataError(f"{path}, {where}: scores {score.shape}; expected {keypoint.shape[:3]}.")
        if keypoint.shape[3] not in (2, 3):
            raise DataError(f"{path}, {where}: got {keypoint.shape[3]} coordinates; expected two or three.")
        stated = one.get("total_frames")
        if stated is not None and (not np.isscalar(stated) or stated != keypoint.shape[1]):
            raise DataError(
                f"{path}, {where}: total_frames is {stated!r:.40}, and keypoint has {keypoint.shape[1]} frames; "
                "expected the same. Cut what fills it up, keypoint[:, :total_frames], or correct total_frames."
            )
        label = _class_of(path, where, one.get("label"))
        fields: dict[str, int | str] = {}
        if splits:
            fields["split"] = " ".join(splits.get(name, []))
        yield Take(
            id=name,
            values=without_zeros(keypoint),
            channels=XY if keypoint.shape[3] == 2 else XYZ,
            score=score,
            label=label,
            fields=fields,
        )


def read_stgcn(path: Path, labels: Path) -> Iterator[Take]:
    """ST-GCN's arrays: ``data.npy`` ``[samples, C, T, V, M]``, and ``label.pkl``, (names, classes).

    ``train_data.npy`` and ``val_data.npy`` are the files' own split.
    Three channels of 18 joints are x, y and score, as of Kinetics-skeleton; of others x, y and z.

    Raises:
        DataError: where the files are broken or do not belong together.
    """
    data = load_npy(path, mapped=True)
    if data.ndim != 5 or data.shape[1] not in (2, 3):
        raise DataError(f"{path}: got shape {data.shape}; expected [samples, 2 or 3, T, V, M], as ST-GCN's data.")
    listed = load_plain(labels, "a list of labels")
    pair = isinstance(listed, list | tuple) and len(listed) == 2
    # Of text each letter would be one.
    if not pair or not all(map(_is_list, listed)) or len(listed[0]) != len(listed[1]):
        raise DataError(f"{labels}: expected two lists of one length, the names of the samples and their classes.")
    names, classes = list(listed[0]), list(listed[1])
    if len(names) != len(data):
        raise DataError(f"{labels} names {len(names)} samples; expected {len(data)}, as {path.name} holds.")
    # ST-GCN's files are train_data.npy and val_data.npy.
    part = part_of(path.stem.removesuffix("_joint").removesuffix("_data"))
    fields: dict[str, int | str] = {"split": part} if part else {}
    scored = data.shape[1] == 3 and data.shape[3] == 18
    for number, name in enumerate(names):
        # [C, T, V, M] -> [M, T, V, C]
        values = numbers(path, f"sample {number + 1}", np.asarray(data[number]).transpose(3, 1, 2, 0), "[M, T, V, C]")
        values = without_zeros(values)
        shown, score = (values[..., :2], values[..., 2]) if scored else (values, None)
        present = np.asarray(~np.isnan(shown).all(axis=(2, 3)))
        if present.any():
            # Clips are filled with zeros up to one length, and one number of persons.
            last = int(np.flatnonzero(present.any(0))[-1]) + 1
            persons = np.asarray(present.any(1))
            shown, score = shown[persons, :last], None if score is None else score[persons, :last]
        channels, label = XY if shown.shape[3] == 2 else XYZ, class_number(labels, str(name), classes[number])
        yield Take(_stem(name), shown, channels, score, label, fields=fields, skeletons=_OF_STGCN)


def _class_of(path: Path, where: str, label: Any) -> str:
    """The class of an annotation: a number or a word; none where it is missing, or -1, as of what is not annotated.

    Raises:
        DataError: where it is anything else, such as several classes.
    """
    if label is None or (isinstance(label, str) and not label):
        return ""
    if isinstance(label, str):
        return label
    number = class_number(path, where, label[0] if _is_list(label) and len(label) == 1 else label)
    return "" if int(number) < 0 else number


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _stem(name: Any) -> str:
    text = str(name)
    return text[: -len(".skeleton")] if text.endswith(".skeleton") else text
