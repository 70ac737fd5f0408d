"""A graph in the form of other libraries or a notebook, and its spatio-temporal product: behind STGraph's methods."""

from html import escape
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


def to_pyg(graph: GraphFields) -> Any:
    """See `STGraph.to_pyg`."""
    import torch  # on demand: a graph does not need it

    arcs = graph.arcs()
    # Copies: the graph's own arrays are not to be written to.
    index = torch.as_tensor(np.stack([arcs.source, arcs.target]).astype(np.int64), device="cpu")
    return index, torch.as_tensor(arcs.weight.astype(np.float32), device="cpu")


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


# Of more nodes than this a small drawing is no longer read.
_DRAWN = 400
_SIZE = 220


def to_html(graph: GraphFields) -> str:
    """What it is, its groups, and a small drawing where nodes have positions; for a notebook, offline.

    Example:
        >>> from stexplain.graph import STGraph
        >>> to_html(STGraph.from_edges(["<a>", "b"], [("<a>", "b")], groups={"ends": ["<a>", "b"]}))
        '<p>STGraph(2 nodes, 1 edge, undirected, 1 group)</p><ul><li>ends: &lt;a&gt;, b</li></ul>'
    """
    parts = [f"<p>{escape(repr(graph))}</p>"]
    if graph.groups:
        listed = (
            f"<li>{escape(name)}: {escape(', '.join(members[:8]))}{', ...' if len(members) > 8 else ''}</li>"
            for name, members in graph.groups.items()
        )
        parts.append(f"<ul>{''.join(listed)}</ul>")
    if graph.positions is not None and 0 < len(graph) <= _DRAWN:
        parts.append(_svg(graph, graph.positions))
    return "".join(parts)


def _svg(graph: GraphFields, positions: Any) -> str:
    """Nodes and edges at their positions, upwards as in a plot; tooltips name the nodes."""
    low, extent = positions.min(0), float(np.ptp(positions, axis=0).max()) or 1.0
    places = (positions - low) / extent * (_SIZE - 20) + 10
    places[:, 1] = _SIZE - places[:, 1]
    lines = (
        f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" stroke="#8c8c8c"/>'
        for a, b in places[graph.edges]
    )
    dots = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#0072B2"><title>{escape(name)}</title></circle>'
        for (x, y), name in zip(places, graph.nodes, strict=True)
    )
    return f'<svg width="{_SIZE}" height="{_SIZE}" role="img">{"".join(lines)}{"".join(dots)}</svg>'
