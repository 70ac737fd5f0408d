"""The bodies in a frame of landmarks, in the forms that people write them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import DataError

WORLD = ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks", "keypoints3D")
IMAGE = ("pose_landmarks", "poseLandmarks", "landmarks", "keypoints", "pose", "points", "joints")
_HANDS = ("multi_hand_landmarks", "multiHandLandmarks", "hand_landmarks", "handLandmarks")
_PERSONS = ("poses", "people", "persons", "bodies", "skeletons")
_BESIDE = ("left_hand_landmarks", "right_hand_landmarks", "face_landmarks")
_BESIDE_IN_BROWSERS = ("leftHandLandmarks", "rightHandLandmarks", "faceLandmarks")
_SCORES = ("visibility", "score", "confidence", "likelihood", "v")
# The id of a frame is none of a person.
_TRACKS = ("track_id", "person_id", "person")
# Of so many joints programs write x, y and z, of others perhaps x, y and a score.
_DEEP = (33, 21, 468, 478)


@dataclass
class Found:
    """The bodies of a frame.

    Attributes:
        bodies: a list of landmarks each, as the file has them.
        further: what else of bodies the frame holds, which is not read.
        tracks: whose body each is, by its place in `bodies`; empty text: not said.
    """

    bodies: list[Any] = field(default_factory=list)
    further: set[str] = field(default_factory=set)
    tracks: list[str] = field(default_factory=list)

    def track_of(self, one: Any) -> str:
        """Whose body one of `bodies` is."""
        return next((track for body, track in zip(self.bodies, self.tracks, strict=True) if body is one), "")


def bodies_of(path: Path, where: str, frame: Any) -> Found:
    """The bodies of a frame; none where it is null or empty.

    Raises:
        DataError: where it is neither a list of landmarks nor an object with one.

    Example:
        >>> point = {"x": 0.5, "y": 0.2, "z": 0.0, "visibility": 0.9}
        >>> len(bodies_of(Path("a.json"), "frame 1", {"landmarks": [point, point]}).bodies)
        1
        >>> len(bodies_of(Path("a.json"), "frame 1", {"landmarks": [[point, point], [point, point]]}).bodies)
        2
    """
    found = Found()
    _collect(path, where, frame, found, "", _TRACKS)
    return found


def _collect(path: Path, where: str, value: Any, found: Found, track: str, tracks: tuple[str, ...]) -> None:
    if isinstance(value, Mapping):
        said = next((str(value[name]) for name in tracks if value.get(name) is not None), track)
        inner, track = _of_object(path, where, value, found), said
        if isinstance(inner, Mapping) and inner is not value:
            _collect(path, where, inner, found, track, tracks)
            return
        value = inner
    if value is None or value == [] or value == {}:
        return
    if isinstance(value, Mapping):
        # Landmarks by their names.
        found.bodies.append(value)
        found.tracks.append(track)
        return
    if not isinstance(value, list):
        raise DataError(f"{path}, {where}: got {value!r:.60}; expected the landmarks of a body.")
    if any(_is_landmark(one) for one in value):
        found.bodies.append(value)
        found.tracks.append(track)
        return
    for one in value:
        _collect(path, where, one, found, "", (*_TRACKS, "id"))


def _of_object(path: Path, where: str, value: Mapping[str, Any], found: Found) -> Any:
    """What an object holds of bodies."""
    if isinstance(value.get("landmark"), list):
        # As protocol buffers are written.
        return value["landmark"]
    found.further |= {name for name in (*_BESIDE, *_BESIDE_IN_BROWSERS) if value.get(name)}
    world = next((name for name in WORLD if value.get(name)), None)
    image = next((name for name in (*IMAGE, *_HANDS) if value.get(name)), None)
    several = next((name for name in _PERSONS if name in value), None)
    if world is not None and image is not None:
        found.further.add(f"{image!r}, in the image,")
    if name := world or image or several:
        return value[name]
    if value and all(isinstance(one, Mapping) and "x" in one for one in value.values()):
        return value
    known = {*WORLD, *IMAGE, *_HANDS, *_PERSONS, *_BESIDE, *_BESIDE_IN_BROWSERS}
    if value and not known & set(value) and any(isinstance(one, list | dict) and one for one in value.values()):
        raise DataError(
            f"{path}, {where}: got {', '.join(map(str, list(value)[:6]))}; expected the landmarks of a body, such as "
            "{'landmarks': [{'x': 0.5, 'y': 0.2, 'z': 0, 'visibility': 0.9}, ...]}."
        )
    return None


def _is_landmark(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "x" in value or "y" in value
    return isinstance(value, list) and 2 <= len(value) <= 5 and all(_is_number(one) for one in value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def read_body(path: Path, where: str, body: Any) -> tuple[NDArray[np.float32], int, bool]:
    """The landmarks of a body as ``[N, C + 1]``, the score last; how many are coordinates, and whether it had a score.

    Raises:
        DataError: where a landmark has no x and y, or is no number.
    """
    given = list(body.values()) if isinstance(body, Mapping) else body
    rows: list[tuple[list[Any], Any]] = []
    for number, one in enumerate(given):
        if one is None or one in ([], {}):
            rows.append(([], None))
        elif isinstance(one, Mapping) and {"x", "y"} <= set(one):
            score = next((one[name] for name in _SCORES if one.get(name) is not None), None)
            rows.append(([one[name] for name in ("x", "y", "z") if name in one], score))
        elif isinstance(one, list) and 2 <= len(one) <= 4 and all(_is_number(value) for value in one):
            rows.append((one[:3], one[3] if len(one) == 4 else None))
        else:
            raise DataError(f"{path}, {where}, landmark {number + 1}: got {one!r:.60}; expected x and y.")
    sizes = {len(point) for point, _ in rows if point}
    if len(sizes) != 1:
        raise DataError(f"{path}, {where}: got landmarks of {sorted(sizes) or 'no'} coordinates; expected one number.")
    count = sizes.pop()
    table = np.full((len(rows), count + 1), np.nan)
    for number, (point, score) in enumerate(rows):
        if not point:
            continue
        try:
            table[number] = [*(np.nan if one is None else one for one in point), 1.0 if score is None else score]
        except (TypeError, ValueError) as error:
            shown = f"{point!r:.60}"
            raise DataError(f"{path}, {where}, landmark {number + 1}: got {shown}; expected numbers.") from error
    if (np.abs(np.nan_to_num(table)) > np.finfo(np.float32).max).any() or np.isinf(table).any():
        raise DataError(f"{path}, {where}: got infinite numbers; expected finite ones, or null where it was not seen.")
    bare = count == 3 and all(isinstance(one, list) for one in given) and len(given) not in _DEEP
    third = table[:, 2][~np.isnan(table[:, 2])] if bare else np.zeros(0)
    if bare and len(third) and third.min() >= 0 and third.max() <= 1 and third.any():
        raise DataError(
            f"{path}, {where}: the third number of its {len(given)} joints may be z or a score; write them by their "
            "names, {'x': 0.5, 'y': 0.2, 'score': 0.9}."
        )
    return table.astype(np.float32), count, any(score is not None for _, score in rows)


def names_of(path: Path, where: str, body: Any) -> tuple[str, ...]:
    """The names of a body's landmarks, where the file has them; else empty.

    Raises:
        DataError: where two have one name.
    """
    if isinstance(body, Mapping):
        names = tuple(map(str, body))
    else:
        names = tuple(str(one.get("name") or "") if isinstance(one, Mapping) else "" for one in body)
    if not all(names):
        return ()
    if len(set(names)) < len(names):
        raise DataError(f"{path}, {where}: two landmarks are called {max(names, key=names.count)!r}; expected one.")
    return names
