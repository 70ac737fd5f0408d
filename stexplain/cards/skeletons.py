"""The graph of a skeleton by its name, for a card that gives no nodes and edges of its own."""

import tomllib
from pathlib import Path
from typing import Any

from stexplain.errors import suggest

# Read as files: importing the package of graphs would import torch, and `stexplain data list` shall not wait for it.
_FOLDER = Path(__file__).resolve().parents[1] / "graph" / "skeletons"


def skeleton_fields(name: object) -> dict[str, Any]:
    """The fields of `GraphPart` of a skeleton: nodes, edges, centre, groups and positions.

    Raises:
        ValueError: where there is none, with the nearest name.

    Example:
        >>> skeleton_fields("coco-17")["nodes"][0]
        'nose'
    """
    known = sorted(file.stem for file in _FOLDER.glob("*.toml"))
    if name not in known:
        raise ValueError(f"got skeleton {name!r}; expected the name of a known one. {suggest(str(name), known)}")
    file = tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
    return {
        "nodes": [joint for joint, *_ in file["joints"]],
        "edges": [(joint, parent) for joint, parent, *_ in file["joints"] if parent],
        "center": file["center"],
        "groups": file["groups"],
        "positions": {joint: (right, up) for joint, _, right, up in file["joints"]},
    }
