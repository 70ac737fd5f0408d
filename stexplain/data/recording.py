"""What a reader of recordings gives: where recordings lie, and what is in one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import unknown

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


@dataclass(frozen=True)
class Recording:
    """The bodies of one recording.

    Attributes:
        xyz: positions ``[M, T, N, 3]`` in metres, float32; NaN where a body is absent. M counts all bodies, in the
            order in which they first appear.
        body_ids: M ids by which the file tells the bodies apart.
        fields: further columns that were requested, each ``[M, T, N]``, float32, NaN where a body is absent.
    """

    xyz: NDArray[np.float32]
    body_ids: tuple[int, ...]
    fields: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """The padding mask, ``[M, T]``: true where a body is present."""
        return np.asarray(~np.isnan(self.xyz).any(axis=(2, 3)))


def motion_energy(recording: Recording) -> NDArray[np.float64]:
    """How much each body moves: ``[M]``, in metres.

    The sum over the axes of the standard deviation over all joints and valid frames together. 2s-AGCN's preparation
    (Shi et al., CVPR 2019) tells persons from false detections, such as chairs, by it.

    Args:
        recording: with at least one valid frame per body; a body without any has energy 0.

    Example:
        >>> still, moving = np.zeros((1, 2, 1, 3), np.float32), np.array([0.0, 2.0], np.float32)
        >>> xyz = np.concatenate([still, still + moving[None, :, None, None]])
        >>> motion_energy(Recording(xyz, (7, 8)))
        array([0., 3.])
    """
    valid = recording.valid
    # Per body, all joints of all its valid frames in one list of points, [T' * N, 3].
    values = [body[frames].reshape(-1, 3) for body, frames in zip(recording.xyz, valid, strict=True)]
    # In float64: the variance of a still body in float32 would be rounding alone.
    return np.array([float(v.std(axis=0, dtype=np.float64).sum()) if len(v) else 0.0 for v in values])


def choose_bodies(recording: Recording, instances: int, keep: Keep = "energy") -> list[int]:
    """Which bodies to keep, in the order in which to keep them.

    Args:
        recording: with any number of bodies.
        instances: how many to keep at most.
        keep: `energy` takes those that move most, most first; `first` those that appear first.

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
    order = np.argsort(-motion_energy(recording), kind="stable").tolist() if keep == "energy" else list(range(bodies))
    return [int(body) for body in order[:instances]]
