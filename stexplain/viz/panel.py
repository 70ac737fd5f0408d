"""A drawing panel with the same scale on both axes, and room for names in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import InputError
from stexplain.viz.theme import short

LONGEST = 28
"""Letters of a name in a drawing: a longer one is shortened, as it would lie over edges, far from its node."""
LETTER = 7.0
"""Width of one letter of a node's name, in pixels, at the names' font size of 11 to 12: that of a wide font."""
LINE = 15
"""Height of a node's name, in pixels."""
# Above, right, left, below, then the corners: a name above its node is read fastest.
_AROUND = np.array([(0, 1), (1, 0), (-1, 0), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)], np.float64)
_FURTHER = (1.0, 1.8, 3.0, 4.5, 6.5, 9.0, 12.0)
"""How far from its node a name may stand, in lines; from the second on a thin line joins both."""


class Name(NamedTuple):
    """Where the name of a node is written.

    Attributes:
        node: its index.
        x: the middle of the name, in the unit of the points.
        y: the same, upwards.
        joined: the end of a thin line from the node to its name, where that is not beside it.
    """

    node: int
    x: float
    y: float
    joined: tuple[float, float] | None


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
        """The panel that shows all points ``[..., 2]`` with a margin, at the same scale on both axes; NaN is no point.

        Example:
            >>> panel = Panel.around(np.array([[0.0, 0.0], [1.0, 2.0]]), width=200, height=200)
            >>> (panel.right[1] - panel.right[0]) / 200 == (panel.up[1] - panel.up[0]) / 200
            True
        """
        flat = points.reshape(-1, 2)
        low, high = np.nanmin(flat, axis=0), np.nanmax(flat, axis=0)
        if width < 1 or height < 1:
            raise InputError(f"width and height: got {width} and {height}; expected at least 1 pixel each.")
        # 12 % of margin for marks and names; the floor keeps a single point from a scale of no width.
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-6) * 1.12
        # The axis that needs more room sets the scale; the other one gets the rest of the panel.
        half_up = max(half[1], half[0] * height / width)
        across = half_up * width / height
        right = short([middle[0] - across, middle[0] + across], digits=9)
        up = short([middle[1] - half_up, middle[1] + half_up], digits=9)
        return cls(right, up, width, height)

    def names(
        self,
        points: NDArray[np.float64],
        radii: NDArray[np.float64],
        names: Mapping[int, str],
        *,
        taken: Sequence[Sequence[float]] = (),
        lines: NDArray[np.float64] | None = None,
        reach: int | None = None,
        crossing: bool = True,
        before: Mapping[int, tuple[float, float]] | None = None,
    ) -> list[Name]:
        """Where to write names so that none covers a node or another name.

        Args:
            points: all that is drawn, ``[N, 2]``: no name covers any of them.
            radii: of the circles, in pixels, ``[N]``.
            names: node -> its name, the most important first: where there is too little room, the later ones have none.
            taken: further boxes that no name may cover, in pixels from the lower left: left, low, right, high.
            lines: from and to, ``[L, 2, 2]``: a name covers them only where there is no other room nearby.
            reach: how many distances from its node are tried; from the second on a thin line joins both. Default: all.
            crossing: whether a name may cover lines where there is no other room.
            before: node -> from where its name stood a frame ago to the node, in pixels: a name that can stay, stays.

        Example:
            >>> panel = Panel.around(np.array([[0.0, 0.0], [1.0, 1.0]]), width=300, height=300)
            >>> points, radii = np.array([[0.5, 0.5], [0.5, 0.52]]), np.array([10.0, 4.0])
            >>> [(name.node, name.joined is None) for name in panel.names(points, radii, {0: "hip", 1: "hand"})]
            [(0, True), (1, False)]
        """
        scale = self.height / (self.up[1] - self.up[0])
        at = (points - [self.right[0], self.up[0]]) * scale
        boxes = np.hstack([at - radii[:, None], at + radii[:, None]])
        boxes = np.vstack([boxes, np.reshape(np.asarray(taken, np.float64), (-1, 4))])
        # Points on each line stand for it.
        steps = np.linspace(0.02, 0.98, 25)[:, None, None]
        crossed = np.zeros((0, 2))
        if lines is not None and len(lines):
            ends = (lines - [self.right[0], self.up[0]]) * scale
            crossed = (ends[:, 0] * (1 - steps) + ends[:, 1] * steps).reshape(-1, 2)
        placed = []
        for node, name in names.items():
            half = np.array([LETTER * len(name) / 2, LINE / 2])
            middles, joined = _candidates(at[node], float(radii[node]), half, reach)
            if before and node in before:
                middles = np.vstack([at[node] + before[node], middles])
                joined = np.concatenate([[float(np.hypot(*before[node]) > _beside(half, float(radii[node])))], joined])
            low, high = middles - half, middles + half
            free = ((low >= 0) & (high <= [self.width, self.height])).all(axis=1)
            covered = (low[:, None] < boxes[None, :, 2:]) & (boxes[None, :, :2] < high[:, None])
            free &= ~covered.all(axis=2).any(axis=1)
            over = ((low[:, None] < crossed[None]) & (crossed[None] < high[:, None])).all(axis=2).any(axis=1)
            if not crossing:
                free &= ~over
            if not free.any():
                continue
            # A line that is crossed weighs as much as four distances.
            cost = np.arange(len(middles)) + 4 * len(_AROUND) * over
            if before and node in before:
                # A name stays where it stood, unless there is room that is nearer by more than three steps outwards.
                away = np.hypot(*(middles - at[node]).T)
                cost[0] += max(0, int((away[1:] < away[0] - 1e-6).sum()) - 3 * len(_AROUND))
            chosen = int(np.where(free, cost, np.inf).argmin())
            middle = middles[chosen]
            boxes = np.vstack([boxes, np.concatenate([middle - half, middle + half])])
            x, y = middle / scale + [self.right[0], self.up[0]]
            # The line ends where the name begins.
            end = np.clip(at[node], middle - half, middle + half) / scale + [self.right[0], self.up[0]]
            placed.append(Name(node, float(x), float(y), (float(end[0]), float(end[1])) if joined[chosen] else None))
        return placed

    def pixels(self, apart: NDArray[np.float64]) -> tuple[float, float]:
        """A difference of two points ``[2]`` in pixels."""
        across, upward = apart * self.height / (self.up[1] - self.up[0])
        return float(across), float(upward)


def _candidates(
    at: NDArray[np.float64], radius: float, half: NDArray[np.float64], reach: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles of a name ``[K, 2]`` around its node, the nearest first, and whether each needs a line to it."""
    middles, lines = [], []
    for number, further in enumerate(_FURTHER[:reach]):
        # From the circle's edge, with a gap, so that the name's own edge is there.
        away = radius + 3 + (further - 1) * LINE
        corner = np.where(np.abs(_AROUND).all(axis=1), 0.75, 1.0)[:, None]
        middles.append(at + _AROUND * (corner * away + half))
        lines.append(np.full(len(_AROUND), float(number > 0)))
    return np.vstack(middles), np.concatenate(lines)


def _beside(half: NDArray[np.float64], radius: float) -> float:
    """How far the middle of a name may be from its node without a line, in pixels."""
    return float(np.hypot(*(half + radius + 3))) + 1.0
