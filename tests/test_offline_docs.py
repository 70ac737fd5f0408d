"""The pages of the documentation load nothing from elsewhere, and their formulas are MathML that browsers can draw."""

import re
import shutil
import sys
import warnings
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("latex2mathml")
nodes = pytest.importorskip("docutils.nodes")

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not (DOCS / "conf.py").is_file(), reason="the package is not tested in its checkout")
MATHML = "{http://www.w3.org/1998/Math/MathML}"
# A formula in any of the three ways to write one.
FORMULA = re.compile(r"""\$[^$\n]+\$ | \{math\}`[^`]+` | :math:`[^`]+`""", re.VERBOSE)


@pytest.fixture(autouse=True)
def extensions(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    yield
    for name in ("mathml", "offline"):
        sys.modules.pop(name, None)


def sources():
    """Every page that has a formula; a dollar sign within code is none."""
    code = re.compile(r"```.*?```|(?<!\})`[^`]+`", re.DOTALL)
    pages = [*DOCS.glob("*.md"), *DOCS.glob("decisions/*.md")]
    return [path for path in pages if FORMULA.search(code.sub("", path.read_text("utf-8")))]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages that have formulas, built with the extensions that the whole documentation has for them."""
    pytest.importorskip("furo")
    pytest.importorskip("myst_parser")
    sys.path.insert(0, str(DOCS / "_ext"))
    from sphinx.application import Sphinx

    folder = tmp_path_factory.mktemp("docs")
    source, out = folder / "source", folder / "out"
    source.mkdir()
    for path in sources():
        shutil.copy(path, source)
    docstrings = [
        found for path in (ROOT / "stexplain").rglob("*.py") for found in FORMULA.findall(path.read_text("utf-8"))
    ]
    lines = [found for found in docstrings if found.startswith(":math:")]
    assert lines
    (source / "index.rst").write_text("Formulas\n========\n\n" + "".join(f"{line}\n\n" for line in lines), "utf-8")
    (source / "block.rst").write_text(
        "Block\n=====\n\n.. math:: \\frac{a}{b}\n   :label: half\n\n   \\sum_i x_i\n", "utf-8"
    )
    (source / "conf.py").write_text(
        "extensions = ['myst_parser', 'mathml', 'offline']\n"
        "myst_enable_extensions = ['dollarmath']\nhtml_theme = 'furo'\n",
        "utf-8",
    )
    words = (folder / "warnings.txt").open("w+", encoding="utf-8")
    app = Sphinx(source, source, out, folder / "trees", "html", status=None, warning=words)
    with warnings.catch_warnings():
        # myst-parser asks for names that the newest Sphinx deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        app.build()
    words.seek(0)
    warned = words.read()
    sys.path.remove(str(DOCS / "_ext"))
    for name in ("mathml", "offline"):
        sys.modules.pop(name)
    return app, out, warned


def formulas_of(page):
    return [ElementTree.fromstring(found) for found in re.findall(r"<math\b.*?</math>", page.read_text("utf-8"), re.S)]


def test_every_formula_of_pages_and_docstrings_is_mathml(site):
    app, out, warned = site
    names = app.env.found_docs
    assert {"equations", "intervals", "limits", "0160-layers-are-measured", "index", "block"} <= names
    assert "formula" not in warned
    for name in names:
        tree = app.env.get_doctree(name)
        inline, blocks = list(tree.findall(nodes.math)), list(tree.findall(nodes.math_block))
        drawn = formulas_of(out / f"{name}.html")
        # The page "block" has one of two parts.
        assert len(drawn) == len(inline) + 2 * len(blocks) > 0, name
        for formula in drawn:
            assert formula.get("alttext")
            assert not list(formula.iter(f"{MATHML}merror"))
            assert "\\" not in "".join(formula.itertext())
    assert len(formulas_of(out / "equations.html")) >= 20


def test_nothing_is_loaded_from_elsewhere(site):
    _, out, _ = site
    assert (out / "equations.html").is_file()
    assert import_module("offline").everywhere(out) == []


def test_a_numbered_formula_keeps_its_number_and_can_be_scrolled_by_keyboard(site):
    _, out, _ = site
    text = (out / "block.html").read_text("utf-8")
    assert re.search(r'<div class="math" id="equation-half" tabindex="0">\s*<span class="eqno">\(1\)', text)
    assert text.count('display="block"') == 2


def test_the_documentation_is_built_with_both():
    text = (DOCS / "conf.py").read_text("utf-8")
    assert '"mathml"' in text
    assert '"offline"' in text
    assert "mathjax" not in text
    # The gallery's page of running times would load scripts from elsewhere.
    assert '"write_computation_times": False' in text


@pytest.mark.parametrize(
    "latex",
    [
        r"\notacommand x",
        r"\frac{1}",
        r"\hat{x",
        "x_",
        "a & b",
        r"\mathbf x",
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
    ],
)
def test_a_formula_that_would_be_drawn_wrong_is_refused(latex):
    with pytest.raises(ValueError, match="expected"):
        import_module("mathml").mathml(latex)


def test_what_a_formula_is_made_of():
    mathml = import_module("mathml").mathml
    for latex, wanted in {
        r"\frac{a}{b}": "<mfrac>",
        r"\sum_{i=1}^n x_i": "<msubsup>",
        r"\hat y": "<mover",
        r"\lVert x \rVert_2": "‖",
        r"\begin{cases} a & b \\ c & d \end{cases}": "<mtable>",
        "a < b": "&lt;",
    }.items():
        assert wanted in mathml(latex)
    assert '<mrow><mi>T</mi><mo lspace="0" rspace="0">′</mo></mrow>' in mathml("T'")
    assert 'alttext="a &lt; &quot;b&quot;"' in mathml('a <  "b"')


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<script async src="https://cdn.org/a.js"></script>', ["https://cdn.org/a.js"]),
        ('<img src="//cdn.org/a.png">', ["//cdn.org/a.png"]),
        ('<img srcset="a.png 1x, http://b.org/c.png 2x">', ["http://b.org/c.png 2x"]),
        ('<link rel="stylesheet" href="https://a.org/a.css">', ["https://a.org/a.css"]),
        ('<link rel="dns-prefetch" href="//a.org">', ["//a.org"]),
        ("<style>@import 'https://a.org/b.css';</style>", ["https://a.org/b.css"]),
        ('<p style="background: url(https://a.org/b.png)">a</p>', ["https://a.org/b.png"]),
        ('<link rel="canonical" href="https://a.org/">', []),
        ('<a href="https://a.org">a</a> url(https://a.org) <svg xmlns="http://www.w3.org/2000/svg"></svg>', []),
        ('<img src="data:image/png;base64,//8="><script src="_static/a.js?v=1"></script>', []),
    ],
)
def test_requests_of_a_page_are_found(page, found):
    assert import_module("offline").requests(page) == found


def test_requests_of_style_sheets_are_found(tmp_path):
    (tmp_path / "a.css").write_text('@import url("https://a.org/b.css"); p { background: url(b.png) }', "utf-8")
    assert import_module("offline").everywhere(tmp_path) == ["a.css: https://a.org/b.css"]
