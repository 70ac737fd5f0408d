"""Keypoints in JSON: OpenPose's folders of a file per frame, and Kinetics-skeleton's files of a clip."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.data.skeletons.take import XY, XYZ, Take, numbers
from stexplain.data.store.tracking import linked
from stexplain.errors import DataError
from stexplain.reading import read_json_value, readable, regular_file
from stexplain.reading.contents import files_under

# OpenPose names the files of a video VIDEO_000000000012_keypoints.json.
_FRAME = re.compile(r"(?P<video>.*?)_?(?P<frame>\d+)_keypoints")


def read_openpose(folder: Path) -> Iterator[Take]:
    """Each video of a folder of OpenPose's output, ``VIDEO_000000000000_keypoints.json`` ..., a take each.

    The outer of the folders above a video is its class, as with other formats. Persons are linked over frames, for
    OpenPose numbers them anew in each. A joint of score zero was not found.

    Raises:
        DataError: where a file is broken, or the persons of a video have different numbers of joints.
    """
    videos: dict[tuple[Path, str], dict[int, Path]] = {}
    for path in sorted(one for one in files_under(folder) if one.name.endswith("_keypoints.json")):
        match = _FRAME.fullmatch(path.stem)
        if match is None:
            raise DataError(f"{path}: the name has no number of a frame; expected NAME_000000000012_keypoints.json.")
        videos.setdefault((path.parent, match["video"]), {})[int(match["frame"])] = path
    for (parent, video), files in videos.items():
        first, last = min(files), max(files)
        frames = [_openpose_frame(files[at]) if at in files else None for at in range(first, last + 1)]
        counts = {frame.shape[1:] for frame in frames if frame is not None and len(frame)}
        if not counts:
            continue
        if len(counts) > 1:
            raise DataError(f"{parent}, {video}: persons have {sorted(counts)} joints and channels; expected one size.")
        joints, channels = counts.pop()
        empty = np.zeros((0, joints, channels), np.float32)
        bodies = linked([empty if frame is None or not len(frame) else frame for frame in frames], axes=channels - 1)
        # A video's folder names it where its files do not. Any other is a class, as wave/clip7/clip7_0000.. is.
        classes = parent.relative_to(folder).parts
        if video in ("", parent.name):
            classes = classes[:-1]
        yield Take(
            id=video or parent.name,
            label=classes[0] if classes else "",
            values=bodies[..., :-1],
            channels=XY if channels == 3 else XYZ,
            score=bodies[..., -1],
            fields={"folder": parent.name},
            skeletons=("openpose-25", "openpose-18", "hand-21"),
        )


def _openpose_frame(path: Path) -> NDArray[np.float32]:
    """The persons of one frame, ``[persons, N, 3]``: x, y and score; or with z before the score."""
    content = _content(path)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise DataError(f"{path} has no list 'people'; expected OpenPose's output of one frame.")
    bodies = []
    for number, person in enumerate(people):
        where = f"person {number + 1}"
        given = person if isinstance(person, dict) else {}
        flat, width = given.get("pose_keypoints_3d") or None, 4
        if flat is None:
            # Files of OpenPose before 1.3 have another name for the same.
            flat, width = given.get("pose_keypoints_2d", given.get("pose_keypoints")), 3
        values = numbers(path, where, flat if flat is not None else [], "[numbers]")
        if not len(values) or len(values) % width:
            raise DataError(f"{path}, {where}: got {len(values)} numbers; expected x, y and score of each joint.")
        joints = values.reshape(-1, width)
        bodies.append(np.where(joints[:, -1:] > 0, joints, np.float32(np.nan)))
    if len({len(body) for body in bodies}) > 1:
        counts = ", ".join(map(str, sorted({len(body) for body in bodies})))
        raise DataError(
            f"{path}: got persons of {counts} joints; expected the same of each. Write them by one model of OpenPose."
        )
    return np.stack(bodies) if bodies else np.zeros((0, 0, 3), np.float32)


def is_kinetics(path: Path) -> bool:
    """Whether a JSON file begins like one of Kinetics-skeleton; the file is not read in full."""
    with readable(path, "a file"), regular_file(path).open("rb") as file:
        start = file.read(200)
    return b'"data"' in start and b'"people"' not in start


def read_kinetics(path: Path) -> Take:
    """One clip of Kinetics-skeleton: ``{"data": [{"frame_index": 1, "skeleton": [...]}], "label": ...}``.

    Raises:
        DataError: where the file is broken.
    """
    content = _content(path)
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, list):
        raise DataError(f"{path} has no list 'data'; expected a clip of Kinetics-skeleton.")
    by_frame: dict[int, NDArray[np.float32]] = {}
    joints = 0
    for number, frame in enumerate(data):
        where = f"frame {number + 1}"
        if not isinstance(frame, dict) or not isinstance(frame.get("skeleton"), list):
            raise DataError(f"{path}, {where}: expected frame_index and skeleton.")
        bodies = []
        for person in frame["skeleton"]:
            given = person if isinstance(person, dict) else {}
            pose = numbers(path, where, given.get("pose", []), "[numbers]")
            score = numbers(path, where, given.get("score", []), "[numbers]")
            if len(pose) != 2 * len(score) or not len(score):
                raise DataError(f"{path}, {where}: got {len(pose)} of pose and {len(score)} of score; expected 2 to 1.")
            joints = joints or len(score)
            if len(score) != joints:
                raise DataError(f"{path}, {where}: got {len(score)} joints; expected {joints}, as before.")
            body = np.concatenate([pose.reshape(-1, 2), score[:, None]], 1)
            bodies.append(np.where(score[:, None] > 0, body, np.float32(np.nan)))
        index = frame.get("frame_index", number + 1)
        if not isinstance(index, int) or index < 0 or index > 10_000_000:
            raise DataError(f"{path}, {where}: got frame_index {index!r}; expected a whole number.")
        by_frame[index] = np.stack(bodies) if bodies else np.zeros((0, joints, 3), np.float32)
    if not joints:
        raise DataError(f"{path} holds no body; expected one in some frame. Leave the file out.")
    first, last = min(by_frame), max(by_frame)
    if last - first > 100 * len(by_frame) + 1000:
        raise DataError(
            f"{path}: got {len(by_frame)} frames, numbered {first} to {last}; expected them one after the other. "
            "Number "
            "them anew."
        )
    empty = np.zeros((0, joints, 3), np.float32)
    frames = [by_frame.get(at, empty) for at in range(first, last + 1)]
    persons = linked([frame if len(frame) else empty for frame in frames], axes=2)
    name = content.get("label") or ""
    return Take(
        id=path.stem,
        values=persons[..., :2],
        channels=XY,
        score=persons[..., 2],
        label=str(name),
        skeletons=("openpose-18",),
    )


def _content(path: Path) -> Any:
    return read_json_value(path)
