"""The graph of sensors from a file: a matrix or a table of links, distances or weights, never one for the other."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.data.readers import dcrnn_pickle
from stexplain.data.readers.number_table import has_header, read_text_table
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from stexplain.graph.given.columns import COLUMNS, WEIGHTS, end_columns
from stexplain.graph.notices import without_kernel_diagonal, without_loops
from stexplain.reading.npy import load_npy, opened_npz
from stexplain.reading.sparse_npz import PLACES, sparse_matrix
from stexplain.wording import counted

Links = Literal["distances", "weights", "neighbours", "none"]
"""What a file of links says: how far (the near are strong), how strong, or only which; ``"none"``: not looked at."""
LINK_FILES = (
    "adj_mx*.pkl", "adj*.pkl", "*dist*.npy", "*adj*.npy", "*adj*.npz", "*dist*.npz", "*adj*.csv", "*dist*.csv",
    "edges.csv", "W_*.csv",
)  # fmt: skip
"""What files of links are called, in the order in which they are looked for."""
_ELSEWHERE = {
    ".gexf": "is a graph of Gephi: graph=stx.STGraph.from_networkx(networkx.read_gexf(path))",
    ".graphml": "is a graph in XML: graph=stx.STGraph.from_networkx(networkx.read_graphml(path))",
    ".mat": "is a file of MATLAB: graph=stx.STGraph.from_adjacency(scipy.io.loadmat(path)['name'], names)",
    ".geojson": PLACES,
}
"""What is read by other libraries, and how."""
_ASK = "Give links='distances' (the near are strong), links='weights' or links='neighbours'."


def graph_of_file(
    path: Path,
    nodes: Sequence[str],
    links: Links | None = None,
    *,
    no_link: float | None = None,
    positions: NDArray[np.float64] | None = None,
) -> STGraph:
    """The graph that a file of links says.

    A matrix has a row and a column for each node; a table a row for each link: from, to, and perhaps a number. Which of
    both a file is follows from its header and its size, and is refused where both are possible. Whether numbers are
    distances or weights is `links`, or what the column is called (``cost``, ``distance``, ``weight``, ...), or the
    file's name (``dist``, ``adj``, ``weight``); numbers that are 0 and 1 alone are neighbours; else it is refused.
    Distances get the Gaussian kernel of `STGraph.from_distances`.

    Args:
        path: ``.csv``, ``.txt``, ``.tsv``, ``.npy``, ``.npz``, or DCRNN's ``.pkl``, of which nothing is executed.
        nodes: N names, in the order of the values.
        links: what the numbers are, where the file does not say it.
        no_link: of a matrix of distances, the number that stands for no link, such as 0; infinite and NaN always do.
        positions: of the nodes, ``[N, 2]``.

    Raises:
        DataError: where the file is broken, or does not fit the nodes.
        InputError: where it is not known what its numbers are.
    """
    path = Path(path)
    names = tuple(map(str, nodes))
    table, matrix = _read(path, names)
    try:
        if table is not None:
            return _of_table(path, table, names, links, positions)
        assert matrix is not None
        return _of_matrix(path, matrix, names, links, no_link, positions)
    except InputError as error:
        raise type(error)(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def _refuse_other_spelling(path: Path, written: set[str], names: tuple[str, ...]) -> None:
    """Refuses ids that differ from those of the nodes in leading zeros or a ``.0`` alone: their links would be lost.

    Raises:
        DataError: with the two.
    """

    def plain(name: str) -> str:
        return re.sub(r"\.0+$", "", name).lstrip("0")

    known = set(names)
    others = {plain(name): name for name in written - known if re.fullmatch(r"\d+(\.0+)?", name)}
    for name in names:
        if name not in written and name.isdigit() and (other := others.get(plain(name))) is not None:
            raise DataError(
                f"{path}: got {other!r}, where the values have {name!r}; expected the same. Leading zeros are lost, "
                "and .0 added, where ids are read as numbers: give dtype=str where the file was made."
            )


def _of_table(path: Path, table: pd.DataFrame, names: tuple[str, ...], links: Links | None, positions: Any) -> STGraph:
    if table.empty or table.shape[1] < 2:
        raise DataError(
            f"{path} holds {len(table)} links of {table.shape[1]} columns; expected a row for each link: from, to, and "
            "perhaps a number."
        )
    ends = [table.iloc[:, place].astype(str).str.strip() for place in (0, 1)]
    _refuse_other_spelling(path, {*ends[0], *ends[1]}, names)
    # Files of a whole district hold more sensors than are measured.
    inside = ends[0].isin(names) & ends[1].isin(names)
    if not inside.any():
        raise DataError(
            f"{path}: none of its links, such as {ends[0].iloc[0]!r} to {ends[1].iloc[0]!r}, joins two of the nodes "
            f"{', '.join(names[:3])}, ... Do the files belong to one dataset?"
        )
    table = pd.concat([*ends, table.iloc[:, 2:]], axis=1)[inside]
    if table.shape[1] < 3:
        links = links or "neighbours"
    column = str(table.columns[2]).lower() if table.shape[1] > 2 else None
    kind = links or ("distances" if column in COLUMNS["distance"] else "weights" if column in WEIGHTS else None)
    kind = kind or _by_name(path)
    pairs = table.iloc[:, :2].set_axis(["source", "target"], axis=1)
    if kind == "neighbours":
        apart = without_loops(pairs, names, None if column is None else table.iloc[:, 2])
        return STGraph.from_pandas(pairs[apart].drop_duplicates(), names, directed=True, positions=positions)
    if kind is None:
        raise InputError(f"links: {path} does not say whether its third column holds distances or weights. {_ASK}")
    numbers = pd.to_numeric(table.iloc[:, 2], errors="coerce")
    bad = np.flatnonzero(numbers.isna().to_numpy())
    if bad.size:
        raise DataError(
            f"{path}: the link {pairs.iloc[bad[0]].tolist()} has {table.iloc[bad[0], 2]!r}; expected a number."
        )
    if kind == "distances":
        return STGraph.from_distances(pairs.assign(distance=numbers), names, directed=True, positions=positions)
    apart = without_loops(pairs, names, numbers)
    return STGraph.from_pandas(pairs.assign(weight=numbers)[apart], names, directed=True, positions=positions)


def _of_matrix(
    path: Path,
    matrix: NDArray[np.float64],
    names: tuple[str, ...],
    links: Links | None,
    no_link: float | None,
    positions: Any,
) -> STGraph:
    apart = ~np.eye(len(names), dtype=bool)
    entries = matrix[apart]
    kind = links or ("neighbours" if set(np.unique(entries)) <= {0.0, 1.0} else None) or _by_name(path)
    if kind is None:
        raise InputError(f"links: {path} is a matrix that does not say whether it holds distances or weights. {_ASK}")
    if kind == "distances":
        distances = np.where(np.isnan(matrix), np.inf, matrix)
        if no_link is not None:
            distances[distances == no_link] = np.inf
        if (distances[apart] == 0).any():
            pairs = int((distances[apart] == 0).sum())
            raise InputError(
                f"{path}: {counted(pairs, 'pair of different nodes has', 'pairs of different nodes have')} the "
                "distance 0, which is as near as can be. Where 0 means that there is no link, give no_link=0."
            )
        # A node is at no distance from itself, whatever the file has for no link; any other number is refused.
        distances[np.isinf(distances) & ~apart] = 0
        return STGraph.from_distances(distances, names, positions=positions)
    if links is None and kind == "weights" and float(np.nanmax(entries, initial=0)) > 1:
        raise InputError(
            f"links: {path} is called like weights, and holds up to {np.nanmax(entries):g}, as distances do. {_ASK}"
        )
    if np.isnan(entries).any():
        raise DataError(f"{path}: holds NaN; expected a number for each pair, 0 where there is no link.")
    # NaN on the diagonal is no loop.
    weights = without_kernel_diagonal(np.where(apart | ~np.isnan(matrix), matrix, 0.0))
    if kind == "neighbours":
        weights = (weights != 0).astype(np.float64)
    return STGraph.from_adjacency(weights, names, positions=positions)


def _by_name(path: Path) -> Literal["distances", "weights"] | None:
    """What the file's name says."""
    words = re.split(r"[^a-z]+", path.stem.lower())
    far = any(word.startswith(("dist", "cost")) for word in words)
    strong = any(word.startswith(("adj", "weight")) for word in words)
    return None if far == strong else "distances" if far else "weights"


def _read(path: Path, names: tuple[str, ...]) -> tuple[pd.DataFrame | None, NDArray[np.float64] | None]:
    """The table of a file, or its matrix in the order of the nodes."""
    kind = path.suffix.lower()
    if not path.is_file():
        raise InputError(f"graph: there is no file {path}.")
    if kind in _ELSEWHERE:
        raise InputError(f"graph: {path} {_ELSEWHERE[kind]}.")
    if kind == ".pkl":
        known, matrix = dcrnn_pickle.read_adjacency(path)
        # Of a matrix alone rows are numbers, in the order of the values.
        order = None if known == [str(number) for number in range(len(known))] else known
        return None, _in_order(path, matrix, order, names)
    if kind in (".npy", ".npz"):
        return None, _in_order(path, _array(path, len(names)), None, names)
    text = read_text_table(path, header=False)
    words, count = has_header(path), len(names)
    if text.shape[1] == 1 and (apart := text.iloc[:, 0].str.split(expand=True)).shape == (count, count):
        # As numpy writes a matrix: blanks between numbers.
        words, text = False, apart.fillna("")
    if not words and count in (2, 3) and text.shape[1] == count and len(text) in (count, count + 1):
        raise InputError(
            f"{path}: of {count} nodes, a matrix and a table of links look alike. Name the columns (from,to,cost), or "
            "save the matrix as .npy."
        )
    headed = words or (set(text.iloc[0]) >= set(names) and len(text) == count + 1)
    body = text.iloc[1:] if headed else text
    header = [str(cell).strip() for cell in text.iloc[0]] if headed else []
    if headed and (set(header) >= set(names) or set(header[1:]) >= set(names)):
        columns = header if len(header) == len(body) else header[1:]
        rows = body.iloc[:, len(header) - len(columns) :]
        labels = body.iloc[:, 0].tolist() if len(columns) < len(header) else columns
        numbers = pd.DataFrame(_numbers(path, rows, 1), index=labels, columns=columns)
        if set(labels) != set(columns):
            raise DataError(f"{path}: rows and columns of the matrix are named differently; expected the same names.")
        return None, _in_order(path, numbers.loc[columns].to_numpy(), columns, names)
    square = body.shape == (len(names), len(names))
    if square and not headed:
        return None, _in_order(path, _numbers(path, body, 0), None, names)
    named = headed and bool({h.lower() for h in header} & set(COLUMNS["source"]))
    if body.shape[1] < 2 or (body.shape[1] > 3 and not named):
        raise DataError(
            f"{path} holds {body.shape[0]} x {body.shape[1]} cells; expected a matrix of {len(names)} x {len(names)}, "
            "a row and a column for each node, or a table with the columns from, to and a number."
        )
    return _columns(body.reset_index(drop=True), header), None


def _columns(body: pd.DataFrame, header: list[str]) -> pd.DataFrame:
    """Source, target and a number, by their names where they have some."""
    if not header:
        return body
    table = body.set_axis(header, axis=1)
    named = [name for name in header if name.lower() in (*COLUMNS["distance"], *WEIGHTS)]
    chosen = [header[place] for place in end_columns(header, "links")] + (named[:1] or header[2:3])
    return table[list(dict.fromkeys(chosen))]


def _in_order(
    path: Path, matrix: NDArray[np.float64], known: Sequence[str] | None, names: tuple[str, ...]
) -> NDArray[np.float64]:
    """A matrix with its rows and columns in the order of the nodes."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or (known is None and len(matrix) != len(names)):
        raise DataError(
            f"{path} has shape {' x '.join(map(str, matrix.shape))}; expected {len(names)} x {len(names)}, a row and a "
            "column for each node of the values."
        )
    if known is None:
        return matrix
    place = {name: number for number, name in enumerate(known)}
    for name in names:
        if name not in place:
            raise DataError(f"{path} does not have the node {name!r}. Do the files belong to one dataset?")
    order = [place[name] for name in names]
    return np.asarray(matrix[np.ix_(order, order)])


def _numbers(path: Path, cells: pd.DataFrame, before: int) -> NDArray[np.float64]:
    numbers = cells.apply(pd.to_numeric, errors="coerce")
    lowered = cells.apply(lambda column: column.str.strip().str.lower())
    bad = np.argwhere((numbers.isna() & (lowered != "nan")).to_numpy())
    if len(bad):
        row, column = bad[0]
        raise DataError(f"{path}, line {row + 1 + before}: holds {cells.iloc[row, column]!r}; expected a number.")
    return np.asarray(numbers.to_numpy(np.float64))


def _array(path: Path, nodes: int) -> NDArray[np.float64]:
    if path.suffix.lower() == ".npy":
        found = load_npy(path)
    else:
        with opened_npz(path) as arrays:
            shapes = {name: arrays.shape(name) for name in arrays.names}
            square = [name for name, shape in shapes.items() if len(shape) == 2 and shape[0] == shape[1]]
            if "format" in shapes and "shape" in shapes:
                return sparse_matrix(path, arrays, nodes)
            if len(square) != 1:
                held = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "nothing"
                raise DataError(f"{path} holds {held}; expected one matrix, N x N.")
            found = arrays[square[0]]
    if found.dtype.kind not in "fiub":
        raise DataError(f"{path} holds {found.dtype}; expected numbers.")
    return np.asarray(found, np.float64)
