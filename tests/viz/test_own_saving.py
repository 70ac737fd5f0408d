"""What a chart of ours does of itself: it saves, shows and copies as altair's, offline, with names as text."""

import io
import pickle
import re
from dataclasses import replace

import altair as alt
import pandas as pd
import pytest

from stexplain.viz import class_bodies, history, save, skeleton
from stexplain.viz.own_saving import OwnSaving

ELSEWHERE = re.compile(r"<(script|link|img|iframe)[^>]+(src|href)\s*=\s*[\"']?https?:")
EVIL = "</script><script>alert(1)</script>"


@pytest.fixture
def chart():
    return history(pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]}), title=EVIL)


def test_a_chart_that_plays_saves_the_page_that_save_writes(explanation, coordinates, tmp_path):
    moving = skeleton(explanation, x=coordinates)
    moving.save(str(tmp_path / "own.html"))
    save(moving, tmp_path / "ours.html")
    own = (tmp_path / "own.html").read_text("utf-8")
    assert own == (tmp_path / "ours.html").read_text("utf-8")
    assert not ELSEWHERE.search(own)
    into = io.StringIO()
    moving.save(into, format="html")
    assert into.getvalue() == own


@pytest.mark.parametrize(
    "options",
    [{"embed_options": {"actions": False}}, {"json_kwds": {"indent": 1}}, {"inline": True, "mode": "vega-lite"}],
)
def test_options_of_altairs_give_altairs_page_with_the_scripts_inside(chart, tmp_path, options):
    chart.save(tmp_path / "a.html", **options)
    page = (tmp_path / "a.html").read_text("utf-8")
    assert not ELSEWHERE.search(page)
    assert "vegaEmbed" in page
    assert EVIL not in page


def test_a_network_is_used_where_it_is_asked_for(chart, tmp_path):
    for options in ({"inline": False}, {"vega_version": "6.1.0"}):
        chart.save(tmp_path / "a.html", **options)
        page = (tmp_path / "a.html").read_text("utf-8")
        assert ELSEWHERE.search(page)
        assert EVIL not in page
    assert ELSEWHERE.search(chart.to_html(base_url="https://example.org"))
    assert not ELSEWHERE.search(chart.to_html())
    assert EVIL not in chart.to_html()


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<svg"), ("pdf", b"%PDF"), ("json", b"{")])
def test_other_formats_are_altairs(chart, tmp_path, ending, start):
    chart.save(tmp_path / f"a.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes().startswith(start)


def test_copies_and_what_is_put_together_save_themselves_too(chart, graph):
    bodies = class_bodies(pd.DataFrame([range(5)], index=["throw"], columns=list(graph.nodes)), graph)
    for one in (chart, chart.copy(), chart.properties(width=90), pickle.loads(pickle.dumps(chart)), bodies):
        assert isinstance(one, OwnSaving)
        assert isinstance(one, alt.TopLevelMixin)
    assert type(chart).from_dict(chart.to_dict()).to_dict() == chart.to_dict()
    chart.config = alt.Undefined
    assert len((chart | chart).to_dict()["hconcat"]) == 2


def test_a_notebook_shows_a_picture_until_the_scripts_are_there(chart):
    shown = chart._repr_mimebundle_()["text/html"]
    assert "<svg role" in shown
    assert EVIL not in shown
    # Altair's part draws into its own element, and hides the picture once it has drawn.
    assert 'id="altair-viz' in shown
    with alt.renderers.enable("mimetype"):
        assert "text/html" not in str(chart._repr_mimebundle_())
        assert "application/vnd.vegalite" in str(chart._repr_mimebundle_())


def test_what_a_chart_shows_is_said_to_those_who_do_not_see_it(explanation, coordinates):
    said = skeleton(replace(explanation, notes=("A note.",)), x=coordinates).to_dict()["description"]
    assert said.startswith("Most important nodes for “throw”. Larger and brighter: more important.")
    assert "Note: A note." in said
    assert "Most important, mean over frames: instance 1: " in said
