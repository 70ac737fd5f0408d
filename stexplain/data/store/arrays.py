"""A user's own arrays as rows, laid end to end as a prepared store has them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.checking.lost import is_masked
from stexplain.data.labelled import is_labelled
from stexplain.data.samples import check_finite
from stexplain.data.store.prepared import Rows
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.wording import counted


def rows_of_arrays(
    x: "Sequence[ArrayLike] | NDArray[Any]",
    valid: "Sequence[ArrayLike] | NDArray[Any] | None",
    observed: "Sequence[ArrayLike] | NDArray[Any] | None",
    graph: STGraph,
    others: dict[str, Any],
) -> Rows:
    """Rows of n arrays ``[M, T, N, C]`` and their masks; see `Clips.from_arrays`.

    Args:
        x: the arrays.
        valid: n arrays ``[M, T]``, or none.
        observed: n arrays ``[M, T, N]``, or none.
        graph: of the N nodes.
        others: further columns by name, n values each, or none.

    Raises:
        InputError: where shapes or counts do not fit, or a valid value is not finite.
    """
    for number, item in enumerate(x):
        _check_order(f"x[{number}]", item, graph)
    nodes = len(graph)
    values = [np.asarray(np.ma.filled(item, 0) if is_masked(item) else item, np.float32) for item in x]
    if not values:
        raise InputError("x: got no clips; expected at least one array [M, T, N, C].")
    for name, column in {"valid": valid, "observed": observed, **others}.items():
        if column is not None and len(column) != len(values):
            raise InputError(f"{name}: got {len(column)} for {counted(len(values), 'clip')}; expected one each.")
    given = [np.ones(value.shape[:2], bool) for value in values] if valid is None else valid
    masks = [np.asarray(item, bool) for item in given]
    seen = None if observed is None else [np.asarray(item, bool) for item in observed]
    if any(is_masked(item) for item in x) and values[0].ndim == 4:
        shown = [_unmasked(item) for item in x]
        seen = shown if seen is None else [np.asarray(one & other) for one, other in zip(seen, shown, strict=True)]
    if values[0].ndim != 4:
        raise InputError(
            f"x[0] has shape {values[0].shape}; expected [m, t, n={nodes}, c], instances x frames x nodes x channels: "
            f"got {values[0].ndim} dimensions. Arrays [samples, t, n] become x[:, None, :, :, None], and [samples, n, "
            "t], as of EEG, x.transpose(0, 2, 1)[:, None, :, :, None]."
        )
    count = values[0].shape[-1]
    # One by one, so that a message names the clip.
    for number, (value, mask) in enumerate(zip(values, masks, strict=True)):
        sizes = check_shape(f"x[{number}]", value.shape, "m t n c", n=nodes, c=count)
        check_shape(f"valid[{number}]", mask.shape, "m t", m=sizes["m"], t=sizes["t"])
        read = np.broadcast_to(mask[:, :, None], value.shape[:3])
        if seen is not None:
            check_shape(f"observed[{number}]", seen[number].shape, "m t n", **sizes)
            seen[number] = read = read & seen[number]
        # NaN on padding is common in users' arrays and harmless: it becomes zero below.
        check_finite(f"x[{number}]", value[read])
        values[number] = np.where(read[..., None], value, 0)
    instances = np.array([value.shape[0] for value in values], np.int64)
    frames = np.array([value.shape[1] for value in values], np.int64)
    return Rows(
        # [M, T, N, C] -> [M * T, N, C] each, end to end.
        np.concatenate([value.reshape(-1, *value.shape[2:]) for value in values]),
        np.concatenate([mask.reshape(-1) for mask in masks]), None,
        np.cumsum([0, *(instances * frames)[:-1]]), instances, frames,
        observed=None if seen is None else np.concatenate([one.reshape(-1, nodes) for one in seen]),
    )  # fmt: skip


def _unmasked(values: Any) -> NDArray[np.bool_]:
    """Which nodes were read, ``[M, T, N]``: none of whose channels is masked."""
    if not is_masked(values):
        return np.ones(np.shape(values)[:3], bool)
    return np.asarray(~np.ma.getmaskarray(values).any(-1))


def _check_order(name: str, values: Any, graph: STGraph) -> None:
    """Refuses an xarray array whose names of nodes are not those of the graph in its order."""
    if not (is_labelled(values) and hasattr(values, "dims")) or values.ndim != 4:
        return
    dim = str(values.dims[2])
    if dim not in values.coords or values[dim].dtype.kind not in "OUS":
        return
    names = [str(node) for node in values[dim].to_numpy()]
    if names != list(graph.nodes):
        raise InputError(
            f"{name}: its nodes are {', '.join(names[:3])}, ...; expected {', '.join(graph.nodes[:3])}, ..., in the "
            f"order of the graph. Use x.sel({dim}=list(graph.nodes))."
        )
