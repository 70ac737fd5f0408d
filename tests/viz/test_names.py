"""Names beside nodes: none covers a node or another name, and those that matter are always there."""

import json

import numpy as np
import pandas as pd
import pytest

from stexplain.graph import STGraph
from stexplain.viz import class_bodies, skeleton
from stexplain.viz.names import in_lines
from stexplain.viz.panel import LETTER, LINE, Panel
from tests.viz.drawing import records


def boxes(panel, placed, names):
    """Left, low, right, high of each name in pixels."""
    found = []
    for one in placed:
        x, y = panel.pixels(np.array([one.x - panel.right[0], one.y - panel.up[0]]))
        half = LETTER * len(names[one.node]) / 2
        found.append((x - half, y - LINE / 2, x + half, y + LINE / 2))
    return found


def overlap(a, b):
    return a[0] < b[2] - 1e-6 and b[0] < a[2] - 1e-6 and a[1] < b[3] - 1e-6 and b[1] < a[3] - 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_no_name_covers_a_node_or_another_name(seed):
    rng = np.random.default_rng(seed)
    # Crowded: forty nodes of up to 12 pixels in a panel of 370 x 375.
    points, radii = rng.normal(size=(40, 2)), rng.uniform(2, 12, 40)
    names = {index: f"a long name {index}" for index in rng.permutation(40)[:12].tolist()}
    panel = Panel.around(points, width=370, height=375)
    placed = panel.names(points, radii, names)
    assert placed
    found = boxes(panel, placed, names)
    at = [panel.pixels(point - [panel.right[0], panel.up[0]]) for point in points]
    nodes = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(at, radii, strict=True)]
    for number, box in enumerate(found):
        assert not any(overlap(box, node) for node in nodes)
        assert not any(overlap(box, other) for other in found[:number])
        assert box[0] >= -1e-6
        assert box[1] >= -1e-6
        assert box[2] <= 370 + 1e-6
        assert box[3] <= 375 + 1e-6


def test_the_first_name_is_there_even_in_a_crowd_and_a_line_leads_to_it():
    # A dense block of nodes around the one that matters: no room beside it.
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 15), np.linspace(-1, 1, 15)), -1).reshape(-1, 2)
    points = np.vstack([grid, [[-9.0, -9.0], [9.0, 9.0]]])
    panel = Panel.around(points, width=400, height=400)
    middle = 112
    (name,) = panel.names(points, np.full(len(points), 3.0), {middle: "the one"})
    assert name.joined is not None
    assert not panel.names(points, np.full(len(points), 3.0), {middle: "the one"}, reach=1)


def test_a_name_that_can_stay_stays():
    points, radii = np.array([[0.0, 0.0], [1.0, 1.0]]), np.full(2, 5.0)
    panel = Panel.around(points, width=300, height=300)
    (first,) = panel.names(points, radii, {0: "hand"})
    x, y = panel.pixels(np.array([first.x, first.y]) - points[0])
    assert (x, y) == pytest.approx((0, 5 + 3 + LINE / 2))  # above the node
    (second,) = panel.names(points, radii, {0: "hand"}, before={0: (40.0, 0.0)})
    assert panel.pixels(np.array([second.x, second.y]) - points[0]) == pytest.approx((40.0, 0.0))


def test_a_line_is_crossed_only_where_there_is_no_other_room():
    points, radii = np.array([[0.0, 0.0], [0.0, 1.0]]), np.full(2, 5.0)
    panel = Panel.around(points, width=300, height=300)
    (name,) = panel.names(points, radii, {0: "hand"}, lines=np.array([[[0.0, 0.0], [0.0, 1.0]]]))
    assert (name.x > 0, name.y) == (True, pytest.approx(0))  # above it the line would be crossed


def test_the_most_important_node_of_every_frame_has_its_name(explanation, coordinates):
    chart = skeleton(explanation, x=coordinates)
    top = np.maximum(explanation.values[0], 0)[explanation.valid[0]].max()
    seen = 0
    for row in records(chart, "frame", "named"):
        strongest = int(np.argmax(row["value"]))
        if row["value"][strongest] >= top / 4:
            assert strongest in row["named"], row
            seen += 1
    assert seen > 5


def test_trails_are_the_ways_of_the_most_important_nodes(explanation, coordinates):
    importance = np.where(explanation.valid[0][..., None], np.maximum(explanation.values[0], 0), 0).sum(1)
    person, node = np.unravel_index(importance.argmax(), importance.shape)
    rows = records(skeleton(explanation, x=coordinates, trails=1), "node", "x", "body")
    assert {(row["body"], row["node"]) for row in rows} == {(f"instance {person + 1}", int(node))}
    for row in rows:
        assert [row["x"], row["y"]] == pytest.approx(coordinates[person, row["frame"], node, :2], rel=1e-4)
    with pytest.raises(AssertionError, match="no data set"):
        # What stands still has no way.
        records(skeleton(explanation), "node", "x", "body")


# The longest of NTU RGB+D's, at the width that a body has on a phone.
LONG_CLASSES = ("point to something", "kicking something", "touch head (headache)", "throw", "wear on glasses")


def test_a_class_name_above_a_small_body_takes_two_lines_before_it_is_cut():
    psi = pd.DataFrame(np.random.default_rng(0).random((5, 3)), index=LONG_CLASSES, columns=["a", "b", "c"])
    graph = STGraph("abc", [(0, 1), (1, 2)], positions=[[0, 0], [0, 1], [1, 1]])
    options = class_bodies(psi, graph, width=100, columns=3).to_dict()["facet"]["header"]
    shown = options["labelExpr"]
    for first, second in (("point to", "something"), ("kicking", "something"), ("touch head", "(headache)")):
        assert json.dumps([first, second]) in shown
    assert "…" not in shown
    assert "\\u2026" not in shown
    # No word is parted: what does not fit into two lines is cut, as everywhere.
    assert in_lines("otorhinolaryngologically", 12) == ["otorhinolaryngologically"]
    assert all(len(line) <= 14 for name in LONG_CLASSES for line in in_lines(name, 14))
