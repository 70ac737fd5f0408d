"""STGCN for forecasting: gated convolutions over time around a convolution over the graph (Yu, Yin & Zhu 2018)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.axes import BATCH, check_shape
from stexplain.cards import Recipe
from stexplain.data.samples import check_finite
from stexplain.data.scaler import Scaler
from stexplain.errors import InputError, unknown
from stexplain.graph import Relations, STGraph
from stexplain.nn.gated import ChebyshevConvolution, GatedTemporalConvolution, RelationConvolution

LAPLACIAN = "scaled Laplacian"
"""The name of the one relation whose Chebyshev polynomials a forecaster sums."""


class TrafficBlock(nn.Module):
    """A block: gated temporal convolution, graph convolution and ReLU, gated temporal convolution, norm, dropout.

        y = dropout(norm(gate_1(ReLU(gconv(gate_0(x))))))

    Eq. 8 of Yu, Yin & Zhu (2018). The norm is over the channels of each cell.

    Args:
        relations: of the graph convolution; where it is one of the name `LAPLACIAN`, its polynomials are meant.
        nodes: N.
        channels_in: C.
        channels: of what the three convolutions give; the last is C'.
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
        first, middle, last = channels
        self.before = GatedTemporalConvolution(channels_in, first, temporal_kernel)
        self.spatial: nn.Module
        if relations.names == (LAPLACIAN,):
            self.spatial = ChebyshevConvolution(relations, nodes, first, middle, order)
        else:
            self.spatial = RelationConvolution(relations, nodes, first, middle)
        self.after = GatedTemporalConvolution(middle, last, temporal_kernel)
        self.norm = nn.LayerNorm(last)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Applies the block to ``[N, B, T, C]``, contiguous; gives ``[N, B, T - 2 (L - 1), C']``."""
        y: torch.Tensor = self.dropout(self.norm(self.after(F.relu(self.spatial(self.before(x))))))
        return y


class STGCNForecaster(nn.Module):
    """Forecasts one channel at every node of a graph, all horizons at once.

    Blocks of `TrafficBlock`, then an output block: a gated temporal convolution over all cells that are left, a norm,
    a linear layer with ReLU and a linear layer that gives the H horizons. It is the network of Yu, Yin & Zhu,
    "Spatio-temporal graph convolutional networks: a deep learning framework for traffic forecasting" (IJCAI 2018),
    except that it predicts all horizons at once, not one and from it the next, and that its norm is over channels, not
    over nodes and channels: so no weight depends on the number of nodes, and what one sensor reads reaches another by
    edges alone.

    Units. It takes and gives physical units. Inside, channels are scaled by `scaler`. A reading that is not observed
    enters as the mean, never as zero; what `x` holds there does not matter.

    Time. Convolutions over time are not padded, so that T shrinks by 2 (L - 1) in each block: 12 frames become 8 and 4
    cells. Cell i of block k sees the frames i to i + 2 (L - 1) (k + 1), and stands for the one in their middle.

    Args:
        graph: the sensors and edges.
        window: T, the number of frames it is given.
        horizon: H, the number of frames it forecasts.
        channels_in: C of the input.
        blocks: the channels of each block's three convolutions.
        temporal_kernel: L, odd.
        relations: ``"chebyshev"``: polynomials of the scaled Laplacian (of a directed graph without its directions);
            another strategy of `STGraph.relations`, such as ``"uniform"``, the first-order approximation, or
            ``"random_walk"``, which keeps directions; or relations over the graph's nodes.
        order: number of terms of the Chebyshev polynomials; other relations do not use it.
        dropout: share of values dropped at the end of each block while training, in [0, 1).
        target_channel: the channel of the input that is forecast.
        mask_channel: whether a further channel tells it which readings are observed, as 1 and 0.
        scaler: mean and deviation of each channel; none: 0 and 1, until `fit` takes them from the training part.

    Attributes:
        graph: as given.
        relations: the relations in use.
        blocks: the blocks; each gives one tensor ``[N, B, T', C']``.
        inputs: the layout of the input, ``"b m t n c"``.
        outputs: the layout of what it gives, ``"b t n"``, with the horizons as t.
        layout: the layout of every block's output, ``"n b t c"``.
        hyperparameters: what it was made with, in JSON's own types.
        recipe: how it was trained, where known.

    Raises:
        InputError: where hyperparameters do not fit each other or the graph.

    Example:
        >>> graph = STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])
        >>> model = STGCNForecaster(graph, scaler=Scaler([55.0], [12.0])).eval()
        >>> model(torch.full((2, 1, 12, 3, 1), 60.0)).shape
        torch.Size([2, 12, 3])
        >>> model.stride_at("blocks.1"), model.offset_at("blocks.1")
        (1, 4)
    """

    inputs = BATCH
    outputs = "b t n"
    layout = "n b t c"
    recipe: Recipe | None = None
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        graph: STGraph,
        *,
        window: int = 12,
        horizon: int = 12,
        channels_in: int = 1,
        blocks: Sequence[Sequence[int]] = ((64, 16, 64), (64, 16, 64)),
        temporal_kernel: int = 3,
        relations: str | Relations = "chebyshev",
        order: int = 3,
        dropout: float = 0.0,
        target_channel: int = 0,
        mask_channel: bool = False,
        scaler: Scaler | None = None,
    ):
        super().__init__()
        remaining = window - 2 * (temporal_kernel - 1) * len(blocks)
        _check(blocks, channels_in, target_channel, horizon, temporal_kernel, order, dropout)
        if remaining < 1:
            raise InputError(
                f"{len(blocks)} blocks of kernel {temporal_kernel} use up {window - remaining} frames and the window "
                f"has {window}: none is left. Take a longer window, fewer blocks or a smaller kernel."
            )
        self.graph, self.window, self.horizon, self.channels_in = graph, window, horizon, channels_in
        self.target_channel, self.mask_channel = target_channel, mask_channel
        self.relations = _relations(graph, relations)
        self.hyperparameters: dict[str, Any] = {
            "window": window,
            "horizon": horizon,
            "channels_in": channels_in,
            "blocks": [list(channels) for channels in blocks],
            "temporal_kernel": temporal_kernel,
            "relations": relations if isinstance(relations, str) else "given",
            "order": order,
            "dropout": dropout,
            "target_channel": target_channel,
            "mask_channel": mask_channel,
        }
        self.register_buffer("mean", torch.zeros(channels_in))
        self.register_buffer("std", torch.ones(channels_in))
        widths = [channels_in + mask_channel, *(channels[-1] for channels in blocks)]
        self.blocks = nn.ModuleList(
            TrafficBlock(
                self.relations,
                len(graph),
                widths[i],
                channels,
                temporal_kernel=temporal_kernel,
                order=order,
                dropout=dropout,
            )
            for i, channels in enumerate(blocks)
        )
        self.last = GatedTemporalConvolution(widths[-1], widths[-1], remaining)
        self.last_norm = nn.LayerNorm(widths[-1])
        self.hidden = nn.Linear(widths[-1], widths[-1])
        self.head = nn.Linear(widths[-1], horizon)
        if scaler is not None:
            self.set_scaler(scaler)

    @property
    def scaler(self) -> Scaler | None:
        """The mean and deviation by which channels are scaled; none where they are 0 and 1."""
        if not bool(self.mean.any()) and bool((self.std == 1).all()):
            return None
        return Scaler(self.mean.tolist(), self.std.tolist())

    def set_scaler(self, scaler: Scaler) -> None:
        """Scales by this mean and deviation from now on.

        Raises:
            InputError: where they are not those of this many channels.
        """
        if len(scaler.mean) != self.channels_in:
            raise InputError(f"the scaler is of {len(scaler.mean)} channels and the model of {self.channels_in}.")
        self.mean.copy_(torch.tensor(scaler.mean, dtype=torch.float64))
        self.std.copy_(torch.tensor(scaler.std, dtype=torch.float64))

    def forward(
        self, x: torch.Tensor, valid: torch.Tensor | None = None, observed: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Forecasts.

        Args:
            x: ``[B, 1, T, N, C]``, in the channels' own units, of the type of the weights.
            valid: which frames are there at all, ``[B, 1, T]``, bool; none: all are.
            observed: which single readings are there, ``[B, 1, T, N]``, bool; none: all of the valid frames.

        Returns:
            The target channel in its own unit, ``[B, H, N]``.

        Raises:
            InputError: where a shape or type does not fit, or, in eval mode, an observed value is NaN or infinite.
        """
        there = self._observed(x, valid, observed)
        values = x[:, 0] if there is None else x[:, 0].masked_fill(~there[..., None], 0.0)
        if not self.training:
            check_finite("x", values)
        values = (values - self.mean) / self.std
        if there is not None:
            values = values.masked_fill(~there[..., None], 0.0)
        if self.mask_channel:
            known = torch.ones_like(values[..., :1]) if there is None else there[..., None].to(values.dtype)
            values = torch.cat([values, known], dim=-1)
        y = values.permute(2, 0, 1, 3).contiguous()
        for block in self.blocks:
            y = block(y)
        y = self.last_norm(self.last(y))[:, :, 0]
        forecast: torch.Tensor = self.head(F.relu(self.hidden(y))).permute(1, 2, 0)
        return forecast * self.std[self.target_channel] + self.mean[self.target_channel]

    def stride_at(self, layer: str) -> int:
        """How many frames apart the cells of a layer's output are: always 1.

        Raises:
            InputError: where there is no such layer; names the nearest.
        """
        self.offset_at(layer)
        return 1

    def offset_at(self, layer: str) -> int:
        """The frame that cell 0 of a layer's output stands for: the middle one of those that it sees.

        Args:
            layer: the name of a block, ``"blocks.0"`` for the first, or of its parts: ``"blocks.0.before"``,
                ``"blocks.0.spatial"``, ``"blocks.0.after"``, ``"blocks.0.norm"``.

        Raises:
            InputError: where there is no such layer; names the nearest.
        """
        # Each gated convolution takes half of its kernel less one off either end; a block has two.
        half = (self.hyperparameters["temporal_kernel"] - 1) // 2
        gates = {"": 2, ".before": 1, ".spatial": 1, ".after": 2, ".norm": 2}
        names = {f"blocks.{i}{part}": (2 * i + n) * half for i in range(len(self.blocks)) for part, n in gates.items()}
        if layer not in names:
            raise unknown("layer", layer, names)
        return int(names[layer])

    def _observed(
        self, x: torch.Tensor, valid: torch.Tensor | None, observed: torch.Tensor | None
    ) -> torch.Tensor | None:
        """Which readings count, ``[B, T, N]``, or none: all do; once everything is checked."""
        sizes = check_shape("x", tuple(x.shape), BATCH, m=1, t=self.window, n=len(self.graph), c=self.channels_in)
        if x.dtype != self.head.weight.dtype:
            wanted = self.head.weight.dtype
            raise InputError(f"x is {x.dtype} and the model's weights are {wanted}. Cast one: x.to({wanted}).")
        for name, mask, pattern in (("valid", valid, "b m t"), ("observed", observed, "b m t n")):
            if mask is not None:
                check_shape(name, tuple(mask.shape), pattern, **{axis: sizes[axis] for axis in pattern.split()})
                if mask.dtype != torch.bool:
                    raise InputError(f"{name} is {mask.dtype}; wanted torch.bool, true where there is a reading.")
        there = None if observed is None else observed[:, 0]
        if valid is not None:
            frames = valid[:, 0, :, None]
            there = frames.expand(*frames.shape[:2], len(self.graph)) if there is None else there & frames
        return None if there is None or bool(there.all()) else there


def without_graph(model: STGCNForecaster) -> STGCNForecaster:
    """A fresh forecaster like this one, in which each sensor hears only itself: the graph ablation.

    Every relation becomes self loops of weight 1, so that it has as many weights and layers as the model. It has the
    model's scaler, and weights at random.

    Args:
        model: what it shall be like.

    Example:
        >>> model = STGCNForecaster(STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")]))
        >>> alone = without_graph(model)
        >>> alone.relations
        Relations(scaled Laplacian: 3 edges)
        >>> x = torch.rand(1, 1, 12, 3, 1)
        >>> changed = x + torch.tensor([0.0, 0.0, 1.0]).view(3, 1)
        >>> bool((alone(x) == alone(changed))[..., :2].all()), bool((alone(x) == alone(changed))[..., 2].all())
        (True, False)
    """
    names = model.relations.names
    own, ones = np.arange(len(model.graph)), np.ones(len(model.graph))
    alone = Relations(names, (own,) * len(names), (own,) * len(names), (ones,) * len(names))
    return STGCNForecaster(model.graph, **{**model.hyperparameters, "relations": alone}, scaler=model.scaler)


def _relations(graph: STGraph, relations: str | Relations) -> Relations:
    if relations == "chebyshev":
        # The polynomials are summed by recurrence from T_1 alone.
        terms = (graph.undirected() if graph.directed else graph).relations("chebyshev", order=2)
        return Relations((LAPLACIAN,), terms.source[1:], terms.target[1:], terms.weight[1:])
    found = graph.relations(relations) if isinstance(relations, str) else relations
    if any(weight.ndim != 1 for weight in found.weight):
        raise InputError("the relations have weights that change over time; wanted one weight per edge.")
    highest = max((int(ends.max(initial=0)) for ends in (*found.source, *found.target)), default=-1)
    if not 0 <= highest < len(graph):
        raise InputError(f"{found!r} reach node {highest}; wanted relations over the graph's {len(graph)} nodes.")
    return found


def _check(
    blocks: Sequence[Sequence[int]],
    channels_in: int,
    target_channel: int,
    horizon: int,
    temporal_kernel: int,
    order: int,
    dropout: float,
) -> None:
    if not blocks or any(len(channels) != 3 for channels in blocks):
        raise InputError(f"blocks={blocks}; wanted three numbers of channels per block, such as [[64, 16, 64]].")
    if min(channels_in, horizon, order, *(count for channels in blocks for count in channels)) < 1:
        raise InputError(f"{channels_in=}, {horizon=}, {order=}, {blocks=}: each must be at least 1.")
    if temporal_kernel < 1 or temporal_kernel % 2 == 0:
        raise InputError(f"temporal_kernel={temporal_kernel}; wanted an odd number, so that a cell has a middle.")
    if not 0 <= target_channel < channels_in:
        raise InputError(f"target_channel is {target_channel}; wanted 0 to {channels_in - 1}, a channel of the input.")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout is {dropout}; wanted a share in [0, 1).")
