"""Edge lists from an adjacency matrix: functions of arrays, used by `construct`."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from stexplain.errors import InputError
from stexplain.graph.given.columns import lists_pairs
from stexplain.graph.labels import as_table, is_table, is_turned, table_numbers
from stexplain.wording import an

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
    if getattr(getattr(values, "dtype", None), "kind", "") == "c":
        raise InputError("matrix: got complex numbers; expected real ones. Give np.abs(matrix), or its real part.")
    try:
        entries = sp.coo_array(as_scipy(values), dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"matrix: got {an(type(matrix).__name__)} without numbers; expected a matrix [N, N]."
        ) from None
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
        hint = " Read the table with index_col=0." if values.shape[1] == values.shape[0] + 1 else ""
        raise InputError(f"{name} has shape {values.shape}; expected [N, N].{hint}")
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
        return matrix.detach().cpu().double().numpy()
    entries = matrix.detach().cpu().double().to_sparse_coo().coalesce()
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
