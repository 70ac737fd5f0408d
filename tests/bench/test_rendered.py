"""The report and saved charts as a browser shows them; skipped, and said so, where none is found."""

import re
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from stexplain.bench.figures import Figures
from stexplain.bench.page.first import verdict_lines
from stexplain.bench.report import write_report
from stexplain.bench.stage import NoOptions, RunResults
from stexplain.bench.stages.localisation import LocalisationStage
from stexplain.explainers.explanation import Explanation
from stexplain.files import write_json
from stexplain.graph import STGraph
from stexplain.viz import history, network, save, skeleton
from tests.bench.test_report import OPTIONS, a_run
from tests.browser import look, needs_browser, pages_on_paper

pytestmark = needs_browser
NODES = ("spine", "left hand", "right hand", "left foot", "right foot")

# Contrast of text against the first opaque background behind it (WCAG 2.2, 1.4.3); large text needs less.
CONTRAST = """
const parse = color => (color.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const poor = [];
for (const element of d.querySelectorAll("body *")) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
  if (element.closest("details:not([open])") && element.tagName !== "SUMMARY") continue;
  if (element.closest(".vega-actions, .skip")) continue;
  const style = w.getComputedStyle(element);
  const svg = element instanceof w.SVGElement;
  const ink = parse(svg ? style.fill : style.color);
  let behind = element, back = [0, 0, 0, 0];
  for (; behind; behind = behind.parentElement) {
    back = parse(w.getComputedStyle(behind).backgroundColor);
    if (back.length < 4 || back[3] === 1) break;
  }
  if (!behind) back = [255, 255, 255];
  const [a, b] = [light(ink), light(back)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5))
    poor.push(element.tagName + " " + element.textContent.trim().slice(0, 40) + " " + ratio.toFixed(2));
}
"""
WIDTH = "const sideways = d.documentElement.scrollWidth - d.documentElement.clientWidth;"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report of one run, with a skeleton that plays, a network that plays, and a curve."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    graph = STGraph(
        NODES, [(1, 0), (2, 0), (3, 0), (4, 0)],
        positions=[[0.0, 0.0], [1.0, 1.0], [-1.0, 1.0], [1.0, -2.0], [-1.0, -2.0]],
    )  # fmt: skip
    e = Explanation(
        rng.random((1, 1, 12, 5)).astype(np.float32), np.ones((1, 1, 12), bool), NODES, method="some method",
        targets=np.array([0]), classes=("throw",), ids=("clip 1",), graph=graph,
    )  # fmt: skip
    x = np.cumsum(rng.normal(size=(1, 12, 5, 3)), axis=1) * 0.1 + np.pad(graph.positions, ((0, 0), (0, 1)))
    figures = Figures(folder, "localisation", "xsub/stgcn10", synthetic=True)
    figures.add("clip", "A clip", "Play it.", skeleton(e, x=x), answers=True)
    moving = network(graph, rng.normal(size=(4, 5)), time=[-15, -10, -5, 0], time_unit="min")
    figures.add("roads", "Roads", "Play them.", moving, narrow=moving)
    curve = history(pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]}), selected_epoch=2)
    figures.add("curve", "Curves", "They fall.", curve)
    both = history(pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0], "accuracy": [0.5, 0.9]}))
    figures.add("panels", "Two curves", "One falls.", both)
    (folder / "tables").mkdir()
    names = [f"a column of a name {number}" for number in range(12)]
    pd.DataFrame([range(12)], columns=names).to_csv(folder / "tables/wide.csv", index=False)
    pd.DataFrame({"sample": range(2000), "value": 0.5}).to_csv(folder / "tables/long.csv", index=False)
    verdict = {"run": "xsub/stgcn10", "stage": "localisation", "verdict": "supported", "text": "It is better by far."}
    write_json(
        folder / "results.json",
        {
            "title": "An experiment", "question": "Which joints, and when?", "node": "joint", "stages": OPTIONS,
            # The name of a file is one word, wider than a phone.
            "datasets": {
                "ntu": {"title": "Bodies", "planted": True, "samples": 10, "obtain": f"Get `{'a_list_' * 9}`."},
            },
            "runs": {"xsub/stgcn10": a_run()}, "figures": figures.records, "versions": {"torch": "2"},
            "verdicts": [{**verdict, "claim": "It is better", "number": "AUROC 0.90, Motion 0.50"}],
            "tables": {
                name: {"stage": "localisation", "title": name.capitalize(), "file": f"tables/{name}.csv"}
                for name in ("wide", "long")
            },
        },
    )  # fmt: skip
    return write_report(folder).read_text("utf-8")


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (420, True)])
def test_the_report_is_drawn_without_errors_requests_or_sideways_scrolling_and_can_be_read(report, width, dark):
    script = f"{CONTRAST}{WIDTH} return {{poor, sideways, dark: w.matchMedia('(prefers-color-scheme: dark)').matches}};"
    found = look(report, script, width=width, dark=dark)
    assert found["drawn"] == "yes"
    assert found["problems"] == []
    assert found["sideways"] <= 0
    assert found["dark"] == dark
    assert found["poor"] == []


def test_headings_follow_each_other_without_a_jump(report):
    # The figure that answers the question stands right below the title of the page.
    levels = [int(level) for level in re.findall(r"<h([1-6])\b", report)]
    assert levels[:2] == [1, 2]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_chart_has_a_name_also_without_a_description_of_its_own(report):
    script = """
    return {names: [...d.querySelectorAll("svg.marks")].map(one => one.getAttribute("aria-label"))};"""
    # As charts of an earlier version have none.
    found = look(report.replace('"description":', '"earlier":'), script)["names"]
    assert len(found) >= 3
    assert all(found)
    assert "Play it." in found


def test_on_a_phone_the_scores_of_localisation_are_those_of_the_first_measure(tmp_path):
    scores = a_run()["stages"]["localisation"]["localisation"]
    figures = Figures(tmp_path, "localisation", "xsub/stgcn10")
    results = {"localisation": {"samples": 10, "localisation": scores}}
    LocalisationStage(NoOptions()).figures(SimpleNamespace(label="STGCN-10 xsub"), results, figures)
    (record,) = figures.records
    wide, narrow = ((tmp_path / record[name]).read_text("utf-8") for name in ("json", "narrow"))
    assert "pointing game" in wide
    assert "pointing game" not in narrow
    assert "AUROC" in narrow


def test_unfolded_on_a_phone_tables_scroll_inside_their_box(report):
    script = f"""
    for (const fold of d.querySelectorAll("details")) fold.open = true;
    await wait(200);
    const box = d.querySelector("#tables .wide");
    {WIDTH} return {{sideways, box: box.scrollWidth > box.clientWidth}};"""
    found = look(report, script, width=420)
    assert found["sideways"] <= 0
    assert found["box"]


def test_on_paper_tables_of_many_rows_are_named_and_not_printed(report):
    # Alone, a table of 2,000 rows would take dozens.
    assert 2 <= pages_on_paper(report) <= 8
    paper = report[report.index('<div class="paper">') :]
    assert "Long: tables/long.csv" in paper[: paper.index("</div>")]


def test_on_a_phone_panels_lie_below_each_other(report):
    script = """
    const chart = d.querySelector("[data-chart$=panels]"), svg = chart.querySelector("svg.marks");
    const box = svg.getBoundingClientRect();
    return {sideways: chart.scrollWidth - chart.clientWidth, width: box.width, height: box.height};"""
    phone, desk = look(report, script, width=420), look(report, script, width=1400)
    assert phone["sideways"] <= 0
    assert phone["height"] > phone["width"]
    assert desk["height"] < desk["width"]


PLACES = """
    const place = element => { const box = element.getBoundingClientRect(); return [box.top, box.bottom]; };
    const cards = [...d.querySelectorAll(".first .card")];
    return {
      lead: [d.querySelector(".lead").textContent, ...place(d.querySelector(".lead"))],
      figure: place(d.querySelector(".answer .chart")),
      cards: cards.map(card => [card.querySelector("h2").textContent, ...place(card)]),
    };"""


def with_verdicts(page, runs=3, claims=3):
    """The page with as many verdicts as a long experiment has, in words as long as they come."""
    verdicts = [
        {
            "run": f"xsub/run{run}", "stage": "localisation", "verdict": "not supported", "text": "It is not.",
            "claim": f"STG-Grad-CAM finds the true joints and frames better than what uses no model, {claim}",
            "number": "AUROC over nodes 0.86, input gradient 0.97; over frames 0.76, input gradient 0.90",
        }
        for claim in range(claims) for run in range(runs)
    ]  # fmt: skip
    named = [RunResults(f"xsub/run{run}", a_run(), {}, "joint") for run in range(runs)]
    lines = verdict_lines(verdicts, named)
    start = page.index('<ul class="verdicts">')
    return page[:start] + lines + page[page.index("</ul>", start) + len("</ul>") :]


def test_the_first_screen_has_figure_verdicts_and_trust(report):
    found = look(report, PLACES)
    assert found["lead"][0] == "Which joints, and when?"
    assert found["figure"][1] <= 900
    shown = {title: bottom for title, _, bottom in found["cards"]}
    assert shown["Verdicts"] <= 900
    assert shown["How far to trust it"] <= 900


def test_it_has_them_with_three_claims_on_three_runs_too(report):
    found = look(with_verdicts(report), PLACES)
    shown = {title: bottom for title, _, bottom in found["cards"]}
    assert 300 < shown["Verdicts"] < shown["How far to trust it"] <= 900


def test_on_a_phone_question_figure_verdicts_and_trust_follow_each_other(report):
    found = look(report, PLACES, width=420)
    shown = [found["lead"][1:], found["figure"], *([top, bottom] for _, top, bottom in found["cards"])]
    assert all(above[1] <= below[0] for above, below in pairwise(shown))
    # What leads to the sections takes one line: the figure is seen first.
    assert found["figure"][0] <= 300
    assert [title for title, *_ in found["cards"]] == ["Verdicts", "How far to trust it", "What was done"]


def test_button_and_slider_move_the_figure(report):
    script = """
    const chart = d.querySelector(".answer .chart"), button = chart.querySelector("button.play");
    const texts = () => [...chart.querySelectorAll("svg text")].map(t => t.textContent);
    const shown = () => texts().find(t => t.startsWith("frame "));
    // It plays from the start, as nobody asked for less motion.
    const playing = button.textContent;
    const seen = new Set();
    for (let n = 0; n < 40; n++) { await wait(120); seen.add(shown()); }
    button.click();
    const paused = button.textContent, before = shown();
    await wait(1500);
    const still = shown() === before;
    const slider = chart.querySelector("input[type=range]");
    slider.value = 9;
    slider.dispatchEvent(new w.Event("input", {bubbles: true}));
    await wait(300);
    const dragged = shown();
    const speed = chart.querySelector("select.speed");
    speed.value = "4";
    speed.dispatchEvent(new w.Event("change"));
    button.click();
    await wait(400);
    return {playing, seen: [...seen], paused, still, dragged, after: shown(), again: button.textContent};"""
    found = look(report, script)
    assert "Pause" in found["playing"]
    assert len(found["seen"]) >= 6
    assert "Play" in found["paused"]
    assert found["still"]
    assert found["dragged"] == "frame 9"
    assert found["after"] != "frame 9"
    assert "Pause" in found["again"]


def test_no_name_covers_a_joint_or_another_name_as_drawn(report):
    script = """
    const chart = d.querySelector(".answer .chart");
    chart.querySelector("button.play").click();
    const slider = chart.querySelector("input[type=range]"), bad = [];
    let names = 0;
    const along = (a, b, from, to) => a[from] < b[to] - 1 && b[from] < a[to] - 1;
    const overlap = (a, b) => along(a, b, "left", "right") && along(a, b, "top", "bottom");
    const named = t => / (hand|foot)$|^spine$/.test(t.textContent);
    for (let at = 0; at < 12; at++) {
      slider.value = at;
      slider.dispatchEvent(new w.Event("input", {bubbles: true}));
      await wait(200);
      const texts = [...chart.querySelectorAll("svg .mark-text text")].filter(named);
      const boxes = texts.map(t => t.getBoundingClientRect());
      const joints = [...chart.querySelectorAll("svg .mark-symbol path")].filter(p => !p.closest(".role-legend"));
      names += boxes.length;
      boxes.forEach((box, n) => {
        for (const joint of joints)
          if (overlap(box, joint.getBoundingClientRect())) bad.push(at + " " + texts[n].textContent + " over a joint");
        boxes.slice(0, n).forEach(other => overlap(box, other) && bad.push(at + " two names"));
      });
    }
    return {bad, names};"""
    found = look(report, script)
    assert found["names"] >= 12
    assert found["bad"] == []


@pytest.mark.filterwarnings("ignore:graph. got .* without an edge")
def test_a_saved_chart_plays_offline(tmp_path):
    graph = STGraph(NODES, [(1, 0)], positions=np.eye(5, 2).tolist())
    moving = network(graph, np.eye(4, 5), time=[-15, -10, -5, 0], time_unit="min")
    page = save(moving, tmp_path / "a.html").read_text("utf-8")
    script = f"""
    const shown = () => [...d.querySelectorAll("svg text")].map(t => t.textContent).find(t => /earlier|last/.test(t));
    const first = shown();
    d.querySelector("button.play").click();
    await wait(1000);
    const then = shown(), note = d.querySelector(".chart .still").textContent;
    w.dispatchEvent(new w.Event("beforeprint"));
    await wait(50);
    const picture = d.querySelector("svg.marks");
    const said = picture.getAttribute("role") + ": " + picture.getAttribute("aria-label");
    {CONTRAST} return {{first, then, printed: shown(), note, said, poor}};"""
    found = look(page, script, dark=True)
    assert found["problems"] == []
    assert found["first"] == "15 min earlier"
    assert found["then"] != found["first"]
    # On paper: what it opened with, of greatest importance, and a line that says so.
    assert found["printed"] == found["first"]
    assert found["note"].startswith("On paper: 15 min earlier, where importance is greatest.")
    # To a screen reader: one picture with a description, whose marks and their coordinates are not read one by one.
    assert found["said"].startswith("img: Node importance. Brighter: greater value.")
    assert "Furthest from zero, 15 min earlier: spine (1)." in found["said"]
    assert found["poor"] == []
