"""Checks the card and the experiment in a dataset's folder, the user's own above all, and reports every problem."""

import inspect
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.sparse.csgraph import connected_components

from stexplain.bench.experiment import load_experiment
from stexplain.cards import DatasetCard, Protocol, SeriesCard, Trust, any_card, card_path, import_of, trusting
from stexplain.cards.messages import alike
from stexplain.errors import CardError, StexplainError, suggest
from stexplain.graph import STGraph


@dataclass(frozen=True)
class CardReport:
    """The problems and warnings of a card's folder.

    Attributes:
        path: of the card's file.
        problems: errors, with which the card cannot be used.
        warnings: what is unusual, but may be intended.
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
        count = len(self.problems)
        verdict = f"{count} problem{'s' if count > 1 else ''}" if count else "no problems"
        lines = [f"{self.path}: {verdict}"]
        lines += [f"  problem:  {text}" for text in self.problems]
        lines += [f"  warning:  {text}" for text in self.warnings]
        return "\n".join(lines)


def check_card(folder: str | Path, *, trust: Trust = ()) -> CardReport:
    """Checks a dataset's card and the experiment beside it.

    Fields that are missing, unknown or of a wrong type are reported first, all of them; what the fields say is checked
    once they are valid.

    Args:
        folder: the card's folder or file, or the name of a card.
        trust: modules outside this package that the card may import, see `stexplain.cards.trusting`.

    Raises:
        CardError: where there is no such card.

    Example:
        >>> print(check_card("ntu"))
        /.../datasets/ntu/card.toml: no problems
    """
    with trusting(trust):
        return _checked(folder)


def _checked(folder: str | Path) -> CardReport:
    path = card_path("datasets", folder)
    problems: list[str] = []
    unusual: list[str] = []
    try:
        card = any_card(path)
    except CardError as error:
        # What fields say cannot be checked where the fields themselves are wrong.
        return CardReport(path, tuple(_lines(error)), ())
    if isinstance(card, DatasetCard):
        wrong = list(_graph(card))
        problems += [*wrong, *_classes(card), *_protocols(card), *_twice("axes.channels", card.axes.channels)]
        unusual += _unusual_classes(card)
        # A graph with a wrong edge cannot be made, so it cannot be looked at.
        unusual += [] if wrong else _components(card)
        problems += _module(card, "reader", card.reader, {"find": 2, "read": 1})
    else:
        problems += _twice("series.channels", card.series.channels)
        problems += _module(card, "reader", card.reader, {"read": 2})
    if card.planted is not None:
        problems += _module(card, "planted", card.planted, {"generate": None})
    problems += _experiment(card)
    if card.name != path.parent.name and path.name == "card.toml":
        unusual.append(f"name is {card.name!r}, the folder {path.parent.name!r}: cards are found by the folder's name.")
    return CardReport(path, tuple(problems), tuple(unusual))


def _lines(error: StexplainError) -> list[str]:
    """The parts of a message that lists several; else the message."""
    # Messages about several fields have a line each, below one that names the file.
    first, *rest = str(error).split("\n")
    return [line.strip() for line in rest] if rest else [first]


def _graph(card: DatasetCard) -> Iterator[str]:
    part = card.graph
    known, wrong = set(part.nodes), False
    # All wrong edges are listed here; `STGraph` below would stop at the first.
    for source, target in part.edges:
        for name in (source, target):
            if name not in known:
                wrong = True
                hint = suggest(name, known)
                yield f"graph.edges: got [{source!r}, {target!r}]; there is no node {name!r}. {hint}"
    for name, count in Counter(part.nodes).items():
        if count > 1:
            wrong = True
            yield f"graph.nodes: got {name!r} {count} times; names must be unique."
    if not wrong:
        try:
            _made(card)
        except StexplainError as error:
            yield str(error)


def _made(card: DatasetCard) -> STGraph:
    """The card's graph; what it warns of, nodes without an edge, `_components` says."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return STGraph.from_card(card)


def _components(card: DatasetCard) -> Iterator[str]:
    graph = _made(card)
    # Undirected: what counts is whether anything connects two nodes, in either direction.
    count, label = connected_components(graph.to_scipy(), directed=False)
    if count > 1:
        # One node outside the largest component is enough to see what is meant.
        sizes = Counter(label.tolist())
        largest = max(sizes, key=lambda number: sizes[number])
        name = next(node for node, number in zip(graph.nodes, label, strict=True) if number != largest)
        yield (
            f"graph: it has {count} components; {name!r} is outside the largest. "
            "No convolution passes messages between components."
        )


def _classes(card: DatasetCard) -> Iterator[str]:
    for what, values in (("id", [entry.id for entry in card.classes]), ("name", card.class_names)):
        for value, count in Counter(values).items():
            if count > 1:
                yield f"classes: got the {what} {value!r} {count} times; each class needs its own."
    for entry in card.classes:
        if entry.instances > card.axes.instances:
            yield (
                f"classes: got {entry.instances} instances for {entry.name!r}; expected at most axes.instances, "
                f"{card.axes.instances}."
            )
    if not card.classes:
        yield "classes: there is none. Give each class a table [[classes]] with id and name."


def _unusual_classes(card: DatasetCard) -> Iterator[str]:
    if len(card.classes) == 1:
        yield f"classes: there is one alone, {card.class_names[0]!r}: there is nothing to distinguish."
    for first, other in alike(card.class_names):
        yield f"classes: {first!r} and {other!r} differ in letters' case, spaces or leading zeros alone."


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what}: got {name!r} {count} times; each channel needs its own name."


def _protocols(card: DatasetCard) -> Iterator[str]:
    for name, protocol in card.protocols.items():
        yield from (f"protocols.{name}: {text}" for text in _protocol(protocol))
    if not card.protocols:
        yield "protocols: there is none. Give at least one, with train and validation."


def _protocol(protocol: Protocol) -> Iterator[str]:
    train, test, validation = protocol.train, protocol.test, protocol.validation
    values: dict[str, dict[type, Any]] = {}
    for part, selection in (("train", train), ("test", test), ("validation", validation)):
        if selection is None:
            continue
        if not selection.values:
            yield f"{part} has no values of {selection.field}; expected those of its recordings."
        for value in selection.values:
            values.setdefault(selection.field, {}).setdefault(type(value), value)
    for field, kinds in values.items():
        if len(kinds) > 1:
            shown = " and ".join(repr(value) for value in kinds.values())
            yield f"got {shown} as values of {field}, text and numbers; expected one of them, as its recordings have."
            return
    # Two selections by different fields may share recordings on purpose: the test split then excludes the training one.
    if test is not None and test.field == train.field:
        both = [value for value in test.values if value in train.values]
        if both:
            yield f"train and test both have the {train.field} {both[0]!r}. A recording may be in one only."
    if validation.field == train.field:
        outside = [value for value in validation.values if value not in train.values]
        if outside:
            yield f"validation has the {train.field} {outside[0]!r}, which train lacks: it is a part of train."
        # Its recordings are taken from those of train.
        if train.values and not set(train.values) - set(validation.values):
            yield f"validation takes every {train.field} of train, and leaves nothing to train on."
    if test is not None and test.field == validation.field:
        both = [value for value in test.values if value in validation.values]
        if both and validation.field == train.field:
            yield f"test and validation both have the {test.field} {both[0]!r}."


def _module(
    card: DatasetCard | SeriesCard, field: str, path: str, functions: Mapping[str, int | None]
) -> Iterator[str]:
    """What is wrong with a module: by name, how many arguments its functions are called with; none: any number."""
    try:
        module = import_of(card, path)
    except StexplainError as error:
        yield f"{field}: {error}"
        return
    except Exception as error:  # a user's own module may raise anything as it is imported
        yield f"{field}: {path!r} could not be imported: {type(error).__name__}: {error}"
        return
    if "find" not in functions and field == "reader" and inspect.isfunction(getattr(module, "find", None)):
        yield f"{field}: {path!r} reads recordings; expected one of series, or a card with [axes], [graph] and classes."
    for name, count in functions.items():
        found = getattr(module, name, None)
        if not callable(found):
            own = [each for each, value in vars(module).items() if inspect.isfunction(value)]
            yield f"{field}: {path!r} has no function {name!r}. {suggest(name, own)}"
        elif count is not None and not _takes(found, count):
            takes = "the path alone, of a card of recordings" if count == 1 else "the path and the card"
            yield f"{field}: {name!r} of {path!r} does not take {count} argument{'s' * (count > 1)}; expected {takes}."


def _takes(function: Any, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # one that says nothing of its arguments
        return True
    return True


def _experiment(card: DatasetCard | SeriesCard) -> Iterator[str]:
    """What is wrong with the experiment beside the card: its runs, and the options of every stage."""
    if not card.path.with_name("experiment.toml").is_file():
        return
    try:
        load_experiment(card.path, card)
    except StexplainError as error:
        # Every problem is listed below the card's path, so that the file's name is enough.
        path = str(card.path.with_name("experiment.toml"))
        yield from (f"experiment.toml: {line.removeprefix(path).lstrip(': ')}" for line in _lines(error))
