"""A graph in the form of other libraries, and its spatio-temporal product: the functions behind STGraph's methods."""

from typing import Any

import numpy as np

from stexplain.errors import InputError
from stexplain.graph.fields import GraphFields


def to_networkx(graph: GraphFields) -> Any:
    """See `STGraph.to_networkx`."""
    import networkx as nx  # on demand: most programs never need it

    groups = {name: list(members) for name, members in graph.groups.items()}
    exported: Any = (nx.DiGraph if graph.directed else nx.Graph)(center=graph.center, groups=groups)
    for index, name in enumerate(graph.nodes):
        exported.add_node(name, **({} if graph.positions is None else {"pos": tuple(graph.positions[index].tolist())}))
    for (source, target), weight in zip(graph.edges.tolist(), graph.weight.tolist(), strict=True):
        exported.add_edge(graph.nodes[source], graph.nodes[target], weight=weight)
    return exported


def to_dgl(graph: GraphFields) -> Any:
    """See `STGraph.to_dgl`."""
    from stexplain.backend.dgl import dgl_graph  # on demand: it imports torch, which a graph does not need

    arcs = graph.arcs()
    positions = {} if graph.positions is None else {"position": graph.positions}
    return dgl_graph(arcs.source, arcs.target, len(graph), positions, {"weight": arcs.weight})


def unrolled_fields(graph: GraphFields, frames: int, temporal_weight: float) -> dict[str, Any]:
    """The fields of the product graph; see `STGraph.unroll`."""
    if not isinstance(frames, int) or frames < 1:
        raise InputError(f"frames: got {frames!r}; expected an integer of at least 1.")
    count = len(graph)
    # [1, E, 2] + [T, 1, 1]: the edges of frame t are those of frame 0, t * N further on.
    spatial = (graph.edges[None] + count * np.arange(frames)[:, None, None]).reshape(-1, 2)
    earlier = np.arange(count * (frames - 1))
    temporal = np.stack([earlier, earlier + count], axis=1)
    return {
        "nodes": [f"{name}@{frame}" for frame in range(frames) for name in graph.nodes],
        "edges": np.concatenate([spatial, temporal]),
        "weight": np.concatenate([np.tile(graph.weight, frames), np.full(len(temporal), float(temporal_weight))]),
        "groups": {
            name: [f"{node}@{frame}" for frame in range(frames) for node in members]
            for name, members in graph.groups.items()
        },
        "directed": graph.directed,
    }
