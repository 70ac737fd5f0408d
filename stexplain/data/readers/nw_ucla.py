"""Reads the JSON skeletons of Northwestern-UCLA Multiview Action 3D.

A file is one object; its `skeletons` holds frames x 20 joints x 3, in metres, of one person.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from stexplain.cards import DatasetCard
from stexplain.data.recording import Recording, RecordingFile
from stexplain.errors import DataError
from stexplain.reading import read_json_value
from stexplain.reading.contents import files_under

JOINTS = 20
_NAME = re.compile(r"(?P<action>a\d{2})_s(?P<subject>\d{2})_e(?P<episode>\d{2})_v(?P<view>\d{2})")


def find(root: Path, card: DatasetCard) -> list[RecordingFile]:
    """The recordings under a folder, sorted by id; no file is opened.

    Args:
        root: a folder; its subfolders are searched too.
        card: whose class ids (``"a01"`` ...) give the labels.

    Returns:
        One entry per file whose name begins like ``a01_s02``. Where it does not continue with ``_e03_v01``, or its
        action is no class of the card, the label is -1 and `problem` says why.
    """
    labels = {entry.id: label for label, entry in enumerate(card.classes)}
    files = []
    # By name first, not by folder: the order of recordings must not depend on how they were unpacked.
    for path in sorted(
        (path for path in files_under(Path(root)) if path.match("a[0-9]*_s[0-9]*.json")),
        key=lambda path: (path.stem, path),
    ):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            problem = "the name is not of the form a01_s02_e03_v01, so class, subject and view are unknown"
            files.append(RecordingFile(path.stem, path, -1, {}, problem))
            continue
        fields = {name: int(match[name]) for name in ("subject", "episode", "view")}
        action = match["action"]
        problem = "" if action in labels else f"action {action} is not a class of the card {card.name!r}"
        files.append(RecordingFile(path.stem, path, labels.get(action, -1), fields, problem))
    return files


def read(path: Path) -> Recording:
    """Reads one recording, of one person.

    Raises:
        DataError: where the file is missing, not JSON, or `skeletons` is not frames x 20 joints x 3 finite numbers.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "one_frame.json"
        >>> import json
        >>> _ = path.write_text(json.dumps({"skeletons": [[[0.0, 1.0, 2.0]] * 20]}))
        >>> read(path).values.shape
        (1, 1, 20, 3)
    """
    again = "Fetch the file again."
    value = read_json_value(path)
    if not isinstance(value, dict) or not isinstance(value.get("skeletons"), list):
        raise DataError(f"{path} has no list 'skeletons'; expected frames x {JOINTS} joints x 3. {again}")
    skeletons = value["skeletons"]
    # An empty recording is no error of the reader: preparation excludes it and says so.
    if not skeletons:
        return Recording(np.zeros((1, 0, JOINTS, 3), np.float32), (0,))
    try:
        xyz = np.array(skeletons, np.float32)
    except (TypeError, ValueError, OverflowError):
        # Ragged or not numbers: the shape below does not fit, and `_wrong` names the frame.
        xyz = np.zeros(0, np.float32)
    if xyz.shape != (len(skeletons), JOINTS, 3):
        raise DataError(f"{path}, {_wrong(skeletons)}; expected [{JOINTS}, 3] numbers in every frame. {again}")
    if not np.isfinite(xyz).all():
        raise DataError(f"{path}, frame {int(np.argwhere(~np.isfinite(xyz))[0, 0])}: not finite. {again}")
    return Recording(xyz[None], (0,))


def _wrong(skeletons: list[Any]) -> str:
    """The first frame that is not joints x 3 numbers, for a message."""
    for frame, joints in enumerate(skeletons):
        try:
            found = f"found shape {list(np.array(joints, np.float32).shape)}"
        except (TypeError, ValueError, OverflowError) as error:
            return f"frame {frame}: {error}"
        if found != f"found shape {[JOINTS, 3]}":
            return f"frame {frame}: {found}"
    return "its frames: found shapes that differ"
