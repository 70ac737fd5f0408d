import ast
import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import stexplain as stx
import stexplain.explainers
from stexplain.explainers.by_name import methods
from stexplain.explainers.target import Target
from tests.explainers.every_explainer import kinds

ABSTRACT = {"Explainer", "Target"}
"""Bases to derive from: nothing that one types in the first hour."""
INNER = {"OutputInfo", "graph_removed", "joined"}
"""Exported by `stexplain.explainers` alone."""


def run(code):
    """What a fresh interpreter prints, as JSON."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def test_every_name_resolves():
    for name in dir(stx):
        assert getattr(stx, name) is not None


def test_dir_is_exactly_the_public_names_before_and_after_they_are_used():
    before, after, light = run(
        "import json, sys, stexplain as stx; names = dir(stx); light = 'torch' not in sys.modules; "
        "[getattr(stx, name) for name in names]; print(json.dumps([names, dir(stx), light]))"
    )
    assert before == after == sorted({*stx.__all__, "__version__"})
    assert light, "import stexplain imported torch"


@pytest.mark.parametrize(
    "package", [stx.metrics, stx.nn, stx.viz, stx.data, stx.training], ids=lambda package: package.__name__
)
def test_packages_complete_to_what_is_used(package):
    """No module of the package, but `metrics.dataset`, whose functions have the names of those for batches."""
    names = dir(package)
    assert names
    modules = {name for name in names if inspect.ismodule(getattr(package, name))}
    assert modules == ({"dataset"} if package is stx.metrics else set())
    assert not [name for name in names if name.startswith("_")]


def test_every_explainer_and_target_is_at_the_top():
    offered = {name: value for name, value in vars(stexplain.explainers).items() if not name.startswith("_")}
    exported = {name for name, value in offered.items() if inspect.isclass(value) or inspect.isfunction(value)}
    assert exported - ABSTRACT - INNER <= set(dir(stx))
    for name in set(dir(stx)) & set(vars(stexplain.explainers)):
        assert getattr(stx, name) is getattr(stexplain.explainers, name)


def test_every_explainer_of_the_package_is_exported():
    assert {kind.__name__ for kind in kinds()} == set(methods())
    assert set(methods()) <= set(vars(stexplain.explainers))
    targets = {kind.__name__ for kind in Target.__subclasses__() if kind.__module__.startswith("stexplain.")}
    assert targets <= set(dir(stx))


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(stx.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    names = [alias.asname for node in block.body for alias in node.names]
    assert sorted(names) == stx.__all__


@pytest.mark.parametrize(
    ("module", "wrong", "right"),
    [
        (stx, "STGGradCam", "STGGradCAM"),
        (stx, "IntegratedGradient", "IntegratedGradients"),
        (stx, "load_datasets", "load_dataset"),
        (stx, "metric", "metrics"),
        (stx.data, "WindowSeries", "WindowedSeries"),
        (stx.explainers, "Oclusion", "Occlusion"),
        (stx.metrics, "contrastivty", "contrastivity"),
        (stx.viz, "skeletons", "skeleton"),
    ],
)
def test_an_unknown_name_gives_the_nearest(module, wrong, right):
    with pytest.raises(AttributeError, match=f"{module.__name__} has no {wrong!r}. Did you mean {right!r}"):
        getattr(module, wrong)


def test_bench_is_called_like_a_function_whatever_was_imported_first():
    stages = import_module("stexplain.bench.stages")
    with pytest.raises(stx.errors.InputError, match="no dataset card"):
        stx.bench("no such card")
    assert stages is sys.modules["stexplain.bench.stages"]
