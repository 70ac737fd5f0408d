"""The constructors of STGraph from edges, cards, skeletons, tables of edges and networkx."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

from stexplain.cards import DatasetCard, dataset_card
from stexplain.checking import checked
from stexplain.errors import InputError, unknown
from stexplain.graph.checks import checked_nodes, checked_options
from stexplain.graph.given.columns import end_columns, refuse_lost_row, weight_column
from stexplain.graph.given.correlation import mean_correlation, strongest
from stexplain.graph.labels import checked_ends, is_table, refuse_twice, signals_in_order, table_edges
from stexplain.graph.matrices import LibraryConstructors, MatrixConstructors
from stexplain.graph.notices import (
    warn_of_distances,
    warn_of_negative_correlations,
    warn_of_ready_correlations,
    warn_of_unused,
)
from stexplain.graph.skeletons.skeleton import skeleton_named
from stexplain.wording import an

if TYPE_CHECKING:
    import pandas as pd


@checked
class GraphConstructors(MatrixConstructors, LibraryConstructors):
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
            edges: pairs (source, target) of names or of indices; or a table with columns called so (``from``, ``to``,
                ...), else its first two, and whose column ``weight``, where it has one, gives the weights.
            weight: of every edge, ``[E]``.
            **fields: `groups`, `positions`, `center`, `directed` of `STGraph`.

        Raises:
            InputError: as `STGraph`, for an unknown node, with the nearest name, and for a number that is the index of
                one node and the name of another.

        Warns:
            UserWarning: of nodes without an edge and of negative weights.

        Example:
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")]).edges.tolist()
            [[0, 1], [1, 2]]
        """
        names = checked_nodes(nodes)
        listed: Any = edges
        if is_table(edges):
            listed, weight = table_edges(edges, weight)
        index = {name: place for place, name in enumerate(names)}
        shape: tuple[int, ...] = getattr(listed, "shape", ())
        if isinstance(listed, tuple) and len(listed) == 2 and all(getattr(one, "ndim", 0) == 1 for one in listed):
            # As DGL gives them.
            raise InputError(
                "edges: got a tuple of sources and targets; expected [E, 2], a pair (source, target) per edge. Give "
                "list(zip(*(ends.tolist() for ends in edges)))."
            )
        if shape == (2, 2) and hasattr(listed, "detach") and not bool((listed == listed.T).all()):
            raise InputError(
                "edges: got a tensor 2 x 2, which may hold pairs, or sources over targets as PyG's edge_index; "
                "expected a list of pairs. Give edges.T.tolist() of an edge_index, else edges.tolist()."
            )
        if len(shape) == 2 and shape[0] == 2 and shape[1] != 2:
            raise InputError(
                f"edges: got shape {tuple(shape)}, sources over targets; expected [E, 2], a pair (source, target) per "
                "edge. Give edges.T."
            )
        pairs = []
        for edge in listed:
            ends = tuple(edge)
            if len(ends) != 2:
                remedy = " Weights are an argument of their own: weight=." if len(ends) == 3 else ""
                raise InputError(
                    f"edges: got {edge!r} with {len(ends)} ends; expected a pair (source, target).{remedy}"
                )
            for end in ends:
                if isinstance(end, str) and end not in index:
                    raise unknown("node", end, names)
                if not isinstance(end, str) and index.get(str(end), end) != end:
                    raise InputError(
                        f"edges: got {edge!r}, of which {end} is an index, and the name of node {index[str(end)]}; "
                        "expected names as text: [(str(a), str(b)) for a, b in edges]."
                    )
            pairs.append([index[end] if isinstance(end, str) else end for end in ends])
        return cls(names, pairs, weight, **checked_options(fields))

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
        """The graph of a skeleton as a sensor or a format lists its joints.

        Bones lead from child to parent, and make a tree. Left/right pairs, and which coordinate points up in such data,
        are in `stexplain.graph.skeleton_named`.

        Args:
            name: ``"kinect-v1"``, ``"kinect-v2"``, ``"coco-17"``, ``"openpose-18"``, ``"openpose-25"``,
                ``"mediapipe-33"``, ``"h36m-17"``, ``"smpl-24"`` or ``"hand-21"``.

        Raises:
            InputError: where there is none of this name, with the nearest.

        Example:
            >>> from stexplain.graph import STGraph
            >>> STGraph.skeleton("kinect-v2")
            STGraph(25 nodes, 24 edges, undirected, 6 groups, center 'spine shoulder')
        """
        return cls.from_edges(**skeleton_named(name).fields())

    @classmethod
    def from_pandas(
        cls,
        table: "pd.DataFrame",
        nodes: Iterable[str | int] | None = None,
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
            source: the column of sources; none: known by its name (``from``, ``source``, ...), else the first.
            target: the column of targets; none: by its name, else the second.
            weight: the column of weights; none: ``weight`` where there is one, else ones.
            **fields: `groups`, `positions`, `center`, `directed` of `STGraph`.

        Raises:
            InputError: as `STGraph`, and for an unknown column or node, with the nearest name.

        Warns:
            UserWarning: where weights, or a column that is not used, are named like distances, of nodes without an edge
                and of negative weights.

        Example:
            >>> import pandas as pd
            >>> from stexplain.graph import STGraph
            >>> table = pd.DataFrame({"from": [7, 5], "to": [5, 9], "weight": [1.0, 0.5]})
            >>> STGraph.from_pandas(table, directed=True).nodes
            ('7', '5', '9')
        """
        columns = [str(name) for name in table.columns]
        if len(columns) < 2 or table.index.nlevels > 1:
            hint = " Give table.reset_index()." if table.index.nlevels > 1 else ""
            raise InputError(
                f"table: got the columns {columns}; expected at least two, source and target of edges.{hint}"
            )
        if weight is not None and weight not in columns:
            raise unknown("column", weight, columns)
        strength = weight_column(columns)
        weight = weight or (None if strength is None else columns[strength])
        places = end_columns(columns, "table", source, target)
        used = [*places, *([columns.index(weight)] if weight else [])]
        if source is None and target is None:
            refuse_lost_row(table.columns, used, "table", " Where they are names: source=, target=.")
        refuse_twice(table.columns, used, "table")
        sources, targets = checked_ends(table, places, "table")
        # A dict keeps the order of first appearance, which a set does not.
        names = list(dict.fromkeys([*sources, *targets])) if nodes is None else [str(name) for name in nodes]
        # Checked here and not in `from_edges`, to name the table in the message.
        known = set(names)
        for name in [*sources, *targets]:
            if name not in known:
                raise unknown("node (in the table of edges)", name, names)
        weights = None if weight is None else table.iloc[:, used[2]].to_numpy()
        if weight is not None:
            warn_of_distances(str(weight))
        else:
            unused = [place for place in range(len(columns)) if place not in used]
            # The one number of each edge, such as a correlation, whatever it is called.
            lone = len(unused) == 1 and getattr(table.dtypes.iloc[unused[0]], "kind", "O") == "f"
            warn_of_unused([columns[place] for place in unused], lone)
        return cls.from_edges(names, zip(sources, targets, strict=True), weights, **fields)

    @classmethod
    def from_correlation(
        cls,
        values: Any,
        nodes: Iterable[str | int] | None = None,
        *,
        threshold: float | None = None,
        density: float | None = None,
        negative: str = "drop",
        **fields: Any,
    ) -> Self:
        """A graph of nodes whose signals go together, such as regions of a brain; the weights are correlations.

        Pearson's correlation over time, the mean over subjects by Fisher's z. Give subjects of training alone, or the
        graph knows of those that are tested.

        Args:
            values: ``[T, N]`` of one subject, ``[S, T, N]`` or a list of ``[T_s, N]`` of several; or a frame. A
                subject's matrix ``[N, N]`` of correlations is taken as it is, with a warning that says so.
            nodes: N names; none: those of the first frame's columns, else "0" to "N-1". Columns with names are matched
                by these, in whatever order.
            threshold: pairs with a correlation of at least this size are edges.
            density: or this share of all pairs, the strongest first.
            negative: ``"drop"``: negative ones are no edges, and it is said how many; or ``"absolute"``: size counts.
            **fields: `groups`, `positions`, `center`.

        Raises:
            InputError: where values are missing, a node never changes, a symmetric matrix is none of correlations, or
                neither `threshold` nor `density` is given.

        Example:
            >>> import numpy as np
            >>> from stexplain.graph import STGraph
            >>> a, b = np.random.default_rng(0).normal(size=(2, 100))
            >>> graph = STGraph.from_correlation(np.stack([a, a + b, b], 1), ["v1", "v2", "m1"], threshold=0.2)
            >>> graph.edges.tolist(), graph.weight.round(2).tolist()
            ([[0, 1], [1, 2]], [0.73, 0.72])
        """
        values, names = signals_in_order(values, None if nodes is None else [str(name) for name in nodes])
        correlation, ready = mean_correlation(values, names)
        if ready:
            warn_of_ready_correlations(ready, len(correlation))
        edges, dropped = strongest(correlation, threshold, density, negative)
        if dropped:
            warn_of_negative_correlations(dropped)
        return cls.from_adjacency(edges, names, **fields)

    @classmethod
    def from_networkx(cls, graph: Any, *, weight: str = "weight", position: str = "pos") -> Self:
        """A graph from networkx, in the order of its nodes; their names become text.

        Args:
            graph: a `networkx.Graph` or `DiGraph`. Its attributes ``center`` and ``groups`` are read too.
            weight: the attribute of edges that holds the weight; 1 where an edge has none. Where no edge has it,
                ``"weight"`` alone is accepted.
            position: the attribute of nodes that holds the position, ``(x, y)``; all nodes or none.

        Raises:
            InputError: as `STGraph`; parallel edges, self loops and a weight that no edge has are refused.

        Warns:
            UserWarning: where the weight, or an attribute that is not used, is named like distances, of nodes without
                an edge and of negative weights.

        Example:
            >>> import networkx as nx
            >>> from stexplain.graph import STGraph
            >>> STGraph.from_networkx(nx.path_graph(4))
            STGraph(4 nodes, 3 edges, undirected)
        """
        if not all(hasattr(graph, name) for name in ("is_directed", "nodes", "edges", "graph")):
            raise InputError(f"graph: got {an(type(graph).__name__)}; expected a networkx Graph or DiGraph.")
        # Edges by index, not by name: networkx nodes may be any object, and two may have one text.
        index = {node: place for place, node in enumerate(graph.nodes)}
        edges = list(graph.edges(data=weight, default=1.0))
        known = list(dict.fromkeys(str(name) for _, _, held in graph.edges(data=True) for name in held))
        if weight in known:
            warn_of_distances(weight)
        elif weight != "weight" and edges:
            raise unknown("attribute of edges (of weight=)", weight, known)
        else:
            warn_of_unused(known)
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
