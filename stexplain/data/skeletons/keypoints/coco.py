"""Keypoints as COCO writes them: lists of detections (results, and AlphaPose's), and files of annotations."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from stexplain.data.skeletons.joint_names import places_of
from stexplain.data.skeletons.keypoints.frames import (
    Body,
    body_of,
    over_time,
    rate_of,
    triples,
    video_and_frame,
    whole,
)
from stexplain.data.skeletons.take import XY, Take
from stexplain.errors import DataError
from stexplain.graph.skeletons.skeleton import skeleton_named
from stexplain.reading import read_json_value

_TRACKS, _VIDEOS, _FRAMES = ("track_id", "person_id", "idx"), ("video_id", "vid_id"), ("frame_id", "frame_index")
_OF_COCO = "coco-17"
_OF_ALPHAPOSE = "alphapose-results"


def place_of(path: Path) -> Path:
    """The path that a file would have by the name of its recording: AlphaPose's is called alike in each one's folder.

    Example:
        >>> place_of(Path("wave/clip7/alphapose-results.json")).as_posix(), place_of(Path("clip7.json")).as_posix()
        ('wave/clip7.json', 'clip7.json')
    """
    folder = path.parent if path.parent.name else path.absolute().parent
    return folder.with_name(f"{folder.name}.json") if path.stem == _OF_ALPHAPOSE and folder.name else path


def read_coco(path: Path) -> Iterator[Take]:
    """A list of detections, see `read_detections`, or a file of annotations, see `read_annotations`.

    Raises:
        DataError: as they do.
    """
    content = read_json_value(path)
    yield from read_detections(path, content) if isinstance(content, list) else read_annotations(path, content)


def read_detections(path: Path, content: list[Any]) -> Iterator[Take]:
    """The list of detections that COCO's results and AlphaPose's are: a body of an image in each.

    Each has ``image_id``, a number of a frame or the name of an image with one, and ``keypoints``, ``[x, y, score] *
    N``; and may have the number of a person over time, ``idx`` or ``track_id``. Images whose names differ before the
    number, or that lie in different folders, are of different videos.

    Raises:
        DataError: where the file is broken, or images have no number.
    """
    videos: dict[str, dict[int, list[Body]]] = {}
    for number, one in enumerate(content):
        where = f"detection {number + 1}"
        if not isinstance(one, dict) or not {"image_id", "keypoints"} <= set(one):
            raise DataError(f"{path}, {where}: expected image_id and keypoints.")
        video, frame = _image(path, where, one["image_id"])
        body = body_of(path, where, *triples(path, where, one["keypoints"]), _first(one, _TRACKS))
        videos.setdefault(video, {}).setdefault(frame, []).append(body)
    for video, name in _names(path, list(videos)).items():
        persons, said = over_time(path, videos[video])
        yield Take(name, persons[..., :2], XY, persons[..., 2], skeletons=(_OF_COCO,), said=said)


def read_annotations(path: Path, content: Any) -> Iterator[Take]:
    """A file of COCO's annotations: ``images``, ``annotations`` with keypoints, and ``categories`` with their names.

    Images are frames of a video: by ``video_id`` (PoseTrack's ``vid_id``) and ``frame_id``, else by the name of the
    file. The visibility of a joint is its score: 0 not labelled, 1 labelled and hidden, 2 seen.

    Raises:
        DataError: where the file is broken, has no keypoints, or its images are no frames of videos.
    """
    parts = {name: content.get(name) if isinstance(content, dict) else None for name in ("images", "annotations")}
    if any(not isinstance(part, list) for part in parts.values()):
        raise DataError(f"{path} has no lists 'images' and 'annotations'; expected a file of COCO's annotations.")
    listed = [one for one in parts["annotations"] or () if isinstance(one, dict) and "keypoints" in one]
    if not listed:
        raise DataError(f"{path}: no annotation has 'keypoints'; expected those of persons, not boxes or masks alone.")
    joints, bones = _category(path, content, listed)
    images: dict[Any, tuple[str, int]] = {}
    sizes: dict[str, set[tuple[Any, Any]]] = {}
    for number, image in enumerate(parts["images"] or ()):
        where = f"image {number + 1}"
        if not isinstance(image, dict) or "id" not in image:
            raise DataError(f"{path}, {where}: expected id and file_name.")
        named, frame = _first(image, _VIDEOS), _first(image, _FRAMES)
        # By what one of both says; the name of the image has the other.
        video, at = ("", 0) if None not in (named, frame) else _image(path, where, image.get("file_name"))
        at = at if frame is None else whole(path, f"{where}, frame_id", frame)
        video = video if named is None else str(named)
        images[_key(image["id"])] = video, at
        sizes.setdefault(video, set()).add((image.get("width"), image.get("height")))
    if mixed := [video for video, found in sizes.items() if len(found) > 1]:
        shown = f" of {mixed[0]!r}" if mixed[0] else ""
        raise DataError(
            f"{path}: the images{shown} have {len(sizes[mixed[0]])} different sizes; expected the frames of a video, "
            "of one size. Single photographs have no time axis."
        )
    videos: dict[str, dict[int, list[Body]]] = {}
    for video, at in images.values():
        videos.setdefault(video, {}).setdefault(at, [])
    for number, one in enumerate(listed):
        where = f"annotation {number + 1}"
        if _key(one.get("image_id")) not in images:
            raise DataError(f"{path}, {where}: there is no image {one.get('image_id')!r:.60}.")
        video, at = images[_key(one["image_id"])]
        positions, seen = triples(path, where, one["keypoints"])
        # Crowds and what was not labelled have no joint.
        if seen.any():
            videos[video][at].append(body_of(path, where, positions, seen, _first(one, _TRACKS)))
    rates = {str(one.get("id")): rate_of(path, one) for one in content.get("videos") or () if isinstance(one, dict)}
    for video, name in _names(path, list(videos)).items():
        persons, said = over_time(path, videos[video])
        rate = rates.get(video) or rate_of(path, content.get("info"))
        yield Take(name, persons[..., :2], XY, persons[..., 2], joints=joints, bones=bones, frame_rate=rate, said=said)


def _category(path: Path, content: Any, listed: list[Any]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Names and bones of the joints, of the one category that has keypoints; empty where the file does not say them.

    Raises:
        DataError: where bodies of several kinds are annotated.
    """
    kinds = {_key(one.get("category_id")) for one in listed}
    if len(kinds) > 1:
        raise DataError(
            f"{path}: got annotations of the categories {', '.join(map(str, sorted(kinds, key=str)))}; expected one, "
            "whose joints are the nodes. Write a file for each."
        )
    given = content.get("categories")
    found = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    one = next((one for one in found if _key(one.get("id")) in kinds), {})
    names, pairs = one.get("keypoints"), one.get("skeleton") or []
    if not isinstance(names, list) or not names:
        return (), ()
    joints = tuple(map(str, names))
    if len(set(joints)) < len(joints):
        raise DataError(f"{path}: the category has a joint twice among {', '.join(joints[:8])}; expected each once.")
    # The known skeleton has groups and places for drawing, too.
    if len(joints) == 17 and places_of(skeleton_named(_OF_COCO).joints, joints) is not None:
        return joints, ()
    bones = []
    for pair in pairs if isinstance(pairs, list) else ():
        # Counted from 1.
        ends = [whole(path, "skeleton", end) - 1 for end in pair] if isinstance(pair, list) else []
        if len(ends) != 2 or not all(0 <= end < len(joints) for end in ends):
            raise DataError(f"{path}, skeleton: got {pair!r:.60}; expected two joints by number, 1 to {len(joints)}.")
        bones.append((joints[ends[0]], joints[ends[1]]))
    return joints, tuple(bones)


def _image(path: Path, where: str, image: Any) -> tuple[str, int]:
    """The video and frame of an image, by its number or name."""
    if isinstance(image, str):
        found = video_and_frame(image)
        if found is None:
            raise DataError(
                f"{path}, {where}: the image {image!r:.60} has no number of a frame in its name; expected one, such as "
                "walk_000012.jpg."
            )
        return found
    return "", whole(path, f"{where}, image", image)


def _names(path: Path, videos: list[str]) -> dict[str, str]:
    """What each video of a file is called: as its images, or else as the file."""
    own = place_of(path).stem
    if len(videos) == 1:
        return {videos[0]: own}
    short = {video: PurePosixPath(video).name or own for video in videos}
    return short if len(set(short.values())) == len(short) else {video: video or own for video in videos}


def _first(one: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((one[name] for name in names if one.get(name) is not None), None)


def _key(value: Any) -> Any:
    return value if isinstance(value, int | str) else repr(value)
