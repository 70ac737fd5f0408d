"""What an explanation has to say about itself stands below the title of every chart of it."""

from dataclasses import replace

import numpy as np
import pytest

from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.notes import chosen
from stexplain.viz import edge_network, edge_timeline, lag_map, road_network, skeleton, timeline, top_nodes
from tests.viz.drawing import words
from tests.viz.maps.test_edges import GRAPH, explained
from tests.viz.test_roads import explained as explained_roads

NOTES = ("The layer sees the whole clip, so that no position in time is known.", " ".join(["long"] * 40) + " end.")
CHARTS = {
    "skeleton": skeleton,
    "frames side by side": lambda e: skeleton(e, interactive=False),
    "timeline": timeline,
    "top nodes": top_nodes,
}


def shown(chart) -> str:
    """All that is written, without spaces: lines of a title have none between them."""
    return without_spaces("".join(words(chart)))


def without_spaces(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_notes_of_clips_are_drawn(explanation, draw):
    noted = replace(explanation, notes=NOTES)
    for note in NOTES:
        assert without_spaces(f"Note: {note}") in shown(draw(noted))
    assert "Note:" not in shown(draw(explanation))


@pytest.mark.parametrize("draw", [road_network, lag_map])
def test_notes_of_forecasts_are_drawn(draw):
    e = explained_roads(6)
    assert without_spaces(f"Note: {NOTES[1]}") in shown(draw(replace(e, notes=NOTES)))
    assert "Note:" not in shown(draw(e))


@pytest.mark.parametrize("draw", [lambda e: edge_network(e, graph=GRAPH), edge_timeline])
def test_notes_of_edges_are_drawn(draw):
    assert without_spaces(f"Note: {NOTES[0]}") in shown(draw(replace(explained(), notes=NOTES)))


def test_a_note_is_wrapped_not_cut():
    e = Explanation(np.ones((1, 1, 2, 3)), np.ones((1, 1, 2), bool), notes=NOTES)
    lines = top_nodes(e).to_dict()["title"]["subtitle"]
    assert len(lines) > 3
    assert max(map(len, lines)) <= 90


def test_the_default_is_named_in_a_figure(explanation):
    note = chosen("", "expected fall")
    drawn = shown(timeline(replace(explanation, notes=(note, NOTES[0]))))
    assert without_spaces(f"Note: {note}Note: {NOTES[0]}") in drawn
    # Why the default could not be computed is of this explanation.
    reason = chosen("Expected fall could not be computed (no gradient)", "STG-Grad-CAM", "blocks.3")
    assert without_spaces(f"Note: {reason}") in shown(timeline(replace(explanation, notes=(reason,))))


def test_what_has_no_direction_is_not_said_to_raise_or_lower():
    e = replace(explained_roads(6), measures="size of score")
    e = replace(e, values=np.abs(e.values))
    for draw in (road_network, lag_map):
        assert without_spaces("do not say whether up or down") in shown(draw(e))
        assert "lowered" not in shown(draw(e))
