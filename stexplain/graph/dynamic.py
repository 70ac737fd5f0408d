"""DynamicGraph: a graph that changes over time, as edge weights per frame over one union topology."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.graph.notices import warn_of_negative
from stexplain.graph.relations import Relations, over_time
from stexplain.graph.stgraph import STGraph, Strategy


@checked
class DynamicGraph:
    """A graph whose edges appear, disappear and change weight over time. Immutable, its arrays too.

    The union topology holds every edge that is present at some frame; where an edge is absent, its weight is zero.

    Args:
        graph: the union topology.
        weight: of every edge at every frame, ``[T, E]``, finite, edges in the order of ``graph.edges``.

    Attributes:
        graph: the union topology.
        weight: ``[T, E]``, float64.
        frames: T.

    Raises:
        InputError: where the shape is wrong or a weight is not finite.

    Warns:
        UserWarning: of negative weights.

    Example:
        >>> graph = STGraph("abc", [(0, 1), (1, 2)])
        >>> dynamic = DynamicGraph(graph, [[1.0, 0.0], [0.5, 2.0]])
        >>> dynamic
        DynamicGraph(2 frames of STGraph(3 nodes, 2 edges, undirected))
        >>> dynamic.at(0)
        STGraph(3 nodes, 1 edge, undirected)
    """

    def __init__(self, graph: STGraph, weight: ArrayLike):
        values = np.array(weight, dtype=np.float64)  # a copy, made read-only below
        if values.ndim != 2 or values.shape[1] != len(graph.edges) or not len(values):
            raise InputError(f"weight has shape {values.shape}; expected [T, {len(graph.edges)} edges], T at least 1.")
        if not np.isfinite(values).all():
            frame, edge = np.argwhere(~np.isfinite(values))[0].tolist()
            raise InputError(
                f"weight at frame {frame}, edge {edge}: got NaN or infinity; expected a finite number, zero where the "
                "edge is absent."
            )
        # A frame whose weights are negative where another's are not: of the lowest of each edge.
        warn_of_negative(graph.nodes, graph.edges, values.min(axis=0))
        self._set(graph, values)

    def _set(self, graph: STGraph, weight: NDArray[np.float64]) -> None:
        weight.setflags(write=False)
        self._graph, self._weight = graph, weight

    @property
    def graph(self) -> STGraph:
        """The union topology."""
        return self._graph

    @property
    def weight(self) -> NDArray[np.float64]:
        """Of every edge at every frame, ``[T, E]``."""
        return self._weight

    @property
    def frames(self) -> int:
        """The number of frames, T."""
        return len(self._weight)

    def __repr__(self) -> str:
        return f"DynamicGraph({self.frames} frame{'s' * (self.frames != 1)} of {self.graph})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DynamicGraph):
            return NotImplemented
        return self.frames == other.frames and all(self.at(t) == other.at(t) for t in range(self.frames))

    def __hash__(self) -> int:
        # Not of the union's edges: equal graphs may have unused edges in their unions.
        return hash((self.frames, self.graph.nodes, self.graph.directed))

    @classmethod
    def from_snapshots(cls, graphs: Sequence[STGraph]) -> "DynamicGraph":
        """From one graph per frame over the same nodes; groups, positions and centre are those of the first.

        Raises:
            InputError: where there is no graph, or nodes or direction differ.

        Example:
            >>> first = STGraph("abc", [(0, 1), (0, 2)])
            >>> second = STGraph("abc", [(1, 0), (1, 2)], [3.0, 2.0])
            >>> DynamicGraph.from_snapshots([first, second]).weight.tolist()
            [[1.0, 1.0, 0.0], [3.0, 0.0, 2.0]]
        """
        if not len(graphs):
            raise InputError("graphs: got none; expected at least one, a graph per frame.")
        first = graphs[0]
        for frame, graph in enumerate(graphs):
            if graph.nodes != first.nodes or graph.directed != first.directed:
                raise InputError(
                    f"graphs: frame {frame} has other nodes or another direction than frame 0; expected the same. "
                    "Use subgraph() or permute()."
                )
        column: dict[tuple[int, int], int] = {}
        entries = []
        for frame, graph in enumerate(graphs):
            # Frames may store an undirected edge in either direction.
            ends = graph.edges if graph.directed else np.sort(graph.edges, axis=1)
            for (source, target), value in zip(ends.tolist(), graph.weight.tolist(), strict=True):
                entries.append((frame, column.setdefault((source, target), len(column)), value))
        weight = np.zeros((len(graphs), len(column)))
        for frame, edge, value in entries:
            weight[frame, edge] = value
        union = STGraph._known(**{**first.fields(), "edges": list(column), "weight": np.ones(len(column))})
        # Negative weights were named when the graphs were made.
        dynamic = cls.__new__(cls)
        dynamic._set(union, weight)
        return dynamic

    def at(self, frame: int) -> STGraph:
        """The graph of one frame: the edges whose weight is not zero there.

        Raises:
            InputError: where there is no such frame.
        """
        if not 0 <= frame < self.frames:
            raise InputError(f"frame: got {frame}; expected 0 to {self.frames - 1}.")
        present = self.weight[frame] != 0
        edges, weight = self.graph.edges[present], self.weight[frame, present]
        return STGraph._known(**{**self.graph.fields(), "edges": edges, "weight": weight})

    def relations(self, strategy: Strategy = "uniform", **options: Any) -> Relations:
        """The relations of every frame over the union of their edges, with weights ``[T, E_k]``.

        Each frame is normalised separately; hop distances are those of the frame's own edges.

        Args:
            strategy: as of `STGraph.relations`.
            **options: of the strategy.

        Example:
            >>> dynamic = DynamicGraph(STGraph("ab", [(0, 1)]), [[1.0], [0.0]])
            >>> dynamic.relations("uniform").weight[0].round(3).tolist()
            [[0.5, 0.5, 0.5, 0.5], [1.0, 0.0, 0.0, 1.0]]
        """
        return over_time([self.at(frame).relations(strategy, **options) for frame in range(self.frames)])

    def unroll(self, *, temporal_weight: float = 1.0) -> STGraph:
        """The spatio-temporal product graph with the edges of each frame; see `STGraph.unroll`.

        Example:
            >>> DynamicGraph(STGraph("ab", [(0, 1)]), [[2.0], [0.0]]).unroll()
            STGraph(4 nodes, 3 edges, undirected)
        """
        product = self.graph.unroll(self.frames, temporal_weight=temporal_weight)
        # The first T * E edges of the product are the spatial ones, frame by frame, as in `weight`.
        spatial = self.weight.ravel()
        weight = np.concatenate([spatial, product.weight[len(spatial) :]])
        present = np.concatenate([spatial != 0, np.ones(len(product.edges) - len(spatial), dtype=bool)])
        return STGraph._known(**{**product.fields(), "edges": product.edges[present], "weight": weight[present]})
