from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.viz import class_bodies
from tests.viz.conftest import NODES
from tests.viz.drawing import marks, records, words


@pytest.fixture
def psi():
    return pd.DataFrame(
        [[1, 3, 2, 1, 1], [5, 5, 5, 5, 5], [0, 1, 0, 0, 4]], index=["sit", "stand", "kick"], columns=NODES
    )


def test_a_body_for_each_class_with_its_joints_scaled_within_it(psi, graph):
    chart = class_bodies(psi.astype(float), graph)
    rows = {row["class"]: row for row in records(chart, "class", "shade")}
    assert rows["sit"]["shade"] == [0, 1, 0.5, 0, 0]
    assert rows["stand"]["shade"] == [None] * 5  # no node stands out
    assert rows["kick"]["value"] == [0, 1, 0, 0, 4]
    assert {"sit", "stand", "kick"} <= set(words(chart))
    assert len(marks(chart, "circle")) == 3 * 5
    assert len(marks(chart, "rule mark")) == 3 * 4


def test_nodes_stand_where_the_graph_has_them_whatever_their_order(psi, graph):
    turned = psi[list(NODES[::-1])].astype(float)
    chart = class_bodies(turned, graph, classes=["kick"])
    # Left foot and right foot are the lowest: their circles have the greatest y in the picture.
    (row,) = records(chart, "class", "shade")
    assert row["shade"] == [1, 0, 0, 0.25, 0]
    heights = [float(graph.positions[graph.index(name)][1]) for name in NODES[::-1]]
    assert str(heights) in str(chart.to_dict())


def test_across_classes_colours_compare(psi, graph):
    chart = class_bodies(psi.astype(float), graph, per_class=False)
    assert {tuple(row["shade"]) for row in records(chart, "class", "shade")} == {
        (1, 3, 2, 1, 1), (5, 5, 5, 5, 5), (0, 1, 0, 0, 4),
    }  # fmt: skip
    assert "5" in words(chart)  # the legend reaches the maximum


def test_of_many_classes_rows_are_longer_and_what_is_left_out_is_said(graph):
    def of(count, **options):
        table = pd.DataFrame(np.ones((count, 5)) * np.arange(5.0), [f"c{at}" for at in range(count)], columns=NODES)
        chart = class_bodies(table, graph, **options)
        return chart.to_dict()["columns"], len(records(chart, "class", "shade")), words(chart)

    assert of(24)[:2] == (4, 24)
    assert of(25)[:2] == (6, 25)
    columns, drawn, said = of(120)
    assert (columns, drawn) == (6, 60)
    assert "The first 60 of 120 classes: name others, or fewer, by classes=." in " ".join(said)
    assert of(120, classes=[f"c{at}" for at in range(60, 120)], columns=5)[:2] == (5, 60)


def test_what_does_not_fit_is_refused(psi, graph):
    with pytest.raises(InputError, match="no drawing positions"):
        class_bodies(psi, STGraph.from_edges(NODES, list(pairwise(NODES))))
    with pytest.raises(InputError, match="node 'tail'"):
        class_bodies(psi.rename(columns={"spine": "tail"}), graph)
    with pytest.raises(InputError, match="columns: got 0"):
        class_bodies(psi, graph, columns=0)
    with pytest.raises(InputError, match="at least one class"):
        class_bodies(pd.DataFrame(np.zeros((0, 5)), columns=NODES), graph)
