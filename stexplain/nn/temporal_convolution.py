"""Convolutions over time, of every node separately, on node-first memory ``[N, R, T, C]`` (see `graph_convolution`)."""

import torch
from torch import nn
from torch.nn import functional as F

from stexplain.nn.initialisation import normal_as_released, uniform_by_fan_in
from stexplain.nn.packing import Step


class TemporalConvolution(nn.Module):
    """A convolution over time with the same weights for every node; zero-padded, so that T' = ceil(T / s).

        y[n, i] = b + sum over j of  W_j x[n, i s + j],   j from -(L-1)/2 to (L-1)/2

    Args:
        channels_in: C.
        channels_out: C'.
        kernel: L, in frames; odd.
        stride: s, in frames. Position i is centred on frame i * s.

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
        # Channels-last, as the images that it is applied to.
        weight = torch.empty(channels_out, channels_in, 1, kernel)
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.empty(channels_out))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As in the released ST-GCN: weights from N(0, 0.02^2), biases zero."""
        normal_as_released(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: torch.Tensor, step: Step | None = None) -> torch.Tensor:
        """Convolves.

        Args:
            x: ``[N, R, T, C]``, contiguous; or ``[N, 1, V, C]``, packed.
            step: of packed frames; see `stexplain.nn.packing`.

        Returns:
            ``[N, R, T', C']``, or ``[N, 1, V', C']``, contiguous.
        """
        if step is None:
            return self._convolved(x, self.stride)
        # A kernel of one frame sees no other: the frames that positions are centred on are enough.
        if self.weight.shape[-1] == 1:
            return self._convolved(step.centred(x), 1)
        return step.leave(self._convolved(step.enter(x), self.stride))

    def _convolved(self, x: torch.Tensor, stride: int) -> torch.Tensor:
        nodes, rows, frames, channels = x.shape
        # Kernel (1, L) on an image of height 1: (L, 1) on height T takes up to three times as long in oneDNN.
        image = x.reshape(nodes * rows, 1, frames, channels).permute(0, 3, 1, 2)
        padding = (0, self.weight.shape[-1] // 2)
        out = F.conv2d(image, self.weight, self.bias, stride=(1, stride), padding=padding)
        return out.permute(0, 2, 3, 1).reshape(nodes, rows, out.shape[-1], -1)

    def extra_repr(self) -> str:
        """The sizes in `repr`."""
        out, channels, _, kernel = self.weight.shape
        return f"{channels}, {out}, kernel={kernel}, stride={self.stride}"


class GatedTemporalConvolution(nn.Module):
    """A gated convolution over time without padding, with a residual connection: T frames in, T - L + 1 positions out.

        y[n, i] = (P[n, i] + r[n, i + L - 1]) * sigmoid(Q[n, i]),   [P Q][n, i] = b + sum over j < L of W_j x[n, i + j]

    Eq. 7 of Yu, Yin & Zhu (2018), a gated linear unit, with their residual connection: r is x, padded with zero
    channels where C < C', and projected to C' channels where C > C'.

    Args:
        channels_in: C.
        channels_out: C'.
        kernel: L, in frames.

    Attributes:
        weight: W, ``[2 C', C, 1, L]``: those of P, then those of Q.
        bias: b, ``[2 C']``.
        shortcut: the projection, ``[C', C]``, where C > C'; else none.

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
        """Uniform by fan-in, as torch's own convolutions."""
        _, channels, _, kernel = self.weight.shape
        uniform_by_fan_in(self.weight, channels * kernel)
        uniform_by_fan_in(self.bias, channels * kernel)
        if self.shortcut is not None:
            uniform_by_fan_in(self.shortcut, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves.

        Args:
            x: ``[N, R, T, C]``, contiguous.

        Returns:
            ``[N, R, T - L + 1, C']``, contiguous.
        """
        nodes, rows, frames, channels = x.shape
        out, _, _, kernel = self.weight.shape
        # Kernel (1, L) on an image of height 1: see TemporalConvolution.
        image = x.reshape(nodes * rows, 1, frames, channels).permute(0, 3, 1, 2)
        both = F.conv2d(image, self.weight, self.bias).permute(0, 2, 3, 1).reshape(nodes, rows, -1, out)
        linear, gate = both.chunk(2, dim=-1)
        # Without padding, position i sees the frames i .. i + L - 1; its residual is the last of them.
        residual = x[:, :, kernel - 1 :]
        if self.shortcut is not None:
            residual = F.linear(residual, self.shortcut)
        elif channels < out // 2:
            residual = F.pad(residual, (0, out // 2 - channels))
        return (linear + residual) * torch.sigmoid(gate)

    def extra_repr(self) -> str:
        """The sizes in `repr`."""
        out, channels, _, kernel = self.weight.shape
        return f"{channels}, {out // 2}, kernel={kernel}"
