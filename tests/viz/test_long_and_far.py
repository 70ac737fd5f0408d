"""Long names, long times, and sums that are far from all else: what a chart says stays plain."""

import re

import numpy as np
import pandas as pd
import pytest

from stexplain import viz
from stexplain.explainers.edge_explanation import EdgeExplanation, EdgeFrames
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.times import times_in_words
from stexplain.graph import STGraph
from stexplain.viz.names import labelled
from stexplain.viz.page import page_of
from tests.viz.drawing import drawn, marks, records, words

WARDS = tuple(f"ward {number}" for number in range(4))
GRAPH = STGraph(WARDS, [(0, 1), (1, 2), (2, 3)], positions=[[0, 0], [1, 0], [2, 0], [3, 0]])


def windows(seconds, values=None, names=WARDS, **fields):
    """The explanation of a forecast from three observations, `seconds` apart."""
    values = np.arange(12.0).reshape(1, 1, 3, 4) - 3 if values is None else values
    time = seconds * np.arange(1 - values.shape[2], 1)
    graph = GRAPH if names is WARDS else None
    return Explanation(
        values,
        np.ones(values.shape[:3], bool),
        names,
        time=time,
        time_unit="s",
        graph=graph,
        measures="score",
        **fields,
    )


@pytest.mark.parametrize(
    ("seconds", "unit", "texts"),
    [
        (300, "minutes", {"10 min earlier", "5 min earlier", "last observation"}),
        (5400, "minutes", {"180 min earlier", "90 min earlier", "last observation"}),
        (3600, "hours", {"2 h earlier", "1 h earlier", "last observation"}),
        (86400, "days", {"2 days earlier", "1 day earlier", "last observation"}),
    ],
)
def test_lags_are_counted_in_the_unit_that_people_count_them_in(seconds, unit, texts):
    e = windows(seconds)
    for chart in (viz.lag_map(e), viz.timeline(e, signed=True), viz.lag_map(e, minutes=seconds / 60)):
        assert f"{unit} earlier than the last observation" in words(chart)
        assert all(text in str(chart.to_dict()) for text in texts)
    roads = viz.road_network(e).to_dict()
    assert {row["text"] for rows in roads["datasets"].values() for row in rows if "text" in row} == texts
    assert roads["params"][0]["bind"]["name"] == f"{unit} "


def test_lags_that_are_not_evenly_spaced_are_those_of_the_observations():
    e = Explanation(
        np.ones((1, 1, 4, 4)), np.ones((1, 1, 4), bool), WARDS, graph=GRAPH, time=[-1800, -900, -60, 0],
        time_unit="s", measures="score",
    )  # fmt: skip
    said = {"30 min earlier", "15 min earlier", "1 min earlier", "last observation"}
    for chart in (viz.lag_map(e), viz.road_network(e)):
        times = {row.get("time", row.get("text")) for rows in chart.to_dict()["datasets"].values() for row in rows}
        assert said <= times
        assert "45 min earlier" not in times


def test_a_repr_and_names_of_parts_have_the_same_unit():
    assert times_in_words(windows(86400)) == ("2 to 0 days earlier", "the last observation")
    first = windows(86400, np.array([[[[0.0], [1.0], [0.0]]]]), ("a",))
    assert times_in_words(first) == ("2 to 0 days earlier", "1 day earlier")
    assert times_in_words(windows(3600))[0] == "2 to 0 h earlier"


def test_the_sum_of_all_others_does_not_make_the_rest_pale():
    values = np.ones((1, 1, 3, 4)) * [4.0, -1.0, 30.0, 30.0]
    chart = viz.lag_map(windows(300, values), nodes=["ward 0", "ward 1"])
    assert {"+4", "−4"} <= set(words(chart))
    assert "The last row goes beyond the colours, to +60." in " ".join(words(chart))
    near = viz.lag_map(windows(300, values * [1, 1, 0.1, 0.1]), nodes=["ward 0", "ward 1"])
    assert {"+6", "−6"} <= set(words(near))
    assert "beyond" not in " ".join(words(near))
    drawn(chart)


def test_nor_does_that_of_edges():
    values = np.array([[[3.0, 2.0, 2.0, 2.0, 2.0]]])
    ends = tuple("abcde"), tuple("bcdea"), ("0",) * 5, ("x",) * 5
    e = EdgeExplanation(
        values[:, 0], *ends, node_names=tuple("abcde"), over_time={"x": EdgeFrames(np.zeros(1), values)}
    )
    assert "The last row goes beyond the colours, to +8." in " ".join(words(viz.edge_timeline(e, edges=1)))
    assert "beyond" not in " ".join(words(viz.edge_timeline(e, edges=4)))


def test_the_mark_behind_a_long_name_takes_no_letter_that_tells_it_apart():
    names = [f"Interstate 405 northbound at Wilshire Boulevard, lane {number} of 60" for number in range(3)]
    options = labelled([f"{names[0]} (forecast)", *names[1:]], 260, {names[0]: " (forecast)"})
    for number, end in enumerate((" (forecast)", "", "")):
        assert f'{number} of 60{end}"' in options["labelExpr"].replace("lane ", "")
    chart = viz.lag_map(windows(300, np.ones((1, 1, 3, 3)), tuple(names)), marked={"forecast": [names[0]]})
    assert any("0 of 60 (forecast)" in text for text in words(chart))


def test_a_long_title_is_broken_before_it_makes_the_chart_wider_than_its_drawing():
    target = "speed at Interstate 405 northbound at Wilshire Boulevard, lane 0 of 60, and much else beside"
    plain, long = (viz.lag_map(windows(300, target=text)) for text in ("speed", target))
    assert drawn(long)[0] < drawn(plain)[0] + 220
    spec = long.to_dict()
    assert isinstance(spec["title"]["text"], list)
    assert spec["description"].startswith(f"Contribution of each sensor and lag: {target}. ")
    assert f"<title>Contribution of each sensor and lag: {target}</title>" in page_of(spec)


def test_nodes_far_from_zero_lie_where_they_lie():
    # Metres on a map of a country, and degrees: five digits of them are no places.
    values = np.abs(windows(300).values)
    psi = pd.DataFrame(values[0, 0], columns=WARDS, index=["a", "b", "c"])
    places = np.array([[0.0, 0.0], [110.0, 40.0], [190.0, -20.0], [310.0, 70.0]])

    def drawn_at(offset, scale):
        graph = STGraph(WARDS, [(0, 1), (1, 2), (2, 3)], positions=(places * scale + offset).tolist())
        e = Explanation(values, np.ones((1, 1, 3), bool), WARDS, graph=graph)
        charts = (viz.skeleton(e), viz.class_bodies(psi, graph))
        texts = (str([mark.get("transform") for mark in marks(chart, "circle")]) for chart in charts)
        return [[round(float(number), 1) for number in re.findall(r"[\d.]+", text)] for text in texts]

    near = drawn_at([0.0, 0.0], 1.0)
    assert all(near)
    assert drawn_at([512_345.0, 4_480_123.0], 1.0) == near
    assert drawn_at([-118.24371, 34.05223], 1e-5) == near


def test_a_single_node_lies_in_the_middle_with_its_name_beside_it():
    graph = STGraph(["a node"], [], positions=[[0.12573022, -0.13210486]])
    e = Explanation(np.ones((1, 1, 3, 1)), np.ones((1, 1, 3), bool), ("a node",), graph=graph)
    (row, *_) = records(viz.skeleton(e), "x", "y", "name_y")
    assert row["x"] == row["y"] == [0.0]
    assert row["name_y"][0] > 0


def test_no_tick_names_a_frame_behind_the_last():
    e = Explanation(np.ones((1, 1, 3, 4)), np.ones((1, 1, 3), bool), WARDS)
    assert "'values': [0, 1, 2]}" in str(viz.timeline(e).to_dict()).replace("'tickMinStep': 1, ", "")
