"""The nodes that a forecast at some nodes depends on, and the forecaster computed on those alone."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.axes import BATCH, check_shape
from stexplain.backend.topology import Topology
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.nn.graph_convolution import ChebyshevConvolution, RelationConvolution
from stexplain.nn.temporal_convolution import GatedTemporalConvolution
from stexplain.nn.traffic_block import TrafficBlock

Convolution = ChebyshevConvolution | RelationConvolution
# What a forecaster is made of where nothing was put into it. None of them mixes nodes but the two convolutions.
_PARTS: set[type] = {
    TrafficBlock,
    GatedTemporalConvolution,
    ChebyshevConvolution,
    RelationConvolution,
    nn.ModuleList,
    nn.LayerNorm,
    nn.Linear,
    nn.Dropout,
}


def receptive_field(convolutions: Sequence[Convolution], nodes: Iterable[int]) -> NDArray[np.int64]:
    """The nodes whose signals the output of a chain of graph convolutions at some nodes depends on, in order.

    Args:
        convolutions: over the same nodes, the first first.
        nodes: at which the output is read, indices from 0.

    Raises:
        InputError: where there is no convolution, or no such node.

    Example:
        >>> from stexplain.graph import Relations
        >>> path = Relations.from_matrices([np.eye(4) + np.eye(4, k=1)])  # each node hears itself and the one before
        >>> layer = RelationConvolution(path, 4, 1, 1)
        >>> receptive_field([layer], [2]).tolist(), receptive_field([layer, layer], [2]).tolist()
        ([1, 2], [0, 1, 2])
    """
    if not convolutions:
        raise InputError("convolutions: got none; expected at least one.")
    reached = np.zeros(convolutions[0].topology.targets, bool)
    read = list(nodes)
    for node in read:
        if not 0 <= node < len(reached):
            raise InputError(f"nodes: got {node}; expected indices from 0 to {len(reached) - 1}.")
    reached[read] = True
    # Backwards, from what is read to what it is made of.
    for convolution in reversed(convolutions):
        source, target = _ends(convolution)
        for _ in range(_hops(convolution)):
            # A node is kept though it may not hear itself: polynomials and residuals have terms of their own node.
            reached[source[reached[target]]] = True
    return np.flatnonzero(reached)


class OnReceptiveField(nn.Module):
    """A forecaster computed on the receptive field of some nodes alone: the rest of a large graph costs nothing.

    It is called as the whole is, on the signals of all nodes, and gives the same forecast at `nodes`, up to rounding,
    and zero at all others.

    Args:
        part: the forecaster on the nodes of `field`.
        field: indices of nodes, ``[F]``, in order.
        nodes: those of the field at which the output is read.
        count: how many nodes there are, N.

    Attributes:
        part: as given.
        field: as given, int64.
    """

    field: torch.Tensor
    nodes: torch.Tensor
    places: torch.Tensor

    def __init__(self, part: nn.Module, field: NDArray[np.int64], nodes: Iterable[int], count: int):
        super().__init__()
        self.part, self.count = part, count
        read = np.unique(list(nodes))
        indices = {"field": field, "nodes": read, "places": np.searchsorted(field, read)}
        for name, values in indices.items():
            self.register_buffer(name, torch.from_numpy(values), persistent=False)

    def forward(
        self, x: torch.Tensor, valid: torch.Tensor | None = None, observed: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The forecast at `nodes`, and zero elsewhere; see `STGCNForecaster.forward`."""
        check_shape("x", tuple(x.shape), BATCH, n=self.count)
        seen = None if observed is None else observed.index_select(-1, self.field)
        forecast: torch.Tensor = self.part(x.index_select(-2, self.field), valid, seen)
        whole = forecast.new_zeros(*forecast.shape[:2], self.count)
        return whole.index_copy(2, self.nodes, forecast.index_select(2, self.places))


def on_receptive_field(model: Any, nodes: Sequence[int]) -> OnReceptiveField | None:
    """A forecaster on the receptive field of some nodes, with the weights and the normalised edges of the whole.

    Args:
        model: an `STGCNForecaster`; its parameters are shared, and nothing of it is changed.
        nodes: at which the output is read, by index.

    Returns:
        None where that need not be the same: while it trains, as dropout is drawn for all nodes, and where a module, a
        parametrisation or a hook was put into it, which may look at other nodes.
    """
    if model.training or not _is_plain(model):
        return None
    # Of what the blocks hold, not of `model.relations`: a graph ablation changes the one and not the other.
    field = receptive_field([block.spatial for block in model.blocks], nodes)
    shared = [*model.parameters(), *model.buffers(), model.graph, model.relations]
    part = deepcopy(model, {id(one): one for one in shared})
    for block in part.blocks:
        _restrict(block.spatial, field)
    part.graph = STGraph._known([model.graph.nodes[index] for index in field], [])
    first = next(model.parameters())
    return OnReceptiveField(part, field, nodes, len(model.graph)).to(first.device).eval()


def _restrict(convolution: Convolution, field: NDArray[np.int64]) -> None:
    """Leaves the nodes of a field, numbered anew, and the edges between them, with the weights that they have."""
    topology, adjacency = convolution.topology, convolution.adjacency
    count = topology.targets
    place = np.full(count, -1)
    place[field] = np.arange(len(field))
    source, target = _ends(convolution)
    kept = np.flatnonzero((place[source] >= 0) & (place[target] >= 0))
    # Sources of `RelationConvolution` are numbered relation * N + node; the other has one relation.
    relation, relations = topology.source[kept] // count, topology.sources // count
    renumbered = relation * len(field) + place[source[kept]]
    convolution.topology = Topology(renumbered, place[target[kept]], relations * len(field), len(field))
    convolution.adjacency = adjacency[torch.from_numpy(kept).to(adjacency.device)]


def _is_plain(model: nn.Module) -> bool:
    """Whether a forecaster holds no other modules than its own, all of which run as their class says."""
    return all(
        (type(module) in _PARTS or module is model)
        and "forward" not in vars(module)
        and not any(hooks for name, hooks in vars(module).items() if name.endswith("_hooks"))
        for module in model.modules()
    )


def _hops(convolution: Convolution) -> int:
    """How many edges a message goes along."""
    # Of K terms the last is a polynomial of degree K - 1.
    return len(convolution.weight) - 1 if isinstance(convolution, ChebyshevConvolution) else 1


def _ends(convolution: Convolution) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Source and target of every edge, as nodes, ``[E]`` each."""
    topology = convolution.topology
    return topology.source % topology.targets, topology.target
