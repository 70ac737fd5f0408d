"""The wording of a card's errors: per wrong field its place, what it got, what it expected, and the nearest name."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from stexplain.cards.part import Part
from stexplain.errors import suggest

_LETTERS = 200


def field_errors(error: ValidationError, model: type[Part], at: str = "") -> str:
    """One line per wrong field.

    Args:
        error: of `model`.
        model: the part that was validated.
        at: the part's place in the file, such as ``"stages.faithfulness"``.
    """
    lines = []
    for entry in error.errors():
        place = ".".join(filter(None, [at, *map(str, entry["loc"])]))
        if entry["type"] == "extra_forbidden":
            fields = _fields_at(model, entry["loc"][:-1])
            problem = f"there is no such field. {suggest(str(entry['loc'][-1]), fields)}"
        elif entry["type"] == "missing":
            problem = f"required, but missing.{_example(model, entry['loc'])}"
        elif entry["type"] == "value_error":
            # From a validator of ours, which names the value itself; the input is the whole table.
            problem = entry["msg"].removeprefix("Value error, ")
            problem += "" if problem.endswith((".", "?")) else "."
        else:
            # pydantic says "Input should be greater than 0", and for containers "List should have ...".
            expected = re.sub(r"^Input should be ", "expected ", entry["msg"])
            problem = f"got {_shown(entry['input'])}; {expected}.{_nearest(entry)}"
        lines.append(f"  {place}: {problem}" if place else f"  {problem}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    """A value as a message shows it: whole tables would fill the screen."""
    shown = repr(value)
    return shown if len(shown) <= _LETTERS else f"{shown[:_LETTERS]}..."


def _nearest(entry: Any) -> str:
    """The suggestion for a wrong word where the field allows a few."""
    if entry["type"] != "literal_error":
        return ""
    suggestion = suggest(str(entry["input"]), re.findall(r"'([^']*)'", entry["ctx"]["expected"]))
    return f" {suggestion}" if suggestion.startswith("Did you mean") else ""  # else the list would be said twice


def _example(model: type[Part], loc: tuple[int | str, ...]) -> str:
    """What to write for a missing field, where its part gives an example."""
    name = str(loc[-1])
    fields = [part.model_fields[name] for part in _parts_at(model, loc[:-1]) if name in part.model_fields]
    examples = [str(example) for field in fields for example in field.examples or ()]
    return f" For example: {examples[0]}" if examples else ""


def _fields_at(model: type[Part], loc: tuple[int | str, ...]) -> list[str]:
    """The fields of the part at a place in a card, for the nearest match."""
    return [field for part in _parts_at(model, loc) for field in part.model_fields]


def _parts_at(model: type[Part], loc: tuple[int | str, ...]) -> list[type[Part]]:
    """The parts that a place in a card may hold."""
    parts: list[type[Part]] = [model]
    for step in loc:
        # A step that is no field is an index of a list or a key of a table: the parts stay the same.
        inner = [part.model_fields[str(step)].annotation for part in parts if str(step) in part.model_fields]
        parts = [part for kind in inner for part in _parts_in(kind)] or parts
    return parts


def _parts_in(kind: Any) -> list[type[Part]]:
    """The parts in a type, such as `Selection` in ``dict[str, Selection] | None``."""
    if isinstance(kind, type) and issubclass(kind, Part):
        return [kind]
    return [part for argument in getattr(kind, "__args__", ()) for part in _parts_in(argument)]


def alike(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ in letters' case, spaces or leading zeros alone, as where one was mistyped.

    Example:
        >>> alike(["walk", "run", "Walk ", "01", "1"])
        [('walk', 'Walk '), ('01', '1')]
    """
    first: dict[str, str] = {}
    pairs = []
    for name in names:
        other = first.setdefault(name.strip().casefold().lstrip("0") or "0", name)
        if other != name:
            pairs.append((other, name))
    return pairs
