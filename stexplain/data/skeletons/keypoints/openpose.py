"""OpenPose's JSON: a folder with a file for each frame of a video."""

import re
from collections.abc import Iterator
from pathlib import Path

from stexplain.data.skeletons.keypoints.frames import Body, body_of, over_time
from stexplain.data.skeletons.take import XY, XYZ, Take, numbers
from stexplain.errors import DataError
from stexplain.reading import read_json_value
from stexplain.reading.contents import files_under

# OpenPose names the files of a video VIDEO_000000000012_keypoints.json.
_FRAME = re.compile(r"(?P<video>.*?)_?(?P<frame>\d+)_keypoints")


def videos(folder: Path) -> dict[Path, dict[int, Path]]:
    """The files of each video of a folder, by their frames; by the path that one file of the video would have.

    A folder that is called as its video, or whose files have no name but a number, stands for the video:
    ``wave/clip7/clip7_000000000000_keypoints.json`` ... is ``wave/clip7.json``.

    Raises:
        DataError: where a file's name has no number of a frame.
    """
    found: dict[Path, dict[int, Path]] = {}
    for path in sorted(one for one in files_under(folder) if one.name.endswith("_keypoints.json")):
        match = _FRAME.fullmatch(path.stem)
        if match is None:
            raise DataError(f"{path}: the name has no number of a frame; expected NAME_000000000012_keypoints.json.")
        whole = match["video"] in ("", path.parent.name)
        place = path.parent if whole else path.parent / match["video"]
        found.setdefault(place.with_name(f"{place.name}.json"), {})[int(match["frame"])] = path
    return found


def read_openpose(folder: Path) -> Iterator[Take]:
    """Each video of a folder of OpenPose's output, ``VIDEO_000000000000_keypoints.json`` ..., a take each.

    Persons are linked over frames, for OpenPose numbers them anew in each. A joint of score zero was not found.

    Raises:
        DataError: where a file is broken, or the persons of a video have different numbers of joints.
    """
    for place, files in videos(folder).items():
        bodies, said = over_time(place, {at: _openpose_frame(file) for at, file in files.items()})
        yield Take(
            id=place.stem,
            values=bodies[..., :-1],
            channels=XY if bodies.shape[3] == 3 else XYZ,
            score=bodies[..., -1],
            fields={"folder": files[min(files)].parent.name},
            skeletons=("openpose-25", "openpose-18", "hand-21"),
            said=said,
        )


def _openpose_frame(path: Path) -> list[Body]:
    """The persons of one frame: x, y and score of each joint; or with z before the score."""
    content = read_json_value(path)
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
        bodies.append(body_of(path, where, joints[:, :-1], joints[:, -1], None))
    if len({len(body.joints) for body in bodies}) > 1:
        counts = ", ".join(map(str, sorted({len(body.joints) for body in bodies})))
        raise DataError(
            f"{path}: got persons of {counts} joints; expected the same of each. Write them by one model of OpenPose."
        )
    return bodies
