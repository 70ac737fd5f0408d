"""The parts of a DataFrame of one block in an HDF5 file; called in a process of its own, see `reading.apart`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The datasets of one block of a DataFrame: columns, rows, and names and values of the block.
PARTS = ("axis0", "axis1", "block0_items", "block0_values")


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The datasets `PARTS` of the file's one DataFrame, and ``kind``, what its rows are labelled by.

    Raises:
        ValueError: where the file holds no such DataFrame, or more than one.
    """
    import h5py  # type: ignore[import-not-found, import-untyped, unused-ignore]  # optional, and ships no types

    with h5py.File(path, "r") as file:
        # METR-LA calls its group `df`, PEMS-BAY `speed`: found by what is in it, not by name.
        tables = [
            group for group in file.values() if isinstance(group, h5py.Group) and all(name in group for name in PARTS)
        ]
        if len(tables) != 1:
            raise ValueError(
                f"it holds {len(tables)} DataFrames of pandas' fixed format with one block (groups: "
                f"{', '.join(file) or 'none'}); expected one, as DCRNN's files have"
            )
        for name in PARTS:
            # A link to another file would read what this one does not hold.
            if not isinstance(tables[0].get(name, getlink=True), h5py.HardLink) or tables[0][name].external:
                raise ValueError(f"{name} lies in another file; expected it in this one")
        found = {name: np.asarray(tables[0][name][()]) for name in PARTS}
        kind = tables[0]["axis1"].attrs.get("kind", b"datetime64")
    for name in ("axis0", "block0_items"):
        # Text of variable length comes as objects, which no array of a file may hold.
        found[name] = np.array([_text(value) for value in found[name].tolist()])
    return {**found, "kind": np.array(_text(kind))}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
