"""What the reference says of every public name: an example, a word on every argument, and the errors that it raises."""

import ast
import inspect
import re
import sys
import textwrap
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import pytest

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.skipif(not (DOCS / "conf.py").is_file(), reason="the package is not tested in its checkout")

FOR_EXTENDERS = ("stexplain.cards.", "stexplain.checking.", "stexplain.errors.", "stexplain.reading.")
"""Helpers of a reader or card of one's own. Their first sentence is what they give."""

GIVES = ("A", "All", "An", "The", "Whether", "Anything", "SHA-256", "Python's")
"""The words that such a sentence begins with."""

BOOTSTRAP = {"groups", "seed", "resamples", "confidence"}
"""The arguments of every interval over samples, which its own page describes."""


def public():
    """Path of its page -> every public function and class."""
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        groups = import_module("api_pages").grouped()
    finally:
        sys.path.remove(str(DOCS / "_ext"))
    found = {}
    for path in (path for names in groups.values() for path in names):
        module, _, name = path.rpartition(".")
        found[path] = getattr(import_module(module), name)
    return found


def functions(names):
    """Path, function, and the class that it is a method of, if any: of public names and of their public methods."""
    for path, value in names.items():
        if not inspect.isclass(value):
            yield path, value, None
            continue
        for name, one in vars(value).items():
            function = getattr(one, "__func__", one)
            if not name.startswith("_") and inspect.isfunction(inspect.unwrap(function)):
                yield f"{path}.{name}", function, value


def described(doc):
    """The names that have a line in "Args" or "Attributes", without stars; "**" where further ones have one."""
    parts = re.findall(r"^(?:Args|Attributes):\n((?:(?: +.*)?\n)*)", f"{doc}\n", re.M)
    names = {name for part in parts for name in re.findall(r"^ {4}(\*{0,2}\w+)(?: \([^)]*\))?:", part, re.M)}
    return {name.lstrip("*") for name in names} | {"**" for name in names if name.startswith("**")}


def undescribed(value, doc):
    """The parameters of a function or class without a word."""
    known = described(doc)
    try:
        parameters = inspect.signature(value).parameters
    except ValueError:  # of an exception, which is written in C
        return []
    names = [name for name in parameters if name not in ("self", "cls") and not name.startswith("_")]
    # Keywords that a function takes as `**options` are shown one by one, and described where they are declared.
    code = inspect.unwrap(value).__code__ if inspect.isfunction(value) else None
    own = () if code is None else code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return [name for name in names if name not in known and not ("**" in known and name not in own)]


def raised(function):
    """The errors that the lines of a function raise themselves."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    return [ast.unparse(node.exc) for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc]


def said(function, kind):
    """The parameters of a method that its docstring names otherwise, or that stand with a base of its class."""
    doc = inspect.getdoc(function) or ""
    if doc.startswith("See `") or "arguments are those of `" in doc:
        return set(inspect.signature(function).parameters)
    names = set(re.findall(r"`(\w+)`", doc))
    if re.search(r"`stexplain\.metrics\.\w*interval`", doc):
        names |= BOOTSTRAP
    for base in kind.__mro__[1:]:
        if base.__module__.startswith("stexplain.") and function.__name__ in vars(base):
            names |= described(inspect.getdoc(vars(base)[function.__name__]) or "")
    return names


def test_every_public_name_has_an_example():
    names = public()
    assert len(names) > 250
    assert [path for path, value in names.items() if ">>> " not in (inspect.getdoc(value) or "")] == []


def test_every_argument_of_a_public_name_is_described():
    names, missing = public(), {}
    for path, value in names.items():
        if inspect.isclass(value) and (left := undescribed(value, inspect.getdoc(value) or "")):
            missing[path] = left
    for path, function, kind in functions(names):
        left = undescribed(function, inspect.getdoc(function) or "")
        if kind is not None:
            # The sentence of a method with one argument says what it is.
            left = [name for name in left if name not in said(function, kind)] if len(left) > 1 else []
        if left:
            missing[path] = left
    assert missing == {}


def test_every_public_function_names_the_errors_that_it_raises():
    missing, found = {}, 0
    for path, function, _ in functions(public()):
        errors = raised(function)
        found += bool(errors)
        if errors and "\nRaises:\n" not in (inspect.getdoc(function) or ""):
            missing[path] = errors
    assert missing == {}
    assert found > 50


def gives(path, function):
    """Whether the docstring of a function says what it returns, and in which shape or unit.

    In a part of its own; of a class of this package, the page of that class has every field.
    """
    doc = inspect.getdoc(function) or ""
    returned = inspect.signature(function).return_annotation
    if returned in (None, inspect.Signature.empty, NoReturn) or re.search(r"^(?:Returns|Yields):$", doc, re.M):
        return True
    if inspect.isclass(returned) and returned.__module__.startswith("stexplain.") and "Attributes:" in returned.__doc__:
        return True
    return path.startswith(FOR_EXTENDERS) and (doc.split()[0] in GIVES or ": " in doc.splitlines()[0])


def test_every_public_function_says_what_it_returns():
    functions_alone = [(path, function) for path, function, kind in functions(public()) if kind is None]
    assert len(functions_alone) > 140
    assert [path for path, function in functions_alone if not gives(path, function)] == []


def test_what_is_missing_is_seen():
    def mean(values, *, digits=2, **options) -> float:
        """The mean.

        Args:
            values: any.
        """
        raise ValueError(f"{values} {digits} {options}")

    assert undescribed(mean, inspect.getdoc(mean)) == ["digits", "options"]
    assert undescribed(mean, "Mean.\n\nArgs:\n    values: any.\n    digits: of it.\n    **options: further.") == []
    assert not gives("stexplain.mean", mean)
    assert raised(mean) == ["ValueError(f'{values} {digits} {options}')"]
