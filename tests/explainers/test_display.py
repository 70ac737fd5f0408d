"""What shows itself: explanations in a notebook, their charts, and explainers in words."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError
from stexplain.explainers.display import strongest_frames
from stexplain.explainers.explanation import Explanation

SKELETON = stx.STGraph.skeleton("coco-17")
MODEL = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def of(graph, *, forecast=False):
    values = np.random.default_rng(0).normal(size=(2, 1, 8, len(graph))).astype(np.float32)
    classes = None if forecast else np.array([0, 1])
    return Explanation(values, np.ones((2, 1, 8), bool), graph.nodes, graph=graph, targets=classes, ids=("<b>", "b"))


LINE = stx.STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])


@pytest.mark.parametrize("graph", [SKELETON, LINE])
def test_a_notebook_needs_no_network(graph):
    shown = of(graph)._repr_html_()
    assert shown.count("<svg") == 1
    assert "http" not in shown
    assert "<b>" not in shown.replace("<p>", ""), "a name is text"


@pytest.mark.parametrize("graph", [SKELETON, LINE])
def test_a_picture_has_the_colours_of_its_page(graph):
    """White boxes and black text cannot be read on a dark page."""
    shown = of(graph)._repr_html_()
    texts = re.findall(r"<text[^>]*>", shown)
    assert len(texts) > 5
    assert all('fill="currentColor"' in text for text in texts)
    assert 'fill="white"' not in shown


def test_pictures_of_one_page_keep_their_own_legends():
    """Names inside of a picture are of the whole page: the second legend would show the first one's colours."""
    two = of(SKELETON)._repr_html_(), of(SKELETON, forecast=True)._repr_html_()
    names = [set(re.findall(r' id="([^"]*)"', shown)) for shown in two]
    assert all(names)
    assert not names[0] & names[1]
    for shown, own in zip(two, names, strict=True):
        assert set(re.findall(r"url\(#([^)]*)\)", shown)) == own


def test_a_large_map_is_a_picture_of_pixels():
    graph = stx.STGraph.from_edges([f"n{n}" for n in range(79)], [(f"n{n}", f"n{n + 1}") for n in range(78)])
    values = np.random.default_rng(0).normal(size=(1, 1, 150, 79)).astype(np.float32)
    shown = Explanation(values, np.ones((1, 1, 150), bool), graph.nodes, graph=graph)._repr_html_()
    assert 'src="data:image/png;base64,' in shown
    assert "<svg" not in shown


def test_a_body_is_shown_where_it_matters_most():
    e = of(SKELETON)
    e.values[0, 0, :, :] = 0
    e.values[0, 0, 3, 2] = 1
    assert strongest_frames(e) == [0, 3, 7]
    e.values[0, 0, 7, 2] = 2
    assert strongest_frames(e) == [0, 3, 7]
    e.valid[0, 0, 5:] = False
    assert strongest_frames(e) == [0, 3, 4]
    e.valid[0, 0, 1:] = False
    assert strongest_frames(e) == [0]
    # A sixth of eight equal frames has passed in the second; of equals the first is the strongest.
    e.valid[:], e.values[:] = True, 1
    assert strongest_frames(e) == [0, 3, 6]


def test_a_note_is_said_once():
    note = "Channel 3 of the input is an index that the model looks up: it is not perturbed, and its map is zero."
    shown = replace(of(LINE), notes=(note,))._repr_html_()
    assert shown.count("Channel 3") == 1
    assert f"<em>{note}</em>" in shown


def test_what_has_no_valid_frame_shows_itself_in_words():
    e = Explanation(np.zeros((1, 1, 2, 1)), np.zeros((1, 1, 2), bool))
    assert "<img" not in e._repr_html_()
    assert "Explanation" in e._repr_html_()


def test_the_chart_that_fits():
    assert '"bind"' in of(SKELETON).plot().to_json(), "a body has a slider over its frames"
    assert '"bind"' not in of(LINE).plot().to_json()
    colours = [of(LINE, forecast=forecast).plot().to_dict() for forecast in (True, False)]
    assert colours[0] != colours[1], "a forecast is drawn signed"


def test_a_chart_that_cannot_be_drawn():
    with pytest.raises(InputError, match="sample: got 2; expected 0 to 1"):
        of(LINE).plot(2)
    with pytest.raises(InputError, match=r"stexplain\.viz\.timeline"):
        of(LINE).plot(colour="red")


@pytest.mark.parametrize(
    ("explainer", "words"),
    [
        (stx.STGGradCAM(MODEL, layer="1", layout="b c t n", inputs="b c t n"), "STGGradCAM(Sequential, layer='1'"),
        (
            stx.Occlusion(MODEL, window=3, inputs="b c t n", graph=LINE),
            "Occlusion(Sequential, window=3, inputs='b c t n'",
        ),
        (stx.Motion(), "Motion()"),
        (stx.InputGradient(MODEL, classes=["a"] * 99), "..."),
    ],
)
def test_an_explainer_says_what_it_is(explainer, words):
    assert words in repr(explainer)
    assert len(repr(explainer)) < 300
    assert repr(explainer).startswith(type(explainer).__name__)


def test_saying_it_changes_nothing():
    explain = stx.InputGradient(MODEL, inputs="b c t n")
    x = torch.randn(2, 2, 8, 3, generator=torch.Generator().manual_seed(0))
    first = explain(x)
    assert "InputGradient(Sequential" in repr(explain)
    np.testing.assert_array_equal(explain(x).values, first.values)
