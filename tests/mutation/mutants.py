"""Small faults put into a module, one at a time: another operator, number, comparison or axis, a statement left out."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

_OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.MatMult: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.USub: ast.UAdd,
}  # fmt: skip
_TURNED: dict[type, type] = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_METHODS = {"any": "all", "all": "any", "min": "max", "max": "min", "sum": "mean", "mean": "sum"}


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Attributes:
        function: the qualified name of the function it is in; empty at the level of the module or a class.
        line: where.
        what: was changed, in words.
        changed: makes the tree of the changed module, when it is asked for: a module has hundreds.
    """

    function: str
    line: int
    what: str
    changed: Callable[[], ast.Module]

    @property
    def tree(self) -> ast.Module:
        """Of the changed module."""
        return self.changed()


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines.

    Left out is what no result can show: annotations, docstrings, messages, imports, types, and assertions, of which one
    that is turned round always fails, and one that is weakened never does. `strict` of `zip` is one.

    Example:
        >>> [one.what for one in mutants("def half(x):\\n    return x / 2\\n")]
        ['/ to *', '2 to 3']
    """
    tree = ast.parse(source)
    places = [(function, node.lineno, _changes(node)) for function, node, _ in _walk(tree)]
    return [
        Mutant(function, line, what, partial(_changed, tree, number, which))
        for number, (function, line, changes) in enumerate(places)
        for which, what in enumerate(changes)
    ]


def statement(tree: ast.Module, line: int) -> range:
    """The lines of the innermost statement at a line; of one that has a body, those before it.

    Example:
        >>> statement(ast.parse("if (a and\\n    b):\\n    c()\\n"), 2)
        range(1, 3)
    """
    found = range(line, line + 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line):
            body = getattr(node, "body", None)
            last = max(body[0].lineno - 1, node.lineno) if body else node.end_lineno or line
            # Inner ones come later.
            if line <= last:
                found = range(node.lineno, last + 1)
    return found


def _changed(tree: ast.Module, number: int, which: int) -> ast.Module:
    other = copy.deepcopy(tree)
    _, _, apply = list(_walk(other))[number]
    apply(which)
    return ast.fix_missing_locations(other)


def _walk(tree: ast.AST, scope: str = "", function: str = "") -> Iterator[tuple[str, Any, Callable[[int], None]]]:
    """Every node that can be changed: the function it is in, itself, and what makes one of its changes."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "exc", "msg"):
            continue
        for child in list(value) if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_words(child) or _is_types(child, tree, function):
                continue
            if isinstance(child, ast.Assert) or (isinstance(child, ast.keyword) and child.arg == "strict"):
                continue
            # Defaults belong to what is around a function, and what is within one to the outermost.
            within = function or (scope if isinstance(tree, ast.FunctionDef) and name == "body" else "")
            inner = scope
            if isinstance(child, ast.FunctionDef | ast.ClassDef) and not within:
                inner = f"{scope}.{child.name}".lstrip(".")
            if _changes(child):
                yield within, child, _applied(tree, name, child)
            yield from _walk(child, inner, within)


def _is_types(node: ast.AST, parent: ast.AST, function: str) -> bool:
    """Unions of types, and imports."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    union = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
    of_isinstance = isinstance(parent, ast.Call) and getattr(parent.func, "id", "") in ("isinstance", "cast")
    return union and (of_isinstance or not function)


def _is_words(node: ast.AST) -> bool:
    """Docstrings, messages and other words."""
    constant = node.value if isinstance(node, ast.Expr) else node
    return isinstance(constant, ast.JoinedStr) or (
        isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    )


def _changes(node: ast.AST) -> list[str]:
    """What can be changed of a node, in words."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp) and type(node.op) in _OPERATORS:
        return [f"{_sign(node.op)} to {_sign(_OPERATORS[type(node.op)]())}"]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        return ["negation left out"]
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
        sign, other = _sign(node.ops[0]), _sign(_OPERATORS[type(node.ops[0])]())
        return [f"{sign} to {other}", f"{sign} turned round"][: 2 if type(node.ops[0]) in _TURNED else 1]
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            return [f"{node.value} to {not node.value}"]
        if isinstance(node.value, int | float):
            return [f"{node.value} to {_other(node.value)}"]
    if isinstance(node, ast.If | ast.IfExp):
        return ["condition always true", "condition always false"]
    if isinstance(node, ast.Expr | ast.AugAssign) or (isinstance(node, ast.Assign) and _is_update(node)):
        return ["statement left out"]
    if isinstance(node, ast.Attribute) and node.attr in _METHODS:
        return [f"{node.attr} to {_METHODS[node.attr]}"]
    return []


def _is_update(node: ast.Assign) -> bool:
    """An assignment to an entry or attribute: without one to a name, everything after it fails."""
    return isinstance(node.targets[0], ast.Subscript | ast.Attribute)


def _other(value: int | float) -> int | float:
    return value + 1 if isinstance(value, int) else value * 2 if value else 1.0


def _sign(operator: ast.AST) -> str:
    return type(operator).__name__ if isinstance(operator, ast.boolop | ast.cmpop) else {
        ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
        ast.BitAnd: "&", ast.BitOr: "|", ast.MatMult: "@", ast.USub: "minus", ast.UAdd: "plus",
    }[type(operator)]  # fmt: skip


def _applied(parent: ast.AST, name: str, node: Any) -> Callable[[int], None]:
    """What makes the change of a number in `_changes`, in place."""

    def put(other: ast.AST) -> None:
        value = getattr(parent, name)
        if isinstance(value, list):
            value[next(place for place, each in enumerate(value) if each is node)] = ast.copy_location(other, node)
        else:
            setattr(parent, name, ast.copy_location(other, node))

    def apply(which: int) -> None:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
            put(node.operand)
        elif isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp):
            node.op = _OPERATORS[type(node.op)]()
        elif isinstance(node, ast.Compare):
            node.ops = [(_TURNED if which else _OPERATORS)[type(node.ops[0])]()]
        elif isinstance(node, ast.Constant):
            node.value = not node.value if isinstance(node.value, bool) else _other(node.value)
        elif isinstance(node, ast.If | ast.IfExp):
            node.test = ast.copy_location(ast.Constant(not which), node.test)
        elif isinstance(node, ast.Attribute):
            node.attr = _METHODS[node.attr]
        else:
            put(ast.Pass())

    return apply
