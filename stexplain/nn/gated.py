"""The layers of a forecaster after Yu, Yin & Zhu (IJCAI 2018): gated convolutions over time, and over a graph.

Memory is node-first, ``[N, R, T, C]`` with R samples, as in `stexplain.nn.message_passing`. No weight depends on the
number of nodes.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.backend.aggregation import aggregate
from stexplain.backend.topology import Topology
from stexplain.graph import Relations


class GatedTemporalConvolution(nn.Module):
    """A convolution over time without padding, gated, with a residual: T frames in, T - L + 1 cells out.

        y[n, i] = (P[n, i] + r[n, i + L - 1]) * sigmoid(Q[n, i]),   [P Q][n, i] = b + sum over j < L of W_j x[n, i + j]

    Eq. 7 of Yu, Yin & Zhu (2018), a gated linear unit, with their residual connection: r is x, filled up with zero
    channels where there are fewer of them than C', and brought down to C' by a product where there are more.

    Args:
        channels_in: C.
        channels_out: C'.
        kernel: L, the number of frames it spans.

    Attributes:
        weight: W, ``[2 C', C, 1, L]``: first those of P, then those of Q.
        bias: b, ``[2 C']``.
        shortcut: ``[C', C]``, where C > C'; else none.

    Example:
        >>> GatedTemporalConvolution(1, 8, kernel=3)(torch.zeros(207, 4, 12, 1)).shape
        torch.Size([207, 4, 10, 8])
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int):
        super().__init__()
        weight = torch.empty(2 * channels_out, channels_in, 1, kernel)
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.empty(2 * channels_out))
        self.shortcut = nn.Parameter(torch.empty(channels_out, channels_in)) if channels_in > channels_out else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As torch's own convolutions: uniform within 1 / sqrt(of the number of values that enter)."""
        _, channels, _, kernel = self.weight.shape
        _uniform(self.weight, channels * kernel)
        _uniform(self.bias, channels * kernel)
        if self.shortcut is not None:
            _uniform(self.shortcut, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves.

        Args:
            x: ``[N, R, T, C]``, contiguous.

        Returns:
            ``[N, R, T - L + 1, C']``, contiguous.
        """
        nodes, rows, frames, channels = x.shape
        out, _, _, kernel = self.weight.shape
        # Kernel (1, L) on an image one high: see TemporalConvolution.
        image = x.view(nodes * rows, 1, frames, channels).permute(0, 3, 1, 2)
        both = F.conv2d(image, self.weight, self.bias).permute(0, 2, 3, 1).reshape(nodes, rows, -1, out)
        passed, gate = both.chunk(2, dim=-1)
        residual = x[:, :, kernel - 1 :]
        if self.shortcut is not None:
            residual = F.linear(residual, self.shortcut)
        elif channels < out // 2:
            residual = F.pad(residual, (0, out // 2 - channels))
        return (passed + residual) * torch.sigmoid(gate)

    def extra_repr(self) -> str:
        """What `repr` shows."""
        out, channels, _, kernel = self.weight.shape
        return f"{channels}, {out // 2}, kernel={kernel}"


class RelationConvolution(nn.Module):
    """A graph convolution with K relations: channels are mixed first, and the fewer that come out travel.

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
        source = np.concatenate([ends + k * nodes for k, ends in enumerate(relations.source)])
        self.topology = Topology(source, np.concatenate(relations.target), nodes * len(relations), nodes)
        self.register_buffer("adjacency", _adjacency(relations), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(relations), channels_out, channels_in))
        self.bias = nn.Parameter(torch.empty(channels_out))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform within 1 / sqrt(of the number of channels that enter), over all relations."""
        _uniform(self.weight, self.weight.shape[0] * self.weight.shape[2])
        _uniform(self.bias, self.weight.shape[0] * self.weight.shape[2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves ``[N, R, T, C]``, contiguous, to ``[N, R, T, C']``."""
        sent = torch.cat([mixed(x, weight) for weight in self.weight])
        arrived = aggregate(self.topology, sent, self.adjacency)
        return arrived.view(*x.shape[:3], -1) + self.bias

    def extra_repr(self) -> str:
        """What `repr` shows."""
        relations, out, channels = self.weight.shape
        return f"{channels}, {out}, relations={relations}, edges={len(self.topology)}"


class ChebyshevConvolution(nn.Module):
    """A graph convolution by Chebyshev polynomials of one relation S, the scaled Laplacian.

        y = b + sum over k < K of T_k(S) x W_k,   T_0 = 1, T_1 = S, T_k = 2 S T_(k-1) - T_(k-2)

    Eq. 3 of Yu, Yin & Zhu (2018), after Defferrard, Bresson & Vandergheynst (NIPS 2016). It is summed by Clenshaw's
    recurrence (1955): with u_k = x W_k and b_k = u_k + 2 S b_(k+1) - b_(k+2), the sum is u_0 + S b_1 - b_2. So K - 1
    messages of C' channels go along each edge of S, and no power of S, which has more edges, is ever made.

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
        """Uniform within 1 / sqrt(of the number of channels that enter), over all terms."""
        _uniform(self.weight, self.weight.shape[0] * self.weight.shape[2])
        _uniform(self.bias, self.weight.shape[0] * self.weight.shape[2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves ``[N, R, T, C]``, contiguous, to ``[N, R, T, C']``."""
        first, *further = [mixed(x, weight) for weight in self.weight]
        total = first
        if further:
            latest, later = further.pop(), None
            for term in reversed(further):
                step = term + 2 * self._sent(latest)
                latest, later = (step if later is None else step - later), latest
            total = first + self._sent(latest)
            total = total if later is None else total - later
        return total.view(*x.shape[:3], -1) + self.bias

    def _sent(self, x: torch.Tensor) -> torch.Tensor:
        return aggregate(self.topology, x, self.adjacency)

    def extra_repr(self) -> str:
        """What `repr` shows."""
        order, out, channels = self.weight.shape
        return f"{channels}, {out}, order={order}, edges={len(self.topology)}"


def mixed(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The product over channels of ``[N, R, T, C]`` with ``[C', C]``, flat for messages: ``[N, R * T * C']``."""
    nodes, rows, frames, channels = x.shape
    # A convolution on channels-last memory takes half as long as the same product by F.linear.
    image = x.view(nodes, 1, rows * frames, channels).permute(0, 3, 1, 2)
    kernel = weight[:, :, None, None].contiguous(memory_format=torch.channels_last)
    return F.conv2d(image, kernel).permute(0, 2, 3, 1).reshape(nodes, -1)


def _adjacency(relations: Relations) -> torch.Tensor:
    # Float64 until the module is cast; `aggregate` takes it in the type of the features.
    return torch.tensor(np.concatenate(relations.weight))


def _uniform(tensor: torch.Tensor, entering: int) -> None:
    nn.init.uniform_(tensor, -1 / math.sqrt(entering), 1 / math.sqrt(entering))
