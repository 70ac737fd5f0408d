"""Saved charts in a narrow page: titles wrap, and the menu lies on none; skipped, and said so, without a browser."""

import numpy as np
import pytest

from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.viz import lag_map, network, save
from tests.browser import look, needs_browser

pytestmark = needs_browser
LONG = (
    "A faithful explanation changes the score early, before orders that use no model: higher is better, lower is worse."
)
LOOK = """
const box = element => element.getBoundingClientRect();
const svg = box(d.querySelector("svg.marks"));
const lines = [...d.querySelectorAll("svg.marks .role-title-text text, svg.marks .role-title-subtitle text")];
const menu = box(d.querySelector(".chart details summary"));
const covered = lines.filter(line => {
  const one = box(line);
  return one.left < menu.right && menu.left < one.right && one.top < menu.bottom && menu.top < one.bottom;
});
return {widest: Math.max(...lines.map(line => box(line).right)), lines: lines.length, covered: covered.length,
        texts: d.querySelectorAll("svg.marks .role-title-subtitle tspan").length, shown: svg.width,
        words: d.querySelector("svg.marks .role-title-subtitle").textContent};
"""


@pytest.fixture
def page(tmp_path):
    def drawn(chart):
        return save(chart, tmp_path / "a.html").read_text("utf-8")

    return drawn


@pytest.mark.parametrize("width", [420, 1400])
def test_titles_wrap_and_no_menu_lies_on_them(page, width):
    graph = STGraph("abc", [(0, 1), (1, 2)], positions=[[0, 0], [1, 0], [1, 1]])
    chart = network(
        graph, np.ones(3), width=300, height=200, title="The importance of each of three nodes", subtitle=[LONG]
    )
    found = look(page(chart), LOOK, width=width)
    assert found["problems"] == []
    assert found["covered"] == 0
    assert found["words"].replace(" ", "") == LONG.replace(" ", "")
    if width == 420:
        assert found["widest"] <= 420
        assert found["texts"] >= 2


def test_of_a_wide_chart_too(page):
    values = np.random.default_rng(0).normal(size=(1, 1, 12, 4))
    e = Explanation(values, np.ones((1, 1, 12), bool), target="the forecast of A west 8 at horizon 6", measures="score")
    found = look(page(lag_map(e, minutes=5, unit="mph")), LOOK, width=420)
    assert found["covered"] == 0
    assert found["widest"] <= 420
