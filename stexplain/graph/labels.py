"""Labels of tables and xarray arrays of whatever order, so that numbers go to the nodes whose names they have."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import InputError, unknown
from stexplain.graph.given.columns import end_columns, refuse_lost_row, role_of, weight_column

_TIMES = (
    *("time", "date", "datetime", "timestamp", "frame", "t"),
    *("times", "frames", "timepoint", "timepoints", "volume", "volumes", "tr"),
)
_SUBJECTS = ("subject", "subjects", "sub", "participant", "run", "session", "patient", "s")
IDS = (
    *("sensor_id", "node_id", "station_id", "detector_id", "region_id"),
    *("sensor", "node", "station", "detector", "region", "id", "label", "name"),
)
"""What a column or variable that names nodes is called, in lower case; the first that is there names them."""


def is_table(values: Any) -> bool:
    """Whether it is a pandas table. By what it has, so that pandas need not be imported here."""
    return all(hasattr(values, name) for name in ("columns", "index", "iloc"))


def table_numbers(table: Any) -> NDArray[Any]:
    """The values of a table; what is missing in columns of Int64, Float64 and the like is NaN.

    Example:
        >>> import pandas as pd
        >>> table_numbers(pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [0.5, 1.0]})).tolist()
        [[1.0, 0.5], [nan, 1.0]]
    """
    values: NDArray[Any] = table.to_numpy(copy=False)
    if values.dtype.kind != "O" or not all(getattr(kind, "kind", "O") in "iuf" for kind in table.dtypes):
        return values
    numbers: NDArray[Any] = table.to_numpy(np.float64, na_value=np.nan)
    return numbers


def as_table(values: Any) -> Any:
    """An xarray array ``[time, node]`` as a table, turned where its dimensions are the other way; else what it got."""
    if not hasattr(values, "to_pandas") or getattr(values, "ndim", 0) != 2:
        return values
    first, second = (str(name).lower() for name in values.dims)
    turned = (second in _TIMES and first not in _TIMES) or (role_of(first), role_of(second)) == ("target", "source")
    return (values.transpose() if turned else values).to_pandas()


def is_turned(table: Any) -> bool:
    """Whether the names of a table's axes say that its rows are targets, and its columns sources."""
    return (role_of(table.index.name), role_of(table.columns.name)) == ("target", "source")


def order_of(names: Sequence[str], nodes: Sequence[str], where: str) -> list[int]:
    """Where each node is among the names that data has.

    Args:
        names: of the data.
        nodes: in the order that is requested.
        where: the names stand, for the message.

    Raises:
        InputError: where a name appears twice, or names and nodes are not the same.

    Example:
        >>> order_of(["a", "b"], ["b", "a"], "a label")
        [1, 0]
    """
    place: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in place:
            raise InputError(f"{where}: got {name!r} twice; expected each node once.")
        place[name] = index
    for name in names:
        if name not in set(nodes):
            raise unknown(f"node ({where})", name, nodes)
    for node in nodes:
        if node not in place:
            raise unknown(f"node (of nodes=, {where})", node, names)
    return [place[node] for node in nodes]


def own_names(table: Any) -> list[str] | None:
    """The names of a table's rows: its index, or a column of ids, such as ``sensor_id``; none where rows are counted.

    Example:
        >>> import pandas as pd
        >>> own_names(pd.DataFrame({"sensor_id": [773869, 767541], "latitude": [34.2, 34.1]}))
        ['773869', '767541']
    """
    rows = [str(label) for label in table.index]
    counted = rows == [str(place) for place in range(len(rows))]
    # Rows that were picked from a table, or sorted, keep the numbers that they had in it.
    picked = table.index.name is None and getattr(table.index.dtype, "kind", "O") in "iu"
    if not counted and not picked:
        return rows
    lower = [str(name).strip().lower() for name in table.columns]
    for name in IDS:
        if lower.count(name) == 1:
            column = table.iloc[:, lower.index(name)]
            # A name that is not of one row alone is of something else, such as a road.
            if column.notna().all() and column.is_unique:
                return _ids(column)
    return None if counted else rows


def points_of(table: Any, nodes: Sequence[str]) -> NDArray[Any]:
    """The points of a table in the order of the nodes, where its rows have names; x, y and z where its columns do.

    Args:
        table: a row for each node.
        nodes: their names.

    Raises:
        InputError: where the names of its rows are not those of the nodes.

    Example:
        >>> import pandas as pd
        >>> points_of(pd.DataFrame({"y": [3, 4], "x": [1, 2]}, index=["b", "a"]), ["a", "b"]).tolist()
        [[2, 4], [1, 3]]
    """
    lower = [str(name).strip().lower() for name in table.columns]
    chosen = [lower.index(name) for name in ("x", "y", "z") if lower.count(name) == 1]
    names = own_names(table)
    points = table_numbers(table.iloc[:, chosen] if len(chosen) > 1 else table)
    return points if names is None else points[order_of(names, nodes, "a row of positions")]


def checked_ends(table: Any, places: Sequence[int], argument: str) -> list[list[str]]:
    """Two columns of a table as names; ids are names, numbers too.

    Args:
        table: with a row for each edge or pair.
        places: of the columns of sources and targets.
        argument: for the message.

    Raises:
        InputError: where a name is missing: it would be a node of its own.
    """
    for place in places:
        missing = np.flatnonzero(table.iloc[:, place].isna().to_numpy())
        if len(missing):
            raise InputError(
                f"{argument}, row {missing[0]}: got no name in the column {str(table.columns[place])!r}; expected that "
                "of a node. Leave such rows out: table.dropna()."
            )
        column = table.iloc[:, place]
        if getattr(column.dtype, "kind", "O") == "f" and (broken := np.flatnonzero(column.to_numpy() % 1 != 0)).size:
            raise InputError(
                f"{argument}, row {broken[0]}: got {column.iloc[int(broken[0])]} in the column "
                f"{str(table.columns[place])!r}; expected the name of a node. A matrix of weights goes to "
                "STGraph.from_adjacency."
            )
    return [_ids(table.iloc[:, place]) for place in places]


def table_edges(table: Any, weight: Any) -> tuple[list[tuple[Any, ...]], Any]:
    """The pairs of a table of edges, and their weights, for `STGraph.from_edges`.

    Args:
        table: with a row for each edge.
        weight: as given; none: that of the column called weight, where there is one.

    Raises:
        InputError: where its columns do not say which are source and target, or a name is missing.

    Example:
        >>> import pandas as pd
        >>> table_edges(pd.DataFrame({"to": ["b"], "from": ["a"]}), None)
        ([('a', 'b')], None)
    """
    columns = [str(name) for name in table.columns]
    if len(columns) < 2:
        raise InputError(f"edges: got a table of {len(columns)} columns; expected two, source and target.")
    ends, weighted = end_columns(columns, "edges"), weight_column(columns) if weight is None else None
    used = [*ends, *([] if weighted is None else [weighted])]
    refuse_lost_row(table.columns, used, "edges")
    refuse_twice(table.columns, used, "edges")
    checked_ends(table, ends, "edges")
    pairs = list(zip(*(table.iloc[:, place].tolist() for place in ends), strict=True))
    return pairs, weight if weighted is None else table.iloc[:, weighted].to_numpy()


def _ids(column: Any) -> list[str]:
    # A column of ids that had a gap once holds 773869.0, which is the sensor 773869.
    if getattr(column.dtype, "kind", "O") == "f" and bool((column % 1 == 0).all()):
        column = column.astype(np.int64)
    return [str(value) for value in column.tolist()]


def refuse_twice(columns: Any, used: Sequence[int], argument: str) -> None:
    """Refuses a table that has one of the columns in use twice.

    Args:
        columns: of the table.
        used: their places.
        argument: for the message.

    Raises:
        InputError: with the name.
    """
    names = [str(name) for name in columns]
    for place in used:
        if names.count(names[place]) > 1:
            raise InputError(
                f"{argument}: got the column {names[place]!r} twice; expected it once. Rename or drop one."
            )


def _subjects_of(values: Any) -> Any:
    """An xarray array of several subjects as a list of one array ``[time, node]`` each; anything else as it is.

    Raises:
        InputError: where its dimensions do not say which is which.
    """
    if not (hasattr(values, "dims") and hasattr(values, "transpose")) or getattr(values, "ndim", 0) != 3:
        return values
    dims = [str(name) for name in values.dims]
    times = [name for name in dims if name.lower() in _TIMES]
    subjects = [name for name in dims if name.lower() in _SUBJECTS]
    if len(times) != 1 or len(subjects) != 1:
        raise InputError(
            f"values: got an array with dimensions {', '.join(dims)}; expected subject, time and node. Rename them: "
            "array.rename({...})."
        )
    node = next(name for name in dims if name not in (times[0], subjects[0]))
    return list(values.transpose(subjects[0], times[0], node))


def refuse_times(table: Any) -> None:
    """Refuses a table of signals that has a column of times, or one that counts its rows, in place of an index.

    Raises:
        InputError: with the remedy.
    """
    for name in map(str, table.columns):
        if name.strip().lower() in _TIMES or name == "Unnamed: 0":
            raise InputError(
                f"values: got a column {name!r}, which is of no node; expected a column for each. Give "
                f"table.set_index({name!r})."
            )


def signals_in_order(values: Any, nodes: Sequence[str] | None) -> tuple[Any, Sequence[str] | None]:
    """Signals of one subject or a list of several, tables as arrays with columns in one order; and the nodes' names.

    Args:
        values: what `STGraph.from_correlation` gets.
        nodes: in the order that is requested; none: that of the first table.

    Raises:
        InputError: where a table has other columns.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame([[1, 2]], columns=["a", "b"])
        >>> signals, nodes = signals_in_order([table, table[["b", "a"]]], None)
        >>> [one.tolist() for one in signals], nodes
        ([[[1, 2]], [[1, 2]]], ['a', 'b'])
    """
    values = _subjects_of(values)
    several = isinstance(values, list | tuple)
    subjects = [as_table(one) for one in (values if several else [values])]
    tables = [one for one in subjects if is_table(one)]
    # Columns that were counted have no names.
    named = [one for one in tables if [str(name) for name in one.columns] != list(map(str, range(one.shape[1])))]
    if nodes is None and named:
        nodes = [str(name) for name in named[0].columns]
    found: list[Any] = []
    for one in subjects:
        numbers = table_numbers(one) if is_table(one) else one
        if any(one is other for other in named):
            refuse_times(one)
        if nodes is not None and any(one is other for other in named):
            columns, rows = ([str(label) for label in axis] for axis in (one.columns, one.index))
            order = order_of(columns, nodes, "a column of values")
            numbers = numbers[:, order]
            # A matrix of correlations has the nodes' names twice.
            if sorted(rows) == sorted(columns):
                numbers = numbers[order_of(rows, nodes, "a row of values")]
        found.append(numbers)
    return (found if several else found[0]), nodes
