"""Kinetics-skeleton's JSON: a file for each clip."""

from pathlib import Path

from stexplain.data.skeletons.keypoints.frames import Body, add_frame, body_of, over_time, whole
from stexplain.data.skeletons.take import XY, Take, numbers
from stexplain.errors import DataError
from stexplain.reading import read_json_value


def read_kinetics(path: Path) -> Take:
    """One clip of Kinetics-skeleton: ``{"data": [{"frame_index": 1, "skeleton": [...]}], "label": ...}``.

    Raises:
        DataError: where the file is broken.
    """
    content = read_json_value(path)
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, list):
        raise DataError(f"{path} has no list 'data'; expected a clip of Kinetics-skeleton.")
    frames: dict[int, list[Body]] = {}
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
            bodies.append(body_of(path, where, pose.reshape(-1, 2), score, None))
        index = whole(path, f"{where}, frame_index", frame.get("frame_index", number + 1))
        add_frame(path, frames, index, bodies)
    persons, said = over_time(path, frames)
    return Take(
        id=path.stem,
        values=persons[..., :2],
        channels=XY,
        score=persons[..., 2],
        label=str(content.get("label") or ""),
        skeletons=("openpose-18",),
        said=said,
    )
