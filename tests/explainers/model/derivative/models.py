"""Small models of which the gradient is, or is not, the derivative: as they are written in released code."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.explainers.model.derivative.custom_functions import (
    ByNumpy,
    Clipped,
    NewStyle,
    Reversed,
    Signs,
    Spike,
    Swish,
)

CHANNELS, FRAMES, NODES = 3, 8, 5


reverse = Reversed.apply  # kept by itself, as released code does


def clipped_under_no_grad(x: Tensor) -> Tensor:
    with torch.no_grad():
        return x.tanh() + 0.0


def in_inference_mode(x: Tensor) -> Tensor:
    with torch.inference_mode():
        features = x.tanh().exp()
    return x + features


def straight_through(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


def quantised(x: Tensor) -> Tensor:
    codes = torch.linspace(-2, 2, 4)
    picked = codes[(x[..., None] - codes).abs().argmin(-1)]
    return x + (picked - x).detach()


def kept_zero(x: Tensor) -> Tensor:
    x = 1 * x
    x.data.mul_((x > 0).float())
    return x.exp()


def hooked(x: Tensor) -> Tensor:
    x = 1 * x
    if x.requires_grad:
        x.register_hook(lambda gradient: -gradient)
    return x


def recurrent(x: Tensor) -> Tensor:
    """Truncated in time: the state is detached at each frame."""
    state = torch.zeros_like(x[:, :, 0])
    for frame in x.unbind(2):
        state = (0.9 * state.detach() + frame).tanh()
    return state[:, :, None].expand_as(x) + 0 * x


def logged(x: Tensor) -> Tensor:
    logged.last = x.detach().abs().mean()  # type: ignore[attr-defined]
    return x


def shifted_softmax(x: Tensor) -> Tensor:
    exponential = (x - x.amax(2, keepdim=True).detach()).exp()
    return exponential / exponential.sum(2, keepdim=True)


def log_sum_exp(x: Tensor) -> Tensor:
    with torch.no_grad():
        most = x.max(dim=2, keepdim=True).values
    return (x - most).exp().sum(2, keepdim=True).log() + most - x


def normalised_twice(x: Tensor) -> Tensor:
    """A scale that later falls out."""
    return F.normalize(x / x.norm(dim=2, keepdim=True).detach().clamp(min=1e-6), dim=2)


def nearest(x: Tensor) -> Tensor:
    """A graph of nearest neighbours, made of the signals without gradients."""
    with torch.no_grad():
        features = x.permute(0, 3, 1, 2).flatten(2)
        index = torch.cdist(features, features).topk(2, largest=False).indices
    return x + torch.stack([one[..., at].mean(-1) for one, at in zip(x, index, strict=True)])


def no_gradient_of_length(x: Tensor) -> Tensor:
    with torch.no_grad():
        position = torch.arange(x.shape[2]).to(x) / x.shape[2]
    return x * position[:, None]


def in_parts(x: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    out[:, :, 1:] = x[:, :, :-1]
    return out + x.new_zeros(x.shape)


class Buffers(nn.Module):
    """An average that is kept in eval mode too, without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))
        self.count = 0

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.mean.mul_(0.9).add_(0.1 * x.mean())
        self.mean.add_(0.1 * x.detach().mean())
        self.count += 1
        return x


class RevIN(nn.Module):
    """Of Kim et al. (ICLR 2022), as released: mean and deviation are detached."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(2, keepdim=True).detach()
        deviation = torch.sqrt(x.var(2, keepdim=True, unbiased=False) + 1e-5).detach()
        return torch.tanh((x - mean) / deviation) * deviation + mean


class Encoder(nn.Module):
    """A frozen backbone, part of whose features go around it."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(CHANNELS, CHANNELS, 1)

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        return 3 * self.backbone(x).relu()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.features(x)


class Frozen(Encoder):
    """A backbone whose weights alone are frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone.requires_grad_(False)

    def features(self, x: Tensor) -> Tensor:
        return self.backbone(x).relu()


class BackwardHook(nn.Module):
    """A hook on the backward pass of a module, which returns what it does."""

    def __init__(self, change: Callable[[Tensor], Tensor] | None) -> None:
        super().__init__()
        self.inner = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.inner.register_full_backward_hook(
            lambda _, grads, __: None if change is None else tuple(None if g is None else change(g) for g in grads)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


class Attention(nn.Module):
    """Over frames; scores may be detached."""

    def __init__(self, *, detached: bool) -> None:
        super().__init__()
        self.detached = detached
        self.query, self.key = nn.Linear(CHANNELS, 4), nn.Linear(CHANNELS, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 3, 2, 1)
        scores = (3 * self.query(x) @ self.key(x).transpose(-1, -2)).softmax(-1)
        return ((scores.detach() if self.detached else scores) @ x).permute(0, 3, 2, 1)


class Over(nn.Module):
    """A module over the frames of each node, ``[B * N, T, C]``."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        out = self.module(x.permute(0, 3, 2, 1).flatten(0, 1))
        out = out[0] if isinstance(out, tuple) else out
        return out.unflatten(0, (len(x), x.shape[3])).permute(0, 3, 2, 1)


class LookedUp(nn.Module):
    """The last channel is an index of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8, CHANNELS - 1)

    def forward(self, x: Tensor) -> Tensor:
        found = self.table((x[:, -1].detach().abs() * 2).long().clamp(max=7)).permute(0, 3, 1, 2)
        return torch.cat([x[:, :-1] + found, x[:, :1]], 1)


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(lambda one: self.conv(one).relu(), x, use_reentrant=False)


class Messages(nn.Module):
    """A graph convolution of DGL over all frames at once."""

    def __init__(self) -> None:
        super().__init__()
        import dgl
        from dgl.nn.pytorch import GraphConv

        self.graph = dgl.add_self_loop(dgl.graph(([0, 1, 2, 3], [1, 2, 3, 4])))
        self.conv = GraphConv(CHANNELS, CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.graph, x.permute(3, 0, 2, 1)).permute(1, 3, 2, 0)


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Classifier(nn.Module):
    """A part under test, and a convolution behind it; x ``[B, C, T, N]``."""

    def __init__(self, part: nn.Module | Callable[[Tensor], Tensor], pool: nn.Module | None = None) -> None:
        super().__init__()
        self.part = part if isinstance(part, nn.Module) else Function(part)
        self.conv, self.pool, self.head = nn.Conv2d(CHANNELS, 6, 1), pool or nn.Identity(), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.conv(self.part(x)).tanh()).mean((2, 3)))


BROKEN: dict[str, Callable[[], nn.Module | Callable[[Tensor], Tensor]]] = {
    "RevIN": RevIN,
    "last observation": lambda: lambda x: (x - x[:, :, -1:].detach()).tanh() + x[:, :, -1:],
    "mean": lambda: lambda x: 2 * (x - x.mean(2, keepdim=True).detach()),
    "scale": lambda: lambda x: x / x.std(2, keepdim=True).detach(),
    "gradient reversal": lambda: reverse,
    "straight through": lambda: straight_through,
    "rounding function": lambda: Clipped.apply,
    "binary activation": lambda: Signs.apply,
    "spike": lambda: Spike.apply,
    "quantiser": lambda: quantised,
    "encoder under no_grad": Encoder,
    "part in inference mode": lambda: in_inference_mode,
    "part under no_grad": lambda: lambda x: x + clipped_under_no_grad(x),
    "detached attention": lambda: Attention(detached=True),
    "gate of itself": lambda: lambda x: x * x.sigmoid().detach(),
    "truncated in time": lambda: recurrent,
    "written by .data": lambda: kept_zero,
    "read by .data": lambda: lambda x: x + 2 * x.data.tanh(),
    "hook on a tensor": lambda: hooked,
    "hook on a module": lambda: BackwardHook(lambda gradient: 0.1 * gradient.clamp(min=0)),
    "detached in place": lambda: lambda x: x + (2 * x).sigmoid().detach_(),
}

SOUND: dict[str, Callable[[], nn.Module | Callable[[Tensor], Tensor]]] = {
    "identity": nn.Identity,
    "ReLU": lambda: torch.relu,
    "max pooling": lambda: nn.MaxPool2d((3, 1), 1, (1, 0)),
    "LSTM": lambda: Over(nn.LSTM(CHANNELS, CHANNELS, batch_first=True)),
    "GRU": lambda: Over(nn.GRU(CHANNELS, CHANNELS, batch_first=True)),
    "transformer": lambda: Over(nn.TransformerEncoderLayer(CHANNELS, 1, 8, batch_first=True)),
    "attention": lambda: Attention(detached=False),
    "multi-head attention": lambda: Over(nn.TransformerEncoder(
        nn.TransformerEncoderLayer(CHANNELS, 3, 8, batch_first=True), 2, enable_nested_tensor=False)),
    "batch norm": lambda: nn.BatchNorm2d(CHANNELS),
    "layer norm": lambda: nn.LayerNorm(NODES),
    "dropout": lambda: nn.Dropout(0.5),
    "DGL": Messages,
    "checkpoint": Checkpointed,
    "fused swish": lambda: Swish.apply,
    "numpy inside a right function": lambda: lambda x: ByNumpy.apply(x.relu() - 0.1 * (x > 1)),
    "function of the new style": lambda: lambda x: NewStyle.apply(x, 3),
    "logged": lambda: logged,
    "buffers": Buffers,
    "shifted softmax": lambda: shifted_softmax,
    "log of a sum of exponentials": lambda: log_sum_exp,
    "scale that falls out": lambda: normalised_twice,
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(CHANNELS, CHANNELS, 1)),
    "spectral norm": lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(CHANNELS, CHANNELS, 1)),
    "index channel": LookedUp,
    "frozen weights": Frozen,
    "nearest neighbours": lambda: nearest,
    "positions under no_grad": lambda: no_gradient_of_length,
    "written in parts": lambda: in_parts,
    "hook that only looks": lambda: BackwardHook(None),
    "steps": lambda: lambda x: x + x.sign() + x.round(),
    "hard mask": lambda: lambda x: x * (x.detach() > 0).float(),
    "RevIN with its gradient": lambda: (
        lambda x: torch.tanh((x - x.mean(2, keepdim=True)) / (x.std(2, keepdim=True) + 1))
    ),
}  # fmt: skip


def built(part: Callable[[], nn.Module | Callable[[Tensor], Tensor]]) -> nn.Module:
    torch.manual_seed(0)
    return Classifier(part()).eval()
