"""What is finite, and still hardly a measurement: joints in one point, coordinates too far away, silent sensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FARTHEST = 1e6
"""A coordinate beyond this is no place of a body, whether in metres, millimetres or pixels."""
FRAMES = 2016
"""So many frames of a series are looked at, evenly spread: a week of five minutes."""


def implausible_body(xyz: NDArray[Any], valid: NDArray[np.bool_]) -> str:
    """What is implausible about the coordinates of a recording, in words; empty: nothing.

    Args:
        xyz: ``[M, T, N, C]``, coordinates alone, finite where valid.
        valid: ``[M, T]``, bool.

    Example:
        >>> xyz = np.random.default_rng(0).random((1, 4, 5, 3))
        >>> xyz[:, 1:3] = 0.5
        >>> implausible_body(xyz, np.ones((1, 4), bool))
        'in 2 of 4 frames all joints are in one point'
        >>> implausible_body(xyz[:, :1] * 1e30, np.ones((1, 1), bool))[:16]
        'coordinates up t'
    """
    found = []
    farthest = float(np.abs(xyz[valid]).max(initial=0.0))
    if farthest > FARTHEST:
        found.append(f"coordinates up to {farthest:.3g}")
    # Two joints may well meet.
    if xyz.shape[2] > 2:
        together = valid & (xyz == xyz[:, :, :1]).all((2, 3))
        if together.any():
            found.append(f"in {int(together.sum())} of {int(valid.sum())} frames all joints are in one point")
    return "; ".join(found)


def implausible_sensors(
    values: Any, nodes: Sequence[str], missing: float | None = None, *, what: str = "sensors"
) -> list[str]:
    """What is implausible about the sensors of a series, a sentence for each kind.

    Args:
        values: ``[T, N]`` or ``[T, N, C]``; NaN where missing.
        nodes: N names.
        missing: the number that stands for a missing value; none: NaN alone.
        what: the nodes are called.

    Example:
        >>> values = np.random.default_rng(0).random((50, 4))
        >>> values[:, 1], values[:, 3] = 5.0, values[:, 0]
        >>> for sentence in implausible_sensors(values, ["a", "b", "c", "d"]):
        ...     print(sentence)
        1 of 4 sensors never changes ('b')
        1 of 4 sensors repeats another ('d' as 'a')
    """
    looked = np.asarray(values[:: max(1, len(values) // FRAMES)], np.float64)
    looked = looked.reshape(len(looked), len(nodes), -1)
    if missing is not None:
        looked = np.where(looked == missing, np.nan, looked)
    if len(looked) < 2:
        return []
    seen = ~np.isnan(looked)
    silent = ~seen.any((0, 2))
    low, high = np.where(seen, looked, np.inf).min(0), np.where(seen, looked, -np.inf).max(0)
    still = ~silent & (low >= high).all(1)
    first: dict[bytes, int] = {}
    twins = []
    for number in np.flatnonzero(~silent & ~still).tolist():
        other = first.setdefault(np.ascontiguousarray(looked[:, number]).tobytes(), number)
        if other != number:
            twins.append(f"{nodes[number]!r} as {nodes[other]!r}")
    kinds = (
        ("was never observed", [repr(nodes[number]) for number in np.flatnonzero(silent).tolist()]),
        ("never changes", [repr(nodes[number]) for number in np.flatnonzero(still).tolist()]),
        ("repeats another", twins),
    )
    return [
        f"{len(named)} of {len(nodes)} {what} {said} ({', '.join(named[:5])}{', ...' if len(named) > 5 else ''})"
        for said, named in kinds
        if named
    ]
