"""Names that are written from right to left leave the order of what stands around them as it is read in English."""

import numpy as np
import pytest

from stexplain import viz
from stexplain.bench.html import items, table
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.viz.directions import isolated, isolated_name
from stexplain.viz.page import page_of
from tests.browser import look, needs_browser

ROAD, CROSSING, STATION = "כביש 6", "צומת 3 (צפון)", "محطة 14"
NAMES = (ROAD, CROSSING, STATION, "plain 5")
MARKED = {name: f"\u2068{name}\u2069" for name in NAMES[:3]}

# The characters of a text from left to right, as they are drawn: where each begins, in pixels.
AS_DRAWN = """
const drawn = text => {
  const place = at => { const box = text.getExtentOfChar(at); return Math.round(box.y) * 1e4 + box.x; };
  const letters = [...text.textContent].map((letter, at) => [place(at), letter]);
  return letters.sort((a, b) => a[0] - b[0]).map(([, letter]) => letter).join("").replace(/[\\u2068\\u2069]/g, "");
};
"""


@pytest.fixture
def e():
    graph = STGraph(NAMES, [(0, 1), (1, 2), (2, 3)], positions=[[0, 0], [1, 0.4], [2, 0], [3, 0]])
    return Explanation(
        np.random.default_rng(0).normal(size=(1, 1, 6, 4)), np.ones((1, 1, 6), bool), NAMES, graph=graph,
        time=300 * np.arange(-5, 1), time_unit="s", measures="score", target=f"speed at {ROAD}, 30 min ahead",
        notes=(f"Sensors {ROAD}, {CROSSING} were left out: 2 of 4.",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("throw, 30 min", "throw, 30 min"),
        (f"at {ROAD}, 30 min", f"at {MARKED[ROAD]}, 30 min"),
        (f"{ROAD} (0.5), {STATION} (0.3)", f"{MARKED[ROAD]} (0.5), {MARKED[STATION]} (0.3)"),
        (f"{CROSSING} and {STATION}: -8.2 mph", f"{MARKED[CROSSING]} and {MARKED[STATION]}: -8.2 mph"),
        (f"12 {ROAD}", f"\u206812 {ROAD}\u2069"),
        (f"{ROAD} 0.52", f"{MARKED[ROAD]} 0.52"),
        ("A12 جنوب", "A12 \u2068جنوب\u2069"),
        (MARKED[ROAD], MARKED[ROAD]),
    ],
)
def test_names_are_marked_and_what_follows_them_is_not(text, marked):
    assert isolated(text) == marked


def test_a_whole_name_is_marked_once():
    assert isolated_name("ידיים, 2") == "\u2068ידיים, 2\u2069"
    assert isolated_name(isolated_name(ROAD)) == MARKED[ROAD]
    assert isolated_name("hip") == "hip"


def test_sentences_and_cells_of_a_report_mark_them():
    assert MARKED[ROAD] in items([f"Most important: {ROAD}, {STATION}."])
    assert f'<th scope="row">{MARKED[CROSSING]}</th>' in table(["sensor", "mph"], [[CROSSING, -8.2]])


@needs_browser
@pytest.mark.parametrize("width", [1400, 420])
def test_titles_notes_and_labels_are_drawn_in_their_order(e, width):
    chart = viz.lag_map(e, marked={"forecast": [ROAD]}, nodes=4)
    script = f"{AS_DRAWN} return {{texts: [...d.querySelectorAll('svg text')].map(drawn)}};"
    found = look(page_of(chart.to_dict()), script, width=width)
    assert found["problems"] == []
    texts = " ".join(found["texts"])
    # A name runs from right to left, with its number at its left; what follows stands at its right.
    assert f"6 {ROAD[:4][::-1]}, 30 min ahead" in texts
    assert f"6 {ROAD[:4][::-1]} (forecast)" in texts
    assert texts.index(ROAD[:4][::-1] + ", ") < texts.index("30 min")
    note = texts[texts.index("Note: Sensors") :]
    assert note.index(ROAD[:4][::-1]) < note.index(CROSSING[:4][::-1]) < note.index("were left out")


def test_ticks_of_lags_stand_at_observations_and_none_behind_the_last(e):
    for chart in (viz.timeline(e, signed=True), viz.skeleton(e)):
        assert "'values': [-25.0, -20.0, -15.0, -10.0, -5.0, 0.0]" in str(chart.to_dict())
