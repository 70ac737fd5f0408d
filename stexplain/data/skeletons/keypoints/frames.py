"""Bodies that a pose estimator found in single frames, as persons over time."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.data.skeletons.take import numbers, stated_rate
from stexplain.data.store.tracking import LeftOut, linked
from stexplain.errors import DataError

_NUMBER = re.compile(r"(?P<video>.*?)[\s_.-]*(?P<frame>\d{1,15})")
_RATES = ("fps", "frame_rate", "framerate")
# As many times more numbers of frames than frames, and so many more, are still those of a video with gaps.
_GAPS, _FEW = 100, 1000


@dataclass(frozen=True)
class Body:
    """A body in one frame.

    Attributes:
        joints: ``[N, C + 1]``: positions, and last the score; NaN where a joint was not found.
        track: whose body it is over time, as the file says; empty: it does not.
    """

    joints: NDArray[np.float32]
    track: str = ""


def body_of(path: Path, where: str, positions: NDArray[np.float32], score: NDArray[np.float32], track: Any) -> Body:
    """A body of positions ``[N, C]`` and scores ``[N]``; a joint of score zero was not found.

    Args:
        path: of the file, for messages.
        where: in it.
        positions: of the joints.
        score: of each of them.
        track: the number or name of the person, or a list with it alone, as the file has it; none: it has none.

    Raises:
        DataError: where there are no joints, or not as many scores.
    """
    if not len(positions) or len(score) != len(positions):
        raise DataError(f"{path}, {where}: got {len(positions)} joints and {len(score)} scores; expected one for each.")
    joints = np.concatenate([positions, score[:, None]], 1)
    while isinstance(track, list) and len(track) == 1:
        (track,) = track
    # A track is written as 3, 3.0 or "3".
    number = isinstance(track, float) and track.is_integer()
    named = "" if track is None else str(int(track)) if number else str(track)
    return Body(np.where(score[:, None] > 0, joints, np.float32(np.nan)), named)


def add_frame(path: Path, frames: dict[int, list[Body]], number: int, bodies: list[Body]) -> None:
    """Adds the bodies of a frame; one that is there already is refused, for it would lose those that it had.

    Raises:
        DataError: where it is there.
    """
    if number in frames:
        raise DataError(f"{path}: frame {number} appears twice; expected each once. Write a file for each video.")
    frames[number] = bodies


def triples(path: Path, where: str, flat: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Positions ``[N, 2]`` and scores ``[N]`` of a list ``x, y, score, x, ...``.

    Raises:
        DataError: where it is none.
    """
    values = numbers(path, where, flat if flat is not None else [], "[numbers]")
    if not len(values) or len(values) % 3:
        raise DataError(f"{path}, {where}: got {len(values)} numbers; expected x, y and score of each joint.")
    joints = values.reshape(-1, 3)
    return joints[:, :2], joints[:, 2]


def over_time(path: Path, frames: Mapping[int, Sequence[Body]]) -> tuple[NDArray[np.float32], tuple[LeftOut, ...]]:
    """Bodies of each frame as persons over time, ``[M, T, N, C + 1]``; frames without a body may be missing.

    Of no body at all nothing is known of joints: ``[0, 0, 0, 3]``.

    Persons are distinguished by their tracks where the file has them, else linked from frame to frame by where their
    joints are. A track that is of two bodies in one frame is none: some programs write 0 where they did not track.

    Args:
        path: of the file, for messages.
        frames: by their numbers.

    Returns:
        The persons, and those of them who could be others, as no track says who they are.

    Raises:
        DataError: where bodies differ in their joints, or the numbers are not those of frames.

    Example:
        >>> def at(x, track=""):
        ...     return Body(np.array([[x, 0, 1], [x, 1, 1]], np.float32), track)
        >>> found, said = over_time(Path("a.json"), {3: [at(0.0), at(9.0)], 4: [at(9.25), at(0.25)]})
        >>> found[:, :, 0, 0].tolist(), [one.kind for one in said]
        ([[0.0, 0.25], [9.0, 9.25]], ['linked', 'linked'])
        >>> found, said = over_time(Path("a.json"), {3: [at(0.0, "7")], 5: [at(9.0, "7")], 6: []})
        >>> found[:, :, 0, 0].tolist(), said
        ([[0.0, nan, 9.0, nan]], ())
    """
    sizes = dict.fromkeys(body.joints.shape for bodies in frames.values() for body in bodies)
    if not sizes:
        return np.zeros((0, 0, 0, 3), np.float32), ()
    if len(sizes) > 1:
        counts = ", ".join(f"{joints} x {channels - 1}" for joints, channels in sizes)
        raise DataError(f"{path}: got bodies of {counts} joints and coordinates; expected the same of each.")
    (shape,) = sizes
    places = _successive(path, frames)
    count = max(places.values()) + 1
    named = [body.track for bodies in frames.values() for body in bodies]
    twice = [number for number, bodies in frames.items() if len({one.track for one in bodies}) < len(bodies)]
    if all(named) and not twice:
        tracks = list(dict.fromkeys(named))
        found = np.full((len(tracks), count, *shape), np.nan, np.float32)
        for number, bodies in frames.items():
            for body in bodies:
                found[tracks.index(body.track), places[number]] = body.joints
        return found, ()
    if any(named) and len(set(named)) > 1:
        reason = f"frame {twice[0]} has one of them twice" if twice else "some bodies have none"
        warn_caller(
            f"{path}: the numbers of persons are not those of tracks, as {reason}: persons are linked from frame to "
            "frame by where their joints are."
        )
    empty = np.zeros((0, *shape), np.float32)
    each = [empty] * count
    for number, bodies in frames.items():
        if bodies:
            each[places[number]] = np.stack([body.joints for body in bodies])
    persons, said = linked(each, axes=shape[1] - 1)
    return persons, tuple(said)


def _successive(path: Path, frames: Iterable[int]) -> dict[int, int]:
    """Where each frame is from the first one on; numbers that all go up in steps are successive frames, which is said.

    Raises:
        DataError: where far fewer frames are there than numbers: those are of images, and not of a video.
    """
    known = sorted(frames)
    first, last = known[0], known[-1]
    # Of two frames any distance would be the step.
    step = int(np.gcd.reduce([number - first for number in known])) if len(known) > 2 else 1
    count = (last - first) // step + 1
    if count > _GAPS * len(known) + _FEW:
        raise DataError(
            f"{path}: got {len(known)} frames, numbered {first} to {last}; expected those of one video, one after the "
            "other. Number them anew, and write a file for each video."
        )
    if step > 1:
        warn_caller(
            f"{path}: frames are numbered in steps of {step}: they are taken as successive. A frame rate counts these."
        )
    return {number: (number - first) // step for number in known}


def video_and_frame(name: str) -> tuple[str, int] | None:
    """The video and the number of the frame in the name of an image; none where it has no number.

    Example:
        >>> video_and_frame("wave/a/frame_000012.jpg"), video_and_frame("12.jpg"), video_and_frame("b.jpg")
        (('wave/a/frame', 12), ('', 12), None)
    """
    path = PurePosixPath(name.replace("\\", "/"))
    match = _NUMBER.fullmatch(path.stem)
    folder = "" if str(path.parent) == "." else f"{path.parent}/"
    return None if match is None else ((folder + match["video"]).rstrip("/"), int(match["frame"]))


def whole(path: Path, where: str, value: Any) -> int:
    """A whole number of a file, such as that of a frame, as it is or in text.

    Raises:
        DataError: where it is none.
    """
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value.strip()):
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 and value == int(value):
        return int(value)
    raise DataError(f"{path}, {where}: got {value!r:.60}; expected a whole number.")


def rate_of(path: Path, about: Any) -> float | None:
    """The frames per second that a part of a file states, under ``fps`` or ``frame_rate``; none where it does not.

    Raises:
        DataError: where it is no such number.
    """
    value = next((about[name] for name in _RATES if name in about), None) if isinstance(about, dict) else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{path}: got {value!r:.60} frames per second; expected a number.")
    return stated_rate(path, float(value))
