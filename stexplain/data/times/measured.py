"""What signals are measured in: the units of their channels, and how far their frames are apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import InputError


@checked
@dataclass(frozen=True)
class Measured:
    """What signals are measured in, as their source says it; nothing here is guessed.

    Attributes:
        units: of each channel, such as ``("V",)``; empty: not said.
        frame_rate: frames per second; none: not said.
        start: seconds from the moment that counts as zero, such as an event, to the first frame.
        target: the unit of what is forecast of them, such as ``"mph"``; empty: not said.
        up: the coordinate that points up, ``"x"``, ``"y"`` or ``"z"``, ``"-y"`` where y points down; empty: not said.

    Example:
        >>> Measured(("V",), frame_rate=250.0, start=-0.2).seconds(3).tolist()
        [-0.2, -0.196, -0.192]
    """

    units: tuple[str, ...] = ()
    frame_rate: float | None = None
    start: float = 0.0
    target: str = ""
    up: str = ""

    def __post_init__(self) -> None:
        if self.frame_rate is not None and not (np.ndim(self.frame_rate) == 0 and 0 < self.frame_rate < np.inf):
            raise InputError(f"frame_rate: got {self.frame_rate}; expected frames per second, above 0 and finite.")
        if not np.isfinite(self.start):
            raise InputError(f"start: got {self.start}; expected seconds, a finite number.")
        if self.up and self.up.removeprefix("-") not in ("x", "y", "z"):
            raise InputError(f"up: got {self.up!r}; expected x, y or z, or with a minus, such as -y of pixels.")

    def seconds(self, frames: int) -> NDArray[np.float64] | None:
        """The time of each frame, ``[frames]``, in seconds; none without a frame rate."""
        if self.frame_rate is None:
            return None
        # Rounded to nanoseconds: 0.1 + 0.2 shall read 0.3.
        return np.asarray(np.round(self.start + np.arange(frames) / self.frame_rate, 9))


UNMEASURED = Measured()
"""Of signals of which neither unit nor frame rate is known."""
