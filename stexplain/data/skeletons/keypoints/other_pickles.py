"""What to do with pickles that hold no annotations: which of their arrays are joints, and how these are saved."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import DataError
from stexplain.wording import an

_DEPTH, _SHOWN, _MOST = 3, 4, 600
"""How deep arrays are looked for, how many are shown, and how many joints are not those of a mesh."""
_JOINTS = re.compile("joint|keypoint|skel|kpt", re.IGNORECASE)
_EXAMPLE = "[{'frame_dir': 'walk 1', 'label': 0, 'keypoint': array [M, T, V, C]}]"


def refuse_others(path: Path, content: Any) -> NoReturn:
    """Refuses a pickle that holds no annotations, with the arrays that it holds and how those of joints are saved.

    Args:
        path: of the file.
        content: what it holds.

    Raises:
        DataError: always.

    Example:
        >>> refuse_others(Path("vibe_output.pkl"), {1: {"joints3d": np.zeros((30, 49, 3))}})
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: vibe_output.pkl holds a dict with [1]['joints3d'] (30, 49, 3); expected ...
    """
    arrays = list(_arrays(content, "", _DEPTH))
    listed = ", ".join(f"{place} {array.shape}" for place, array in arrays[:_SHOWN])
    more = ", ..." if len(arrays) > _SHOWN else ""
    held = f" with {listed}{more}" if listed else f" with {', '.join(map(repr, list(content)[:8]))}" * _named(content)
    found = [place for place, array in arrays if _are_joints(array)]
    # What is called so is more likely that than what only has the shape.
    place = next((place for place in found if _JOINTS.search(place)), next(iter(found), None))
    remedy = (
        f" Where {place or 'it'} holds joints, and you trust who wrote it: np.save('x.npy', pd.read_pickle(path)"
        f"{place}), each recording in a file of its own, and give axes='t n c' and graph=."
        if place is not None
        else ""
    )
    if place is not None and (split := _end_to_end(content, place)):
        remedy = (
            f" Its frames of several recordings are one after the other, named by 'source'. Where you trust who wrote "
            f"it: {split}; give axes='t n c' and graph=."
        )
    raise DataError(
        f"{path} holds {an(type(content).__name__)}{held}; expected pyskl's annotations, a list of "
        "dictionaries, such as "
        f"{_EXAMPLE}.{remedy}"
    )


def refuse_packed(path: Path, where: str, one: dict[str, Any]) -> None:
    """Refuses an annotation whose keypoints lie elsewhere, or are those of bodies one after another.

    Args:
        path: of the file.
        where: in it, for the message.
        one: the annotation.

    Raises:
        DataError: where it is such.
    """
    if "raw_file" in one and "keypoint" not in one:
        raise DataError(
            f"{path}, {where}: its keypoints lie in another file, {str(one['raw_file'])!r}, as of Kinetics-400 in "
            "pyskl. Load each by pyskl's DecompressPose, and save the annotations that it makes, with 'keypoint' "
            "[M, T, V, 2]."
        )
    if "keypoint" in one and "frame_inds" in one and np.ndim(one["keypoint"]) == 3:
        raise DataError(
            f"{path}, {where}: got 'keypoint' {list(np.shape(one['keypoint']))} of the bodies of all frames one after "
            "another, beside 'frame_inds', as pyskl packs Kinetics-400; expected [M, T, V, C]. Unpack it by pyskl's "
            "DecompressPose."
        )


def _end_to_end(content: Any, place: str) -> str:
    """A line that saves each recording of MotionBERT's arrays, whose ``source`` says of each frame whose it is."""
    *parts, last = re.findall(r"\['([^']*)'\]", place)
    beside = content
    for part in parts:
        beside = beside[part]
    source, joints = (beside.get("source"), beside.get(last)) if isinstance(beside, dict) else (None, None)
    if not isinstance(source, list | np.ndarray) or joints is None or len(source) != len(joints):
        return ""
    # In the image's depth, where it is there: two coordinates are of pixels.
    best = "joint3d_image" if "joint3d_image" in beside else last
    inner = "".join(f"[{part!r}]" for part in parts)
    return (
        f"t = pd.read_pickle(path){inner}; source = np.array(t['source']); [np.save(f'{{one}}.npy', t[{best!r}]"
        "[source == one]) for one in np.unique(source)]"
    )


def _named(content: Any) -> bool:
    return isinstance(content, dict) and bool(content)


def _arrays(value: Any, place: str, depth: int) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(value, np.ndarray) and value.ndim:
        yield place, value
    elif isinstance(value, dict) and depth:
        for key, one in value.items():
            yield from _arrays(one, f"{place}[{key!r}]", depth - 1)


def _are_joints(array: NDArray[Any]) -> bool:
    """Whether an array may be of joints over time, ``[T, V, 2 or 3]``."""
    return array.ndim == 3 and array.dtype.kind in "fiu" and array.shape[2] in (2, 3) and 5 <= array.shape[1] <= _MOST
