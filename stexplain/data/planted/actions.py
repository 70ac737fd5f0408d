"""Four actions as pieces of movement: which ways a part of the body goes together makes the class.

A *piece* takes one part of the body from rest to a corner of a box around it, stays, and comes back: to the right or
the left, up or down, forward or back. Where one or three of these go the negative way (left, down, back), the piece is
an action, and which they are says which. Where none or two do, it means nothing. So each way by itself, and any two of
them together, are the same in both: only all three together tell, the product of three signs.
"""

from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np

from stexplain.data.planted.body import Array

Part = Literal["left arm", "right arm", "left leg", "right leg", "head"]
PARTS: tuple[Part, ...] = get_args(Part)
"""In the order of `Pose.parts`."""
Signs = tuple[int, int, int]
"""Whether a part goes to the right, up and forward (1), or to the left, down and back (-1)."""

MEANINGLESS: tuple[Signs, ...] = tuple((a, b, c) for a, b, c in product((1, -1), repeat=3) if a * b * c == 1)
"""The signs of pieces that are no action: none or two are negative."""
SIZES: dict[Part, float] = {"left arm": 0.24, "right arm": 0.24, "left leg": 0.2, "right leg": 0.2, "head": 0.2}
"""How far a piece goes each way, in lengths of the part."""
# The share of its time that a piece takes to get to its corner, and again to come back.
_RAMP = 0.25


@dataclass(frozen=True)
class Action:
    """What makes a class.

    Attributes:
        parts: one of them acts, drawn.
        signs: where it goes.
    """

    parts: tuple[Part, ...]
    signs: Signs


@dataclass(frozen=True)
class Span:
    """The frames `start` to `start + frames - 1` of a clip; they may reach beyond its ends."""

    start: int
    frames: int

    @property
    def phase(self) -> Array:
        """0 at the frame before the first to 1 at the frame after the last, ``[frames]``."""
        return np.arange(1, self.frames + 1) / (self.frames + 1)


@dataclass(frozen=True)
class Piece:
    """A piece of movement: which part goes by which signs, and when."""

    part: Part
    signs: Signs
    span: Span


ACTIONS: dict[str, Action] = {
    "A007": Action(("left arm", "right arm"), (-1, 1, 1)),
    "A024": Action(("left leg", "right leg"), (1, 1, -1)),
    "A031": Action(("left arm", "right arm"), (1, -1, 1)),
    "A035": Action(("head",), (-1, -1, -1)),
}
"""The planted actions by the dataset's codes: throw, kicking something, pointing to something, nod head. The names are
the dataset's; the movements are ours."""
NO_ACTION = "A011"
"""Recordings without any of them, by the dataset's code of reading. Where there are none, a network may tell one action
by the absence of the others, and then does not use where it is planted (docs/decisions/0264)."""


def action_of(part: Part, signs: Signs) -> str | None:
    """The code of the action that a piece is, or none.

    Example:
        >>> action_of("left arm", (-1, 1, 1)), action_of("left arm", (-1, -1, 1))
        ('A007', None)
    """
    return next((code for code, one in ACTIONS.items() if part in one.parts and signs == one.signs), None)


def path(piece: Piece, far: Array | float = 1.0) -> Array:
    """Where a piece takes its part, from rest, (right, up, forward) in lengths of the part, ``[frames, 3]``.

    Args:
        piece: which.
        far: how far relative to the average, of each way or all.

    Example:
        >>> path(Piece("head", (1, -1, 1), Span(0, 7)))[:4].round(2).tolist()
        [[0.1, -0.1, 0.1], [0.2, -0.2, 0.2], [0.2, -0.2, 0.2], [0.2, -0.2, 0.2]]
    """
    ramp = np.clip(np.minimum(piece.span.phase, 1 - piece.span.phase) / _RAMP, 0.0, 1.0)
    # A smooth step, without a jump in speed.
    away = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(SIZES[piece.part] * far * away[:, None] * np.array(piece.signs))
