"""Skeletons as sensors and formats list their joints: one file each, found by its name."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from stexplain.checking import checked
from stexplain.errors import unknown


@checked
@dataclass(frozen=True)
class Skeleton:
    """A skeleton as a sensor or a format lists its joints.

    Attributes:
        name: such as ``"coco-17"``.
        title: what it is.
        source: who defined it.
        joints: N names, in the order of the data.
        bones: pairs (child, parent). They make a tree, so that every joint is reached.
        groups: joints of each body part.
        positions: of each joint, right and up, for drawing it upright.
        center: the joint in the middle, for relations by distance to it.
        up: the coordinate that points up in data of this kind: ``"y"``, ``"z"``, or ``"-y"`` for pixels, which are
            counted from above.

    Example:
        >>> skeleton_named("coco-17").pairs[:2]
        (('left eye', 'right eye'), ('left ear', 'right ear'))
    """

    name: str
    title: str
    source: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    groups: Mapping[str, tuple[str, ...]]
    positions: Mapping[str, tuple[float, float]]
    center: str
    up: str

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Left and right: the joints that a mirror exchanges."""
        # "mouth left" of MediaPipe has the side behind.
        both = [(one, " ".join("right" if word == "left" else word for word in one.split())) for one in self.joints]
        return tuple((left, right) for left, right in both if left != right)

    def fields(self) -> dict[str, Any]:
        """The arguments of `STGraph.from_edges`."""
        named = ("groups", "positions", "center")
        return {"nodes": self.joints, "edges": self.bones} | {name: getattr(self, name) for name in named}


@checked
def skeleton_names() -> list[str]:
    """The skeletons that are known, in alphabetical order.

    Returns:
        The names, as `STGraph.skeleton` takes them.

    Example:
        >>> skeleton_names()[:2]
        ['azure-kinect', 'coco-17']
    """
    names = (file.name for file in files(__package__).iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


@checked
def skeleton_named(name: str) -> Skeleton:
    """A skeleton by its name.

    Args:
        name: one of `skeleton_names`.

    Returns:
        Its joints and bones, left/right pairs, and which coordinate points up.

    Raises:
        InputError: where there is none, with the nearest name.

    Example:
        >>> skeleton_named("coco17")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown skeleton 'coco17'. Did you mean 'coco-17'?
    """
    if name not in skeleton_names():
        raise unknown("skeleton", name, skeleton_names())
    return _read(name)


@cache
def _read(name: str) -> Skeleton:
    file = tomllib.loads((files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))
    return Skeleton(
        name,
        file["title"],
        file["source"],
        tuple(joint for joint, *_ in file["joints"]),
        tuple((joint, parent) for joint, parent, *_ in file["joints"] if parent),
        {group: tuple(joints) for group, joints in file["groups"].items()},
        {joint: (right, up) for joint, _, right, up in file["joints"]},
        file["center"],
        file["up"],
    )
