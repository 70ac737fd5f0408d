"""Every chart of `stexplain.viz`, with a mark of the caller's in each text that may come from data."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

import stexplain as stx
from stexplain import viz
from stexplain.explainers.edge_explanation import EdgeExplanation, EdgeFrames
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph

# What makes no chart: films, files, and pictures of matplotlib, which hold no text but glyphs.
OTHER = {"animate", "save", *(name for name in viz.__all__ if name.startswith("draw_"))}


def graph(mark: str) -> STGraph:
    """A small body, whose nodes and groups have the mark in their names."""
    nodes = [f"{name} {mark}" for name in ("spine", "hand", "foot", "head")]
    return STGraph(
        nodes, [(1, 0), (2, 0), (3, 0)], groups={f"upper {mark}": [nodes[1], nodes[3]]},
        positions=[[0.0, 0.0], [1.0, 1.0], [1.0, -2.0], [0.0, 2.0]],
    )  # fmt: skip


def explanation(mark: str, samples: int = 1, instances: int = 1) -> Explanation:
    """Whose names, class, method, target, notes and ids have the mark."""
    values = np.random.default_rng(0).normal(size=(samples, instances, 6, 4))
    return Explanation(
        values, np.ones(values.shape[:3], bool), graph(mark).nodes, method=f"method {mark}", target=f"target {mark}",
        targets=np.zeros(samples, int), classes=(f"class {mark}",), ids=tuple(f"{n} {mark}" for n in range(samples)),
        graph=graph(mark), layer=f"layer {mark}", notes=(f"note {mark}",), measures="score",
    )  # fmt: skip


def edges(mark: str) -> EdgeExplanation:
    """Of two edges at three frames."""
    spine, hand, *_ = graph(mark).nodes
    values = np.array([[[1.0, 0.5], [0.0, -4.0], [2.0, 0.0]]])
    block = f"block {mark}"
    return EdgeExplanation(
        values.sum(1), (spine, hand), (hand, spine), (f"0 {mark}",) * 2, (block,) * 2, explained=f"class {mark}",
        node_names=graph(mark).nodes, over_time={block: EdgeFrames(np.arange(1.0, 4), values)},
    )  # fmt: skip


def charts(mark: str) -> Mapping[str, object]:
    """By the name of the function that draws it."""
    title, unit = f"title {mark}", f"mph {mark}"
    e, body = explanation(mark), graph(mark)
    psi = pd.DataFrame(np.random.default_rng(0).random((2, 4)), [f"a {mark}", f"b {mark}"], list(body.nodes))
    two = explanation(mark, samples=8)
    compared = stx.compare_groups(two, [f"x {mark}"] * 4 + [f"y {mark}"] * 4, windows=0)
    method = [f"one {mark}", f"two {mark}"]
    bars = pd.DataFrame({"method": method, "value": [0.5, 0.7], "low": [0.4, 0.6], "high": [0.6, 0.8]})
    horizons = bars.assign(measure="mae", horizon=[1, 2])
    curve = pd.DataFrame(
        {"stage": [0, 1], "layer": ["", f"head {mark}"], "correlation": [1.0, 0.2], "low": 0.1, "high": 1.0,
         "random": 0.0}
    )  # fmt: skip
    line = bars.assign(share=[0.0, 1.0], curve="deletion", over="positions", baseline="mean")
    masked = pd.DataFrame(
        {"set": "highlighted", "masking": [0.0, 0.5], "accuracy": [0.9, 0.5], "low": 0.4, "high": 1.0,
         "baseline": f"zero {mark}"}
    )  # fmt: skip
    drawn: dict[str, object] = {
        "class_bodies": viz.class_bodies(psi, body, title=title),
        "comparison": viz.comparison(bars.assign(metric=f"metric {mark}"), title=title),
        "confusion": viz.confusion([[3, 1], [0, 2]], [f"a {mark}", f"b {mark}"], title=title),
        "deletion": viz.deletion(line, score=unit, title=title),
        "edge_network": viz.edge_network(edges(mark), body, unit=unit, title=title),
        "edge_timeline": viz.edge_timeline(edges(mark), unit=unit, title=title),
        "forecast": viz.forecast([1.0, 2.0], [3.0], {f"model {mark}": [2.0]}, unit=unit, title=title, note=mark),
        "group_comparison": viz.group_comparison(compared, title=title),
        "history": viz.history(pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]}), title=title),
        "horizon_errors": viz.horizon_errors(horizons, unit=unit, title=title),
        "importance_map": viz.importance_map(psi, groups=body.groups, title=title),
        "lag_map": viz.lag_map(e, unit=unit, marked={f"mark {mark}": [body.nodes[0]]}, title=title),
        "localisation": viz.localisation(bars.assign(over="nodes", measure="auroc"), title=title),
        "masking_curves": viz.masking_curves(masked, title=title),
        "network": viz.network(
            body, np.random.default_rng(0).normal(size=(3, 4)), unit=unit, time_unit=f"s {mark}",
            marked={f"mark {mark}": [body.nodes[0]]}, title=title, subtitle=[mark],
        ),
        "randomisation": viz.randomisation(curve, title=title),
        "road_network": viz.road_network(e, unit=unit, marked={f"mark {mark}": [body.nodes[0]]}, title=title),
        "skeleton": viz.skeleton(e, title=title),
        "timeline": viz.timeline(e, title=title),
        "top_nodes": viz.top_nodes(e, unit=unit, title=title),
        "truths": viz.truths(bars.assign(baseline_explainer=False, truth="planted"), title=title),
    }  # fmt: skip
    missing = set(viz.__all__) - OTHER - set(drawn)
    assert not missing, f"charts that are not in tests/faults/charts.py: {missing}"
    return drawn
