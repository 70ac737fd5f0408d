"""Decoders of EEG, [B, electrodes, samples over time]: ShallowFBCSPNet, EEGNet, Deep4Net and EEGConformer.

A first convolution over time keeps the electrodes; one over all electrodes follows, after which there are no nodes.
Kernels are long and even, and pooling is strided: positions stand between frames.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import stexplain as stx
from tests.explainers.architectures.case import Case, Layer, everywhere, lively, noise, sizes, window

ELECTRODES = 6


def case(model: nn.Module, frames: int, layers: tuple[Layer, ...], default: str) -> Case:
    """A classifier of trials, asked for the logit of class 1."""
    axes = sizes(b=2, t=frames, n=ELECTRODES)
    score = stx.Class(1)
    return Case(
        lively(model), noise(2, ELECTRODES, frames), "b n t", axes, score, lambda out: out[:, 1], layers, (default,)
    )


class ShallowFBCSPNet(nn.Module):
    """Schirrmeister et al. 2017: band power. Time comes before the electrodes inside; the activation is a square."""

    def __init__(self, frames: int):
        super().__init__()
        self.conv_time = nn.Conv2d(1, 4, (11, 1))
        self.conv_spat = nn.Conv2d(4, 4, (1, ELECTRODES), bias=False)
        self.bnorm = nn.BatchNorm2d(4)
        self.pool = nn.AvgPool2d((15, 1), (5, 1))
        self.drop = nn.Dropout(0.5)
        self.final = nn.Conv2d(4, 3, ((frames - 10 - 15) // 5 + 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.bnorm(self.conv_spat(self.conv_time(x.transpose(1, 2)[:, None])))
        return self.final(self.drop(torch.log(self.pool(x * x).clamp(min=1e-6))))[..., 0, 0]


def shallow_fbcsp_net() -> Case:
    layers = (
        window("conv_time", "b c t n", 0, 10),
        window("conv_spat", "b c t 1", 0, 10),
        window("bnorm", "b c t 1", 0, 10),
        # 15 positions, each of 11 frames: 25 frames.
        window("pool", "b c t 1", 0, 24, stride=5),
        window("drop", "b c t 1", 0, 24, stride=5),
    )
    return case(ShallowFBCSPNet(100), 100, layers, "conv_time")


class EEGNet(nn.Module):
    """Lawhern et al. 2018, with even kernels that are padded by their half: one position more than frames."""

    def __init__(self, frames: int):
        super().__init__()
        self.conv_temporal = nn.Conv2d(1, 4, (1, 16), padding=(0, 8), bias=False)
        self.bnorm_temporal = nn.BatchNorm2d(4)
        self.conv_spatial = nn.Conv2d(4, 8, (ELECTRODES, 1), groups=4, bias=False)
        self.bnorm_1 = nn.BatchNorm2d(8)
        self.pool_1 = nn.AvgPool2d((1, 4), (1, 4))
        self.conv_separable_depth = nn.Conv2d(8, 8, (1, 8), padding=(0, 4), groups=8, bias=False)
        self.conv_separable_point = nn.Conv2d(8, 8, 1, bias=False)
        self.bnorm_2 = nn.BatchNorm2d(8)
        self.pool_2 = nn.AvgPool2d((1, 4), (1, 4))
        left = ((frames + 1) // 4 + 1) // 4
        self.conv_classifier = nn.Conv2d(8, 3, (1, left))

    def forward(self, x: Tensor) -> Tensor:
        x = self.bnorm_temporal(self.conv_temporal(x[:, None]))
        x = self.pool_1(F.elu(self.bnorm_1(self.conv_spatial(x))))
        x = self.bnorm_2(self.conv_separable_point(self.conv_separable_depth(x)))
        return self.conv_classifier(self.pool_2(F.elu(x)))[..., 0, 0]


def eeg_net() -> Case:
    layers = (
        # The kernel's 16 taps, padded by 8: from 8 before to 7 after.
        window("conv_temporal", "b c n t", -8, 7),
        window("bnorm_temporal", "b c n t", -8, 7),
        window("conv_spatial", "b c 1 t", -8, 7),
        window("pool_1", "b c 1 t", -8, 10, stride=4),
        # Four positions of 4 frames before, three after.
        window("conv_separable_depth", "b c 1 t", -24, 22, stride=4),
        window("pool_2", "b c 1 t", -24, 34, stride=16),
    )
    return case(EEGNet(224), 224, layers, "bnorm_temporal")


class Deep4Net(nn.Module):
    """Schirrmeister et al. 2017: four blocks of convolution and max-pooling, unpadded."""

    def __init__(self, frames: int):
        super().__init__()
        self.conv_time = nn.Conv2d(1, 4, (5, 1))
        self.conv_spat = nn.Conv2d(4, 4, (1, ELECTRODES), bias=False)
        left, widths = frames - 4, (4, 12, 12)
        for block, (channels, width) in enumerate(pairwise(widths), start=2):
            left = (left - 3) // 3 + 1 - 4
            setattr(self, f"conv_{block}", nn.Conv2d(channels, width, (5, 1), bias=False))
            setattr(self, f"bnorm_{block}", nn.BatchNorm2d(width))
        self.pool = nn.MaxPool2d((3, 1), (3, 1))
        self.bnorm = nn.BatchNorm2d(4)
        self.final_conv = nn.Conv2d(12, 3, ((left - 3) // 3 + 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        # The same pooling module after every block.
        x = self.pool(F.elu(self.bnorm(self.conv_spat(self.conv_time(x.transpose(1, 2)[:, None])))))
        x = self.pool(F.elu(self.bnorm_2(self.conv_2(x))))
        x = self.pool(F.elu(self.bnorm_3(self.conv_3(x))))
        return self.final_conv(x)[..., 0, 0]


def deep4_net() -> Case:
    layers = (
        window("conv_time", "b c t n", 0, 4),
        window("bnorm", "b c t 1", 0, 4),
        # Three positions pooled: 7 frames; then five of them, three frames apart: 7 + 4 * 3.
        window("conv_2", "b c t 1", 0, 18, stride=3),
        # 18 + 2 * 3 after pooling; then 24 + 4 * 9.
        window("bnorm_3", "b c t 1", 0, 60, stride=9),
    )
    return case(Deep4Net(140), 140, layers, "conv_time")


class EEGConformer(nn.Module):
    """Song et al. 2023: patches by convolution and pooling, then a transformer over them."""

    def __init__(self, frames: int):
        super().__init__()
        self.temporal = nn.Conv2d(1, 8, (1, 9))
        self.spatial = nn.Conv2d(8, 8, (ELECTRODES, 1))
        self.bnorm = nn.BatchNorm2d(8)
        self.pool = nn.AvgPool2d((1, 16), (1, 6))
        self.projection = nn.Conv2d(8, 8, 1)
        self.transformer = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation="gelu") for _ in range(2)
        )
        self.fc = nn.Linear(8 * ((frames - 8 - 16) // 6 + 1), 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.projection(self.pool(F.elu(self.bnorm(self.spatial(self.temporal(x[:, None]))))))
        tokens = x[:, :, 0].transpose(1, 2)
        for layer in self.transformer:
            tokens = layer(tokens)
        return self.fc(tokens.flatten(1))


def eeg_conformer() -> Case:
    layers = (
        window("temporal", "b c n t", 0, 8),
        window("bnorm", "b c 1 t", 0, 8),
        window("projection", "b c 1 t", 0, 23, stride=6),
        # Attention mixes all patches; each still stands for its own, whose middle is frame 11.5.
        everywhere("transformer.0", "b t c", stride=6, first=0, last=23, known=False),
    )
    return case(EEGConformer(90), 90, layers, "temporal")


CASES = (shallow_fbcsp_net, eeg_net, deep4_net, eeg_conformer)
