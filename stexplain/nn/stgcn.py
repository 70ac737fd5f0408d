"""STGCN: the spatio-temporal graph convolutional network of Yan et al. (AAAI 2018)."""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from stexplain.axes import BATCH, check_shape
from stexplain.backend.topology import Topology
from stexplain.cards import Recipe
from stexplain.data.samples import check_finite
from stexplain.errors import InputError, unknown
from stexplain.graph import Relations, STGraph
from stexplain.nn.message_passing import (
    ChannelNorm,
    GraphConvolution,
    NormActivation,
    TemporalConvolution,
    relation_topology,
)


def valid_cells(valid: torch.Tensor, stride: int) -> torch.Tensor:
    """Which cells of a strided layer hold a reading: cell i does where one of the frames i * s to i * s + s - 1 does.

    No valid frame is lost, and padding at the end adds no valid cell.

    Args:
        valid: ``[..., T]``, bool.
        stride: s, in frames.

    Returns:
        ``[..., ceil(T / s)]``, bool.

    Example:
        >>> valid_cells(torch.tensor([True, True, False, False, False]), 2)
        tensor([ True, False, False])
    """
    if stride == 1:
        return valid
    lacking = -valid.shape[-1] % stride
    return F.pad(valid, (0, lacking)).reshape(*valid.shape[:-1], -1, stride).any(-1)


def scaled(channels: int, width: float) -> int:
    """The number of channels at a relative width: the nearest integer, at least one.

    Example:
        >>> scaled(64, 0.5), scaled(3, 0.1)
        (32, 1)
    """
    return max(1, round(channels * width))


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
        residual: without it, nothing is added; with it x itself, or, where its shape differs, a 1x1 convolution and BN.
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

    def forward(self, x: torch.Tensor, readings: torch.Tensor | None = None) -> torch.Tensor:
        """Applies the block.

        Args:
            x: ``[N, R, T, C]``, contiguous.
            readings: which frames of which row hold one, ``[R, T]``, bool; none: all do.

        Returns:
            ``[N, R, T', C']``, contiguous; zero in cells without a reading.
        """
        # What BN and bias leave in an invalid frame would enter its neighbours; zeros act as zero padding does.
        inner = self.spatial_norm(self.spatial(x), readings=readings)
        residual = None if self.residual is None else self.residual(x)
        cells = None if readings is None else valid_cells(readings, self.stride)
        y: torch.Tensor = self.temporal_norm(self.temporal(inner), residual, cells)
        return y


class STGCN(nn.Module):
    """Classifies signals on a graph over time.

    Batch normalisation of the input over N * C, a row of `STGCNBlock` (no residual and no dropout in the first), the
    mean over valid cells, a linear layer. With the hyperparameters of the card `stgcn10`, 60 classes and NTU's graph
    it has 3,080,812 parameters.

    Padding. With ``"masked"``, an invalid frame or an absent instance is never evidence: it acts on its neighbours
    as a convolution's zero padding does, so that in eval mode the logits depend neither on how many invalid frames or
    instances are appended nor on what they hold. Pooled is the mean over an instance's valid cells, then the mean
    over the instances present; where all is valid this is the plain mean. While training, absent instances are taken
    out beforehand, and batch statistics are over the rest, invalid frames of present instances included. With
    ``"counted"``, `valid` is ignored and all cells count alike, as in the network that Yan et al. released.

    Width. Channels of the blocks are multiplied by `width` and rounded to the nearest integer, at least 1.

    Args:
        graph: the nodes and edges.
        classes: number of classes.
        channels_in: C of the input.
        channels: output channels of every block.
        strides: temporal stride of every block, in frames.
        temporal_kernel: frames that a temporal convolution spans; odd.
        relations: a strategy of `STGraph.relations`, or relations over the graph's nodes.
        dropout: share of values dropped in each block after the first, in [0, 1).
        width: factor on `channels`.
        padding: ``"masked"`` or ``"counted"``.

    Attributes:
        graph: as given.
        classes: as given.
        relations: the K edge lists in use.
        blocks: the blocks; each gives one tensor ``[N, B * M, T', C']``.
        inputs: the layout of the input, ``"b m t n c"``.
        layout: the layout of every block's output, ``"n (b m) t c"``, in eval mode.
        hyperparameters: what it was made with, in JSON's own types.
        class_names: one name per class, where known.
        recipe: how it was trained and what it is to be given, where known.

    Raises:
        InputError: where hyperparameters do not fit each other or the graph.

    Example:
        >>> graph = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")], center="hip")
        >>> model = STGCN(graph, classes=4, channels=(8, 16), strides=(1, 2)).eval()
        >>> model(torch.zeros(2, 1, 30, 3, 3)).shape
        torch.Size([2, 4])
        >>> model.stride_at("blocks.1")
        2
    """

    inputs = BATCH
    layout = "n (b m) t c"
    recipe: Recipe | None = None

    def __init__(
        self,
        graph: STGraph,
        *,
        classes: int,
        channels_in: int = 3,
        channels: Sequence[int] = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256),
        strides: Sequence[int] = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1),
        temporal_kernel: int = 9,
        relations: str | Relations = "spatial",
        dropout: float = 0.5,
        width: float = 1.0,
        padding: Literal["masked", "counted"] = "masked",
    ):
        super().__init__()
        _check_hyperparameters(classes, channels_in, channels, strides, temporal_kernel, dropout, width)
        if padding not in ("masked", "counted"):
            raise unknown("padding", padding, ["masked", "counted"])
        self.graph, self.classes, self.channels_in, self.padding = graph, classes, channels_in, padding
        self.relations = graph.relations(relations) if isinstance(relations, str) else relations
        _check_relations(self.relations, len(graph))
        self._strides = tuple(int(stride) for stride in strides)
        self.class_names: list[str] | None = None
        self.hyperparameters: dict[str, Any] = {
            "channels_in": channels_in,
            "channels": list(channels),
            "strides": list(strides),
            "temporal_kernel": temporal_kernel,
            "relations": relations if isinstance(relations, str) else "given",
            "dropout": dropout,
            "width": width,
            "padding": padding,
        }
        widths = [channels_in, *(scaled(count, width) for count in channels)]
        topology = relation_topology(self.relations, len(graph))
        self.data_norm = ChannelNorm(len(graph) * channels_in)
        self.blocks = nn.ModuleList(
            STGCNBlock(
                self.relations,
                topology,
                widths[i],
                widths[i + 1],
                temporal_kernel=temporal_kernel,
                stride=strides[i],
                dropout=dropout if i else 0.0,
                residual=i > 0,
            )
            for i in range(len(strides))
        )
        self.head = nn.Linear(widths[-1], classes)
        nn.init.normal_(self.head.weight, 0.0, 0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
        """Logits of a batch.

        Args:
            x: ``[B, M, T, N, C]``, of the type of the weights.
            valid: which frames of which instance hold a reading, ``[B, M, T]``, bool; none: all do.

        Returns:
            Logits ``[B, classes]``.

        Raises:
            InputError: where a shape or type does not fit, a sample has no valid frame, or, in eval mode, a valid
                value is NaN or infinite.
        """
        batch, instances, frames, nodes, channels = self._check_input(x, valid)
        rows = x.reshape(batch * instances, frames, nodes, channels)
        readings = present = None
        if valid is not None and self.padding == "masked":
            readings = valid.reshape(batch * instances, frames)
            present = readings.any(1)
            _check_present(present.view(batch, instances))
            if self.training and not bool(present.all()):
                rows, readings = rows[present], readings[present]
            readings = None if bool(readings.all()) else readings
        x = self._normalised(rows, readings).permute(2, 0, 1, 3).contiguous()
        for block, stride in zip(self.blocks, self._strides, strict=True):
            x = block(x, readings)
            readings = None if readings is None else valid_cells(readings, stride)
        pooled = _row_means(x, readings)
        if present is None:
            return self._logits(pooled.view(batch, instances, -1).mean(1))
        if len(pooled) < len(present):
            pooled = pooled.new_zeros(len(present), pooled.shape[1]).index_copy(0, present.nonzero()[:, 0], pooled)
        share = present.view(batch, instances, 1).to(pooled.dtype)
        return self._logits((pooled.view(batch, instances, -1) * share).sum(1) / share.sum(1))

    def stride_at(self, layer: str) -> int:
        """How many frames apart the cells of a layer's output are: cell i is centred on frame i * stride.

        Args:
            layer: the name of a block, ``"blocks.0"`` for the first.

        Raises:
            InputError: where there is no such block; names the nearest.
        """
        names: dict[str, int] = {f"blocks.{i}": stride for i, stride in enumerate(accumulate(self._strides, mul))}
        if layer not in names:
            raise unknown("layer", layer, names)
        return names[layer]

    def _check_input(self, x: torch.Tensor, valid: torch.Tensor | None) -> list[int]:
        sizes = check_shape("x", tuple(x.shape), BATCH, n=len(self.graph), c=self.channels_in)
        if not all(sizes.values()):
            raise InputError(f"x has shape {tuple(x.shape)}; every axis must hold at least one.")
        wanted = self.head.weight.dtype
        if x.dtype != wanted:
            raise InputError(f"x is {x.dtype} and the model's weights are {wanted}. Cast one: x.to({wanted}).")
        if valid is not None:
            check_shape("valid", tuple(valid.shape), "b m t", **{axis: sizes[axis] for axis in "bmt"})
            if valid.dtype != torch.bool:
                raise InputError(f"valid is {valid.dtype}; wanted torch.bool, true where a frame holds a reading.")
        return list(sizes.values())

    def _logits(self, pooled: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(pooled)
        return logits

    def _normalised(self, rows: torch.Tensor, readings: torch.Tensor | None) -> torch.Tensor:
        """The rows ``[R, T, N, C]`` after the input's batch normalisation, zero where there is no reading."""
        unread = None if readings is None else ~readings[:, :, None, None]
        rows = rows if unread is None else rows.masked_fill(unread, 0.0)
        if not self.training:
            check_finite("x", rows)
        folded = rows.reshape(*rows.shape[:2], -1).contiguous()
        normalised: torch.Tensor = self.data_norm(folded).view(rows.shape)
        return normalised if unread is None else normalised.masked_fill(unread, 0.0)


def _row_means(x: torch.Tensor, readings: torch.Tensor | None) -> torch.Tensor:
    """The mean over nodes and over the cells with a reading of ``[N, R, T, C]``: ``[R, C]``; zero for an empty row."""
    if readings is None:
        return x.mean((0, 2))
    share = readings.to(x.dtype)
    share = share / share.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("nrtc,rt->rc", x, share) / len(x)


def _check_present(present: torch.Tensor) -> None:
    empty = (~present.any(1)).nonzero()[:, 0].tolist()
    if empty:
        raise InputError(
            f"{len(empty)} of {len(present)} samples have no valid frame, the first at index {empty[0]}. "
            "Leave such samples out, or give valid=None where all frames hold readings."
        )


def _check_hyperparameters(
    classes: int,
    channels_in: int,
    channels: Sequence[int],
    strides: Sequence[int],
    temporal_kernel: int,
    dropout: float,
    width: float,
) -> None:
    if not channels or len(channels) != len(strides):
        raise InputError(f"{len(channels)} channels and {len(strides)} strides came; wanted one of each per block.")
    if classes < 1:
        raise InputError(f"classes is {classes}; wanted at least 1. For a series, which has none, take a forecaster.")
    if min(channels_in, *channels, *strides) < 1:
        raise InputError(f"{channels_in=}, {channels=}, {strides=}: each must be at least 1.")
    if temporal_kernel < 1 or temporal_kernel % 2 == 0:
        raise InputError(f"temporal_kernel={temporal_kernel}; wanted an odd number, so that a cell has a centre.")
    if not 0 <= dropout < 1 or width <= 0:
        raise InputError(f"dropout={dropout}, width={width}; wanted dropout in [0, 1) and width above 0.")


def _check_relations(relations: Relations, nodes: int) -> None:
    if any(weight.ndim != 1 for weight in relations.weight):
        raise InputError("the relations have weights that change over time; an STGCN takes one weight per edge.")
    highest = max((int(ends.max(initial=0)) for ends in (*relations.source, *relations.target)), default=-1)
    if not 0 <= highest < nodes:
        raise InputError(f"{relations!r} reach node {highest}; wanted relations over the graph's {nodes} nodes.")
