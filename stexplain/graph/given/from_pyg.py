"""What a graph of PyTorch Geometric holds, as an STGraph takes it. Nothing of it is imported: the graph brings it."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import InputError, unknown
from stexplain.graph.given.from_dgl import once_each
from stexplain.wording import an


def edges_of_pyg(
    data: Any, nodes: Iterable[str] | None, weight: str | None
) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64] | None, bool]:
    """Names, edges ``[E, 2]``, weights ``[E]`` or none, and whether the graph is directed; see `STGraph.from_pyg`.

    Raises:
        InputError: where it is no homogeneous graph of PyTorch Geometric, is a batch, or no edge has the weight.
    """
    if hasattr(data, "node_types") and hasattr(data, "edge_types"):
        raise InputError(
            f"data: got nodes {', '.join(map(str, data.node_types))}; expected one kind of nodes and of edges. Give "
            "data.to_homogeneous()."
        )
    index = getattr(data, "edge_index", None)
    if index is None or not hasattr(data, "num_nodes"):
        raise InputError(
            f"data: got {an(type(data).__name__)} without edge_index; expected a torch_geometric.data.Data with "
            "one. Of "
            "an edge_index alone: STGraph.from_edges(names, edge_index.T, directed=True)."
        )
    if getattr(data, "num_graphs", 1) > 1:
        raise InputError(
            f"data: got a batch of {data.num_graphs} graphs; expected one, which all samples share. Give batch[0]."
        )
    ends = np.asarray(index.detach().cpu().numpy())
    if ends.ndim != 2 or ends.shape[0] != 2:
        raise InputError(f"data: got edge_index of shape {ends.shape}; expected (2, E).")
    ends = ends.T.astype(np.int64)
    numbers = None
    name = weight or "edge_weight"
    values = getattr(data, name, None)
    if values is None and weight is not None:
        raise unknown("edge data (of weight=)", weight, _of_edges(data))
    if values is not None:
        numbers = np.asarray(values.detach().cpu().numpy(), dtype=np.float64)
        if numbers.size != len(ends):
            raise InputError(f"weight: got {name!r} of shape {numbers.shape}; expected one number per edge.")
        numbers = numbers.reshape(-1)
    return once_each(ends, numbers, nodes, int(data.num_nodes))


def _of_edges(data: Any) -> list[str]:
    """The names of what edges have."""
    found: list[str] = data.edge_attrs() if hasattr(data, "edge_attrs") else []
    return [name for name in found if name != "edge_index"]
