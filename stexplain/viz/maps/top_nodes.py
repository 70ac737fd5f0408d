"""The most important nodes as ranked bars."""

from functools import partial
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import InputError, unknown
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explanation import Explanation
from stexplain.intervals.bootstrap import Interval, interval, not_negative
from stexplain.metrics.groups.features import node_means
from stexplain.metrics.importance import ClassImportance
from stexplain.viz.maps.clip import why_dark
from stexplain.viz.names import grouped, labelled, said
from stexplain.viz.theme import CATEGORIES, MUTED, layered, noted, one_line, rows, styled, titled


@checked
def top_nodes(
    importance: Explanation | ClassImportance,
    *,
    k: int = 15,
    of: str | None = None,
    groups: Any = None,
    seed: int = 0,
    unit: str = "importance",
    title: str | None = None,
) -> alt.LayerChart:
    """Draws the k most important nodes, ranked, with bootstrap intervals over samples.

    Args:
        importance: an explanation, whose node importance is averaged over its samples, but for those in which the
            node was never observed; or the class importance of Eq. 6.
        k: number of nodes; all if there are fewer.
        of: the class, for class importance; by default the mean over the classes with a value.
        groups: of the samples of an explanation, which are not independent within one, such as `batch.groups`; see
            `stexplain.metrics.interval`. Class importance was given its own in `ClassImportance.update`.
        seed: of the bootstrap over the samples of an explanation.
        unit: title of the axis.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where k is below 1, the class is unknown or has no correctly classified sample.

    Example:
        >>> import torch
        >>> from stexplain.explainers import Motion
        >>> chart = top_nodes(Motion()(torch.randn(12, 1, 20, 6, 3)), k=3)
    """
    table, what, why = ranked(importance, k=k, of=of, groups=groups, seed=seed)
    if isinstance(importance, Explanation):
        group, present = grouped("node", importance.node_names, dict(importance.node_groups) or None)
    else:
        group, present = grouped("node", importance.nodes, None)
    table["group"] = [group[name] for name in table["node"]]
    table["rank"] = np.arange(1, len(table) + 1)
    shown = [name for name in present if name in set(table["group"])]
    most = "most important node" if len(table) == 1 else f"{len(table)} most important nodes"
    heading = title or f"The {most}{what}"
    shown_nodes = table["node"].tolist()
    y = alt.Y("node:N", sort=shown_nodes, title=None, axis=alt.Axis(**labelled(shown_nodes, 260), ticks=False))
    # Of values such as 2e-8 Vega would write all zeros.
    top = float(table["value"].max())
    digits: dict[str, Any] = {"format": ".2~e"} if 0 < top < 1e-3 or top >= 1e6 else {}
    # Without a value above zero Vega would set zero in the middle of the axis.
    scale = alt.Scale(zero=True) if bool((table["value"] > 0).any()) else alt.Scale(domain=[0, 1])
    x = alt.X("value:Q", title=one_line(unit), scale=scale, axis=alt.Axis(tickCount=5, **digits))
    tip = [alt.Tooltip("rank:Q"), alt.Tooltip("node:N"), alt.Tooltip("group:N")]
    tip += [alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("value", "low", "high")]
    # With more groups than colours no group has its own; the tooltip still names it.
    coloured = 1 < len(shown) <= len(CATEGORIES)
    fill = (
        alt.Color("group:N", scale=alt.Scale(domain=shown, range=list(CATEGORIES[: len(shown)])), title=None)
        if coloured
        else alt.value(CATEGORIES[0])
    )
    base = alt.Chart()
    layers = [base.mark_bar(height=alt.RelativeBandSize(band=0.72)).encode(x=x, y=y, color=fill, tooltip=tip)]
    # Too few samples, or class importance without resampling, have no intervals.
    known = bool(table["low"].notna().any())
    if known:
        ends = base.mark_rule(strokeWidth=2, color=MUTED)
        layers.append(ends.encode(x=alt.X("low:Q", title=one_line(unit)), x2="high:Q", y=y))
    over = "samples" if groups is None else "groups of samples"
    chart = layered(*layers, data=rows(table)).properties(width=440, height=alt.Step(20))
    how = f"Lines are 95% bootstrap intervals over {over}." if known else f"No intervals: {why}." if why else ""
    notes = importance.notes if isinstance(importance, Explanation) else ()
    if not bool((table["value"] > 0).any()):
        dark = why_dark(importance.values[importance.valid] if isinstance(importance, Explanation) else table["value"])
        how = f"{dark} The order says nothing. {how}".strip()
    most = said(shown_nodes, table["value"], k)
    return styled(chart, titled(heading, how, *noted(notes)), f"In order: {most}." if most else "")


class Ranked(NamedTuple):
    """The most important nodes.

    Attributes:
        table: columns ``node``, ``value``, ``low`` and ``high``, the most important first; NaN without an interval.
        what: of what, as the end of a title.
        why: why there are no intervals, where one expects some.
    """

    table: pd.DataFrame
    what: str
    why: str


def ranked(importance: Explanation | ClassImportance, *, k: int, of: str | None, groups: Any, seed: int) -> Ranked:
    """The k most important nodes, as `top_nodes` draws them.

    Raises:
        InputError: as `top_nodes`.
    """
    check_counts(k=k)
    if isinstance(importance, Explanation):
        return _explained(importance, k, groups, seed)
    if not isinstance(importance, ClassImportance):
        raise InputError(f"importance: got {type(importance).__name__}; expected an Explanation or a ClassImportance.")
    if groups is not None:
        raise InputError("groups: got some for a ClassImportance; expected none. Give them to ClassImportance.update.")
    return Ranked(*_of_class(importance, k, of), "")


def _explained(e: Explanation, k: int, groups: Any, seed: int) -> Ranked:
    # Of the samples in which a node was observed: one without is no importance of zero. Zero where none has it.
    nodes = node_means(e, signed=False)
    nodes[:, np.isnan(nodes).all(axis=0)] = 0.0
    means = np.nanmean(nodes, axis=0)
    found, why = [], ""
    top = float(np.nanmax(nodes, initial=0.0))

    def bounds(index: int) -> tuple[float, float] | None:
        # Where a node has one value in all samples, such as zero, samples not seen are taken to have up to the greatest
        # importance seen of any node: importance has units of its own, in which 1 means nothing.
        return (0.0, top) if top > 0 and np.nanmax(nodes[:, index]) == np.nanmin(nodes[:, index]) else None

    # A stable sort keeps the graph's order among equal values; intervals are computed for the k drawn nodes alone.
    for index in np.argsort(-means, kind="stable")[:k]:
        # Importance is the mean of a ReLU.
        ends = not_negative(interval(nodes[:, index], groups=groups, seed=seed, bounds=bounds(index)))
        # Where all is zero nothing says how far others may lie off.
        ends = ends if top > 0 else Interval(0.0, np.nan, np.nan, ends.reason)
        found.append({"node": e.node_names[index], "value": float(means[index]), "low": ends.low, "high": ends.high})
        # Of a single sample nobody expects one.
        why = ends.reason if len(nodes) > 1 else ""
    what = f" for {e.target}" if e.target else ""
    return Ranked(pd.DataFrame(found), f"{what}, {len(nodes)} sample{'' if len(nodes) == 1 else 's'}", why)


def _of_class(importance: ClassImportance, k: int, of: str | None) -> tuple[pd.DataFrame, str]:
    psi = importance.psi
    rows_of = np.flatnonzero(importance.counts > 0)
    if of is not None:
        if of not in importance.classes:
            raise unknown("class", of, importance.classes)
        rows_of = rows_of[rows_of == importance.classes.index(of)]
    if not len(rows_of):
        raise InputError(
            f"class {of!r} has no correctly classified sample, and so no importance. Choose another class."
            if of is not None
            else "importance: got no class with a correctly classified sample; expected at least one."
        )
    # Over the classes in which a node was observed. One that never was has no importance, and is left out.
    known = ~np.isnan(psi[rows_of])
    means = np.where(known, psi[rows_of], 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    order = np.argsort(-means, kind="stable")[: min(k, int(known.any(axis=0).sum()))]
    table = pd.DataFrame({"node": [importance.nodes[index] for index in order], "value": means[order]})
    table["low"] = table["high"] = np.nan
    if importance.resamples:
        if of is not None:
            table["low"], table["high"] = importance.interval()[:, rows_of[0], order]
        else:
            ends = [importance.interval(partial(_mean_over, rows_of, node), nodes=node) for node in order]
            table["low"], table["high"] = [max(one.low, 0.0) for one in ends], [one.high for one in ends]
    return table, f" for '{of}'" if of else f", mean over {len(rows_of)} classes"


def _mean_over(rows_of: NDArray[np.intp], node: int, psi: NDArray[np.float64]) -> float:
    """The mean importance of a node over classes; those that have none (NaN), in psi or in a resample, are excluded."""
    values = psi[rows_of, node]
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else float("nan")
