"""Windows of one recording that overlap and were scaled one by one: the same curve up to an offset and a factor."""

import numpy as np
from numpy.typing import NDArray

_ANCHOR = 8
"""Frames in a row that are looked up, and the fewest that two windows share."""
_COLUMNS = 3
_CELL, _NEAR = 1e-2, 1e-3
"""The width of a cell of the look-up, and how far rounding moves what is looked up."""
_ROUNDED = 8 * float(np.finfo(np.float32).eps)
"""What scaling in 32 bits may change of a value, as a share of the largest."""
_TOO_SMOOTH = 1e-3
"""Where rounding alone is such a share of how a curve varies, it tells nothing."""
_APART = 100
"""A clip resembles itself moved on, such as a straight line, where it does so within as many times the rounding."""
_TRIES = 8


def scaled_pairs(
    x: NDArray[np.float32], offset: NDArray[np.int64], frames: NDArray[np.int64]
) -> list[tuple[int, int, int]]:
    """Pairs ``(a, b, by)`` of clips of which b begins `by` frames after a, and goes through the same curves.

    Each node and channel of b is that of a times a factor above 0, plus an offset, over all frames that both have, at
    least `_ANCHOR`, up to the rounding of 32 bits. Curves with few different numbers, such as counts, and those that
    are alike when they are moved on, such as lines, say nothing.

    Args:
        x: frames of all clips, ``[F, N, C]``.
        offset: the first frame of each clip, ``[n]``.
        frames: how many it has, ``[n]``.

    Example:
        >>> recording = np.random.default_rng(0).normal(size=(40, 2, 1))
        >>> clips = [recording[start : start + 16] for start in (0, 6, 24)]
        >>> x = np.concatenate([(clip - clip.mean(0)) / clip.std(0) for clip in clips]).astype(np.float32)
        >>> scaled_pairs(x, np.array([0, 16, 32]), np.array([16, 16, 16]))
        [(0, 1, 6)]
    """
    curves = x.reshape(len(x), -1)
    chosen = _liveliest(curves, offset, frames)
    if not len(chosen):
        return []
    clip, place, key, near = _keys(curves[:, chosen], offset, frames)
    if len(np.unique(clip)) < 2:
        return []
    order = np.argsort(key, kind="stable")
    key = key[order]
    # The first place of each clip that says anything.
    _, anchors = np.unique(clip, return_index=True)
    found = []
    for anchor, keys in zip(anchors.tolist(), near, strict=True):
        b, at = int(clip[anchor]), int(place[anchor])
        first, last = np.searchsorted(key, keys), np.searchsorted(key, keys, side="right")
        meets = np.concatenate([order[one:two] for one, two in zip(first, last, strict=True)])
        shifts = place[meets] - at
        meets = meets[(shifts > 0) & (clip[meets] != b)]
        # The window that begins last before b shares most of it.
        for meet in meets[np.argsort(place[meets], kind="stable")][:_TRIES].tolist():
            a, by = int(clip[meet]), int(place[meet]) - at
            one, other = (curves[offset[each] : offset[each] + frames[each]] for each in (a, b))
            if _same(one[by:], other) and not _same(one[by:], one, _APART):
                found.append((a, b, by))
                break
    return found


def _liveliest(curves: NDArray[np.float32], offset: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """The few curves that bend most in most clips."""
    most = np.zeros(curves.shape[1])
    for start, count in zip(offset.tolist(), frames.tolist(), strict=True):
        if count > _ANCHOR:
            own = curves[start : start + count].astype(np.float64)
            bent = np.abs(np.diff(own, 2, axis=0)).mean(0)
            most += bent / np.where(bent > 0, np.abs(own).max(0), 1)
    best = np.argsort(-most, kind="stable")[:_COLUMNS]
    return np.asarray(best[most[best] > 0])


def _keys(
    curves: NDArray[np.float32], offset: NDArray[np.int64], frames: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[NDArray[np.int64]]]:
    """Clip, place and key of each run of `_ANCHOR` frames, ``[P]``, and of each clip's first the keys it may have.

    Of a run what no line explains is taken, and scaled to length 1: offset and factor are gone.
    """
    time = np.vander(np.arange(_ANCHOR), 2).astype(np.float64)
    no_line = np.eye(_ANCHOR) - time @ np.linalg.pinv(time)
    onto = np.random.default_rng(0).normal(size=(curves.shape[1] * _ANCHOR, 3))
    corners = np.stack(np.meshgrid(*[[-_NEAR, _NEAR]] * 3, indexing="ij"), -1).reshape(-1, 3)
    clips, places, keys, near = [], [], [], []
    for number, (start, count) in enumerate(zip(offset.tolist(), frames.tolist(), strict=True)):
        if count <= _ANCHOR:
            continue
        own = curves[start : start + count].astype(np.float64)
        bent = np.lib.stride_tricks.sliding_window_view(own, _ANCHOR, axis=0) @ no_line  # [P, columns, _ANCHOR]
        length = np.linalg.norm(bent, axis=2, keepdims=True)
        usable = (length[..., 0] > np.abs(own).max(0) * _ROUNDED / _NEAR).all(1)
        kept = np.flatnonzero(usable)
        if not len(kept):
            continue
        said = (bent[kept] / length[kept]).reshape(len(kept), -1) @ onto
        clips.append(np.full(len(kept), number))
        places.append(kept)
        keys.append(_cells(said))
        near.append(_cells(said[0] + corners))
    if not clips:
        none = np.zeros(0, np.int64)
        return none, none, none, []
    return np.concatenate(clips), np.concatenate(places), np.concatenate(keys), near


def _cells(said: NDArray[np.float64]) -> NDArray[np.int64]:
    parts = np.floor(said / _CELL).astype(np.int64) + (1 << 20)
    return np.asarray(parts[..., 0] << 42 | parts[..., 1] << 21 | parts[..., 2])


def _same(one: NDArray[np.float32], other: NDArray[np.float32], times: float = 1) -> bool:
    """Whether two begin with the same curves up to offsets and factors, within so many times the rounding."""
    count = min(len(one), len(other))
    if count < _ANCHOR:
        return False
    a, b = (each[:count].astype(np.float64) for each in (one, other))
    a, b = a - a.mean(0), b - b.mean(0)
    far_a, far_b = np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=0)
    moves = (far_a > 0) & (far_b > 0)
    if ((far_a > 0) != (far_b > 0)).any() or not moves.any():
        return False
    a, b, far_a, far_b = a[:, moves], b[:, moves], far_a[moves], far_b[moves]
    largest = np.maximum(np.abs(one).max(0)[moves] / far_a, np.abs(other).max(0)[moves] / far_b)
    rounding = _ROUNDED * largest * np.sqrt(count)
    # Of counts and of what is written with few digits many curves are the same by chance.
    various = (np.diff(np.sort(a, axis=0), axis=0) > 0).sum(0) >= 0.75 * (count - 1)
    tells = (rounding < _TOO_SMOOTH) & various
    apart = np.linalg.norm(a / far_a - b / far_b, axis=0)
    return bool(tells.any() and 2 * tells.sum() >= len(tells) and (apart[tells] <= times * rounding[tells]).all())
