"""The block of STGCN."""

from typing import Any, TypeGuard

import torch
from torch import nn

from stexplain.backend.topology import Topology
from stexplain.graph import Relations
from stexplain.nn.graph_convolution import GraphConvolution
from stexplain.nn.normalisation import ChannelNorm, NormActivation
from stexplain.nn.packing import Packing, Step, may_pack, valid_positions
from stexplain.nn.temporal_convolution import TemporalConvolution


class STGCNBlock(nn.Module):
    """A block: graph convolution, BN, ReLU, temporal convolution, BN, dropout; plus residual; ReLU.

        y = ReLU(BN(tconv(ReLU(BN(gconv(x))))) + residual(x))

    Args:
        relations: K edge lists.
        topology: of these relations.
        channels_in: C.
        channels_out: C'.
        temporal_kernel: L, odd.
        stride: temporal stride s.
        dropout: share of values dropped before the sum while training, in [0, 1).
        residual: whether to add x, or, where the shape changes, a 1x1 convolution of it with BN.
    """

    def __init__(
        self,
        relations: Relations,
        topology: Topology,
        channels_in: int,
        channels_out: int,
        *,
        temporal_kernel: int = 9,
        stride: int = 1,
        dropout: float = 0.5,
        residual: bool = True,
    ):
        super().__init__()
        self.stride = stride
        # Modules draw their initial weights as they are built: another order is another network for the same seed.
        self.spatial = GraphConvolution(relations, topology, channels_in, channels_out)
        self.spatial_norm = NormActivation(channels_out)
        self.temporal = TemporalConvolution(channels_out, channels_out, temporal_kernel, stride)
        self.temporal_norm = NormActivation(channels_out, dropout)
        self.residual: nn.Module | None = None
        if residual and channels_in == channels_out and stride == 1:
            self.residual = nn.Identity()
        elif residual:
            self.residual = nn.Sequential(
                TemporalConvolution(channels_in, channels_out, stride=stride), ChannelNorm(channels_out)
            )

    def forward(self, x: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
        """Applies the block.

        Args:
            x: ``[N, R, T, C]``, contiguous.
            valid: which frames of each row are valid, ``[R, T]``, bool; none: all are.

        Returns:
            ``[N, R, T', C']``, contiguous; zero at invalid positions. In training mode batch statistics are over
            valid positions.
        """
        if valid is not None and is_whole(self) and may_pack(self.children(), self.training):
            step = Step.of(Packing(valid.cpu(), x.device), self.temporal.weight.shape[-1], self.stride)
            return step.after.unpack(self.packed(step.before.pack(x), step))
        # BN and bias make invalid frames non-zero, and the temporal convolution would carry that to valid ones; zeros
        # act as its zero padding does.
        overwrite = self._overwrite()
        inner = self.spatial_norm(self.spatial(x), valid=valid, **overwrite)
        residual = None if self.residual is None else self.residual(x)
        valid_out = None if valid is None else valid_positions(valid, self.stride)
        y: torch.Tensor = self.temporal_norm(self.temporal(inner), residual, valid_out, **overwrite)
        return y

    def packed(self, x: torch.Tensor, step: Step) -> torch.Tensor:
        """Applies the block to valid frames alone; see `stexplain.nn.packing`.

        Args:
            x: ``[N, 1, V, C]``, contiguous.
            step: of the block's temporal convolution.

        Returns:
            ``[N, 1, V', C']``, contiguous.
        """
        overwrite = self._overwrite()
        inner = self.spatial_norm(self.spatial(x), padding=step.before.padding, **overwrite)
        residual = self.residual
        if isinstance(residual, nn.Sequential):
            convolution, norm = residual
            shortcut = norm(convolution(x, step))
        else:
            shortcut = None if residual is None else x
        y: torch.Tensor = self.temporal_norm(
            self.temporal(inner, step), shortcut, padding=step.after.padding, **overwrite
        )
        return y

    def _overwrite(self) -> dict[str, Any]:
        """The option of both norms: to overwrite what the convolutions return, where nobody sees it."""
        parts = {"spatial": GraphConvolution, "temporal": TemporalConvolution}
        parts |= {"spatial_norm": NormActivation, "temporal_norm": NormActivation}
        # Another module in the place of one may return its input, and a hook may keep an output.
        own = all(type(getattr(self, name)) is kind for name, kind in parts.items())
        own &= not any("forward" in vars(getattr(self, name)) for name in parts)
        if not own or self.training or torch.is_grad_enabled() or not may_pack(self.children(), False):
            return {}
        return {"overwrite": True}


def is_whole(module: nn.Module) -> TypeGuard[STGCNBlock]:
    """Whether a module is a block that nobody put another in the place of, or changed a part of.

    Args:
        module: of a network's `blocks`.
    """
    return (
        isinstance(module, STGCNBlock)
        and type(module).forward is STGCNBlock.forward
        # A method may be replaced on the object as well.
        and "forward" not in vars(module)
        and isinstance(module.temporal, TemporalConvolution)
    )
