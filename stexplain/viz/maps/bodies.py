"""Bodies as layers of a chart: bones, joints, trails, and names that cover neither a joint nor each other."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.viz.maps.clip import Clip, time_text
from stexplain.viz.names import shortened
from stexplain.viz.panel import LONGEST, Panel
from stexplain.viz.theme import BELOW, CATEGORIES, MUTED, SEQUENTIAL, colour_legend, literal, rows, short

SIZES = [14, 460]
"""Areas of the least and the most important node, in square pixels."""


def body_table(
    clip: Clip, frames: Sequence[int], panel: Panel, labels: int, trail: pd.DataFrame, *, past: bool = False
) -> pd.DataFrame:
    """One row per frame and instance, with lists over nodes: ten times smaller than one row per node.

    Args:
        clip: to draw.
        frames: of it.
        panel: in which.
        labels: how many nodes of each body are named.
        trail: of `trail_table`: names keep off it.
        past: whether each row has the trails of its own frame.
    """
    table = []
    radii, count = circle_radii(clip.values, clip.top), len(clip.nodes)
    names = list(shortened(clip.nodes, LONGEST).values())
    # From where a name stood to its node, by person and node.
    before: dict[tuple[int, int], tuple[float, float]] = {}
    # The time stands in the upper left corner.
    corner = [[0.0, panel.height - 20.0, 90.0, float(panel.height)]]
    for frame in frames:
        recent = trail[(trail["frame"] <= frame) & (trail["frame"] > frame - trail_length(clip))]
        people = np.flatnonzero(clip.valid[:, frame])
        points, values = clip.points[people, frame].reshape(-1, 2), clip.values[people, frame]
        # A node that is drawn nowhere has no name either.
        seen = np.where(clip.placed[people, frame], values, 0.0)
        rows_of = {int(person): (row,) for row, person in enumerate(people)}
        # The names of all bodies together: they must not cover each other's joints either.
        placed = panel.names(
            points,
            radii[people, frame].reshape(-1),
            {row * count + node: names[node] for row, node in _strongest(seen, labels, clip.top / 4)},
            taken=corner,
            lines=np.concatenate([clip.points[people, frame][:, clip.edges].reshape(-1, 2, 2), _segments(recent)]),
            before={row * count + node: at for (person, node), at in before.items() for row in rows_of.get(person, ())},
        )
        before = {}
        for each in placed:
            row, node = divmod(each.node, count)
            away = np.array([each.x, each.y]) - points[each.node]
            before[int(people[row]), node] = panel.pixels(away)
        for row, person in enumerate(people):
            own = [each for each in placed if each.node // count == row]
            ends = np.array([each.joined or (np.nan, np.nan) for each in own]).reshape(-1, 2)
            body = f"instance {person + 1}"
            at = clip.points[person, frame]
            entry = {
                "frame": frame,
                "time": time_text(clip.time[frame], clip.unit),
                "body": body,
                "x": short(at[:, 0]),
                "y": short(at[:, 1]),
                "value": short(values[row]),
                "named": [each.node % count for each in own],
                "name_x": short([each.x for each in own]),
                "name_y": short([each.y for each in own]),
                "end_x": short(ends[:, 0]),
                "end_y": short(ends[:, 1]),
            }
            if past:
                own_past = recent[recent["body"] == body]
                entry |= {f"past_{name}": own_past[name].tolist() for name in ("node", "x", "y", "frame")}
            table.append(entry)
    return pd.DataFrame(table)


def _segments(trail: pd.DataFrame) -> NDArray[np.float64]:
    """The lines of trails, from and to, ``[L, 2, 2]``."""
    paths = [path[["x", "y"]].to_numpy(np.float64) for _, path in trail.groupby(["body", "node"])]
    return np.concatenate([np.zeros((0, 2, 2)), *(np.stack([path[:-1], path[1:]], axis=1) for path in paths)])


def circle_radii(values: NDArray[np.float64], top: float) -> NDArray[np.float64]:
    """The radii of joints in pixels."""
    return np.sqrt((SIZES[0] + (SIZES[1] - SIZES[0]) * np.minimum(values / (top or 1.0), 1.0)) / np.pi)


def _strongest(values: NDArray[np.float64], count: int, least: float) -> list[tuple[int, int]]:
    """The `count` most important nodes of each body, of at least that importance, over all bodies in order."""
    found = [
        (float(of_body[node]), row, int(node))
        for row, of_body in enumerate(values)
        for node in np.argsort(-of_body, kind="stable")[: max(count, 0)]
        if of_body[node] > 0 and of_body[node] >= least
    ]
    return [(row, node) for _, row, node in sorted(found, key=lambda each: -each[0])]


def trail_table(clip: Clip, count: int) -> pd.DataFrame:
    """Where the most important nodes of a clip are at each frame: ``frame, body, node, x, y``; none that stands still.

    Args:
        clip: to draw.
        count: of nodes, over all bodies.
    """
    columns = ["frame", "body", "node", "x", "y"]
    weight = np.where(clip.valid[..., None], clip.values, 0.0).sum(axis=1)
    there = clip.placed[..., None]
    least = np.where(there, clip.points, np.inf).min(axis=1)
    moved = (np.where(there, clip.points, -np.inf).max(axis=1) > least).any(axis=-1)
    weight = np.where(moved, weight, 0.0)
    found = []
    for index in np.argsort(-weight, axis=None, kind="stable")[: max(count, 0)]:
        person, node = np.unravel_index(index, weight.shape)
        if weight[person, node] <= 0:
            break
        frames = np.flatnonzero(clip.placed[person, :, node])
        at = np.array(short(clip.points[person, frames, node]), np.float64)
        found.append(
            pd.DataFrame(
                {"frame": frames, "body": f"instance {person + 1}", "node": int(node), "x": at[:, 0], "y": at[:, 1]}
            )
        )
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


def trail_length(clip: Clip) -> int:
    """How many frames back a trail reaches: a sixth of the clip."""
    return max(4, len(clip.time) // 6)


def body_layers(clip: Clip, panel: Panel, trail: pd.DataFrame, *, now: str | None = None) -> list[alt.Chart]:
    """The layers of `body_table`'s rows.

    Args:
        clip: to draw.
        panel: in which.
        trail: of `trail_table`.
        now: the filter of the rows that are drawn; none: all, and trails are in the rows.
    """
    across, upward = (alt.Scale(domain=domain, nice=False, zero=False) for domain in (panel.right, panel.up))
    x, y = alt.X("x:Q", scale=across, axis=None), alt.Y("y:Q", scale=upward, axis=None)
    base = alt.Chart() if now is None else alt.Chart().transform_filter(now)
    # Edges are the same in every row, so they are written once, in the expression, and unfolded by Vega.
    bones = (
        base.transform_calculate(source=literal(clip.edges[:, 0].tolist()), target=literal(clip.edges[:, 1].tolist()))
        .transform_flatten(["source", "target"])
        .transform_calculate(
            x1="datum.x[datum.source]",
            y1="datum.y[datum.source]",
            x2="datum.x[datum.target]",
            y2="datum.y[datum.target]",
        )
        # Vega takes a missing coordinate for the edge of the panel.
        .transform_filter("isValid(datum.x1) && isValid(datum.x2)")
        .mark_rule(color=MUTED, strokeWidth=2.5, strokeCap="round", opacity=0.8)
        .encode(
            x=alt.X("x1:Q", scale=across, axis=None), y=alt.Y("y1:Q", scale=upward, axis=None), x2="x2:Q", y2="y2:Q"
        )
    )
    names, written = literal(clip.nodes), literal(list(shortened(clip.nodes, LONGEST).values()))
    nodes = base.transform_calculate(node=names).transform_flatten(["node", "x", "y", "value"])
    nodes = nodes.transform_filter("isValid(datum.x)")
    domain = [0.0, clip.top or 1.0]
    marks = nodes.mark_circle(stroke=MUTED, strokeWidth=0.8, opacity=0.95).encode(
        x=x,
        y=y,
        size=alt.Size("value:Q", scale=alt.Scale(domain=domain, range=SIZES), legend=None),
        color=alt.Color(
            "value:Q",
            scale=alt.Scale(domain=domain, scheme=SEQUENTIAL),  # type: ignore[arg-type]  # altair lists the schemes' names; ours is one of them
            legend=colour_legend("importance", domain, **BELOW),
        ),
        # Important nodes last, so that they lie on top.
        order=alt.Order("value:Q"),
        tooltip=[
            alt.Tooltip("node:N"),
            alt.Tooltip("value:Q", title="importance", format=".3~g"),
            alt.Tooltip("body:N", title="body"),
            alt.Tooltip("time:N", title="time"),
        ],
    )
    text = (
        base.transform_flatten(["named", "name_x", "name_y", "end_x", "end_y"])
        .transform_filter("isValid(datum.named)")
        .transform_calculate(node=f"{written}[datum.named]", x1="datum.x[datum.named]", y1="datum.y[datum.named]")
    )
    # From a node to its name, where there was no room beside it.
    joins = text.transform_filter("isValid(datum.end_x)").mark_rule(color=MUTED, strokeWidth=1, strokeDash=[2, 2])
    return [
        *_trails(clip, trail, now, across, upward),
        bones,
        joins.encode(
            x=alt.X("x1:Q", scale=across, axis=None),
            y=alt.Y("y1:Q", scale=upward, axis=None),
            x2="end_x:Q",
            y2="end_y:Q",
        ),
        marks,
        text.mark_text(fontSize=12, baseline="middle").encode(
            x=alt.X("name_x:Q", scale=across, axis=None),
            y=alt.Y("name_y:Q", scale=upward, axis=None),
            text="node:N",
        ),
    ]


def _trails(clip: Clip, trail: pd.DataFrame, now: str | None, across: alt.Scale, upward: alt.Scale) -> list[alt.Chart]:
    if trail.empty:
        return []
    reach, fields = trail_length(clip), ("node", "x", "y", "frame")
    if now is None:
        node, x, y, at = (f"past_{name}" for name in fields)
        past = alt.Chart().transform_flatten([node, x, y, at]).transform_filter(f"isValid(datum.{node})")
        past = past.transform_calculate(age=f"datum.frame - datum.{at}")
    else:
        node, x, y, at = fields
        past = alt.Chart(rows(trail)).transform_calculate(age="at_frame - datum.frame")
        past = past.transform_filter(f"datum.age >= 0 && datum.age < {reach}")
    return [
        past.mark_trail(color=CATEGORIES[1], opacity=0.55).encode(
            x=alt.X(f"{x}:Q", scale=across, axis=None),
            y=alt.Y(f"{y}:Q", scale=upward, axis=None),
            order=f"{at}:Q",
            detail=[f"{node}:N", "body:N"],
            # It tapers off towards the past.
            size=alt.Size("age:Q", scale=alt.Scale(domain=[0, reach], range=[5, 0.5]), legend=None),
        )
    ]
