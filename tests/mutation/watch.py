"""Notes which statements of live modules are executed, at the cost of a call for each."""

import ast
import types
from collections.abc import Callable
from typing import Any

from tests.mutation.graft import put_code

_NOTE = "__note__"


def watch(module: types.ModuleType, code: types.CodeType, note: Callable[[str], object]) -> None:
    """Changes the functions of a live module so that each statement is noted before it is executed.

    Args:
        module: that is imported.
        code: from `noting`.
        note: is given the name of a statement; see `named`.

    Example:
        >>> live, source = types.ModuleType("live"), "def half(x):\\n    return x / 2\\n"
        >>> exec(source, live.__dict__)
        >>> watch(live, noting("live.py", source, "live.py"), print)
        >>> live.half(4)
        live.py:half:return x / 2
        2.0
    """
    setattr(module, _NOTE, note)
    put_code(module, code)


def noting(path: str, source: str, file: str, tree: ast.Module | None = None) -> types.CodeType:
    """The code of a module that notes each statement of its functions before it is executed.

    Args:
        path: of the module, by which its statements are named.
        source: of the module.
        file: that the code is of.
        tree: what is compiled, such as with a fault; default: the source.
    """
    tree = tree or ast.parse(source)
    lines = source.splitlines()
    _watch_functions(tree, "", lambda function, line: named(path, function, lines[line - 1].strip()))
    return compile(ast.fix_missing_locations(tree), file, "exec")


def named(path: str, function: str, code: str) -> str:
    """A statement's name: it stays the same where others are changed.

    Args:
        path: of the module, from the root.
        function: that it is in.
        code: its first line.
    """
    return f"{path}:{function}:{code}"


def _watch_functions(tree: Any, scope: str, name: Callable[[str, int], str]) -> None:
    for child in ast.iter_child_nodes(tree):
        inner = f"{scope}.{getattr(child, 'name', '')}".strip(".")
        if isinstance(child, ast.FunctionDef):
            _note_each(child, lambda line, inner=inner: name(inner, line))
        elif isinstance(child, ast.ClassDef):
            _watch_functions(child, inner, name)


def _note_each(node: ast.AST, name: Callable[[int], str]) -> None:
    """Puts a note before each statement within a node; those of an inner function belong to the outer one."""
    for field, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        for child in children:
            if isinstance(child, ast.AST):
                _note_each(child, name)
        if field in ("body", "orelse", "finalbody") and isinstance(value, list):
            setattr(node, field, [each for one in value for each in _noted(one, name)])


def _noted(statement: ast.stmt, name: Callable[[int], str]) -> list[ast.stmt]:
    call = ast.Call(ast.Name(_NOTE, ast.Load()), [ast.Constant(name(statement.lineno))], [])
    return [ast.copy_location(ast.Expr(call), statement), statement]
