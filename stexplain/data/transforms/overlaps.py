"""Which clips are windows of one recording that overlap: they share frames, number by number or scaled one by one."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.data.grouping import window_blocks
from stexplain.data.store.prepared import Rows
from stexplain.data.transforms.scaled_overlaps import scaled_pairs

_FEWEST = 2
"""So many frames in a row are hardly alike by chance."""
_ODD = 0x9E3779B97F4A7C15
"""An odd number: multiplication by its powers loses nothing."""


def with_overlaps(table: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    """The table of clips with ``group`` where some are overlapping windows of one recording, and nobody said so.

    Two clips overlap where one begins within the other and goes through the same frames from there on, number by
    number; or, where no two do, through the same curves up to an offset and a factor of each node and channel, as
    windows do that were scaled one by one, see `scaled_pairs`. Frames that stand more than once in a clip, such as
    padding, say nothing. Clips that are alike as a whole are no windows.

    Args:
        table: a row per clip; where its column ``group`` joins some, it stays as it is.
        rows: of the clips, in memory.

    Returns:
        With groups such as ``"block 3"``, joined as `window_blocks` joins windows.

    Warns:
        UserWarning: where clips overlap.

    Example:
        >>> from stexplain.data.store.arrays import rows_of_arrays
        >>> from stexplain.graph import STGraph
        >>> recording = np.random.default_rng(0).normal(size=(1, 40, 2, 1))
        >>> windows = [recording[:, start : start + 8] for start in (0, 4, 20)]
        >>> rows = rows_of_arrays(windows, None, None, STGraph.from_edges(["a", "b"], [("a", "b")]), {})
        >>> import warnings
        >>> with warnings.catch_warnings(action="ignore"):
        ...     with_overlaps(pd.DataFrame({"id": ["a", "b", "c"]}), rows)["group"].tolist()
        ['block 0', 'block 0', 'block 1']
    """
    if "group" in table and not table["group"].astype(str).is_unique:
        return table
    found, how = _shared(rows), "they share frames digit by digit"
    if not found:
        found = scaled_pairs(rows.x, rows.offset, rows.frames)
        how = "they share frames up to an offset and a factor: they were scaled one by one"
    if not found:
        return table
    blocks, _ = window_blocks(_starts(rows, found), int(rows.frames.max()))
    warn_caller(
        f"x: some of {len(blocks)} clips are windows that overlap, as {how}. What overlaps is one unit in intervals "
        f"and tests, {len(np.unique(blocks))} in all. Or say it: fields={{'group': ...}}."
    )
    return table.assign(group=[f"block {block}" for block in blocks])


def _shared(rows: Rows) -> list[tuple[int, int, int]]:
    """Pairs of clips that share frames, number by number, and how many frames after the first the second begins."""
    clip, place, key = _frames(rows)
    order = np.lexsort((place, clip, key))
    clip, place, key = clip[order], place[order], key[order]
    alike = key[1:] == key[:-1]
    one, other = clip[:-1][alike], clip[1:][alike]
    shift = (place[:-1] - place[1:])[alike]
    pairs, counts = np.unique(np.stack([one, other, shift], 1)[shift != 0], axis=0, return_counts=True)
    found = []
    for (a, b, by), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        begin, end = max(0, by), min(int(rows.frames[a]), int(rows.frames[b]) + by)
        # Half: frames that stand twice in a clip are not compared.
        if count >= max(_FEWEST, (end - begin) / 2):
            found.append((a, b, by))
    return found


def _starts(rows: Rows, pairs: list[tuple[int, int, int]]) -> NDArray[np.int64]:
    """Where each clip begins on a line on which those that overlap lie so, and others apart."""
    span = int(rows.frames.max())
    found: dict[int, list[tuple[int, int]]] = {}
    for a, b, by in pairs:
        found.setdefault(a, []).append((b, by))
        found.setdefault(b, []).append((a, -by))
    starts, free = np.full(len(rows.frames), -1, np.int64), 0
    for first in range(len(starts)):
        if starts[first] >= 0:
            continue
        at, left = {first: 0}, [first]
        while left:
            a = left.pop()
            for b, by in found.get(a, ()):
                if b not in at:
                    at[b] = at[a] + by
                    left.append(b)
        low, high = min(at.values()), max(at.values())
        for number, start in at.items():
            starts[number] = free + start - low
        free += high - low + 2 * span
    return starts


def _frames(rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """Clip, place and a number of all digits of each frame of the first instance that stands once in its clip."""
    clips, places, keys = [], [], []
    power = np.cumprod(np.full(int(np.prod(rows.x.shape[1:])), _ODD, np.uint64))
    for number, (offset, frames) in enumerate(zip(rows.offset.tolist(), rows.frames.tolist(), strict=True)):
        bits = np.ascontiguousarray(rows.x[offset : offset + frames]).reshape(frames, -1).view(np.uint32)
        own = (bits.astype(np.uint64) * power).sum(1, dtype=np.uint64)
        _, first, counts = np.unique(own, return_index=True, return_counts=True)
        once = np.sort(first[counts == 1])
        clips.append(np.full(len(once), number))
        places.append(once)
        keys.append(own[once])
    return np.concatenate(clips), np.concatenate(places), np.concatenate(keys)
