"""STGraph: the nodes and edges on which signals live, whatever they are: joints, sensors, regions of a brain."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.cards import DatasetCard, dataset_card
from stexplain.errors import InputError, unknown
from stexplain.graph.checks import checked_edges, checked_groups, checked_nodes, checked_positions, checked_weight
from stexplain.graph.relations import Arcs, Relations
from stexplain.graph.sources import between, kernel_edges, matrix_edges, networkx_parts, table_parts
from stexplain.graph.strategies import relations_of

if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse as sp

__all__ = ["Relations", "STGraph"]

Strategy = str | Callable[..., Any]
_FIELDS = ("nodes", "edges", "weight", "groups", "positions", "center", "directed")


class STGraph:
    """A graph whose nodes carry signals over time. Immutable, its arrays too.

    An undirected edge is stored once, either way round. Exports and relations hold it both ways.

    Args:
        nodes: N names, unique; their order is that of the data.
        edges: source and target of every edge, ``[E, 2]``, int in [0, N). No self loop (relations add them where they
            belong), no edge twice.
        weight: of every edge, ``[E]``, finite; ones where none is given.
        groups: names of nodes by the name of their group, such as ``{"left arm": ["left hand", ...]}``.
        positions: where the nodes are drawn, ``[N, 2]``, or by name; all or none.
        center: the name of the node that is the centre, for relations by distance to it.
        directed: whether edges go one way only.

    Attributes:
        nodes: the names, a tuple.
        edges: ``[E, 2]``, int64.
        weight: ``[E]``, float64.
        groups: a read-only mapping from a name to a tuple of nodes.
        positions: ``[N, 2]``, float64, or none.
        center: a name, or none.
        directed: bool.

    Raises:
        InputError: where one of this does not hold; the message names the node, edge or group.

    Example:
        >>> graph = STGraph(["hip", "knee", "foot"], [(0, 1), (1, 2)], center="hip")
        >>> graph
        STGraph(3 nodes, 2 edges, undirected, center 'hip')
        >>> graph.index("kne")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown node 'kne'. Did you mean 'knee'?
    """

    nodes: tuple[str, ...]
    edges: NDArray[np.int64]
    weight: NDArray[np.float64]
    groups: Mapping[str, tuple[str, ...]]
    positions: NDArray[np.float64] | None
    center: str | None
    directed: bool

    def __init__(
        self,
        nodes: Iterable[str],
        edges: ArrayLike,
        weight: ArrayLike | None = None,
        *,
        groups: Mapping[str, Iterable[str]] | None = None,
        positions: Mapping[str, ArrayLike] | ArrayLike | None = None,
        center: str | None = None,
        directed: bool = False,
    ):
        names = checked_nodes(nodes)
        numbers = checked_edges(names, edges, directed)
        if center is not None and center not in names:
            raise unknown("node (as the centre)", center, names)
        self.__dict__.update(
            nodes=names,
            edges=numbers,
            weight=checked_weight(names, numbers, weight),
            groups=MappingProxyType(checked_groups(names, groups or {})),
            positions=checked_positions(names, positions),
            center=center,
            directed=bool(directed),
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an STGraph does not change: {name!r} cannot be set. Make another graph.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an STGraph does not change: {name!r} cannot be deleted.")

    def __reduce__(self) -> tuple[Any, ...]:
        return STGraph.from_dict, (self.to_dict(),)

    def __copy__(self) -> "STGraph":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "STGraph":
        return self

    def __len__(self) -> int:
        """The number of nodes, N."""
        return len(self.nodes)

    def __repr__(self) -> str:
        parts = [f"{len(self)} node{'s' * (len(self) != 1)}", f"{len(self.edges)} edge{'s' * (len(self.edges) != 1)}"]
        parts.append("directed" if self.directed else "undirected")
        if self.groups:
            parts.append(f"{len(self.groups)} group{'s' * (len(self.groups) != 1)}")
        if self.center is not None:
            parts.append(f"center {self.center!r}")
        return f"STGraph({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, STGraph) else NotImplemented

    def __hash__(self) -> int:
        return int(self.hash[:15], 16)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what the graph is. The order of edges, and the way round of undirected ones, is no matter."""
        ends = self.edges if self.directed else np.sort(self.edges, axis=1)
        order = np.lexsort((ends[:, 1], ends[:, 0]))
        content = {**self.to_dict(), "edges": ends[order].tolist(), "weight": self.weight[order].tolist()}
        return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.nodes)}

    def index(self, name: str) -> int:
        """The index of a node, in [0, N).

        Raises:
            InputError: where there is no such node, with the nearest name.
        """
        if name not in self._indices:
            raise unknown("node", name, self.nodes)
        return self._indices[name]

    def group(self, name: str) -> NDArray[np.int64]:
        """The indices of the nodes of a group, in the group's order.

        Raises:
            InputError: where there is no such group, with the nearest name.

        Example:
            >>> STGraph("abc", [(0, 1)], groups={"end": ["c", "a"]}).group("end")
            array([2, 0])
        """
        if name not in self.groups:
            raise unknown("group", name, self.groups)
        return np.array([self.index(node) for node in self.groups[name]], dtype=np.int64)

    def groups_of(self, name: str) -> tuple[str, ...]:
        """The names of the groups that a node belongs to."""
        self.index(name)
        return tuple(group for group, members in self.groups.items() if name in members)

    # ---- making one -------------------------------------------------------------------------------------------------

    @classmethod
    def from_edges(
        cls,
        nodes: Iterable[str],
        edges: "Iterable[tuple[str, str]] | Iterable[tuple[int, int]] | pd.DataFrame",
        weight: ArrayLike | None = None,
        **rest: Any,
    ) -> "STGraph":
        """A graph from its nodes and a list of edges.

        Args:
            nodes: N names.
            edges: pairs (source, target) of names or of indices; or a table whose first two columns are that, and
                whose column ``weight``, where it has one, gives the weights.
            weight: of every edge, ``[E]``.
            **rest: `groups`, `positions`, `center`, `directed`, as of `STGraph`.

        Raises:
            InputError: as `STGraph`, and for an unknown node, with the nearest name.

        Example:
            >>> STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")]).edges.tolist()
            [[0, 1], [1, 2]]
        """
        names = checked_nodes(nodes)
        if hasattr(edges, "columns"):
            table: Any = edges
            edges = list(zip(table.iloc[:, 0].tolist(), table.iloc[:, 1].tolist(), strict=True))
            if weight is None and "weight" in table.columns:
                weight = table["weight"].to_numpy()
        known = {name: index for index, name in enumerate(names)}
        pairs = []
        for edge in edges:
            ends = tuple(edge)
            if len(ends) != 2:
                raise InputError(f"the edge {edge!r} has {len(ends)} ends; wanted a pair (source, target).")
            for end in ends:
                if isinstance(end, str) and end not in known:
                    raise unknown("node", end, names)
            pairs.append([known[end] if isinstance(end, str) else end for end in ends])
        return cls(names, pairs, weight, **rest)

    @classmethod
    def from_card(cls, card: "DatasetCard | str | Path") -> "STGraph":
        """The graph of a dataset card.

        Args:
            card: the name of a bundled card, the path of one, or a card.

        Raises:
            CardError: where there is no such card, or it is not valid.
            InputError: where its graph is not one, naming the card.

        Example:
            >>> STGraph.from_card("ntu")
            STGraph(25 nodes, 24 edges, undirected, 6 groups, center 'spine shoulder')
        """
        card = dataset_card(card)
        part = card.graph
        try:
            return cls.from_edges(
                part.nodes,
                part.edges,
                part.weight,
                groups=part.groups,
                positions=part.positions or None,
                center=part.center,
                directed=part.directed,
            )
        except InputError as error:
            raise InputError(f"the graph of the card {card.name!r}: {error}") from error

    @classmethod
    def from_adjacency(
        cls, matrix: Any, nodes: Iterable[str] | None = None, *, directed: bool | None = None, **rest: Any
    ) -> "STGraph":
        """A graph from an adjacency matrix: entry [source, target] is the weight of an edge, zero where there is none.

        The diagonal is left out: relations add self loops themselves.

        Args:
            matrix: ``[N, N]``, dense, or a scipy sparse matrix or array.
            nodes: N names; "0" to "N-1" where none are given.
            directed: none: directed exactly where the matrix is not symmetric.
            **rest: `groups`, `positions`, `center`, as of `STGraph`.

        Raises:
            InputError: where the matrix is not square, has NaN or infinite entries, or is not symmetric although
                ``directed=False``.

        Example:
            >>> STGraph.from_adjacency([[1.0, 0.5], [0.5, 1.0]], ["a", "b"]).weight.tolist()
            [0.5]
        """
        count, edges, weight, way = matrix_edges(matrix, directed)
        return cls(map(str, range(count)) if nodes is None else nodes, edges, weight, directed=way, **rest)

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
        **rest: Any,
    ) -> "STGraph":
        """A graph from distances: weight = exp(-d^2 / sigma^2), kept above a threshold or for the nearest nodes.

        The kernel of Shuman et al. (2013) with the settings of DCRNN (Li et al. 2018) where nothing is given.

        Args:
            distances: from source to target, ``[N, N]``, at least 0; infinite where there is no way.
            nodes: N names; "0" to "N-1" where none are given.
            sigma: of the kernel, in the unit of the distances; none: the standard deviation of all finite distances.
            threshold: the least weight kept, in [0, 1]; none: 0.1, or no threshold where `nearest` is given.
            nearest: how many edges into each node are kept, those from the nearest nodes. In an undirected graph an
                edge is kept where either end keeps it. Ties: the node that comes first.
            directed: none: directed exactly where the distances are not symmetric.
            **rest: `groups`, `positions`, `center`, as of `STGraph`.

        Raises:
            InputError: where a distance is negative or NaN, or a setting is out of its range.

        Example:
            >>> graph = STGraph.from_distances([[0, 1, 9], [1, 0, 1], [9, 1, 0]], ["a", "b", "c"], sigma=1.0)
            >>> graph.edges.tolist(), graph.weight.round(3).tolist()
            ([[0, 1], [1, 2]], [0.368, 0.368])
        """
        count, edges, weight, way = kernel_edges(distances, sigma, threshold, nearest, directed)
        return cls(map(str, range(count)) if nodes is None else nodes, edges, weight, directed=way, **rest)

    @classmethod
    def from_coordinates(
        cls,
        coordinates: ArrayLike,
        nodes: Iterable[str] | None = None,
        *,
        nearest: int = 4,
        geographic: bool = False,
        sigma: float | None = None,
        **rest: Any,
    ) -> "STGraph":
        """A graph that joins each node to those nearest to it, with the weights of `from_distances`.

        Args:
            coordinates: ``[N, 2]``, x and y in one unit; or longitude and latitude in degrees. They become the
                positions.
            nodes: N names; "0" to "N-1" where none are given.
            nearest: how many edges into each node are kept.
            geographic: whether coordinates are longitude and latitude. Distances are then in metres along great
                circles (haversine formula, earth's mean radius).
            sigma: of the kernel, in the unit of the distances; see `from_distances`.
            **rest: `threshold`, `directed`, `groups`, `center`, as of `from_distances`.

        Raises:
            InputError: where a coordinate is not finite or no longitude and latitude, or as `from_distances`.

        Example:
            >>> STGraph.from_coordinates([(0, 0), (1, 0), (3, 0)], ["a", "b", "c"], nearest=1).edges.tolist()
            [[0, 1], [1, 2]]
        """
        rest = {"positions": np.asarray(coordinates), **rest}
        return cls.from_distances(between(coordinates, geographic), nodes, sigma=sigma, nearest=nearest, **rest)

    @classmethod
    def from_pandas(
        cls,
        table: "pd.DataFrame",
        nodes: Iterable[str] | None = None,
        *,
        source: str | None = None,
        target: str | None = None,
        weight: str | None = None,
        **rest: Any,
    ) -> "STGraph":
        """A graph from a table of edges. Its ids are names, numbers too: the sensor 773869 is the node "773869".

        Args:
            table: one row per edge.
            nodes: N names in the order of the data; none: the table's, sources first, in the order of its rows.
            source: the column of sources; none: the first.
            target: the column of targets; none: the second.
            weight: the column of weights; none: ``weight`` where there is one, else ones.
            **rest: `groups`, `positions`, `center`, `directed`, as of `STGraph`.

        Raises:
            InputError: as `STGraph`, and for an unknown column or node, with the nearest name.

        Example:
            >>> import pandas as pd
            >>> table = pd.DataFrame({"from": [7, 5], "to": [5, 9], "weight": [1.0, 0.5]})
            >>> STGraph.from_pandas(table, directed=True).nodes
            ('7', '5', '9')
        """
        parts = table_parts(table, nodes, source, target, weight)
        return cls.from_edges(parts["nodes"], parts["edges"], parts["weight"], **rest)

    @classmethod
    def from_networkx(cls, graph: Any, *, weight: str = "weight", position: str = "pos") -> "STGraph":
        """A graph from one of networkx, in the order of its nodes; their names become text.

        Args:
            graph: a `networkx.Graph` or `DiGraph`. Its attributes ``center`` and ``groups`` are taken over.
            weight: the attribute of edges that holds the weight; 1 where an edge has none.
            position: the attribute of nodes that holds the position, ``(x, y)``; all nodes or none.

        Raises:
            InputError: as `STGraph`; parallel edges and self loops are refused.

        Example:
            >>> import networkx as nx
            >>> STGraph.from_networkx(nx.path_graph(4))
            STGraph(4 nodes, 3 edges, undirected)
        """
        return cls(**networkx_parts(graph, weight, position))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "STGraph":
        """The graph that `to_dict` described.

        Raises:
            InputError: where a field is missing or unknown, or the graph is not one.
        """
        for name in values:
            if name not in _FIELDS:
                raise unknown("field of a graph", name, _FIELDS)
        for name in _FIELDS:
            if name not in values:
                raise InputError(
                    f"the field {name!r} of a graph is missing. There are: {', '.join(map(repr, values))}."
                )
        return cls(**values)

    # ---- another one from it ----------------------------------------------------------------------------------------

    def subgraph(self, nodes: Iterable[str | int]) -> "STGraph":
        """The nodes of this list, in its order, and the edges between them.

        Groups keep what is left of them, and the centre is kept where it is in the list.

        Raises:
            InputError: for an unknown or repeated node.

        Example:
            >>> STGraph("abc", [(0, 1), (1, 2)]).subgraph(["c", "b"])
            STGraph(2 nodes, 1 edge, undirected)
        """
        chosen = [self.index(node) if isinstance(node, str) else int(node) for node in nodes]
        for index in chosen:
            if not 0 <= index < len(self):
                raise InputError(f"node {index} is out of range: the graph has {len(self)} nodes.")
        place = np.full(len(self), -1)
        place[chosen] = np.arange(len(chosen))
        ends = place[self.edges]
        kept = (ends >= 0).all(axis=1)
        names = checked_nodes(self.nodes[index] for index in chosen)
        there = set(names)
        groups = {name: [node for node in members if node in there] for name, members in self.groups.items()}
        return STGraph(
            names,
            ends[kept],
            self.weight[kept],
            groups={name: members for name, members in groups.items() if members},
            positions=None if self.positions is None else self.positions[chosen],
            center=self.center if self.center in names else None,
            directed=self.directed,
        )

    def permute(self, order: Sequence[int]) -> "STGraph":
        """The same graph with its nodes in another order: node i of the result is node ``order[i]`` of this one.

        Raises:
            InputError: where `order` is not a permutation of 0 .. N-1.

        Example:
            >>> STGraph("abc", [(0, 1)]).permute([2, 0, 1]).nodes
            ('c', 'a', 'b')
        """
        if sorted(order) != list(range(len(self))):
            raise InputError(f"order is {list(order)!r}; wanted each of 0 to {len(self) - 1} once.")
        return self.subgraph([int(index) for index in order])

    def undirected(self) -> "STGraph":
        """The graph without directions; where an edge goes both ways, the larger weight stays.

        Example:
            >>> STGraph("ab", [(0, 1), (1, 0)], [1.0, 3.0], directed=True).undirected().weight.tolist()
            [3.0]
        """
        ends = np.sort(self.edges, axis=1)
        pairs, inverse = np.unique(ends, axis=0, return_inverse=True)
        weight = np.full(len(pairs), -np.inf)
        np.maximum.at(weight, inverse.ravel(), self.weight)
        return STGraph(**{**self._parts(), "edges": pairs, "weight": weight, "directed": False})

    def with_weight(self, weight: ArrayLike) -> "STGraph":
        """The same graph with other weights ``[E]``, in the order of `edges`."""
        return STGraph(**{**self._parts(), "weight": weight})

    def unroll(self, frames: int, *, temporal_weight: float = 1.0) -> "STGraph":
        """The spatio-temporal product graph: every node at every frame, with spatial and temporal edges.

        Node n at frame t has the index t * N + n and the name ``"name@t"``. First come the spatial edges, frame by
        frame (frames * E), then the temporal ones from each node at t to itself at t + 1 ((frames - 1) * N). Groups
        hold their nodes at all frames. There is no centre and there are no positions.

        Args:
            frames: T, at least 1.
            temporal_weight: the weight of the temporal edges.

        Raises:
            InputError: where `frames` is below 1.

        Example:
            >>> product = STGraph("ab", [(0, 1)]).unroll(3)
            >>> product
            STGraph(6 nodes, 7 edges, undirected)
            >>> product.nodes[:3], product.edges[3:].tolist()
            (('a@0', 'b@0', 'a@1'), [[0, 2], [1, 3], [2, 4], [3, 5]])
        """
        if not isinstance(frames, int) or frames < 1:
            raise InputError(f"frames is {frames!r}; wanted a whole number of at least 1.")
        count = len(self)
        spatial = (self.edges[None] + count * np.arange(frames)[:, None, None]).reshape(-1, 2)
        earlier = np.arange(count * (frames - 1))
        temporal = np.stack([earlier, earlier + count], axis=1)
        return STGraph(
            [f"{name}@{frame}" for frame in range(frames) for name in self.nodes],
            np.concatenate([spatial, temporal]),
            np.concatenate([np.tile(self.weight, frames), np.full(len(temporal), float(temporal_weight))]),
            groups={
                name: [f"{node}@{frame}" for frame in range(frames) for node in members]
                for name, members in self.groups.items()
            },
            directed=self.directed,
        )

    # ---- what others read -------------------------------------------------------------------------------------------

    def arcs(self) -> Arcs:
        """The edges as messages flow: all as stored, then, in an undirected graph, all the other way round."""
        source, target = self.edges[:, 0], self.edges[:, 1]
        weight = self.weight
        if not self.directed:
            source, target = np.concatenate([source, target]), np.concatenate([target, source])
            weight = np.concatenate([weight, weight])
        return Arcs(
            len(self), source, target, weight, self.directed, None if self.center is None else self.index(self.center)
        )

    def hops(self) -> NDArray[np.float64]:
        """The fewest edges on a way from node to node, ``[N, N]``, row = source; infinite where there is no way.

        Example:
            >>> STGraph("abc", [(0, 1)]).hops().tolist()
            [[0.0, 1.0, inf], [1.0, 0.0, inf], [inf, inf, 0.0]]
        """
        return self.arcs().hops()

    def relations(self, strategy: Strategy = "spatial", **options: Any) -> Relations:
        """The K normalised edge lists of a graph convolution.

        Edges go from source to target as messages flow: out[target] += weight * x[source]. They are sorted by source,
        then target, whatever the order of the graph's edges.

        Args:
            strategy: a name, or a callable that gets this graph and the options, and gives matrices ``[N, N]``
                (dense or sparse, row = source; a mapping names them) or `Relations`. The names:

                - ``"uniform"``: D^-1/2 (A + I) D^-1/2. K = 1.
                - ``"distance"``: one relation per hop distance, A D^-1; option `max_hop` (1). K = max_hop + 1.
                - ``"spatial"``: root, centripetal, centrifugal by hop distance to the centre, A D^-1; option
                  `max_hop` (1). K = 2 max_hop + 1.
                - ``"spatial-stgcn2018"``: the same with ST-GCN's truncated hop distance, as released.
                - ``"random_walk"``: diffusion, D_O^-1 W and D_I^-1 W^T and their powers; option `steps` (2).
                  K = 2 steps + 1, or steps + 1 in an undirected graph.
                - ``"chebyshev"``: polynomials of the scaled Laplacian; options `order` (3) = K, `largest`.
            **options: of the strategy.

        Raises:
            InputError: for an unknown strategy or option, and where the graph does not suit the strategy: no centre,
                negative weights, directed edges for ``"chebyshev"``.

        Example:
            >>> graph = STGraph(["hip", "knee", "foot"], [(0, 1), (1, 2)], center="hip")
            >>> graph.relations("spatial")
            Relations(root: 3 edges, centripetal: 2 edges, centrifugal: 2 edges)
            >>> graph.relations("uniform").weight[0].round(3).tolist()
            [0.5, 0.408, 0.408, 0.333, 0.408, 0.408, 0.5]
            >>> graph.relations(lambda graph: graph.to_scipy())
            Traceback (most recent call last):
            ...
            stexplain.errors.InputError: a relation strategy gave ...
        """
        if isinstance(strategy, str):
            return relations_of(self.arcs(), strategy, options)
        made = strategy(self, **options)
        if not isinstance(made, Relations):
            if not isinstance(made, Mapping | Sequence | np.ndarray):
                raise InputError(
                    f"a relation strategy gave {type(made).__name__}; wanted Relations, or a sequence or mapping of "
                    "matrices [N, N]. Give [matrix] for one relation."
                )
            made = Relations.from_matrices(made)
        highest = max((int(ends.max(initial=0)) for ends in (*made.source, *made.target)), default=0)
        if highest >= len(self):
            raise InputError(f"a relation strategy gave edges of node {highest}; the graph has {len(self)} nodes.")
        return made

    def to_scipy(self) -> "sp.csr_array[np.float64]":
        """The adjacency ``[N, N]``, float64, row = source; symmetric where the graph is undirected.

        Example:
            >>> STGraph("ab", [(0, 1)]).to_scipy().toarray().tolist()
            [[0.0, 1.0], [1.0, 0.0]]
        """
        return self.arcs().matrix()

    def to_networkx(self) -> Any:
        """A `networkx.Graph`, or `DiGraph` where directed, that `from_networkx` reads back as it was.

        Nodes are names, with ``pos`` where there are positions; edges have ``weight``; the graph has ``center`` and
        ``groups``.

        Example:
            >>> STGraph("ab", [(0, 1)], [0.5]).to_networkx().edges["a", "b"]
            {'weight': 0.5}
        """
        import networkx as nx

        groups = {name: list(members) for name, members in self.groups.items()}
        graph: Any = (nx.DiGraph if self.directed else nx.Graph)(center=self.center, groups=groups)
        for index, name in enumerate(self.nodes):
            graph.add_node(name, **({} if self.positions is None else {"pos": tuple(self.positions[index].tolist())}))
        for (source, target), weight in zip(self.edges.tolist(), self.weight.tolist(), strict=True):
            graph.add_edge(self.nodes[source], self.nodes[target], weight=weight)
        return graph

    def to_dgl(self) -> Any:
        """A homogeneous `dgl.DGLGraph` (int32) with ``edata["weight"]`` and, where there are, ``ndata["position"]``.

        An undirected edge is in it both ways: first all as stored, then all the other way round.

        Example:
            >>> STGraph("abc", [(0, 1), (1, 2)]).to_dgl().num_edges()
            4
        """
        from stexplain.backend.dgl import dgl_graph

        arcs = self.arcs()
        positions = {} if self.positions is None else {"position": self.positions}
        return dgl_graph(arcs.source, arcs.target, len(self), positions, {"weight": arcs.weight})

    def to_dict(self) -> dict[str, Any]:
        """The graph in JSON's own types; `from_dict` reads it back.

        Example:
            >>> graph = STGraph("ab", [(0, 1)])
            >>> STGraph.from_dict(graph.to_dict()) == graph
            True
        """
        return {
            "nodes": list(self.nodes),
            "edges": self.edges.tolist(),
            "weight": self.weight.tolist(),
            "groups": {name: list(members) for name, members in self.groups.items()},
            "positions": None if self.positions is None else self.positions.tolist(),
            "center": self.center,
            "directed": self.directed,
        }

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FIELDS}
