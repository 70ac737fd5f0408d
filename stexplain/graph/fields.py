"""GraphFields: the immutable value that an STGraph is, checked when it is built, comparable and hashable.

`STGraph` adds constructors (`construct`) and what is derived from a graph (`stgraph`, `export`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.checking import checked
from stexplain.errors import InputError, unknown
from stexplain.graph.arcs import Arcs
from stexplain.graph.checks import checked_edges, checked_groups, checked_nodes, checked_positions, checked_weight
from stexplain.graph.notices import warn_of_graph

FIELDS = ("nodes", "edges", "weight", "groups", "positions", "center", "directed")
"""The fields of a graph, in the order in which they are hashed."""


@checked
class GraphFields:
    """Nodes, edges and all else that a graph is given; `STGraph` documents each field."""

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
        self._set(nodes, edges, weight, groups, positions, center, directed)
        warn_of_graph(self.nodes, self.edges, self.weight)

    @classmethod
    def _known(
        cls,
        nodes: Iterable[str],
        edges: ArrayLike,
        weight: ArrayLike | None = None,
        *,
        groups: Mapping[str, Iterable[str]] | None = None,
        positions: Mapping[str, ArrayLike] | ArrayLike | None = None,
        center: str | None = None,
        directed: bool = False,
    ) -> Self:
        """A graph made of what entered before, by another graph or a file of this package: nothing is named again."""
        graph = cls.__new__(cls)
        graph._set(nodes, edges, weight, groups, positions, center, directed)
        return graph

    def _set(
        self,
        nodes: Iterable[str],
        edges: ArrayLike,
        weight: ArrayLike | None,
        groups: Mapping[str, Iterable[str]] | None,
        positions: Mapping[str, ArrayLike] | ArrayLike | None,
        center: str | None,
        directed: bool,
    ) -> None:
        names = checked_nodes(nodes)
        pairs = checked_edges(names, edges, directed)
        if center is not None and center not in names:
            raise unknown("node (as the centre)", center, names)
        # Past __setattr__, which refuses every change.
        self.__dict__.update(
            nodes=names,
            edges=pairs,
            weight=checked_weight(names, pairs, weight),
            groups=MappingProxyType(checked_groups(names, groups or {})),
            positions=checked_positions(names, positions),
            center=center,
            directed=bool(directed),
        )

    # ---- immutable ----

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a graph is immutable: {name!r} cannot be set. Build another graph.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a graph is immutable: {name!r} cannot be deleted.")

    def __reduce__(self) -> tuple[Any, ...]:
        # By its dictionary: a mappingproxy cannot be pickled.
        return type(self).from_dict, (self.to_dict(),)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    # ---- comparable ----

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
        return f"{type(self).__name__}({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, GraphFields) else NotImplemented

    def __hash__(self) -> int:
        # 15 hexadecimal digits are 60 bits, which fit Python's own hashes.
        return int(self.hash[:15], 16)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all fields; neither the order of edges nor the direction of undirected ones changes it."""
        ends = self.edges if self.directed else np.sort(self.edges, axis=1)
        order = np.lexsort((ends[:, 1], ends[:, 0]))  # by source, then target: the last key is the first criterion
        content = {**self.to_dict(), "edges": ends[order].tolist(), "weight": self.weight[order].tolist()}
        return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()

    # ---- lookups ----

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
            >>> from stexplain.graph import STGraph
            >>> STGraph("abc", [(0, 1), (1, 2)], groups={"end": ["c", "a"]}).group("end")
            array([2, 0])
        """
        if name not in self.groups:
            raise unknown("group", name, self.groups)
        return np.array([self.index(node) for node in self.groups[name]], dtype=np.int64)

    def groups_of(self, name: str) -> tuple[str, ...]:
        """The names of the groups that a node belongs to."""
        self.index(name)  # an unknown name is an error, not a node without groups
        return tuple(group for group, members in self.groups.items() if name in members)

    # ---- the whole ----

    def arcs(self) -> Arcs:
        """The edges as messages flow: all as stored, then, in an undirected graph, all in reverse."""
        source, target = self.edges[:, 0], self.edges[:, 1]
        weight = self.weight
        if not self.directed:
            source, target = np.concatenate([source, target]), np.concatenate([target, source])
            weight = np.concatenate([weight, weight])
        center = None if self.center is None else self.index(self.center)
        return Arcs(len(self), source, target, weight, self.directed, center)

    def fields(self) -> dict[str, Any]:
        """The arguments that build this graph, as arrays; see `to_dict` for JSON types."""
        return {name: getattr(self, name) for name in FIELDS}

    def to_dict(self) -> dict[str, Any]:
        """The graph in JSON types; `from_dict` reads it back.

        Example:
            >>> from stexplain.graph import STGraph
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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The graph that `to_dict` described.

        Raises:
            InputError: where a field is missing or unknown, or a field is invalid.
        """
        for name in values:
            if name not in FIELDS:
                raise unknown("field of a graph", name, FIELDS)
        for name in FIELDS:
            if name not in values:
                raise InputError(
                    f"values: the field {name!r} of a graph is missing; got {', '.join(map(repr, values))}."
                )
        return cls._known(**values)
