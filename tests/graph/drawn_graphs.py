"""Graphs drawn by Hypothesis."""

import warnings

import numpy as np
from hypothesis import strategies as st

from stexplain.graph import STGraph
from tests.reference import graphs as reference


@st.composite
def graphs(draw: st.DrawFn, directed: bool | None = None, weighted: bool = True) -> STGraph:
    """Any graph of up to 8 nodes: directed or not, connected or not."""
    nodes = draw(st.integers(1, 8))
    directed = draw(st.booleans()) if directed is None else directed
    pairs = [(s, t) for s in range(nodes) for t in range(nodes) if (s != t if directed else s < t)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    weight = [draw(st.integers(1, 99)) / 7 for _ in edges] if weighted else None
    names = [f"n{index}" for index in range(nodes)]
    center = names[draw(st.integers(0, nodes - 1))]
    with warnings.catch_warnings():
        # Drawn so: what is said of nodes without an edge is held by test_notices.
        warnings.simplefilter("ignore")
        return STGraph(names, edges, weight, center=center, directed=directed)


def dense(graph: STGraph) -> np.ndarray:
    """The adjacency, ``[N, N]``."""
    return reference.dense_adjacency(len(graph), graph.edges, graph.weight, graph.directed)
