"""Values of JSON, TOML and pickles, and whole arrays, changed into others."""

import json
import random
from typing import Any

import numpy as np

# Valid JSON of another shape.
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 3, 2**31, 2**63, 10**400, 1.5, 1e308, "", "x", "a" * 100_000, [], {}, [[]], [None], [1, "a"],
    {"a": {}}, "../../etc/passwd", "/dev/zero", "\x00", "\ud7ff", "os:system", "<script>", [[0] * 3] * 3, 1e-320,
)  # fmt: skip
# What a pickle can hold beyond that.
ODD_OBJECTS: tuple[Any, ...] = (
    np.zeros(0), np.zeros((0, 3)), np.full((3, 3), np.nan), np.array(["a", "b"]), np.array([None, "a"]), np.array(5),
    np.float64("nan"), np.int64(-1), np.array([2**63], "u8"), np.zeros(2, "M8[s]"), np.zeros(2, [("a", "f4")]), b"\xff",
    (), (1,), {1, 2}, 1j, float("nan"), float("inf"), {None: 1, "a": 2}, {(1, 2): 3}, np.arange(1e5),
)  # fmt: skip


def damaged_json(content: bytes, draw: random.Random, marker: str) -> bytes:
    if draw.random() < 0.15:
        return draw.choice(
            (b"[" * 100_000, b'{"a":' * 50_000, b"[" * 3_000 + b"]" * 3_000, b"1" * 10_000, b"NaN", b"[]", b"3",
             b"null", b'"text"', b"{}", b'{"a": Infinity}')
        )  # fmt: skip
    value = json.loads(content)
    for _ in range(draw.choice((1, 1, 2))):
        value = changed(value, draw)
    return json.dumps(value).encode("utf-8", "replace")


def changed(value: Any, draw: random.Random, odd: tuple[Any, ...] = ODD_VALUES) -> Any:
    """The value with one entry, at any depth, replaced, removed, repeated or renamed."""
    if isinstance(value, tuple):
        inside = changed(list(value), draw, odd)
        return tuple(inside) if isinstance(inside, list) else inside
    if isinstance(value, np.ndarray) and draw.random() < 0.7:
        return changed_array(value, draw)
    if isinstance(value, dict) and value and draw.random() < 0.9:
        key = draw.choice(sorted(value, key=str))
        action = draw.randrange(6)
        if action == 0:
            return {name: item for name, item in value.items() if name != key}
        if action == 1:
            return {(name if name != key else draw.choice(("x", "", "__class__"))): value[name] for name in value}
        return {**value, key: changed(value[key], draw, odd)}
    if isinstance(value, list) and value and draw.random() < 0.8:
        place = draw.randrange(len(value))
        action = draw.randrange(6)
        if action == 0:
            return value[:place] + value[place + 1 :]
        if action == 1:
            return [*value, value[place]]
        return [*value[:place], changed(value[place], draw, odd), *value[place + 1 :]]
    return draw.choice(odd)


def damaged_toml(content: bytes, draw: random.Random, marker: str) -> bytes:
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


def changed_array(value: np.ndarray, draw: random.Random) -> np.ndarray:
    """The array of another shape or kind, or with one odd number in it."""
    action = draw.randrange(9)
    if action < 4:
        row = np.atleast_1d(value)
        return draw.choice(
            (row[:0], row[:-1], value[None], value[..., None], value.ravel(), value.T, row[..., ::-1], np.tile(row, 2))
        )
    if action < 6:
        with np.errstate(all="ignore"):
            return value.astype(draw.choice(("i1", "f2", ">f8", "c8", "?", "U5", "S3", "O", "u8")))
    if value.size and value.dtype.kind in "iuf":
        # Written back in its own kind: a number too large for it is another wrong number.
        numbers = value.astype(float)
        numbers.flat[draw.randrange(value.size)] = draw.choice((np.nan, np.inf, -1, 1e30, -1e-30, 2**63, 0.5))
        with np.errstate(all="ignore"):
            return numbers.astype(draw.choice((value.dtype, numbers.dtype)))
    return np.zeros_like(value)
