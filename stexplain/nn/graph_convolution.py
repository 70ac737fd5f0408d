"""Graph convolutions: messages along the edges of K relations, and a product that mixes channels.

Memory is node-first, ``[N, R, T, C]`` with R = B * M rows (instances of samples), through the whole network: what a
node sends is then one contiguous block, and what it receives is channels-last memory for the product. At 25 nodes this
layout, not sparsity, makes it fast.

`GraphConvolution` aggregates first and mixes after, as the skeleton network's edge importance needs; the forecaster's
`RelationConvolution` and `ChebyshevConvolution` mix first, as they bring channels down.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.backend.aggregation import aggregate
from stexplain.backend.topology import Topology
from stexplain.graph import Relations
from stexplain.nn.initialisation import normal_as_released, uniform_by_fan_in


def relation_topology(relations: Relations, nodes: int) -> Topology:
    """All relations in one bipartite topology: N sources, N * K targets, target (n, k) at n * K + k.

    Args:
        relations: K edge lists over the nodes.
        nodes: number of nodes, N.

    Example:
        >>> from stexplain.graph import STGraph
        >>> graph = STGraph.from_edges("ab", [("a", "b")])
        >>> relation_topology(graph.relations("uniform"), len(graph))
        Topology(4 edges from 2 sources to 2 targets)
    """
    count = len(relations)
    source = np.concatenate(relations.source)
    target = np.concatenate([ends * count + k for k, ends in enumerate(relations.target)])
    return Topology(source, target, nodes, nodes * count)


class GraphConvolution(nn.Module):
    """A graph convolution with K relations and a learnable importance of every edge.

        y[n] = sum over k, and edges e = (v -> n) of relation k, of  a[e] Q[e] (W_k x[v] + b_k)

    a is the normalised adjacency, Q the edge importance (ones at start): Eq. 1 of Das & Ortega (ICASSP 2022) with the
    partitions of Yan et al. (AAAI 2018), with one Q per edge of every relation. W and the aggregation are linear and
    commute, so that messages of C channels are aggregated first, and mixed by W afterwards.

    Args:
        relations: K edge lists with normalised weights.
        topology: of these relations, from `relation_topology`; the layers of a network share one.
        channels_in: C.
        channels_out: C'.

    Attributes:
        adjacency: a, ``[E]``, float64 until the module is cast; edges in the order of the relations.
        importance: Q, ``[E]``.
        weight: W, ``[C', C, K, 1]``.
        bias: b, ``[C', K]``.

    Example:
        >>> from stexplain.graph import STGraph
        >>> graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")])
        >>> relations = graph.relations("uniform")
        >>> layer = GraphConvolution(relations, relation_topology(relations, len(graph)), 3, 8)
        >>> layer(torch.zeros(3, 4, 10, 3)).shape
        torch.Size([3, 4, 10, 8])
    """

    adjacency: torch.Tensor

    def __init__(self, relations: Relations, topology: Topology, channels_in: int, channels_out: int):
        super().__init__()
        self.topology = topology
        self.relations = len(relations)
        # Not in the state dict: it belongs to the graph, which a checkpoint holds once.
        self.register_buffer("adjacency", _adjacency(relations), persistent=False)
        self.importance = nn.Parameter(torch.ones(len(topology)))
        weight = torch.empty(channels_out, channels_in, self.relations, 1)
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.empty(channels_out, self.relations))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As in the released ST-GCN: weights from N(0, 0.02^2), biases zero, importance one."""
        normal_as_released(self.weight)
        nn.init.zeros_(self.bias)
        nn.init.ones_(self.importance)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves.

        Args:
            x: ``[N, R, T, C]``, contiguous.

        Returns:
            ``[N, R, T, C']``, contiguous.
        """
        nodes, rows, frames, channels = x.shape
        weight = self.adjacency.to(self.importance.dtype) * self.importance
        aggregated = aggregate(self.topology, x.reshape(nodes, rows * frames * channels), weight)
        # [N, K, R*T, C] in memory is a channels-last image of C channels, K high and R*T wide.
        image = aggregated.reshape(nodes, self.relations, rows * frames, channels).permute(0, 3, 1, 2)
        # In place, on a tensor that is no view: an allocation of this size costs as much as an operation on it.
        y = F.conv2d(image, self.weight).add_(self._aggregated_bias(weight)[:, :, None, None])
        return y.permute(0, 2, 3, 1).reshape(nodes, rows, frames, -1)

    def _aggregated_bias(self, weight: torch.Tensor) -> torch.Tensor:
        """The bias at each node, ``[N, C']``: sum over k of b_k times the incoming weight of relation k."""
        _, target = self.topology.tensors(weight.device)
        # Q makes the incoming weight of a node learnable, so the bias is not a constant.
        degree = weight.new_zeros(self.topology.targets).index_add(0, target, weight)
        return F.linear(degree.view(-1, self.relations), self.bias)

    def extra_repr(self) -> str:
        """The sizes in `repr`."""
        out, channels = self.weight.shape[:2]
        return f"{channels}, {out}, relations={self.relations}, edges={len(self.topology)}"


class RelationConvolution(nn.Module):
    """A graph convolution with K relations that mixes channels first, so that messages have C' channels, not C.

        y[n] = b + sum over k, and edges e = (v -> n) of relation k, of  a[e] W_k x[v]

    Args:
        relations: K edge lists with normalised weights.
        nodes: N.
        channels_in: C.
        channels_out: C'.

    Attributes:
        weight: W, ``[K, C', C]``.
        bias: b, ``[C']``.

    Example:
        >>> from stexplain.graph import STGraph
        >>> graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")])
        >>> RelationConvolution(graph.relations("uniform"), 3, 8, 4)(torch.zeros(3, 2, 10, 8)).shape
        torch.Size([3, 2, 10, 4])
    """

    adjacency: torch.Tensor

    def __init__(self, relations: Relations, nodes: int, channels_in: int, channels_out: int):
        super().__init__()
        # Source (k, n) at k * N + n: the mixed features of the K relations, one block after the other.
        source = np.concatenate([ends + k * nodes for k, ends in enumerate(relations.source)])
        self.topology = Topology(source, np.concatenate(relations.target), nodes * len(relations), nodes)
        self.register_buffer("adjacency", _adjacency(relations), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(relations), channels_out, channels_in))
        self.bias = nn.Parameter(torch.empty(channels_out))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform by fan-in, which is C times the number of relations."""
        uniform_by_fan_in(self.weight, self.weight.shape[0] * self.weight.shape[2])
        uniform_by_fan_in(self.bias, self.weight.shape[0] * self.weight.shape[2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves ``[N, R, T, C]``, contiguous, to ``[N, R, T, C']``."""
        messages = torch.cat([mix_channels(x, weight) for weight in self.weight])
        aggregated = aggregate(self.topology, messages, self.adjacency)
        return aggregated.reshape(*x.shape[:3], -1) + self.bias

    def extra_repr(self) -> str:
        """The sizes in `repr`."""
        relations, out, channels = self.weight.shape
        return f"{channels}, {out}, relations={relations}, edges={len(self.topology)}"


class ChebyshevConvolution(nn.Module):
    """A graph convolution by Chebyshev polynomials of one relation S, the scaled Laplacian.

        y = b + sum over k < K of T_k(S) x W_k,   T_0 = 1, T_1 = S, T_k = 2 S T_(k-1) - T_(k-2)

    Eq. 3 of Yu, Yin & Zhu (2018), after Defferrard, Bresson & Vandergheynst (NIPS 2016). Clenshaw's recurrence (1955)
    gives the sum: with u_k = x W_k and b_k = u_k + 2 S b_(k+1) - b_(k+2), it is u_0 + S b_1 - b_2. So K - 1 messages of
    C' channels go along each edge of S, and powers of S, which have more edges, are not needed.

    Args:
        relations: the one relation S.
        nodes: N.
        channels_in: C.
        channels_out: C'.
        order: K, at least 1.

    Attributes:
        weight: W, ``[K, C', C]``.
        bias: b, ``[C']``.

    Example:
        >>> from stexplain.graph import STGraph
        >>> graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")])
        >>> laplacian = graph.relations("chebyshev", order=2)
        >>> laplacian = Relations(("S",), laplacian.source[1:], laplacian.target[1:], laplacian.weight[1:])
        >>> ChebyshevConvolution(laplacian, 3, 8, 4, order=3)(torch.zeros(3, 2, 10, 8)).shape
        torch.Size([3, 2, 10, 4])
    """

    adjacency: torch.Tensor

    def __init__(self, relations: Relations, nodes: int, channels_in: int, channels_out: int, order: int):
        super().__init__()
        self.topology = Topology(relations.source[0], relations.target[0], nodes, nodes)
        self.register_buffer("adjacency", _adjacency(relations), persistent=False)
        self.weight = nn.Parameter(torch.empty(order, channels_out, channels_in))
        self.bias = nn.Parameter(torch.empty(channels_out))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform by fan-in, which is C times the number of terms."""
        uniform_by_fan_in(self.weight, self.weight.shape[0] * self.weight.shape[2])
        uniform_by_fan_in(self.bias, self.weight.shape[0] * self.weight.shape[2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves ``[N, R, T, C]``, contiguous, to ``[N, R, T, C']``."""
        first, *further = [mix_channels(x, weight) for weight in self.weight]
        total = first
        if further:
            # `latest` is b_(k+1) and `later` b_(k+2), which is zero, and therefore none, at the start.
            latest, later = further.pop(), None
            for term in reversed(further):
                step = term + 2 * self._propagated(latest)
                latest, later = (step if later is None else step - later), latest
            total = first + self._propagated(latest)
            total = total if later is None else total - later
        return total.reshape(*x.shape[:3], -1) + self.bias

    def _propagated(self, x: torch.Tensor) -> torch.Tensor:
        """S x."""
        return aggregate(self.topology, x, self.adjacency)

    def extra_repr(self) -> str:
        """The sizes in `repr`."""
        order, out, channels = self.weight.shape
        return f"{channels}, {out}, order={order}, edges={len(self.topology)}"


def mix_channels(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The product of ``[N, R, T, C]`` with ``[C', C]`` over channels, flattened for messages: ``[N, R * T * C']``."""
    nodes, rows, frames, channels = x.shape
    # A 1x1 convolution on channels-last memory takes half as long as the same product by F.linear.
    image = x.reshape(nodes, 1, rows * frames, channels).permute(0, 3, 1, 2)
    kernel = weight[:, :, None, None].contiguous(memory_format=torch.channels_last)
    return F.conv2d(image, kernel).permute(0, 2, 3, 1).reshape(nodes, -1)


def _adjacency(relations: Relations) -> torch.Tensor:
    """The weights of all relations' edges, ``[E]``."""
    # Float64 until the module is cast; `aggregate` takes it in the type of the features.
    return torch.tensor(np.concatenate(relations.weight))
