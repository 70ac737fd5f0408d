"""Small objects of the kinds that public functions take, and valid calls of what no example calls, made of them."""

import contextlib
import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import stexplain as stx
from stexplain.checking.hints import checks_of, predicate
from tests.fuzz.examples import Call, Entry, _silent, entries

NAMES = ("a", "b", "c")


def graph() -> Any:
    """A line of three nodes, with places to draw it."""
    return stx.STGraph.from_edges(
        NAMES, [("a", "b"), ("b", "c")], center="a", positions=[(0, 0), (1, 0), (2, 1)], groups={"end": ["a", "c"]}
    )


def batch() -> Any:
    """Four samples of one person, eight frames, three nodes, two channels."""
    x = torch.randn(4, 1, 8, 3, 2, generator=torch.Generator().manual_seed(0))
    return stx.Batch(x, torch.ones(4, 1, 8, dtype=torch.bool), torch.tensor([0, 1, 0, 1]), ("p", "q", "r", "s"))


class Model(torch.nn.Module):
    """A network of two classes."""

    layout = "b m t n c"
    class_names = ("no", "yes")

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = torch.nn.Linear(2, 4), torch.nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, ``[B, 2]``."""
        return self.last(self.first(x).relu().mean((1, 2, 3)))


def explanation() -> Any:
    """Of a batch, on its graph."""
    with stx.InputGradient(Model(), graph=graph(), classes=["no", "yes"]) as explain:
        return explain(batch())


def edge_explanation() -> Any:
    """Which edges, when."""
    from tests.fuzz.examples import _recorded

    _, made = _recorded(stx.EdgeImportance)
    return next(one for one in made if isinstance(one, stx.EdgeExplanation))


def series() -> Any:
    """Two days of hourly observations of three sensors."""
    values = np.random.default_rng(0).normal(50, 5, (48, 3))
    return stx.load_sensors(
        values, nodes=list(NAMES), graph=graph(), start="2024-01-01", minutes=60, window=4, horizon=2
    )


def sample() -> Any:
    """One of a batch."""
    return stx.Sample(batch().x[0].numpy(), np.ones((1, 8), bool), label=1, id="p")


FACTORIES: tuple[Callable[[], Any], ...] = (graph, batch, sample, Model, explanation, edge_explanation, series)


@functools.cache
def objects() -> tuple[Any, ...]:
    """One of each kind; what cannot be made is not among them."""
    made: list[Any] = []
    for factory in FACTORIES:
        with contextlib.suppress(Exception), _silent():
            made.append(factory())
    plain = [Path("nowhere") / "x.json", np.random.default_rng(0).random((4, 3)), [0, 1], ["a", "b"], 1, 0.5, "a", True]
    return (*made, *plain, {"a": 1}, np.array([0, 1]), batch().x, np.array([0.5]))


def made_call(entry: Entry, known: list[Any]) -> Call | None:
    """A call that succeeds, of arguments that are what the annotations say; none: there is none.

    Args:
        entry: what is called.
        known: objects that examples gave.
    """
    for bound in _bound(entry, known):
        with contextlib.suppress(Exception), _silent():
            named = _arguments(entry, bound, [*reversed(known), *objects()])
            bound(**named)
            return Call(bound, (), named)
    return None


def _bound(entry: Entry, known: list[Any]) -> list[Any]:
    if entry.method in ("", "__init__"):
        return [entry.owner]
    own = inspect.getattr_static(entry.owner, entry.method)
    if isinstance(own, classmethod | staticmethod):
        return [getattr(entry.owner, entry.method)]
    return [getattr(one, entry.method) for one in [*reversed(known), *objects()] if isinstance(one, entry.owner)][:3]


def _arguments(entry: Entry, bound: Any, known: list[Any]) -> dict[str, Any]:
    instances = [one for one in known if entry.method == "__init__" and type(one) is entry.owner]
    if instances and dataclasses.is_dataclass(entry.owner):
        # The fields of one that there is.
        given = [one.name for one in dataclasses.fields(entry.owner) if one.init]
        return {name: getattr(instances[0], name) for name in given}
    checks = checks_of(entry.function)
    named = {}
    for parameter in inspect.signature(bound).parameters.values():
        if parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            check = checks.get(parameter.name)
            fits = check.fits if check else predicate(typing.Any, {})
            named[parameter.name] = next(one for one in known if fits(one))
    return named


def without_calls() -> list[str]:
    """The names of what has no valid call."""
    from tests.fuzz.examples import valid_calls

    return [entry.name for entry in entries() if not valid_calls(entry)]
