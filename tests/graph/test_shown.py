"""What a notebook shows of a graph, offline, with names as text."""

import re

import pytest

from stexplain.graph import STGraph


@pytest.mark.parametrize("name", ["coco-17", "kinect-v2", "smpl-24"])
def test_a_graph_with_positions_is_drawn_upright(name):
    graph = STGraph.skeleton(name)
    shown = graph._repr_html_()
    assert shown.count("<circle") == len(graph)
    assert shown.count("<line") == len(graph.edges)
    assert "http" not in shown
    heights = {title: float(y) for y, title in re.findall(r'cy="([\d.]+)".*?<title>(.*?)</title>', shown)}
    head = next(node for node in graph.nodes if node in ("nose", "head"))
    foot = next(node for node in graph.nodes if "ankle" in node)
    assert heights[head] < heights[foot], "y grows downwards on a page"


def test_names_are_text():
    graph = STGraph(["<script>", "b"], [[0, 1]], positions=[[0.0, 0.0], [0.0, 0.0]])
    assert "<script>" not in graph._repr_html_()
    assert "nan" not in graph._repr_html_()


def test_a_large_graph_is_not_drawn():
    names = [str(index) for index in range(500)]
    graph = STGraph(names, [[0, index] for index in range(1, 500)], positions=[[index, index] for index in range(500)])
    assert "<svg" not in graph._repr_html_()
