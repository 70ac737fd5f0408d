import ast
import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

import stexplain
from stexplain.bench.stages import stage_types
from stexplain.explainers.methods import Motion
from stexplain.graph import STGraph
from stexplain.viz import skeleton

DOCS = Path(__file__).resolve().parent.parent / "docs"
pytestmark = pytest.mark.skipif(not (DOCS / "conf.py").is_file(), reason="the package is not tested in its checkout")


@pytest.fixture
def reference(monkeypatch):
    """The part of the documentation's extension that writes the reference."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    yield import_module("api_pages")
    for name in ("api_pages", "public_modules"):
        sys.modules.pop(name)


def test_every_public_name_has_one_page_in_a_group(reference):
    paths = [path for names in reference.grouped().values() for path in names]
    assert len(paths) == len(set(paths))
    found = import_module("public_modules").exported()
    defined = {(module, path.rpartition(".")[2]) for path, module in found.items()}
    assert {(found[path], path.rpartition(".")[2]) for path in paths} == defined
    # A name that the top of the package has is listed as users write it.
    assert {"stexplain.explain", "stexplain.Occlusion", "stexplain.STGraph"} <= set(paths)


def test_no_name_is_left_without_a_group(reference):
    assert "Others" not in reference.grouped()


def test_the_page_of_the_reference_lists_all_of_them(reference):
    text = reference.page()
    for path in [*(path for names in reference.grouped().values() for path in names), *reference.module_pages()]:
        assert f"   {path}\n" in text


def test_no_summary_in_the_tables_ends_within_a_sentence(reference):
    autosummary = pytest.importorskip("sphinx.ext.autosummary")
    settings = pytest.importorskip("docutils.frontend").get_default_settings(
        import_module("docutils.parsers.rst").Parser
    )
    before = autosummary.WELL_KNOWN_ABBREVIATIONS
    reference.setup(type("App", (), {"connect": lambda *_: None})())
    try:
        for path in (path for names in reference.grouped().values() for path in names):
            module, _, name = path.rpartition(".")
            doc = (inspect.getdoc(getattr(import_module(module), name)) or "").split("\n\n")[0]
            summary = autosummary.extract_summary(doc.splitlines(), settings)
            rest = " ".join(doc.split())[len(summary) :].strip()
            assert not rest or rest[0].isupper(), f"{path}: {summary!r} goes on with {rest!r}"
    finally:
        autosummary.WELL_KNOWN_ABBREVIATIONS = before


def test_the_gallery_has_the_order_of_the_front_page():
    from docs._ext.charts import ORDER, FrontPageOrder

    names = [path.stem for path in (DOCS / "examples").glob("*.py")]
    assert sorted(ORDER) == sorted(names)
    front = (DOCS / "index.md").read_text("utf-8")
    places = [front.index(f"tutorials/{name}.rst") for name in ORDER if f"tutorials/{name}.rst" in front]
    assert len(places) >= 8
    assert places == sorted(places)
    assert sorted(["zzz.py", "own_graph.py", "skeletons.py"], key=FrontPageOrder("")) == [
        "skeletons.py", "own_graph.py", "zzz.py"
    ]  # fmt: skip


def test_a_chart_that_plays_has_a_thumbnail(tmp_path):
    from docs._ext.charts import thumbnail

    graph = STGraph.from_edges(["a", "b"], [("a", "b")])
    x = torch.arange(36.0).square().view(1, 1, 6, 2, 3)
    chart = skeleton(Motion(graph=graph)(x), x=x)
    path = tmp_path / "thumbnail.png"
    thumbnail(None, {"example_globals": {"___": chart}, "image_path_iterator": iter([str(path)])}, {})
    assert path.read_bytes().startswith(b"\x89PNG")


def test_there_are_public_names(reference):
    assert len(import_module("public_modules").exported()) > 60
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


def value_at(path):
    """A module, or what a module has by that name."""
    try:
        return import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(import_module(module), name)


def test_every_link_to_the_reference_leads_to_a_page_of_it(reference):
    # Sphinx shows a name that it does not find as plain code, and says nothing.
    pages = {path for names in reference.grouped().values() for path in names} | set(reference.module_pages())
    role = re.compile(r"\{(?:class|func|meth|mod|attr|data|exc|obj)\}`(?:[^`<]*<)?[~!]?([\w.]+)>?`")
    # The page of a module, or of a class, has its members too; that of a function has none.
    holders = {path for path in pages if not callable(value_at(path)) or inspect.isclass(value_at(path))}
    found = 0
    for page in (*DOCS.glob("*.md"), *DOCS.glob("decisions/*.md")):
        for path in role.findall(page.read_text("utf-8")):
            found += 1
            assert path in pages or path.rpartition(".")[0] in holders, (
                f"{page.name}: the reference has no page of {path}"
            )
    assert found > 40


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in DOCS.glob("*.md"))])
def test_every_name_in_an_example_exists(page):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS.parent / page).read_text("utf-8"), re.S)
    for name in {name for block in blocks for name in names_of_stexplain(block)}:
        value = stexplain
        for part in name.split("."):
            # A method of a result, such as `stx.viz.skeleton(...).save`, is no name below `stx`.
            value = getattr(value, part)


def test_the_code_on_targets_and_baselines_runs():
    names: dict[str, object] = {}
    blocks = re.findall(r"<!-- runs -->\n```python\n(.*?)```", (DOCS / "methods.md").read_text("utf-8"), re.S)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)  # the code is this repository's own


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
