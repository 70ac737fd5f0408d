"""Wrong arguments: of another type, shape or size than what a function takes, made from what it takes."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch


def odd(draw: random.Random) -> Any:
    """A value that hardly anything takes."""
    return draw.choice(
        (
            lambda: None,
            lambda: "",
            lambda: "x",
            lambda: "no such thing",
            lambda: b"x",
            lambda: 0,
            lambda: -1,
            lambda: 3,
            lambda: 10**18,
            lambda: -(10**18),
            lambda: 2**64,
            lambda: 10**400,
            lambda: 0.5,
            lambda: -0.5,
            lambda: 1e300,
            lambda: float("nan"),
            lambda: float("inf"),
            lambda: float("-inf"),
            lambda: True,
            lambda: 1j,
            lambda: [],
            lambda: (),
            lambda: {},
            lambda: set(),
            lambda: {1, "a"},
            lambda: [[1, 2], [3]],
            lambda: [None],
            lambda: ["a", 1],
            lambda: [float("nan")],
            lambda: {"a": 1},
            lambda: {1: None},
            object,
            lambda: object,
            lambda: len,
            lambda: (each for each in (1, 2)),
            lambda: iter(()),
            lambda: range(3),
            lambda: Path("/nowhere/x"),
            lambda: np.zeros(0),
            lambda: np.zeros(3),
            lambda: np.zeros((2, 3, 4)),
            lambda: np.array("x"),
            lambda: np.array([None, "a"]),
            lambda: np.array([1 + 2j]),
            lambda: np.zeros(3, bool),
            lambda: np.float32(2),
            lambda: np.datetime64("2020-01-01"),
            lambda: torch.zeros(0),
            lambda: torch.zeros(2, 3),
            lambda: torch.full((3,), float("nan")),
            lambda: torch.tensor(2),
            lambda: torch.nn.Linear(2, 2),
            lambda: pd.DataFrame({"a": [1, 2]}),
            lambda: pd.Series(["a", "b"]),
            lambda: np.int64(-5),
            lambda: slice(0, 2),
            lambda: lambda *args, **named: None,
            lambda: type,
            lambda: ValueError("x"),
            lambda: Ellipsis,
        )
    )()


def altered(value: Any, draw: random.Random) -> Any:
    """A value like this one, with something wrong: or as another type that holds the same."""
    if isinstance(value, bool) or value is None or draw.random() < 0.3:
        return odd(draw)
    if isinstance(value, int | np.integer):
        return draw.choice((-value, 0, value + 0.5, float(value), 10**18, str(value), [value], value + 1000, -1, None))
    if isinstance(value, float | np.floating):
        return draw.choice((-value, 0, float("nan"), float("inf"), -1.0, 1e300, str(value), [value], 2.5, None))
    if isinstance(value, str):
        return draw.choice((value + "x", "", value.encode(), [value], Path(value), value.upper(), list(value), 5, None))
    if isinstance(value, torch.Tensor):
        return torch_altered(value, draw)
    if isinstance(value, np.ndarray):
        return array_altered(value, draw)
    if isinstance(value, Mapping):
        return mapping_altered(value, draw)
    if isinstance(value, list | tuple):
        return list_altered(value, draw)
    if isinstance(value, pd.DataFrame | pd.Series):
        return draw.choice(
            (
                value.to_numpy(),
                value.iloc[:0],
                value.iloc[:, :1] if value.ndim == 2 else value.to_frame(),
                value.astype(str),
                value.T,
                value.reset_index(),
                value.to_dict(),
                list(value),
                pd.concat([value, value]),
            )
        )
    return odd(draw)


def array_altered(value: np.ndarray[Any, Any], draw: random.Random) -> Any:
    """An array of another shape, type or content."""
    kinds: list[Any] = [
        lambda: value.tolist(),
        lambda: value[..., None],
        lambda: value[:0],
        lambda: value.ravel(),
        lambda: value.T,
        lambda: value.astype(str),
        lambda: value.astype(object),
        lambda: np.where(value == value, None, value),
        lambda: value.astype(complex),
        lambda: torch.as_tensor(value),
        lambda: pd.DataFrame(value.reshape(len(value), -1)),
        lambda: set(value.ravel().tolist()),
        lambda: iter(value),
        lambda: np.full(value.shape, np.nan),
        lambda: np.full(value.shape, np.inf),
        lambda: np.full(value.shape, 1e300),
        lambda: -value - 1,
        lambda: np.concatenate([value, value]),
        lambda: value[0],
        lambda: value.astype(bool),
        lambda: value.astype(float) + 0.5,
        lambda: value[:1],
        lambda: np.zeros_like(value),
        lambda: [value, value[:1]],
    ]
    return _first(kinds, draw)


def torch_altered(value: torch.Tensor, draw: random.Random) -> Any:
    """A tensor of another shape, type or content."""
    kinds: list[Any] = [
        lambda: value.tolist(),
        lambda: value[..., None],
        lambda: value[:0],
        lambda: value.flatten(),
        lambda: value.mT,
        lambda: value.to(torch.complex64),
        lambda: value.numpy(),
        lambda: torch.full_like(value, float("nan")),
        lambda: torch.full_like(value, float("inf")),
        lambda: value.to(torch.int64),
        lambda: value.to(torch.bool),
        lambda: value.to_sparse(),
        lambda: torch.cat([value, value]),
        lambda: value[0],
        lambda: iter(value),
        lambda: value.to(torch.float16),
        lambda: value.clone().requires_grad_(),
        lambda: value[:1],
        lambda: value.to("meta"),
        lambda: value[:, :0],
        lambda: [value, value[:1]],
        lambda: 1e30 * value,
    ]
    return _first(kinds, draw)


def list_altered(value: Any, draw: random.Random) -> Any:
    """A list with something added, taken away or altered."""
    items = list(value)
    place = draw.randrange(len(items)) if items else 0
    kinds: list[Any] = [
        lambda: [*items, odd(draw)],
        lambda: items[:-1],
        lambda: items + items,
        lambda: set(items),
        lambda: iter(items),
        lambda: np.array(items),
        lambda: torch.tensor(items),
        lambda: pd.Series(items),
        lambda: dict(enumerate(items)),
        lambda: [*items[:place], altered(items[place], draw), *items[place + 1 :]],
        lambda: [items],
        lambda: items[0],
        lambda: [*items[:place], altered(items[place], draw), *items[place + 1 :]],
        lambda: tuple(items),
        lambda: [str(item) for item in items],
        lambda: np.array(items, object),
        lambda: [],
        lambda: [None] * len(items),
    ]
    return _first(kinds, draw)


def mapping_altered(value: Mapping[Any, Any], draw: random.Random) -> Any:
    """A mapping with an entry altered, added, renamed or missing."""
    items = dict(value)
    key = draw.choice(list(items)) if items else "a"
    kinds: list[Any] = [
        lambda: {**items, key: altered(items[key], draw)},
        lambda: {**items, "no such": odd(draw)},
        lambda: list(items),
        lambda: {name: each for name, each in items.items() if name != key},
        lambda: {**items, 5: items[key]},
        lambda: list(items.items()),
        lambda: {},
        lambda: {**items, key: altered(items[key], draw)},
        lambda: items[key],
    ]
    return _first(kinds, draw)


def _first(kinds: list[Any], draw: random.Random) -> Any:
    """The first of them, in a drawn order, that can be made."""
    draw.shuffle(kinds)
    for make in kinds:
        try:
            return make()
        except Exception:
            continue
    return odd(draw)
