"""Edge lists from an adjacency matrix: functions of arrays, used by `construct`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from stexplain.checking.values import as_numbers
from stexplain.errors import InputError, unknown
from stexplain.graph.labels import as_table, is_table, is_turned, lists_pairs, table_numbers

ROUNDING = 1e-6
"""Entries [i, j] and [j, i] whose relative difference is below this are the same: products of matrices round."""


class EdgeList(NamedTuple):
    """The edges that a constructor found.

    Attributes:
        nodes: their names; none where the data has none.
        size: N.
        edges: ``[E, 2]``.
        weight: ``[E]``.
        directed: whether the direction of edges means something.
        loops: the indices of nodes whose self loop was left out.
    """

    nodes: tuple[str, ...] | None
    size: int
    edges: NDArray[np.int64]
    weight: NDArray[np.float64]
    directed: bool
    loops: NDArray[np.int64]


def adjacency_edges(matrix: Any, directed: bool | None) -> EdgeList:
    """The edges of an adjacency matrix ``[N, N]`` without its diagonal; see `STGraph.from_adjacency`."""
    names, values = labelled_matrix(matrix, "matrix", 0.0)
    try:
        entries = sp.coo_array(as_scipy(values), dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"matrix: got a {type(matrix).__name__} without numbers; expected a matrix [N, N].") from None
    if entries.ndim != 2 or entries.shape[0] != entries.shape[1]:
        raise InputError(f"matrix has shape {entries.shape}; expected [N, N].")
    # A sparse matrix may hold one entry in parts, which count together.
    entries.sum_duplicates()
    invalid = ~np.isfinite(entries.data)
    refuse_entries(entries.row[invalid], entries.col[invalid], entries.data[invalid], "matrix", "a finite number")
    loops = np.unique(entries.row[(entries.row == entries.col) & (entries.data != 0)]).astype(np.int64)
    present = (entries.row != entries.col) & (entries.data != 0)
    row, col, data = entries.row[present], entries.col[present], entries.data[present]
    count = int(entries.shape[0])
    square = sp.csr_array((data, (row, col)), shape=(count, count))
    apart = _asymmetric(square)
    if directed is False and len(apart):
        source, target = map(int, apart[0])
        raise InputError(
            f"matrix is not symmetric: [{source}, {target}] is {square[source, target]} and "
            f"[{target}, {source}] is {square[target, source]}. Give directed=True, or a symmetric matrix."
        )
    directed = bool(len(apart)) if directed is None else directed
    if not directed:
        # What rounding set apart is one weight: the mean, which of equal numbers is themselves.
        upper = sp.triu((square + square.T) / 2, k=1, format="coo")
        row, col, data = upper.row, upper.col, upper.data
    order = np.lexsort((col, row))
    return EdgeList(names, count, np.stack([row, col], axis=1)[order].astype(np.int64), data[order], directed, loops)


def labelled_matrix(matrix: Any, name: str, absent: float) -> tuple[tuple[str, ...] | None, Any]:
    """The names of a labelled table's nodes, and its values with columns in the order of the rows.

    Args:
        matrix: a pandas table or an xarray array with labels, which name the nodes; or any other matrix.
        name: of the argument, for messages.
        absent: what a masked entry of a masked array stands for.

    Returns:
        None and the matrix itself, where it has no labels.

    Raises:
        InputError: where rows and columns have different labels.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame([[0, 1], [2, 0]], index=["a", "b"], columns=["b", "a"])
        >>> names, values = labelled_matrix(table, "matrix", 0.0)
        >>> names, values.tolist()
        (('a', 'b'), [[1, 0], [0, 2]])
    """
    if isinstance(matrix, np.ma.MaskedArray):
        return None, np.where(np.ma.getmaskarray(matrix), absent, np.ma.getdata(matrix))
    matrix = as_table(matrix)
    if not is_table(matrix):
        return None, matrix
    matrix = matrix.T if is_turned(matrix) else matrix
    values = table_numbers(matrix)
    if name == "matrix" and lists_pairs(matrix):
        listed = ", ".join(map(str, matrix.columns[:3]))
        raise InputError(
            f"{name}: got a table with a row for each pair ({listed}); expected a matrix [N, N]. Of distances give "
            "STGraph.from_distances(table), of weights STGraph.from_pandas(table)."
        )
    if values.shape[0] != values.shape[1]:
        raise InputError(f"{name} has shape {values.shape}; expected [N, N].")
    rows, columns = ([str(label) for label in labels] for labels in (matrix.index, matrix.columns))
    counted = [str(place) for place in range(len(rows))]
    if rows == counted and sorted(columns) != sorted(rows):
        # A table that was read without an index: its columns alone have names.
        return tuple(columns), values
    if rows == columns == counted:
        return None, values
    if sorted(rows) != sorted(columns):
        missing = sorted(set(rows) ^ set(columns))
        raise InputError(
            f"{name}: the labels of rows and columns differ in {', '.join(map(repr, missing[:5]))}; expected the same "
            "nodes in both. Read the table with index_col=0, or give an array and `nodes`."
        )
    if len(set(rows)) < len(rows):
        twice = next(label for label in rows if rows.count(label) > 1)
        raise InputError(f"{name}: got the label {twice!r} twice; expected one row and one column per node.")
    place = {label: index for index, label in enumerate(columns)}
    return tuple(rows), values[:, [place[label] for label in rows]]


def as_scipy(matrix: Any) -> Any:
    """A sparse tensor of torch as a sparse array of scipy; anything else as it is.

    Example:
        >>> import torch
        >>> as_scipy(torch.eye(2).to_sparse()).toarray().tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    # By what it has, so that torch need not be imported here.
    if getattr(matrix, "layout", None) is None or not hasattr(matrix, "to_sparse_coo") or matrix.ndim != 2:
        return matrix
    if str(matrix.layout) == "torch.strided":
        return matrix.detach().cpu().numpy()
    entries = matrix.detach().cpu().to_sparse_coo().coalesce()
    return sp.coo_array((entries.values().numpy(), tuple(entries.indices().numpy())), shape=tuple(matrix.shape))


def _asymmetric(square: "sp.csr_array[np.float64]") -> NDArray[np.int64]:
    """Where a matrix differs from its transpose by more than rounding, ``[K, 2]``."""
    difference, size = sp.coo_array(square - square.T), abs(square) + abs(square.T)
    # The second term: what rounds to zero on one side only.
    largest = float(abs(square).max()) if square.nnz else 0.0
    apart = np.abs(difference.data) > ROUNDING * np.asarray(size[difference.row, difference.col]) / 2
    apart &= np.abs(difference.data) > 1e-12 * largest
    return np.stack([difference.row[apart], difference.col[apart]], axis=1).astype(np.int64)


def refuse_entries(rows: NDArray[Any], cols: NDArray[Any], values: NDArray[Any], name: str, expected: str) -> None:
    """Raises for the first of these invalid entries, where there is one."""
    if len(rows):
        raise InputError(f"{name} at [{rows[0]}, {cols[0]}]: got {values[0]}; expected {expected}.")


def mean_correlation(values: Any, names: "Sequence[str] | None" = None) -> tuple[NDArray[np.float64], int]:
    """The correlation of each pair of nodes, ``[N, N]``: the mean over subjects by Fisher's z, zero on the diagonal.

    A subject that comes as its matrix of correlations is taken as it is. How many did is given, too.

    ::

        r = tanh(mean over subjects of arctanh(r_s)),    r_s Pearson's correlation over time

    Args:
        values: ``[T, N]`` of one subject, ``[S, T, N]``, or a list of ``[T_s, N]``; or correlations ``[N, N]``.
        names: of the nodes, for messages.

    Raises:
        InputError: where there are fewer than three frames, values are missing, a node never changes, or a symmetric
            matrix is none of correlations.
    """
    array = None if isinstance(values, list | tuple) else as_numbers("values", values).astype(np.float64)
    subjects = list(values) if array is None else list(array) if array.ndim == 3 else [array]
    total: NDArray[np.float64] | None = None
    ready = 0
    for number, subject in enumerate(subjects):
        where = f"values of subject {number}" if len(subjects) > 1 else "values"
        series = as_numbers(where, subject).astype(np.float64)
        if total is not None and series.ndim == 2 and total.shape[0] != series.shape[1]:
            raise InputError(f"{where}: got {series.shape[1]} nodes; expected {total.shape[0]}, as the first has.")
        if is_correlation(series, where):
            ready += 1
            total = _z(series) + (0 if total is None else total)
            continue
        if series.ndim != 2 or series.shape[0] < 3 or series.shape[1] < 2:
            raise InputError(f"{where}: got shape {series.shape}; expected [T, N], three frames and two nodes or more.")
        if names is not None and series.shape[1] != len(names):
            turned = "" if series.shape[0] != len(names) else (
                " As many as there are rows: where these are the nodes, as of trials x channels x times, give "
                "values.swapaxes(-1, -2)."
            )  # fmt: skip
            raise InputError(
                f"{where}: got shape {series.shape}; expected frames x nodes, {len(names)} of them by the names."
                f"{turned}"
            )
        if not np.isfinite(series).all():
            raise InputError(f"{where}: got NaN or infinity; expected numbers. Leave out the frames that lack a node.")
        still = np.flatnonzero(np.ptp(series, axis=0) == 0)
        if still.size:
            name = names[int(still[0])] if names else int(still[0])
            raise InputError(f"{where}: node {name!r} never changes, so that it correlates with nothing. Leave it out.")
        total = _z(np.asarray(np.corrcoef(series.T))) + (0 if total is None else total)
    if total is None:
        raise InputError("values: got no subject; expected at least one, [T, N].")
    mean = np.tanh(total / len(subjects))
    np.fill_diagonal(mean, 0)
    # The two halves differ by rounding.
    return np.asarray((mean + mean.T) / 2), ready


def is_correlation(matrix: NDArray[np.float64], where: str) -> bool:
    """Whether a matrix holds correlations ready-made, and no series: it is square and symmetric, as no series is.

    Raises:
        InputError: where it is symmetric, and no matrix of correlations: to correlate it would mean nothing.

    Example:
        >>> is_correlation(np.array([[1, 0.4], [0.4, 1]]), "values"), is_correlation(np.eye(3)[:2], "values")
        (True, False)
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        return False
    if not np.isfinite(matrix).all():
        return False
    # Files keep six or seven digits.
    if not np.allclose(matrix, matrix.T, rtol=0, atol=1e-6 * max(1, np.abs(matrix).max())):
        return False
    if np.allclose(np.diag(matrix), 1, rtol=0, atol=1e-6) and np.abs(matrix).max() <= 1 + 1e-6:
        return True
    raise InputError(
        f"{where}: got a symmetric matrix {matrix.shape}, from {matrix.min():g} to {matrix.max():g}; expected signals "
        "[T, N], or correlations [N, N] from -1 to 1 with ones on the diagonal. Of other numbers between nodes give "
        "STGraph.from_adjacency."
    )


def _z(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    # Off the diagonal a correlation of one has an infinite z: two nodes are the same.
    return np.arctanh(np.clip(correlation, -1 + 1e-12, 1 - 1e-12))


def strongest(
    correlation: NDArray[np.float64], threshold: float | None, density: float | None, negative: str
) -> tuple[NDArray[np.float64], int]:
    """The correlations that are edges, ``[N, N]``, and how many negative ones were left out that are as strong.

    Args:
        correlation: symmetric, zero on the diagonal.
        threshold: the smallest size of one that is an edge.
        density: the share of pairs that are edges, the strongest first.
        negative: ``"drop"`` or ``"absolute"``.

    Raises:
        InputError: where not one of threshold and density is given, or a value is out of range.
    """
    if negative not in ("drop", "absolute"):
        raise unknown("use of negative correlations", negative, ("drop", "absolute"))
    if (threshold is None) == (density is None):
        raise InputError(
            "threshold, density: expected one of them: the smallest |r| of an edge, or the share of pairs."
        )
    for name, value in (("threshold", threshold), ("density", density)):
        if value is not None and not 0 < value <= 1:
            raise InputError(f"{name}: got {value}; expected a number above 0 and at most 1.")
    weight = np.abs(correlation) if negative == "absolute" else np.maximum(correlation, 0)
    pairs = np.triu_indices(len(weight), 1)
    sizes = weight[pairs]
    if density is not None:
        count = max(1, round(density * len(sizes)))
        # The strongest first; equally strong ones in the order of the nodes.
        kept = np.zeros(len(sizes), bool)
        kept[np.argsort(-sizes, kind="stable")[:count]] = True
        kept &= sizes > 0
        least = float(sizes[kept].min()) if kept.any() else np.inf
    else:
        least = float(threshold or 0)
        kept = sizes >= least
    edges = np.zeros_like(weight)
    edges[pairs] = np.where(kept, sizes, 0)
    dropped = int((correlation[pairs] <= -least).sum()) if negative == "drop" else 0
    return edges + edges.T, dropped
