"""The convolution over a graph: messages from node to node by relation, then one product that mixes channels.

Memory is node-first, ``[N, R, T, C]`` with R = B * M rows (instances of samples), through the whole network: all that
a node sends is then one contiguous block, and what arrives is channels-last memory for the product. At 25 nodes this
layout, not sparsity, is what makes it fast.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.backend.aggregation import aggregate
from stexplain.backend.topology import Topology
from stexplain.graph import Relations


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
    partitions of Yan et al. (AAAI 2018), where Q may differ from edge to edge of every relation. As everything but Q
    is linear, messages are aggregated first, C channels of them, and mixed by W after.

    Args:
        relations: K edge lists with normalised weights.
        topology: of these relations, from `relation_topology`; shared by the layers of a network.
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
        self.register_buffer("adjacency", torch.tensor(np.concatenate(relations.weight)), persistent=False)
        self.importance = nn.Parameter(torch.ones(len(topology)))
        weight = torch.empty(channels_out, channels_in, self.relations, 1)
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.empty(channels_out, self.relations))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As ST-GCN was released: weights from N(0, 0.02^2), biases zero, importance one."""
        nn.init.normal_(self.weight, 0.0, 0.02)
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
        arrived = aggregate(self.topology, x.reshape(nodes, rows * frames * channels), weight)
        # [N, K, R*T, C] in memory is a channels-last image of C channels, K high and R*T wide.
        image = arrived.view(nodes, self.relations, rows * frames, channels).permute(0, 3, 1, 2)
        # In place here and below, and on no view: an allocation of this size costs as much as an operation on it.
        mixed = F.conv2d(image, self.weight).add_(self._arrived_bias(weight)[:, :, None, None])
        return mixed.permute(0, 2, 3, 1).reshape(nodes, rows, frames, -1)

    def _arrived_bias(self, weight: torch.Tensor) -> torch.Tensor:
        """What the biases add at each node, ``[N, C']``: sum over k of b_k times the weight that arrives by k."""
        _, target = self.topology.tensors(weight.device)
        degree = weight.new_zeros(self.topology.targets).index_add(0, target, weight)
        return F.linear(degree.view(-1, self.relations), self.bias)

    def extra_repr(self) -> str:
        """What `repr` shows."""
        out, channels = self.weight.shape[:2]
        return f"{channels}, {out}, relations={self.relations}, edges={len(self.topology)}"


class TemporalConvolution(nn.Module):
    """A convolution over time, of every node by itself, with the same weights; zero-padded so that T' = ceil(T / s).

        y[n, i] = b + sum over j of  W_j x[n, i s + j],   j from -(L-1)/2 to (L-1)/2

    Args:
        channels_in: C.
        channels_out: C'.
        kernel: L, the number of frames it spans; odd.
        stride: s, in frames. Cell i is centred on frame i * s.

    Attributes:
        weight: W, ``[C', C, 1, L]``.
        bias: b, ``[C']``.

    Example:
        >>> TemporalConvolution(3, 8, kernel=9, stride=2)(torch.zeros(25, 4, 11, 3)).shape
        torch.Size([25, 4, 6, 8])
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1):
        super().__init__()
        self.stride = stride
        weight = torch.empty(channels_out, channels_in, 1, kernel)
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.empty(channels_out))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As ST-GCN was released: weights from N(0, 0.02^2), biases zero."""
        nn.init.normal_(self.weight, 0.0, 0.02)
        nn.init.zeros_(self.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves.

        Args:
            x: ``[N, R, T, C]``, contiguous.

        Returns:
            ``[N, R, T', C']``, contiguous.
        """
        nodes, rows, frames, channels = x.shape
        # Kernel (1, L) on an image one high: (L, 1) on one T high takes up to three times as long in oneDNN.
        image = x.view(nodes * rows, 1, frames, channels).permute(0, 3, 1, 2)
        padding = (0, self.weight.shape[-1] // 2)
        out = F.conv2d(image, self.weight, self.bias, stride=(1, self.stride), padding=padding)
        return out.permute(0, 2, 3, 1).reshape(nodes, rows, out.shape[-1], -1)

    def extra_repr(self) -> str:
        """What `repr` shows."""
        out, channels, _, kernel = self.weight.shape
        return f"{channels}, {out}, kernel={kernel}, stride={self.stride}"


class ChannelNorm(nn.BatchNorm1d):
    """Batch normalisation of each channel over all nodes, rows and frames: ``[N, R, T, C]`` to the same.

    Weights start from N(1, 0.02^2) and biases at zero, as ST-GCN was released.

    Example:
        >>> ChannelNorm(8)(torch.zeros(25, 4, 11, 8)).shape
        torch.Size([25, 4, 11, 8])
    """

    def reset_parameters(self) -> None:
        """As ST-GCN was released."""
        super().reset_parameters()
        nn.init.normal_(self.weight, 1.0, 0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalises.

        Args:
            x: ``[..., C]``, contiguous.

        Returns:
            The same shape.
        """
        normalised: torch.Tensor = super().forward(x.view(-1, x.shape[-1])).view(x.shape)
        return normalised


class NormActivation(ChannelNorm):
    """Batch normalisation, dropout, the sum with a residual, and ReLU: ``[N, R, T, C]`` to the same.

        y = ReLU(dropout(BN(x)) + residual), zero in cells without a reading

    One module, as all of it happens in place: whoever hooks a module must not hold a tensor that changes later.

    Args:
        channels: C.
        dropout: share of values dropped while training, in [0, 1).

    Example:
        >>> NormActivation(8)(torch.zeros(25, 4, 11, 8)).shape
        torch.Size([25, 4, 11, 8])
    """

    def __init__(self, channels: int, dropout: float = 0.0):
        super().__init__(channels)
        self.dropout = dropout

    def forward(
        self, x: torch.Tensor, residual: torch.Tensor | None = None, readings: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Applies it.

        Args:
            x: ``[N, R, T, C]``, contiguous.
            residual: of the same shape; none: zero.
            readings: which cells hold a reading, ``[R, T]``, bool; none: all do.

        Returns:
            The shape of `x`.
        """
        y = nn.BatchNorm1d.forward(self, x.view(-1, x.shape[-1]))  # ChannelNorm's would be a view
        if self.training and self.dropout:
            y = y.mul_(_kept(y, self.dropout)).mul_(1 / (1 - self.dropout))
        if residual is not None:
            y = y.add_(residual.view(y.shape))
        if readings is not None:
            y = y.mul_(readings.flatten().repeat(len(x))[:, None].to(y.dtype))
        return y.relu_().view(x.shape)

    def extra_repr(self) -> str:
        """What `repr` shows."""
        return f"{self.num_features}, dropout={self.dropout}"


def _kept(x: torch.Tensor, dropout: float) -> torch.Tensor:
    """A random mask of the shape of `x`, true with probability 1 - dropout to within 2^-17.

    Four 16-bit draws are cut from each random word: torch's own dropout draws a word for each value, one at a time,
    which takes a tenth of a training step on a CPU; and it keeps floats for the backward pass where a bit will do.
    """
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
    return (words.view(torch.int16)[: x.numel()] >= round(dropout * 2**16) - 2**15).view(x.shape)
