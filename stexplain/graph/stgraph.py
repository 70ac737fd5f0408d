"""STGraph: the nodes and edges of signals over time, whatever the nodes are: joints, sensors, regions of a brain.

The class is built in three steps, so that each can be read by itself: `fields` (the immutable value), `construct` (the
classmethods ``from_...``), and here what is derived from a graph: other graphs, relations, exports.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.checking import checked
from stexplain.checking.elsewhere import OF_GRAPHS, missing, no_attribute
from stexplain.errors import InputError
from stexplain.graph import export
from stexplain.graph.checks import checked_nodes
from stexplain.graph.construct import GraphConstructors
from stexplain.graph.notices import warn_of_negative
from stexplain.graph.relations import Relations
from stexplain.graph.strategies import relations_of

if TYPE_CHECKING:
    import scipy.sparse as sp

Strategy = str | Callable[..., Any]
"""The name of a relation strategy, or a function of a graph; see `STGraph.relations`."""


class _Answering(type):
    """Answers for constructors that other packages have."""

    if not TYPE_CHECKING:  # type checkers would let any name pass

        def __getattr__(cls, name: str) -> NoReturn:
            raise AttributeError(name) if name.startswith("_") else no_attribute(cls, name, OF_GRAPHS)


@checked
class STGraph(GraphConstructors, metaclass=_Answering):
    """A graph whose nodes carry signals over time. Immutable, its arrays too.

    An undirected edge is stored once, in either direction. Exports and relations hold it in both.

    Args:
        nodes: N names, unique; their order is that of the data.
        edges: source and target of every edge, ``[E, 2]``, int in [0, N). No self loop (relations add them where they
            belong), no edge twice.
        weight: of every edge, ``[E]``, finite; ones where none is given.
        groups: names of nodes by group, such as ``{"left arm": ["left hand", ...]}``.
        positions: ``[N, 2]``, for drawing, or ``(x, y)`` by name; of all nodes or none.
        center: the name of the centre node, for relations by hop distance to it.
        directed: whether the direction of edges means something.

    Attributes:
        nodes: the names, a tuple.
        edges: ``[E, 2]``, int64.
        weight: ``[E]``, float64.
        groups: a read-only mapping from a name to a tuple of nodes.
        positions: ``[N, 2]``, float64, or none.
        center: a name, or none.
        directed: bool.

    Raises:
        InputError: where an argument is invalid; the message names the node, edge or group.

    Warns:
        UserWarning: of nodes without an edge and of negative weights, which are kept; graphs that are made of this one
            do not repeat it.

    Example:
        >>> graph = STGraph(["hip", "knee", "foot"], [(0, 1), (1, 2)], center="hip")
        >>> graph
        STGraph(3 nodes, 2 edges, undirected, center 'hip')
        >>> graph.index("kne")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown node 'kne'. Did you mean 'knee'?
    """

    # ---- other graphs from it ----

    def subgraph(self, nodes: Iterable[str | int]) -> "STGraph":
        """The subgraph that these nodes induce, in the order of the list.

        Groups keep their remaining nodes; empty ones are dropped. The centre stays where it is in the list.

        Raises:
            InputError: for an unknown or repeated node.

        Example:
            >>> STGraph("abc", [(0, 1), (1, 2)]).subgraph(["c", "b"])
            STGraph(2 nodes, 1 edge, undirected)
        """
        chosen = [self.index(node) if isinstance(node, str) else int(node) for node in nodes]
        for index in chosen:
            if not 0 <= index < len(self):
                raise InputError(f"nodes: got index {index}; expected 0 to {len(self) - 1}.")
        # New index of every old node, -1 for those that are dropped.
        new_index = np.full(len(self), -1)
        new_index[chosen] = np.arange(len(chosen))
        ends = new_index[self.edges]
        inside = (ends >= 0).all(axis=1)
        names = checked_nodes(self.nodes[index] for index in chosen)
        present = set(names)
        groups = {name: [node for node in members if node in present] for name, members in self.groups.items()}
        return STGraph._known(
            names,
            ends[inside],
            self.weight[inside],
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
            >>> STGraph("abc", [(0, 1), (1, 2)]).permute([2, 0, 1]).nodes
            ('c', 'a', 'b')
        """
        if sorted(order) != list(range(len(self))):
            raise InputError(f"order: got {list(order)!r}; expected each of 0 to {len(self) - 1} once.")
        return self.subgraph([int(index) for index in order])

    def undirected(self) -> "STGraph":
        """The undirected graph; of two opposite edges the larger weight is taken.

        Example:
            >>> STGraph("ab", [(0, 1), (1, 0)], [1.0, 3.0], directed=True).undirected().weight.tolist()
            [3.0]
        """
        ends = np.sort(self.edges, axis=1)
        pairs, inverse = np.unique(ends, axis=0, return_inverse=True)
        # Minus infinity, not zero: weights may be negative.
        weight = np.full(len(pairs), -np.inf)
        np.maximum.at(weight, inverse.ravel(), self.weight)
        return STGraph._known(**{**self.fields(), "edges": pairs, "weight": weight, "directed": False})

    def with_weight(self, weight: ArrayLike) -> "STGraph":
        """The same graph with these weights ``[E]``, in the order of `edges`.

        Warns:
            UserWarning: of negative weights.
        """
        graph = STGraph._known(**{**self.fields(), "weight": weight})
        warn_of_negative(graph.nodes, graph.edges, graph.weight)
        return graph

    def unroll(self, frames: int, *, temporal_weight: float = 1.0) -> "STGraph":
        """The spatio-temporal product graph: every node at every frame, with spatial and temporal edges.

        Node n at frame t has the index t * N + n and the name ``"name@t"``. The spatial edges are first, frame by
        frame (frames * E), then the temporal ones from each node at t to itself at t + 1 ((frames - 1) * N). Groups
        hold their nodes at all frames. The result has no centre and no positions.

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
        return STGraph._known(**export.unrolled_fields(self, frames, temporal_weight))

    # ---- relations and distances ----

    def hops(self) -> NDArray[np.float64]:
        """Hop distances, the fewest edges on a path, ``[N, N]``, row = source; infinite where there is no path.

        Example:
            >>> STGraph("abc", [(0, 1), (1, 2)], directed=True).hops().tolist()
            [[0.0, 1.0, 2.0], [inf, 0.0, 1.0], [inf, inf, 0.0]]
        """
        return self.arcs().hops()

    def relations(self, strategy: Strategy = "spatial", **options: Any) -> Relations:
        """The K normalised edge lists of a graph convolution.

        Edges point in the direction of messages: out[target] += weight * x[source]. They are sorted by source, then
        target, independently of the order of the graph's edges.

        Args:
            strategy: a name, or a callable that takes this graph and the options and returns matrices ``[N, N]``
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
            stexplain.errors.InputError: strategy: got a callable that returns csr_array; expected Relations, ...
        """
        if isinstance(strategy, str):
            return relations_of(self.arcs(), strategy, options)
        result = strategy(self, **options)
        if not isinstance(result, Relations):
            # A single sparse matrix is none of these, and iterating over it would give its rows as relations.
            if not isinstance(result, Mapping | Sequence | np.ndarray):
                raise InputError(
                    f"strategy: got a callable that returns {type(result).__name__}; expected Relations, or a sequence "
                    "or mapping of matrices [N, N]. Return [matrix] for one relation."
                )
            result = Relations.from_matrices(result)
        highest = max((int(ends.max(initial=0)) for ends in (*result.source, *result.target)), default=0)
        if highest >= len(self):
            raise InputError(f"strategy: got edges of node {highest}; the graph has {len(self)} nodes.")
        return result

    # ---- exports ----

    def _repr_html_(self) -> str:
        """What a notebook shows, offline: sizes, groups, and a drawing where nodes have positions."""
        return export.to_html(self)

    def to_scipy(self) -> "sp.csr_array[np.float64]":
        """The adjacency ``[N, N]``, float64, row = source; symmetric where the graph is undirected.

        Example:
            >>> STGraph("ab", [(0, 1)]).to_scipy().toarray().tolist()
            [[0.0, 1.0], [1.0, 0.0]]
        """
        return self.arcs().matrix()

    def to_networkx(self) -> Any:
        """A `networkx.Graph`, or `DiGraph` where directed; `from_networkx` reads it back unchanged.

        Nodes are names, with ``pos`` where there are positions; edges have ``weight``; the graph has the attributes
        ``center`` and ``groups``.

        Example:
            >>> STGraph("ab", [(0, 1)], [0.5]).to_networkx().edges["a", "b"]
            {'weight': 0.5}
        """
        return export.to_networkx(self)

    def to_dgl(self) -> Any:
        """A homogeneous `dgl.DGLGraph` (int32) with ``edata["weight"]`` and, where known, ``ndata["position"]``.

        An undirected edge is in it in both directions: first all as stored, then all in reverse.

        Example:
            >>> STGraph("abc", [(0, 1), (1, 2)]).to_dgl().num_edges()
            4
        """
        return export.to_dgl(self)

    def to_pyg(self) -> Any:
        """What PyTorch Geometric takes: ``edge_index [2, E]``, int64, and ``edge_weight [E]``, float32.

        An undirected edge is in it in both directions: first all as stored, then all in reverse. Both are tensors of
        torch, and nothing of PyTorch Geometric is needed.

        Example:
            >>> edge_index, edge_weight = STGraph("abc", [(0, 1), (1, 2)]).to_pyg()
            >>> edge_index.tolist()
            [[0, 1, 1, 2], [1, 2, 0, 1]]
        """
        return export.to_pyg(self)

    if not TYPE_CHECKING:  # type checkers would let any name pass

        def __getattr__(self, name: str) -> NoReturn:
            missing(self, name, OF_GRAPHS)
