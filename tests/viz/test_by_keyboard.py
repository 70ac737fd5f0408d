"""A film by keyboard alone, and for who asked for less motion; skipped, and said so, without a browser."""

import pytest

from stexplain.viz import animate, skeleton
from tests.browser import look, needs_browser

pytestmark = needs_browser
CONTROLS = """
const chart = d.querySelector(".chart"), found = [];
for (const one of chart.querySelectorAll("button, select, input, summary, a[href], [tabindex]")) {
  if (!one.checkVisibility()) continue;
  one.focus();
  const style = w.getComputedStyle(one);
  const label = one.labels && one.labels.length ? one.labels[0] : one;
  found.push({
    tag: one.type || one.tagName.toLowerCase(), reached: d.activeElement === one && one.tabIndex >= 0,
    name: (one.getAttribute("aria-label") || one.title || label.textContent).trim(),
    ring: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
  });
}
"""
PLAYING = """
const shown = () => [...d.querySelectorAll("svg text")].map(t => t.textContent).find(t => t.startsWith("frame "));
const button = d.querySelector("button.play"), moves = async () => {
  const seen = new Set();
  for (let n = 0; n < 20; n++) { await wait(120); seen.add(shown()); }
  return seen.size > 1;
};
"""


@pytest.fixture
def film(explanation, coordinates, tmp_path):
    chart = skeleton(explanation, x=coordinates, height=160, width=200)
    return animate(chart, tmp_path / "film.html").read_text("utf-8")


def test_every_control_can_be_reached_has_a_name_and_shows_that_it_has_the_focus(film):
    found = look(film, f"{CONTROLS} return {{found, language: d.documentElement.lang}};")
    assert found["language"] == "en"
    assert {each["tag"] for each in found["found"]} >= {"button", "select-one", "range", "summary"}
    for each in found["found"]:
        assert each["reached"], each
        assert each["name"], each
        assert each["ring"] >= 2, each


def test_a_slider_that_the_keyboard_moves_is_not_torn_away(film):
    script = f"""{PLAYING}
    const slider = d.querySelector("input[type=range]"), before = await moves();
    // What an arrow key does.
    slider.focus(); slider.stepUp();
    slider.dispatchEvent(new w.Event("input", {{bubbles: true}}));
    await wait(300);
    return {{before, at: Number(slider.value), shown: shown(), after: await moves(), words: button.textContent}};"""
    found = look(film, script)
    assert found["before"]
    assert not found["after"]
    assert "Play" in found["words"]
    assert found["shown"].startswith(f"frame {found['at']}")


def test_who_asked_for_less_motion_starts_it_by_the_button(film):
    script = f"{PLAYING} const first = await moves(); button.click(); return {{first, then: await moves()}};"
    assert look(film, script, still=True) == {"problems": [], "drawn": "yes", "first": False, "then": True}
    assert look(film, script)["first"]
