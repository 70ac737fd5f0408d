"""Small objects of the kinds that public functions take, and valid calls of what no example calls, made of them."""

import contextlib
import dataclasses
import functools
import inspect
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

import stexplain as stx
from stexplain.cards import model_card
from stexplain.checking.hints import checks_of
from stexplain.data.store.prepare import prepare
from stexplain.explainers.outputs.model_output import ModelOutput
from tests.fuzz import corpus
from tests.fuzz.arguments import combinations, instances, values_of
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

    def forward(self, x: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
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
    time = pd.date_range("2024-01-01", periods=48, freq="h")
    return stx.WindowedSeries(values, window=4, horizon=2, graph=graph(), time=time)


def sample() -> Any:
    """One of a batch."""
    return stx.Sample(batch().x[0].numpy(), np.ones((1, 8), bool), label=1, id="p")


def clips() -> Any:
    """Eight of four persons, of two classes, as the model takes them."""
    x = np.random.default_rng(0).normal(size=(8, 1, 8, 3, 2)).astype(np.float32)
    named: Any = {"classes": ["no", "yes"], "channels": ["x", "y"], "fields": {"subject": [1, 1, 2, 2, 3, 3, 4, 4]}}
    return stx.Clips.from_arrays(x, [0, 1] * 4, graph=graph(), **named)


def recipe() -> Any:
    """How to train for an instant."""
    return next(iter(model_card("stgcn7").recipes.values())).model_copy(update={"epochs": 1})


def prepared() -> Any:
    """The folder of a prepared store."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-store-"))
    (folder / "raw").mkdir()
    corpus.nw_ucla(folder / "raw")
    prepare("nw-ucla", folder / "raw", folder / "store", workers=1, progress=False)
    return folder / "store"


def chart() -> Any:
    """Of an explanation."""
    return explanation().plot()


def axes() -> Any:
    """Of matplotlib, to draw into."""
    from matplotlib.figure import Figure

    return Figure().subplots()


def model_output() -> Any:
    """What the model returns for the batch."""
    return ModelOutput(torch.randn(4, 2, generator=torch.Generator().manual_seed(0)), 4)


FACTORIES: tuple[Callable[[], Any], ...] = (
    graph, batch, sample, Model, explanation, edge_explanation, series, clips, recipe, prepared, chart, axes,
    model_output,
)  # fmt: skip


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
        known: objects that examples gave, and took.
    """
    for bound in _bound(entry, known):
        for named in _arguments(entry, bound, known):
            # What is called may write: into a folder that goes.
            with contextlib.suppress(Exception), _silent(), TemporaryDirectory() as folder, contextlib.chdir(folder):
                bound(**named)
                return Call(bound, (), named)
    return None


def _bound(entry: Entry, known: list[Any]) -> list[Any]:
    if entry.method in ("", "__init__"):
        return [entry.owner]
    own = inspect.getattr_static(entry.owner, entry.method)
    if isinstance(own, classmethod | staticmethod):
        return [getattr(entry.owner, entry.method)]
    made = [one for one in objects() if isinstance(one, entry.owner)]
    made += [one for one in reversed(known) if isinstance(one, entry.owner)][:3] + instances(entry.owner)
    return [getattr(one, entry.method) for one in made[:5]]


def _arguments(entry: Entry, bound: Any, known: list[Any]) -> Iterator[dict[str, Any]]:
    """Arguments of a call, one choice after another."""
    if entry.method == "__init__" and (fields := _fields(entry.owner)):
        # The fields of one that there is.
        for one in instances(entry.owner)[:1]:
            yield {name: getattr(one, name) for name in fields}
    checks, parameters = checks_of(entry.function) if inspect.isfunction(entry.function) else {}, []
    here = [*reversed(known), *objects()]
    if owner := getattr(bound, "__self__", None):
        here.insert(0, owner)
    for parameter in inspect.signature(bound).parameters.values():
        if parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            check = checks.get(parameter.name)
            values = values_of(check.hint, check.names, here) if check else here
            parameters.append((parameter.name, [one for one in values if check is None or check.fits(one)]))
    yield from combinations(parameters, entry.name)


def _fields(kind: Any) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [one.name for one in dataclasses.fields(kind) if one.init]
    return list(getattr(kind, "_fields", ()))


def without_calls() -> list[str]:
    """The names of what has no valid call; `calls.LONG` is not called at all."""
    from tests.fuzz.calls import LONG
    from tests.fuzz.examples import valid_calls

    return [entry.name for entry in entries() if not entry.name.startswith(LONG) and not valid_calls(entry)]
