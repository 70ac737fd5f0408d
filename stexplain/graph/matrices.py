"""The constructors of STGraph from adjacency matrices, distances, coordinates, and graphs of other libraries."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from stexplain.checking import checked, takes_masks
from stexplain.errors import InputError, unknown
from stexplain.graph.checks import checked_nodes, checked_options
from stexplain.graph.coordinates import checked_points, neighbour_pairs, of_columns, spread_of_distances
from stexplain.graph.distances import distance_pairs, kernel_edges
from stexplain.graph.edge_lists import EdgeList, adjacency_edges
from stexplain.graph.fields import GraphFields
from stexplain.graph.given.from_dgl import edges_of_dgl
from stexplain.graph.given.from_pyg import edges_of_pyg
from stexplain.graph.labels import order_of
from stexplain.graph.notices import warn_of_graph, warn_of_half, warn_of_loops

if TYPE_CHECKING:
    import pandas as pd


@checked
class MatrixConstructors(GraphFields):
    """The classmethods of `STGraph` that take numbers between nodes, or their places."""

    @classmethod
    @takes_masks("matrix")
    def from_adjacency(
        cls, matrix: Any, nodes: Iterable[str] | None = None, *, directed: bool | None = None, **fields: Any
    ) -> Self:
        """A graph from an adjacency matrix: entry [source, target] is the weight of an edge, zero where there is none.

        The diagonal is left out, with a warning: relations add self loops themselves. So are masked entries.

        Args:
            matrix: ``[N, N]``, dense, or a scipy sparse matrix or array; or a pandas table or xarray array whose labels
                name rows and columns: columns are then matched by name, in whatever order.
            nodes: N names; none: those of the labels, else "0" to "N-1". Of a labelled table they give the order.
            directed: none: directed exactly where the matrix is not symmetric, but for rounding.
            **fields: `groups`, `positions`, `center` of `STGraph`.

        Raises:
            InputError: where the matrix is not square, has NaN or infinite entries, has other labels of rows than of
                columns, or is not symmetric although ``directed=False``.

        Warns:
            UserWarning: of self loops, of nodes without an edge, of negative weights, and of a matrix of which one half
                is empty.

        Example:
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_adjacency([[0.0, 0.5], [0.5, 0.0]], ["a", "b"]).weight.tolist()
            [0.5]
        """
        found = adjacency_edges(matrix, directed)
        if directed is None and found.directed:
            warn_of_half(found.edges, found.size, "the matrix")
        return cls._found(found, nodes, fields)

    @classmethod
    def _found(cls, found: EdgeList, nodes: Iterable[str] | None, fields: dict[str, Any]) -> Self:
        """The graph of edges that were found, with nodes in the order that is requested."""
        edges, loops, names = found.edges, found.loops, found.nodes or tuple(map(str, range(found.size)))
        if nodes is not None and found.nodes is not None:
            expected = checked_nodes(map(str, nodes))
            for name in names:
                if name not in expected:
                    raise unknown("node (in the labels)", name, expected)
            place = {name: index for index, name in enumerate(expected)}
            order = np.array([place[name] for name in names])
            edges, loops, names = order[edges], order[loops], expected
        elif nodes is not None:
            names = checked_nodes(nodes)
            if len(names) != found.size:
                raise InputError(f"nodes: got {len(names)} names; expected {found.size}, one for each row.")
        graph = cls._known(names, edges, found.weight, directed=found.directed, **checked_options(fields))
        warn_of_loops([names[int(index)] for index in loops])
        warn_of_graph(graph.nodes, graph.edges, graph.weight)
        return graph

    @classmethod
    @takes_masks("distances")
    def from_distances(
        cls,
        distances: Any,
        nodes: Iterable[str] | None = None,
        *,
        source: str | None = None,
        target: str | None = None,
        distance: str | None = None,
        sigma: float | None = None,
        threshold: float | None = None,
        nearest: int | None = None,
        directed: bool | None = None,
        **fields: Any,
    ) -> Self:
        """A graph from distances by a Gaussian kernel: weight = exp(-d^2 / sigma^2), thresholded or k nearest.

        The kernel of Shuman et al. (2013), by default with the settings of DCRNN (Li et al. 2018).

        Args:
            distances: from source to target, ``[N, N]``, at least 0; infinite where there is no path. Labels of a
                table are the nodes' names. Or a sparse matrix, or a table with a row for each pair: between pairs that
                are not in it there is no path. Where a table lists every link in one direction, both are meant.
            nodes: N names; none: those of the table, else "0" to "N-1". Of named nodes they give the order.
            source: the column of sources in a table of pairs; none: known by its name (``from``, ``source``, ...), else
                the first.
            target: the column of targets; none: by its name, else the second.
            distance: the column of distances; none: by its name (``cost``, ``distance``, ...), else the third.
            sigma: of the kernel, in the unit of the distances; none: the standard deviation of all finite distances,
                those of a matrix with its diagonal.
            threshold: the smallest weight of an edge, in [0, 1]; none: 0.1, or no threshold where `nearest` is given.
            nearest: the number of edges into each node, from the nearest nodes. In an undirected graph an edge needs
                one end that selects it. Ties: the node that comes first.
            directed: none: directed exactly where the distances are not symmetric, but for rounding.
            **fields: `groups`, `positions`, `center` of `STGraph`.

        Raises:
            InputError: where a distance is negative or NaN, a pair is listed with two distances, zeros stand for no
                link, or a setting is out of its range.

        Warns:
            UserWarning: of nodes without an edge, of a large number that seems to stand for no path, and of a matrix of
                which one half is empty.

        Example:
            >>> from stexplain.graph import STGraph
            >>> graph = STGraph.from_distances([[0, 1, 9], [1, 0, 1], [9, 1, 0]], ["a", "b", "c"], sigma=1.0)
            >>> graph.edges.tolist(), graph.weight.round(3).tolist()
            ([[0, 1], [1, 2]], [0.368, 0.368])
        """
        pairs = distance_pairs(distances, source, target, distance)
        if directed is None and not pairs.once:
            apart = np.flatnonzero(pairs.source != pairs.target)
            warn_of_half(np.stack([pairs.source[apart], pairs.target[apart]], 1), pairs.size, "the matrix of distances")
        return cls._found(kernel_edges(pairs, sigma, threshold, nearest, directed), nodes, fields)

    @classmethod
    def from_coordinates(
        cls,
        coordinates: "ArrayLike | pd.DataFrame",
        nodes: Iterable[str] | None = None,
        *,
        nearest: int = 4,
        geographic: bool | None = None,
        sigma: float | None = None,
        **options: Any,
    ) -> Self:
        """A k-nearest-neighbour graph of points, with the weights of `from_distances`.

        Args:
            coordinates: ``[N, 2]`` or ``[N, 3]``, x, y and z in one unit; or longitude (-180 to 180, or 0 to 360) and
                latitude in degrees. The first two become the positions, unless others are given. Of a table, columns
                named ``x``, ``y``, ``z`` or ``longitude``, ``latitude`` (``lon``, ``lat``) are found by name, in
                whatever order.
            nodes: N names; none: the labels of a table's rows, or its column of ids, such as ``sensor_id``, else "0" to
                "N-1". Of named rows they give the order.
            nearest: the number of edges into each node.
            geographic: whether coordinates are longitude and latitude. Distances are then in metres along great
                circles (haversine formula, earth's mean radius). None: as a table's columns are named, else no.
            sigma: of the kernel, in the unit of the distances; none: the standard deviation of all distances.
            **options: `threshold`, `directed`, `groups`, `center`, as of `from_distances`; `positions` for drawing.

        Raises:
            InputError: where a coordinate is not finite or no longitude and latitude, or as `from_distances`.

        Example:
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_coordinates([(0, 0), (1, 0), (3, 0)], ["a", "b", "c"], nearest=1).edges.tolist()
            [[0, 1], [1, 2]]
        """
        names, given, geographic = of_columns(coordinates, geographic)
        points = checked_points(given, geographic)
        if names is not None and nodes is not None:
            nodes = checked_nodes(map(str, nodes))
            points = points[order_of(names, nodes, "a label of coordinates")]
        nodes = names if nodes is None else nodes
        if not isinstance(nearest, int) or nearest < 1:
            raise InputError(f"nearest: got {nearest!r}; expected an integer of at least 1.")
        threshold, directed = options.pop("threshold", None), options.pop("directed", None)
        width = spread_of_distances(points, geographic) if sigma is None else sigma
        pairs = neighbour_pairs(points, nearest, geographic)
        # Given positions win: a network may be drawn otherwise than it lies.
        fields = {"positions": points[:, :2], **options}
        return cls._found(kernel_edges(pairs, width, threshold, nearest, directed), nodes, fields)


@checked
class LibraryConstructors(GraphFields):
    """The classmethods of `STGraph` that take graphs of libraries for networks on graphs."""

    @classmethod
    def from_dgl(
        cls, graph: Any, nodes: Iterable[str] | None = None, *, weight: str | None = None, **fields: Any
    ) -> Self:
        """A graph from DGL, in the order of its nodes. Self loops are left out; edges both ways are undirected ones.

        Args:
            graph: a homogeneous `dgl.DGLGraph`. Of a batch give one of `dgl.unbatch(graph)`: its samples share it.
            nodes: N names; none: "0" to "N-1".
            weight: the name of weights in ``graph.edata``, one number per edge; none: ones. Where both directions of an
                edge have the same, the graph is undirected.
            **fields: `groups`, `positions`, `center` of `STGraph`.

        Raises:
            InputError: as `STGraph`; for several kinds of nodes or edges, a batch, and a weight that no edge has.

        Warns:
            UserWarning: of nodes without an edge and of negative weights.

        Example:
            >>> import dgl
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_dgl(dgl.add_self_loop(dgl.graph(([0, 1, 1, 2], [1, 0, 2, 1]))), ["hip", "knee", "foot"])
            STGraph(3 nodes, 2 edges, undirected)
        """
        names, pairs, numbers, directed = edges_of_dgl(graph, nodes, weight)
        return cls(names, pairs, numbers, directed=directed, **checked_options(fields))

    @classmethod
    def from_pyg(
        cls, data: Any, nodes: Iterable[str] | None = None, *, weight: str | None = None, **fields: Any
    ) -> Self:
        """A graph from PyTorch Geometric, in the order of its nodes.

        Self loops are left out; edges both ways are undirected ones.

        Args:
            data: a `torch_geometric.data.Data`, with an ``edge_index`` ``[2, E]``. Of a batch give one of its graphs,
                ``batch[0]``: its samples share it.
            nodes: N names; none: "0" to "N-1".
            weight: the name of weights in `data`, one number per edge, such as ``"edge_attr"``; none: ``edge_weight``
                where there is one, else ones. Where both directions of an edge have the same, the graph is undirected.
            **fields: `groups`, `positions`, `center` of `STGraph`.

        Raises:
            InputError: as `STGraph`; for several kinds of nodes or edges, a batch, and a weight that no edge has.

        Warns:
            UserWarning: of nodes without an edge and of negative weights.

        Example:
            >>> import torch
            >>> from types import SimpleNamespace
            >>> from stexplain.graph import STGraph
            >>> data = SimpleNamespace(num_nodes=3, edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
            >>> STGraph.from_pyg(data, ["hip", "knee", "foot"])
            STGraph(3 nodes, 2 edges, undirected)
        """
        names, pairs, numbers, directed = edges_of_pyg(data, nodes, weight)
        return cls(names, pairs, numbers, directed=directed, **checked_options(fields))
