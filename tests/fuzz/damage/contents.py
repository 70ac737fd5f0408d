"""Another content in the place of a file's: what people meet, kind by kind."""

import gzip
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import PurePath

import numpy as np

Change = Callable[[str, bytes], bytes | None]
"""Of a file's name and content: another content, or none where the kind is none for this file."""
TEXT = (".csv", ".tsv", ".txt", ".skeleton", ".bvh", ".geo", ".rel", ".dyna", ".json", ".toml")
TABLES = (".csv", ".tsv", ".geo", ".rel", ".dyna")
GIGABYTE = 1 << 30
_NUMBER = re.compile(rb"(?<![\w.])-?\d+\.\d+(?![\w.])|(?<![\w.:-])-?\d+(?![\w.:-])")
_DATE = re.compile(rb"\d{4}-\d\d-\d\d")


def _text(change: Callable[[bytes], bytes | None]) -> Change:
    def changed(name: str, content: bytes) -> bytes | None:
        if PurePath(name).suffix not in TEXT:
            return None
        found = change(content)
        return None if found == content else found

    return changed


def _table(change: Callable[[bytes, bytes], bytes]) -> Change:
    def changed(name: str, content: bytes) -> bytes | None:
        if PurePath(name).suffix not in TABLES:
            return None
        found = change(content, b"\t" if name.endswith(".tsv") else b",")
        return None if found == content else found

    return changed


def _json(text: bytes | None = None, *, inside: bytes = b"") -> Change:
    def changed(name: str, content: bytes) -> bytes | None:
        if not name.endswith(".json"):
            return None
        if text is not None:
            return text
        found = _NUMBER.search(content)
        return content[: found.start()] + inside + content[found.end() :] if found else None

    return changed


def _number(value: bytes, which: int) -> Callable[[bytes], bytes | None]:
    """A value in the place of the first or last number, or of one in the middle."""

    def changed(content: bytes) -> bytes | None:
        found = list(_NUMBER.finditer(content))
        if not found:
            return None
        match = found[(0, len(found) // 2, -1)[which]]
        return content[: match.start()] + value + content[match.end() :]

    return changed


def _date(value: bytes) -> Callable[[bytes], bytes | None]:
    return lambda content: _DATE.sub(value, content, count=1) if _DATE.search(content) else None


def _lines(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    return b"\n".join(change(line) if line else line for line in content.split(b"\n"))


def _twice(content: bytes, separator: bytes) -> bytes:
    """The last column once more, name and all."""
    return _lines(content, lambda line: line + separator + line.rsplit(separator, 1)[-1])


def _mixed(content: bytes, separator: bytes) -> bytes:
    lines = content.split(b"\n")
    return b"\n".join(line.replace(separator, b";") if number % 2 else line for number, line in enumerate(lines))


def _comma(content: bytes, separator: bytes) -> bytes:
    return re.sub(rb"(\d)\.(\d)", rb"\1,\2", content)


def _archive(name: str, content: bytes) -> bytes | None:
    """An archive whose arrays unpack to more than there is memory for: zeros, a thousandth when packed."""
    if not name.endswith((".npz", ".pt")):
        return None
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            with new.open(member, "w", force_zip64=True) as file:
                data = old.read(member)
                if name.endswith(".npz"):
                    head = io.BytesIO()
                    size = (GIGABYTE >> 3, 2)
                    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": size})
                    data = head.getvalue()
                file.write(data)
                for _ in range(40):  # what the header says is never all there
                    file.write(bytes(1 << 20))
    return made.getvalue()


def _terabytes(name: str, content: bytes) -> bytes | None:
    if not name.endswith(".npy"):
        return None
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6, 3)})
    return head.getvalue() + content


def _doubled(name: str, content: bytes) -> bytes | None:
    """The first key once more, with another value: which of the two is meant?"""
    if name.endswith(".json"):
        found = re.match(rb'\s*\{\s*("[^"]+")\s*:', content)
        return content.replace(b"{", b"{" + found.group(1) + b": 12345, ", 1) if found else None
    if name.endswith(".toml"):
        found = re.match(rb"\s*([a-z_]+) *=.*\n", content)
        return found.group(0) + content if found else None
    return None


CONTENTS: dict[str, Change] = {
    "empty": lambda name, content: b"",
    "one byte": lambda name, content: b"{",
    "one zero byte": lambda name, content: b"\x00",
    "white space": lambda name, content: b" \n\t\n ",
    "packed and cut": lambda name, content: gzip.compress(content)[:-9],
    "packed": lambda name, content: gzip.compress(content),
    "a page of a web server": lambda name, content: b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
    "a pointer to large storage": lambda name, content: (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1234\n"
    ),
    "cut in half": lambda name, content: content[: len(content) // 2],
    "cut by one byte": lambda name, content: content[:-1],
    "byte order mark": _text(lambda content: b"\xef\xbb\xbf" + content),
    "ends of lines of Windows": _text(lambda content: content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")),
    "ends of lines of old Macs": _text(lambda content: content.replace(b"\r\n", b"\n").replace(b"\n", b"\r")),
    "no last end of line": _text(lambda content: content.rstrip(b"\r\n")),
    "empty lines at the end": _text(lambda content: content.rstrip(b"\r\n") + b"\n\n\n"),
    "UTF-16": _text(lambda content: content.decode().encode("utf-16")),
    "UTF-16 unmarked": _text(lambda content: content.decode().encode("utf-16-le")),
    "zero bytes at the end": _text(lambda content: content + bytes(512)),
    "a zero byte inside": _text(lambda content: content[: len(content) // 2] + b"\x00" + content[len(content) // 2 :]),
    "Latin-1": _text(lambda content: content[: len(content) // 2] + b"\xe9" + content[len(content) // 2 :]),
    "first line alone": _text(lambda content: content.split(b"\n")[0] + b"\n"),
    "first line twice": _text(lambda content: content.split(b"\n")[0] + b"\n" + content),
    "last line twice": _text(lambda content: content.rstrip() + b"\n" + content.rstrip().split(b"\n")[-1] + b"\n"),
    "all twice": _text(lambda content: content.rstrip() + b"\n" + content),
    **{
        f"{word} as {('first', 'middle', 'last')[which]} number": _text(_number(word.encode(), which))
        for word in ("9" * 400, "9" * 25, "-1", "nan", "inf", "1e400", "1e38", "0x1f", "1_0", "abc", "", "٣", "−5")
        for which in range(3)
    },
    "a date in the year 1": _text(_date(b"0001-01-01")),
    "a date in the year 9999": _text(_date(b"9999-12-31")),
    "30 February": _text(_date(b"2012-02-30")),
    "last column twice": _table(_twice),
    "separator at each end": _table(lambda content, by: _lines(content, lambda line: line + by)),
    "two separators at each end": _table(lambda content, by: _lines(content, lambda line: line + by + by)),
    "separators mixed": _table(_mixed),
    "semicolons": _table(lambda content, by: content.replace(by, b";")),
    "tabs": _table(lambda content, by: content.replace(by, b"\t")),
    "a space after each separator": _table(lambda content, by: content.replace(by, by + b" ")),
    "decimal commas": _table(_comma),
    "decimal commas, semicolons": _table(lambda content, by: _comma(content.replace(by, b";"), by)),
    "thousands quoted": _table(lambda content, by: re.sub(rb"(?<![\d.])(\d)(\d\d\d)\b", rb'"\1,\2"', content)),
    "a number with a thousands separator": _table(
        lambda content, by: re.sub(rb"(?<=[,\t])(\d+)\.(\d+)", rb'"1,\1.\2"', content, count=1)
    ),
    "every field quoted": _table(
        lambda content, by: content if b'"' in content
        else _lines(content, lambda line: b'"' + line.replace(by, b'"' + by + b'"') + b'"')
    ),
    "an end of line in quotes": _table(lambda content, by: re.sub(rb"([a-z0-9]+)", rb'"\1\n"', content, count=1)),
    "a quote that is not closed": _table(lambda content, by: content.replace(b"\n", b'\n"', 1)),
    "a comment first": _table(lambda content, by: b"# made by hand\n" + content),
    "without its first line": _table(lambda content, by: content.partition(b"\n")[2]),
    "lines in other order": _table(
        lambda content, by: b"\n".join([*content.split(b"\n")[:1], *content.rstrip().split(b"\n")[:0:-1]]) + b"\n"
    ),
    "JSON of NaN": _json(inside=b"NaN"),
    "JSON of Infinity": _json(inside=b"-Infinity"),
    "JSON of true": _json(inside=b"true"),
    "JSON of null": _json(inside=b"null"),
    "JSON nested": _json(b"[" * 100_000 + b"]" * 100_000),
    "JSON of objects nested": _json(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "JSON of a list": _json(b"[]"),
    "JSON of a word": _json(b'"a"'),
    "JSON, empty": _json(b"{}"),
    "JSON lines": _text(lambda content: content.rstrip() + b"\n" + content if content[:1] == b"{" else None),
    "JSON of a lone surrogate": lambda name, content: (
        re.sub(rb'"([^"]*)"', rb'"\\ud800\1"', content, count=1) if name.endswith(".json") else None
    ),
    "TOML nested": lambda name, content: (
        content + b"\nx = " + b"[" * 20_000 + b"]" * 20_000 + b"\n" if name.endswith(".toml") else None
    ),
    "TOML of inf": lambda name, content: (
        re.sub(rb"= *\d+(\.\d+)?\b", b"= inf", content, count=1) if name.endswith(".toml") else None
    ),
    "TOML with a zero byte": lambda name, content: (
        re.sub(rb'= *"([^"]*)"', rb'= "\1\\u0000"', content, count=1) if name.endswith(".toml") else None
    ),
    "a key twice": _doubled,
    "an archive that unpacks to gigabytes": _archive,
    "a header of terabytes": _terabytes,
}  # fmt: skip
