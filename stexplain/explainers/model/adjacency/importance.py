"""The importance of the edges of one operation: the score's gradient times the message that goes over each."""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.explainers.model.adjacency.contraction import Contraction
from stexplain.explainers.model.adjacency.events import MessageSum, Scatter
from stexplain.explainers.model.adjacency.roles import Atom, Index, MessageRoles, ProductRoles

_ENTRIES = 2**23
"""So many numbers are multiplied at a time: 32 MB in float32."""


@dataclass(frozen=True)
class EdgeValues:
    """Importance of the edges of one call.

    Attributes:
        source: ``[E]``, the index of a node.
        target: ``[E]``, the index of a node.
        relation: ``[E]``, from 0.
        values: ``[B, T', E]``; T' is 1 where the operation has no axis of frames, B where it has none of samples.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    relation: NDArray[np.int64]
    values: NDArray[np.float64]


def edges_of(form: Contraction, roles: ProductRoles) -> tuple[dict[Index, Tensor], Tensor | None]:
    """The entries of an adjacency that are not zero, and the values of a sparse one.

    Returns:
        For each atom of source, target and relations (of a sparse adjacency, for all of its atoms) its index at every
        edge, ``[E]``; the values ``[E]``, or none of a dense adjacency.
    """
    matrix, labels = form.operands[roles.adjacency], form.labels[roles.adjacency]
    ends = [roles.source, roles.target, *roles.relations]
    if matrix.layout != torch.strided:
        entries = matrix.to_sparse(layout=torch.sparse_coo).coalesce()
        places: dict[Index, Tensor] = {}
        for label, index in zip(labels, entries.indices(), strict=True):
            places.update(_unravelled(index, roles, [label]))
        return places, entries.values()
    own = roles.axes_of(labels)
    unfolded = matrix.reshape(roles.sizes_of(own))
    others = [place for place, index in enumerate(own) if index not in ends]
    present = (unfolded != 0).permute(*others, *(own.index(index) for index in ends))
    present = present.reshape(-1, *present.shape[len(others) :]).any(0)
    return dict(zip(ends, present.nonzero(as_tuple=True), strict=True)), None


def product_values(form: Contraction, roles: ProductRoles, gradient: Tensor) -> EdgeValues:
    """Importance of every edge of a product; the sum over channels of g[b, t, v, c] A[.., u, v] x[b, t, u, c].

    Args:
        form: with the operands.
        roles: of their axes.
        gradient: of the score at the result.
    """
    places, sparse_values = edges_of(form, roles)
    tensors = [(gradient * form.scale, form.out), *zip(form.operands, form.labels, strict=True)]
    operands: list[tuple[Tensor, list[Index], list[Index], list[int]]] = []
    for number, (tensor, labels) in enumerate(tensors):
        own = roles.axes_of(labels)
        if number - 1 == roles.adjacency and sparse_values is not None:
            operands.append((sparse_values, [], [], []))
            continue
        at_edges = [index for index in own if index in places]
        rest = [index for index in own if index not in places]
        # [rest..., entries]: the last axis is looked up edge by edge.
        moved = tensor.reshape(roles.sizes_of(own)).permute([own.index(index) for index in [*rest, *at_edges]])
        operands.append((moved.reshape(*moved.shape[: len(rest)], -1), rest, at_edges, roles.sizes_of(at_edges)))
    kept = [index for index in (roles.sample, roles.frame) if index is not None and index not in places]
    union = list(dict.fromkeys([*kept, *(index for _, rest, _, _ in operands for index in rest)]))
    edges = len(places[roles.source])
    step = max(_ENTRIES // max(prod(roles.sizes_of(union)), 1), 1)
    parts = []
    for start in range(0, edges, step):
        chunk = slice(start, min(start + step, edges))
        product: Tensor | None = None
        for tensor, rest, at_edges, sizes in operands:
            if at_edges:
                tensor = tensor[..., _ravelled([places[index][chunk] for index in at_edges], sizes)]
            elif tensor is sparse_values:
                tensor = tensor[chunk]
            product = _multiplied(product, _aligned(tensor, rest, union))
        assert product is not None
        # Kept axes come first: the others, channels, are summed.
        parts.append(product.flatten(len(kept), -2).sum(-2) if len(union) > len(kept) else product)
    values = torch.cat(parts, -1) if parts else gradient.new_zeros(*roles.sizes_of(kept), 0)
    for place, index in enumerate((roles.sample, roles.frame)):
        if index not in kept:
            at = None if index is None else (places[index], roles.sizes_of([index])[0])
            values = _spread(values, place, at)
    relations = _ravelled([places[index] for index in roles.relations], roles.sizes_of(roles.relations))
    source, target, relation = (_array(each, edges) for each in (places[roles.source], places[roles.target], relations))
    return EdgeValues(source, target, relation, _values(values))


def message_values(form: Scatter | MessageSum, roles: MessageRoles, tensor: Tensor, gradient: Tensor) -> EdgeValues:
    """Importance of every message of a scatter, or of DGL: the sum over channels of gradient times message.

    Args:
        form: with the sources and targets.
        roles: of the axes.
        tensor: the messages of a scatter; the result of a sum of messages.
        gradient: of the score at it.
    """
    target = form.target
    edges, rest = len(target), [atom.size for atom in roles.rest]
    letters = [atom.letter for atom in roles.rest]
    kept = [letters.index(letter) for letter in "bt" if letter in letters]
    step = max(_ENTRIES // max(prod(rest), 1), 1)
    parts = []
    for start in range(0, edges, step):
        chunk = torch.arange(start, min(start + step, edges), device=target.device)
        if isinstance(form, Scatter):
            product = (
                tensor * gradient
                if step >= edges
                else tensor.index_select(form.axis, chunk) * gradient.index_select(form.axis, chunk)
            ).movedim(form.axis, 0)
        else:
            product = gradient.index_select(0, target[chunk]) * form.messages(chunk)
        others = [place for place in range(len(rest)) if place not in kept]
        product = product.reshape(len(chunk), *rest).permute(*(1 + place for place in (*kept, *others)), 0)
        parts.append(product.flatten(len(kept), -2).sum(-2) if len(rest) > len(kept) else product)
    values = torch.cat(parts, -1) if parts else gradient.new_zeros(*(rest[place] for place in kept), 0)
    at_target = _parts(target, roles.target)
    for place, letter in enumerate("bt"):
        if letter not in letters:
            folded = [(at_target[letter], atom.size) for atom in roles.target if atom.letter == letter]
            values = _spread(values, place, folded[0] if folded else None)
    source, target_node, relation = (_array(each, edges) for each in ends_of(form, roles))
    return EdgeValues(source, target_node, relation, _values(values))


def ends_of(form: Scatter | MessageSum, roles: MessageRoles) -> tuple[Tensor, Tensor, Tensor]:
    """Source, target and relation of each message, ``[E]``."""
    if isinstance(form, MessageSum):
        source = form.source
    else:
        assert form.gather is not None
        source = form.gather.index
    at_target, at_source = _parts(form.target, roles.target), _parts(source, roles.source)
    relation = at_target[""] * prod(atom.size for atom in roles.source if not atom.letter) + at_source[""]
    return at_source["n"], at_target["n"], relation


def _parts(index: Tensor, atoms: tuple[Atom, ...]) -> dict[str, Tensor]:
    """An index of folded axes as those of its letters; those without a letter as one number."""
    result = {"": torch.zeros_like(index)}
    factor = 1
    for atom in reversed(atoms):
        part = index % atom.size
        index = index // atom.size
        if atom.letter:
            result[atom.letter] = part
        else:
            result[""] = result[""] + factor * part
            factor *= atom.size
    return result


def _spread(values: Tensor, place: int, at: tuple[Tensor, int] | None) -> Tensor:
    """Values with a further axis of samples or frames: of size one; or zero but at the index of each edge."""
    values = values.unsqueeze(place)
    if at is None:
        return values
    index, size = at
    own = torch.arange(size, device=index.device)[:, None] == index
    return values * own.reshape([size if axis == place else 1 for axis in range(values.ndim - 1)] + [-1])


def _multiplied(product: Tensor | None, factor: Tensor) -> Tensor:
    return factor if product is None else product * factor


def _aligned(tensor: Tensor, own: list[Index], union: list[Index]) -> Tensor:
    """A tensor ``[own..., edges]`` as ``[union..., edges]``, of size one along what it has not."""
    order = sorted(range(len(own)), key=lambda place: union.index(own[place]))
    moved = tensor.permute(*order, len(own))
    sizes = iter(moved.shape)
    return moved.reshape(*(next(sizes) if index in own else 1 for index in union), next(sizes))


def _ravelled(indices: list[Tensor], sizes: list[int]) -> Tensor:
    """One number for several indices, the last varying fastest."""
    total = torch.zeros((), dtype=torch.int64, device="cpu")
    for index, size in zip(indices, sizes, strict=True):
        total = total.to(index.device) * size + index
    return total


def _unravelled(index: Tensor, roles: ProductRoles, labels: list[int]) -> dict[Index, Tensor]:
    """The inverse, by the atoms of some labels."""
    result = {}
    for atom, size in reversed(list(zip(roles.axes_of(labels), roles.sizes_of(roles.axes_of(labels)), strict=True))):
        result[atom] = index % size
        index = index // size
    return result


def _array(index: Tensor, edges: int) -> NDArray[np.int64]:
    return index.expand(edges).cpu().numpy().astype(np.int64)


def _values(values: Tensor) -> NDArray[np.float64]:
    return values.detach().cpu().double().numpy()
