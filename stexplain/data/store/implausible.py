"""What is finite in a store, and still hardly a measurement: said, never mended."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stexplain.checking.implausible import FARTHEST
from stexplain.data.store.prepared import Rows, Store
from stexplain.data.store.shards import spatial
from stexplain.wording import agree

BLOCK = 256
"""Recordings that are looked at together: a store may be larger than memory."""
OUTLYING = 1e6
"""How many times the usual size a value of no known unit may have: the usual is the median of some recordings."""
_NAMED = 3


@dataclass
class _Found:
    """What was found so far: recordings by kind, and of each node its range and its content."""

    recordings: dict[str, list[int]] = field(default_factory=dict)
    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None
    hashes: "list[hashlib._Hash]" = field(default_factory=list)
    frames_together: int = 0
    largest: float = 0.0

    def add(self, kind: str, which: Sequence[int]) -> None:
        if which:
            self.recordings.setdefault(kind, []).extend(which)


def implausible_recordings(store: Store) -> list[str]:
    """What is implausible about the recordings of a store, a sentence for each kind; it reads all values once.

    Looked for are coordinates beyond `FARTHEST` (of channels x, y and z; of others, values a million times the median),
    frames in which all nodes are in one point, recordings in which nothing changes or that repeat another, and nodes
    that never change, repeat another, or are never observed in any recording. One node may rest at zero: recordings
    may be centred there.

    Args:
        store: that was opened.
    """
    nodes, channels = list(store.info["nodes"]), list(store.info["channels"])
    ids = store.table["id"].astype(str).tolist()
    places = spatial(channels) or []
    rows, found = store.rows, _Found()
    found.hashes = [hashlib.sha256() for _ in nodes]
    limit = FARTHEST if places else OUTLYING * _usual(rows)
    first: dict[bytes, int] = {}
    for start in range(0, len(ids), BLOCK):
        _look(rows, range(start, min(start + BLOCK, len(ids))), places, limit, found, first)
    said = [_recordings(kind, which, ids, found) for kind, which in found.recordings.items()]
    return said + _nodes(nodes, found)


def _usual(rows: Rows) -> float:
    """The median size of values of recordings evenly spread over the store; infinite where all are zero."""
    chosen = np.linspace(0, len(rows.frames) - 1, min(16, len(rows.frames))).astype(int)
    parts = [np.abs(rows.x[rows.offset[one] : rows.offset[one] + rows.frames[one]]).ravel() for one in chosen]
    values = np.concatenate(parts) if parts else np.zeros(0)
    values = values[values > 0]
    return float(np.median(values)) if len(values) else np.inf


def _look(
    rows: Rows, block: range, places: Sequence[int], limit: float, found: _Found, first: dict[bytes, int]
) -> None:
    sizes = rows.instances[block.start : block.stop] * rows.frames[block.start : block.stop]
    begin = int(rows.offset[block.start])
    end = begin + int(sizes.sum())
    x, valid = rows.x[begin:end], rows.valid[begin:end]
    seen = np.broadcast_to(valid[:, None], x.shape[:2]) if rows.observed is None else rows.observed[begin:end]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    owner = np.repeat(np.arange(len(block)), sizes)
    # What was not observed is zero, and so is never far.
    size = np.abs(x[..., places] if places else x).max((1, 2))
    found.largest = max(found.largest, float(size.max(initial=0.0)))
    found.add("far", [block[number] for number in np.unique(owner[size > limit])])
    if places and x.shape[1] > 2:
        together = seen.all(1) & (x[..., places] == x[:, :1, places]).all((1, 2))
        found.frames_together += int(together.sum())
        found.add("together", [block[number] for number in np.unique(owner[together])])
    low, high = (np.where(seen[..., None], x, np.float32(fill)) for fill in (np.inf, -np.inf))
    still = np.minimum.reduceat(low, starts) >= np.maximum.reduceat(high, starts)
    # Of one frame nobody can say that it changes.
    moves = np.array([frames > 1 for frames in rows.frames[block.start : block.stop]])
    found.add("still", [block[number] for number in np.flatnonzero(still.all((1, 2)) & moves)])
    found.low = low.min(0) if found.low is None else np.minimum(found.low, low.min(0))
    found.high = high.max(0) if found.high is None else np.maximum(found.high, high.max(0))
    for node, total in enumerate(found.hashes):
        total.update(np.ascontiguousarray(x[:, node]).tobytes() + np.ascontiguousarray(seen[:, node]).tobytes())
    for number, (at, length) in zip(block, zip(starts, sizes, strict=True), strict=True):
        key = hashlib.sha256(np.ascontiguousarray(x[at : at + length]).tobytes()).digest()
        if first.setdefault(key, number) != number:
            found.add("again", [number])


_SAID: dict[str, Callable[[int, _Found], str]] = {
    "far": lambda count, found: f"{agree(count, 'holds', 'hold')} values up to {found.largest:.3g}",
    "together": lambda count, found: (
        f"{agree(count, 'has', 'have')} frames ({found.frames_together:,} in all) with all nodes in one point"
    ),
    "still": lambda count, _: f"{agree(count, 'does', 'do')} not change in any frame",
    "again": lambda count, _: f"{agree(count, 'repeats', 'repeat')} another recording, value for value",
}


def _recordings(kind: str, which: Sequence[int], ids: Sequence[str], found: _Found) -> str:
    said = _SAID[kind](len(which), found)
    return f"{len(which):,} of {len(ids):,} recordings {said} ({_few([ids[one] for one in which])})"


def _nodes(nodes: Sequence[str], found: _Found) -> list[str]:
    """Sentences on the nodes of all recordings together."""
    assert found.low is not None
    assert found.high is not None
    silent = np.isinf(found.low).all(1)
    still = ~silent & (found.low >= found.high).all(1)
    # Recordings that were centred at a joint hold it at zero: that is no fault.
    centred = still & (found.low == 0).all(1)
    if centred.sum() == 1:
        still &= ~centred
    first: dict[bytes, int] = {}
    twins = []
    for number in np.flatnonzero(~silent & ~still).tolist():
        other = first.setdefault(found.hashes[number].digest(), number)
        if other != number:
            twins.append(f"{nodes[number]} as {nodes[other]}")
    kinds = (
        ("is never observed", "are never observed", [nodes[number] for number in np.flatnonzero(silent).tolist()]),
        ("never changes", "never change", [nodes[number] for number in np.flatnonzero(still).tolist()]),
        ("repeats another in every recording", "repeat another in every recording", twins),
    )
    return [
        f"{len(named)} of {len(nodes)} nodes {agree(len(named), one, many)} ({_few(named)})"
        for one, many, named in kinds
        if named
    ]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
