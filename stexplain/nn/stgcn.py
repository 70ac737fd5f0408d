"""STGCN: the spatio-temporal graph convolutional network of Yan et al. (AAAI 2018)."""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import Any, Literal

import torch
from torch import nn

from stexplain.axes import BATCH, check_shape
from stexplain.cards import Recipe
from stexplain.checking import checked
from stexplain.checking.values import require_tensor
from stexplain.data.samples import check_finite
from stexplain.errors import InputError, unknown
from stexplain.graph import Relations, STGraph
from stexplain.nn.graph_convolution import relation_topology
from stexplain.nn.normalisation import ChannelNorm
from stexplain.nn.packing import may_pack, steps_of, valid_positions
from stexplain.nn.stgcn_block import STGCNBlock, is_whole


def scaled_width(channels: int, width: float) -> int:
    """The number of channels at a relative width: the nearest integer, at least one.

    Example:
        >>> scaled_width(64, 0.5), scaled_width(3, 0.1)
        (32, 1)
    """
    return max(1, round(channels * width))


@checked
class STGCN(nn.Module):
    """Classifies signals on a graph over time.

    Batch normalisation of the input over N * C, a stack of `STGCNBlock` (no residual and no dropout in the first), the
    mean over valid positions, a linear layer. With the hyperparameters of the card `stgcn10`, 60 classes and NTU's
    graph it has 3,080,812 parameters.

    Padding. With ``"masked"``, an invalid frame or an absent instance is never evidence: it acts on its neighbours
    as a convolution's zero padding does. In eval mode the logits depend neither on the number of invalid frames and
    instances nor on their values. Pooling is the mean over an instance's valid positions, then the mean over the
    present instances; where all are valid this is the plain mean. In training mode, batch statistics are over valid
    frames alone, as the network computes these alone (see `stexplain.nn.packing`). With ``"counted"``, `valid` is
    ignored and all positions count alike, as in the network that Yan et al. released.

    Width. The channels of the blocks are multiplied by `width` and rounded to the nearest integer, at least 1.

    Args:
        graph: the nodes and edges.
        classes: number of classes.
        channels_in: C of the input.
        channels: output channels of every block.
        strides: temporal stride of every block, in frames.
        temporal_kernel: of the temporal convolutions, in frames; odd.
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
        hyperparameters: the arguments it was built with, in JSON types.
        class_names: one name per class, where known.
        recipe: the training recipe, with the preprocessing of its input, where known.

    Raises:
        InputError: where hyperparameters contradict each other or the graph.

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
        self._strides, self._kernel = tuple(int(stride) for stride in strides), temporal_kernel
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
        # One topology for all blocks: DGL's graph is built once.
        widths = [channels_in, *(scaled_width(count, width) for count in channels)]
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
        """Computes the logits of a batch.

        Args:
            x: ``[B, M, T, N, C]``, of the type of the weights.
            valid: which frames of which instance are observed, ``[B, M, T]``, bool; none: all are.

        Returns:
            Logits ``[B, classes]``.

        Raises:
            InputError: where a shape or type is wrong, a sample has no valid frame, or, in eval mode, a valid value is
                NaN or infinite.
        """
        batch, instances, frames, nodes, channels = self._check_input(x, valid)
        rows = x.reshape(batch * instances, frames, nodes, channels)
        if valid is None or self.padding == "counted":
            return self._logits(self._means(rows).view(batch, instances, -1).mean(1))
        row_valid = valid.reshape(batch * instances, frames)
        present = row_valid.any(1)
        _check_present(present.view(batch, instances))
        if bool(row_valid[present].all()) and (self.training or bool(present.all())):
            # No mask is faster than one that is true everywhere.
            pooled = self._means(rows if bool(present.all()) else rows[present])
            # Back to B * M rows, zero for the absent instances that were removed.
            pooled = pooled.new_zeros(len(present), pooled.shape[1]).index_copy(0, present.nonzero()[:, 0], pooled)
        elif may_pack([self.data_norm], self.training):
            pooled = self._packed_means(rows, row_valid)
        else:
            pooled = self._means(rows, row_valid)
        # [R, C] to [B, M, C]: the mean over present instances.
        share = present.view(batch, instances, 1).to(pooled.dtype)
        return self._logits((pooled.view(batch, instances, -1) * share).sum(1) / share.sum(1))

    def stride_at(self, layer: str) -> int:
        """The stride of a layer's output in frames: position i is centred on frame i * stride.

        Args:
            layer: the name of a block, ``"blocks.0"`` for the first.

        Raises:
            InputError: where there is no such block, with the nearest name.
        """
        # Strides multiply along the network.
        names: dict[str, int] = {f"blocks.{i}": stride for i, stride in enumerate(accumulate(self._strides, mul))}
        if layer not in names:
            raise unknown("layer", layer, names)
        return names[layer]

    def _check_input(self, x: torch.Tensor, valid: torch.Tensor | None) -> list[int]:
        require_tensor("x", x)
        sizes = check_shape("x", tuple(x.shape), BATCH, n=len(self.graph))
        if sizes["c"] != self.channels_in:
            raise InputError(
                f"x has shape {tuple(x.shape)}: got {sizes['c']} channels; expected {self.channels_in}, which the "
                f"model was made for. For others build it with channels_in={sizes['c']}."
            )
        if not all(sizes.values()):
            raise InputError(f"x has shape {tuple(x.shape)}; expected at least one along every axis.")
        expected = self.head.weight.dtype
        if x.dtype != expected:
            raise InputError(f"x: got {x.dtype}; expected {expected}, the type of the weights. Use x.to({expected}).")
        if valid is not None:
            require_tensor("valid", valid)
            check_shape("valid", tuple(valid.shape), "b m t", **{axis: sizes[axis] for axis in "bmt"})
            if valid.dtype != torch.bool:
                raise InputError(f"valid: got {valid.dtype}; expected torch.bool, true where a frame is observed.")
        return list(sizes.values())

    def _logits(self, pooled: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(pooled)
        return logits

    def _means(self, rows: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
        """The mean of the last block's output over nodes and each row's valid positions, ``[R, C]``.

        Args:
            rows: ``[R, T, N, C]``.
            valid: which frames are valid, ``[R, T]``; none: all are.
        """
        if valid is None:
            x = self._normalised(rows, rows)
        else:
            invalid = ~valid[:, :, None, None]
            # Before the norm as well: NaN in an invalid frame is no value.
            rows = rows.masked_fill(invalid, 0.0)
            x = self._normalised(rows, rows).masked_fill(invalid, 0.0)
        # To node-first memory, [N, R, T, C], once for the whole network.
        x = x.permute(2, 0, 1, 3).contiguous()
        for block, stride in zip(self.blocks, self._strides, strict=True):
            x = block(x, valid)
            valid = None if valid is None else valid_positions(valid, stride)
        return _row_means(x, valid)

    def _packed_means(self, rows: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """`_means`, of valid frames alone on one axis, ``[N, 1, V, C]``; see `stexplain.nn.packing`."""
        steps = steps_of(valid, self._kernel, self._strides, whole=not self.training)
        first = steps[0].before
        frames = rows.flatten(0, 1).index_select(0, first.index)
        if first.padding is not None:
            # Before the norm as well: NaN in an invalid frame is no value.
            frames = frames.index_fill_(0, first.padding, 0.0)
        frames = self._normalised(frames[None], rows, valid)
        if first.padding is not None:
            frames = frames.index_fill(1, first.padding, 0.0)
        # [V, N, C] to [N, 1, V, C].
        x = frames.permute(2, 0, 1, 3).contiguous()
        for block, step in zip(self.blocks, steps, strict=True):
            if is_whole(block) and may_pack([block], self.training):
                x = block.packed(x, step)
            else:
                # Whoever looks at a block, or into it, sees the rows of a batch.
                x = step.after.pack(block(step.before.unpack(x), step.before.mask.to(x.device)))
        return steps[-1].after.row_means(x)

    def _normalised(self, x: torch.Tensor, rows: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
        """Frames ``[..., T, N, C]`` after the input's batch normalisation.

        Args:
            x: all frames, or the valid ones.
            rows: all of them, ``[R, T, N, C]``, to say where one is not finite.
            valid: which of them are valid, ``[R, T]``; none: all are.
        """
        # In training the loss shows NaN, and the check would cost a pass over the input at every step.
        if not self.training and not x.is_meta and not bool(torch.isfinite(x.sum())):
            check_finite("x", rows if valid is None else rows.masked_fill(~valid[:, :, None, None], 0.0))
        # [R, T, N * C]: each channel of each node has its own statistics.
        folded = x.reshape(*x.shape[:2], -1).contiguous()
        normalised: torch.Tensor = self.data_norm(folded).reshape(x.shape)
        return normalised


def _row_means(x: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """The mean of ``[N, R, T, C]`` over nodes and valid positions: ``[R, C]``; zero for a row without any."""
    if valid is None:
        return x.mean((0, 2))
    share = valid.to(x.dtype)
    # At least 1, as an absent instance has no valid position.
    share = share / share.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("nrtc,rt->rc", x, share) / len(x)


def _check_present(present: torch.Tensor) -> None:
    empty = (~present.any(1)).nonzero()[:, 0].tolist()
    if empty:
        raise InputError(
            f"valid: got no valid frame in {len(empty)} of {len(present)} samples, the first at index {empty[0]}. "
            "Leave such samples out, or give valid=None where all frames are observed."
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
        raise InputError(f"got {len(channels)} channels and {len(strides)} strides; expected one of each per block.")
    if classes < 1:
        raise InputError(
            f"classes: got {classes}; expected at least 1. For a series, which has none, use a forecaster."
        )
    if min(channels_in, *channels, *strides) < 1:
        raise InputError(f"got {channels_in=}, {channels=}, {strides=}; expected each to be at least 1.")
    if temporal_kernel < 1 or temporal_kernel % 2 == 0:
        raise InputError(
            f"temporal_kernel: got {temporal_kernel}; expected an odd number, so that kernels have a centre."
        )
    if not 0 <= dropout < 1 or width <= 0:
        raise InputError(f"got {dropout=}, {width=}; expected dropout in [0, 1) and width above 0.")


def _check_relations(relations: Relations, nodes: int) -> None:
    if any(weight.ndim != 1 for weight in relations.weight):
        raise InputError("relations: got weights that change over time; expected one weight per edge.")
    highest = max((int(ends.max(initial=0)) for ends in (*relations.source, *relations.target)), default=-1)
    if not 0 <= highest < nodes:
        raise InputError(f"relations: got {relations!r} up to node {highest}; expected nodes 0 to {nodes - 1}.")
