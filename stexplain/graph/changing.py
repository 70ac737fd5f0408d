"""ChangingGraph: a graph that changes over time, as weights per frame over one union topology."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.errors import InputError
from stexplain.graph.relations import Relations, over_time
from stexplain.graph.stgraph import STGraph, Strategy


class ChangingGraph:
    """A graph whose edges come, go and change weight over time. Immutable, its arrays too.

    The union topology holds every edge that is there at some frame; where an edge is not there, its weight is zero.

    Args:
        graph: the union topology.
        weight: of every edge at every frame, ``[T, E]``, finite, edges in the order of ``graph.edges``.

    Attributes:
        graph: the union topology.
        weight: ``[T, E]``, float64.
        frames: T.

    Raises:
        InputError: where the shape does not fit or a weight is not finite.

    Example:
        >>> graph = STGraph("abc", [(0, 1), (1, 2)])
        >>> changing = ChangingGraph(graph, [[1.0, 0.0], [0.5, 2.0]])
        >>> changing
        ChangingGraph(2 frames of STGraph(3 nodes, 2 edges, undirected))
        >>> changing.at(0)
        STGraph(3 nodes, 1 edge, undirected)
    """

    def __init__(self, graph: STGraph, weight: ArrayLike):
        values = np.array(weight, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(graph.edges) or not len(values):
            raise InputError(f"weight has shape {values.shape}; wanted [T, {len(graph.edges)} edges], T at least 1.")
        if not np.isfinite(values).all():
            frame, edge = np.argwhere(~np.isfinite(values))[0].tolist()
            raise InputError(
                f"weight at frame {frame}, edge {edge} is NaN or infinite; zero says that it is not there."
            )
        values.setflags(write=False)
        self._graph, self._weight = graph, values

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
        return f"ChangingGraph({self.frames} frame{'s' * (self.frames != 1)} of {self.graph})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChangingGraph):
            return NotImplemented
        return self.frames == other.frames and all(self.at(t) == other.at(t) for t in range(self.frames))

    def __hash__(self) -> int:
        return hash((self.frames, self.graph.nodes, self.graph.directed))

    @classmethod
    def from_snapshots(cls, graphs: Sequence[STGraph]) -> "ChangingGraph":
        """From a graph per frame, over the same nodes; what else it knows is taken from the first.

        Raises:
            InputError: where none came, or nodes or direction differ.

        Example:
            >>> first, second = STGraph("abc", [(0, 1)]), STGraph("abc", [(1, 0), (1, 2)], [3.0, 2.0])
            >>> ChangingGraph.from_snapshots([first, second]).weight.tolist()
            [[1.0, 0.0], [3.0, 2.0]]
        """
        if not graphs:
            raise InputError("a changing graph needs at least one frame; no graphs came.")
        first = graphs[0]
        for frame, graph in enumerate(graphs):
            if graph.nodes != first.nodes or graph.directed != first.directed:
                raise InputError(f"the graph of frame {frame} has other nodes or direction than that of frame 0.")
        place: dict[tuple[int, int], int] = {}
        cells = []
        for frame, graph in enumerate(graphs):
            ends = graph.edges if graph.directed else np.sort(graph.edges, axis=1)
            for (source, target), value in zip(ends.tolist(), graph.weight.tolist(), strict=True):
                cells.append((frame, place.setdefault((source, target), len(place)), value))
        weight = np.zeros((len(graphs), len(place)))
        for frame, edge, value in cells:
            weight[frame, edge] = value
        union = STGraph.from_dict({**first.to_dict(), "edges": list(place), "weight": np.ones(len(place))})
        return cls(union, weight)

    def at(self, frame: int) -> STGraph:
        """The graph of one frame: the edges whose weight is not zero then.

        Raises:
            InputError: where there is no such frame.
        """
        if not 0 <= frame < self.frames:
            raise InputError(f"frame is {frame}; wanted 0 to {self.frames - 1}.")
        there = self.weight[frame] != 0
        parts = {**self.graph.to_dict(), "edges": self.graph.edges[there], "weight": self.weight[frame, there]}
        return STGraph.from_dict(parts)

    def relations(self, strategy: Strategy = "uniform", **options: Any) -> Relations:
        """The relations of every frame over the union of their edges, with weights ``[T, E_k]``.

        Each frame is normalised by itself. Partitions by distance are those of the frame's own edges.

        Args:
            strategy: as of `STGraph.relations`.
            **options: of the strategy.

        Example:
            >>> changing = ChangingGraph(STGraph("ab", [(0, 1)]), [[1.0], [0.0]])
            >>> changing.relations("uniform").weight[0].round(3).tolist()
            [[0.5, 0.5, 0.5, 0.5], [1.0, 0.0, 0.0, 1.0]]
        """
        return over_time([self.at(frame).relations(strategy, **options) for frame in range(self.frames)])

    def unroll(self, *, temporal_weight: float = 1.0) -> STGraph:
        """The spatio-temporal product graph with the edges of each frame; nodes as of `STGraph.unroll`.

        Example:
            >>> ChangingGraph(STGraph("ab", [(0, 1)]), [[2.0], [0.0]]).unroll()
            STGraph(4 nodes, 3 edges, undirected)
        """
        whole = self.graph.unroll(self.frames, temporal_weight=temporal_weight)
        spatial = self.weight.ravel()
        weight = np.concatenate([spatial, whole.weight[len(spatial) :]])
        there = np.concatenate([spatial != 0, np.ones(len(whole.edges) - len(spatial), dtype=bool)])
        return STGraph.from_dict({**whole.to_dict(), "edges": whole.edges[there], "weight": weight[there]})
