"""Models of sequences, to which nodes are mere features: LSTM over flattened joints, two-way GRU, TCN."""

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

import stexplain as stx
from tests.explainers.architectures.case import Case, everywhere, lively, noise, recurrent, road_graph, sizes, window


class JointLSTM(nn.Module):
    """Two layers over the joints' coordinates, flattened; classifies from the last state."""

    def __init__(self, features: int):
        super().__init__()
        self.lstm = nn.LSTM(features, 8, num_layers=2, batch_first=True, dropout=0.2)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        return self.fc(states[:, -1])


def lstm_of_joints() -> Case:
    return Case(
        lively(JointLSTM(15)),
        noise(3, 12, 15),
        "b t (n c)",
        sizes(b=3, t=12, n=5, c=3),
        stx.Class(1),
        lambda out: out[:, 1],
        (recurrent("lstm", "b t c"),),
        (),
        options={"graph": road_graph(5)},
    )


class TwoWayGRU(nn.Module):
    """A state of the past and one of the future at every frame; frames come first, as is torch's default."""

    def __init__(self, features: int):
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.gru = nn.GRU(features, 6, bidirectional=True)
        self.fc = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(self.norm(x))
        return self.fc(states.mean(0))


def two_way_gru() -> Case:
    return Case(
        lively(TwoWayGRU(8)),
        noise(10, 4, 8),
        "t b n",
        sizes(b=4, t=10, n=8),
        stx.Class(2),
        lambda out: out[:, 2],
        (window("norm", "t b n", 0, 0), everywhere("gru", "t b c")),
        # The layer norm is over nodes, and keeps them.
        ("norm",),
    )


class TemporalBlock(nn.Module):
    """Two dilated convolutions that see the past alone: padded on both sides, and cut at the end."""

    def __init__(self, channels: int, width: int, dilation: int):
        super().__init__()
        self.cut = 2 * dilation
        self.conv1 = weight_norm(nn.Conv1d(channels, width, 3, padding=self.cut, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(width, width, 3, padding=self.cut, dilation=dilation))
        self.downsample = nn.Conv1d(channels, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.conv1(x)[..., : -self.cut])
        out = F.relu(self.conv2(out)[..., : -self.cut])
        return F.relu(out + self.downsample(x))


class TCN(nn.Module):
    """Bai et al. 2018."""

    def __init__(self, features: int):
        super().__init__()
        self.network = nn.Sequential(TemporalBlock(features, 6, 1), TemporalBlock(6, 6, 2))
        self.linear = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.network(x)[:, :, -1])


def tcn() -> Case:
    layers = (
        # Before it is cut, a convolution has positions after the clip's end, too.
        window("network.0.conv1", "b c t", -2, 0),
        window("network.0", "b c t", -4, 0),
        window("network.1", "b c t", -12, 0),
        window("network", "b c t", -12, 0),
    )
    return Case(
        lively(TCN(5)),
        noise(3, 5, 20),
        "b n t",
        sizes(b=3, t=20, n=5),
        stx.Class(0),
        lambda out: out[:, 0],
        layers,
        (),
    )


CASES = (lstm_of_joints, two_way_gru, tcn)
