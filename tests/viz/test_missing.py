"""What a sensor did not report is drawn as no data: a zero would be read as no importance."""

import matplotlib.figure
import numpy as np
import pytest

import stexplain as stx
from stexplain import viz
from stexplain.errors import InputError
from tests.viz.drawing import marks, records, words

NODES = ("a", "b", "c")
ROADS = stx.STGraph.from_edges(NODES, [("a", "b"), ("b", "c")])


@pytest.fixture
def e():
    """Sensor b is silent at frames 0 and 2, c always."""
    observed = np.ones((1, 1, 4, 3), bool)
    observed[0, 0, [0, 2], 1] = False
    observed[..., 2] = False
    values = np.where(observed, np.arange(1.0, 13).reshape(1, 1, 4, 3), 0.0)
    return stx.Explanation(values, np.ones((1, 1, 4), bool), NODES, graph=ROADS, observed=observed)


def test_a_timeline_has_gaps(e):
    chart = viz.timeline(e).to_dict()
    found = {row["node"]: row["value"] for rows in chart["datasets"].values() for row in rows if "value" in row}
    assert found == {"a": [1, 4, 7, 10], "b": [None, 5, None, 11], "c": [None] * 4}
    assert "Grey: no data." in str(chart["title"])
    image = viz.draw_timeline(e, matplotlib.figure.Figure().add_subplot()).images[-1].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(image), ~e.observed[0, 0].T)


def test_a_heat_map_of_sensors_has_gaps(e):
    chart = viz.lag_map(e).to_dict()
    cells = next(rows for rows in chart["datasets"].values() if "sensor" in rows[0])
    found = {(row["sensor"], row["lag"]): row["value"] for row in cells}
    assert [found["b", lag] for lag in (-3, -2, -1, 0)] == [None, 5, None, 11]
    assert [found["c", lag] for lag in (-3, -2, -1, 0)] == [None] * 4


def test_the_sum_of_other_sensors_has_gaps_where_all_of_them_are_silent(e):
    chart = viz.lag_map(e, nodes=["a"]).to_dict()
    cells = next(rows for rows in chart["datasets"].values() if "sensor" in rows[0])
    assert [row["value"] for row in cells if row["sensor"] == "2 others, summed"] == [None, 5, None, 11]
    assert "Grey: no observation." in str(chart["title"])


def test_a_road_network_has_gaps(e):
    size = {"width": 300, "height": 300, "unit": "score", "title": "", "subtitle": []}
    gaps = np.where(e.present, e.values, np.nan)[0, 0]
    expected = viz.network(ROADS, gaps, time=np.arange(-3.0, 1), time_unit="step", **size).to_dict()["datasets"]
    drawn = viz.road_network(e, unit="score", width=300, height=300).to_dict()["datasets"]
    zeros = viz.network(ROADS, e.values[0, 0], time=np.arange(-3.0, 1), time_unit="step", **size).to_dict()["datasets"]
    assert drawn == expected != zeros


def test_joints_without_coordinates_are_left_out_of_a_skeleton(explanation, coordinates):
    gaps = coordinates.copy()
    # One joint at one frame, one coordinate of another, and a whole body at a frame.
    gaps[0, 3, 1] = gaps[0, 4, 2, 0] = gaps[1, 5] = np.nan
    chart = viz.skeleton(explanation, x=gaps)
    rows = {(row["body"], row["frame"]): row for row in records(chart, "body", "x", "named")}
    assert [at is None for at in rows["instance 1", 3]["x"]] == [False, True, False, False, False]
    assert [at is None for at in rows["instance 1", 4]["y"]] == [False, False, True, False, False]
    assert ("instance 2", 5) not in rows
    assert 1 not in rows["instance 1", 3]["named"]
    assert "Nodes are left out where they have no coordinates." in " ".join(words(chart))
    # Of five joints and four bones of a body one joint with its bone is not drawn; the other body is whole.
    still = viz.skeleton(explanation, x=gaps, interactive=False, frames=[3], trails=0, labels=0)
    assert len(marks(still, "circle")) == 5 + 4
    assert len(marks(still, "rule mark")) == 4 + 3
    ax = viz.draw_skeleton(explanation, matplotlib.figure.Figure().add_subplot(), x=gaps, frame=3)
    assert np.isfinite(np.ma.filled(ax.collections[-1].get_offsets(), np.nan)).all(1).sum() == 9


def test_no_bone_is_drawn_to_a_joint_without_coordinates(explanation, coordinates):
    gaps = coordinates.copy()
    # The joint in which all four bones of a body end.
    gaps[0, 3, 0] = np.nan
    still = viz.skeleton(explanation, x=gaps, interactive=False, frames=[3], trails=0, labels=0)
    assert len(marks(still, "circle")) == 4 + 5
    assert len(marks(still, "rule mark")) == 0 + 4


def test_a_skeleton_without_any_coordinates_is_refused(explanation, coordinates):
    with pytest.raises(InputError, match="no coordinates in valid frames, NaN alone"):
        viz.skeleton(explanation, x=np.full_like(coordinates, np.nan))
    with pytest.raises(InputError, match="infinite coordinates"):
        viz.skeleton(explanation, x=np.where(coordinates > 1, np.inf, coordinates))
