"""What is mutated, and its tests: those that mirror a module, its examples, those that name it, or are near it."""

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ("explainers/methods", "explainers/model/probe", "explainers/class_targets.py", "metrics", "intervals")
"""Methods, alignment in time, targets, metrics, intervals."""
CONTRACTS = (
    "tests/explainers/test_defaults.py",
    "tests/explainers/test_invariances.py",
    "tests/explainers/test_contract.py",
    "tests/properties/test_against_slow_network.py",
)
"""Tests of every method, after those of the module."""
_MANY = 5
"""Of files that name a module, so many are run."""


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
    importers = [one for one in core() if re.search(rf"\b{re.escape(dotted(module))}\b", _text(one))]
    further = [file for one in importers for file in _naming(one)][:_MANY]
    contracts = CONTRACTS if module.startswith("stexplain/explainers/") else ()
    return list(dict.fromkeys([*found[:1], module, *found[1:], *beside, *further, *contracts]))


def _naming(module: str) -> list[str]:
    path = Path(module)
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, [dotted(module), *_defined(module)]))})\b")
    mirrors, others = [], {}
    for file in _tests():
        if file.endswith(f"/test_{path.name}") and path.parts[1] in file:
            mirrors.append(file)
        elif file.split("/")[1] in (path.parts[1], "checks", "properties"):
            others[file] = len(pattern.findall(_text(file)))
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


@functools.cache
def _text(file: str) -> str:
    return (ROOT / file).read_text("utf-8")
