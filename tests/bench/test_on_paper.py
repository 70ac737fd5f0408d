"""What a report says on paper, where nothing moves, and of what cards and methods call by other marks."""

import re

import numpy as np

from stexplain.bench.figures import Figures, figure_html
from stexplain.bench.page.facts import data
from stexplain.bench.wording import in_words
from stexplain.explainers import Explanation
from stexplain.graph import STGraph
from stexplain.viz import road_network


def on_paper(page):
    return re.sub(r"<span class=\"screen\">.*?</span>", "", page)


def test_what_moves_is_spoken_of_on_a_screen_alone(tmp_path):
    graph = STGraph.from_edges(["a", "b"], [("a", "b")])
    e = Explanation(np.ones((1, 1, 4, 2), np.float32), np.ones((1, 1, 4), bool), ("a", "b"), graph=graph)
    figures = Figures(tmp_path, "examples", "run")
    figures.add("1", "A map", "Sample 7.", road_network(e), hint="Play it, or drag the slider.")
    page = figure_html(tmp_path, figures.records[0])
    text = page.split("<script")[0]
    assert "Play it, or drag the slider." in text
    assert "The slider goes back in time." in text
    assert "Sample 7." in on_paper(text)
    assert "Play it" not in on_paper(text)
    assert "slider" not in on_paper(text)


def test_marks_of_commands_in_a_card_become_code():
    page = data({"datasets": {"ntu": {"title": "NTU", "obtain": "Unpack `a<b.zip`, then run `stexplain data`."}}})
    assert "Unpack <code>a&lt;b.zip</code>, then run <code>stexplain data</code>." in page


def test_methods_have_no_capital_within_a_sentence():
    assert in_words("better than the strongest (Deviation), Occlusion and Variance over nodes") == (
        "better than the strongest (deviation), occlusion and variance over nodes"
    )
    assert in_words("Nodes: Displacement, the best") == "Nodes: displacement, the best"
    # Where a sentence begins, and in titles of others.
    assert in_words("Random guesses. Variance is large") == "Random guesses. Variance is large"
    title = "On the Theory of Random Walks. Analysis of Variance. Annals"
    assert in_words(title, ours=False) == title
