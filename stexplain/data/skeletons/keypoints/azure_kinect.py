"""Azure Kinect's body tracking in JSON, a file for each recording, as its SDK's offline processor writes them."""

from pathlib import Path
from typing import Any

import numpy as np

from stexplain.data.skeletons.joint_names import words_of
from stexplain.data.skeletons.keypoints.frames import Body, add_frame, over_time, whole
from stexplain.data.skeletons.keypoints.timing import rate_and_places
from stexplain.data.skeletons.take import XYZ, Take, numbers
from stexplain.errors import DataError
from stexplain.graph.skeletons.skeleton import skeleton_named
from stexplain.reading import read_json_value

_SKELETON = "azure-kinect"
_METRES = 0.001


def read_azure_kinect(path: Path) -> Take:
    """A recording: ``{"joint_names": [...], "bone_list": [...], "frames": [{"bodies": [...], "frame_id": 0}]}``.

    A body is ``{"body_id": 1, "joint_positions": [[x, y, z], ...]}`` in millimetres (metres, where no body would be
    a centimetre in size); they are read in metres, as the
    camera sees them: x to the right, y down, z away from it. A joint in the camera itself was not found. Orientations
    are not read. The frame rate is that of ``timestamp_usec``.

    Raises:
        DataError: where the file is broken, or its joints are neither named nor the 32 of the sensor.
    """
    content = read_json_value(path)
    listed = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise DataError(f"{path} has no list 'frames'; expected the output of Azure Kinect's offline processor.")
    frames: dict[int, list[Body]] = {}
    times: list[Any] = []
    for number, frame in enumerate(listed):
        where = f"frame {number + 1}"
        if not isinstance(frame, dict) or not isinstance(frame.get("bodies", []), list):
            raise DataError(f"{path}, {where}: expected bodies and frame_id.")
        bodies = []
        for one in frame.get("bodies", []):
            given = one if isinstance(one, dict) else {}
            joints = numbers(path, where, given.get("joint_positions", []), "[N, 3]")
            if joints.shape[1] != 3:
                raise DataError(f"{path}, {where}: got {joints.shape[1]} coordinates of a joint; expected x, y, z.")
            read = np.asarray(~np.isnan(joints).any(1) & joints.any(1))
            found = np.where(read[:, None], joints * np.float32(_METRES), np.float32(np.nan))
            body = np.concatenate([found, read[:, None].astype(np.float32)], 1)
            bodies.append(Body(body, str(given.get("body_id", ""))))
        add_frame(path, frames, whole(path, f"{where}, frame_id", frame.get("frame_id", number)), bodies)
        times.append(frame.get("timestamp_usec"))
    rate, placed = rate_and_places(path, list(frames), times, 1e-6)
    if _in_metres(frames):
        # No body is a centimetre wide and high: somebody converted it.
        frames = {number: [_scaled(body) for body in bodies] for number, bodies in frames.items()}
    persons, said = over_time(path, dict(zip(placed, frames.values(), strict=True)))
    names, bones = _joints(path, content, persons.shape[2])
    return Take(
        path.stem, persons[..., :3], XYZ, None, "", names, bones, frame_rate=rate, skeletons=(_SKELETON,), said=said
    )


def _in_metres(frames: dict[int, list[Body]]) -> bool:
    """Whether no body is a centimetre in size, which numbers in metres would be, taken for millimetres."""
    bodies = [body.joints[:, :3] for each in frames.values() for body in each]
    seen = [places[~np.isnan(places).any(1)] for places in bodies]
    sizes = [float(np.ptp(places, axis=0).max()) for places in seen if len(places) > 1]
    return bool(sizes) and 0 < max(sizes) < 0.01


def _scaled(body: Body) -> Body:
    joints = body.joints.copy()
    joints[:, :3] /= _METRES
    return Body(joints, body.track)


def _joints(path: Path, content: dict[str, Any], count: int) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Names and bones as the file says them; none where they are those of the sensor, in its order."""
    known = skeleton_named(_SKELETON).joints
    names, links = content.get("joint_names"), content.get("bone_list")
    if not isinstance(names, list) or not names:
        return (), ()
    named = tuple(map(str, names))
    if count and (len(named) != count or len(set(named)) < count):
        raise DataError(f"{path}, joint_names: got {len(named)} names; expected {count}, each another.")
    # The first versions of the SDK wrote SPINE_NAVAL.
    if [words_of(name.replace("NAVAL", "NAVEL")) for name in named] == [words_of(name) for name in known]:
        return (), ()
    bones = [pair for pair in links if isinstance(pair, list)] if isinstance(links, list) else []
    if not bones or any(len(pair) != 2 or not {*map(str, pair)} <= set(named) for pair in bones):
        raise DataError(
            f"{path}, bone_list: expected pairs of names of joint_names, as its joints are not the {len(known)} of the "
            "sensor."
        )
    return named, tuple((str(child), str(parent)) for child, parent in bones)
