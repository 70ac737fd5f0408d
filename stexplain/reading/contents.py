"""Bytes and JSON of a file, and the errors of libraries that read it."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stexplain.errors import DataError, InputError, StexplainError
from stexplain.reading.memory import free_memory

_LETTERS = 300
"""Of a library's own message, at most so many are shown."""
_DIGITS = 300
"""Integers of more are beyond the largest float."""

_SPARE = 64 << 20
"""Of the free memory so many bytes are left for what is made of a file's own."""
SAVE = "Save it in UTF-8, or fetch it again."


def given_path(value: object, argument: str) -> Path:
    """The path that a user gave, of something that may be there or not.

    Args:
        value: the path, as text or as a path; ``~`` is expanded.
        argument: its name, for the message.

    Raises:
        InputError: where it is no path, or one that the system cannot look at: a name too long, links in a cycle, a
            folder that may not be entered.

    Example:
        >>> given_path("n" * 300, "out")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: out: got 'nnn...; File name too long. Give another path.
    """
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"{argument}: got {type(value).__name__}; expected a path.")
    try:
        path = Path(value).expanduser()
        _look_at(path)
    except (OSError, ValueError, RuntimeError, TypeError) as error:  # a zero byte; no home; a path of bytes
        shown = repr(os.fspath(value))
        reason = getattr(error, "strerror", None) or error
        shown = shown if len(shown) <= _LETTERS else f"{shown[:_LETTERS]}..."
        raise InputError(f"{argument}: got {shown}; {reason}. Give another path.") from error
    return path


def _look_at(path: Path) -> None:
    """Raises what `is_file` and its like would raise later, but for a path that is not there.

    Of such a path the system looks at no further name than the first that is missing: a name that is too long would
    be found when the folders above it have been made.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        absolute = path.absolute()
        there = next(above for above in absolute.parents if above.exists())
        for name in absolute.relative_to(there).parts:
            with suppress(FileNotFoundError, NotADirectoryError):
                (there / name).lstat()


def regular_file(path: Path, remedy: str = "Fetch the file again.") -> Path:
    """The path of a file that can be read to its end: neither a folder nor a pipe, which waits, nor a device.

    Args:
        path: of the file; a link is followed.
        remedy: what to do, for the message.

    Raises:
        DataError: where it is missing or anything else.

    Example:
        >>> regular_file(Path("/dev/zero"))
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /dev/zero could not be read: it is a device; expected a file. Fetch the file again.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} could not be read: {reason}. {remedy}") from error
    if not stat.S_ISREG(mode):
        kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
        what = next((kind for test, kind in kinds.items() if test(mode)), "a device")
        raise DataError(f"{path} could not be read: it is {what}; expected a file. {remedy}")
    return Path(path)


def is_there(path: Path, remedy: str = "Fetch the file again, or move it away.") -> bool:
    """Whether a file lies there; what lies there and is none is refused, where `is_file` would take it for nothing.

    Args:
        path: of a file that may be missing.
        remedy: what to do where it is no file, for the message.

    Raises:
        DataError: for a link that leads nowhere, a folder, a pipe, a device, and in a folder that may not be entered.

    Example:
        >>> is_there(Path("missing.csv"))
        False
        >>> is_there(Path("/dev/null"))
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /dev/null could not be read: it is a device; expected a file. Fetch ...
    """
    try:
        Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        pass  # it is said below what keeps the system from looking
    return bool(regular_file(path, remedy))


def bytes_within(folder: Path, remedy: str = "Fetch the folder again.") -> int:
    """How many bytes the files of a folder hold; a folder that is one thing, such as one of zarr.

    Its links may lead anywhere inside of it, and not out of it: what is read would not be what was given.

    Args:
        folder: the folder; it may itself be a link.
        remedy: what to do, for the message.

    Raises:
        DataError: where a link leads out of it, or something in it is no file that can be read to its end.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a").write_text("abc")
        >>> bytes_within(folder)
        3
        >>> (folder / "b").symlink_to("/dev/zero")
        >>> bytes_within(folder)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /.../b is a link to /dev/zero, out of the folder ...; expected a file in it. ...
    """
    size, home = 0, folder.resolve()
    # Links to folders are not gone into: they are refused, or lead to what is counted anyway.
    for place, folders, files in os.walk(folder):
        for path in (Path(place) / name for name in (*folders, *files)):
            if path.is_symlink():
                with readable(path, "a link", remedy):
                    leads = path.resolve()
                if not leads.is_relative_to(home):
                    raise DataError(
                        f"{path} is a link to {leads}, out of the folder {folder}; expected a file in it. {remedy}"
                    )
        size += sum(regular_file(Path(place) / name, remedy).stat().st_size for name in files)
    return size


def files_under(folder: Path, remedy: str = "Allow it to be read, or move it away.") -> Iterator[Path]:
    """Every file in a folder and its subfolders; links to folders are not gone into.

    Args:
        folder: where to look.
        remedy: what to do where a folder cannot be read.

    Raises:
        DataError: where a subfolder cannot be read: what is in it would be missing without a word.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a").mkdir()
        >>> (folder / "a" / "b.txt").touch()
        >>> [path.name for path in files_under(folder)]
        ['b.txt']
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}. {remedy}") from error

    for place, _, names in os.walk(folder, onerror=refuse):
        yield from (Path(place) / name for name in names)


@contextmanager
def readable(path: Path, what: str, remedy: str = "Fetch the file again.") -> Iterator[None]:
    """Turns whatever a library raises on a broken file into a `DataError` that names the file.

    Only calls that read belong into the block: libraries promise nothing of what they raise on bytes that are no file
    of theirs, so every exception is taken for one. Errors of this package go through as they are.

    Args:
        path: of the file.
        what: it should be, such as ``"HDF5"``.
        remedy: what to do, for the message.

    Yields:
        Nothing; what is raised meanwhile names the file.

    Raises:
        DataError: in place of what the block raises, but for errors of this package.

    Example:
        >>> with readable(Path("a.json"), "JSON"):
        ...     json.loads("[" * 100_000)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: a.json could not be read as JSON: it is nested too deeply. Fetch the file again.
    """
    try:
        yield
    except StexplainError:
        raise
    except Exception as error:
        mend = SAVE if isinstance(error, UnicodeDecodeError) else remedy
        raise DataError(f"{path} could not be read as {what}: {reason_of(error)}. {mend}") from error


@contextmanager
def naming(path: Path | None, *, same: bool = False) -> Iterator[None]:
    """Errors about what was read from a file name it, where they do not: what finds them knows the numbers alone.

    Only work on what the file held belongs into the block: an `InputError` becomes a `DataError`.

    Args:
        path: of the file or folder; none: it came from nowhere, and errors stay as they are.
        same: keep the kind of error: the block also works on what was requested of the file.

    Raises:
        DataError: in place of an `InputError` of the block, unless `same`; with the name of the file.

    Example:
        >>> with naming(Path("a.csv")):
        ...     raise InputError("matrix at [0, 2]: got inf; expected a finite number.")
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: a.csv: matrix at [0, 2]: got inf; expected a finite number.
    """
    try:
        yield
    except StexplainError as error:
        if path is None or str(path) in str(error):
            raise
        raise (type(error) if same else DataError)(f"{path}: {error}") from error


def reason_of(error: BaseException) -> str:
    r"""What a library's error says, in a line that fits a message.

    Example:
        >>> reason_of(KeyError("axis1")), reason_of(ValueError("not a number\nand more"))
        ("KeyError: 'axis1'", 'not a number')
    """
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, UnicodeDecodeError):
        # Its place may be that in a part of the file.
        return f"the byte 0x{error.object[error.start]:02x} is not text in {error.encoding.upper()}"
    said = (getattr(error, "strerror", None) or str(error)).strip().splitlines()
    line = said[0].rstrip(".")[:_LETTERS] if said else ""
    # The text of a KeyError is a key, and of others nothing: their type says more.
    plain = line and isinstance(error, OSError | ValueError | RuntimeError)
    return line if plain else f"{type(error).__name__}: {line}" if line else type(error).__name__


def read_bytes(path: Path, remedy: str = "Fetch the file again.") -> bytes:
    """All bytes of a file.

    Args:
        path: of the file.
        remedy: what to do where it cannot be read, a sentence.

    Raises:
        DataError: where it is missing, no file, or may not be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "clip.bin"
        >>> _ = path.write_bytes(b"abc")
        >>> read_bytes(path)
        b'abc'
        >>> read_bytes(path.with_name("other.bin"), "Name another.")
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: ... Name another.
    """
    size = regular_file(path, remedy).stat().st_size
    if (free := free_memory()) is not None and size > free - _SPARE:
        raise DataError(
            f"{path} could not be read: it holds {size / 1e9:.3g} GB, and {free / 1e9:.3g} GB of memory are free. "
            f"{remedy}"
        )
    with readable(path, "a file", remedy):
        return path.read_bytes()


def read_json_value(path: Path, remedy: str = "Fetch the file again.") -> Any:
    """The value in a JSON file.

    Args:
        path: of the file.
        remedy: what to do where it cannot be read, a sentence.

    Raises:
        DataError: where it cannot be read, or is not JSON.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels.json"
        >>> _ = path.write_text('{"clip 1": 3}')
        >>> read_json_value(path)
        {'clip 1': 3}
    """
    try:
        return json.loads(read_bytes(path, remedy), parse_int=_integer)
    # Of integers with hundreds of digits and of other encodings too; nesting may exhaust the stack.
    except (ValueError, RecursionError) as error:
        mend = SAVE if isinstance(error, UnicodeDecodeError) else f"Is it truncated? {remedy}"
        if "Extra data: line 2 column 1 " in str(error):
            join = "json.dump([json.loads(line) for line in open(path)], open('x.json', 'w'))"
            mend = f"Is each line one? Join them: {join}."
        raise DataError(f"{path} is not valid JSON: {reason_of(error)}. {mend}") from error


def _integer(digits: str) -> int:
    """An integer that can be compared with other numbers, and made one of them."""
    if len(digits) > _DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)
