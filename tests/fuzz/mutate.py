"""Damages valid inputs: bytes, values of JSON and TOML, headers of arrays, pickles, and what a path can lead to."""

import io
import json
import os
import random
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Files = dict[str, bytes]
Marker = str

# Valid JSON of another shape, and TOML of another type.
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 3, 2**31, 2**63, 10**400, 1.5, 1e308, "", "x", "a" * 100_000, [], {}, [[]], [None], [1, "a"],
    {"a": {}}, "../../etc/passwd", "/dev/zero", "\x00", "\ud7ff", "os:system", "<script>", [[0] * 3] * 3, 1e-320,
)  # fmt: skip
ODD_TEXT = (
    b"9" * 400, b"-1", b"1e999", b"nan", b"inf", b"0x10", b"", b"2112-03-01 00:00:00", b"99999999999", b"\x00",
    b"\xff\xfe", b'"', b",,,,", b"\n\n\n", b"1_000", "١٢".encode(), b"-9223372036854775809", b"1" * 20,
)  # fmt: skip
NAMES = ("x" * 200, "a\nb", "-rf", "ü.csv", "%s%s%n", "a b")


def mutated(files: Mapping[str, bytes], others: list[bytes], draw: random.Random, marker: Marker) -> Files:
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


def _damaged(name: str, content: bytes, others: list[bytes], draw: random.Random, marker: Marker) -> bytes:
    suffix = Path(name).suffix.lower()
    kinds: list[Callable[[], bytes]] = [lambda: _bytes(content, others, draw)]
    special = {".json": _json, ".toml": _toml, ".npy": _npy, ".npz": _npz, ".pkl": _pickle, ".pt": _pickle}
    if suffix == ".safetensors":
        kinds += [lambda: _safetensors(content, draw)] * 2
    elif suffix in special:
        kinds += [lambda: special[suffix](content, draw, marker)] * 2
    elif suffix in (".csv", ".txt", ".skeleton", ".bvh", ".tsv") or content[:1] == b"{":
        kinds += [lambda: _text(content, draw)] * 2
    if content[:1] == b"{" and suffix not in special:
        kinds += [lambda: _json(content, draw, marker)] * 2
    try:
        return draw.choice(kinds)()
    except (
        ValueError, KeyError, IndexError, RecursionError, UnicodeDecodeError, zipfile.BadZipFile, EOFError, zlib.error,
        NotImplementedError, RuntimeError,
    ):  # fmt: skip
        # It was damaged before, and is no longer of its format.
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


# ---- values ----


def _json(content: bytes, draw: random.Random, marker: Marker) -> bytes:
    if draw.random() < 0.15:
        return draw.choice(
            (b"[" * 100_000, b'{"a":' * 50_000, b"[" * 3_000 + b"]" * 3_000, b"1" * 10_000, b"NaN", b"[]", b"3",
             b"null", b'"text"', b"{}", b'{"a": Infinity}')
        )  # fmt: skip
    value = json.loads(content)
    for _ in range(draw.choice((1, 1, 2))):
        value = _changed(value, draw)
    return json.dumps(value).encode("utf-8", "replace")


def _changed(value: Any, draw: random.Random) -> Any:
    """The value with one entry, at any depth, replaced, removed, repeated or renamed."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        key = draw.choice(sorted(value))
        action = draw.randrange(6)
        if action == 0:
            return {name: item for name, item in value.items() if name != key}
        if action == 1:
            return {(name if name != key else draw.choice(("x", "", "__class__"))): value[name] for name in value}
        return {**value, key: _changed(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.8:
        place = draw.randrange(len(value))
        action = draw.randrange(6)
        if action == 0:
            return value[:place] + value[place + 1 :]
        if action == 1:
            return [*value, value[place]]
        return [*value[:place], _changed(value[place], draw), *value[place + 1 :]]
    return draw.choice(ODD_VALUES)


def _toml(content: bytes, draw: random.Random, marker: Marker) -> bytes:
    if draw.random() < 0.1:
        return draw.choice((b"a = " + b"[" * 50_000, b"[" + b"a." * 20_000 + b"a]", b"a = " + b"9" * 10_000, b"= 3"))
    lines = content.decode().split("\n")
    places = [place for place, line in enumerate(lines) if "=" in line]
    place = draw.choice(places)
    name = lines[place].partition("=")[0].strip()
    literal = draw.choice(
        ("1", "-1", "1e400", "nan", "inf", '""', '"x"', "[]", "{}", "true", "[[1]]", "1979-05-27", '["a", 1]', "9" * 30,
         '"os"', '"os:system"', '"../x"', '{ a = 1 }', '"\\u0000"', '"' + "a" * 100_000 + '"', "[" * 900 + "]" * 900)
    )  # fmt: skip
    action = draw.randrange(5)
    if action == 0:
        lines.pop(place)
    elif action == 1:
        lines.insert(place, lines[place])
    elif action == 2:
        lines[place] = f"{name}x{lines[place][len(name) :]}"
    else:
        lines[place] = f"{name} = {literal}"
    return "\n".join(lines).encode()


# ---- arrays and archives ----


def _npy(content: bytes, draw: random.Random, marker: Marker) -> bytes:
    length = int.from_bytes(content[8:10], "little")
    header, rest = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    shape = draw.choice(
        ("(1000000000000,)", "(4611686018427387904, 4)", "(-1,)", "()", "(0,)", "(3,)", "('a',)",
         "(10000, 10000, 10000)", "(1e3,)", "None", "(" + "1, " * 100 + ")")
    )  # fmt: skip
    kind = draw.choice(("|O", "<U1000000000", "<f8", "<i1", "<c16", "V0", "M8[ns]", "[('a', '<f4')]", "garbage", "|S0"))
    if draw.random() < 0.6:
        header = re.sub(r"'shape': \([^)]*\)", f"'shape': {shape}", header)
    else:
        header = re.sub(r"'descr': '[^']*'", f"'descr': {kind if kind[0] == '[' else repr(kind)}", header)
    header = header.rstrip() + "\n"
    return content[:8] + len(header).to_bytes(2, "little") + header.encode("latin1") + rest


def _npz(content: bytes, draw: random.Random, marker: Marker) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(sorted(members))
    action = draw.randrange(6)
    if action == 0:
        members[draw.choice(("../../x.npy", "/tmp/x.npy", "x.npy", "data.txt", ""))] = members.pop(name)
    elif action == 1:
        members[name] = members[name] + b"\x00" * 4_000_000
    else:
        members[name] = _npy(members[name], draw, marker) if action < 5 else members[name][: draw.randrange(200)]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for member, data in members.items():
            archive.writestr(member or "empty", data)
    return made.getvalue()


def _safetensors(content: bytes, draw: random.Random) -> bytes:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    text = json.dumps(_changed(header, draw)).encode("utf-8", "replace")
    if draw.random() < 0.2:
        return draw.choice((2**63, 2**40, 0, 3)).to_bytes(8, "little") + text + content[8 + length :]
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def _pickle(content: bytes, draw: random.Random, marker: Marker) -> bytes:
    """Pickles that run something, ask for memory, or are nested."""
    run = f"cos\nmkdir\n(V{marker}\ntR.".encode()
    build = f"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c{chr(len(marker) + 24)}import os; os.mkdir('{marker}')\x85R."
    return draw.choice(
        (run, build.encode("latin1"), b"Nr\xff\xff\xff\x3f.", b"\x80\x04\x8e\x00\x00\x00\x00\x01\x00\x00\x00.",
         b"\x80\x02B\xff\xff\xff\x7f.", b"(" * 100_000 + b".", b"]" * 50_000 + b"a" * 49_999 + b".", b"N.", b"K\x01.",
         b"cbuiltins\neval\n(V1\ntR.", b"\x80\x05\x96\xff\xff\xff\xff\x00\x00\x00\x00.", content[:-20] + b"0.",
         b"\x80\x04]\x94(h\x00e.", b"L" + b"9" * 100_000 + b"L\n.", content + content, b"}q\x00(h\x00h\x00u.")
    )  # fmt: skip


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
