"""A drawing panel with the same scale on both axes, and room for names in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stexplain.viz.theme import short

LETTER = 6.5
"""Width of one letter of a node's name, in pixels, at the names' font size of 11 to 12."""
LINE = 14
"""Height of a node's name, in pixels."""


@dataclass(frozen=True)
class Panel:
    """A window of the plane, and its size in pixels.

    Attributes:
        right: horizontal limits, in the unit of the points.
        up: vertical limits.
        width: in pixels.
        height: in pixels.
    """

    right: list[float]
    up: list[float]
    width: int
    height: int

    @classmethod
    def around(cls, points: NDArray[np.float64], *, width: int, height: int) -> "Panel":
        """The panel that shows all points ``[..., 2]`` with a margin, at the same scale on both axes.

        Example:
            >>> panel = Panel.around(np.array([[0.0, 0.0], [1.0, 2.0]]), width=200, height=200)
            >>> (panel.right[1] - panel.right[0]) / 200 == (panel.up[1] - panel.up[0]) / 200
            True
        """
        flat = points.reshape(-1, 2)
        low, high = flat.min(axis=0), flat.max(axis=0)
        # 12 % of margin for marks and names; the floor keeps a single point from a scale of no width.
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-6) * 1.12
        # The axis that needs more room sets the scale; the other one gets the rest of the panel.
        half_up = max(half[1], half[0] * height / width)
        across = half_up * width / height
        right = short([middle[0] - across, middle[0] + across], digits=9)
        up = short([middle[1] - half_up, middle[1] + half_up], digits=9)
        return cls(right, up, width, height)

    def named(
        self, points: NDArray[np.float64], values: NDArray[np.float64], count: int, *, at_least: float
    ) -> list[int]:
        """The nodes to name: those of the greatest values, except where a name would cover another.

        Args:
            points: ``[N, 2]``.
            values: ``[N]``.
            count: the largest number of names.
            at_least: only positive values of at least this are named.

        Returns:
            Indices of nodes, the greatest value first.
        """
        per_pixel = (self.up[1] - self.up[0]) / self.height
        chosen: list[int] = []
        for index in np.argsort(-values, kind="stable"):
            if len(chosen) == count or values[index] <= 0 or values[index] < at_least:
                break
            # Compare in pixels: a name is about 15 letters wide and one line high.
            apart = np.abs(points[chosen] - points[index]) / per_pixel
            if not bool(((apart[:, 0] < 15 * LETTER) & (apart[:, 1] < LINE)).any()):
                chosen.append(int(index))
        return chosen

    def beside(self, points: NDArray[np.float64], names: list[str], reach: float) -> list[tuple[int, str]]:
        """Where to write each node's name so that it covers no node and no other name.

        Args:
            points: ``[N, 2]``.
            names: N names.
            reach: distance in pixels from a node's centre to its name.

        Returns:
            Pairs of node and side (``"above"``, ``"right"``, ``"left"``, ``"below"``); a node without room has none.
        """
        scale = self.height / (self.up[1] - self.up[0])
        at = (points - [self.right[0], self.up[0]]) * scale
        # Boxes [left, low, right, high] in pixels that are occupied: at first the nodes, later their names too.
        taken = np.hstack([at - 5, at + 5])
        placed = []
        for index, name in enumerate(names):
            x, y = at[index]
            wide = LETTER * len(name)
            # In order of preference: a name above its node is read fastest.
            corners = {
                "above": (x - wide / 2, y + reach - 6),
                "right": (x + reach, y - LINE / 2),
                "left": (x - reach - wide, y - LINE / 2),
                "below": (x - wide / 2, y - reach - LINE + 6),
            }
            for side, (left, low) in corners.items():
                box = np.array([left, low, left + wide, low + LINE])
                # A name may touch its own node's box, which is row `index`.
                others = np.delete(taken, index, axis=0)
                overlaps = (box[:2] < others[:, 2:]).all(axis=1) & (others[:, :2] < box[2:]).all(axis=1)
                inside = left >= 0 and left + wide <= self.width
                if inside and not bool(overlaps.any()):
                    taken = np.vstack([taken, box])
                    placed.append((index, side))
                    break
        return placed
