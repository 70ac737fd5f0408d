"""What is mutated, and its tests: those that mirror a module, its examples, those that name it, or are near it."""

import ast
import functools
import itertools
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ("explainers", "metrics", "intervals")
"""Methods, what touches models, alignment in time, targets, explanations, metrics, intervals."""
CONTRACTS = (
    "tests/explainers/test_defaults.py",
    "tests/explainers/test_invariances.py",
    "tests/explainers/test_contract.py",
    "tests/properties/test_against_slow_network.py",
)
"""Tests of every method, after those of the module."""
NEAREST = {
    "explainer": ("test_explainer.py", "model/test_locality.py"),
    "by_stream": ("model/inputs/test_streams.py",),
    "target": ("test_targets.py", "test_chosen_classes.py", "test_output_shapes.py"),
    "targets": ("test_targets.py", "test_output_shapes.py"),
    "class_targets": ("test_targets.py", "test_chosen_classes.py"),
    "forecast_target": ("test_forecast_target.py", "test_targets.py", "test_output_shapes.py"),
}
"""Tests of modules of `explainers` whose tests have another name than they, or are in several files."""
_MANY = 5
"""Of files that name a module, so many are run."""


@functools.cache
def core() -> list[str]:
    """The modules of the core, as paths from the root."""
    found: list[Path] = []
    for place in CORE:
        path = ROOT / "stexplain" / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [str(path.relative_to(ROOT)) for path in found if path.name != "__init__.py"]


@functools.cache
def files_for(module: str) -> list[str]:
    """The files of tests of a module: those that name it, those of its folder, those of what imports it.

    Args:
        module: its path from the root.
    """
    found = _naming(module)
    folder = Path("tests", *Path(module).parts[1:-1])
    beside = [file for file in _tests() if Path(file).parent == folder]
    importers = (one for one in core() if _counts(one, dotted(module)))
    further = itertools.islice((file for one in importers for file in _naming(one)), _MANY)
    contracts = CONTRACTS if module.startswith("stexplain/explainers/") else ()
    nearest = [f"tests/explainers/{file}" for file in NEAREST.get(Path(module).stem, ()) if "/explainers/" in module]
    return list(dict.fromkeys([*nearest, *found[:1], module, *found[1:], *beside, *further, *contracts]))


@functools.cache
def _naming(module: str) -> list[str]:
    path = Path(module)
    names = [dotted(module), *_defined(module)]
    mirrors, others = [], {}
    for file in _tests():
        if file.endswith(f"/test_{path.name}") and path.parts[1] in file:
            mirrors.append(file)
        elif file.split("/")[1] in (path.parts[1], "checks", "properties"):
            others[file] = sum(_counts(file, name) for name in names)
    # Where many name it, those that name it most.
    most = sorted(others, key=lambda file: -others[file])[:_MANY]
    return [*mirrors, *(file for file in most if others[file])]


def dotted(module: str) -> str:
    """The name by which a module is imported."""
    return ".".join(Path(module).with_suffix("").parts)


def _defined(module: str) -> list[str]:
    """The public functions and classes of a module."""
    nodes = ast.parse(_text(module)).body
    named = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [name for name in named if not name.startswith("_")]


@functools.cache
def _tests() -> list[str]:
    return sorted(str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py"))


def _counts(file: str, name: str) -> int:
    """How often a file has a name, of a module with its dots, as a word of its own."""
    return _words(file)[name]


@functools.cache
def _words(file: str) -> Counter[str]:
    text = _text(file)
    return Counter(re.findall(r"\w+", text)) + Counter(re.findall(r"stexplain(?:\.\w+)+", text))


@functools.cache
def _text(file: str) -> str:
    return (ROOT / file).read_text("utf-8")
