"""Checks a dataset's card folder, the user's own above all: everything that is wrong with it, in words."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.sparse.csgraph import connected_components

from stexplain.bench.comparison_experiment import comparison_experiment
from stexplain.bench.experiment import experiment
from stexplain.bench.forecast_experiment import forecast_experiment
from stexplain.bench.run import KINDS
from stexplain.cards import DatasetCard, Protocol, SeriesCard, any_card, card_path, import_object, model_card
from stexplain.errors import CardError, StexplainError, suggest
from stexplain.graph import STGraph


@dataclass(frozen=True)
class CardReport:
    """What was found in a card's folder.

    Attributes:
        path: of the card's file.
        problems: what keeps the card from being used.
        warnings: what may be meant so.
    """

    path: Path
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """The report in JSON's own types."""
        return {
            "path": str(self.path),
            "ok": self.ok,
            "problems": list(self.problems),
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        lines = [f"{self.path}: {f'{len(self.problems)} to mend' if self.problems else 'nothing to mend'}"]
        lines += [f"  mend:  {text}" for text in self.problems]
        lines += [f"  note:  {text}" for text in self.warnings]
        return "\n".join(lines)


def check_card(folder: str | Path) -> CardReport:
    """Checks a dataset's card and the experiment beside it.

    A card that is not valid TOML, or has fields that are missing or unknown, is told field by field; what its fields
    say is checked once they are valid.

    Args:
        folder: the card's folder or file, or the name of a card.

    Raises:
        CardError: where there is no such card.

    Example:
        >>> print(check_card("ntu"))
        /.../datasets/ntu/card.toml: nothing to mend
    """
    path = card_path("datasets", folder)
    problems: list[str] = []
    warnings: list[str] = []
    try:
        card = any_card(path)
    except CardError as error:
        return CardReport(path, tuple(_lines(error)), ())
    if isinstance(card, DatasetCard):
        wrong = list(_graph(card))
        problems += [*wrong, *_classes(card), *_protocols(card)]
        # A graph with a wrong edge cannot be made, so it cannot be looked at.
        warnings += [] if wrong else _apart(card)
        problems += _module(card, "reader", card.reader, ("find", "read"))
    else:
        problems += _module(card, "reader", card.reader, ("read",))
    if card.planted is not None:
        problems += _module(card, "planted", card.planted, ("generate",))
    problems += _experiment(card)
    if card.name != path.parent.name and path.name == "card.toml":
        warnings.append(f"name is {card.name!r}, the folder {path.parent.name!r}: it is found by the folder's name.")
    return CardReport(path, tuple(problems), tuple(warnings))


def _lines(error: StexplainError) -> list[str]:
    """The parts of a message that lists several; else the message."""
    first, *rest = str(error).split("\n")
    return [line.strip() for line in rest] if rest else [first]


def _graph(card: DatasetCard) -> Iterator[str]:
    part = card.graph
    known, told = set(part.nodes), False
    for source, target in part.edges:
        for name in (source, target):
            if name not in known:
                told = True
                yield f"graph.edges: [{source!r}, {target!r}] names the unknown node {name!r}. {suggest(name, known)}"
    for name, count in Counter(part.nodes).items():
        if count > 1:
            told = True
            yield f"graph.nodes: {name!r} is there {count} times. Names must be unique."
    if not told:
        try:
            STGraph.from_card(card)
        except StexplainError as error:
            yield str(error)


def _apart(card: DatasetCard) -> Iterator[str]:
    graph = STGraph.from_card(card)
    count, label = connected_components(graph.to_scipy(), directed=False)
    if count > 1:
        sizes = Counter(label.tolist())
        largest = max(sizes, key=lambda number: sizes[number])
        name = next(node for node, number in zip(graph.nodes, label, strict=True) if number != largest)
        yield (
            f"graph: it falls into {count} parts that no edge joins; {name!r} is outside of the largest. "
            "No convolution carries anything from one to another."
        )


def _classes(card: DatasetCard) -> Iterator[str]:
    for what, values in (("id", [entry.id for entry in card.classes]), ("name", card.class_names)):
        for value, count in Counter(values).items():
            if count > 1:
                yield f"classes: the {what} {value!r} is there {count} times. Each class needs its own."
    for entry in card.classes:
        if entry.instances > card.axes.instances:
            yield f"classes: {entry.name!r} has {entry.instances} instances; axes.instances is {card.axes.instances}."
    if not card.classes:
        yield "classes: there is none. Give each a [[classes]] with id and name."


def _protocols(card: DatasetCard) -> Iterator[str]:
    for name, protocol in card.protocols.items():
        yield from (f"protocols.{name}: {text}" for text in _protocol(protocol))
    if not card.protocols:
        yield "protocols: there is none. Give at least one, with train and validation."


def _protocol(protocol: Protocol) -> Iterator[str]:
    train, test, validation = protocol.train, protocol.test, protocol.validation
    if test is not None and test.field == train.field:
        both = [value for value in test.values if value in train.values]
        if both:
            yield f"train and test both have the {train.field} {both[0]!r}. A recording may be in one only."
    if validation.field == train.field:
        outside = [value for value in validation.values if value not in train.values]
        if outside:
            yield f"validation has the {train.field} {outside[0]!r}, which train lacks: it is a part of train."
        if not set(train.values) - set(validation.values):
            yield f"validation takes every {train.field} of train, and leaves nothing to train on."
    if test is not None and test.field == validation.field:
        both = [value for value in test.values if value in validation.values]
        if both and validation.field == train.field:
            yield f"test and validation both have the {test.field} {both[0]!r}."


def _module(card: DatasetCard | SeriesCard, field: str, path: str, functions: tuple[str, ...]) -> Iterator[str]:
    try:
        module = import_object(path, f"the card {card.name!r}")
    except StexplainError as error:
        yield f"{field}: {error}"
        return
    except Exception as error:  # whatever a user's own module raises as it is imported
        yield f"{field}: {path!r} could not be imported: {type(error).__name__}: {error}"
        return
    for name in functions:
        if not callable(getattr(module, name, None)):
            yield f"{field}: {path!r} has no function {name!r}. {suggest(name, vars(module))}"


def _experiment(card: DatasetCard | SeriesCard) -> Iterator[str]:
    path = card.path.with_name("experiment.toml")
    if not path.is_file():
        return
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        yield f"experiment.toml: it could not be read as TOML: {error}."
        return
    kind = str(said.get("kind", KINDS[0]))
    if kind not in KINDS:
        yield f"experiment.toml: kind is {kind!r}. {suggest(kind, KINDS)}"
        return
    wanted = SeriesCard if kind == "forecast" else DatasetCard
    if not isinstance(card, wanted):
        which = "recordings" if wanted is SeriesCard else "a series"
        yield f"experiment.toml: kind is {kind!r}, which is not for a card of {which}."
        return
    try:
        if isinstance(card, SeriesCard):
            forecast = forecast_experiment(path)
            named = [(model, [forecast.recipes.planted, forecast.recipes.real]) for model in forecast.models]
        elif kind == "comparison":
            named = [(run.model, [run.recipe]) for run in comparison_experiment(path).runs]
        else:
            asked = experiment(card, path)
            named = [(run.model, [asked.recipes.planted, asked.recipes.real]) for run in asked.runs]
    except StexplainError as error:
        yield from (f"experiment.toml: {line}" for line in _lines(error))
        return
    for model, recipes in named:
        for recipe in recipes:
            try:
                model_card(model).recipe(recipe)
            except StexplainError as error:
                yield f"experiment.toml: {error}"
