"""What a graph of DGL holds, as an STGraph takes it. Nothing of DGL is imported: the graph brings it."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import InputError, unknown
from stexplain.wording import an


def edges_of_dgl(
    graph: Any, nodes: Iterable[str] | None, weight: str | None
) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64] | None, bool]:
    """Names, edges ``[E, 2]``, weights ``[E]`` or none, and whether the graph is directed; see `STGraph.from_dgl`.

    Raises:
        InputError: where it is no homogeneous graph of DGL, is a batch, or no edge has the weight.
    """
    if not all(hasattr(graph, name) for name in ("num_nodes", "edges", "edata", "canonical_etypes")):
        raise InputError(f"graph: got {an(type(graph).__name__)}; expected a dgl.DGLGraph.")
    if len(graph.ntypes) != 1 or len(graph.canonical_etypes) != 1:
        raise InputError(
            f"graph: got nodes {', '.join(graph.ntypes)} with edges {', '.join(graph.etypes)}; expected one kind of "
            "both. Give dgl.to_homogeneous(graph), or graph[kind] of one kind."
        )
    if graph.batch_size > 1:
        raise InputError(
            f"graph: got a batch of {graph.batch_size} graphs; expected one, which all samples share. Give "
            "dgl.unbatch(graph)[0]."
        )
    ends = np.stack([each.detach().cpu().numpy() for each in graph.edges(order="eid")], axis=1).astype(np.int64)
    numbers = None
    if weight is not None:
        if weight not in graph.edata:
            raise unknown("edge data (of weight=)", weight, list(graph.edata))
        numbers = np.asarray(graph.edata[weight].detach().cpu().numpy(), dtype=np.float64)
        if numbers.size != len(ends):
            raise InputError(f"weight: got {weight!r} of shape {numbers.shape}; expected one number per edge.")
        numbers = numbers.reshape(-1)
    return once_each(ends, numbers, nodes, graph.num_nodes())


def once_each(
    ends: NDArray[np.int64], numbers: NDArray[np.float64] | None, nodes: Iterable[str] | None, count: int
) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64] | None, bool]:
    """Names, edges, weights and whether it is directed, of edges that may be listed both ways, with self loops.

    Args:
        ends: source and target, ``[E, 2]``.
        numbers: weights ``[E]``, or none.
        nodes: names; none: "0" to "N-1".
        count: N.

    Raises:
        InputError: where there is another number of names.

    Example:
        >>> once_each(np.array([[0, 1], [1, 0], [1, 1]]), None, ["hip", "knee"], 2)
        (['hip', 'knee'], array([[0, 1]]), None, False)
    """
    kept = ends[:, 0] != ends[:, 1]
    ends, numbers = ends[kept], None if numbers is None else numbers[kept]
    names = [str(node) for node in range(count)] if nodes is None else list(nodes)
    if len(names) != count:
        raise InputError(f"nodes: got {len(names)} names; expected {count}, one per node of the graph.")
    values = np.ones(len(ends)) if numbers is None else numbers
    by_pair = {tuple(pair): value for pair, value in zip(ends.tolist(), values.tolist(), strict=True)}
    if any(by_pair.get((target, source)) != value for (source, target), value in by_pair.items()):
        return names, ends, numbers, True
    one_way = ends[:, 0] < ends[:, 1]
    return names, ends[one_way], None if numbers is None else numbers[one_way], False
