"""Arguments that belong to the batch as a whole, such as one large graph: repeated with its copies, cut with its rows.

Which of them follow the samples is not known beforehand. These are rules by size and value; `copies` measures whether
one is right for a model before it is used.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from stexplain.explainers.model.arguments.values import along, mapped, tensors_in


class Way(Enum):
    """How the arguments that all samples share follow copies and rows of the batch."""

    AS_THEY_ARE = "as they are"
    ONE_GRAPH = "one large graph"
    """All samples are one graph: node numbers go on from copy to copy, matrices over all nodes are block-diagonal."""
    ENTRIES = "entries"
    """The same, but matrices have an entry per sample along their first axis."""


@dataclass(frozen=True)
class Role:
    """What a tensor is to the batch.

    Attributes:
        kind: ``"fixed"``, ``"edges"`` (node numbers [2, E]), ``"samples"`` (the sample of each node), ``"starts"``
            (the first node of each sample, and the end), ``"blocks"`` (a matrix over all nodes), ``"of edges"`` (an
            entry per edge) or ``"rows"`` (entries per sample).
        unit: how many nodes, or entries, a sample has.
    """

    kind: str
    unit: int = 1


def role(tensor: Tensor, sizes: Mapping[str, int], way: Way, edge_counts: Sequence[int] = ()) -> Role:
    """What a shared tensor is to the batch, by its size and values.

    Args:
        tensor: any.
        sizes: of the axes b, m, t, n.
        way: how arguments follow the samples.
        edge_counts: how many edges the node numbers among the arguments have.

    Example:
        >>> sizes = {"b": 2, "m": 1, "t": 4, "n": 3}
        >>> role(torch.tensor([[0, 3], [1, 5]]), sizes, Way.ONE_GRAPH)
        Role(kind='edges', unit=3)
        >>> role(torch.eye(3), sizes, Way.ONE_GRAPH)
        Role(kind='fixed', unit=1)
    """
    fixed = Role("fixed")
    if way is Way.AS_THEY_ARE or tensor.ndim == 0:
        return fixed
    samples, nodes = sizes["b"], sizes["n"]
    # A sample's nodes may be those of all of its instances, or frames.
    units = sorted({nodes, nodes * sizes["m"], nodes * sizes["t"], nodes * sizes["m"] * sizes["t"]})
    integer = not tensor.is_floating_point() and not tensor.is_complex() and tensor.dtype != torch.bool
    if _is_edges(tensor):
        last = int(tensor.max()) if tensor.numel() else 0
        unit = next((unit for unit in units if samples * unit > last), 0)
        return Role("edges", unit) if unit else fixed
    if tensor.ndim >= 2 and tensor.shape[-1] == tensor.shape[-2] and way is Way.ONE_GRAPH:
        for unit in units:
            if tensor.shape[-1] == samples * unit:
                return Role("blocks", unit)
    length = len(tensor)
    if integer and tensor.ndim == 1 and length > 1:
        rising = bool((tensor[1:] >= tensor[:-1]).all())
        first, last = int(tensor[0]), int(tensor[-1])
        if rising and length == samples + 1 and first == 0 and last in [samples * unit for unit in units]:
            return Role("starts", last // samples)
        if rising and first == 0 and last == samples - 1 and length in [samples * unit for unit in units]:
            return Role("samples", length // samples)
    if length in edge_counts:
        return Role("of edges")
    for unit in (*units, 1):
        if length == samples * unit:
            return Role("rows", unit)
    return fixed


def roles(shared: Mapping[str, Any], sizes: Mapping[str, int], way: Way) -> list[Role]:
    """The role of every tensor among the shared arguments.

    Example:
        >>> sizes = {"b": 2, "m": 1, "t": 4, "n": 3}
        >>> shared = {"edge_index": torch.tensor([[0], [5]]), "weight": torch.ones(1)}
        >>> [each.kind for each in roles(shared, sizes, Way.ONE_GRAPH)]
        ['edges', 'of edges']
    """
    tensors = tensors_in(dict(shared))
    counts = [tensor.shape[1] for tensor in tensors if _is_edges(tensor)]
    return [role(tensor, sizes, way, counts) for tensor in tensors]


def repeat_shared(shared: Mapping[str, Any], copies: int, sizes: Mapping[str, int], way: Way) -> Mapping[str, Any]:
    """Shared arguments for copies of the batch, one whole batch after the other.

    Example:
        >>> sizes = {"b": 2, "m": 1, "t": 4, "n": 3}
        >>> repeat_shared({"edge_index": torch.tensor([[0], [5]])}, 2, sizes, Way.ONE_GRAPH)["edge_index"].tolist()
        [[0, 6], [5, 11]]
    """
    if way is Way.AS_THEY_ARE or copies == 1:
        return shared
    samples = sizes["b"]

    def change(tensor: Tensor, of: Role) -> Tensor:
        size = samples * of.unit
        if of.kind == "edges":
            return torch.cat([tensor + copy * size for copy in range(copies)], 1)
        if of.kind == "samples":
            return torch.cat([tensor + copy * samples for copy in range(copies)])
        if of.kind == "starts":
            return torch.cat([tensor[:1], *(tensor[1:] + copy * size for copy in range(copies))])
        if of.kind == "blocks":
            return _blocks(tensor, copies)
        return tensor if of.kind == "fixed" else along(tensor, copies)

    return _changed(shared, sizes, way, change, copies * samples)


def cut_shared(shared: Mapping[str, Any], rows: slice, sizes: Mapping[str, int], way: Way) -> Mapping[str, Any]:
    """Shared arguments for some of the samples.

    Example:
        >>> sizes = {"b": 2, "m": 1, "t": 4, "n": 3}
        >>> edges = torch.tensor([[0, 3], [1, 5]])
        >>> cut_shared({"edge_index": edges}, slice(1, 2), sizes, Way.ONE_GRAPH)["edge_index"].tolist()
        [[0], [2]]
    """
    if way is Way.AS_THEY_ARE:
        return shared
    by_count = {tensor.shape[1]: tensor for tensor in tensors_in(dict(shared)) if _is_edges(tensor)}

    def change(tensor: Tensor, of: Role) -> Tensor:
        start, stop = rows.start * of.unit, rows.stop * of.unit
        if of.kind == "edges":
            return tensor[:, _within(tensor, start, stop)].sub(start)
        if of.kind == "of edges":
            edges = by_count[len(tensor)]
            unit = role(edges, sizes, way).unit
            kept = _within(edges, rows.start * unit, rows.stop * unit)
            return tensor.index_select(0, kept.nonzero()[:, 0])
        if of.kind == "samples":
            return tensor[start:stop].sub(rows.start)
        if of.kind == "starts":
            return tensor[rows.start : rows.stop + 1].sub(tensor[rows.start])
        kept = torch.arange(start, stop, device=tensor.device)
        if of.kind == "blocks":
            return _picked(tensor, kept, -1, -2)
        if of.kind == "rows":
            return _picked(tensor, kept, 0)
        return tensor

    return _changed(shared, sizes, way, change, rows.stop - rows.start)


def _changed(
    shared: Mapping[str, Any],
    sizes: Mapping[str, int],
    way: Way,
    change: Callable[[Tensor, Role], Tensor],
    samples: int,
) -> Mapping[str, Any]:
    """The arguments with every tensor changed by its role, and numbers that count samples or nodes set right."""
    waiting = iter(roles(shared, sizes, way))
    changed: dict[str, Any] = mapped(dict(shared), lambda tensor: change(tensor, next(waiting)))
    for name, value in shared.items():
        # bool is an int too, and counts nothing. Only names that say so: a number alone may mean anything.
        if isinstance(value, int) and not isinstance(value, bool) and re.search("batch|sample|graph|node|size", name):
            per_sample, rest = divmod(value, sizes["b"])
            if not rest and per_sample in (1, sizes["n"], sizes["n"] * sizes["m"]):
                changed[name] = per_sample * samples
    return changed


def _is_edges(tensor: Tensor) -> bool:
    """Whether a tensor looks like node numbers of edges, sources and targets, ``[2, E]``."""
    integer = tensor.dtype in (torch.int64, torch.int32)
    return integer and tensor.layout == torch.strided and tensor.ndim == 2 and len(tensor) == 2


def _within(edges: Tensor, start: int, stop: int) -> Tensor:
    """Which edges have a node in the range; an edge that leaves it has a number out of range, which is noticed."""
    return ((edges >= start) & (edges < stop)).any(0)


def _picked(tensor: Tensor, kept: Tensor, *axes: int) -> Tensor:
    """The entries of a tensor at some indices of axes; sparse ones keep their layout."""
    # Slices of sparse tensors are not supported, and indices only where each entry has its own.
    entries = tensor if tensor.layout == torch.strided else tensor.to_sparse(layout=torch.sparse_coo)
    for axis in axes:
        entries = entries.index_select(axis, kept)
    return entries if tensor.layout == torch.strided else entries.to_sparse(layout=tensor.layout)


def _blocks(tensor: Tensor, copies: int) -> Tensor:
    """A matrix ``[..., size, size]`` as the blocks of a larger one."""
    size = tensor.shape[-1]
    if tensor.layout == torch.strided:
        blocks = tensor.new_zeros(*tensor.shape[:-2], copies * size, copies * size)
        for start in range(0, copies * size, size):
            blocks[..., start : start + size, start : start + size] = tensor
        return blocks
    entries = tensor.to_sparse(layout=torch.sparse_coo).coalesce()
    offset = torch.zeros(entries.indices().shape[0], 1, dtype=torch.int64, device=tensor.device)
    offset[-2:] = size
    indices = torch.cat([entries.indices() + copy * offset for copy in range(copies)], 1)
    shape = (*tensor.shape[:-2], copies * size, copies * size)
    values = entries.values().repeat(copies)
    blocks = torch.sparse_coo_tensor(indices, values, shape, check_invariants=True, device=values.device).coalesce()
    return blocks.to_sparse(layout=tensor.layout)
