"""Graph convolutions as people write them, a few lines each, none by a layer of this package.

`mix` is the model's code as a function of the weights of edges that the map is about, so that an entry can be set to
zero by hand. `run` is the code as it stands in the model, where that is another.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

N, FRAMES, C = 5, 3, 2
MINUS = float("-inf")


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def road(*stack: int, seed: int = 0) -> Tensor:
    """Directed edges, half of them absent, and half a self loop, ``[..., N, N]``."""
    own = torch.eye(N, dtype=torch.float64) / 2
    return (numbers(*stack, N, N, seed=seed) * (numbers(*stack, N, N, seed=seed + 50) > 0)).where(own == 0, own)


ROAD = road()
SOURCE, TARGET = ROAD.nonzero().T
EDGES = torch.stack([SOURCE, TARGET])


@dataclass
class Case:
    """One way to write it.

    Attributes:
        mix: of the net, x and the weights.
        ends: the axes of the weights: k relations, s sources, t targets; b samples, f and g frames, c channels.
        weights: of the net and x.
        run: of the net and x; default: `mix` with the weights.
        held: what the net holds: parameters, lists of tensors, layers.
        inputs: the layout of x.
        arguments: of the call.
        linear: whether the score is linear in each weight.
        summed: whether the map has one relation for all, or one for each pair of channels or frames.
        only: the block that is compared.
    """

    mix: Callable[[Any, Tensor, Any], Tensor]
    ends: str = "s t"
    weights: Callable[[Any, Tensor], Any] = lambda net, x: net.A
    run: Callable[..., Tensor] | None = None
    held: dict[str, Any] = field(default_factory=lambda: {"A": nn.Parameter(ROAD.clone())})
    inputs: str = "b t n c"
    arguments: dict[str, Any] = field(default_factory=dict)
    linear: bool = True
    summed: bool = False
    only: str | None = None


class Net(nn.Module):
    """The mixing, and a sum of what comes with weights unlike each other."""

    def __init__(self, case: Case):
        super().__init__()
        self.case, self.one = case, nn.Parameter(numbers(1))
        for name, value in case.held.items():
            setattr(self, name, value)

    def read(self, out: Tensor) -> Tensor:
        return (out * numbers(*out.shape[1:], seed=9)).flatten(1).sum(1)

    def forward(self, x: Tensor, **arguments: Tensor) -> Tensor:
        if self.case.run is not None:
            return self.read(self.case.run(self, x, **arguments))
        return self.read(self.case.mix(self, x, self.case.weights(self, x, **arguments)))


def parameters(**shapes: tuple[int, ...]) -> dict[str, nn.Parameter]:
    return {name: nn.Parameter(numbers(*shape, seed=5 + len(name))) for name, shape in shapes.items()}


def stack() -> nn.Parameter:
    return nn.Parameter(road(3))


def st_gcn(net, x, A):
    x = net.conv(x)
    n, kc, t, v = x.shape
    return torch.einsum("nkctv,kvw->nctw", (x.view(n, 3, kc // 3, t, v), A)).contiguous()


def partitions(net, x, A):
    y = None
    for k in range(3):
        z = F.conv2d(torch.matmul(x.view(len(x), -1, N), A[k]).view_as(x), net.W[k])
        y = z if y is None else y + z
    return y


def adaptive(net, x):
    out = []
    for k in range(3):
        a = F.conv2d(x, net.theta[k]).permute(0, 3, 1, 2).contiguous().view(len(x), N, -1)
        b = F.conv2d(x, net.phi[k]).view(len(x), -1, N)
        out.append(torch.softmax(torch.matmul(a, b) / a.size(-1), -2) + (net.A + net.PA)[k])
    return torch.stack(out, 1)


def two_stream(net, x, A):
    out = 0
    for k in range(3):
        out = out + F.conv2d(torch.matmul(x.view(len(x), -1, N), A[:, k]).view_as(x), net.W[k])
    return out


def ctr(net, x):
    q, k = F.conv2d(x, net.q).mean(-2), F.conv2d(x, net.k).mean(-2)
    return torch.tanh(q.unsqueeze(-1) - k.unsqueeze(-2)) * 0.5 + net.A[None, None]


def ms_g3d(net, x, A):
    s = torch.einsum("vu,nctu->nctv", A.reshape(3 * N, N), x)
    return s.view(len(x), C, -1, 3, N).permute(0, 3, 1, 2, 4).reshape(len(x), 3 * C, -1, N)


def chebyshev(net, x, A):
    steps = []
    for step in range(x.shape[-1]):
        x_t = x[..., step]
        y = sum(x_t.permute(0, 2, 1).matmul(A[k]).permute(0, 2, 1).matmul(net.Theta[k]) for k in range(3))
        steps.append(y.unsqueeze(-1))
    return F.relu(torch.cat(steps, -1))


def recursion(net, x, L):
    x0, x1 = x, torch.matmul(L, x)
    out = [x0, x1]
    for _ in range(2):
        x0, x1 = x1, 2 * torch.matmul(L, x1) - x0
        out.append(x1)
    return torch.cat(out, -1)


def wavenet_supports(net, x):
    return [*net.supports, F.softmax(F.relu(torch.mm(net.E1, net.E2)), dim=1)]


def wavenet(net, x, supports):
    x = x.permute(0, 3, 2, 1)
    out = [x]
    for a in supports:
        x1 = torch.einsum("ncvl,vw->ncwl", (x, a)).contiguous()
        out += [x1, torch.einsum("ncvl,vw->ncwl", (x1, a)).contiguous()]
    return F.conv2d(torch.cat(out, 1), net.W)


def diffusion(net, x, A):
    h = x.new_zeros(len(x), N, 2)
    for step in range(x.shape[1]):
        x0 = torch.cat([x[:, step], h], 2).permute(1, 2, 0).reshape(N, -1)
        x1 = torch.sparse.mm(A if A.is_sparse else A.to_sparse(), x0)
        h = torch.tanh(x1.view(N, 4, -1).permute(2, 0, 1) @ net.W)
    return h


def folded(product):
    """One product of all samples and frames."""

    def mix(net, x, A):
        return product(A, x.permute(2, 0, 1, 3).reshape(N, -1)).view(N, *x.shape[:2], -1).permute(1, 2, 0, 3)

    return mix


def scattered(net, x, A, **options):
    source, target = net.edge_index
    return torch.zeros_like(x).index_add(2, target, x[:, :, source] * A[source, target][:, None], **options)


def scatter_add(net, x, A):
    source, target = net.edge_index
    messages = x[:, :, source] * A[source, target][:, None]
    return torch.zeros_like(x).scatter_add_(2, target.view(1, 1, -1, 1).expand_as(messages), messages)


def written_over_messages(net, x):
    """Behind another product, so that messages have a gradient; they are written over when they were summed."""
    source, target = net.edge_index
    messages = (ROAD @ x)[:, :, source] * net.A[source, target][:, None]
    out = torch.zeros_like(x).index_add(2, target, messages)
    messages.mul_(3.0)
    return out


def written_over_weights(net, x):
    A = net.A * 2
    out = A @ x
    A.mul_(0.5).add_(1.0)
    return out


def written_over_signals(net, x):
    h = x * 2
    m = net.A @ h
    h += 1
    return m + h


def attention(net, x):
    e = (x @ net.q) @ (x @ net.k).transpose(-1, -2) / 3**0.5
    return e.masked_fill(ROAD == 0, MINUS).softmax(-1)


def gat(net, x):
    h = x @ net.W
    pairs = torch.cat([h.unsqueeze(3).expand(*h.shape[:3], N, 3), h.unsqueeze(2).expand(*h.shape[:3], N, 3)], -1)
    e = F.leaky_relu((pairs @ net.a).squeeze(-1), 0.2)
    return torch.where(ROAD != 0, e, torch.full_like(e, -9e15)).softmax(-1)


def normalised(net, x):
    A = (net.A != 0).double() + torch.eye(N).double()
    d = torch.diag(A.sum(1).pow(-0.5))
    return d @ A @ d


def baddbmm(net, x, A):
    y = x.reshape(-1, N, C)
    return torch.baddbmm(y, A.expand(len(y), N, N), y, beta=0.5, alpha=0.7).view(x.shape)


def space_time(net, x):
    z = x.flatten(1, 2)
    return (z @ z.transpose(-1, -2)).softmax(-1).unflatten(2, (-1, N)).unflatten(1, (-1, N))


def local_blocks(net, x, A):
    """STSGCN: three frames at a time, an edge between a node and itself in the next frame."""
    return (A @ x.flatten(1, 2)).unflatten(1, (3, N))[:, 1]
