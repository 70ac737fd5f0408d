"""A sparse matrix as scipy.sparse.save_npz writes it, of which nothing is trusted."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import DataError

PLACES = (
    "holds places, and no links: locations=pd.DataFrame([{**one['properties'], **dict(zip(['lon', 'lat'], "
    "one['geometry']['coordinates']))} for one in json.loads(pathlib.Path(path).read_text())['features']]), nearest=4"
)
"""Of GeoJSON: how its points are given."""


def sparse_matrix(path: Path, arrays: Any, nodes: int) -> NDArray[np.float64]:
    """The matrix ``[nodes, nodes]`` of a file in the formats csr, csc or coo; entries that stand twice are added.

    Args:
        path: of the file.
        arrays: an npz that is open, by `opened_npz`.
        nodes: how many the matrix must have.

    Raises:
        DataError: where it has another size or format, or is damaged.
    """
    shape = np.asarray(arrays["shape"]).ravel().tolist()
    if shape != [nodes, nodes]:
        sizes = " x ".join(map(str, shape))
        raise DataError(f"{path} is a sparse matrix of {sizes}; expected {nodes} x {nodes}, the nodes of the values.")
    said = np.asarray(arrays["format"]).ravel().tolist()
    kind = said[0] if len(said) == 1 else said
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    if kind not in ("csr", "csc", "coo"):
        raise DataError(f"{path}: got a sparse matrix in {kind!r}; expected csr, csc or coo: matrix.tocsr().")
    needed = ("row", "col") if kind == "coo" else ("indptr", "indices")
    if lacking := [name for name in (*needed, "data") if name not in arrays.names]:
        raise DataError(f"{path}: got no {lacking[0]!r}; expected that of a sparse matrix. Write it again.")
    first, second, data = (np.asarray(arrays[name]).ravel() for name in (*needed, "data"))
    if any(one.dtype.kind not in "iu" for one in (first, second)) or data.dtype.kind not in "fiub":
        raise DataError(f"{path} holds {data.dtype}; expected numbers, and whole ones as indices.")
    if kind != "coo":
        counts: NDArray[np.int64] = first[1:].astype(np.int64) - first[:-1].astype(np.int64)
        if len(first) != nodes + 1 or first[0] != 0 or (counts < 0).any() or first[-1] != len(data):
            raise DataError(f"{path} is a damaged sparse matrix: its indptr does not fit its data. Write it again.")
        first = np.repeat(np.arange(nodes), counts)
    if not len(first) == len(second) == len(data):
        raise DataError(f"{path} is a damaged sparse matrix: {len(second)} indices of {len(data)} entries.")
    for one in (first, second):
        if len(one) and not 0 <= int(one.min()) <= int(one.max()) < nodes:
            raise DataError(f"{path}: got indices {one.min()} to {one.max()}; expected 0 to {nodes - 1}.")
    found = np.zeros((nodes, nodes))
    np.add.at(found, (second, first) if kind == "csc" else (first, second), data.astype(np.float64))
    return found
