"""Reads DCRNN's `adj_mx.pkl`: ids, id -> index, adjacency. Nothing but that can be in such a file.

A pickle is a program. The reader runs it with every name forbidden except the few that build an array of numbers, and
for those it substitutes functions of its own, which can do nothing else.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import DataError


def read_adjacency(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """The ids of the sensors and the adjacency ``[N, N]``, in the order of its rows.

    Args:
        path: of a pickle that holds (ids, id -> index, matrix), written by Python 2 or 3; or the matrix alone, whose
            ids are then "0" to "N-1".

    Raises:
        DataError: where the file cannot be read, names anything that an array of numbers does not need, or holds
            something else.
    """
    value = _unpickled(Path(path))
    if isinstance(value, np.ndarray):
        ids: list[Any] = list(range(len(value)))
        matrix: Any = value
    elif isinstance(value, list | tuple) and len(value) == 3 and isinstance(value[1], dict):
        places, matrix = value[1], value[2]
        # By the map, which numbers the rows; nothing promises that the list of ids has the same order.
        ids = sorted(places, key=lambda name: int(places[name]))
    else:
        raise DataError(f"{path} holds a {type(value).__name__}; expected (ids, id -> index, matrix). Fetch it again.")
    if not (isinstance(matrix, np.ndarray) and matrix.dtype.kind in "fiu" and matrix.shape == (len(ids), len(ids))):
        shape = getattr(matrix, "shape", type(matrix).__name__)
        raise DataError(f"{path}: the adjacency is {shape}; expected numbers [{len(ids)}, {len(ids)}]. Fetch it again.")
    return [str(name) for name in ids], matrix.astype(np.float64)


def _unpickled(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} could not be read: {error.strerror or error}.") from error
    try:
        return _Restricted(io.BytesIO(content), path).load()
    except DataError:
        raise
    except Exception as error:  # whatever a damaged program of a pickle may raise
        raise DataError(f"{path} is no pickle of an adjacency: {error}. Is it truncated? Fetch it again.") from error


def _reconstruct(kind: object, shape: object, code: object) -> NDArray[Any]:
    """An empty array, which the pickle's next step fills; the arguments are ignored."""
    return np.empty(0, "b")


def _frombuffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    return np.frombuffer(buffer, _dtype(dtype)).reshape(shape, order=order)


def _dtype(name: Any, align: Any = False, copy: Any = False) -> np.dtype[Any]:
    found: np.dtype[Any] = np.dtype(name, False, True)  # a copy, since the pickle's next step sets its byte order
    # Numbers only: an array of objects could hold anything.
    if found.kind not in "fiub":
        raise ValueError(f"an array of {name!r}; expected numbers")
    return found


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How Python 3 writes the bytes of an array for Python 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"text in {encoding!r}; expected latin1")
    return text.encode("latin1")


# Pickles name numpy.ndarray as an argument and never call it: its substitute cannot be called.
_ALLOWED: dict[tuple[str, str], Any] = {("numpy", "ndarray"): object(), ("numpy", "dtype"): _dtype}
# NumPy 2 moved its core to `numpy._core`; files of both are about.
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _frombuffer
_ALLOWED["_codecs", "encode"] = _encode


class _Restricted(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, path: Path) -> None:
        # Files of Python 2 hold bytes where Python 3 wants text.
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise DataError(
                f"{self._path} asks for {module}.{name}, which an adjacency does not need; nothing of it was run. "
                "Do not open it by other means: fetch it again from where it was published."
            )
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise DataError(f"{self._path} refers to something outside of it ({pid!r}). Fetch it again.")
