"""An axis of names whose groups stand apart, under or beside the names of the groups."""

from dataclasses import dataclass

import altair as alt
import pandas as pd

from stexplain.viz.names import OTHER
from stexplain.viz.theme import rows


@dataclass(frozen=True)
class Bands:
    """Names in order, with an empty band between two groups.

    A facet per group would repeat every name in every panel, or lose the shared axis.

    Attributes:
        names: to draw, in order.
        group: of each name.
    """

    names: list[str]
    group: list[str]

    @property
    def domain(self) -> list[str]:
        r"""The names with a gap wherever the group changes.

        Example:
            >>> Bands(["hand", "foot"], ["arm", "leg"]).domain == ["hand", "\u200b0", "foot"]
            True
        """
        out: list[str] = []
        for index, name in enumerate(self.names):
            if index and self.group[index] != self.group[index - 1]:
                out.append(f"\u200b{index - 1}")  # unseen, and no name of a node
            out.append(name)
        return out

    @property
    def runs(self) -> pd.DataFrame:
        """Neighbours of one group: columns `group`, `first`, `middle` (names) and `count`; empty without groups."""
        found: list[dict[str, object]] = []
        if set(self.group) == {OTHER}:
            return pd.DataFrame(columns=["group", "first", "middle", "count"])
        start = 0
        for index in range(1, len(self.names) + 1):
            if index == len(self.names) or self.group[index] != self.group[start]:
                middle = self.names[(start + index - 1) // 2]
                found.append(
                    {"group": self.group[start], "first": self.names[start], "middle": middle, "count": index - start}
                )
                start = index
        return pd.DataFrame(found)

    def x(self, field: str, **axis: object) -> alt.X:
        """The encoding across."""
        return alt.X(f"{field}:N", title=None, scale=alt.Scale(domain=self.domain), axis=self._axis(**axis))

    def y(self, field: str, **axis: object) -> alt.Y:
        """The encoding downwards."""
        return alt.Y(f"{field}:N", title=None, scale=alt.Scale(domain=self.domain), axis=self._axis(**axis))

    def _axis(self, **axis: object) -> alt.Axis:
        quiet = {"domain": False, "ticks": False, "grid": False, "labelPadding": 6, "labelLimit": 260}
        return alt.Axis(values=self.names, labelOverlap=False, **{**quiet, **axis})  # type: ignore[arg-type]  # altair types names one by one; a mapping cannot say which

    def above(self, step: int) -> list[alt.Chart]:
        """The names of the groups, above the bands where each group starts."""
        found = self.runs
        if found.empty:
            return []
        charts = []
        for index, count in enumerate(found["count"].tolist()):
            # A name may be as wide as its group and the gap after it; the limit is a property of the mark.
            mark = alt.Chart(rows(found.iloc[[index]])).mark_text(
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
        found = self.runs
        if found.empty:
            return []
        mark = alt.Chart(rows(found)).mark_text(align="left", fontWeight="bold", fontSize=12.5)
        return [mark.encode(x=alt.value(width + 10), y=self.y("middle"), text="group:N")]

    @property
    def room(self) -> int:
        """The pixels that `beside` takes; a legend has to start after them."""
        return 18 + max((int(7.5 * len(str(name))) for name in self.runs["group"]), default=0)
