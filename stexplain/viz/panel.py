"""A drawing plane with one scale on both axes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stexplain.viz.theme import short

LETTER = 6.5
"""Width of a letter of a node's name, in pixels."""
LINE = 14
"""Height of a node's name, in pixels."""


@dataclass(frozen=True)
class Panel:
    """A part of the plane and the pixels that show it.

    Attributes:
        right: limits across, in the unit of the points.
        up: limits upwards.
        width: in pixels.
        height: in pixels.
    """

    right: list[float]
    up: list[float]
    width: int
    height: int

    @classmethod
    def around(cls, points: NDArray[np.float64], *, width: int, height: int) -> "Panel":
        """A panel that shows all points ``[..., 2]`` with a margin, at the same scale on both axes.

        Example:
            >>> panel = Panel.around(np.array([[0.0, 0.0], [1.0, 2.0]]), width=200, height=200)
            >>> (panel.right[1] - panel.right[0]) / 200 == (panel.up[1] - panel.up[0]) / 200
            True
        """
        flat = points.reshape(-1, 2)
        low, high = flat.min(axis=0), flat.max(axis=0)
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-6) * 1.12
        # The axis that lacks room decides the scale; the other gets what the panel leaves.
        half_up = max(half[1], half[0] * height / width)
        across = half_up * width / height
        right = short([middle[0] - across, middle[0] + across], digits=9)
        up = short([middle[1] - half_up, middle[1] + half_up], digits=9)
        return cls(right, up, width, height)

    def named(
        self, points: NDArray[np.float64], values: NDArray[np.float64], count: int, *, at_least: float
    ) -> list[int]:
        """The nodes to name: the greatest values, leaving out those whose name would cover one already written.

        Args:
            points: ``[N, 2]``.
            values: ``[N]``.
            count: at most so many.
            at_least: only values above zero that reach this.
        """
        per_pixel = (self.up[1] - self.up[0]) / self.height
        chosen: list[int] = []
        for index in np.argsort(-values, kind="stable"):
            if len(chosen) == count or values[index] <= 0 or values[index] < at_least:
                break
            apart = np.abs(points[chosen] - points[index]) / per_pixel
            if not bool(((apart[:, 0] < 15 * LETTER) & (apart[:, 1] < LINE)).any()):
                chosen.append(int(index))
        return chosen

    def beside(self, points: NDArray[np.float64], names: list[str], reach: float) -> list[tuple[int, str]]:
        """Where to write every node's name without covering a node or another name.

        Args:
            points: ``[N, 2]``.
            names: N names.
            reach: from a node's middle to its name, in pixels.

        Returns:
            Pairs of node and side (``"above"``, ``"right"``, ``"left"``, ``"below"``); nodes without room are left out.
        """
        scale = self.height / (self.up[1] - self.up[0])
        at = (points - [self.right[0], self.up[0]]) * scale
        taken = np.hstack([at - 5, at + 5])
        found = []
        for index, name in enumerate(names):
            x, y = at[index]
            wide = LETTER * len(name)
            corners = {
                "above": (x - wide / 2, y + reach - 6),
                "right": (x + reach, y - LINE / 2),
                "left": (x - reach - wide, y - LINE / 2),
                "below": (x - wide / 2, y - reach - LINE + 6),
            }
            for side, (left, low) in corners.items():
                box = np.array([left, low, left + wide, low + LINE])
                others = np.delete(taken, index, axis=0)
                meets = (box[:2] < others[:, 2:]).all(axis=1) & (others[:, :2] < box[2:]).all(axis=1)
                inside = left >= 0 and left + wide <= self.width
                if inside and not bool(meets.any()):
                    taken = np.vstack([taken, box])
                    found.append((index, side))
                    break
        return found
