"""The joints of a graph among those of a file, where the two write their names in different ways."""

import re
from collections.abc import Sequence

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES = {"l": "left", "r": "right"}


def words_of(name: str) -> tuple[str, ...]:
    """The words of a joint's name, whatever joins and orders them.

    Example:
        >>> words_of("LEFT_ANKLE") == words_of("left ankle") == words_of("AnkleLeft") == words_of("LAnkle")
        True
    """
    # Azure Kinect writes HANDTIP for what Kinect wrote HandTip.
    found = (word.lower() for word in _WORDS.findall(name.replace("HANDTIP", "HAND_TIP")))
    return tuple(sorted(_SIDES.get(word, word) for word in found))


def places_of(nodes: Sequence[str], joints: Sequence[str]) -> list[int] | None:
    """Where each node is among the joints, by the name, else by the words of it; none where one is not among them.

    Where all names with a colon have the same before it, as of one subject (``Subj:LKNE``, ``mixamorig:Hips``), it
    counts for nothing.

    Args:
        nodes: of a graph.
        joints: of a file, in its order.

    Example:
        >>> places_of(["left hip", "left knee"], ["left_knee", "nose", "left_hip"])
        [2, 0]
        >>> places_of(["left hip"], ["left_hip", "hip left"]) is None
        True
        >>> places_of(["LKNE"], ["Subj:LANK", "Subj:LKNE", "*2"]), places_of(["LKNE"], ["A:LKNE", "B:LKNE"])
        ([1], None)
    """
    if set(nodes) <= set(joints):
        return [list(joints).index(node) for node in nodes]
    spaces = {joint.partition(":")[0] for joint in joints if ":" in joint}
    if len(spaces) == 1 and not any(":" in node for node in nodes):
        joints = [joint.partition(":")[2] or joint for joint in joints]
        if all(joints.count(node) == 1 for node in nodes):
            return [joints.index(node) for node in nodes]
    words = [words_of(joint) for joint in joints]
    expected = [words_of(node) for node in nodes]
    # Two joints of the same words would be a guess.
    if len(set(expected)) < len(expected) or any(words.count(word) != 1 for word in expected):
        return None
    return [words.index(word) for word in expected]
