"""What of joints can only be suspected: that a place stands for none, and that a threshold is on another scale."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stexplain.checking.implausible import suspected_codes
from stexplain.data.skeletons.take import Take, positions
from stexplain.errors import InputError

_CODES = (0.0, -1.0, -9.0, -99.0, -999.0, -9999.0)
_FAR, _FASTER = 0.1, 5
"""A leap is farther than this share of the body's extent, and than so many usual steps."""
_ROWS = 20_000
"""So many frames are looked at, evenly spread."""
_LARGE = 20.0
"""Scores of estimators are hardly above it; in percent they are."""


def unlikely_joints(takes: Sequence[Take], observed: Sequence[NDArray[np.bool_]], nodes: Sequence[str]) -> str:
    """A sentence where joints lie at 0, 0 or -1, -1 in some frames, and not in others; else empty.

    A joint that lies there in all frames is the one that a body is centred at. One that begins to move there does so
    by steps like its others: what stands for none is far from the places before and after it.

    Args:
        takes: recordings, whose joints are the nodes.
        observed: where each joint was read, ``[M, T, N]``, of each recording.
        nodes: their names.

    Example:
        >>> values = np.arange(24, dtype=np.float32).reshape(1, 4, 3, 2) / 100 + 1
        >>> values[0, 2:4, 2] = 0
        >>> unlikely_joints([Take("a", values, ("x", "y"))], [np.ones((1, 4, 3), bool)], ["hip", "knee", "foot"])
        "1 of 3 joints lies at 0, 0 in 2 frames and elsewhere in the others ('foot'), such as in 'a'. Where that ...
    """
    for code in _CODES:
        frames = np.zeros(len(nodes), np.int64)
        name = ""
        for take, seen in zip(takes, observed, strict=True):
            count = positions(take.channels)
            if not count:
                continue
            there = (np.nan_to_num(take.values[..., :count], nan=np.inf) == code).all(3) & seen
            # Of each person, joint by joint.
            some = there.any(1) & _leaps(take.values[..., :count], there, seen)
            frames += (there & some[:, None]).sum((0, 1))
            name = name or (take.id if some.any() else "")
        held = [nodes[number] for number in np.flatnonzero(frames >= 2).tolist()]
        if held:
            place = ", ".join([f"{code:g}"] * positions(takes[0].channels))
            shown = ", ".join(map(repr, held[:5])) + (", ..." if len(held) > 5 else "")
            return (
                f"{len(held)} of {len(nodes)} joints {'lie' if len(held) > 1 else 'lies'} at {place} in "
                f"{int(frames[frames >= 2].sum())} frames and elsewhere in the others ({shown}), such as in {name!r}. "
                "Where that stands for not found, leave these cells empty, or NaN: they are taken for places."
            )
    return ""


def _leaps(places: NDArray[np.float32], there: NDArray[np.bool_], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether joints come to and leave a place by leaps, ``[M, N]``: far, and much farther than they move else."""
    steps = np.linalg.norm(np.diff(np.nan_to_num(places), axis=1), axis=3)
    both = seen[:, 1:] & seen[:, :-1]
    leaving = both & (there[:, 1:] != there[:, :-1])
    longest = np.where(leaving, steps, 0).max(1, initial=0)
    other = both & ~there[:, 1:] & ~there[:, :-1]
    usual = np.where(other, steps, 0).sum(1) / np.maximum(other.sum(1), 1)
    found = places[seen & ~there]
    extent = float(np.ptp(found, axis=0).max()) if len(found) else 0.0
    return np.asarray((longest > _FAR * extent) & (longest > _FASTER * usual) & (usual > 0))


def unlikely_values(takes: Sequence[Take], nodes: Sequence[str]) -> str:
    """A sentence where signals that are no positions hold a number that hardly is an observation; else empty.

    Example:
        >>> values = np.random.default_rng(0).random((1, 9, 2, 1), np.float32)
        >>> values[0, 2:4, 1] = -999
        >>> unlikely_values([Take("a", values, ("value",))], ["a", "b"])
        "1 of 2 nodes holds -999, and nothing else is below zero ('b'): where it stands for no observation, write NaN."
    """
    if positions(takes[0].channels):
        return ""
    rows = np.concatenate([take.values.reshape(-1, *take.values.shape[2:]) for take in takes])
    looked = rows[:: max(1, len(rows) // _ROWS)].astype(np.float64)
    found = suspected_codes(looked, nodes, "nodes")
    return found[0].partition("give missing=")[0] + "write NaN." if found else ""


def refuse_other_scale(name: str, scores: NDArray[np.float32], threshold: float) -> None:
    """Refuses a threshold between 0 and 1 of scores in percent: nothing would be below it.

    Args:
        name: of the recording.
        scores: of its joints; NaN where there is none.
        threshold: as it was given.

    Raises:
        InputError: with the largest score.
    """
    largest = float(np.nan_to_num(scores).max(initial=0.0))
    if 0 < threshold <= 1 and largest > _LARGE:
        raise InputError(
            f"score: got {threshold:g}, and the confidences of {name!r} go up to {largest:g}; expected a threshold on "
            f"their scale, such as {100 * threshold:g}."
        )
