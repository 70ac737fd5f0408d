"""Numpy's files, npy and npz, whose headers are compared with what the file holds before anything is allocated."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from stexplain.errors import DataError
from stexplain.reading.contents import readable, regular_file
from stexplain.reading.memory import free_memory

# What an array may unpack to: so many bytes, or so many times what it holds. No measurement packs that well.
_SMALL, _RATIO = 64 << 20, 200
_READ_HEADER: dict[tuple[int, int], Any] = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}


def load_npy(path: Path, *, mapped: bool = False, remedy: str = "Fetch the file again.") -> NDArray[Any]:
    r"""The array in an npy file; nothing is unpickled.

    Args:
        path: of the file.
        mapped: whether it stays on disk as a memory map.
        remedy: what to do where it is broken, for the message.

    Raises:
        DataError: where it cannot be read, holds objects, or fewer numbers than its header says.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(path, np.zeros(3))
        >>> header, numbers = path.read_bytes().split(b"\n")
        >>> _ = path.write_bytes(header.replace(b"(3,)", b"(3000000000000,)")[: len(header)] + b"\n" + numbers)
        >>> load_npy(path)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /.../a.npy holds 24 bytes of numbers; its header says 24000000000000. ...
    """
    regular_file(path, remedy)
    with readable(path, "npy", remedy), Path(path).open("rb") as file:
        size = _declared_bytes(file)
        held = path.stat().st_size - file.tell()
        if size > held:
            raise DataError(f"{path} holds {held} bytes of numbers; its header says {size}. Is it truncated? {remedy}")
        if mapped:
            # Without a number there is nothing to map, and numpy refuses it.
            return np.asarray(np.load(path, mmap_mode="r" if size else None, allow_pickle=False))
        _check_memory(size)
        file.seek(0)
        return np.asarray(np.load(file, allow_pickle=False))


class Archive:
    """The arrays of an npz file, read one by one; see `opened_npz`."""

    def __init__(self, path: Path, file: zipfile.ZipFile, remedy: str, any_ratio: bool = False) -> None:
        self._path, self._file, self._remedy, self._any_ratio = path, file, remedy, any_ratio
        self.names = tuple(name.removesuffix(".npy") for name in file.namelist())

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape that the header of an array says; its numbers are not read.

        Raises:
            DataError: where there is no such array, or its header is broken.
        """
        with readable(self._path, f"npz, array {name!r}", self._remedy), self._file.open(self._member(name)) as file:
            return _declared(file)[0]

    def pickled(self, name: str) -> bytes:
        """The pickle of an array of objects, which is not opened; empty where the array holds none.

        Raises:
            DataError: where there is no such array, or its header is broken.
        """
        member = self._member(name)
        with readable(self._path, f"npz, array {name!r}", self._remedy), self._file.open(member) as file:
            version = npy_format.read_magic(file)
            if version not in _READ_HEADER or not _READ_HEADER[version](file)[2].hasobject:
                return b""
            _check_memory(member.file_size)
            return file.read()

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self.names:
            held = ", ".join(self.names[:20]) or "none"
            raise DataError(f"{self._path} has no array {name!r}. It has: {held}. {self._remedy}")
        return self._file.getinfo(name if name in self._file.namelist() else f"{name}.npy")

    def __getitem__(self, name: str) -> NDArray[Any]:
        member = self._member(name)
        with readable(self._path, f"npz, array {name!r}", self._remedy):
            with self._file.open(member) as file:
                size = _declared_bytes(file)
                left = member.file_size - file.tell()
            if size > left:
                raise DataError(
                    f"{self._path}, array {name!r}: it holds {left} bytes of numbers; its header says {size}. Is it "
                    f"truncated? {self._remedy}"
                )
            if size > max(_SMALL, _RATIO * member.compress_size) and not self._any_ratio:
                raise DataError(
                    f"{self._path}, array {name!r}: it unpacks to {size / 1e6:,.0f} MB, and holds "
                    f"{member.compress_size / 1e6:.3g} MB, as what is damaged or meant to fill memory. Where it is "
                    "right, write it unpacked: np.savez('x.npz', **np.load(path))."
                )
            _check_memory(size)
            with self._file.open(member) as file:
                return np.asarray(npy_format.read_array(file, allow_pickle=False))


@contextmanager
def opened_npz(path: Path, remedy: str = "Fetch the file again.", *, any_ratio: bool = False) -> Iterator[Archive]:
    """The arrays of an npz file; nothing is unpickled, and an array is read when it is requested.

    Args:
        path: of the file.
        remedy: what to do where it is broken, for the message.
        any_ratio: whether an array may unpack to far more than it holds, as masks of this package do.

    Raises:
        DataError: where it is no npz, or an array is broken, missing, larger than the memory that is free, or unpacks
            to far more than it holds.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npz"
        >>> np.savez(path, x=np.arange(3))
        >>> with opened_npz(path) as arrays:
        ...     arrays.names, arrays["x"].tolist()
        (('x',), [0, 1, 2])
    """
    regular_file(path, remedy)
    with readable(path, "npz", remedy):
        file = zipfile.ZipFile(path)
    with file:
        yield Archive(Path(path), file, remedy, any_ratio)


def _declared_bytes(file: IO[bytes]) -> int:
    """The bytes of numbers that a header says follow; the file is left where they begin."""
    shape, kind = _declared(file)
    return int(math.prod(shape)) * int(kind.itemsize)


def _declared(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type that a header says; the file is left where the numbers begin."""
    version = npy_format.read_magic(file)
    if version not in _READ_HEADER:
        raise ValueError(f"format {version[0]}.{version[1]}; expected 1.0 or 2.0")
    shape, _, kind = _READ_HEADER[version](file)
    if kind.hasobject:
        raise ValueError("Object arrays cannot be loaded: they could run code")
    if not kind.itemsize or any(not isinstance(size, int) or size < 0 for size in shape) or len(shape) > 32:
        raise ValueError(f"an array of {kind} {shape}; expected numbers")
    return shape, kind


def _check_memory(size: int) -> None:
    if (free := free_memory()) is not None and size > free:
        raise ValueError(f"it unpacks to {size / 1e9:.3g} GB, and {free / 1e9:.3g} GB of memory are free")
