"""What a reader of recordings gives: where recordings lie, and what is in one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import InputError, unknown

Keep = Literal["energy", "first"]
KEEP: tuple[Keep, ...] = ("energy", "first")
"""How the bodies to keep are chosen, see `choose_bodies`."""


@dataclass(frozen=True)
class RecordingFile:
    """A file that holds one recording, and what its name says; the file itself is not opened.

    Attributes:
        id: what the recording is called in its dataset.
        path: of the file.
        label: the class, as an index into the card's classes; -1 where it is not known.
        fields: what the name says, such as ``{"subject": 3, "camera": 1}``.
        problem: why the recording cannot be used, as text; empty where it can.
    """

    id: str
    path: Path
    label: int
    fields: Mapping[str, int | str]
    problem: str = ""


@checked
@dataclass(frozen=True)
class Recording:
    """The bodies of one recording.

    Attributes:
        values: what was recorded, ``[M, T, N, C]``, float32, such as positions x, y and z in metres; NaN where a body
            is absent, or a node of it was not seen. M counts all bodies, in the order in which they first appear.
        body_ids: M ids by which the file tells the bodies apart.
        fields: further columns that were requested, each ``[M, T, N]``, float32, NaN where a body is absent.

    Example:
        >>> values = np.ones((2, 3, 4, 3), np.float32)  # two bodies, 3 frames, 4 joints
        >>> values[1, 2:] = np.nan  # the second one leaves
        >>> Recording(values, (7, 8)).valid.tolist()
        [[True, True, True], [True, True, False]]
    """

    values: NDArray[np.float32]
    body_ids: tuple[int, ...]
    fields: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def xyz(self) -> NDArray[np.float32]:
        """Positions ``[M, T, N, 3]``: the values of recordings whose channels are x, y and z.

        Raises:
            InputError: where there are other than three channels.
        """
        if self.values.shape[-1] != 3:
            raise InputError(f"this recording has {self.values.shape[-1]} channels, not x, y and z. See `values`.")
        return self.values

    @property
    def valid(self) -> NDArray[np.bool_]:
        """The padding mask, ``[M, T]``: true where any node of a body was seen."""
        return np.asarray(self.observed.any(axis=2))

    @property
    def observed(self) -> NDArray[np.bool_]:
        """The missing-value mask, ``[M, T, N]``: true where all channels of a node were read."""
        return np.asarray(~np.isnan(self.values).any(axis=3))


def motion_energy(recording: Recording, channels: Sequence[int] | None = None) -> NDArray[np.float64]:
    """How much each body moves: ``[M]``, in the unit of its positions.

    The sum over the axes of the standard deviation over all joints that were seen, and all frames, together. 2s-AGCN's
    preparation (Shi et al., CVPR 2019) tells persons from false detections, such as chairs, by it.

    Args:
        recording: with at least one valid frame per body; a body without any has energy 0.
        channels: the axes, as indices of channels; none: all channels. A score is no axis.

    Example:
        >>> still, moving = np.zeros((1, 2, 1, 3), np.float32), np.array([0.0, 2.0], np.float32)
        >>> xyz = np.concatenate([still, still + moving[None, :, None, None]])
        >>> motion_energy(Recording(xyz, (7, 8)))
        array([0., 3.])
    """
    axes = recording.values if channels is None else recording.values[..., list(channels)]
    # Per body, all joints that were seen in one list of points, [points, C].
    values = [body[seen] for body, seen in zip(axes, recording.observed, strict=True)]
    # In float64: the variance of a still body in float32 would be rounding alone.
    return np.array([float(v.std(axis=0, dtype=np.float64).sum()) if len(v) else 0.0 for v in values])


def choose_bodies(
    recording: Recording, instances: int, keep: Keep = "energy", channels: Sequence[int] | None = None
) -> list[int]:
    """Which bodies to keep, in the order in which to keep them.

    Args:
        recording: with any number of bodies.
        instances: how many to keep at most.
        keep: `energy` takes those that move most, most first; `first` those that appear first.
        channels: see `motion_energy`.

    Returns:
        Indices into the bodies, at most `instances`. Equal energies stay in the order of appearance.

    Raises:
        InputError: where `keep` is neither.

    Example:
        >>> still, moving = np.zeros((1, 2, 1, 3), np.float32), np.array([0.0, 2.0], np.float32)
        >>> xyz = np.concatenate([still, still + moving[None, :, None, None]])
        >>> choose_bodies(Recording(xyz, (7, 8)), 1), choose_bodies(Recording(xyz, (7, 8)), 1, "first")
        ([1], [0])
    """
    if keep not in KEEP:
        raise unknown("choice of bodies to keep", keep, KEEP)
    bodies = len(recording.body_ids)
    # Stable, so that the choice does not depend on the platform where two bodies move alike.
    order = (
        np.argsort(-motion_energy(recording, channels), kind="stable").tolist()
        if keep == "energy"
        else list(range(bodies))
    )
    return [int(body) for body in order[:instances]]
