"""The checks of an STGraph's arguments, done once when it is built. A message names the node, edge or group."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.checking.words import refuse_control
from stexplain.errors import InputError, unknown
from stexplain.graph.labels import is_table, points_of


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only copy."""
    copy = array.copy()
    copy.setflags(write=False)
    return copy


def checked_nodes(nodes: Iterable[str]) -> tuple[str, ...]:
    """The names of the nodes: at least one, text, unique."""
    if isinstance(nodes, Mapping):
        # Such as DCRNN's, from a name to its row.
        if sorted(map(repr, nodes.values())) != sorted(map(repr, range(len(nodes)))):
            raise InputError("nodes: got a dictionary; expected a list of names, or the row of each, from 0.")
        nodes = sorted(nodes, key=nodes.__getitem__)
    names = tuple(str(name) if isinstance(name, str) else name for name in nodes)
    if not names:
        raise InputError("nodes: got none; expected at least one.")
    seen: set[str] = set()  # a search of the tuple for every name would be quadratic
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name:
            remedy = " Give [str(node) for node in nodes]." if isinstance(name, Integral) else ""
            raise InputError(f"node {index}: got the name {name!r}; expected text that is not empty.{remedy}")
        if name in seen:
            raise InputError(f"nodes: got {name!r} twice, at {names.index(name)} and {index}; expected unique names.")
        refuse_control(f"node {index}", name)
        seen.add(name)
    return names


def checked_options(fields: dict[str, Any]) -> dict[str, Any]:
    """The further fields of a graph that a constructor got, none of an unknown name."""
    known = ("groups", "positions", "center", "directed")
    for name in fields:
        if name not in known:
            raise unknown("argument", name, known)
    return fields


def checked_edges(names: tuple[str, ...], edges: ArrayLike, directed: bool) -> NDArray[np.int64]:
    """Edges ``[E, 2]``, int64: in range, no self loop, none twice."""
    try:
        given = np.asarray(edges)
    except ValueError:
        raise InputError("edges: got rows of unequal length; expected [E, 2] indices (source, target).") from None
    if given.size == 0:  # an empty list has neither the shape nor the type of edges
        return frozen(np.zeros((0, 2), dtype=np.int64))
    if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
        raise InputError(
            f"edges has shape {given.shape} and type {given.dtype}; expected [E, 2] integers (source, target). "
            "For edges by node names use STGraph.from_edges."
        )
    pairs = given.astype(np.int64)
    # Negative indices are refused: numpy would count them from the end.
    out = np.flatnonzero(((pairs < 0) | (pairs >= len(names))).any(axis=1))
    if out.size:
        raise InputError(
            f"edge {out[0]}: got {tuple(pairs[out[0]].tolist())}; expected indices from 0 to {len(names) - 1}, as the "
            f"graph has {len(names)} nodes."
        )
    loops = np.flatnonzero(pairs[:, 0] == pairs[:, 1])
    if loops.size:
        raise InputError(
            f"edge {loops[0]}: got a self loop of {names[pairs[loops[0], 0]]!r}. Leave self loops out, of networkx by "
            "graph.remove_edges_from(list(nx.selfloop_edges(graph))): relations add them where a strategy needs them."
        )
    # Without a direction, (a, b) and (b, a) are the same edge.
    ends = pairs if directed else np.sort(pairs, axis=1)
    # `first` gives the index of a repeated edge in the caller's order, for the message.
    _, first, counts = np.unique(ends, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        source, target = pairs[int(first[counts > 1].min())].tolist()
        hint = "" if directed else " (an undirected edge counts in either direction)"
        # As PyTorch Geometric lists them.
        both = not directed and len(np.unique(pairs, axis=0)) == len(pairs)
        remedy = "Give it once, or directed=True where each direction is an edge" if both else "Give it once"
        raise InputError(f"edges: got {names[source]!r} - {names[target]!r} more than once{hint}. {remedy}.")
    return frozen(pairs)


def checked_weight(names: tuple[str, ...], edges: NDArray[np.int64], weight: ArrayLike | None) -> NDArray[np.float64]:
    """Weights ``[E]``, float64, finite."""
    try:
        values = np.ones(len(edges)) if weight is None else np.asarray(weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"weight: got {weight!r}; expected [{len(edges)}] numbers, one per edge.") from None
    if values.shape != (len(edges),):
        raise InputError(
            f"weight has shape {values.shape}; expected [{len(edges)}], one per edge. "
            "For weights that change over time use DynamicGraph."
        )
    invalid = np.flatnonzero(~np.isfinite(values))
    if invalid.size:
        source, target = edges[invalid[0]].tolist()
        raise InputError(
            f"weight of the edge {names[source]!r} - {names[target]!r}: got {values[invalid[0]]}; expected a finite "
            "number. Leave absent edges out."
        )
    return frozen(values)


def checked_groups(names: tuple[str, ...], groups: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Groups of known nodes, none empty, no node twice in one."""
    known, checked = set(names), {}
    for group, members in groups.items():
        if isinstance(members, str):  # which would be taken for its letters
            raise InputError(f"group {group!r}: got {members!r}; expected a list of node names.")
        refuse_control("groups", str(group))
        checked[str(group)] = tuple(members)
        if not checked[str(group)]:
            raise InputError(f"group {group!r}: got no nodes. Leave it out.")
        for node in checked[str(group)]:
            if node not in known:
                raise unknown(f"node in the group {group!r}:", node, names)
        if len(set(checked[str(group)])) < len(checked[str(group)]):
            raise InputError(f"group {group!r}: got a node twice: {', '.join(checked[str(group)])}.")
    return checked


def checked_positions(
    names: tuple[str, ...], positions: Mapping[str, ArrayLike] | ArrayLike | None
) -> NDArray[np.float64] | None:
    """Positions ``[N, 2]``, float64, finite, of all nodes or none."""
    if positions is None:
        return None
    if isinstance(positions, Mapping):
        known = set(names)
        for name in positions:
            if name not in known:
                raise unknown("node (in positions)", name, names)
        missing = [name for name in names if name not in positions]
        if missing:
            shown = ", ".join(map(repr, missing[:5])) + (", ..." if len(missing) > 5 else "")
            raise InputError(f"positions: {shown} missing. Give those of all {len(names)} nodes, or none.")
        # From here on as an array, in the order of the nodes.
        positions = [np.asarray(positions[name], dtype=np.float64) for name in names]
    if is_table(positions):
        positions = points_of(positions, names)
    try:
        values = np.asarray(positions, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"positions: got rows that are not pairs of numbers; expected [{len(names)}, 2].") from None
    if values.shape != (len(names), 2):
        raise InputError(f"positions has shape {values.shape}; expected [{len(names)}, 2], a point (x, y) per node.")
    if not np.isfinite(values).all():
        name = names[int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])]
        raise InputError(f"position of {name!r}: got NaN or infinity; expected a point (x, y).")
    return frozen(values)


def node_index(node: int | str, names: Sequence[str], count: int, others: Sequence[str] = ()) -> int:
    """The index of a node, from its name or its index.

    A number that is no index, but the name of a node, is taken for that: sensors are often named by numbers.

    Args:
        node: name or index.
        names: of the nodes; empty where there is no graph.
        count: the number of nodes, N.
        others: other names that the caller accepts, for the message.

    Raises:
        InputError: where there is no such node, with the nearest name; and for a number that is the index of one node
            and the name of another.

    Example:
        >>> node_index("knee", ["hip", "knee"], 2), node_index(0, [], 2), node_index(773869, ["767541", "773869"], 2)
        (1, 0, 1)
    """
    if isinstance(node, str):
        if not names:
            raise InputError(f"node: got the name {node!r}, but no graph is known. Give `graph`, or an index.")
        if node not in names:
            raise unknown("node", node, [*names, *others])
        return list(names).index(node)
    named = list(names).index(str(node)) if str(node) in names else None
    if not 0 <= node < count:
        if named is not None:
            return named
        if not count:
            raise InputError(f"node: got index {node}, but the output has no nodes; expected one at least.")
        hint = f", or the name of a node, such as {names[0]!r}" if names else ""
        raise InputError(f"node: got index {node}; expected 0 to {count - 1}{hint}.")
    if named is not None and named != node:
        raise InputError(
            f"node: got {node}, the index of {names[node]!r} and the name of node {named}; expected a name as text, "
            f"{str(node)!r} or {names[node]!r}."
        )
    return int(node)
