"""What the pages of the reference make of docstrings: names, types and equations as a reader knows them."""

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from stexplain import viz

EXT = Path(__file__).parents[1] / "docs" / "_ext"
DOCS = EXT.parent

pytest.importorskip("sphinx")
pytestmark = pytest.mark.skipif(not (DOCS / "conf.py").is_file(), reason="the package is not tested in its checkout")


def extension(name):
    sys.path.insert(0, str(EXT))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(EXT))


@pytest.fixture(scope="module")
def docstrings():
    return extension("docstrings")


SCALAR = "~numpy._typing._array_like._SupportsArray[~numpy.dtype[~typing.Any]]"
NESTED = "~numpy._typing._nested_sequence._NestedSequence"
ARRAY = (
    f"~numpy._typing._array_like._Buffer | {SCALAR} | {NESTED}[{SCALAR}] | complex | bytes | str | "
    f"{NESTED}[complex | bytes | str]"
)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("~numpy.ndarray[tuple[~typing.Any, ...], ~numpy.dtype[~numpy.float32]] | None", "ndarray of float32 | None"),
        ("~numpy.ndarray[tuple[~typing.Any, ...], ~numpy.dtype[~numpy.bool]]", "ndarray of bool"),
        ("~numpy.ndarray[tuple[~typing.Any, ...], ~numpy.dtype[~typing.Any]]", "ndarray"),
        ("~collections.abc.Mapping[str, ~typing.Any]", "Mapping[str, Any]"),
        (f"{ARRAY} | None", "ArrayLike | None"),
        (f"str | {ARRAY.replace('bytes | str | ', 'bytes | ', 1)}", "str | ArrayLike"),
        ("stexplain.explainers.model.options.ModelCall", "ModelCall"),
        ("~stexplain.graph.stgraph.STGraph | None", "~stexplain.STGraph | None"),
        ("~torch.Tensor", "~torch.Tensor"),
    ],
)
def test_types_have_the_names_that_the_code_gives_them(docstrings, written, read):
    assert docstrings.plain_type(written) == read


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("STGGradCAM", "stexplain.STGGradCAM"),
        ("stexplain.explainers.STGGradCAM", "stexplain.STGGradCAM"),
        ("viz.save", "stexplain.viz.save"),
        ("trust()", "stexplain.trust"),
        ("Explanation.plot", "stexplain.Explanation.plot"),
        ("frozen_masked_model", "stexplain.metrics.masked_model.frozen_masked_model"),
        ("stexplain.metrics.masked_model.frozen_masked_model", "stexplain.metrics.masked_model.frozen_masked_model"),
        # The options of every explainer are on its page.
        ("ModelCaller", "stexplain.explainers.model.caller.ModelCaller"),
        # Arguments, and what has no page.
        ("method", ""),
        ("values", ""),
        ("graph.nodes", ""),
        ("trust.nothing", ""),
    ],
)
def test_public_names_lead_to_their_pages_and_arguments_nowhere(docstrings, name, page):
    assert docstrings.page_of(name) == page


def test_in_the_docstrings_of_a_class_a_name_is_its_own_method(docstrings):
    assert docstrings.page_of("save()") == "stexplain.viz.save"
    assert docstrings.page_of("save", "stexplain.Explanation") == "stexplain.Explanation.save"
    assert docstrings.page_of("skeleton", "stexplain.Explanation") == "stexplain.viz.skeleton"


def test_no_argument_of_a_function_is_taken_for_a_name(docstrings):
    assert {"x", "target", "baseline", "graph", "interval"} & docstrings.arguments() >= {"x", "target", "graph"}
    assert not [name for name in docstrings.arguments() if docstrings.page_of(name)]


def test_a_property_keeps_its_first_line_and_an_equation_is_text(docstrings):
    lines = ["Positive evidence: ReLU of the values.", "", "    y = sum of x", "", "In units of y."]
    docstrings.before(None, "property", "", None, None, lines)
    # napoleon would take what is before the colon for a type.
    assert lines[0] == "\\"
    assert lines[1:] == [
        "Positive evidence: ReLU of the values.",
        "",
        ".. code-block:: text",
        "",
        "    y = sum of x",
        "",
        "In units of y.",
    ]
    # Nor is it Python, where two colons stand before it.
    literal = ["The part of the way::", "", "    y = mean of x'_k", "", "    and of u", "", "::", "", "    z"]
    docstrings.before(None, "function", "", None, None, literal)
    block = [".. code-block:: text", ""]
    assert literal == [
        "The part of the way:", "", *block, "    y = mean of x'_k", "", "    and of u", "", "", "", *block, "    z"
    ]  # fmt: skip


def test_a_letter_alone_begins_no_list(docstrings):
    # As napoleon leaves it.
    lines = [":param nodes:", "              N.", ":type nodes: int", ":param x: N. of them."]
    docstrings.after(None, "function", "", None, None, lines)
    assert lines == [":param nodes: \\N.", ":type nodes: int", ":param x: N. of them."]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("(x, info=OutputInfo(classes=(), groups={}, rows=None), *, y=1)", "(x, info=OutputInfo(), *, y=1)"),
        ("(a=(HistoryOr(otherwise='zero'), HistoryOr(otherwise='b')))", "(a=(HistoryOr('zero'), HistoryOr('b')))"),
        ("(method=<class 'stexplain.a.b.STGGradCAM'>)", "(method=STGGradCAM)"),
        ("(_table, clusters, extra=<factory>, _cache=None)", "(clusters, extra=...)"),
        ("(folder=PosixPath('.'))", "(folder=Path('.'))"),
        ("(names=('a', 'b'), *, bounds=(0.0, 1.0))", "(names=('a', 'b'), *, bounds=(0.0, 1.0))"),
    ],
)  # fmt: skip
def test_defaults_are_short(written, read):
    assert extension("signatures").plain_signature(written) == read


def on_pages():
    """Every public function and class, and the public methods of classes, by their full names."""
    for path in sorted(set(extension("docstrings").public().values())):
        module, _, name = path.rpartition(".")
        value = getattr(import_module(module), name)
        yield path, value
        if inspect.isclass(value):
            for member, one in vars(value).items():
                # Of a method of the class, the function.
                function = getattr(one, "__func__", one)
                if inspect.isfunction(inspect.unwrap(function)) and not member.startswith("_"):
                    yield f"{path}.{member}", function


def test_no_signature_shows_an_object():
    short, found = extension("signatures").plain_signature, 0
    for path, value in on_pages():
        # Sphinx writes defaults as they represent themselves.
        text = ", ".join(
            f"{each.name}={each.default!r}" for each in parameters(value) if each.default is not inspect.Parameter.empty
        )
        shown = re.sub(r"'[^']*'", "''", short(f"({text})"))
        found += bool(text)
        assert not re.search(r"<|\bat 0x|[a-z]\w*\.[a-z]\w*\.", shown), f"{path}: {shown}"
        assert all(len(one) <= 160 for one in shown.split("=")), f"{path}: {shown}"
    assert found > 100


def parameters(value):
    if inspect.isclass(value) or inspect.isfunction(inspect.unwrap(value)):
        try:
            yield from inspect.signature(value).parameters.values()
        except ValueError:
            # An exception's, which is written in C.
            return


def test_what_a_docstring_sends_to_has_a_page():
    page_of, found = extension("docstrings").page_of, 0
    for path, value in on_pages():
        for name in re.findall(r"[Ss]ee `([A-Z]\w*[a-z]\w*)(?:\.\w+)?`", inspect.getdoc(value) or ""):
            found += 1
            assert page_of(name), f"{path}: the reference has no page of {name}"
    assert found > 40


def test_what_a_public_function_returns_has_a_page():
    # By name: a module whose examples ran before is there twice.
    pages = {(value.__module__, value.__name__) for _, value in on_pages() if inspect.isclass(value)}
    for path, value in on_pages():
        if not inspect.isfunction(value) or ".bench." in path or ".cli." in path or ".backend." in path:
            continue
        returned = inspect.signature(value, eval_str=False).return_annotation
        of_module = vars(sys.modules[inspect.unwrap(value).__module__])
        for name in re.findall(r"\w+", returned if isinstance(returned, str) else getattr(returned, "__name__", "")):
            kind = of_module.get(name)
            if inspect.isclass(kind) and kind.__module__.startswith("stexplain.") and not name.startswith("_"):
                assert (kind.__module__, kind.__name__) in pages, f"{path} returns {name}, which has no page"


def test_an_equation_has_no_marks_of_markup():
    # It is shown letter by letter, as it is in the source.
    before, found = extension("docstrings").before, 0
    for path, value in on_pages():
        lines = (inspect.getdoc(value) or "").splitlines()
        before(None, "function", "", None, None, lines)
        for block in re.findall(r"^\.\. code-block:: text\n\n((?: {4}.*\n|\n)+)", "\n".join([*lines, ""]), re.M):
            found += 1
            assert "`" not in block, f"{path}: {block}"
    assert found > 40


def test_each_field_has_a_line_of_its_own():
    for path, value in on_pages():
        doc = inspect.getdoc(value) or ""
        if inspect.isclass(value) and issubclass(value, tuple):
            assert re.search(r"^(Attributes|Args):$", doc, re.M), f"{path}: its fields are not described"
        for part in re.findall(r"^(?:Attributes|Args):\n((?:(?: +.*)?\n)*)", f"{doc}\n", re.M):
            assert not re.search(r"^ {4}\w+, \w[\w, ]*:", part, re.M), f"{path}: one line for several names"


def test_an_explainer_says_how_it_is_called():
    called = extension("signatures").called
    lines = ["Random attribution.", "", "More."]
    called(None, "class", "", import_module("stexplain").Random, None, lines)
    assert lines == ["Random attribution.", "", extension("signatures").CALL, "", "More."]
    own = ["Edges.", "", "More."]
    for name in ("EdgeImportance", "Batch", "STGraph", "Explanation"):
        called(None, "class", "", getattr(import_module("stexplain"), name), None, own)
    assert own == ["Edges.", "", "More."]


def test_values_of_functions_and_bases_without_a_word_are_left_out():
    from docutils import nodes
    from sphinx import addnodes

    signature = addnodes.desc_signature("", "", addnodes.desc_annotation("", " = (<function zero>, <function mean>)"))
    content = addnodes.desc_content("", nodes.paragraph("", "Bases: object"), nodes.paragraph("", "Bases: Explainer"))
    addnodes.desc("", signature, content)
    extension("signatures").words(None, "py", "data", content)
    assert content.astext() == "Bases: Explainer"
    assert signature.astext() == ""


def test_a_result_says_what_returns_it():
    lines = ["Maps of several layers."]
    extension("signatures").called(None, "class", "", import_module("stexplain").LayerSweep, None, lines)
    assert lines == ["Maps of several layers.", "", "Returned by `stexplain.layer_sweep`."]


def test_fields_of_tuples_and_what_pydantic_adds_are_no_members():
    left_out = extension("signatures").left_out
    table = import_module("stexplain.bench.stage").Table
    assert left_out(None, "class", "title", vars(table)["title"], False, None) is True
    assert left_out(None, "class", "model_config", {}, False, None) is True
    assert left_out(None, "class", "to_frame", len, False, None) is None


def test_a_range_from_a_negative_number_is_written_in_words():
    """Two hyphens become a dash, and the minus of the end is gone."""
    pages = [*DOCS.glob("*.md"), *DOCS.glob("decisions/*.md")]
    assert [path.name for path in pages if re.search(r"\d--[\d.]", path.read_text("utf-8"))] == []


# Those that write files.
@pytest.mark.parametrize("name", sorted(set(viz.__all__) - {"animate", "save"}))
def test_each_chart_has_a_picture_of_its_example(name):
    function = getattr(viz, name)
    lines = inspect.getdoc(function).splitlines()
    extension("chart_pictures").add(None, "function", f"stexplain.viz.{name}", function, None, lines)
    assert lines[-4] == ".. raw:: html"
    assert "<svg role" in lines[-2] or "<img alt" in lines[-2]


def test_what_is_no_chart_has_none():
    lines = ["Saves.", "", ">>> 1 + 1", "2"]
    extension("chart_pictures").add(None, "function", "stexplain.viz.save", viz.save, None, lines)
    extension("chart_pictures").add(None, "function", "stexplain.fit", viz.save, None, lines)
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0.95 (0.89-0.98)", ["0.89-0.98"]),
        ("-0.13 (-0.25 to -0.06)", ["-0.25 to -0.06"]),
        ("34 to 80, or 1,440-2,880", ["34 to 80", "1,440-2,880"]),
        # Dates, names and numbers of papers are no ranges, and break as before.
        ("STG-Grad-CAM, 2026-11-28, NTU-60, BSD-3-Clause, 15.9", []),
    ],
)
def test_a_range_of_numbers_stays_on_one_line(text, kept):
    found = extension("pages").parts(text)
    assert "".join(part for part, _ in found) == text
    assert [part for part, is_range in found if is_range] == kept


@pytest.mark.parametrize("title", ["On the bodies", "0211 On the bodies", "0211: On the bodies"])
def test_a_decision_carries_the_number_that_others_name_it_by(title):
    numbered = extension("pages").numbered
    assert numbered("decisions/0211-three-directions", f"# {title}\n\nText.") == "# 0211: On the bodies\n\nText."
    assert numbered("methods", f"# {title}\n") == f"# {title}\n"
