"""A categorical axis whose groups are separated by gaps and labelled by name."""

from dataclasses import dataclass

import altair as alt
import pandas as pd

from stexplain.viz.names import OTHER, labelled
from stexplain.viz.theme import rows


@dataclass(frozen=True)
class Bands:
    """The names of a categorical axis, with an empty band between two groups.

    A facet per group would repeat every name in every panel, or lose the shared axis.

    Attributes:
        names: the names to draw, in order.
        group: the group of each name.
    """

    names: list[str]
    group: list[str]

    @property
    def domain(self) -> list[str]:
        r"""The names, with a gap wherever the group changes.

        Example:
            >>> Bands(["hand", "foot"], ["arm", "leg"]).domain == ["hand", "\u200b0", "foot"]
            True
        """
        out: list[str] = []
        for index, name in enumerate(self.names):
            if index and self.group[index] != self.group[index - 1]:
                # A zero-width space: the band exists, has no visible label, and equals no node's name.
                out.append(f"\u200b{index - 1}")
            out.append(name)
        return out

    @property
    def runs(self) -> pd.DataFrame:
        """Neighbours in one group: columns `group`, `first`, `middle` (names) and `count`; no rows without groups."""
        runs: list[dict[str, object]] = []
        # Without groups every name is in OTHER; a label "other" over the whole axis would say nothing.
        if set(self.group) == {OTHER}:
            return pd.DataFrame(columns=["group", "first", "middle", "count"])
        start = 0
        for index in range(1, len(self.names) + 1):
            if index == len(self.names) or self.group[index] != self.group[start]:
                middle = self.names[(start + index - 1) // 2]
                runs.append(
                    {"group": self.group[start], "first": self.names[start], "middle": middle, "count": index - start}
                )
                start = index
        return pd.DataFrame(runs)

    def x(self, field: str, **axis: object) -> alt.X:
        """The horizontal encoding."""
        return alt.X(f"{field}:N", title=None, scale=alt.Scale(domain=self.domain), axis=self._axis(**axis))

    def y(self, field: str, **axis: object) -> alt.Y:
        """The vertical encoding, from top to bottom."""
        return alt.Y(f"{field}:N", title=None, scale=alt.Scale(domain=self.domain), axis=self._axis(**axis))

    def _axis(self, **axis: object) -> alt.Axis:
        # `values` leaves out the gaps; Vega would drop labels that it takes to overlap, and every node must be named.
        quiet = {"domain": False, "ticks": False, "grid": False, "labelPadding": 6, **labelled(self.names, 260)}
        return alt.Axis(values=self.names, labelOverlap=False, **{**quiet, **axis})

    def above(self, step: int) -> list[alt.Chart]:
        """The names of the groups, above the first band of each group."""
        runs = self.runs
        if runs.empty:
            return []
        charts = []
        for index, count in enumerate(runs["count"].tolist()):
            # One chart per group: a name may be as wide as its group and the gap after it, and Vega takes that limit
            # as a property of the mark, not as an encoding.
            mark = alt.Chart(rows(runs.iloc[[index]])).mark_text(
                align="left",
                baseline="bottom",
                fontWeight="bold",
                fontSize=12.5,
                dx=-step // 2,
                limit=count * step + 14,
            )
            charts.append(mark.encode(x=self.x("first"), y=alt.value(-6), text="group:N"))
        return charts

    def beside(self, width: int) -> list[alt.Chart]:
        """The names of the groups, to the right of the bands."""
        runs = self.runs
        if runs.empty:
            return []
        mark = alt.Chart(rows(runs)).mark_text(align="left", fontWeight="bold", fontSize=12.5)
        return [mark.encode(x=alt.value(width + 10), y=self.y("middle"), text="group:N")]

    @property
    def room(self) -> int:
        """The width in pixels that `beside` needs; a legend starts after it."""
        # 7.5 pixels hold one letter of the bold 12.5 point font.
        return 18 + max((int(7.5 * len(str(name))) for name in self.runs.get("group", [])), default=0)
