"""Landmarks frame by frame in JSON, as people write them of MediaPipe and of pose estimators in the browser."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.data.skeletons.keypoints.frames import Body, add_frame, over_time, rate_of, whole
from stexplain.data.skeletons.keypoints.landmark_bodies import WORLD, Found, bodies_of, names_of, read_body
from stexplain.data.skeletons.keypoints.timing import rate_and_places
from stexplain.data.skeletons.take import XY, XYZ, Take
from stexplain.errors import DataError
from stexplain.reading import read_json_value

_LISTS = ("frames", "poses", "results", "data", "pose_data", "keypoints", "landmarks", "pose_landmarks", "sequence")
_NUMBERS = ("frame", "frame_id", "frame_index", "frame_number", "frameNumber", "frame_idx", "frame_num", "frameIndex")
# By the name of a time what its unit is in seconds.
_TIMES = {"timestamp_ms": 1e-3, "timestampMs": 1e-3, "time_ms": 1e-3, "timestamp_us": 1e-6, "timestamp_s": 1.0}
_TIMES |= {"time_s": 1.0, "timestamp_ns": 1e-9}
_SKELETONS = ("mediapipe-33", "hand-21")
_ALONE = "json.dump([json.load(open(name)) for name in names], open('video.json', 'w'))"


@dataclass
class _Kept:
    """What is collected over the frames."""

    frames: dict[int, list[Body]] = field(default_factory=dict)
    times: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in _TIMES})
    channels: set[int] = field(default_factory=set)
    scored: bool = False
    names: tuple[str, ...] = ()
    further: set[str] = field(default_factory=set)


def read_landmarks(path: Path) -> Take:
    """A recording: a list of frames, or an object with one, and perhaps ``fps``.

    A frame is a list of landmarks, or an object with one under ``landmarks``, ``pose_landmarks`` or ``keypoints`` (of
    one body, or of several), and perhaps ``frame`` and ``timestamp_ms``. A landmark is ``{"x", "y", "z",
    "visibility"}``, or as many numbers. A frame without a body is ``null`` or empty. Where a frame has landmarks in the
    world, in metres, beside those in the image, they are read, and that is said.

    Raises:
        DataError: where it holds no frames, those of an image alone, or a landmark without x and y.
    """
    content = read_json_value(path)
    kept = _Kept()
    for number, frame in enumerate(_frames_of(path, content)):
        where = f"frame {number + 1}"
        found = bodies_of(path, where, frame)
        kept.further |= found.further
        bodies = [_added(path, where, kept, one, found) for one in found.bodies]
        about = frame if isinstance(frame, Mapping) else {}
        said = next((about[name] for name in _NUMBERS if name in about), number)
        add_frame(path, kept.frames, whole(path, f"{where}, its number", said), bodies)
        for name, times in kept.times.items():
            times.append(about.get(name))
    if len(kept.channels) > 1:
        raise DataError(f"{path}: some landmarks have z, and some have none; expected the same of each.")
    if kept.further:
        warn_caller(f"{path}: {' and '.join(sorted(kept.further))} are not read beside the body's landmarks.")
    numbers, rate = list(kept.frames), rate_of(path, _about(content))
    clock = next((name for name, times in kept.times.items() if any(one is not None for one in times)), "")
    if clock:
        timed, numbers = rate_and_places(path, numbers, kept.times[clock], _TIMES[clock])
        rate = rate or timed
    persons, said = over_time(path, dict(zip(numbers, kept.frames.values(), strict=True)))
    return Take(
        id=path.stem,
        values=persons[..., :-1],
        channels=XYZ if kept.channels == {3} else XY,
        score=persons[..., -1] if kept.scored else None,
        joints=kept.names,
        frame_rate=rate,
        skeletons=() if kept.names else _SKELETONS,
        said=said,
    )


def _frames_of(path: Path, content: Any) -> list[Any]:
    """The frames of a file, in order."""
    if isinstance(content, Mapping):
        lists = [name for name in (*_LISTS, *WORLD) if _may_be_frames(content.get(name))]
        if len(lists) > 1:
            raise DataError(
                f"{path} holds {' and '.join(map(repr, lists))} beside each other, of frames or of one image; expected "
                "one list of frames. Write each frame as an object with what was found in it."
            )
        if lists:
            content = content[lists[0]]
    if isinstance(content, Mapping) and content and all(re.fullmatch(r"\d{1,9}", key) for key in content):
        # Frames by their numbers.
        content = [
            {**one, "frame": key} if isinstance(one, Mapping) else {"frame": key, "landmarks": one}
            for key, one in content.items()
        ]
    if not isinstance(content, list) or not content:
        raise DataError(
            f"{path} holds no list of frames; expected the landmarks of each, such as "
            "[[{'x': 0.5, 'y': 0.2, 'z': 0, 'visibility': 0.9}, ...], ...]."
        )
    if all(isinstance(one, Mapping) and "x" in one for one in content):
        raise DataError(
            f"{path} holds the landmarks of one image; expected the frames of a video. Join those of a video in order: "
            f"{_ALONE}."
        )
    return content


def _may_be_frames(value: Any) -> bool:
    """Whether something is a list of more than numbers, such as those of frames, or frames by their numbers."""
    if isinstance(value, Mapping):
        return bool(value) and all(re.fullmatch(r"\d{1,9}", str(key)) for key in value)
    return isinstance(value, list) and any(isinstance(one, list | dict) for one in value)


def _about(content: Any) -> Any:
    """Where a file says its frame rate: beside its frames, or under ``metadata``."""
    if not isinstance(content, Mapping):
        return None
    inner = next((content[name] for name in ("metadata", "meta", "info", "video") if name in content), None)
    merged = {**(inner if isinstance(inner, Mapping) else {}), **content}
    return {"fps" if key == "frameRate" else key: value for key, value in merged.items()}


def _added(path: Path, where: str, kept: _Kept, one: Any, found: Found) -> Body:
    joints, channels, scored = read_body(path, where, one)
    kept.channels.add(channels)
    kept.scored |= scored
    names = names_of(path, where, one)
    if kept.names and names and names != kept.names:
        raise DataError(f"{path}, {where}: its landmarks have other names than those before; expected the same.")
    kept.names = kept.names or names
    return Body(_without_absent(joints), found.track_of(one))


def _without_absent(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    absent = ~(joints[:, -1:] > 0) | np.isnan(joints).any(1, keepdims=True)
    return np.where(absent, np.float32(np.nan), joints)
