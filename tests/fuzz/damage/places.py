"""Something else in the place of a file, another name for it, or something beside it: kind by kind."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

Place = Callable[[Path], None]
"""What is done to a file on disk."""
GIGABYTE = 1 << 30


def _instead(make: Callable[[Path], object]) -> Place:
    def place(path: Path) -> None:
        path.unlink()
        make(path)

    return place


def _link(to: str) -> Place:
    return _instead(lambda path: path.symlink_to(to.replace("NAME", path.name)))


def _out_of_the_folder(path: Path) -> None:
    other = Path(os.environ.get("TMPDIR", "/tmp")) / f"out-of-{os.getpid()}-{path.name}"
    path.rename(other)
    path.symlink_to(other)


def _socket(path: Path) -> None:
    # The name of a socket has few letters: it is made here and moved.
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
    Path("s").rename(path)


def _sparse(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(GIGABYTE)


def _sparse_alone(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(GIGABYTE)


def _renamed(stem: str) -> Place:
    def place(path: Path) -> None:
        endings = "".join(path.suffixes[-2:] if path.name.endswith(".gz") else path.suffixes[-1:])
        name = stem.encode() * 255
        path.rename(path.with_name(name[: 255 - len(endings)].decode() + endings if len(stem) == 1 else stem + endings))

    return place


def _beside(name: str, content: bytes | None) -> Place:
    def place(path: Path) -> None:
        other = path.with_name(name.replace("NAME", path.name).replace("STEM", path.stem).replace("END", path.suffix))
        other.write_bytes(path.read_bytes() if content is None else content)

    return place


def _folder_beside(path: Path) -> None:
    path.with_name("nothing in it").mkdir()


PLACES: dict[str, Place] = {
    "missing": Path.unlink,
    "a folder": _instead(lambda path: path.mkdir()),
    "a pipe": _instead(lambda path: os.mkfifo(path)),
    "a socket": _socket,
    "a device": _link("/dev/zero"),
    "nothing": _link("/dev/null"),
    "a terminal": _link("/dev/tty"),
    "a file of the kernel": _link("/proc/self/mem"),
    "a link to nothing": _link("nowhere"),
    "a link to itself": _link("NAME"),
    "a link to its folder": _link("."),
    "a link out of the folder": _out_of_the_folder,
    "a gigabyte of zeros": _sparse_alone,
    "a gigabyte of zeros at the end": _sparse,
    "a name with an end of line": _renamed("a\nb"),
    "a name in other letters": _renamed("Übung ٣ 図"),
    "a name of 255 bytes": _renamed("x"),
    "beside it: of a Mac": _beside("._NAME", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "),
    "beside it: of a Mac, as the file itself": _beside(".DS_Store", b"\x00\x00\x00\x01Bud1\x00"),
    "beside it: of Windows": _beside("Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    "beside it: of an editor": _beside(".NAME.swp", b"b0VIM 8.2"),
    "beside it: a copy": _beside("STEM (1)END", None),
    "beside it: an empty folder": _folder_beside,
}  # fmt: skip
if hasattr(os, "geteuid") and os.geteuid():
    PLACES["not to be read"] = lambda path: path.chmod(0)
