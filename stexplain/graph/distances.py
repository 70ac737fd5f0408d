"""Edge lists from distances by a Gaussian kernel: of a matrix, a sparse matrix, or a table of pairs."""

import re
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from stexplain.errors import InputError, unknown
from stexplain.graph.edge_lists import ROUNDING, EdgeList, as_scipy, labelled_matrix, refuse_entries
from stexplain.graph.labels import checked_ends, is_table, refuse_twice

COLUMNS = {
    "source": ("source", "from", "src", "origin", "start", "i", "u"),
    "target": ("target", "to", "dst", "dest", "destination", "end", "j", "v"),
    "distance": ("distance", "dist", "cost", "length", "metres", "meters", "miles", "km", "d"),
}
"""Names by which the columns of a table of distances are known, in lower case."""
_WORDS = (
    *("dist", "distance", "distances", "cost", "length", "time", "duration", "delay"),
    *("metres", "meters", "miles", "km"),
)


_LIST = "A list of pairs is given as a pandas table: source, target, distance."


def is_distance(column: str) -> bool:
    """Whether a column is named like distances, such as ``dist_m``, ``Distance (km)`` or ``travelTime``.

    Example:
        >>> [is_distance(name) for name in ("dist_m", "travelTime", "Length (m)", "weight", "timestamped_weight", "d")]
        [True, True, True, False, False, False]
    """
    words = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower())
    return any(word in _WORDS for word in words)


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
    return pairs


def _pairs_of(distances: Any, source: str | None, target: str | None, distance: str | None) -> Pairs:
    if is_table(distances):
        if source or target or distance or _is_list_of_pairs(distances):
            return _of_table(distances, source, target, distance)
    elif source or target or distance:
        raise InputError(f"distances: got a {type(distances).__name__}; expected a table, as columns are named.")
    distances = as_scipy(distances)
    if sp.issparse(distances):
        given: Any = distances
        entries = sp.coo_array(given, dtype=np.float64)
        _check_square(entries.shape)
        _refuse_negative(entries.row, entries.col, entries.data)
        found = np.isfinite(entries.data)
        row, col = (each[found].astype(np.int64) for each in (entries.row, entries.col))
        return Pairs(None, int(entries.shape[0]), row, col, entries.data[found])
    names, values = labelled_matrix(distances, "distances", np.inf)
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"distances: got a {type(distances).__name__} without numbers; expected a matrix [N, N], dense or sparse, "
            "or a table with the columns source, target, distance."
        ) from None
    _check_square(matrix.shape)
    rows, cols = np.nonzero(~(matrix >= 0))  # this way round, NaN is invalid too
    _refuse_negative(rows, cols, matrix[rows, cols])
    row, col = np.nonzero(np.isfinite(matrix))
    return Pairs(names, len(matrix), row.astype(np.int64), col.astype(np.int64), matrix[row, col])


def _refuse_lost_row(columns: Any, distance: int) -> None:
    """Refuses a table whose header is its first pair: the column of distances is called by a number, as text.

    Raises:
        InputError: saying how to read it.
    """
    names = list(columns)
    # Columns that were counted, and written to a file so, are 0, 1, 2.
    if not isinstance(names[distance], str) or [str(name) for name in names] == [str(at) for at in range(len(names))]:
        return
    try:
        float(names[distance])
    except ValueError:
        return
    raise InputError(
        f"distances: got the columns {names}, which are a pair and its distance: the first row was read as a header, "
        "and would be lost. Read the file by pd.read_csv(path, header=None). Where they are names: source=, target=, "
        "distance=."
    )


def _check_square(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[0] != shape[1]:
        hint = f" {_LIST}" if shape[1:] == (3,) else ""
        raise InputError(f"distances has shape {shape}; expected [N, N].{hint}")


def _refuse_negative(rows: NDArray[Any], cols: NDArray[Any], values: NDArray[Any]) -> None:
    invalid = ~(values >= 0)
    expected = "at least 0, infinite where there is no path"
    refuse_entries(rows[invalid], cols[invalid], values[invalid], "distances", expected)


def _is_list_of_pairs(table: Any) -> bool:
    """Whether a table lists pairs, one per row, and is no matrix."""
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
        _refuse_lost_row(table.columns, 2)
    return len(columns) == 3 and any(name.lower() in COLUMNS["distance"] for name in columns)


def _of_table(table: Any, source: str | None, target: str | None, distance: str | None) -> Pairs:
    """The pairs of a table with a row for each."""
    columns = [str(name) for name in table.columns]
    if len(columns) < 3:
        raise InputError(f"distances: got the columns {columns}; expected source, target and distance.")
    chosen = []
    for place, (role, given) in enumerate(zip(COLUMNS, (source, target, distance), strict=True)):
        if given is not None and given not in columns:
            raise unknown("column", given, columns)
        named = [name for name in columns if name.lower() in COLUMNS[role]]
        # By name where it is known, else by place.
        chosen.append(columns.index(given) if given is not None else columns.index(named[0]) if named else place)
    if len(set(chosen)) < 3:
        raise InputError(
            f"distances: got the columns {columns}, which do not say which are source, target and distance. Name them: "
            "source=, target=, distance=."
        )
    if all(each is None for each in (source, target, distance)):
        _refuse_lost_row(table.columns, chosen[2])
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
