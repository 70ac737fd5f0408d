import ast
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

import stexplain
from stexplain.bench.stages import stage_types

DOCS = Path(__file__).resolve().parent.parent / "docs"
pytestmark = pytest.mark.skipif(not (DOCS / "api.md").is_file(), reason="the package is not tested in its checkout")


@pytest.fixture
def reference(monkeypatch):
    """The part of the documentation's extension that finds modules."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    yield import_module("public_modules")
    sys.modules.pop("public_modules")


def listed(reference):
    text = (DOCS / "api.md").read_text("utf-8")
    for block in re.findall(r"\.\. modules:: (.+(?:\n   :.+)*)", text):
        names, *options = block.split("\n   :")
        given = dict(option.split(":", 1) for option in options)
        yield from reference.modules(names, everything="all" in given, left_out=given.get("except", ""))


def test_every_public_name_is_in_the_reference(reference):
    modules = set(listed(reference))
    assert not {name: module for name, module in reference.exported().items() if module not in modules}


def test_no_module_is_in_the_reference_twice(reference):
    modules = list(listed(reference))
    assert len(modules) == len(set(modules))


def test_there_are_public_names(reference):
    assert len(reference.exported()) > 60
    assert stexplain.__all__


def test_the_page_on_experiments_lists_the_stages_that_exist():
    # The table is made from `stage_types` as the page is built.
    assert ".. stages::" in (DOCS / "experiments.md").read_text("utf-8")
    for stage in stage_types().values():
        assert (sys.modules[stage.__module__].__doc__ or "").strip(), f"{stage.name} has no docstring for the table"


def names_of_stexplain(code):
    """Every dotted name below `stx` in some code, such as "metrics.localisation_score"."""
    for node in ast.walk(ast.parse(code)):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if parts and isinstance(node, ast.Name) and node.id == "stx":
            yield ".".join(reversed(parts))


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in DOCS.glob("*.md"))])
def test_every_name_in_an_example_exists(page):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS.parent / page).read_text("utf-8"), re.S)
    for name in {name for block in blocks for name in names_of_stexplain(block)}:
        value = stexplain
        for part in name.split("."):
            # A method of a result, such as `stx.viz.skeleton(...).save`, is no name below `stx`.
            value = getattr(value, part)


def test_the_code_on_a_model_of_ones_own_runs():
    # Block after block, as a reader does; warnings are errors.
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / "own-model.md").read_text("utf-8"), re.S):
        exec(block, names)  # the code is this repository's own
    assert names["both"]["bone"].values.shape == (8, 1, 40, 3)
    # The second number of what the model returns is that of node b.
    frame = names["edges"].to_frame()
    assert set(frame["source"]) == {"a", "b", "c"}
    assert set(frame["target"]) == {"b"}
