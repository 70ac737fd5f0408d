"""STGCN for forecasting: gated convolutions over time around a convolution over the graph (Yu, Yin & Zhu 2018)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.axes import BATCH, check_shape
from stexplain.cards import Recipe
from stexplain.checking import checked
from stexplain.checking.values import require_tensor
from stexplain.data.samples import check_finite
from stexplain.data.scaler import Scaler
from stexplain.errors import InputError, unknown
from stexplain.graph import Relations, STGraph
from stexplain.nn.receptive_field import OnReceptiveField, on_receptive_field
from stexplain.nn.temporal_convolution import GatedTemporalConvolution
from stexplain.nn.traffic_block import LAPLACIAN, TrafficBlock

_LONGEST = 100_000
"""Frames of a window: the last convolution is as long as what remains of it."""


@checked
class STGCNForecaster(nn.Module):
    """Forecasts one channel at every node of a graph, all horizons at once.

    A stack of `TrafficBlock`, then an output block: a gated temporal convolution over all remaining positions, a norm,
    a linear layer with ReLU and a linear layer with H outputs. It is the network of Yu, Yin & Zhu, "Spatio-temporal
    graph convolutional networks: a deep learning framework for traffic forecasting" (IJCAI 2018), with two differences.
    It predicts all horizons at once, not step by step; and its norm is over channels, not over nodes and channels. So
    no weight depends on the number of nodes, and sensors influence each other by edges only.

    Units. Input and output are in physical units; channels are scaled by `scaler` inside. A missing value enters as the
    mean, never as zero; the value of `x` there does not matter.

    Time. Convolutions over time are not padded, so that T shrinks by 2 (L - 1) in each block: 12 frames become 8 and 4
    positions. Position i of block k sees the frames i to i + 2 (L - 1) (k + 1), and stands for the middle one.

    Args:
        graph: the sensors and edges.
        window: T, the number of input frames.
        horizon: H, the number of frames that it forecasts.
        channels_in: C of the input.
        blocks: the output channels of each block's three convolutions.
        temporal_kernel: L, odd.
        relations: ``"chebyshev"``: polynomials of the scaled Laplacian (of a directed graph without its directions);
            another strategy of `STGraph.relations`, such as ``"uniform"``, the first-order approximation, or
            ``"random_walk"``, which keeps directions; or relations over the graph's nodes.
        order: number of Chebyshev polynomials; other relations do not use it.
        dropout: share of values dropped at the end of each block while training, in [0, 1).
        target_channel: the channel of the input that is forecast.
        mask_channel: whether a further input channel is 1 where a value is observed, else 0.
        scaler: mean and standard deviation per channel; none: 0 and 1, until `fit` takes them from the training split.

    Attributes:
        graph: as given.
        relations: the relations in use.
        blocks: the blocks; each gives one tensor ``[N, B, T', C']``.
        inputs: the layout of the input, ``"b m t n c"``.
        outputs: the layout of the output, ``"b t n"``, with the horizons as t.
        layout: the layout of every block's output, ``"n b t c"``.
        hyperparameters: the arguments it was built with, in JSON types.
        recipe: the training recipe, where known.

    Raises:
        InputError: where hyperparameters contradict each other or the graph.

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
        # Two unpadded convolutions per block, each of which takes L - 1 frames.
        remaining = window - 2 * (temporal_kernel - 1) * len(blocks)
        _check(blocks, channels_in, target_channel, horizon, temporal_kernel, order, dropout)
        if remaining < 1:
            raise InputError(
                f"window: got {window}; expected more than {window - remaining}, which {len(blocks)} blocks of kernel "
                f"{temporal_kernel} consume. Use a longer window, fewer blocks or a smaller kernel."
            )
        if window > _LONGEST:
            raise InputError(f"window: got {window}; expected at most {_LONGEST} frames.")
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
        # Buffers, not hyperparameters: they are learned from data, and saved with the weights.
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
        """The mean and standard deviation of the channels; none where they are 0 and 1."""
        if not bool(self.mean.any()) and bool((self.std == 1).all()):
            return None
        return Scaler(self.mean.tolist(), self.std.tolist())

    def set_scaler(self, scaler: Scaler) -> None:
        """Sets the mean and standard deviation of the channels.

        Raises:
            InputError: where the number of channels differs.
        """
        if len(scaler.mean) != self.channels_in:
            raise InputError(f"scaler: got {len(scaler.mean)} channels; expected {self.channels_in}, as the model has.")
        # Into the buffers, which are in the state dict and move with the model; copy_ casts to their type.
        self.mean.copy_(torch.tensor(scaler.mean, dtype=torch.float64))
        self.std.copy_(torch.tensor(scaler.std, dtype=torch.float64))

    def forward(
        self, x: torch.Tensor, valid: torch.Tensor | None = None, observed: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Computes the forecast of a batch.

        Args:
            x: ``[B, 1, T, N, C]``, in physical units, of the type of the weights.
            valid: which frames are valid, ``[B, 1, T]``, bool; none: all are.
            observed: the missing-value mask, ``[B, 1, T, N]``, bool, true where observed; none: all in valid frames.

        Returns:
            The target channel in its physical unit, ``[B, H, N]``.

        Raises:
            InputError: where a shape or type is wrong, or, in eval mode, an observed value is NaN or infinite.
        """
        present = self._checked_mask(x, valid, observed)
        # Filled before scaling, as NaN times zero is NaN, and its gradient too.
        values = x[:, 0] if present is None else x[:, 0].masked_fill(~present[..., None], 0.0)
        if not self.training:
            check_finite("x", values)
        values = (values - self.mean) / self.std
        if present is not None:
            # Zero after scaling is the mean.
            values = values.masked_fill(~present[..., None], 0.0)
        if self.mask_channel:
            flags = torch.ones_like(values[..., :1]) if present is None else present[..., None].to(values.dtype)
            values = torch.cat([values, flags], dim=-1)
        # [B, T, N, C] to node-first memory, [N, B, T, C], once for the whole network.
        y = values.permute(2, 0, 1, 3).contiguous()
        for block in self.blocks:
            y = block(y)
        # The last kernel spans all remaining positions, so that one is left: [N, B, 1, C] to [N, B, C].
        y = self.last_norm(self.last(y))[:, :, 0]
        # [N, B, H] to [B, H, N].
        forecast: torch.Tensor = self.head(F.relu(self.hidden(y))).permute(1, 2, 0)
        return forecast * self.std[self.target_channel] + self.mean[self.target_channel]

    def stride_at(self, layer: str) -> int:
        """The stride of a layer's output in frames: always 1.

        Raises:
            InputError: where there is no such layer, with the nearest name.
        """
        self.offset_at(layer)
        return 1

    def offset_at(self, layer: str) -> int:
        """The frame of position 0 of a layer's output: the middle of its receptive field.

        Args:
            layer: the name of a block, ``"blocks.0"`` for the first, or of its parts: ``"blocks.0.before"``,
                ``"blocks.0.spatial"``, ``"blocks.0.after"``, ``"blocks.0.norm"``.

        Raises:
            InputError: where there is no such layer, with the nearest name.
        """
        # Each gated convolution removes (L - 1) / 2 frames at both ends; a block has two.
        half = (self.hyperparameters["temporal_kernel"] - 1) // 2
        gates = {"": 2, ".before": 1, ".spatial": 1, ".after": 2, ".norm": 2}
        names = {f"blocks.{i}{part}": (2 * i + n) * half for i in range(len(self.blocks)) for part, n in gates.items()}
        if layer not in names:
            raise unknown("layer", layer, names)
        return int(names[layer])

    def restricted_to(self, nodes: Sequence[int]) -> OnReceptiveField | None:
        """The forecaster on the receptive field of some nodes alone: the same forecast at these, zero elsewhere.

        None while it trains, and where a module or a hook was put into it; see `on_receptive_field`.

        Args:
            nodes: their indices.

        Example:
            >>> graph = STGraph.from_edges(map(str, range(99)), [(str(i), str(i + 1)) for i in range(98)])
            >>> model = STGCNForecaster(graph).eval()
            >>> part, x = model.restricted_to([50]), torch.randn(1, 1, 12, 99, 1)
            >>> part.field.tolist()  # two blocks of two hops
            [46, 47, 48, 49, 50, 51, 52, 53, 54]
            >>> torch.allclose(part(x)[..., 50], model(x)[..., 50], atol=1e-5)
            True
        """
        return None if type(self) is not STGCNForecaster else on_receptive_field(self, nodes)

    def _checked_mask(
        self, x: torch.Tensor, valid: torch.Tensor | None, observed: torch.Tensor | None
    ) -> torch.Tensor | None:
        """Checks the arguments; gives which values are observed, ``[B, T, N]``, or none where all are."""
        require_tensor("x", x)
        sizes = check_shape("x", tuple(x.shape), BATCH, m=1, t=self.window, n=len(self.graph), c=self.channels_in)
        if not sizes["b"]:
            raise InputError(f"x: got no samples, shape {tuple(x.shape)}; expected one at least.")
        if x.dtype != self.head.weight.dtype:
            expected = self.head.weight.dtype
            raise InputError(f"x: got {x.dtype}; expected {expected}, the type of the weights. Use x.to({expected}).")
        for name, mask, pattern in (("valid", valid, "b m t"), ("observed", observed, "b m t n")):
            if mask is not None:
                require_tensor(name, mask)
                check_shape(name, tuple(mask.shape), pattern, **{axis: sizes[axis] for axis in pattern.split()})
                if mask.dtype != torch.bool:
                    raise InputError(f"{name}: got {mask.dtype}; expected torch.bool, true where a value is observed.")
        present = None if observed is None else observed[:, 0]
        if valid is not None:
            frames = valid[:, 0, :, None]  # [B, T, 1]: an invalid frame is missing at every node
            present = frames.expand(*frames.shape[:2], len(self.graph)) if present is None else present & frames
        return None if present is None or bool(present.all()) else present


@checked
def without_message_passing(model: STGCNForecaster) -> STGCNForecaster:
    """A fresh forecaster with the identity as its adjacency, so that no messages pass: the graph ablation.

    Every relation becomes self loops of weight 1, so that it has the layers and the number of weights of the model. Its
    scaler is the model's; its weights are random.

    Args:
        model: the forecaster to copy, except for its relations and weights.

    Returns:
        A forecaster of the same sizes, with new random weights.

    Example:
        >>> model = STGCNForecaster(STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")]))
        >>> ablated = without_message_passing(model)
        >>> ablated.relations
        Relations(scaled Laplacian: 3 edges)
        >>> x = torch.rand(1, 1, 12, 3, 1)
        >>> changed = x + torch.tensor([0.0, 0.0, 1.0]).view(3, 1)
        >>> (ablated(x) == ablated(changed)).all(1)[0].tolist()
        [True, True, False]
    """
    # As many relations as before, so that the ablated network has as many weights.
    names = model.relations.names
    own, ones = np.arange(len(model.graph)), np.ones(len(model.graph))
    identity = Relations(names, (own,) * len(names), (own,) * len(names), (ones,) * len(names))
    return STGCNForecaster(model.graph, **{**model.hyperparameters, "relations": identity}, scaler=model.scaler)


def _relations(graph: STGraph, relations: str | Relations) -> Relations:
    if relations == "chebyshev":
        # A recurrence gives the sum of the polynomials from T_1 only.
        terms = (graph.undirected() if graph.directed else graph).relations("chebyshev", order=2)
        return Relations((LAPLACIAN,), terms.source[1:], terms.target[1:], terms.weight[1:])
    edges = graph.relations(relations) if isinstance(relations, str) else relations
    if any(weight.ndim != 1 for weight in edges.weight):
        raise InputError("relations: got weights that change over time; expected one weight per edge.")
    # Relations know no number of nodes: only their largest index can be compared with the graph.
    highest = max((int(ends.max(initial=0)) for ends in (*edges.source, *edges.target)), default=-1)
    if not 0 <= highest < len(graph):
        raise InputError(f"relations: got {edges!r} up to node {highest}; expected nodes 0 to {len(graph) - 1}.")
    return edges


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
        raise InputError(f"blocks: got {blocks}; expected three numbers of channels per block, such as [[64, 16, 64]].")
    if min(channels_in, horizon, order, *(count for channels in blocks for count in channels)) < 1:
        raise InputError(f"got {channels_in=}, {horizon=}, {order=}, {blocks=}; expected each to be at least 1.")
    if temporal_kernel < 1 or temporal_kernel % 2 == 0:
        raise InputError(
            f"temporal_kernel: got {temporal_kernel}; expected an odd number, so that kernels have a centre."
        )
    if not 0 <= target_channel < channels_in:
        raise InputError(f"target_channel: got {target_channel}; expected an input channel, 0 to {channels_in - 1}.")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout: got {dropout}; expected a share in [0, 1).")
