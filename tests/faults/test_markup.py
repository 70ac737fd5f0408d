"""Markup in a name, id, class, title or unit is text: in reports, charts, pages and notebooks nothing of it runs."""

import html
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import stexplain
from docs._ext.charts import as_html
from stexplain.bench.figures import Figures
from stexplain.bench.report import write_report
from stexplain.checks.selftest import SelfTest
from stexplain.checks.subject import Check
from stexplain.checks.trust.result import NEEDED, Trust, TrustCheck
from stexplain.files import write_json
from stexplain.metrics import compare_groups
from stexplain.metrics.comparison.result import Comparison
from stexplain.metrics.importance import ClassImportance
from stexplain.viz import save
from stexplain.viz.page import bundle, page_of, player
from tests.bench.test_report import OPTIONS, a_run
from tests.browser import look, needs_browser
from tests.faults.charts import charts, edges, explanation, graph

# Ends what it may stand in (an attribute, a text, a script, a comment) and then runs; with letters that are written
# from right to left, and some that need four bytes.
RUNS = "window.top.ran = 1"
HOSTILE = (
    f"</script><script>{RUNS}</script><img src=x onerror='{RUNS}'>\"'`--><svg onload={RUNS}>"
    f'</title></style><!--<script>${{{RUNS}}}\n\u202eabc\u202c \U0001f9b4 &lt;b&gt; {{{{1}}}} ]]> \\") + x'
)
# Of the same length: pictures leave out a name that has no room.
HARMLESS = "harmless ".ljust(len(HOSTILE), "-")


class Elements(HTMLParser):
    """The elements of a page with the names of their attributes: what markup in a text would add to."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        # Rows of tables may come in another order, and names have other lengths.
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_comment(self, data):
        self.found.append(("comment", ()))


def shown(mark):
    """What notebooks show of everything that shows itself, by the module that defines it."""
    e = explanation(mark, samples=8)
    groups = compare_groups(e, [f"x {mark}"] * 4 + [f"y {mark}"] * 4, windows=0)
    scores = {f"metric {mark}": {f"one {mark}": np.arange(4.0), f"two {mark}": np.ones(4)}}
    ids = tuple(f"{number} {mark}" for number in range(4))
    comparison = Comparison(scores, {f"metric {mark}": True}, ids, resamples=50)
    trust = Trust(f"CAM {mark}", tuple(TrustCheck.not_checked(name, f"No class {mark}.") for name in NEEDED))
    selftest = SelfTest(f"CAM {mark}", (Check(f"order {mark}", False, 0.5, 1e-4, f"a node {mark}"),), None)
    importance = ClassImportance([f"class {mark}", "b"], [f"node {mark}", "d"])
    return {
        "checks/selftest.py": selftest._repr_html_(),
        "checks/trust/result.py": trust._repr_html_(),
        "explainers/display.py": explanation(mark)._repr_html_(),
        "explainers/edge_explanation.py": edges(mark)._repr_html_() + replace(edges(mark), over_time={})._repr_html_(),
        "graph/stgraph.py": graph(mark)._repr_html_(),
        "metrics/comparison/result.py": comparison._repr_html_(),
        "metrics/groups/result.py": groups._repr_html_(),
        "result.py": importance._repr_html_(),
    }


@pytest.fixture(scope="module")
def drawn():
    return {mark: charts(mark) for mark in (HARMLESS, HOSTILE)}


@pytest.fixture(scope="module")
def in_notebooks():
    return {mark: shown(mark) for mark in (HARMLESS, HOSTILE)}


def test_all_that_shows_itself_is_looked_at(in_notebooks):
    package = Path(stexplain.__file__).parent
    named = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "def _repr_html_" in path.read_text("utf-8")
    }
    assert named == set(in_notebooks[HARMLESS])


def test_notebooks_get_the_same_elements_whatever_the_names(in_notebooks):
    for name, page in in_notebooks[HARMLESS].items():
        assert Elements(in_notebooks[HOSTILE][name]).found == Elements(page).found, name
        assert "\u202e" in html.unescape(in_notebooks[HOSTILE][name]), f"{name}: the name is not shown"


def test_saved_charts_have_the_same_elements_whatever_the_names(drawn):
    for name, chart in drawn[HARMLESS].items():
        other = page_of(drawn[HOSTILE][name].to_dict(), title=HOSTILE)
        assert Elements(other).found == Elements(page_of(chart.to_dict())).found, name


def test_saved_pictures_are_drawn_and_hold_no_script(drawn, tmp_path):
    for name, chart in drawn[HOSTILE].items():
        path = save(chart, tmp_path / f"{name}.svg")
        for element in ElementTree.parse(path).iter():
            assert not element.tag.endswith(("script", "foreignObject", "image")), name
            assert not any(attribute.lower().startswith("on") for attribute in element.attrib), name


@pytest.fixture(scope="module")
def report(drawn, tmp_path_factory):
    """A report of which each text is hostile, with every chart there is."""
    folder = tmp_path_factory.mktemp("run")
    run = f"xsub/{HOSTILE}"
    figures = Figures(folder, "localisation", run)
    for name, chart in drawn[HOSTILE].items():
        figures.add(name, f"{name} {HOSTILE}", HOSTILE, chart)
    (folder / "tables").mkdir()
    (folder / "tables/wide.csv").write_text(f'name\n"{HOSTILE.replace(chr(34), chr(34) * 2)}"\n', "utf-8")
    about = {**a_run(), "protocol_title": HOSTILE, "model_title": HOSTILE, "recipe_summary": HOSTILE}
    verdict = {"run": run, "stage": "localisation", "verdict": "supported", "text": HOSTILE, "claim": HOSTILE}
    write_json(
        folder / "results.json",
        {
            "title": HOSTILE, "question": HOSTILE, "node": HOSTILE, "stages": OPTIONS, "citation": HOSTILE,
            "command": HOSTILE, "datasets": {"ntu": {"title": HOSTILE, "obtain": HOSTILE, "samples": 10}},
            "runs": {run: about}, "figures": figures.records, "versions": {"torch": HOSTILE},
            "verdicts": [{**verdict, "number": HOSTILE}],
            "tables": {"wide": {"stage": "localisation", "title": HOSTILE, "file": "tables/wide.csv"}},
        },
    )  # fmt: skip
    return folder, write_report(folder).read_text("utf-8")


LOOK = """
await wait(500);
for (const fold of d.querySelectorAll("details")) fold.open = true;
// What is shown only where a pointer rests: tooltips are markup too.
for (const mark of d.querySelectorAll("svg path, svg rect")) {
  mark.dispatchEvent(new w.MouseEvent("mousemove", {bubbles: true, clientX: 5, clientY: 5}));
}
await wait(300);
const charts = d.querySelectorAll(":is(.chart, .stx-chart) :is(svg.marks, canvas)").length;
return {ran: window.top.ran || 0, charts,
        injected: d.querySelectorAll("[onerror], [onload], img[src=x]").length};
"""


@needs_browser
def test_nothing_runs_in_a_report(report):
    _, page = report
    found = look(page, LOOK)
    assert found["drawn"] == "yes"
    assert (found["ran"], found["injected"]) == (0, 0)
    assert found["charts"] >= len(charts(HARMLESS))
    assert found["problems"] == []


@needs_browser
def test_nothing_runs_in_the_pages_of_a_runs_figures(report):
    folder, _ = report
    for name in ("skeleton", "network"):
        page = next((folder / "figures").glob(f"*-{name}.html")).read_text("utf-8")
        found = look(page, LOOK)
        assert (found["drawn"], found["ran"], found["injected"], found["problems"]) == ("yes", 0, 0, [])


@needs_browser
def test_nothing_runs_in_docs_and_notebooks(drawn, in_notebooks):
    """Charts as the documentation has them, and what notebooks show."""
    parts = "".join(as_html(drawn[HOSTILE][name]) for name in ("timeline", "importance_map"))
    parts += "".join(in_notebooks[HOSTILE].values())
    draw = (Path(stexplain.__file__).parents[1] / "docs/_ext/charts.js").read_text("utf-8")
    done = "document.addEventListener('DOMContentLoaded', () => { document.documentElement.dataset.drawn = 'yes'; });"
    scripts = "".join(f"<script>{script}</script>" for script in (bundle(), player(), f"{draw}\n{done}"))
    found = look(f"<!doctype html><html><head>{scripts}</head><body>{parts}</body></html>", LOOK)
    assert (found["ran"], found["injected"], found["problems"]) == (0, 0, [])
    assert found["charts"] == 2


@needs_browser
def test_what_is_hostile_would_run_where_it_is_not_escaped():
    page = f"<!doctype html><html data-drawn='yes'><head></head><body><p>{HOSTILE}</p></body></html>"
    assert look(page, LOOK)["ran"] == 1
