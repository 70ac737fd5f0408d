"""Text of a file, and whether it holds any."""

import json
import os
from pathlib import Path

from stexplain.errors import DataError
from stexplain.reading.contents import SAVE, read_bytes, readable, regular_file

_EDGE = 4096
"""So many bytes at each end of a file are looked at."""


def text_file(path: Path, remedy: str = "Fetch the file again.") -> Path:
    r"""The path of a file that begins and ends with text in UTF-8: what is none may be gigabytes that a parser gathers.

    Args:
        path: of the file; a link is followed.
        remedy: what to do, for the message.

    Raises:
        DataError: where it is no file, or holds zero bytes at its start or end.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_bytes(b"a,b\n1,2\n" + bytes(1000))
        >>> text_file(path)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /.../a.csv could not be read as text: it ends with zero bytes, as a download ...
    """
    regular_file(path, remedy)
    with readable(path, "text", remedy), Path(path).open("rb") as file:
        start = file.read(_EDGE)
    end = _end(path, "text", remedy)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or start[:2].count(0) == 1:
        raise DataError(f"{path} could not be read as text: it is not in UTF-8. Is it in UTF-16? {SAVE}")
    if b"\x00" in end:
        raise DataError(
            f"{path} could not be read as text: it ends with zero bytes, as a download that was interrupted does. "
            f"{remedy}"
        )
    return Path(path)


def refuse_interrupted(path: Path, what: str, remedy: str = "Fetch the file again.") -> None:
    """Refuses a file of which only zero bytes stand at the end, as of a download that was made in full size first.

    Args:
        path: of the file.
        what: it should be, such as ``"gzip"``; it never ends so.
        remedy: what to do, for the message.

    Raises:
        DataError: where it does.
    """
    end = _end(path, what, remedy)
    if len(end) == _EDGE and not end.strip(b"\x00"):
        raise DataError(
            f"{path} could not be read as {what}: it ends with zero bytes, as a download that was interrupted does. "
            f"{remedy}"
        )


def _end(path: Path, what: str, remedy: str) -> bytes:
    with readable(path, what, remedy), regular_file(path, remedy).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _EDGE))
        return file.read(_EDGE)


def read_text(path: Path, remedy: str = "Fetch the file again.") -> str:
    """The text of a file in UTF-8; a byte order mark, as Windows writes, is left out.

    Args:
        path: of the file.
        remedy: what to do where it cannot be read, a sentence.

    Raises:
        DataError: where it cannot be read, or is not UTF-8.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "speeds.csv"
        >>> _ = path.write_text("a,b", "utf-8-sig")  # as Windows writes it
        >>> read_text(path)
        'a,b'
    """
    content = read_bytes(text_file(path, remedy), remedy)
    with readable(path, "text in UTF-8", remedy):
        return content.decode("utf-8-sig")


def is_json(content: bytes) -> bool:
    """Whether bytes are JSON of any kind.

    Args:
        content: of a file.

    Example:
        >>> is_json(b"{}"), is_json(b"[" * 100_000)
        (True, False)
    """
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True
