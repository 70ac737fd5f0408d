"""An explanation in one line: what is counted, what is named first, and what is said only where there is some."""

from dataclasses import replace

import numpy as np

from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.in_words import in_words
from stexplain.explainers.results.notes import chosen


def of(values, **fields) -> Explanation:
    values = np.asarray(values, np.float64)
    return Explanation(values, np.ones(values.shape[:3], bool), method="ours", **fields)


def test_numbers_are_counted_and_what_is_missing_is_not_said():
    assert in_words(of(np.zeros((1, 1, 1, 1)))) == (
        "<Explanation of 1 sample by ours: 1 instance x 1 frame x 1 node; most important: none>"
    )
    assert in_words(of(np.zeros((2, 3, 4, 5)))) == (
        "<Explanation of 2 samples by ours: 3 instances x 4 frames x 5 nodes; most important: none>"
    )
    said = in_words(of(np.ones((1, 1, 2, 1)), target="class 3", layer="blocks.2", node_names=("hip",)))
    assert said.startswith("<Explanation of class 3 in 1 sample by ours at blocks.2: ")
    assert said.endswith("; most important: hip>")


def test_the_three_most_important_nodes_by_their_mean_over_samples_that_observed_them():
    values = np.zeros((2, 1, 2, 5))
    # Means over samples: 2, 3, 0.5, 4 of the one that observed it, and less than nothing.
    values[0, 0, :, 0], values[1, 0, :, 0] = 4, 0
    values[:, 0, :, 1], values[:, 0, :, 2] = 3, 0.5
    values[0, 0, :, 3], values[:, 0, :, 4] = 4, -9
    observed = np.ones(values.shape, bool)
    observed[1, :, :, 3] = False
    e = of(values, node_names=tuple("abcde"), observed=observed)
    assert "most important: d, b, a>" in in_words(e)
    # Of equals those that come first; what is not important is not named.
    assert "most important: b, d>" in in_words(of([[[[0.0, 2, 0, 2, 0]]]], node_names=tuple("abcde")))
    assert "most important: a, b, c>" in in_words(of(np.ones((1, 1, 1, 5)), node_names=tuple("abcde")))


def test_padding_notes_and_times_where_there_are_any():
    e = of(np.ones((2, 1, 3, 1)), padding_share=[0.1, 0.3])
    assert "; 20% excluded on padding>" in in_words(e)
    assert "excluded" not in in_words(replace(e, padding_share=np.zeros(2)))
    noted = replace(e, padding_share=np.zeros(2), notes=(chosen("", "expected fall"), "The layer has no nodes."))
    assert in_words(noted).endswith("; noted: The layer has no nodes.>")
    twice = replace(noted, notes=(*noted.notes, "Second.", "Third."))
    assert in_words(twice).endswith("; noted: The layer has no nodes. (and 2 more)>")
    long = replace(noted, notes=("word " * 30,))
    assert "[...]" in in_words(long)
    assert len(in_words(long)) < 200
    timed = of(np.array([1.0, 5, 2]).reshape(1, 1, 3, 1), time=[0.0, 0.5, 1.0], time_unit="s")
    assert "3 frames (0.00 to 1.00 s) x 1 node; most important: 0, most at 0.50 s>" in in_words(timed)


def test_of_no_samples_there_is_a_line_too():
    e = of(np.zeros((0, 1, 2, 3)))
    assert in_words(e).startswith("<Explanation of 0 samples by ours: 1 instance x 2 frames x 3 nodes;")
