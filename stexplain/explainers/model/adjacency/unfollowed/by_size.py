"""Products whose ends are taken for nodes by their number alone: what speaks against it, and what leaves it open.

Where all nodes are mixed, no axis follows them, and one that has as many entries is taken for theirs. So may be one of
the components of a graph Fourier basis, of hyperedges or of features, of which there happen to be as many.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from stexplain.explainers.model.adjacency.contraction import Contraction
from stexplain.explainers.model.adjacency.measured import Measured
from stexplain.explainers.model.adjacency.roles import ProductRoles

_BASIS = (
    "its columns are orthonormal, as those of a graph Fourier basis: it leads from nodes to as many components, or back"
)
_End = tuple[object, ...]
"""An axis of weights: the same in all products with them, however they are turned."""


def basis_of(form: Contraction, roles: ProductRoles) -> str:
    """Why a product is a change of basis and not over edges; empty where it is none, as far as is known.

    Args:
        form: the product.
        roles: of its axes.
    """
    if not any(roles.by_size) or form.operands[roles.adjacency].layout != torch.strided:
        return ""
    matrices = _matrices(form, roles).double()
    # A permutation is orthonormal too, and moves nodes: with one entry a row it has edges.
    if matrices.shape[-1] != matrices.shape[-2] or (matrices != 0).sum((-1, -2)).max() <= matrices.shape[-1]:
        return ""
    identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    return _BASIS if bool((matrices @ matrices.mT - identity).abs().max() < 1e-4) else ""


def by_size_alone(calls: Sequence[Measured]) -> set[int]:
    """The places of the calls whose ends nothing confirms to be nodes.

    An axis of weights is one of nodes in all products with these weights where it meets nodes in one of them. What is
    left: products neither of whose ends is known; an axis that weights lead to in one product and back from in another,
    as hyperedges are; parameters of both signs without a zero that lead away from the nodes, as a layer for features.

    Args:
        calls: all of a forward pass.
    """
    ends = {place: _ends(call.event.form, call.roles, call) for place, call in enumerate(calls) if _sized(call)}
    known = {
        end
        for place, call in enumerate(calls)
        if isinstance(call.event.form, Contraction) and isinstance(call.roles, ProductRoles)
        for end, sized in zip(
            ends.get(place) or _ends(call.event.form, call.roles, call), call.roles.by_size, strict=True
        )
        if not sized
    }
    sources = {source for source, _ in ends.values()} - known
    doubtful = set()
    for place, (source, target) in ends.items():
        neither = not {source, target} & known
        there_and_back = (target in sources and target != source) or source in {end for _, end in ends.values()} - known
        if neither or there_and_back or (target not in known and _like_a_layer(calls[place])):
            doubtful.add(place)
    return doubtful


def note_of(names: Iterable[str], nodes: int) -> str:
    """What is said of a map with such edges.

    Args:
        names: of the weights.
        nodes: N.
    """
    return (
        f"Taken for nodes by their number ({nodes}) alone: the ends of {', '.join(dict.fromkeys(names))}. Where these "
        "count components of a basis, hyperedges or features, the entries are no edges between nodes."
    )


def _sized(call: Measured) -> bool:
    return isinstance(call.roles, ProductRoles) and any(call.roles.by_size)


def _ends(form: object, roles: object, call: Measured) -> tuple[_End, _End]:
    assert isinstance(form, Contraction)
    assert isinstance(roles, ProductRoles)
    weights, labels = form.operands[roles.adjacency], form.labels[roles.adjacency]
    name = call.event.names[roles.adjacency]
    if name is not None and weights.layout == torch.strided:
        # Of views, such as a transposed one, strides tell the axis of what the model holds.
        source, target = (weights.stride(labels.index(end[0])) for end in (roles.source, roles.target))
        return (name.name, source), (name.name, target)
    if name is not None:
        return (name.name, "source"), (name.name, "target")
    matrices = _matrices(form, roles)
    values = blake2b(matrices.contiguous().cpu().numpy().tobytes()).digest()
    return (values, "source"), (values, "target")


def _matrices(form: Contraction, roles: ProductRoles) -> Tensor:
    """The weights as ``[..., source, target]``."""
    own = roles.axes_of(form.labels[roles.adjacency])
    unfolded = form.operands[roles.adjacency].detach().to_dense().reshape(roles.sizes_of(own))
    rest = [place for place, index in enumerate(own) if index not in (roles.source, roles.target)]
    return unfolded.permute(*rest, own.index(roles.source), own.index(roles.target))


def _like_a_layer(call: Measured) -> bool:
    assert isinstance(call.event.form, Contraction)
    assert isinstance(call.roles, ProductRoles)
    name, weights = call.event.names[call.roles.adjacency], call.event.form.operands[call.roles.adjacency]
    held = name is not None and name.kind == "parameter" and weights.layout == torch.strided
    return held and bool((weights != 0).all()) and bool((weights < 0).any()) and bool((weights > 0).any())
