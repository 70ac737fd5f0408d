"""Edge lists from distances by a Gaussian kernel: of a matrix, a sparse matrix, or a table of pairs."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from stexplain.errors import InputError, unknown
from stexplain.graph.edge_lists import ROUNDING, EdgeList, as_scipy, labelled_matrix, refuse_entries
from stexplain.graph.given.columns import COLUMNS, end_columns, lists_pairs, refuse_lost_row
from stexplain.graph.given.doubts import refuse_zeros, warn_of_large
from stexplain.graph.labels import checked_ends, is_table, refuse_twice
from stexplain.wording import an

_NAMED = " Where they are names: source=, target=, distance=."
_LIST = "A list of pairs is given as a pandas table: source, target, distance."


class Pairs(NamedTuple):
    """Distances of pairs of nodes; of pairs that are not listed there is no path.

    Attributes:
        nodes: the names of the nodes; none where the data has none.
        size: N.
        source: of each pair, ``[P]``.
        target: of each pair, ``[P]``.
        distance: of each pair, ``[P]``, finite.
        once: whether each link is listed in one direction only.
    """

    nodes: tuple[str, ...] | None
    size: int
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    distance: NDArray[np.float64]
    once: bool = False


def kernel_edges(
    pairs: Pairs, sigma: float | None, threshold: float | None, nearest: int | None, directed: bool | None
) -> EdgeList:
    """The edges of a Gaussian kernel over distances; see `STGraph.from_distances`."""
    if threshold is not None and not 0 <= threshold <= 1:
        raise InputError(f"threshold: got {threshold}; expected a weight in [0, 1], the range of the kernel.")
    if nearest is not None and (not isinstance(nearest, int) or nearest < 1):
        raise InputError(f"nearest: got {nearest!r}; expected an integer of at least 1.")
    # The diagonal counts, as in DCRNN.
    if sigma is None:
        warn_of_large(pairs.distance)
    width = float(pairs.distance.std()) if sigma is None and len(pairs.distance) else float(sigma or 0)
    if not (width > 0 and np.isfinite(width)):
        if sigma is None:
            raise InputError(
                "sigma: got 0.0, as the finite distances are all the same; expected sigma, in the unit of the "
                "distances. Of links that are all alike give STGraph.from_edges."
            )
        raise InputError(f"sigma: got {sigma}; expected a finite number above 0, in the unit of the distances.")
    apart = pairs.source != pairs.target
    source, target, distance = pairs.source[apart], pairs.target[apart], pairs.distance[apart]
    symmetric = pairs.once or _is_symmetric(pairs.size, source, target, distance)
    if directed is False and not symmetric:
        raise InputError("distances is not symmetric. Give directed=True, or symmetric distances.")
    directed = not symmetric if directed is None else directed
    if pairs.once and not directed:
        source, target = np.concatenate([source, target]), np.concatenate([target, source])
        distance = np.concatenate([distance, distance])
    weight = np.exp(-np.square(distance / width))
    # 0.1 is DCRNN's threshold (Li et al. 2018).
    least = (0.1 if nearest is None else 0.0) if threshold is None else threshold
    kept = weight >= least
    if threshold is None and len(weight) and not kept.any():
        # Whoever states a threshold may mean that.
        raise InputError(
            f"distances: got {distance.min():.3g} to {distance.max():.3g}, of which none gives an edge: with sigma "
            f"{width:.3g} the largest weight, exp(-d^2 / sigma^2), is {weight.max():.2g}, and the threshold {least:g}. "
            "Where every pair is a link, give STGraph.from_distances(..., threshold=0); else nearest=4, or sigma= in "
            "the unit of the distances."
        )
    if nearest is not None:
        kept &= _among_nearest(source, target, np.where(kept, distance, np.inf), nearest)
    source, target, weight = source[kept], target[kept], weight[kept]
    if not directed:
        # An edge needs one end that selects it; both give the same weight.
        low, high = np.minimum(source, target), np.maximum(source, target)
        _, first = np.unique(low * pairs.size + high, return_index=True)
        source, target, weight = low[first], high[first], weight[first]
    order = np.lexsort((target, source))
    edges = np.stack([source, target], axis=1)[order].astype(np.int64)
    none = np.zeros(0, np.int64)
    return EdgeList(pairs.nodes, pairs.size, edges, weight[order], directed, none)


def distance_pairs(
    distances: Any, source: str | None = None, target: str | None = None, distance: str | None = None
) -> Pairs:
    """The distances of `STGraph.from_distances` pair by pair, whatever holds them."""
    pairs = _pairs_of(distances, source, target, distance)
    own = np.flatnonzero((pairs.source == pairs.target) & (pairs.distance != 0))
    if len(own):
        # A node is at no distance from itself: these are weights, or three pairs in rows.
        place = int(pairs.source[own[0]])
        where = f"at [{place}, {place}]" if pairs.nodes is None else f"of {pairs.nodes[place]!r}"
        more = f" {len(own)} nodes have such a distance." if len(own) > 1 else ""
        is_array = not hasattr(distances, "columns") and not sp.issparse(as_scipy(distances))
        hint = f" {_LIST}" if pairs.size == 3 and is_array else ""
        raise InputError(
            f"distances {where}: got {pairs.distance[own[0]]:g} from a node to itself; expected 0.{more} Of weights "
            f"give STGraph.from_adjacency.{hint}"
        )
    refuse_zeros(pairs.size, pairs.source, pairs.target, pairs.distance)
    return pairs


def _pairs_of(distances: Any, source: str | None, target: str | None, distance: str | None) -> Pairs:
    if is_table(distances):
        if source or target or distance or _is_list_of_pairs(distances):
            return _of_table(distances, source, target, distance)
    elif source or target or distance:
        raise InputError(f"distances: got {an(type(distances).__name__)}; expected a table, as columns are named.")
    distances = as_scipy(distances)
    if sp.issparse(distances):
        given: Any = distances
        entries = sp.coo_array(given, dtype=np.float64)
        _check_square(entries.shape)
        _refuse_negative(entries.row, entries.col, entries.data)
        if ((entries.data == 0) & (entries.row != entries.col)).any():
            raise InputError(
                "distances: got a sparse matrix with zeros that are stored; expected no entry where there is no link. "
                "Give distances.eliminate_zeros() first; of nodes at one place a small number."
            )
        keys = entries.row.astype(np.int64) * entries.shape[1] + entries.col
        if (twice := np.flatnonzero(np.diff(np.sort(keys)) == 0)).size:
            at = divmod(int(np.sort(keys)[twice[0]]), int(entries.shape[1]))
            raise InputError(
                f"distances at [{at[0]}, {at[1]}]: got more than one entry; expected each pair once. Where they are "
                "parts of one distance, give distances.sum_duplicates() first."
            )
        found = np.isfinite(entries.data)
        row, col = (each[found].astype(np.int64) for each in (entries.row, entries.col))
        # A node's distance from itself counts in the kernel's width, and zeros are hardly ever stored.
        own = np.setdiff1d(np.arange(entries.shape[0]), row[row == col])
        row, col = np.concatenate([row, own]), np.concatenate([col, own])
        return Pairs(None, int(entries.shape[0]), row, col, np.concatenate([entries.data[found], np.zeros(len(own))]))
    if getattr(getattr(distances, "index", None), "nlevels", 1) > 1 and getattr(distances, "ndim", 0) == 1:
        raise InputError(
            f"distances: got {an(type(distances).__name__)} whose index has the names of both ends; expected columns. "
            "Give distances.reset_index()."
        )
    names, values = labelled_matrix(distances, "distances", np.inf)
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"distances: got {an(type(distances).__name__)} without numbers; expected a matrix [N, N], dense or "
            "sparse, "
            "or a table with the columns source, target, distance."
        ) from None
    _check_square(matrix.shape)
    rows, cols = np.nonzero(~(matrix >= 0))  # this way round, NaN is invalid too
    _refuse_negative(rows, cols, matrix[rows, cols])
    row, col = np.nonzero(np.isfinite(matrix))
    return Pairs(names, len(matrix), row.astype(np.int64), col.astype(np.int64), matrix[row, col])


def _check_square(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[0] != shape[1]:
        hint = f" {_LIST}" if shape[1:] == (3,) else ""
        count = round((1 + (1 + 8 * shape[0]) ** 0.5) / 2) if len(shape) == 1 else 0
        if len(shape) == 1 and shape[0] and count * (count - 1) // 2 == shape[0]:
            hint = f" Of the distances of {count} nodes from scipy's pdist give squareform(distances)."
        raise InputError(f"distances has shape {shape}; expected [N, N].{hint}")


def _refuse_negative(rows: NDArray[Any], cols: NDArray[Any], values: NDArray[Any]) -> None:
    invalid = ~(values >= 0)
    expected = "at least 0, infinite where there is no path"
    refuse_entries(rows[invalid], cols[invalid], values[invalid], "distances", expected)


def _is_list_of_pairs(table: Any) -> bool:
    """Whether a table lists pairs, one per row, and is no matrix."""
    if table.index.nlevels > 1 and table.columns.nlevels == 1:
        raise InputError(
            "distances: got a table whose index has the names of both ends; expected columns. Give table.reset_index()."
        )
    rows, columns = [str(label) for label in table.index], [str(label) for label in table.columns]
    if len(columns) != len(rows):
        return len(columns) >= 3
    # Square: a matrix has the same labels twice, or numbers that count.
    if sorted(rows) == sorted(columns):
        if len(rows) == 3 and columns == ["0", "1", "2"]:
            raise InputError(
                "distances: got a table of 3 rows and 3 columns without names; expected a matrix as an array, or, for "
                "a list of pairs, columns named source, target and distance."
            )
        return False
    if len(columns) == 3:
        refuse_lost_row(table.columns, [2], "distances", _NAMED)
    return len(columns) == 3 and (lists_pairs(table) or any(name.lower() in COLUMNS["distance"] for name in columns))


def _of_table(table: Any, source: str | None, target: str | None, distance: str | None) -> Pairs:
    """The pairs of a table with a row for each."""
    columns = [str(name) for name in table.columns]
    if len(columns) < 3:
        raise InputError(f"distances: got the columns {columns}; expected source, target and distance.")
    if distance is not None and distance not in columns:
        raise unknown("column", distance, columns)
    named = [name for name in columns if name.lower() in COLUMNS["distance"]]
    # By name where it is known, else by place.
    far = columns.index(distance or named[0]) if distance or named else 2
    chosen = [*end_columns(columns, "distances", source, target), far]
    if len(set(chosen)) < 3:
        raise InputError(
            f"distances: got the columns {columns}, which do not say which are source, target and distance. Name them: "
            "source=, target=, distance=."
        )
    if all(each is None for each in (source, target, distance)):
        refuse_lost_row(table.columns, chosen, "distances", _NAMED)
    refuse_twice(table.columns, chosen, "distances")
    ends = checked_ends(table, chosen[:2], "distances")
    try:
        values = table.iloc[:, chosen[2]].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise InputError(f"distances: the column {columns[chosen[2]]!r} holds no numbers; expected some.") from None
    invalid = np.flatnonzero(~(values >= 0))
    if len(invalid):
        row = int(invalid[0])
        raise InputError(
            f"distances, row {row} ({ends[0][row]!r} to {ends[1][row]!r}): got {values[row]}; expected at least 0, "
            "infinite where there is no path."
        )
    # A dict keeps the order of first appearance, which a set does not.
    names = tuple(dict.fromkeys([*ends[0], *ends[1]]))
    index = {name: place for place, name in enumerate(names)}
    rows, cols = (np.array([index[name] for name in each], np.int64) for each in ends)
    keys = rows * len(names) + cols
    unique, first = np.unique(keys, return_index=True)
    if len(unique) < len(keys):
        # A pair that is listed again says the same, or something is wrong.
        known = dict(zip(unique.tolist(), values[first].tolist(), strict=True))
        for row, key in enumerate(keys.tolist()):
            if known[key] != values[row]:
                raise InputError(
                    f"distances, row {row}: got {values[row]} from {ends[0][row]!r} to {ends[1][row]!r}, and "
                    f"{known[key]} before; expected each pair once."
                )
    rows, cols, values = rows[first], cols[first], values[first]
    found = np.isfinite(values)
    rows, cols, values = rows[found], cols[found], values[found]
    apart = rows != cols
    back = np.isin(cols[apart] * len(names) + rows[apart], rows[apart] * len(names) + cols[apart])
    return Pairs(names, len(names), rows, cols, values, once=not bool(back.any()))


def _is_symmetric(count: int, source: NDArray[Any], target: NDArray[Any], distance: NDArray[Any]) -> bool:
    """Whether each pair has the same distance both ways, but for rounding."""
    there, back = source * count + target, target * count + source
    one, other = np.argsort(there), np.argsort(back)
    if not np.array_equal(there[one], back[other]):
        return False
    return bool(np.allclose(distance[one], distance[other], rtol=ROUNDING, atol=0))


def _among_nearest(
    source: NDArray[Any], target: NDArray[Any], distance: NDArray[Any], nearest: int
) -> NDArray[np.bool_]:
    """Which pairs are among the nearest of those into their target; ties: the source that comes first."""
    order = np.lexsort((source, distance, target))
    into = target[order]
    # The rank within the run of pairs of one target.
    starts = np.flatnonzero(np.r_[True, into[1:] != into[:-1]]) if len(into) else np.zeros(0, np.int64)
    rank = np.arange(len(into)) - np.repeat(starts, np.diff(np.r_[starts, len(into)]))
    chosen = np.zeros(len(source), bool)
    chosen[order] = rank < nearest
    return chosen
