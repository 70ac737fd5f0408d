"""Values that bring their labels: pandas frames and xarray arrays, with times, nodes and channels."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stexplain.data.times.numbers import date_format, how_to_read, since_1970
from stexplain.errors import DataError, InputError, unknown
from stexplain.graph import STGraph
from stexplain.graph.labels import table_numbers

_TIMES = ("time", "date", "datetime", "timestamp", "t")
NODES = ("node", "sensor", "station", "region", "channel_name", "location", "site", "id")
CHANNELS = ("channel", "feature", "variable", "signal", "measure")


_MOST_GAPS, _FEW = 20, 10_000
"""A series may omit so many times as many frames as it holds, and so many more."""


def check_span(first: pd.Timestamp, last: pd.Timestamp, step: pd.Timedelta, frames: int, where: object) -> None:
    """Refuses times whose gaps are most of the series: one wrong digit in a year would make gigabytes of them.

    Args:
        first: the earliest time.
        last: the latest.
        step: from frame to frame.
        frames: how many there are.
        where: the file, for the message.

    Raises:
        DataError: where far more times lie between them than there are frames.

    Example:
        >>> check_span(pd.Timestamp("2012-01-01"), pd.Timestamp("2112-01-01"), pd.Timedelta(minutes=5), 99, "a.csv")
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: a.csv goes from 2012-01-01 00:00:00 to 2112-01-01 00:00:00, 10518912 ...
    """
    steps = (last - first) / step
    if steps > _MOST_GAPS * frames + _FEW:
        raise DataError(
            f"{where} goes from {first} to {last}, {steps:.0f} times {step / pd.Timedelta(minutes=1):g} min, and holds "
            f"{frames} rows; expected at most {_MOST_GAPS} times as many steps. Is a date wrong?"
        )


class Labelled(NamedTuple):
    """Values with what their labels say.

    Attributes:
        values: ``[T, N, C]`` or ``[T, N]``.
        time: of each frame, or none.
        channels: the names of the channels, where the labels say them.
        nodes: the names of the nodes, where the labels say them.
    """

    values: Any
    time: pd.DatetimeIndex | None
    channels: tuple[str, ...] | None
    nodes: tuple[str, ...] | None = None


def is_labelled(values: Any) -> bool:
    """Whether values are a pandas frame or an xarray array."""
    return isinstance(values, pd.DataFrame) or (hasattr(values, "dims") and hasattr(values, "coords"))


def without_labels(values: Any, graph: STGraph | None, named: bool) -> Labelled:
    """A frame or an xarray array as an array, its nodes in the order of the graph, and its labels.

    Args:
        values: a frame of times x nodes, or x (node, channel) as of tsl; or an xarray array with dimensions of time,
            node, and perhaps channel.
        graph: whose nodes the columns are; none: they stay in order.
        named: whether times were given besides: those of the labels are not looked at then.

    Raises:
        InputError: where labels are neither times nor numbers of frames, or nodes are not those of the graph.
    """
    if isinstance(values, pd.DataFrame):
        time = None if named else times_of(values.index)
        if isinstance(values.columns, pd.MultiIndex):
            return _by_channel(values, graph, time)
        columns = [str(name) for name in values.columns]
        order = _order(columns, graph, "a column of the DataFrame")
        names = None if columns == list(map(str, range(len(columns)))) else tuple(columns)
        if order is None:
            return Labelled(table_numbers(values), time, None, names)
        return Labelled(table_numbers(values.iloc[:, order]), time, None, tuple(columns[place] for place in order))
    return _of_xarray(values, graph, named)


def times_of(index: pd.Index) -> pd.DatetimeIndex | None:
    """The times that an index of frames says; none where it numbers the frames.

    Periods are taken at their start; whole numbers of the size of seconds (or milli-, micro- or nanoseconds) since 1970
    as those.

    Raises:
        InputError: where it says something else, which would be lost, or periods are missing.

    Example:
        >>> times_of(pd.Index([1330560000, 1330560300]))[1]
        Timestamp('2012-03-01 00:05:00')
        >>> times_of(pd.period_range("2012-03", periods=2, freq="M"))[1]
        Timestamp('2012-04-01 00:00:00')
    """
    if isinstance(index, pd.CategoricalIndex):
        index = pd.Index(index.astype(index.categories.dtype))
    if isinstance(index, pd.DatetimeIndex):
        return index
    if isinstance(index, pd.PeriodIndex):
        return _of_periods(index)
    shown = repr(index[0]) if len(index) else "nothing"
    if pd.api.types.is_numeric_dtype(index):
        if written := date_format(index):
            raise InputError(
                f"values: got an index of numbers, the first {shown}, which are dates by their digits; expected times. "
                f"Convert it: df.index = {how_to_read(written).replace('times', 'df.index')}."
            )
        if (times := since_1970(index)) is not None:
            return times
        numbers = index.to_numpy(np.float64)
        # 0, 1, 2, ..., or a part of it: numbers of frames, which say nothing that is not known.
        if len(numbers) and (np.diff(numbers) == 1).all() and (numbers % 1 == 0).all():
            return None
        raise InputError(
            f"values: got an index of numbers, the first {shown}, which are neither times nor frames one by one; "
            "expected times. Give time=, or drop it: df.reset_index(drop=True)."
        )
    if len(index) and not isinstance(index[0], str):
        raise InputError(
            f"values: got an index of {type(index[0]).__name__}, the first {shown}; expected times. Give time=, or "
            "drop it: df.reset_index(drop=True)."
        )
    # Text sorts wrongly and has no spacing: a guess at its format could shift every window.
    raise InputError(
        f"values: got a DataFrame whose index is text, such as {shown}; expected times. Convert it: df.index = "
        "pd.to_datetime(df.index); or drop it: df.reset_index(drop=True)."
    )


def _of_periods(index: pd.PeriodIndex) -> pd.DatetimeIndex:
    """The starts of periods, of which none is missing; what is out of order is refused with the times."""
    steps = np.diff(index.asi8)
    # A period of 5 min is numbered by its minutes.
    gaps = np.flatnonzero(steps != getattr(index.freq, "n", 1))
    if gaps.size and (steps > 0).all():
        first = int(gaps[0])
        raise InputError(
            f"values: frame {first + 1} is of the period {index[first + 1]}, and the one before of {index[first]}; "
            "expected one after the other. Insert the missing ones as frames of NaN: "
            "df.reindex(pd.period_range(df.index[0], df.index[-1], freq=df.index.freq))."
        )
    return index.to_timestamp()


def node_first(table: pd.DataFrame, graph: STGraph | None = None) -> pd.DataFrame:
    """A frame whose columns have two levels, as (node, channel), also where their names say (channel, node).

    Args:
        table: with such columns.
        graph: whose nodes one of the levels names; none: levels without a name are (node, channel), as tsl writes them.

    Example:
        >>> columns = pd.MultiIndex.from_product([["speed", "flow"], ["a"]], names=["channels", "nodes"])
        >>> node_first(pd.DataFrame([[1.0, 2.0]], columns=columns)).columns.tolist()
        [('a', 'speed'), ('a', 'flow')]
    """
    first, second = (str(name).lower().removesuffix("s") for name in table.columns.names)
    turned = (second in NODES and first not in NODES) or (first in CHANNELS and second not in CHANNELS)
    if graph is not None and not turned:
        nodes, others = (set(map(str, table.columns.get_level_values(level))) for level in (0, 1))
        turned = not nodes <= set(graph.nodes) and others <= set(graph.nodes)
    return table.swaplevel(axis=1) if turned else table


def _by_channel(table: pd.DataFrame, graph: STGraph | None, time: pd.DatetimeIndex | None) -> Labelled:
    """A frame whose columns are (node, channel), as ``[T, N, C]``."""
    if table.columns.nlevels != 2:
        raise InputError(f"values: got columns of {table.columns.nlevels} levels; expected two, (node, channel).")
    levels = [str(name).lower().removesuffix("s") for name in table.columns.names]
    if graph is None and not any(name in (*NODES, *CHANNELS) for name in levels):
        raise InputError(
            "values: got columns of two levels without names; expected them to say which are nodes. Name them: "
            "df.columns.names = ['node', 'channel']; or give graph=."
        )
    table = node_first(table, graph)
    nodes = list(dict.fromkeys(table.columns.get_level_values(0)))
    channels = list(dict.fromkeys(table.columns.get_level_values(1)))
    pairs: dict[Any, int] = {column: number for number, column in enumerate(table.columns)}
    if len(pairs) < len(table.columns):
        raise InputError("values: some column (node, channel) appears twice; expected each once.")
    for node in nodes:
        for channel in channels:
            if (node, channel) not in pairs:
                raise InputError(f"values: node {node!r} has no channel {channel!r}; expected the same at all nodes.")
    order = _order([str(node) for node in nodes], graph, "a column of the DataFrame") or list(range(len(nodes)))
    places = [[pairs[nodes[number], channel] for channel in channels] for number in order]
    names = tuple(str(nodes[number]) for number in order)
    return Labelled(table_numbers(table)[:, np.array(places)], time, tuple(map(str, channels)), names)


def _of_xarray(array: Any, graph: STGraph | None, named: bool) -> Labelled:
    if not hasattr(array, "dtype"):
        raise InputError(
            f"values: got a Dataset with {', '.join(map(str, array.data_vars))}; expected one array. Choose one: "
            "dataset['speed'], or several as channels: dataset[['speed', 'flow']].to_array('channel')."
        )
    dims = [str(name) for name in array.dims]
    time = next((name for name in dims if name.lower() in _TIMES or array[name].dtype.kind == "M"), None)
    node = next((name for name in dims if name.lower() in NODES and name != time), None)
    rest = [name for name in dims if name not in (time, node)]
    if time is None or len(dims) not in (2, 3) or (node is None and len(rest) != 1):
        raise InputError(
            f"values: got an array with dimensions {', '.join(dims)}; expected time, node, and perhaps channel. Rename "
            "them: array.rename({...})."
        )
    if node is None:
        node, rest = rest[0], []
    array = array.transpose(time, node, *rest)
    times = times_of(pd.Index(array[time].to_numpy())) if not named and time in array.coords else None
    names = _names_along(array, node)
    order = None if names is None else _order(names, graph, f"of {node}")
    channels = None
    if rest:
        channels = tuple(str(name) for name in array[rest[0]].to_numpy()) if rest[0] in array.coords else None
    values = array.to_numpy()
    if order is not None and names is not None:
        return Labelled(values[:, order], times, channels, tuple(names[place] for place in order))
    return Labelled(values, times, channels, None if names is None else tuple(names))


def _names_along(array: Any, node: str) -> list[str] | None:
    """What an xarray array calls the entries of a dimension; none where it does not say.

    Raises:
        InputError: where the names lie beside the dimension, or are of several levels.
    """
    if node not in array.coords:
        beside = [str(name) for name, one in array.coords.items() if one.dims == (node,) and one.dtype.kind in "OUS"]
        if beside:
            raise InputError(
                f"values: got names along {node} as {' and '.join(beside)}, and none as {node} itself; expected one. "
                f"Use array.set_index({node}={beside[0]!r})."
            )
        return None
    levels = array.indexes[node]
    if isinstance(levels, pd.MultiIndex):
        raise InputError(
            f"values: got {levels.nlevels} names for each entry of {node} ({', '.join(map(str, levels.names))}); "
            f"expected one. Use array.unstack({node!r})."
        )
    return [str(name) for name in array[node].to_numpy()]


def _order(names: list[str], graph: STGraph | None, where: str) -> list[int] | None:
    """Where each node of the graph is among names; none where they are in order already, or there is no graph."""
    if graph is None or names == list(graph.nodes):
        return None
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"values: got the column {twice!r} twice; expected one column per node.")
    for name in names:
        if name not in set(graph.nodes):
            raise unknown(f"node ({where})", name, graph.nodes)
    column = {name: number for number, name in enumerate(names)}
    for node in graph.nodes:
        if node not in column:
            raise InputError(
                f"the node {node!r} of the graph has no column in the DataFrame. Use graph.subgraph(columns)."
            )
    return [column[node] for node in graph.nodes]
