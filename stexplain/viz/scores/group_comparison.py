"""Two groups of samples compared: where their explanations differ, and when."""

from textwrap import wrap

import altair as alt
import numpy as np
import pandas as pd

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.metrics.groups.result import GroupComparison
from stexplain.viz.maps.network import network
from stexplain.viz.names import labelled
from stexplain.viz.theme import (
    CATEGORIES,
    MUTED,
    NOTE_WIDTH,
    AnyChart,
    in_powers,
    layered,
    noted,
    rows,
    styled,
    titled,
)
from stexplain.wording import an

_WIDTH = 420


@checked
def group_comparison(
    result: GroupComparison, *, level: float = 0.05, nodes: int = 15, title: str | None = None
) -> alt.VConcatChart:
    """Draws a comparison of two groups: differences on the graph, per node with intervals, and both courses over time.

    Args:
        result: of `compare_groups`. The graph is drawn where its nodes have positions.
        level: of the corrected p; nodes at or below it are drawn filled.
        nodes: how many are listed, those with the smallest p first.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where `nodes` is below 1, or `result` is none of a comparison of groups.

    Example:
        >>> import torch
        >>> from stexplain.explainers import Motion
        >>> from stexplain.metrics import compare_groups
        >>> maps = Motion()(torch.randn(12, 1, 8, 4, 3))
        >>> chart = group_comparison(compare_groups(maps, ["control"] * 6 + ["patient"] * 6, windows=2))
    """
    if not isinstance(result, GroupComparison):
        raise InputError(f"result: got {an(type(result).__name__)}; expected what compare_groups returns.")
    check_counts(nodes=nodes)
    level = float(level)
    table = result.to_frame()
    of_nodes, over_time = table[table["kind"] == "node"], table[table["kind"] == "time"]
    parts: list[alt.LayerChart] = []
    if result.graph is not None and result.graph.positions is not None:
        differences = of_nodes["difference"].to_numpy(np.float64)
        found = of_nodes["name"][of_nodes["p_corrected"] <= level].tolist()
        drawn = network(
            result.graph,
            differences,
            labels=found,
            width=_WIDTH,
            height=_WIDTH,
            unit="difference",
            title=f"Where: {result.other} minus {result.reference}",
            subtitle=[f"Named: p at most {level:g}, corrected."],
        )
        parts.append(_bare(drawn))
    parts.append(_listed(of_nodes, result, level, nodes))
    if not over_time.empty:
        parts.append(_courses(over_time, result))
    head = title or f"{result.other} against {result.reference}"
    chart: alt.VConcatChart = alt.vconcat(*parts, spacing=28).resolve_scale(color="independent", size="independent")
    return styled(
        chart,
        titled(
            head, *wrap(result.sentences(level)[1 if result.accuracy is None else 2], NOTE_WIDTH), *noted(result.notes)
        ),
    )


def _bare(chart: AnyChart) -> AnyChart:
    # Altair refuses a configuration inside of another chart.
    chart.config = alt.Undefined  # type: ignore[attr-defined]  # every top-level chart has one
    return chart


def _listed(of_nodes: pd.DataFrame, result: GroupComparison, level: float, nodes: int) -> alt.LayerChart:
    tested = of_nodes.dropna(subset=["p"])
    table = tested.sort_values(["p_corrected", "p"], kind="stable").head(nodes)
    # Largest difference first: what is read from the top is what differs most.
    table = table.sort_values("difference", ascending=False, kind="stable")
    clear, unclear = f"p ≤ {level:g}, corrected", f"p > {level:g}"
    table = table.assign(verdict=np.where(table["p_corrected"] <= level, clear, unclear))
    verdict = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=[clear, unclear], range=[CATEGORIES[1], MUTED]),
        legend=alt.Legend(title=None, orient="top"),
    )
    y = alt.Y("name:N", sort=table["name"].tolist(), title=None, axis=alt.Axis(**labelled(table["name"].tolist(), 180)))
    base = alt.Chart(rows(table))
    tip = [
        alt.Tooltip("name:N"),
        *(alt.Tooltip(f"{name}:Q", format=".3g") for name in ("difference", "p", "p_corrected")),
    ]
    zero = alt.Chart(rows(pd.DataFrame({"zero": [0.0]}))).mark_rule(strokeDash=[4, 3], color=MUTED).encode(x="zero:Q")
    reach = np.abs(table[["difference", "low", "high"]].to_numpy(np.float64))
    label, text = in_powers(f"difference in {result.unit}", float(np.nanmax(reach, initial=0.0)), "~r")
    x = alt.X("difference:Q", title=label, axis=alt.Axis(labelExpr=text))
    chart = layered(
        zero,
        base.mark_rule(strokeWidth=2.5).encode(
            x=alt.X("low:Q", title=label, axis=alt.Axis(labelExpr=text)), x2="high:Q", y=y, color=verdict
        ),
        base.mark_point(filled=True, size=60, opacity=1).encode(x=x, y=y, color=verdict, tooltip=tip),
    )
    more = len(tested) - len(table)
    how = f"Lines: {result.confidence:.0%} intervals over {_counted(result)}."
    if more:
        how += f" {more} further {'node' if more == 1 else 'nodes'}: see the table."
    return chart.properties(width=_WIDTH, height=alt.Step(20), title=titled("By how much", how))


def _courses(over_time: pd.DataFrame, result: GroupComparison) -> alt.LayerChart:
    parts = []
    for column, name in (("reference", result.reference), ("other", result.other)):
        values = over_time[[column, f"{column}_low", f"{column}_high"]].set_axis(["value", "low", "high"], axis=1)
        parts.append(values.assign(group=name, part=over_time["name"].to_numpy()))
    order = over_time["name"].tolist()
    base = alt.Chart(rows(pd.concat(parts)))
    group = alt.Color(
        "group:N",
        scale=alt.Scale(domain=[result.reference, result.other], range=[CATEGORIES[0], CATEGORIES[1]]),
        legend=alt.Legend(title=None, orient="top", symbolOpacity=1),
    )
    counted = "share of the sample's course" if str(order[0]).endswith("%") else "time"
    x = alt.X("part:O", sort=order, title=counted, axis=alt.Axis(labelAngle=-40))
    ends = np.abs(np.concatenate([part[["value", "low", "high"]].to_numpy(np.float64) for part in parts]))
    label, text = in_powers(result.unit, float(np.nanmax(ends, initial=0.0)), "~r")
    axis = alt.Axis(labelExpr=text)
    chart = layered(
        base.mark_area(opacity=0.2).encode(x=x, y=alt.Y("low:Q", title=label, axis=axis), y2="high:Q", color=group),
        base.mark_line(point=True, strokeWidth=2).encode(x=x, y=alt.Y("value:Q", title=label, axis=axis), color=group),
    )
    how = f"Mean over nodes; bands: {result.confidence:.0%} intervals over {_counted(result)}."
    return chart.properties(width=_WIDTH, height=180, title=titled("When", how))


def _counted(result: GroupComparison) -> str:
    """What intervals are over: without clusters each sample counts by itself."""
    return "samples" if not result.paired and result.clusters == result.samples else "clusters"
