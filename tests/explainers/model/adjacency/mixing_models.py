"""Small models that mix nodes, each in another way; the last layer weighs nodes and frames unlike each other."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

NODES, FRAMES = 5, 6


def road(seed: int = 0, nodes: int = NODES) -> Tensor:
    """A directed road of weights, most of them zero, which is not symmetric."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.rand(nodes, nodes, generator=generator) + 0.2
    return weight * (torch.rand(nodes, nodes, generator=generator) > 0.5) + 0.5 * torch.eye(nodes)


def pyg() -> Any:
    """The layers of PyTorch Geometric; the test is skipped where it is not installed."""
    with warnings.catch_warnings():
        # It scripts some of its own classes when it is imported, which torch advises against.
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch_geometric.nn")


class Mixes(nn.Module):
    """x ``[B, T, N, C]`` to one number per sample: mixes nodes, works frame by frame, and weighs what comes out."""

    def __init__(self, channels: int = 3):
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.before = nn.Linear(2, channels)
        self.register_buffer("weight", torch.randn(FRAMES, NODES, channels, generator=generator))
        for parameter in self.before.parameters():
            nn.init.normal_(parameter, 0.0, 0.5, generator=generator)

    def mix(self, x: Tensor) -> Tensor:
        """The part that differs."""
        raise NotImplementedError

    def forward(self, x: Tensor, **further: Tensor) -> Tensor:
        mixed = self.mix(self.before(x), **further)
        return (mixed * self.weight).sum((1, 2, 3))


class Einsum(Mixes):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("road", road())

    def mix(self, x: Tensor) -> Tensor:
        return torch.einsum("btuc,uv->btvc", x, self.road)


class Product(Mixes):
    """A x, of a plain attribute in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.supports = [road()]

    def mix(self, x: Tensor) -> Tensor:
        return self.supports[0].to(x.dtype).T @ x


class Linear(Mixes):
    """The nodes in the place of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.road = nn.Parameter(road())

    def mix(self, x: Tensor) -> Tensor:
        return F.linear(x.transpose(2, 3), self.road.T).transpose(2, 3)


class Pointwise(Mixes):
    """A convolution with a kernel of one position whose channels are nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = nn.Conv2d(NODES, NODES, 1, bias=False)
        self.nodes.weight = nn.Parameter(road().T[:, :, None, None].contiguous())

    def mix(self, x: Tensor) -> Tensor:
        return self.nodes(x.permute(0, 2, 1, 3)).permute(0, 2, 1, 3)


class Folded(Mixes):
    """One product of the whole batch, with samples, frames and channels on one axis, as DCRNN has."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("road", road())

    def mix(self, x: Tensor) -> Tensor:
        b, t, n, c = x.shape
        flat = torch.mm(self.road.T, x.permute(2, 3, 1, 0).reshape(n, -1))
        return flat.view(n, c, t, b).permute(3, 2, 0, 1)


class Sparse(Folded):
    """The same by a sparse product."""

    def mix(self, x: Tensor) -> Tensor:
        b, t, n, c = x.shape
        flat = torch.sparse.mm(self.road.T.to_sparse(), x.permute(2, 3, 1, 0).reshape(n, -1))
        return flat.view(n, c, t, b).permute(3, 2, 0, 1)


class Compressed(Folded):
    """The same by rows, and sample by sample."""

    def mix(self, x: Tensor) -> Tensor:
        rows = self.road.T.to_sparse_csr()
        return torch.stack([(rows @ one.permute(1, 0, 2).flatten(1)).view(NODES, FRAMES, -1) for one in x]).transpose(
            1, 2
        )


class Scattered(Mixes):
    """Gather and scatter, with one weight per edge."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("edge_index", road().nonzero().T.contiguous())

    def mix(self, x: Tensor) -> Tensor:
        source, target = self.edge_index
        messages = x.index_select(2, source) * road().to(x)[source, target][:, None]
        return torch.zeros_like(x).index_add_(2, target, messages)


class Attention(Mixes):
    """Weights that are computed of the signals, for every sample and frame."""

    def mix(self, x: Tensor) -> Tensor:
        return (torch.tanh(x) @ x.transpose(-1, -2)).softmax(-1) @ x


class Heads(Mixes):
    """Several heads by torch's own attention; each has half of the channels."""

    def __init__(self) -> None:
        super().__init__(channels=4)
        torch.manual_seed(2)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def mix(self, x: Tensor) -> Tensor:
        folded = x.flatten(0, 1)
        return self.attention(folded, folded, folded, need_weights=False)[0].view_as(x)


class Relations(Mixes):
    """Stacked relations, with channels of their own for each, as in ST-GCN."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("roads", torch.stack([road(1), road(2)]))
        self.wide = nn.Linear(3, 6)

    def mix(self, x: Tensor) -> Tensor:
        return torch.einsum("btukc,kuv->btvc", self.wide(x).unflatten(-1, (2, 3)), self.roads)


class Stacked(Mixes):
    """Relations one below the other, ``[K N, N]``, in one product."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("roads", torch.cat([road(1).T, road(2).T]))

    def mix(self, x: Tensor) -> Tensor:
        both = torch.einsum("vu,btuc->btvc", self.roads, x).unflatten(2, (2, NODES))
        return both[:, :, 0] - 2 * both[:, :, 1]


class FrameByFrame(Mixes):
    """One product at each frame, in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("road", road())

    def mix(self, x: Tensor) -> Tensor:
        return torch.stack([self.road.T @ x[:, frame] for frame in range(FRAMES)], 1)


class Remembers(Mixes):
    """A recurrent model: h[t] = h[t - 1] B / 2 + x[t] A, of which only the last state counts; both in one call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("road", road())

    def mix(self, x: Tensor) -> Tensor:
        hidden = torch.zeros_like(x[:, 0])
        for frame in range(FRAMES):
            mixed = self.road.T @ torch.cat([x[:, frame], hidden], -1)
            hidden = mixed[..., :3] + mixed[..., 3:] / 2
        return hidden[:, None] * (torch.arange(FRAMES) == 0).to(x)[:, None, None]


class MessagePassing(Mixes):
    """A layer of PyTorch Geometric, whose degrees and self loops are its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = pyg().GCNConv(3, 3, bias=False)

    def mix(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        return self.layer(x, edge_index, edge_weight)


class GraphAttention(Mixes):
    """Attention over incoming edges by PyTorch Geometric, of all samples and frames as one large graph."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = pyg().GATConv(3, 3, add_self_loops=False, bias=False)

    def mix(self, x: Tensor, edge_index: Tensor) -> Tensor:
        copies = x.shape[0] * x.shape[1]
        whole = torch.cat([edge_index + NODES * copy for copy in range(copies)], 1)
        return self.layer(x.reshape(-1, x.shape[-1]), whole).view_as(x)


class ByDGL(Mixes):
    """Messages by DGL, nodes first."""

    def __init__(self, reduce: str = "sum") -> None:
        super().__init__()
        from stexplain.backend.dgl import import_dgl

        self.dgl, self.reduce = import_dgl(), reduce
        source, target = road().nonzero().T
        self.graph = self.dgl.graph((source, target), num_nodes=NODES)
        self.register_buffer("along", road()[source, target])

    def mix(self, x: Tensor) -> Tensor:
        function = self.dgl.function
        with self.graph.local_scope():
            self.graph.ndata["h"] = x.permute(2, 0, 1, 3)
            self.graph.edata["w"] = self.along[:, None, None, None].to(x)
            self.graph.update_all(function.u_mul_e("h", "w", "m"), getattr(function, self.reduce)("m", "h"))
            return self.graph.ndata["h"].permute(1, 2, 0, 3)


class Entrywise(Mixes):
    """A product entry by entry, and a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("road", road())

    def mix(self, x: Tensor) -> Tensor:
        return (self.road.T[:, :, None] * x[:, :, None]).sum(3)


class Expanded(Mixes):
    """One adjacency for all samples and frames, expanded to a batch of them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("road", road())

    def mix(self, x: Tensor) -> Tensor:
        folded = x.flatten(0, 1)
        return torch.bmm(self.road.T.expand(len(folded), -1, -1), folded).view_as(x)


class RoadsOverTime(Mixes):
    """Another adjacency at each frame, from a list."""

    def __init__(self) -> None:
        super().__init__()
        self.supports = [road(seed) for seed in range(FRAMES)]

    def mix(self, x: Tensor) -> Tensor:
        return torch.stack([self.supports[frame].T.to(x) @ x[:, frame] for frame in range(FRAMES)], 1)


class EdgesOverTime(Mixes):
    """Another list of edges at each frame."""

    def mix(self, x: Tensor, edges: list[Tensor]) -> Tensor:
        mixed = []
        for frame, (source, target) in enumerate(edges):
            mixed.append(torch.zeros_like(x[:, frame]).index_add(1, target, x[:, frame, source]))
        return torch.stack(mixed, 1)


class InTurn(Mixes):
    """Two roads one after the other, at one place of the code; the second as often as the signals are large."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("first", road())
        self.register_buffer("second", road(1))

    def mix(self, x: Tensor) -> Tensor:
        for matrix in [self.first, self.second, *[self.second] * bool(x.abs().max() > 1000)]:
            x = torch.einsum("btuc,uv->btvc", x, matrix)
        return x
