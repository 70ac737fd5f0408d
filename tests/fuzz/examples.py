"""Valid calls of everything public: recorded while the examples of the docstrings run."""

import ast
import contextlib
import doctest
import functools
import importlib
import inspect
import io
import sys
import tempfile
import typing
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODULES = (
    "stexplain", "stexplain.data", "stexplain.metrics", "stexplain.metrics.dataset", "stexplain.viz", "stexplain.graph",
    "stexplain.explainers", "stexplain.nn", "stexplain.training",
)  # fmt: skip
"""The modules from which users import."""


@dataclass(frozen=True)
class Entry:
    """Something public that can be called.

    Attributes:
        name: such as ``stexplain.STGraph.index``.
        owner: its class, or the function itself.
        method: its name in the class; empty for a function, ``__init__`` for the class.
    """

    name: str
    owner: Any
    method: str = ""

    @property
    def function(self) -> Any:
        """The function behind it."""
        found = inspect.getattr_static(self.owner, self.method) if self.method else self.owner
        return inspect.unwrap(getattr(found, "__func__", found))


@dataclass
class Call:
    """A call that succeeded.

    Attributes:
        function: that was called, bound.
        args: by position.
        named: by name.
        later: how its result was called, where it is an explainer or a target.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    named: dict[str, Any]
    later: list["Call"] = field(default_factory=list)


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Everything public that can be called, by its first public name."""
    found: dict[int, Entry] = {}
    for module in MODULES:
        home = importlib.import_module(module)
        for name in sorted(getattr(home, "__all__", None) or [name for name in dir(home) if not name.startswith("_")]):
            value = getattr(home, name)
            if callable(value) and str(getattr(value, "__module__", "")).startswith("stexplain."):
                kind = "__init__" if inspect.isclass(value) else ""
                if inspect.isclass(value) and issubclass(value, BaseException):
                    continue
                found.setdefault(id(value), Entry(f"{module}.{name}", value, kind))
    public = {entry.name.rpartition(".")[2] for entry in found.values()}
    methods = [method for entry in found.values() if entry.method for method in _methods(entry, public)]
    return tuple([entry for entry in found.values() if not _abstract(entry)] + methods)


def _abstract(entry: Entry) -> bool:
    return inspect.isclass(entry.owner) and (inspect.isabstract(entry.owner) or typing.is_typeddict(entry.owner))


def _methods(entry: Entry, public: set[str]) -> Iterator[Entry]:
    for name in dir(entry.owner):
        if name.startswith("_") and name not in ("__call__", "__getitem__"):
            continue
        static = inspect.getattr_static(entry.owner, name)
        function = inspect.unwrap(getattr(static, "__func__", static))
        # What is inherited from another public class is called as that class's.
        home = next((one for one in entry.owner.__mro__ if name in vars(one)), entry.owner)
        its = name == "__call__" or home is entry.owner or home.__name__ not in public
        if its and inspect.isfunction(function) and function.__module__.startswith("stexplain."):
            yield Entry(f"{entry.name}.{name}", entry.owner, name)


@functools.cache
def valid_calls(entry: Entry) -> list[Call]:
    """Calls of it that succeed, from its own example, its class's, or those of what returns its class."""
    objects: list[Any] = []
    for owner in _documents(entry):
        calls, made = _recorded(owner)
        objects += [value for call in calls for value in (*call.args, *call.named.values())] + made
        if found := [call for call in calls if _is_of(call, entry)]:
            return found
    # No example calls it: it is called as `given` says, or with objects of the kinds that its annotations say.
    from tests.fuzz.given import given_call
    from tests.fuzz.objects import made_call

    call = given_call(entry.name) or made_call(entry, objects)
    return [] if call is None else [call]


def _documents(entry: Entry) -> Iterator[Any]:
    """What may have an example with it, the most likely first."""
    if not entry.method:
        yield entry.owner
        return
    if entry.method != "__init__":
        yield inspect.getattr_static(entry.owner, entry.method)
    yield entry.owner
    name = entry.owner.__name__
    if entry.method == "__init__":
        return
    for other in entries():
        if other.owner is not entry.owner and name in str(getattr(other.function, "__annotations__", {}).get("return")):
            yield inspect.getattr_static(other.owner, other.method) if other.method else other.owner
    for other in entries():
        if inspect.isclass(other.owner) and other.method != "__init__" and issubclass(other.owner, entry.owner):
            yield inspect.getattr_static(other.owner, other.method)


def _is_of(call: Call, entry: Entry) -> bool:
    if entry.method in ("", "__init__"):
        return inspect.unwrap(call.function) is inspect.unwrap(entry.owner)
    bound = getattr(call.function, "__self__", None)
    is_its = isinstance(bound, entry.owner) or (inspect.isclass(bound) and issubclass(bound, entry.owner))
    return is_its and getattr(call.function, "__name__", "") == entry.method


# ---- recording ----


_KNOWN: dict[int, tuple[list[Call], list[Any]]] = {}


def _recorded(owner: Any) -> tuple[list[Call], list[Any]]:
    """The calls in the example of a docstring, and the objects that they gave."""
    owner = getattr(owner, "__func__", getattr(owner, "fget", None) or owner)
    if id(owner) not in _KNOWN:
        _KNOWN[id(owner)] = _run(owner)
    return _KNOWN[id(owner)]


def _run(owner: Any) -> tuple[list[Call], list[Any]]:
    calls: list[Call] = []
    objects: list[Any] = []

    def record(function: Any, *args: Any, **named: Any) -> Any:
        # `super()` and the like look at the frame that calls them.
        result = function(*args, **named)
        called = function if inspect.isroutine(function) or inspect.isclass(function) else function.__call__
        call = Call(called, args, named)
        for before, made in zip(calls, objects, strict=True):
            if made is getattr(called, "__self__", called):
                before.later.append(call)
        calls.append(call)
        objects.append(result)
        return result

    text = inspect.getdoc(owner) or ""
    with contextlib.suppress(AttributeError):
        scope = {**vars(sys.modules[owner.__module__]), "_record": record}
        with _silent():
            for example in doctest.DocTestParser().get_examples(text):
                tree = ast.fix_missing_locations(_Recording().visit(ast.parse(example.source)))
                with contextlib.suppress(Exception):  # an example may show an error
                    exec(compile(tree, "<example>", "exec"), scope)
    return calls, objects


class _Recording(ast.NodeTransformer):
    """Every call ``f(x)`` becomes ``_record(f, x)``."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in ("super", "locals", "globals", "vars", "dir"):
            return node
        return ast.Call(ast.Name("_record", ast.Load()), [node.func, *node.args], node.keywords)


@functools.cache
def _elsewhere() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-calls-"))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Prints nothing, and writes where nobody looks what a call writes to a name without a folder."""
    with (
        contextlib.chdir(_elsewhere()),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
