"""The names of all explainers, without importing them: each would import torch."""

import ast
from collections.abc import Iterator
from pathlib import Path

import stexplain

ROOT, METHODS = "Explainer", "stexplain.explainers.methods"
"""The base class of every method, and the package that holds them."""


def method_names() -> list[str]:
    """The class names that `--method` takes, sorted, read from the source: what `stexplain.explainers.by_name` lists.

    Example:
        >>> {"STGGradCAM", "Motion"} <= set(method_names())
        True
    """
    package = Path(stexplain.__file__).with_name("explainers")
    # Exported are methods, functions, and classes that explain in another way, such as EdgeImportance.
    exported = {alias.name for node in _imports(package / "__init__.py") for alias in node.names}
    bases = dict(_classes(package / "methods"))
    return sorted(name for name in exported if name in bases and _descends(name, bases))


def _imports(path: Path) -> Iterator[ast.ImportFrom]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(METHODS):
            yield node


def _classes(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The names of classes, each with those of its bases."""
    for path in folder.rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                yield node.name, [base.id for base in node.bases if isinstance(base, ast.Name)]


def _descends(name: str, bases: dict[str, list[str]]) -> bool:
    return name == ROOT or any(_descends(base, bases) for base in bases.get(name, []))
