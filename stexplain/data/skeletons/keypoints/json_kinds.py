"""Which program wrote a JSON of keypoints, by the names at its beginning."""

import re
from pathlib import Path

from stexplain.reading import readable, regular_file

_START = 1 << 16
"""So many bytes are looked at: an annotation of 136 joints takes a tenth of them."""
_LANDMARKS = {"landmarks", "pose_landmarks", "poseLandmarks", "pose_world_landmarks", "worldLandmarks", "landmark"}
_LANDMARKS |= {"keypoints", "keypoints3D"}
# Lists of lists, some of them of nothing: frames of landmarks of numbers.
_LISTS = re.compile(rb"[\xef\xbb\xbf\s]*\[\s*(?:(?:null|\[\s*\])\s*,\s*)*\[\s*\[")
_NAME = re.compile(rb'"(\w{1,40})"\s*:')


def json_kind(path: Path) -> str:
    r"""The format of a JSON file, one of `FORMATS`; empty where it is none of keypoints. It is not read in full.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.json"
        >>> _ = path.write_text('[{"image_id": 7, "category_id": 1, "keypoints": [1, 2, 0.9]}]')
        >>> json_kind(path)
        'coco'
    """
    with readable(path, "a file"), regular_file(path).open("rb") as file:
        start = file.read(_START)
    names = {name.decode("ascii", "ignore") for name in _NAME.findall(start)}
    listed = start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    if "instance_info" in names or (listed and {"instances", "frame_id"} <= names) or "keypoint_scores" in names:
        return "mmpose"
    if listed and {"image_id", "keypoints"} <= names:
        # COCO's results have a number of the image, and no box or person.
        named = re.search(rb'"image_id"\s*:\s*"', start)
        return "alphapose" if named or names & {"idx", "box"} else "coco"
    if "joint_positions" in names or {"bodies", "frame_id"} <= names:
        return "azure-kinect"
    # The lists of images and of annotations are long: only one of them need begin here.
    of_images = "images" in names and names & {"annotations", "categories", "licenses", "file_name"}
    if not listed and (of_images or {"annotations", "keypoints"} <= names):
        return "coco"
    if names & _LANDMARKS or {"x", "y"} <= names or _LISTS.match(start):
        return "landmarks"
    return "kinetics" if "data" in names and "people" not in names else ""
