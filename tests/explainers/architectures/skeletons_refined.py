"""Networks of skeletons that refine the adjacency sample by sample, or shift: CTR-GCN, HD-GCN, Shift-GCN, InfoGCN."""

from itertools import pairwise

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from tests.explainers.architectures.case import Case, everywhere, window
from tests.explainers.architectures.skeletons import INSTANCES, JOINTS, case, partitions


class DilatedTemporalConv(nn.Module):
    """CTR-GCN's: kernels of 5 frames with dilation 1 and 2, a pooling and a plain branch."""

    def __init__(self, width: int, stride: int = 1):
        super().__init__()
        part, step = width // 4, (stride, 1)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, part, 1), nn.ReLU(), nn.Conv2d(part, part, (5, 1), step, (2 * d, 0), (d, 1)))
            for d in (1, 2)
        )
        self.branches.append(nn.Sequential(nn.Conv2d(width, part, 1), nn.MaxPool2d((3, 1), step, (1, 0))))
        self.branches.append(nn.Conv2d(width, part, 1, step))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class ChannelTopologyConv(nn.Module):
    """An adjacency for every channel, from the differences of nodes' means over time."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(channels, out, 1) for out in (4, 4, width))
        self.conv4 = nn.Conv2d(4, width, 1)

    def forward(self, x: Tensor, adjacency: Tensor, alpha: Tensor) -> Tensor:
        left, right = self.conv1(x).mean(-2), self.conv2(x).mean(-2)
        refined = self.conv4(torch.tanh(left[..., None] - right[..., None, :])) * alpha + adjacency
        return torch.einsum("ncuv,nctv->nctu", refined, self.conv3(x))


class CTRBlock(nn.Module):
    def __init__(self, channels: int, width: int, stride: int = 1):
        super().__init__()
        self.convs = nn.ModuleList(ChannelTopologyConv(channels, width) for _ in range(3))
        self.PA, self.alpha = nn.Parameter(partitions()), nn.Parameter(torch.zeros(1))
        self.bn = nn.BatchNorm2d(width)
        self.tcn1 = DilatedTemporalConv(width, stride)
        self.residual = nn.Conv2d(channels, width, 1, (stride, 1))

    def forward(self, x: Tensor) -> Tensor:
        mixed = sum(conv(x, edges, self.alpha) for conv, edges in zip(self.convs, self.PA, strict=True))
        return F.relu(self.tcn1(F.relu(self.bn(mixed))) + self.residual(x))


class CTRGCN(nn.Module):
    """Chen et al. 2021."""

    def __init__(self) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(INSTANCES * 3 * JOINTS)
        self.l1, self.l2, self.l3 = CTRBlock(3, 8), CTRBlock(8, 8, stride=2), CTRBlock(8, 8)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        b, m = len(x), x.shape[-1]
        x = self.data_bn(rearrange(x, "b c t n m -> b (m n c) t"))
        x = rearrange(x, "b (m n c) t -> (b m) c t n", m=m, n=JOINTS)
        x = self.l3(self.l2(self.l1(x)))
        return self.fc(x.reshape(b, m, x.shape[1], -1).mean(3).mean(1))


def ctr_gcn() -> Case:
    layers = (
        window("data_bn", "b (m n c) t", 0, 0),
        window("l1.convs.0.conv3", "(b m) c t n", 0, 0),
        everywhere("l1", "(b m) c t n"),
        everywhere("l2.residual", "(b m) c t n", stride=2),
        everywhere("l2", "(b m) c t n", stride=2),
        everywhere("l3", "(b m) c t n", stride=2),
    )
    return case(CTRGCN(), 24, layers, "l3")


class HierarchyConv(nn.Module):
    """One graph convolution for each pair of neighbouring hierarchy levels, weighed by attention over the levels."""

    # Joints by their distance from the pelvis.
    LEVELS = ((0,), (1, 3, 5), (2, 4, 6))

    def __init__(self, channels: int, width: int):
        super().__init__()
        pairs = []
        for upper, lower in pairwise(self.LEVELS):
            edges = torch.zeros(JOINTS, JOINTS)
            for u in upper:
                edges[u, list(lower)] = edges[list(lower), u] = 1 / len(lower)
            pairs.append(edges + torch.eye(JOINTS))
        self.PA = nn.Parameter(torch.stack(pairs))
        self.convs = nn.ModuleList(nn.Conv2d(channels, width, 1) for _ in pairs)
        self.attention = nn.Conv1d(width, width, 1)
        self.bn = nn.BatchNorm2d(width)
        self.down = nn.Conv2d(channels, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        by_pair = torch.stack(
            [torch.einsum("nctv,vw->nctw", conv(x), edges) for conv, edges in zip(self.convs, self.PA, strict=True)], 2
        )
        # The largest value over time stands for each joint; the joints of a pair of levels are averaged.
        peak = by_pair.amax(-2)
        pooled = torch.stack(
            [peak[:, :, pair, [*self.LEVELS[pair], *self.LEVELS[pair + 1]]].mean(-1) for pair in range(len(self.PA))], 2
        )
        weight = torch.sigmoid(self.attention(pooled))[..., None, None]
        return F.relu(self.bn((by_pair * weight).sum(2)) + self.down(x))


class HDGCN(nn.Module):
    """Lee et al. 2023, with two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(INSTANCES * 3 * JOINTS)
        self.gcn1, self.gcn2 = HierarchyConv(3, 8), HierarchyConv(8, 8)
        self.tcn1, self.tcn2 = DilatedTemporalConv(8), DilatedTemporalConv(8)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        b, m = len(x), x.shape[-1]
        x = self.data_bn(rearrange(x, "b c t n m -> b (m n c) t"))
        x = rearrange(x, "b (m n c) t -> (b m) c t n", m=m, n=JOINTS)
        x = self.tcn1(self.gcn1(x))
        x = self.tcn2(self.gcn2(x))
        return self.fc(x.reshape(b, m, x.shape[1], -1).mean(3).mean(1))


def hd_gcn() -> Case:
    layers = (
        window("gcn1.convs.1", "(b m) c t n", 0, 0),
        everywhere("gcn1", "(b m) c t n"),
        everywhere("tcn1", "(b m) c t n"),
        everywhere("tcn2", "(b m) c t n"),
    )
    return case(HDGCN(), 16, layers, "tcn2")


class ShiftGraphConv(nn.Module):
    """Channel c of joint v comes from joint v + c: nodes are mixed by an index alone."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-0.5, 0.5, channels * width).view(channels, width))
        self.mask = nn.Parameter(torch.zeros(1, JOINTS, channels))
        for name, count, sign in (("shift_in", channels, 1), ("shift_out", width, -1)):
            joint, channel = torch.meshgrid(torch.arange(JOINTS), torch.arange(count), indexing="ij")
            self.register_buffer(name, (((joint + sign * channel) % JOINTS) * count + channel).flatten())
        self.bn = nn.BatchNorm1d(JOINTS * width)
        self.down = nn.Conv2d(channels, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, n = x.shape
        shifted = x.permute(0, 2, 3, 1).reshape(b * t, n * c).index_select(1, self.shift_in).view(b * t, n, c)
        mixed = (shifted * (self.mask.tanh() + 1)) @ self.weight
        back = self.bn(mixed.flatten(1).index_select(1, self.shift_out))
        return F.relu(back.view(b, t, n, -1).permute(0, 3, 1, 2) + self.down(x))


class TemporalShift(nn.Module):
    """Moves every channel by a learned part of a frame, between the frames before and after it."""

    def __init__(self, channels: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        # Some channels look back, others ahead.
        self.position = nn.Parameter(torch.linspace(-0.6, 0.6, channels))

    def forward(self, x: Tensor) -> Tensor:
        floor = self.position.detach().floor()
        share = (self.position - floor)[:, None, None]
        frames = x.shape[2]
        padded = F.pad(x, (0, 0, 1, 2))
        start = torch.arange(frames)[None] + floor.long()[:, None] + 1  # [C, T], in the padded clip
        rows = torch.arange(len(floor))[:, None]
        here, after = padded[:, rows, start], padded[:, rows, start + 1]
        return ((1 - share) * here + share * after)[:, :, :: self.stride]


class ShiftTemporalConv(nn.Module):
    def __init__(self, width: int, stride: int = 1):
        super().__init__()
        self.bn, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.shift_in, self.shift_out = TemporalShift(width), TemporalShift(width, stride)
        self.temporal_linear = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.shift_out(F.relu(self.temporal_linear(self.shift_in(self.bn(x))))))


class ShiftGCN(nn.Module):
    """Cheng et al. 2020."""

    def __init__(self) -> None:
        super().__init__()
        self.gcn1, self.tcn1 = ShiftGraphConv(3, 6), ShiftTemporalConv(6)
        self.gcn2, self.tcn2 = ShiftGraphConv(6, 6), ShiftTemporalConv(6, stride=2)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        b, m = len(x), x.shape[-1]
        x = rearrange(x, "b c t n m -> (b m) c t n")
        x = F.relu(self.tcn2(self.gcn2(F.relu(self.tcn1(self.gcn1(x))))))
        return self.fc(x.reshape(b, m, x.shape[1], -1).mean(3).mean(1))


def shift_gcn() -> Case:
    layers = (
        window("gcn1.bn", "(b m t) (n c)", 0, 0),
        window("gcn1", "(b m) c t n", 0, 0),
        window("tcn1.shift_in", "(b m) c t n", -1, 1),
        window("tcn1", "(b m) c t n", -2, 2),
        window("tcn2", "(b m) c t n", -4, 4, stride=2),
    )
    return case(ShiftGCN(), 20, layers, "tcn2")


class SelfAttentionConv(nn.Module):
    """Fixed subsets of edges times attention between nodes, pooled over time."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.shared_topology = nn.Parameter(partitions())
        self.to_qk = nn.Linear(channels, 3 * 8)
        self.convs = nn.ModuleList(nn.Conv2d(channels, width, 1) for _ in range(3))
        self.bn = nn.BatchNorm2d(width)
        self.tcn = DilatedTemporalConv(width, stride)
        self.residual = nn.Conv2d(channels, width, 1, (stride, 1))

    def forward(self, x: Tensor) -> Tensor:
        query, key = rearrange(self.to_qk(x.mean(-2).transpose(1, 2)), "b n (p h c) -> p b h n c", p=2, h=3)
        attention = (query @ key.transpose(-1, -2) / 2).softmax(-1)
        heads = attention * self.shared_topology
        mixed = sum(torch.einsum("nctv,nvw->nctw", conv(x), heads[:, h]) for h, conv in enumerate(self.convs))
        return F.relu(self.tcn(F.relu(self.bn(mixed))) + self.residual(x))


class InfoGCN(nn.Module):
    """Chi et al. 2022: classifies a latent vector, which it returns beside the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.to_joint_embedding = nn.Linear(3, 6)
        self.pos_embedding = nn.Parameter(torch.zeros(1, JOINTS, 6))
        self.data_bn = nn.BatchNorm1d(INSTANCES * JOINTS * 6)
        self.blocks = nn.ModuleList([SelfAttentionConv(6, 8, 1), SelfAttentionConv(8, 8, 1)])
        self.fc, self.fc_mu, self.fc_logvar = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.decoder = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        b, _, t, _, m = x.shape
        x = self.to_joint_embedding(rearrange(x, "b c t n m -> (b m t) n c")) + self.pos_embedding
        x = self.data_bn(rearrange(x, "(b m t) n c -> b (m n c) t", m=m, t=t))
        x = rearrange(x, "b (m n c) t -> (b m) c t n", m=m, n=JOINTS)
        for block in self.blocks:
            x = block(x)
        pooled = F.relu(self.fc(rearrange(x, "(b m) c t n -> b m c (t n)", b=b).mean(3).mean(1)))
        latent = self.fc_mu(pooled)
        if self.training:
            latent = latent + (0.5 * self.fc_logvar(pooled)).exp() * torch.randn_like(latent)
        return self.decoder(latent), latent


def info_gcn() -> Case:
    layers = (
        window("to_joint_embedding", "(b m t) n c", 0, 0),
        window("data_bn", "b (m n c) t", 0, 0),
        everywhere("blocks.0", "(b m) c t n"),
        everywhere("blocks.1", "(b m) c t n"),
    )
    found = case(InfoGCN(), 14, layers, "blocks.1")
    return Case(**{**vars(found), "score": lambda out: out[0][:, 1]})


CASES = (ctr_gcn, hd_gcn, shift_gcn, info_gcn)
