"""Batch normalisation of node-first activations, and the fused end of an STGCN block: norm, dropout, residual, ReLU."""

import torch
from torch import nn

from stexplain.nn.initialisation import normal_as_released


class ChannelNorm(nn.BatchNorm1d):
    """Batch normalisation of each channel over all nodes, rows and frames: ``[N, R, T, C]`` to the same.

    Weights start from N(1, 0.02^2) and biases at zero, as in the released ST-GCN.

    Example:
        >>> ChannelNorm(8)(torch.zeros(25, 4, 11, 8)).shape
        torch.Size([25, 4, 11, 8])
    """

    def reset_parameters(self) -> None:
        """As in the released ST-GCN."""
        super().reset_parameters()
        normal_as_released(self.weight, mean=1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalises.

        Args:
            x: ``[..., C]``, contiguous.

        Returns:
            The same shape.
        """
        normalised: torch.Tensor = super().forward(x.reshape(-1, x.shape[-1])).view(x.shape)
        return normalised


class NormActivation(ChannelNorm):
    """Batch normalisation, dropout, the sum with a residual, and ReLU: ``[N, R, T, C]`` to the same.

        y = ReLU(dropout(BN(x)) + residual), zero at invalid positions

    It is one module because it works in place: a hook must not keep a tensor that a later module changes.

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
        self, x: torch.Tensor, residual: torch.Tensor | None = None, valid: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Applies it.

        Args:
            x: ``[N, R, T, C]``, contiguous.
            residual: of the same shape; none: zero.
            valid: which positions are valid, ``[R, T]``, bool; none: all are.

        Returns:
            The shape of `x`.
        """
        # Not ChannelNorm's, whose result is a view and cannot be changed in place.
        y = nn.BatchNorm1d.forward(self, x.reshape(-1, x.shape[-1]))
        if self.training and self.dropout:
            y = y.mul_(_dropout_mask(y, self.dropout)).mul_(1 / (1 - self.dropout))
        if residual is not None:
            y = y.add_(residual.view(y.shape))
        if valid is not None:
            # [R, T] -> [N * R * T, 1], nodes slowest, as in the memory of `y`.
            y = y.mul_(valid.flatten().repeat(len(x))[:, None].to(y.dtype))
        return y.relu_().view(x.shape)

    def extra_repr(self) -> str:
        """The sizes in `repr`."""
        return f"{self.num_features}, dropout={self.dropout}"


def _dropout_mask(x: torch.Tensor, dropout: float) -> torch.Tensor:
    """A random mask of the shape of `x`, true with probability 1 - dropout to within 2^-17.

    Each random word gives four 16-bit draws. torch's own dropout draws one word per value, which takes a tenth of a
    training step on a CPU, and keeps a float mask for the backward pass.
    """
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
    # As int16 the draws are uniform in [-2^15, 2^15), hence the shift of the threshold.
    return (words.view(torch.int16)[: x.numel()] >= round(dropout * 2**16) - 2**15).view(x.shape)
