"""Calls of everything public with wrong arguments: each succeeds, or ends with an error that names the argument."""

import contextlib
import functools
import inspect
import random
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stexplain.checking.origin import raised_by_caller
from stexplain.errors import StexplainError
from tests.fuzz.examples import Call, Entry, _silent, entries, valid_calls
from tests.fuzz.wrong_values import altered, odd

# Of these a default call is long work, or writes where it is told to.
LONG = ("stexplain.bench", "stexplain.selftest")


class UnnamedArgument(AssertionError):
    """An error that names no argument of the call."""


def groups() -> dict[str, list[Entry]]:
    """What is called, by the module that gives it."""
    found: dict[str, list[Entry]] = {}
    for entry in entries():
        if not entry.name.startswith(LONG):
            module = entry.function.__module__.split(".")[1] if entry.method != "__init__" else ""
            found.setdefault(module or entry.owner.__module__.split(".")[1], []).append(entry)
    return found


def call_wrongly(group: str, case: Path, out: Path) -> None:
    """A call drawn from the case's own name, which no two cases share."""
    draw = random.Random(case.parent.name)
    attempt(draw.choice(groups()[group]), draw)


def attempt(entry: Entry, draw: random.Random) -> str:
    """Calls it once with wrong arguments; what was called, in words.

    Raises:
        Exception: what the call raised and must not.
    """
    with _silent():
        return _attempt(entry, draw)


def _attempt(entry: Entry, draw: random.Random) -> str:
    found = valid_calls(entry)
    if not found:
        return ""
    call = draw.choice(found)
    parameters = _parameters(call)
    if not parameters:
        return ""
    given = _bound(call)
    wrong = draw.sample(sorted(parameters), min(len(parameters), draw.choice((1, 1, 1, 2))))
    for name in wrong:
        given[name] = altered(given[name], draw) if given.get(name) is not None else odd(draw)
    text = f"{entry.name}({', '.join(f'{name}={_short(given[name])}' for name in wrong)})"
    args, named = _arranged(call, given)
    try:
        result = call.function(*args, **named)
        for later in call.later[:1]:
            # An explainer may refuse at its call what it was made with.
            if getattr(later.function, "__name__", "") in ("__call__", "text"):
                getattr(result, later.function.__name__)(*later.args, **later.named)
    except StexplainError as error:
        if str(error).startswith("unknown "):  # it shows what it got, and what there is
            return text
        # An entry of a dictionary is named by its key.
        keys = {key for one in given.values() if isinstance(one, dict) for key in one if isinstance(key, str) and key}
        names = {*parameters, *given, *keys} | ({"the model"} if "output" in given else set())
        shapes = [str(tuple(one.shape)) for one in given.values() if isinstance(getattr(one, "shape", None), tuple)]
        named = any(re.search(rf"(?<![a-z]){re.escape(name.rstrip('s'))}", str(error)) for name in names)
        values = [_short(given[name])[:12].strip("'\"[(") for name in wrong]
        if not named and not any(one in str(error) for one in (*values, *shapes)):
            raise UnnamedArgument(f"{text}: {error}") from error
    except Exception as error:
        # What a model, a user's function or an iterator of the caller raises is the caller's. This frame is no such.
        if raised_by_caller(error.with_traceback(getattr(error.__traceback__, "tb_next", None)), call.function):
            return text
        # As a function of the caller: what Python's own raise of other arguments names them.
        builtin = (getattr(given[name], "__name__", "") for name in wrong if callable(given[name]))
        if isinstance(error, TypeError) and any(name and f"{name}()" in str(error) for name in builtin):
            return text
        # By it Python and torch know where a sequence ends.
        if isinstance(error, IndexError) and entry.method == "__getitem__":
            return text
        error.add_note(text)
        raise
    return text


def _short(value: Any) -> str:
    with contextlib.suppress(Exception):
        return re.sub(r"\s+", " ", repr(value))[:60]
    return type(value).__name__


@functools.cache
def _signature(function: Any) -> inspect.Signature:
    return inspect.signature(function)


def _parameters(call: Call) -> list[str]:
    """The names that it takes, options of a `TypedDict` too."""
    names = []
    for parameter in _signature(call.function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            kind = next(iter(typing.get_args(parameter.annotation)), None)
            names += list(getattr(kind, "__annotations__", {}))
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            names.append(parameter.name)
    return names


def _bound(call: Call) -> dict[str, Any]:
    bound = _signature(call.function).bind(*call.args, **call.named)
    bound.apply_defaults()
    given = dict(bound.arguments)
    for parameter in _signature(call.function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            given |= given.pop(parameter.name)
    return given


def _arranged(call: Call, given: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    args, named = [], dict(given)
    for parameter in _signature(call.function).parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            args.append(named.pop(parameter.name))
        elif parameter.kind is parameter.VAR_POSITIONAL:
            args += named.pop(parameter.name, ())
    return args, named
