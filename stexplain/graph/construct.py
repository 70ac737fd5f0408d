"""The constructors of STGraph: from edges, cards, skeletons, matrices, distances, coordinates, tables and networkx."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from stexplain.cards import DatasetCard, dataset_card
from stexplain.errors import InputError, unknown
from stexplain.graph.checks import checked_nodes
from stexplain.graph.edge_lists import adjacency_edges, kernel_edges, pairwise_distances
from stexplain.graph.fields import GraphFields
from stexplain.graph.skeletons import SKELETONS

if TYPE_CHECKING:
    import pandas as pd


class GraphConstructors(GraphFields):
    """The classmethods ``from_...`` of `STGraph`, and `skeleton`."""

    @classmethod
    def from_edges(
        cls,
        nodes: Iterable[str],
        edges: "Iterable[tuple[str, str]] | Iterable[tuple[int, int]] | pd.DataFrame",
        weight: ArrayLike | None = None,
        **fields: Any,
    ) -> Self:
        """A graph from its nodes and a list of edges.

        Args:
            nodes: N names.
            edges: pairs (source, target) of names or of indices; or a table whose first two columns are these, and
                whose column ``weight``, where it has one, gives the weights.
            weight: of every edge, ``[E]``.
            **fields: `groups`, `positions`, `center`, `directed` of `STGraph`.

        Raises:
            InputError: as `STGraph`, and for an unknown node, with the nearest name.

        Example:
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")]).edges.tolist()
            [[0, 1], [1, 2]]
        """
        names = checked_nodes(nodes)
        # A table is recognised by its columns, so that pandas need not be imported here.
        if hasattr(edges, "columns"):
            table: Any = edges
            edges = list(zip(table.iloc[:, 0].tolist(), table.iloc[:, 1].tolist(), strict=True))
            if weight is None and "weight" in table.columns:
                weight = table["weight"].to_numpy()
        index = {name: place for place, name in enumerate(names)}
        pairs = []
        for edge in edges:
            ends = tuple(edge)
            if len(ends) != 2:
                raise InputError(f"edges: got {edge!r} with {len(ends)} ends; expected a pair (source, target).")
            for end in ends:
                if isinstance(end, str) and end not in index:
                    raise unknown("node", end, names)
            pairs.append([index[end] if isinstance(end, str) else end for end in ends])
        return cls(names, pairs, weight, **fields)

    @classmethod
    def from_card(cls, card: "DatasetCard | str | Path") -> Self:
        """The graph of a dataset card.

        Args:
            card: the name of a bundled card, the path of one, or a card.

        Raises:
            CardError: where there is no such card, or it is invalid.
            InputError: where the card's graph is invalid, with the card's name.

        Example:
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_card("ntu")
            STGraph(25 nodes, 24 edges, undirected, 6 groups, center 'spine shoulder')
        """
        card = dataset_card(card)  # a card passes through unchanged
        part = card.graph
        try:
            return cls.from_edges(
                part.nodes,
                part.edges,
                part.weight,
                groups=part.groups,
                positions=part.positions or None,  # an empty table: the card has none
                center=part.center,
                directed=part.directed,
            )
        except InputError as error:
            raise InputError(f"the graph of the card {card.name!r}: {error}") from error

    @classmethod
    def skeleton(cls, name: str) -> Self:
        """The graph of a skeleton as a sensor or a format lists its joints, such as ``"kinect-v2"``.

        Raises:
            InputError: where there is none of this name, with the nearest.

        Example:
            >>> from stexplain.graph import STGraph
            >>> STGraph.skeleton("kinect-v2")
            STGraph(25 nodes, 24 edges, undirected, 6 groups, center 'spine shoulder')
        """
        if name not in SKELETONS:
            raise unknown("skeleton", name, SKELETONS)
        return cls.from_edges(**SKELETONS[name])

    @classmethod
    def from_adjacency(
        cls, matrix: Any, nodes: Iterable[str] | None = None, *, directed: bool | None = None, **fields: Any
    ) -> Self:
        """A graph from an adjacency matrix: entry [source, target] is the weight of an edge, zero where there is none.

        The diagonal is ignored: relations add self loops themselves.

        Args:
            matrix: ``[N, N]``, dense, or a scipy sparse matrix or array.
            nodes: N names; none: "0" to "N-1".
            directed: none: directed exactly where the matrix is not symmetric.
            **fields: `groups`, `positions`, `center` of `STGraph`.

        Raises:
            InputError: where the matrix is not square, has NaN or infinite entries, or is not symmetric although
                ``directed=False``.

        Example:
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_adjacency([[1.0, 0.5], [0.5, 1.0]], ["a", "b"]).weight.tolist()
            [0.5]
        """
        count, edges, weight, directed = adjacency_edges(matrix, directed)
        return cls(map(str, range(count)) if nodes is None else nodes, edges, weight, directed=directed, **fields)

    @classmethod
    def from_distances(
        cls,
        distances: ArrayLike,
        nodes: Iterable[str] | None = None,
        *,
        sigma: float | None = None,
        threshold: float | None = None,
        nearest: int | None = None,
        directed: bool | None = None,
        **fields: Any,
    ) -> Self:
        """A graph from distances by a Gaussian kernel: weight = exp(-d^2 / sigma^2), thresholded or k nearest.

        The kernel of Shuman et al. (2013), by default with the settings of DCRNN (Li et al. 2018).

        Args:
            distances: from source to target, ``[N, N]``, at least 0; infinite where there is no path.
            nodes: N names; none: "0" to "N-1".
            sigma: of the kernel, in the unit of the distances; none: the standard deviation of all finite distances.
            threshold: the smallest weight of an edge, in [0, 1]; none: 0.1, or no threshold where `nearest` is given.
            nearest: the number of edges into each node, from the nearest nodes. In an undirected graph an edge needs
                one end that selects it. Ties: the node that comes first.
            directed: none: directed exactly where the distances are not symmetric.
            **fields: `groups`, `positions`, `center` of `STGraph`.

        Raises:
            InputError: where a distance is negative or NaN, or a setting is out of its range.

        Example:
            >>> from stexplain.graph import STGraph
            >>> graph = STGraph.from_distances([[0, 1, 9], [1, 0, 1], [9, 1, 0]], ["a", "b", "c"], sigma=1.0)
            >>> graph.edges.tolist(), graph.weight.round(3).tolist()
            ([[0, 1], [1, 2]], [0.368, 0.368])
        """
        count, edges, weight, directed = kernel_edges(distances, sigma, threshold, nearest, directed)
        return cls(map(str, range(count)) if nodes is None else nodes, edges, weight, directed=directed, **fields)

    @classmethod
    def from_coordinates(
        cls,
        coordinates: ArrayLike,
        nodes: Iterable[str] | None = None,
        *,
        nearest: int = 4,
        geographic: bool = False,
        sigma: float | None = None,
        **options: Any,
    ) -> Self:
        """A k-nearest-neighbour graph of points, with the weights of `from_distances`.

        Args:
            coordinates: ``[N, 2]``, x and y in one unit; or longitude and latitude in degrees. They become the
                positions.
            nodes: N names; none: "0" to "N-1".
            nearest: the number of edges into each node.
            geographic: whether coordinates are longitude and latitude. Distances are then in metres along great
                circles (haversine formula, earth's mean radius).
            sigma: of the kernel, in the unit of the distances; see `from_distances`.
            **options: `threshold`, `directed`, `groups`, `center`, as of `from_distances`.

        Raises:
            InputError: where a coordinate is not finite or no longitude and latitude, or as `from_distances`.

        Example:
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_coordinates([(0, 0), (1, 0), (3, 0)], ["a", "b", "c"], nearest=1).edges.tolist()
            [[0, 1], [1, 2]]
        """
        # Given positions win: a network may be drawn otherwise than it lies.
        options = {"positions": np.asarray(coordinates), **options}
        distances = pairwise_distances(coordinates, geographic)
        return cls.from_distances(distances, nodes, sigma=sigma, nearest=nearest, **options)

    @classmethod
    def from_pandas(
        cls,
        table: "pd.DataFrame",
        nodes: Iterable[str] | None = None,
        *,
        source: str | None = None,
        target: str | None = None,
        weight: str | None = None,
        **fields: Any,
    ) -> Self:
        """A graph from a table of edges. Ids are names, numbers too: the sensor 773869 is the node "773869".

        Args:
            table: one row per edge.
            nodes: N names in the order of the data; none: the table's, sources first, in the order of its rows.
            source: the column of sources; none: the first.
            target: the column of targets; none: the second.
            weight: the column of weights; none: ``weight`` where there is one, else ones.
            **fields: `groups`, `positions`, `center`, `directed` of `STGraph`.

        Raises:
            InputError: as `STGraph`, and for an unknown column or node, with the nearest name.

        Example:
            >>> import pandas as pd
            >>> from stexplain.graph import STGraph
            >>> table = pd.DataFrame({"from": [7, 5], "to": [5, 9], "weight": [1.0, 0.5]})
            >>> STGraph.from_pandas(table, directed=True).nodes
            ('7', '5', '9')
        """
        columns = [str(name) for name in table.columns]
        if len(columns) < 2:
            raise InputError(f"table: got the columns {columns}; expected at least two, source and target of edges.")
        for name in (source, target, weight):
            if name is not None and name not in table.columns:
                raise unknown("column", name, columns)
        ends = [table.iloc[:, place] if name is None else table[name] for place, name in enumerate((source, target))]
        sources, targets = ([str(value) for value in column.tolist()] for column in ends)
        # A dict keeps the order of first appearance, which a set does not.
        names = list(dict.fromkeys([*sources, *targets])) if nodes is None else [str(name) for name in nodes]
        # Checked here and not in `from_edges`, to name the table in the message.
        known = set(names)
        for name in [*sources, *targets]:
            if name not in known:
                raise unknown("node (in the table of edges)", name, names)
        weight = weight or ("weight" if "weight" in table.columns else None)
        weights = None if weight is None else table[weight].to_numpy()
        return cls.from_edges(names, zip(sources, targets, strict=True), weights, **fields)

    @classmethod
    def from_networkx(cls, graph: Any, *, weight: str = "weight", position: str = "pos") -> Self:
        """A graph from networkx, in the order of its nodes; their names become text.

        Args:
            graph: a `networkx.Graph` or `DiGraph`. Its attributes ``center`` and ``groups`` are read too.
            weight: the attribute of edges that holds the weight; 1 where an edge has none.
            position: the attribute of nodes that holds the position, ``(x, y)``; all nodes or none.

        Raises:
            InputError: as `STGraph`; parallel edges and self loops are refused.

        Example:
            >>> import networkx as nx
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_networkx(nx.path_graph(4))
            STGraph(4 nodes, 3 edges, undirected)
        """
        if not all(hasattr(graph, name) for name in ("is_directed", "nodes", "edges", "graph")):
            raise InputError(f"graph: got a {type(graph).__name__}; expected a networkx Graph or DiGraph.")
        # Edges by index, not by name: networkx nodes may be any object, and two may have one text.
        index = {node: place for place, node in enumerate(graph.nodes)}
        edges = list(graph.edges(data=weight, default=1.0))
        center = graph.graph.get("center")
        points = {str(node): point for node, point in graph.nodes(data=position) if point is not None}
        return cls(
            [str(node) for node in graph.nodes],
            [(index[source], index[target]) for source, target, _ in edges],
            [value for _, _, value in edges],
            groups={name: [str(node) for node in nodes] for name, nodes in graph.graph.get("groups", {}).items()},
            positions=points or None,
            center=None if center is None else str(center),
            directed=graph.is_directed(),
        )
