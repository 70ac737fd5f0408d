"""Forecasters that read a clock: channels 1 and 2 are indices of embeddings. STAEformer, STID and D2STGNN."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import stexplain as stx
from tests.explainers.architectures.case import (
    Case,
    everywhere,
    lively,
    noise,
    recurrent,
    ring,
    row_normalised,
    sizes,
    window,
    without_frames,
)

STEPS_PER_DAY = 24


def series_with_clock(samples: int, frames: int, nodes: int) -> Tensor:
    """A speed, the time of day in [0, 1) and the day of the week, an index: ``[B, T, N, 3]``."""
    generator = torch.Generator().manual_seed(5)
    step = torch.randint(0, 7 * STEPS_PER_DAY, (samples, 1, 1), generator=generator) + torch.arange(frames)[:, None]
    step = step.expand(-1, -1, nodes)
    clock = torch.stack([step % STEPS_PER_DAY / STEPS_PER_DAY, step // STEPS_PER_DAY % 7], -1)
    return torch.cat([noise(samples, frames, nodes, 1, seed=6), clock.float()], -1)


def clock_indices(x: Tensor) -> tuple[Tensor, Tensor]:
    """The step of the day and the day of the week as indices."""
    return (x[..., 1] * STEPS_PER_DAY).round().long(), x[..., 2].long()


class AttentionLayer(nn.Module):
    """Self-attention along one axis, then a feed-forward layer, both with residual and layer norm."""

    def __init__(self, width: int, heads: int = 2):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.feed_forward = nn.Sequential(nn.Linear(width, 16), nn.ReLU(inplace=True), nn.Linear(16, width))
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.heads = heads

    def forward(self, x: Tensor, dim: int) -> Tensor:
        rows = x.transpose(dim, -2)
        # Heads are folded into the batch, as in the released code.
        q, k, v = (torch.cat(each(rows).chunk(self.heads, -1), 0) for each in (self.q, self.k, self.v))
        attended = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v
        rows = self.ln1(rows + self.out(torch.cat(attended.chunk(self.heads, 0), -1)))
        return self.ln2(rows + self.feed_forward(rows)).transpose(dim, -2)


class STAEformer(nn.Module):
    """Liu et al. 2023: embeddings of time, day and an adaptive one per frame and node; attention over both axes."""

    def __init__(self, frames: int, nodes: int, horizons: int):
        super().__init__()
        self.input_proj = nn.Linear(2, 4)
        self.tod_embedding, self.dow_embedding = nn.Embedding(STEPS_PER_DAY, 4), nn.Embedding(7, 4)
        self.adaptive_embedding = nn.Parameter(noise(frames, nodes, 4, seed=1))
        self.attn_layers_t = nn.ModuleList([AttentionLayer(16)])
        self.attn_layers_s = nn.ModuleList([AttentionLayer(16)])
        self.output_proj = nn.Linear(frames * 16, horizons)

    def forward(self, x: Tensor) -> Tensor:
        tod, dow = clock_indices(x)
        parts = [self.input_proj(x[..., :2]), self.tod_embedding(tod), self.dow_embedding(dow)]
        x = torch.cat([*parts, self.adaptive_embedding.expand(len(x), -1, -1, -1)], -1)
        for layer in self.attn_layers_t:
            x = layer(x, 1)
        for layer in self.attn_layers_s:
            x = layer(x, 2)
        return self.output_proj(x.transpose(1, 2).flatten(2)).transpose(1, 2)[..., None]


def staeformer() -> Case:
    layers = (
        window("input_proj", "b t n c", 0, 0),
        window("tod_embedding", "b t n c", 0, 0),
        everywhere("attn_layers_t.0", "b t n c"),
        everywhere("attn_layers_s.0", "b t n c"),
    )
    return Case(
        lively(STAEformer(10, 6, 5)),
        series_with_clock(2, 10, 6),
        "b t n c",
        sizes(b=2, t=10, n=6, c=3),
        stx.Forecast(2, horizon=5, layout="b t n c"),
        lambda out: out[:, 4, 2, 0],
        # The gradient does not reach the input through an index, but the embedding is a layer like any other.
        layers,
        ("attn_layers_s.0",),
        clock_channels=2,
    )


class STID(nn.Module):
    """Shao et al. 2022: all frames of a node at once, with embeddings of the node and of the last frame's clock."""

    def __init__(self, frames: int, nodes: int, horizons: int):
        super().__init__()
        self.node_emb = nn.Parameter(noise(nodes, 4, seed=1))
        self.time_in_day_emb = nn.Parameter(noise(STEPS_PER_DAY, 4, seed=2))
        self.day_in_week_emb = nn.Parameter(noise(7, 4, seed=3))
        self.time_series_emb_layer = nn.Conv2d(3 * frames, 8, 1)
        self.encoder = nn.Sequential(*[nn.Sequential(nn.Conv2d(20, 20, 1), nn.ReLU()) for _ in range(2)])
        self.regression_layer = nn.Conv2d(20, horizons, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, _, n, _ = x.shape
        tod, dow = clock_indices(x[:, -1])
        series = self.time_series_emb_layer(x.transpose(1, 2).reshape(b, n, -1).transpose(1, 2)[..., None])
        clock = [self.time_in_day_emb[tod], self.day_in_week_emb[dow], self.node_emb.expand(b, -1, -1)]
        x = torch.cat([series, *(each.transpose(1, 2)[..., None] for each in clock)], 1)
        return self.regression_layer(x + self.encoder(x))


def stid() -> Case:
    layers = (
        without_frames("time_series_emb_layer", "b c n 1"),
        without_frames("encoder", "b c n 1"),
    )
    return Case(
        lively(STID(9, 5, 4)),
        series_with_clock(3, 9, 5),
        "b t n c",
        sizes(b=3, t=9, n=5, c=3),
        stx.Forecast(3, horizon=2, layout="b t n c"),
        lambda out: out[:, 1, 3, 0],
        layers,
        (),
        clock_channels=2,
    )


class Diffusion(nn.Module):
    """What spreads from neighbours: the two frames up to each, over the road and back."""

    def __init__(self, nodes: int, width: int):
        super().__init__()
        walk = row_normalised(ring(nodes) - torch.eye(nodes))
        self.register_buffer("walks", torch.stack([walk, row_normalised((ring(nodes) - torch.eye(nodes)).T)]))
        self.mix = nn.Linear(4 * width, width)
        self.backcast, self.forecast = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([x[:, 1:], x[:, :-1]], -1)
        hidden = F.relu(self.mix(torch.einsum("kij,btjc->btikc", self.walks, both).flatten(3)))
        return self.backcast(hidden), self.forecast(hidden[:, -1])


class Inherent(nn.Module):
    """What a node does by itself: a recurrent unit, then attention over time."""

    def __init__(self, width: int):
        super().__init__()
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.backcast, self.forecast = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        by_node = x.transpose(1, 2).flatten(0, 1)
        states, _ = self.rnn(by_node)
        hidden = (states + self.attention(states, states, states, need_weights=False)[0]).unflatten(0, (len(x), -1))
        return self.backcast(hidden).transpose(1, 2), self.forecast(hidden[:, :, -1])


class DecoupleLayer(nn.Module):
    def __init__(self, nodes: int, width: int):
        super().__init__()
        self.estimation_gate = nn.Sequential(nn.Linear(width + 8, width), nn.ReLU(), nn.Linear(width, 1), nn.Sigmoid())
        self.dif_layer, self.inh_layer = Diffusion(nodes, width), Inherent(width)
        self.ln = nn.LayerNorm(width)

    def forward(self, x: Tensor, clock: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gate = self.estimation_gate(torch.cat([x, clock[:, -x.shape[1] :]], -1))
        back, diffused = self.dif_layer(gate * x)
        # Two frames make one: the first has none before it.
        rest = self.ln(x[:, 1:] - back)
        back, inherent = self.inh_layer(rest)
        return self.ln(rest - back), diffused, inherent


class D2STGNN(nn.Module):
    """Shao et al. 2022: each layer explains a part of the signals, and hands on what is left, one frame shorter."""

    def __init__(self, nodes: int, horizons: int, width: int = 8):
        super().__init__()
        self.embedding = nn.Linear(1, width)
        self.T_i_D_emb, self.D_i_W_emb = nn.Embedding(STEPS_PER_DAY, 4), nn.Embedding(7, 4)
        self.layers = nn.ModuleList([DecoupleLayer(nodes, width) for _ in range(2)])
        self.out_fc = nn.Linear(width, horizons)

    def forward(self, history_data: Tensor) -> Tensor:
        tod, dow = clock_indices(history_data)
        clock = torch.cat([self.T_i_D_emb(tod), self.D_i_W_emb(dow)], -1)
        x, total = self.embedding(history_data[..., :1]), 0
        for layer in self.layers:
            x, diffused, inherent = layer(x, clock)
            total = total + diffused + inherent
        return self.out_fc(F.relu(total)).transpose(1, 2)


def d2stgnn() -> Case:
    layers = (
        window("embedding", "b t n c", 0, 0),
        window("layers.0.estimation_gate", "b t n 1", 0, 0),
        window("layers.0.dif_layer.mix", "b t n c", 0, 1, known=False),
        window("layers.0.dif_layer", "b t n c", 0, 1, known=False),
        # Position 0 sees the frames 0 and 1.
        recurrent("layers.0.inh_layer.rnn", "(b n) t c", last=1),
    )
    return Case(
        lively(D2STGNN(5, 3)),
        series_with_clock(2, 9, 5),
        "b t n c",
        sizes(b=2, t=9, n=5, c=3),
        stx.Forecast(1, horizon=3, layout="b t n"),
        lambda out: out[:, 2, 1],
        layers,
        ("embedding",),
        clock_channels=2,
    )


CASES = (staeformer, stid, d2stgnn)
