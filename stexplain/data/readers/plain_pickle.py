"""Reads pickles that hold plain values: numbers, text, lists, tuples, dictionaries and arrays of numbers or text.

A pickle is a program. It is run with every name forbidden except the few that build an array, and for those this
module substitutes functions of its own, which can do nothing else.
"""

import io
import math
import pickle
import pickletools
from collections.abc import Mapping
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
    return plain_value(read_bytes(path), path, what)


def plain_value(content: bytes, path: Path, what: str) -> Any:
    """The value in a pickle of plain values that lies in another file.

    Args:
        content: the pickle.
        path: of the file, or where in it, for messages.
        what: it should hold, for messages.

    Raises:
        DataError: as `load_plain`.

    Example:
        >>> plain_value(pickle.dumps({"a": [1, 2]}), Path("names"), "names")
        {'a': [1, 2]}
    """
    return _loaded(content, path, what, _ALLOWED)


def array_of_objects(content: bytes, path: Path, what: str) -> list[Any]:
    """The entries of an array of objects that numpy pickled, in its order; arrays in them are `Pickled`.

    Args:
        content: the pickle, as it stands behind the header of an npy file.
        path: of the file, for messages.
        what: it should hold, for messages.

    Raises:
        DataError: as `load_plain`, and where it is no such array.

    Example:
        >>> content = pickle.dumps(np.array({"S1": {"Walking": np.zeros((2, 3))}}, object))
        >>> (found,) = array_of_objects(content, Path("a.npz"), "poses")
        >>> found["S1"]["Walking"].array().shape
        (2, 3)
    """
    found = _loaded(content, path, what, _ALLOWED_OBJECTS)
    if not isinstance(found, Pickled) or not isinstance(found.content, list):
        raise DataError(f"{path} holds no array of objects; expected {what}. Fetch it again.")
    return found.content


def _loaded(content: bytes, path: Path, what: str, allowed: Mapping[tuple[str, str], Any]) -> Any:
    try:
        kind = _Fast if _has_honest_memo(content) else _Slow
        return kind(io.BytesIO(content), path, what, allowed).load()
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


class Pickled:
    """An array of a pickle that may hold objects; numpy's own reading of those trusts the shape that they state.

    Attributes:
        content: its entries, of an array of objects; else the array.
    """

    content: "list[Any] | NDArray[Any]"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, _, entries = state
        if kind.hasobject:
            if not isinstance(entries, list) or math.prod(shape) != len(entries):
                raise ValueError(f"an array of {shape} objects; its entries are others")
            self.content = entries
        else:
            array: NDArray[Any] = np.empty(0, "b")
            array.__setstate__(state)
            self.content = array

    def array(self) -> "NDArray[Any] | None":
        """The array of numbers or text; none of one of objects."""
        return None if isinstance(self.content, list) else self.content


def _pickled(kind: object, shape: object, code: object) -> Pickled:
    """What the pickle's next step fills; the arguments are ignored."""
    return Pickled()


def _any_dtype(name: Any, align: Any = False, copy: Any = False) -> np.dtype[Any]:
    return np.dtype(object).newbyteorder("=") if name in ("O", "O8", "O4", b"O8") else _dtype(name)


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
_ALLOWED_OBJECTS = {
    **_ALLOWED,
    **{name: _pickled for name in _ALLOWED if name[1] == "_reconstruct"},
    ("numpy", "dtype"): _any_dtype,
}


class _Restricted:
    """What both unpicklers have in common: no name but the allowed ones, and nothing outside of the file."""

    _path: Path
    _what: str
    _names: Mapping[tuple[str, str], Any]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._names:
            raise DataError(
                f"{self._path} asks for {module}.{name}, which {self._what} does not need; nothing of it was run. Do "
                "not open it by other means: fetch it again from where it was published."
            )
        return self._names[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise DataError(f"{self._path} refers to something outside of it ({pid!r}). Fetch it again.")


class _Fast(_Restricted, pickle.Unpickler):
    def __init__(self, file: io.BytesIO, path: Path, what: str, names: Mapping[tuple[str, str], Any]) -> None:
        # Files of Python 2 hold bytes where Python 3 wants text.
        super().__init__(file, encoding="latin1")
        self._path, self._what, self._names = path, what, names


class _Slow(_Restricted, pickle._Unpickler):
    def __init__(self, file: io.BytesIO, path: Path, what: str, names: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(file, encoding="latin1")
        self._path, self._what, self._names = path, what, names
