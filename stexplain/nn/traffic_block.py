"""The block of the forecaster: a graph convolution between two gated convolutions over time."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from stexplain.graph import Relations
from stexplain.nn.graph_convolution import ChebyshevConvolution, RelationConvolution
from stexplain.nn.temporal_convolution import GatedTemporalConvolution

LAPLACIAN = "scaled Laplacian"
"""The name of a relation that stands for its Chebyshev polynomials."""


class TrafficBlock(nn.Module):
    """A block: gated temporal convolution, graph convolution and ReLU, gated temporal convolution, norm, dropout.

        y = dropout(norm(gate_1(ReLU(gconv(gate_0(x))))))

    Eq. 8 of Yu, Yin & Zhu (2018). The norm is over the channels of each position.

    Args:
        relations: of the graph convolution; one relation named `LAPLACIAN` stands for its polynomials.
        nodes: N.
        channels_in: C.
        channels: the output channels of the three convolutions; the last is C'.
        temporal_kernel: L.
        order: number of terms of the polynomials.
        dropout: share of values dropped while training, in [0, 1).
    """

    def __init__(
        self,
        relations: Relations,
        nodes: int,
        channels_in: int,
        channels: Sequence[int],
        *,
        temporal_kernel: int = 3,
        order: int = 3,
        dropout: float = 0.0,
    ):
        super().__init__()
        first, middle, last = channels  # a narrow middle keeps messages small
        self.before = GatedTemporalConvolution(channels_in, first, temporal_kernel)
        self.spatial: nn.Module
        # By name, as a saved model holds relations only, not the strategy that made them.
        if relations.names == (LAPLACIAN,):
            self.spatial = ChebyshevConvolution(relations, nodes, first, middle, order)
        else:
            self.spatial = RelationConvolution(relations, nodes, first, middle)
        self.after = GatedTemporalConvolution(middle, last, temporal_kernel)
        # Over channels only: over nodes as well, its weights would fix the number of nodes.
        self.norm = nn.LayerNorm(last)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Applies the block to ``[N, B, T, C]``, contiguous; gives ``[N, B, T - 2 (L - 1), C']``."""
        y: torch.Tensor = self.dropout(self.norm(self.after(F.relu(self.spatial(self.before(x))))))
        return y
