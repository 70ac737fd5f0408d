"""Correlations of the signals of nodes: between which of them there are edges."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking.values import as_numbers
from stexplain.errors import InputError, unknown

_ROUNDING = 1e-9
"""By such a share a correlation may lie below a threshold that it reaches."""


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

    Files round, and averages differ in their last digits: halves that differ by at most 0.001 are the same.

    Raises:
        InputError: where it is symmetric, and no matrix of correlations: to correlate it would mean nothing. Where it
            is half of such a matrix, lacks a node, or was transformed.

    Example:
        >>> is_correlation(np.array([[1, 0.4], [0.4, 1]]), "values"), is_correlation(np.eye(3)[:2], "values")
        (True, False)
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        return False
    if not np.isfinite(matrix).all():
        _refuse_broken(matrix, where)
        return False
    size = float(np.abs(matrix).max())
    halves = [not part.any() for part in (np.triu(matrix, 1), np.tril(matrix, -1))]
    ones = bool(np.allclose(np.diag(matrix), 1, rtol=0, atol=1e-6)) and size <= 1 + 1e-6
    if len(matrix) > 2 and sum(halves) == 1 and (ones or not np.diag(matrix).any()):
        raise InputError(
            f"{where}: got a matrix {matrix.shape} with zeros {'above' if halves[0] else 'below'} the diagonal, half "
            "of one of correlations; expected both. Give m + m.T, with ones on its diagonal: np.fill_diagonal(m, 1)."
        )
    if ones and np.allclose(matrix, matrix.T, rtol=0, atol=1e-3):
        return True
    if ones:
        far = np.unravel_index(int(np.abs(matrix - matrix.T).argmax()), matrix.shape)
        raise InputError(
            f"{where}: got a matrix {matrix.shape} from -1 to 1 with ones on the diagonal, as of correlations, that "
            f"is not symmetric: {matrix[far]:g} and {matrix.T[far]:g} at [{far[0]}, {far[1]}]. Of other numbers "
            "between nodes give STGraph.from_adjacency."
        )
    # Files keep six or seven digits.
    if not np.allclose(matrix, matrix.T, rtol=0, atol=1e-6 * max(1, np.abs(matrix).max())):
        return False
    raise InputError(
        f"{where}: got a symmetric matrix {matrix.shape}, from {matrix.min():g} to {matrix.max():g}; expected signals "
        "[T, N], or correlations [N, N] from -1 to 1 with ones on the diagonal. Of other numbers between nodes give "
        "STGraph.from_adjacency."
    )


def _refuse_broken(matrix: NDArray[np.float64], where: str) -> None:
    """Refuses a symmetric matrix that would be one of correlations, but for NaN or infinity."""
    if not np.allclose(matrix, matrix.T, rtol=0, atol=1e-3, equal_nan=True):
        return
    apart = matrix[~np.eye(len(matrix), dtype=bool)]
    if np.isfinite(apart).all() and np.isinf(np.diag(matrix)).any():
        raise InputError(
            f"{where}: got a symmetric matrix {matrix.shape} with infinity on its diagonal, as of Fisher's z; expected "
            "correlations. Give np.tanh(matrix)."
        )
    # A region without a signal has no correlation, but perhaps with itself.
    empty = np.flatnonzero(np.isnan(matrix).sum(1) >= len(matrix) - 1)
    if empty.size:
        raise InputError(
            f"{where}: got a symmetric matrix {matrix.shape} whose row {empty[0]} is NaN: that node has none, "
            "as one whose signal never changes. Leave it out: keep = np.flatnonzero(np.isfinite(m).sum(1) > 1), "
            "m[np.ix_(keep, keep)]."
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
        # Of a correlation of 0.2, Fisher's z and back gives a little less.
        least = float(threshold or 0) * (1 - _ROUNDING)
        kept = sizes >= least
    edges = np.zeros_like(weight)
    edges[pairs] = np.where(kept, sizes, 0)
    dropped = int((correlation[pairs] <= -least).sum()) if negative == "drop" else 0
    return edges + edges.T, dropped
