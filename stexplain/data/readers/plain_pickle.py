"""Reads pickles that hold plain values: numbers, text, lists, tuples, dictionaries and arrays of numbers or text.

A pickle is a program. It is run with every name forbidden except the few that build an array, and for those this
module substitutes functions of its own, which can do nothing else.
"""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import DataError
from stexplain.reading import read_bytes


def load_plain(path: Path, what: str) -> Any:
    """The value in a pickle of plain values.

    Args:
        path: of the file, written by Python 2 or 3.
        what: the file should hold, for messages, such as ``"an adjacency"``.

    Raises:
        DataError: where the file cannot be read, is damaged, or names anything that plain values do not need.
    """
    path = Path(path)
    content = read_bytes(path)
    try:
        kind = _Fast if _has_honest_memo(content) else _Slow
        return kind(io.BytesIO(content), path, what).load()
    except DataError:
        raise
    except Exception as error:  # whatever a damaged program of a pickle may raise
        raise DataError(f"{path} is not a pickle of {what}: {error}. Is it truncated? Fetch it again.") from error


def _has_honest_memo(content: bytes) -> bool:
    """Whether no memory slot lies beyond the length of the file: for such a number C's unpickler reserves gigabytes.

    Python's own, which is slower, keeps slots in a dictionary. It also reads what cannot be looked through here: bytes
    that Python 2 wrote as text.
    """
    try:
        for code, argument, _ in pickletools.genops(content):
            if code.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > len(content):
                return False
    except UnicodeDecodeError:
        return False
    return True


def _reconstruct(kind: object, shape: object, code: object) -> NDArray[Any]:
    """An empty array, which the pickle's next step fills; the arguments are ignored."""
    return np.empty(0, "b")


def _frombuffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    return np.frombuffer(buffer, _dtype(dtype)).reshape(shape, order=order)


def _scalar(dtype: Any, content: Any) -> Any:
    return np.frombuffer(content.encode("latin1") if isinstance(content, str) else content, _dtype(dtype))[0]


def _dtype(name: Any, align: Any = False, copy: Any = False) -> np.dtype[Any]:
    found: np.dtype[Any] = np.dtype(name, False, True)  # a copy, since the pickle's next step sets its byte order
    # Numbers and text: an array of objects could hold anything.
    if found.kind not in "fiubUS":
        raise ValueError(f"an array of {name!r}; expected numbers or text")
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
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _frombuffer
_ALLOWED["_codecs", "encode"] = _encode


class _Restricted:
    """What both unpicklers have in common: no name but the allowed ones, and nothing outside of the file."""

    _path: Path
    _what: str

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise DataError(
                f"{self._path} asks for {module}.{name}, which {self._what} does not need; nothing of it was run. Do "
                "not open it by other means: fetch it again from where it was published."
            )
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise DataError(f"{self._path} refers to something outside of it ({pid!r}). Fetch it again.")


class _Fast(_Restricted, pickle.Unpickler):
    def __init__(self, file: io.BytesIO, path: Path, what: str) -> None:
        # Files of Python 2 hold bytes where Python 3 wants text.
        super().__init__(file, encoding="latin1")
        self._path, self._what = path, what


class _Slow(_Restricted, pickle._Unpickler):
    def __init__(self, file: io.BytesIO, path: Path, what: str) -> None:
        super().__init__(file, encoding="latin1")
        self._path, self._what = path, what
