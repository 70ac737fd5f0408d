"""The parts of a DataFrame of one block in an HDF5 file; called in a child process, see `reading.child_process`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.reading.hdf5 import check_within

# The datasets of one block of a DataFrame: rows and values. Names of columns have one dataset, or two for each level.
PARTS = ("axis1", "block0_values")
_NAMES = ("axis0", "block0_items")


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The datasets of the file's one DataFrame, and ``kind``, what its rows are labelled by.

    Names of columns of several levels are ``[columns, levels]``.

    Raises:
        ValueError: where the file holds no such DataFrame, or more than one.
    """
    import h5py  # type: ignore[import-not-found, import-untyped, unused-ignore]  # optional, and ships no types

    with h5py.File(path, "r") as file:
        check_within(file)
        # METR-LA calls its group `df`, PEMS-BAY `speed`: found by what is in it, not by name.
        tables = [
            group for group in file.values() if isinstance(group, h5py.Group) and all(name in group for name in PARTS)
        ]
        if len(tables) != 1:
            names = ", ".join(str(table.name).lstrip("/") for table in tables)
            held = f": {names}" if tables else f" (groups: {', '.join(file) or 'none'})"
            remedy = (
                " Write the one that is meant to a file: pd.read_hdf(path, key).to_hdf(new, key=key)" if tables else ""
            )
            if not tables and any(isinstance(one, h5py.Group) and "table" in one for one in file.values()):
                remedy = " It has pandas' table format: write it anew, pd.read_hdf(path).to_hdf('x.h5', key='df')."
            raise ValueError(
                f"it holds {len(tables)} DataFrames of pandas' fixed format with one block{held}; expected one, as "
                f"DCRNN's files have.{remedy}"
            )
        table = tables[0]
        levels = {name: _levels(table, name) for name in _NAMES}
        datasets = [*PARTS, *(each for parts in levels.values() for each in parts)]
        for name in datasets:
            if name not in table:
                raise ValueError(f"it has no {name}, which pandas writes")
        found = {name: np.asarray(table[name][()]) for name in datasets}
        kind = table["axis1"].attrs.get("kind", b"datetime64")
        # Times are kept in UTC, beside the zone that they were in.
        zone = table["axis1"].attrs.get("tz", b"")
        named = [table[part].attrs.get("name", b"") for part in levels["axis0"][::2]]
    for name, parts in levels.items():
        # Text of variable length comes as objects, which no array of a file may hold.
        columns = [np.array([_text(value) for value in found[part].tolist()]) for part in parts[::2]]
        if parts != [name]:
            # pandas stores a level as its values and, for each column, the number of its value.
            columns = [values[found[codes]] for values, codes in zip(columns, parts[1::2], strict=True)]
        found[name] = columns[0] if parts == [name] else np.stack(columns, 1)
    found = {name: found[name] for name in (*_NAMES, *PARTS)}
    return {
        **found,
        "kind": np.array(_text(kind)),
        "zone": np.array(_plain(zone)),
        "names": np.array([_plain(name) for name in named]),
    }


def _levels(table: Any, name: str) -> list[str]:
    """The datasets that name columns: one, or values and codes of each level."""
    count = 0 if name in table else int(table.attrs.get(f"{name}_nlevels", 0))
    return [f"{name}_{part}{level}" for level in range(min(count, 9)) for part in ("level", "label")] or [name]


def _plain(value: Any) -> str:
    """A text that pandas wrote; empty for anything else, such as a pickle, which is not opened."""
    text = _text(value) if isinstance(value, str | bytes) else ""
    return text if text.replace("/", "").replace("_", "").replace("+", "").replace("-", "").isalnum() else ""


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
