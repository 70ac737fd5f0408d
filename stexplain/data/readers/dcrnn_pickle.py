"""Reads DCRNN's `adj_mx.pkl`: ids, id -> index, adjacency. Nothing is executed, see `plain_pickle`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.data.readers.plain_pickle import load_plain
from stexplain.errors import DataError
from stexplain.wording import an


def read_adjacency(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """The ids of the sensors and the adjacency ``[N, N]``, in the order of its rows.

    Args:
        path: of a pickle that holds (ids, id -> index, matrix), written by Python 2 or 3; or the matrix alone, whose
            ids are then "0" to "N-1".

    Raises:
        DataError: where the file cannot be read, names anything that an array of numbers does not need, or holds
            something else.
    """
    value = load_plain(Path(path), "an adjacency")
    if isinstance(value, np.ndarray) and value.ndim:
        ids: list[Any] = list(range(len(value)))
        matrix: Any = value
    elif isinstance(value, list | tuple) and len(value) == 3 and isinstance(value[1], dict):
        places, matrix = value[1], value[2]
        # By the map, which numbers the rows; nothing promises that the list of ids has the same order.
        rows = [_row(path, name, places[name]) for name in places]
        if sorted(rows) != list(range(len(rows))):
            raise DataError(f"{path}: the rows of the ids are not 0 to {len(rows) - 1}, each once. Fetch it again.")
        ids = sorted(places, key=lambda name: int(places[name]))
    else:
        raise DataError(
            f"{path} holds {an(type(value).__name__)}; expected (ids, id -> index, matrix). Fetch it again."
        )
    if not (isinstance(matrix, np.ndarray) and matrix.dtype.kind in "fiu" and matrix.shape == (len(ids), len(ids))):
        shape = getattr(matrix, "shape", type(matrix).__name__)
        raise DataError(f"{path}: the adjacency is {shape}; expected numbers [{len(ids)}, {len(ids)}]. Fetch it again.")
    return [str(name) for name in ids], matrix.astype(np.float64)


def _row(path: Path, name: Any, row: Any) -> int:
    if not isinstance(name, str | int | np.integer) or isinstance(row, bool) or not isinstance(row, int | np.integer):
        shown = repr((name, row))[:100]
        raise DataError(f"{path}: got {shown} among its ids; expected a name and the number of a row. Fetch it again.")
    return int(row)
