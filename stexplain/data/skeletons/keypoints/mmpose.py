"""MMPose's predictions in JSON: of its demos, and of its inferencer for a video."""

from pathlib import Path
from typing import Any

from stexplain.data.skeletons.joint_names import places_of
from stexplain.data.skeletons.keypoints.frames import Body, add_frame, body_of, over_time, rate_of, whole
from stexplain.data.skeletons.take import XY, XYZ, Take, numbers
from stexplain.errors import DataError
from stexplain.graph.skeletons.skeleton import skeleton_named
from stexplain.reading import read_json_value

_KNOWN = ("coco-17", "h36m-17")


def read_mmpose(path: Path) -> Take:
    """A video of MMPose: ``{"meta_info": {...}, "instance_info": [frames]}``, or the list of frames alone.

    A frame is ``{"frame_id": 3, "instances": [...]}``, an instance has ``keypoints`` ``[N, 2 or 3]``,
    ``keypoint_scores`` ``[N]``, and perhaps ``track_id``. Names and links of joints are those of ``meta_info``.

    Raises:
        DataError: where the file is broken, or is of a single image.
    """
    content = read_json_value(path)
    about = content.get("meta_info") if isinstance(content, dict) else None
    listed = content.get("instance_info") if isinstance(content, dict) else content
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise DataError(f"{path} has no list 'instance_info'; expected the frames of a video, as MMPose writes them.")
    if listed and all("instances" not in one for one in listed):
        raise DataError(
            f"{path} holds the persons of one image; expected the frames of a video. Give MMPose the video; or write "
            "the images, in order, to one file: json.dump([{'frame_id': n, 'instances': json.load(open(name))} for n, "
            "name in enumerate(names)], open('video.json', 'w'))."
        )
    frames: dict[int, list[Body]] = {}
    channels = 2
    for number, frame in enumerate(listed):
        where = f"frame {number + 1}"
        if not isinstance(frame.get("instances"), list):
            raise DataError(f"{path}, {where}: expected frame_id and instances.")
        bodies = []
        for one in frame["instances"]:
            given = one if isinstance(one, dict) else {}
            joints = numbers(path, where, given.get("keypoints", []), "[N, C]")
            if joints.shape[1] not in (2, 3):
                raise DataError(f"{path}, {where}: got {joints.shape[1]} coordinates; expected two or three.")
            channels = joints.shape[1]
            score = numbers(path, where, given.get("keypoint_scores", []), "[N]")
            bodies.append(body_of(path, where, joints, score, given.get("track_id")))
        index = whole(path, f"{where}, frame_id", frame.get("frame_id", number))
        add_frame(path, frames, index, bodies)
    persons, said = over_time(path, frames)
    names, bones = _joints(path, about)
    return Take(
        id=path.stem,
        values=persons[..., :-1],
        channels=XY if channels == 2 else XYZ,
        score=persons[..., -1],
        joints=names,
        bones=bones,
        frame_rate=rate_of(path, about),
        said=said,
    )


def _joints(path: Path, about: Any) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Names and bones of the joints; no bones where a known skeleton has the same joints; empty where none are said."""
    given = about.get("keypoint_id2name") if isinstance(about, dict) else None
    if not isinstance(given, dict) or not given:
        return (), ()
    by_number = {whole(path, "keypoint_id2name", key): str(name) for key, name in given.items()}
    names = tuple(by_number.get(number, "") for number in range(len(by_number)))
    if not all(names) or len(set(names)) < len(names):
        raise DataError(f"{path}, keypoint_id2name: expected a name, each another, for 0 to {len(names) - 1}.")
    for known in _KNOWN:
        if len(names) == 17 and places_of(skeleton_named(known).joints, names) is not None:
            return names, ()
    bones = []
    links = about.get("skeleton_links")
    for pair in links if isinstance(links, list) else ():
        ends = [whole(path, "skeleton_links", end) for end in pair] if isinstance(pair, list) else []
        if len(ends) != 2 or not all(0 <= end < len(names) for end in ends):
            raise DataError(f"{path}, skeleton_links: got {pair!r:.60}; expected two joints, 0 to {len(names) - 1}.")
        bones.append((names[ends[0]], names[ends[1]]))
    return names, tuple(bones)
