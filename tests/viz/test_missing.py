"""What a sensor did not report is drawn as no data: a zero would be read as no importance."""

import matplotlib.figure
import numpy as np
import pytest

import stexplain as stx
from stexplain import viz

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


def test_a_road_network_has_gaps(e):
    size = {"width": 300, "height": 300, "unit": "score", "title": "", "subtitle": []}
    gaps = np.where(e.present, e.values, np.nan)[0, 0]
    expected = viz.network(ROADS, gaps, time=np.arange(-3.0, 1), time_unit="step", **size).to_dict()["datasets"]
    drawn = viz.road_network(e, unit="score", width=300, height=300).to_dict()["datasets"]
    zeros = viz.network(ROADS, e.values[0, 0], time=np.arange(-3.0, 1), time_unit="step", **size).to_dict()["datasets"]
    assert drawn == expected != zeros
