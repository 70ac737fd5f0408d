"""What holds for every STGraph: checked once, when it is made, with a message that names the node, edge or group."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.errors import InputError, unknown


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A copy that cannot be written to."""
    copy = array.copy()
    copy.setflags(write=False)
    return copy


def checked_nodes(nodes: Iterable[str]) -> tuple[str, ...]:
    """The names of the nodes: at least one, text, unique."""
    names = tuple(nodes)
    if not names:
        raise InputError("a graph needs at least one node; none came.")
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise InputError(f"node {index} is called {name!r}; wanted a name, as text that is not empty.")
        if name in seen:
            raise InputError(
                f"the node {name!r} is there twice, at {names.index(name)} and {index}. Names must be unique."
            )
        seen.add(name)
    return names


def checked_edges(names: tuple[str, ...], edges: ArrayLike, directed: bool) -> NDArray[np.int64]:
    """Edges ``[E, 2]``, int64: in range, no self loop, none twice."""
    try:
        given = np.asarray(edges)
    except ValueError:
        raise InputError("edges are not all pairs; wanted [E, 2] indices (source, target).") from None
    if given.size == 0:
        return frozen(np.zeros((0, 2), dtype=np.int64))
    if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
        raise InputError(
            f"edges have shape {given.shape} and type {given.dtype}; wanted [E, 2] whole numbers (source, target). "
            "For edges by the names of nodes use STGraph.from_edges."
        )
    pairs = given.astype(np.int64)
    out = np.flatnonzero(((pairs < 0) | (pairs >= len(names))).any(axis=1))
    if out.size:
        raise InputError(
            f"edge {out[0]} is {tuple(pairs[out[0]].tolist())}; wanted indices from 0 to {len(names) - 1}: "
            f"the graph has {len(names)} nodes."
        )
    loops = np.flatnonzero(pairs[:, 0] == pairs[:, 1])
    if loops.size:
        raise InputError(
            f"edge {loops[0]} leads from {names[pairs[loops[0], 0]]!r} to itself. "
            "Leave self loops out: relations add them where they belong."
        )
    ends = pairs if directed else np.sort(pairs, axis=1)
    _, first, counts = np.unique(ends, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        source, target = pairs[int(first[counts > 1].min())].tolist()
        way = "" if directed else " (an undirected edge is given once, either way round)"
        raise InputError(f"the edge {names[source]!r} - {names[target]!r} is there more than once{way}. Give it once.")
    return frozen(pairs)


def checked_weight(names: tuple[str, ...], edges: NDArray[np.int64], weight: ArrayLike | None) -> NDArray[np.float64]:
    """Weights ``[E]``, float64, finite."""
    try:
        values = np.ones(len(edges)) if weight is None else np.asarray(weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"weight is {weight!r}; wanted [{len(edges)}] numbers, one per edge.") from None
    if values.shape != (len(edges),):
        raise InputError(
            f"weight has shape {values.shape}; wanted [{len(edges)}], one per edge. "
            "For weights that change over time use ChangingGraph."
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        source, target = edges[bad[0]].tolist()
        raise InputError(
            f"the edge {names[source]!r} - {names[target]!r} has the weight {values[bad[0]]}; wanted a finite number. "
            "Leave out edges that are not there."
        )
    return frozen(values)


def checked_groups(names: tuple[str, ...], groups: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Groups of known nodes, none empty, no node twice in one."""
    known, found = set(names), {}
    for group, members in groups.items():
        if isinstance(members, str):
            raise InputError(f"the group {group!r} is {members!r}; wanted a list of names of nodes.")
        found[str(group)] = tuple(members)
        if not found[str(group)]:
            raise InputError(f"the group {group!r} has no nodes. Leave it out.")
        for node in found[str(group)]:
            if node not in known:
                raise unknown(f"node in the group {group!r}:", node, names)
        if len(set(found[str(group)])) < len(found[str(group)]):
            raise InputError(f"the group {group!r} names a node twice: {', '.join(found[str(group)])}.")
    return found


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
            raise InputError(f"positions of {shown} are missing. Give those of all {len(names)} nodes, or none.")
        positions = [np.asarray(positions[name], dtype=np.float64) for name in names]
    try:
        values = np.asarray(positions, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"positions are not all pairs of numbers; wanted [{len(names)}, 2].") from None
    if values.shape != (len(names), 2):
        raise InputError(f"positions have shape {values.shape}; wanted [{len(names)}, 2], a point (x, y) per node.")
    if not np.isfinite(values).all():
        name = names[int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])]
        raise InputError(f"the position of {name!r} is NaN or infinite; wanted a point (x, y).")
    return frozen(values)


def node_index(node: int | str, names: Sequence[str], count: int, others: Sequence[str] = ()) -> int:
    """The index of a node that is given by its name or index.

    Args:
        node: name or index.
        names: of the nodes; none where no graph names them.
        count: how many there are, N.
        others: what else may be named, for the message.

    Raises:
        InputError: where there is no such node, with the nearest name.

    Example:
        >>> node_index("knee", ["hip", "knee"], 2), node_index(0, [], 2)
        (1, 0)
    """
    if isinstance(node, str):
        if not names:
            raise InputError(f"no graph names the nodes, so {node!r} cannot be found. Give `graph`, or an index.")
        if node not in names:
            raise unknown("node", node, [*names, *others])
        return list(names).index(node)
    if not 0 <= node < count:
        raise InputError(f"there is no node {node}: there are {count}, counted from 0 to {count - 1}.")
    return int(node)
