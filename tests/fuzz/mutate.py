"""Damages valid inputs: their bytes, what they hold (`damage`), and what a path can lead to."""

import os
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz.damage.archives import damaged_npy, damaged_npz, damaged_safetensors
from tests.fuzz.damage.pickles import damaged_pickle, damaged_torch
from tests.fuzz.damage.values import damaged_json, damaged_toml

Files = dict[str, bytes]
ODD_TEXT = (
    b"9" * 400, b"-1", b"1e999", b"nan", b"inf", b"0x10", b"", b"2112-03-01 00:00:00", b"99999999999", b"\x00",
    b"\xff\xfe", b'"', b",,,,", b"\n\n\n", b"1_000", "١٢".encode(), b"-9223372036854775809", b"1" * 20,
)  # fmt: skip
BY_SUFFIX = {
    ".json": damaged_json, ".toml": damaged_toml, ".npy": damaged_npy, ".npz": damaged_npz, ".pkl": damaged_pickle,
    ".pt": damaged_torch,
}  # fmt: skip
NAMES = ("x" * 200, "a\nb", "-rf", "ü.csv", "%s%s%n", "a b")


def mutated(files: Mapping[str, bytes], others: list[bytes], draw: random.Random, marker: str) -> Files:
    """A damaged copy of a folder's files: one to three changes."""
    changed = dict(files)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if not changed:
            break
        name = draw.choice(sorted(changed))
        changed[name] = _damaged(name, changed[name], others, draw, marker)
        if draw.random() < 0.03:
            changed.pop(name)
        elif draw.random() < 0.03:
            changed[f"{Path(name).parent / draw.choice(NAMES)}{Path(name).suffix}"] = changed[name]
    return changed


def _damaged(name: str, content: bytes, others: list[bytes], draw: random.Random, marker: str) -> bytes:
    suffix = Path(name).suffix.lower()
    kinds: list[Callable[[], bytes]] = [lambda: _bytes(content, others, draw)]
    if suffix == ".safetensors":
        kinds += [lambda: damaged_safetensors(content, draw)] * 2
    elif suffix in BY_SUFFIX:
        kinds += [lambda: BY_SUFFIX[suffix](content, draw, marker)] * 2
    elif suffix in (".csv", ".txt", ".skeleton", ".bvh", ".tsv") or content[:1] == b"{":
        kinds += [lambda: _text(content, draw)] * 2
    if content[:1] == b"{" and suffix not in BY_SUFFIX:
        kinds += [lambda: damaged_json(content, draw, marker)] * 2
    try:
        return draw.choice(kinds)()
    except Exception:
        # It was damaged before, and is no longer of its format: whatever reads it may raise anything.
        return _bytes(content, others, draw)


def _bytes(content: bytes, others: list[bytes], draw: random.Random) -> bytes:
    kind = draw.randrange(10)
    at, end = sorted((draw.randrange(len(content) + 1), draw.randrange(len(content) + 1)))
    if kind == 0:
        return content[:at]
    if kind == 1:
        flipped = bytearray(content)
        for _ in range(draw.choice((1, 1, 4, 30))):
            if flipped:
                flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
        return bytes(flipped)
    if kind == 2:
        other = draw.choice(others)
        cut = draw.randrange(len(other) + 1)
        return content[:at] + other[cut : cut + end - at] + content[end:]
    if kind == 3:
        return content[:at] + content[end:]
    if kind == 4:
        return content[:end] + content[at:end] * draw.choice((1, 3, 50)) + content[end:]
    if kind == 5:
        return draw.choice((b"", b"\x00" * 64, b"\xff" * 64, draw.randbytes(200), draw.choice(others)))
    if kind == 6:
        text = content.decode("utf-8", "replace")
        return text.encode(draw.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7")), "replace")
    if kind == 7:
        return content[:at] + draw.choice((b"\xff", b"\xe9", b"\x00", b"\r", b"\xed\xa0\x80")) + content[at:]
    if kind == 8:
        return content[:at] + b"\xff" * draw.choice((1, 4, 8)) + content[min(len(content), at + 8) :]
    return _text(content, draw)


def _text(content: bytes, draw: random.Random) -> bytes:
    """Another number, line or separator, in a text."""
    kind = draw.randrange(5)
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", content[:200_000]))
    if kind <= 1 and numbers:
        match = draw.choice(numbers)
        return content[: match.start()] + draw.choice(ODD_TEXT) + content[match.end() :]
    if kind == 2 and numbers:
        # One wrong digit, as of a year.
        digits = [place for match in numbers for place in range(match.start(), match.end())]
        place = draw.choice(digits)
        return content[:place] + str(draw.randrange(10)).encode() + content[place + 1 :]
    lines = content.split(b"\n")
    place = draw.randrange(len(lines))
    if kind == 3:
        lines[place : place + 1] = draw.choice(([], [lines[place]] * 2, [b""], [draw.choice(ODD_TEXT)]))
        return b"\n".join(lines)
    return content.replace(draw.choice((b",", b"\n", b" ", b'"')), draw.choice((b";", b"\r", b"", b"\t", b",")))


# ---- what a path leads to ----


def special(path: Path, draw: random.Random) -> None:
    """In the place of a file something that is none: a folder, a dangling link, a pipe, a device."""
    kept = path.read_bytes()
    path.unlink()
    kind = draw.randrange(8)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        path.symlink_to(path.parent / "nowhere")
    elif kind == 2:
        path.symlink_to(path.name)
    elif kind == 3:
        os.mkfifo(path)
    elif kind == 4:
        path.symlink_to("/dev/zero")
    elif kind == 5:
        path.symlink_to("/dev/null")
    elif kind == 6:
        path.write_bytes(kept)
        path.chmod(0)
    # else: it is missing
