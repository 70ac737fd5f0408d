"""The sizes of all axes of samples, from their layout and what else is known."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.wording import counted


def folded_axes(layout: Layout) -> set[str]:
    """The axes that a layout folds with another one, so that a shape alone does not tell their sizes.

    Example:
        >>> sorted(folded_axes(Layout("(b m) c t n"))), folded_axes(Layout("b m t n c"))
        (['b', 'm'], set())
    """
    return {letter for group in layout.groups if len(group) > 1 for letter in group}


def sizes_of(layout: Layout, x: Tensor, known: Mapping[str, int], graph: STGraph | None) -> dict[str, int]:
    """The sizes of all five axes; one for an axis that the layout leaves out.

    Args:
        layout: of the samples.
        x: the samples.
        known: sizes that are known beforehand, such as of nodes.
        graph: of the nodes, where known.

    Raises:
        InputError: where they do not follow from the shape, do not fit the graph, or one is zero.

    Example:
        >>> import torch
        >>> sizes_of(Layout("b t n"), torch.zeros(2, 8, 5), {}, None)
        {'b': 2, 'm': 1, 't': 8, 'n': 5, 'c': 1}
    """
    if "m" in folded_axes(layout) and "m" not in known:
        raise InputError(
            f"the number of instances does not follow from the input's layout {layout.pattern!r}. "
            "Give `valid` [B, M, T], which tells it."
        )
    if "n" in folded_axes(layout) and "n" not in known:
        raise InputError(
            f"the number of nodes does not follow from the input's layout {layout.pattern!r}. Give graph=, whose nodes "
            "are counted; STGraph.from_edges(names, []) where no links are known."
        )
    sizes = {**dict.fromkeys("bmtnc", 1), **layout.sizes(tuple(x.shape), **known)}
    if not all(sizes.values()):
        raise InputError(f"x has shape {tuple(x.shape)}: there is nothing to explain. Give at least one sample.")
    # A layout without n is not checked against the graph by its pattern.
    if graph is not None and sizes["n"] != len(graph):
        raise InputError(
            f"x has {counted(sizes['n'], 'node')} and the graph {len(graph)}. Give the graph of the model."
        )
    return sizes


def check_node_order(samples: STGraph | None, graph: STGraph | None) -> None:
    """Refuses samples whose graph and the model's number the same nodes otherwise.

    Args:
        samples: the graph that the samples bring.
        graph: of the model, or given with it.

    Raises:
        InputError: where a node of both has two places. A target by its name, and the names of a map, would be those
            of other nodes.

    Example:
        >>> one = STGraph.from_edges(["a", "b"], [("a", "b")])
        >>> check_node_order(one, STGraph.from_edges(["b", "a"], [("a", "b")]))
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: graph: got node 'a' as number 1 of the model's graph and as number 0 ...
    """
    if samples is None or graph is None or samples is graph:
        return
    places = {name: place for place, name in enumerate(graph.nodes)}
    for place, name in enumerate(samples.nodes):
        if places.get(name, place) != place:
            raise InputError(
                f"graph: got node {name!r} as number {places[name]} of the model's graph and as number {place} of the "
                "samples'; expected one order. Build the model on the graph of the samples, or put the nodes of the "
                "samples into the order of the model's."
            )


def checked_ids(ids: Any, samples: int) -> tuple[str, ...]:
    """The names of the samples as text; none where none are given.

    Args:
        ids: names or numbers, in any sequence, array or index; or None.
        samples: how many there are.

    Raises:
        InputError: where there are more or fewer than samples, or two are the same.

    Example:
        >>> checked_ids([7, "p2"], 2)
        ('7', 'p2')
    """
    if ids is None:
        return ()
    if isinstance(ids, str) or not hasattr(ids, "__len__"):
        raise InputError(f"ids: got {ids!r}; expected a list of {samples}, one name for each sample.")
    names = tuple(str(name) for name in (ids.tolist() if hasattr(ids, "tolist") else ids))
    if len(names) != samples:
        raise InputError(f"ids: got {len(names)} names; expected {samples}, one for each sample.")
    if len(set(names)) < samples:
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"ids: got {twice!r} more than once; expected another name for each sample.")
    return names
