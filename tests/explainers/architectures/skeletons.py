"""Networks of skeletons whose adjacency is fixed or learned: ST-GCN, 2s-AGCN, MS-G3D. Each takes [B, C, T, N, M]."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import stexplain as stx
from tests.explainers.architectures.case import Case, Layer, everywhere, lively, noise, sizes, window

JOINTS = 7
INSTANCES = 2
BONES = ((1, 0), (2, 1), (3, 0), (4, 3), (5, 0), (6, 5))  # from a joint to the one that is nearer to the pelvis


def partitions() -> Tensor:
    """Self, centripetal and centrifugal edges, each normalised by column, ``[3, N, N]``."""
    inward = torch.zeros(JOINTS, JOINTS)
    for child, parent in BONES:
        inward[child, parent] = 1
    stack = torch.stack([torch.eye(JOINTS), inward, inward.T])
    return stack / stack.sum(1, keepdim=True).clamp(min=1)


def clip(frames: int) -> Tensor:
    """Two samples of two persons, ``[B, C, T, N, M]``."""
    return noise(2, 3, frames, JOINTS, INSTANCES)


def case(model: nn.Module, frames: int, layers: tuple[Layer, ...], default: str) -> Case:
    """A classifier of clips, asked for the logit of class 1."""
    axes = sizes(b=2, m=INSTANCES, t=frames, n=JOINTS, c=3)
    return Case(lively(model), clip(frames), "b c t n m", axes, stx.Class(1), lambda out: out[:, 1], layers, (default,))


class SpatialGraphConv(nn.Module):
    """One 1x1 convolution for all subsets of edges; returns the adjacency with the features, as ST-GCN does."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, 3 * width, 1)

    def forward(self, x: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        by_subset = self.conv(x).unflatten(1, (3, -1))
        return torch.einsum("nkctv,kvw->nctw", by_subset, adjacency).contiguous(), adjacency


class STGCNBlock(nn.Module):
    def __init__(self, channels: int, width: int, stride: int = 1, residual: bool = True):
        super().__init__()
        self.gcn = SpatialGraphConv(channels, width)
        self.tcn = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, (9, 1), (stride, 1), (4, 0)),
            nn.BatchNorm2d(width),
            nn.Dropout(0.5, inplace=True),
        )
        self.residual: nn.Module | None = None
        if residual:
            same = channels == width and stride == 1
            self.residual = (
                nn.Identity()
                if same
                else nn.Sequential(nn.Conv2d(channels, width, 1, (stride, 1)), nn.BatchNorm2d(width))
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        beside = 0 if self.residual is None else self.residual(x)
        x, adjacency = self.gcn(x, adjacency)
        return self.relu(self.tcn(x) + beside), adjacency


class STGCN(nn.Module):
    """Yan et al. 2018, as released: persons are folded into the batch, blocks return tuples."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("A", partitions())
        self.data_bn = nn.BatchNorm1d(3 * JOINTS)
        self.st_gcn_networks = nn.ModuleList(
            [STGCNBlock(3, 6, residual=False), STGCNBlock(6, 8, stride=2), STGCNBlock(8, 8)]
        )
        self.edge_importance = nn.ParameterList([torch.ones(3, JOINTS, JOINTS) for _ in self.st_gcn_networks])
        self.fcn = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, n, m = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(b * m, n * c, t))
        x = x.view(b, m, n, c, t).permute(0, 1, 3, 4, 2).reshape(b * m, c, t, n)
        for block, importance in zip(self.st_gcn_networks, self.edge_importance, strict=True):
            x, _ = block(x, self.A * importance)
        x = F.avg_pool2d(x, x.shape[2:]).view(b, m, -1, 1, 1).mean(1)
        return self.fcn(x).view(b, -1)


def st_gcn() -> Case:
    # A last position sees 33 frames, and the clip has 24: no position sees its whole window.
    layers = (
        window("data_bn", "(b m) (n c) t", 0, 0),
        window("st_gcn_networks.0", "(b m) c t n", -4, 4),
        window("st_gcn_networks.1.residual.0", "(b m) c t n", -4, 4, stride=2),
        window("st_gcn_networks.1", "(b m) c t n", -8, 8, stride=2),
        window("st_gcn_networks.2.gcn", "(b m) c t n", -8, 8, stride=2),
        window("st_gcn_networks.2", "(b m) c t n", -16, 16, stride=2),
    )
    return case(STGCN(), 24, layers, "st_gcn_networks.2")


class AdaptiveGraphConv(nn.Module):
    """Three subsets, each with a fixed, a learned and an attended adjacency, the last from all frames together."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.register_buffer("A", partitions())
        self.PA = nn.Parameter(torch.zeros(3, JOINTS, JOINTS))
        self.conv_a, self.conv_b, self.conv_d = (
            nn.ModuleList(nn.Conv2d(channels, out, 1) for _ in range(3)) for out in (4, 4, width)
        )
        self.bn = nn.BatchNorm2d(width)
        self.down = nn.Conv2d(channels, width, 1) if channels != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, n = x.shape
        total = 0
        for subset, fixed in enumerate(self.A + self.PA):
            left = self.conv_a[subset](x).permute(0, 3, 1, 2).reshape(b, n, -1)
            right = self.conv_b[subset](x).reshape(b, -1, n)
            attended = torch.softmax(left @ right / left.shape[-1], dim=-2)
            mixed = (x.reshape(b, c * t, n) @ (attended + fixed)).view(b, c, t, n)
            total = total + self.conv_d[subset](mixed)
        return F.relu(self.bn(total) + self.down(x))


class AGCNUnit(nn.Module):
    def __init__(self, channels: int, width: int, stride: int = 1):
        super().__init__()
        self.gcn1 = AdaptiveGraphConv(channels, width)
        self.tcn1 = nn.Sequential(nn.Conv2d(width, width, (9, 1), (stride, 1), (4, 0)), nn.BatchNorm2d(width))
        self.residual = nn.Conv2d(channels, width, 1, (stride, 1))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.tcn1(self.gcn1(x)) + self.residual(x))


class AGCN(nn.Module):
    """One stream of 2s-AGCN (Shi et al. 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(INSTANCES * 3 * JOINTS)
        self.l1, self.l2, self.l3 = AGCNUnit(3, 6), AGCNUnit(6, 8, stride=2), AGCNUnit(8, 8)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, n, m = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(b, m * n * c, t))
        x = x.view(b, m, n, c, t).permute(0, 1, 3, 4, 2).reshape(b * m, c, t, n)
        x = self.l3(self.l2(self.l1(x)))
        return self.fc(x.view(b, m, x.shape[1], -1).mean(3).mean(1))


def two_stream_agcn() -> Case:
    layers = (
        window("data_bn", "b (m n c) t", 0, 0),
        window("l1.residual", "(b m) c t n", 0, 0),
        everywhere("l1", "(b m) c t n"),
        everywhere("l2.residual", "(b m) c t n", stride=2),
        everywhere("l2", "(b m) c t n", stride=2),
        everywhere("l3", "(b m) c t n", stride=2),
    )
    return case(AGCN(), 24, layers, "l3")


class MultiScaleTemporalConv(nn.Module):
    """Branches of dilated convolutions, a pooling and a plain one, side by side."""

    def __init__(self, channels: int, width: int, stride: int = 1):
        super().__init__()
        part, step = width // 4, (stride, 1)

        def start() -> list[nn.Module]:
            return [nn.Conv2d(channels, part, 1), nn.BatchNorm2d(part), nn.ReLU(inplace=True)]

        self.branches = nn.ModuleList(
            nn.Sequential(*start(), nn.Conv2d(part, part, (3, 1), step, (d, 0), (d, 1)), nn.BatchNorm2d(part))
            for d in (1, 2)
        )
        self.branches.append(nn.Sequential(*start(), nn.MaxPool2d((3, 1), step, (1, 0)), nn.BatchNorm2d(part)))
        self.branches.append(nn.Sequential(nn.Conv2d(channels, part, 1, step), nn.BatchNorm2d(part)))
        self.residual = nn.Conv2d(channels, width, 1, step)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(torch.cat([branch(x) for branch in self.branches], 1) + self.residual(x))


class DisentangledGraphConv(nn.Module):
    """Neighbours at exactly 0, 1 and 2 hops, over windows of frames unfolded into the nodes where there are any."""

    def __init__(self, channels: int, width: int, frames: int = 1):
        super().__init__()
        near = (partitions().sum(0) > 0).float()
        within = [torch.eye(JOINTS), near, ((near @ near) > 0).float()]
        hops = [within[0], within[1] - within[0], within[2] - within[1]]
        scaled = [one / one.sum(1, keepdim=True).clamp(min=1) for one in hops]
        self.register_buffer("A_powers", torch.stack([one.repeat(frames, frames) for one in scaled]))
        self.A_res = nn.Parameter(torch.zeros_like(self.A_powers))
        self.mlp = nn.Sequential(nn.Conv2d(3 * channels, width, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        mixed = torch.einsum("kvu,nctu->nkctv", self.A_powers + self.A_res, x)
        return self.mlp(mixed.flatten(1, 2))


class G3D(nn.Module):
    """A window of 3 frames as one graph of 3 N nodes, then one node again for each joint."""

    def __init__(self, channels: int, width: int, stride: int = 1):
        super().__init__()
        self.unfold = nn.Unfold((3, 1), stride=(stride, 1), padding=(1, 0))
        self.gcn3d = DisentangledGraphConv(channels, width, frames=3)
        self.out_conv = nn.Conv3d(width, width, (1, 3, 1))
        self.out_bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        b, c, _, n = x.shape
        windows = self.unfold(x).view(b, c, 3, -1, n).transpose(2, 3).flatten(3)
        return self.out_bn(self.out_conv(self.gcn3d(windows).unflatten(3, (3, n))).squeeze(3))


class MSG3D(nn.Module):
    """Liu et al. 2020: two pathways that are summed, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(INSTANCES * 3 * JOINTS)
        for level, (channels, width, stride) in enumerate(((3, 12, 1), (12, 16, 2)), start=1):
            first = [DisentangledGraphConv(channels, width), MultiScaleTemporalConv(width, width, stride)]
            setattr(self, f"sgcn{level}", nn.Sequential(*first))
            setattr(self, f"gcn3d{level}", G3D(channels, width, stride))
            setattr(self, f"tcn{level}", MultiScaleTemporalConv(width, width))
        self.fc = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, n, m = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(b, m * n * c, t))
        x = x.view(b * m, n, c, t).permute(0, 2, 3, 1).contiguous()
        x = self.tcn1(F.relu(self.sgcn1(x) + self.gcn3d1(x), inplace=True))
        x = self.tcn2(F.relu(self.sgcn2(x) + self.gcn3d2(x), inplace=True))
        return self.fc(x.view(b, m, x.shape[1], -1).mean(3).mean(1))


def ms_g3d() -> Case:
    layers = (
        window("sgcn1.0", "(b m) c t n", 0, 0),
        window("sgcn1", "(b m) c t n", -2, 2),
        window("tcn1", "(b m) c t n", -4, 4),
        window("gcn3d2", "(b m) c t n", -5, 5, stride=2),
        window("sgcn2", "(b m) c t n", -6, 6, stride=2),
        window("tcn2", "(b m) c t n", -10, 10, stride=2),
    )
    return case(MSG3D(), 32, layers, "tcn2")


CASES = (st_gcn, two_stream_agcn, ms_g3d)
