"""What clips hold, as a hash: so that results of one dataset are never taken for those of another."""

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.data.store.prepared import Rows


def content_hash(rows: Rows, chosen: NDArray[np.int64], table: pd.DataFrame, how: str) -> str:
    """A hash of recordings: their values, masks, ground truth and lines of the index, in their order.

    Args:
        rows: of the whole store.
        chosen: numbers of the recordings.
        table: the index, a line each of those that are chosen.
        how: they are sampled, and anything else that counts.

    Example:
        >>> from stexplain.data.clips import Clips
        >>> from stexplain.graph import STGraph
        >>> graph = STGraph.from_edges(["a", "b"], [("a", "b")])
        >>> clips = Clips.from_arrays(np.ones((3, 1, 5, 2, 3)), [0, 1, 0], graph=graph)
        >>> other = Clips.from_arrays(np.ones((3, 1, 5, 2, 3)), [0, 1, 1], graph=graph)
        >>> clips.content() == other.content(), clips.subset([0, 1]).content() == other.subset([0, 1]).content()
        (False, True)
    """
    digest = hashlib.blake2b(how.encode(), digest_size=16)
    digest.update(table.to_csv(index=False).encode())
    arrays = [rows.x, rows.valid, rows.observed, rows.truth, rows.counterfactual]
    for number in chosen.tolist():
        start = int(rows.offset[number])
        stop = start + int(rows.instances[number] * rows.frames[number])
        for array in arrays:
            # Without values there is a mark, so that one array cannot stand for the next.
            digest.update(b"none" if array is None else np.ascontiguousarray(array[start:stop]).data)
    return digest.hexdigest()
