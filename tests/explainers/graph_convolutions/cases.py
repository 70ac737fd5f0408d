"""The graph convolutions that are compared, by name; see `written`."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.explainers.graph_convolutions import written as w
from tests.explainers.graph_convolutions.written import (
    EDGES,
    ROAD,
    SOURCE,
    TARGET,
    Case,
    N,
    numbers,
    parameters,
    road,
    stack,
)

HOPS = [torch.eye(N).double(), ROAD, 2 * ROAD @ ROAD - torch.eye(N).double()]
STEPS = [ROAD.abs() / ROAD.abs().sum(1, keepdim=True), ROAD.T.abs() / ROAD.T.abs().sum(1, keepdim=True)]
WAVE = {"supports": STEPS, **parameters(E1=(N, 3), E2=(3, N), W=(3, 14, 1, 1))}
SCATTER = {"A": nn.Parameter(ROAD.clone()), "edge_index": EDGES}
GAT = {"A": ROAD, **parameters(W=(2, 3), a=(6, 1))}
BATCH = torch.stack([road(seed=1), road(seed=2)])
LOCAL = torch.kron(torch.eye(3).double(), ROAD) + torch.kron(torch.ones(3, 3).double(), torch.eye(N).double())
TS = {"ends": "t s"}

CASES = {
    "ST-GCN, A * importance": Case(
        w.st_gcn,
        "k s t",
        lambda net, x: net.A * net.M,
        inputs="b c t n",
        held={"A": road(3), "conv": nn.Conv2d(2, 9, 1).double(), **parameters(M=(3, N, N))},
    ),
    "x @ A": Case(lambda net, x, A: x @ A, inputs="b c t n"),
    "A @ x": Case(lambda net, x, A: A @ x, **TS),
    "matmul, A broadcast": Case(
        lambda net, x, A: torch.matmul(A[None, None], x.permute(0, 2, 3, 1)), inputs="b c t n", **TS
    ),
    "A.t()": Case(lambda net, x, A: torch.matmul(A.t(), x)),
    "partitions in a loop": Case(
        w.partitions, "k s t", held={"A": stack(), **parameters(W=(3, 4, 2, 1, 1))}, inputs="b c t n"
    ),
    "2s-AGCN": Case(
        w.two_stream,
        "b k s t",
        w.adaptive,
        inputs="b c t n",
        summed=True,
        held={"A": road(3), **parameters(PA=(3, N, N), theta=(3, 3, 2, 1, 1), phi=(3, 3, 2, 1, 1), W=(3, 4, 2, 1, 1))},
    ),
    "CTR-GCN, by channel": Case(
        lambda net, x, A: torch.einsum("ncuv,nctv->nctu", A, F.conv2d(x, net.v)),
        "b c t s",
        w.ctr,
        inputs="b c t n",
        held={"A": nn.Parameter(ROAD.clone()), **parameters(q=(3, 2, 1, 1), k=(3, 2, 1, 1), v=(3, 2, 1, 1))},
    ),
    "decoupled channels": Case(
        lambda net, x, A: torch.einsum("nctv,cvw->nctw", F.conv2d(x, net.W), A.repeat(2, 1, 1)),
        "k s t",
        summed=True,
        held={"A": stack(), **parameters(W=(6, 2, 1, 1))},
        inputs="b c t n",
    ),
    "MS-G3D, hops as rows": Case(w.ms_g3d, "k t s", held={"A": stack()}, inputs="b c t n"),
    "heads": Case(
        lambda net, x, A: torch.einsum("hvu,btuc,hcd->btvhd", A, x, net.W).flatten(3),
        "k t s",
        held={"A": nn.Parameter(road(2)), **parameters(W=(2, 2, 3))},
    ),
    "relations as a batch": Case(
        lambda net, x, A: (A[:, None, None] @ x @ net.W[:, None, None]).sum(0),
        "k t s",
        held={"A": stack(), **parameters(W=(3, 2, 3))},
    ),
    "Chebyshev polynomials": Case(
        w.chebyshev,
        "k s t",
        lambda net, x: torch.stack(net.T),
        lambda net, x: w.chebyshev(net, x, net.T),
        held={"T": HOPS, **parameters(Theta=(3, 2, 3))},
        inputs="b n c t",
        linear=False,
    ),
    "Chebyshev recursion": Case(w.recursion, linear=False, summed=True, **TS),
    "Graph WaveNet": Case(
        w.wavenet,
        "k s t",
        lambda net, x: torch.stack(w.wavenet_supports(net, x)),
        held=WAVE,
        linear=False,
        summed=True,
        run=lambda net, x: w.wavenet(net, x, w.wavenet_supports(net, x)),
    ),
    "DCRNN, step by step": Case(
        w.diffusion, held={"A": nn.Parameter(ROAD.clone()), **parameters(W=(4, 2))}, linear=False, **TS
    ),
    "AGCRN": Case(
        lambda net, x, A: torch.einsum("nm,btmc,nd,dco->btno", A, x, net.E, net.W),
        weights=lambda net, x: F.softmax(F.relu(torch.mm(net.E, net.E.T)), dim=1),
        held=parameters(E=(N, 3), W=(3, 2, 4)),
        **TS,
    ),
    "sparse COO": Case(w.folded(lambda A, x: A.to_sparse() @ x), **TS),
    "sparse CSR": Case(w.folded(lambda A, x: A.to_sparse_csr() @ x), **TS),
    "index_add": Case(w.scattered, held=SCATTER),
    "index_add, alpha": Case(lambda net, x, A: w.scattered(net, x, A, alpha=0.5), held=SCATTER),
    "scatter_add": Case(w.scatter_add, held=SCATTER),
    "attention masked by A": Case(lambda net, x, A: A @ x, "b f t s", w.attention, held=parameters(q=(2, 3), k=(2, 3))),
    "scaled_dot_product_attention": Case(
        lambda net, x, A: A @ x,
        "b f t s",
        w.attention,
        held=parameters(q=(2, 3), k=(2, 3)),
        run=lambda net, x: F.scaled_dot_product_attention(x @ net.q, x @ net.k, x, attn_mask=ROAD != 0),
    ),
    "GAT by hand": Case(lambda net, x, A: F.elu(A @ (x @ net.W)), "b f t s", w.gat, held=GAT, linear=False),
    "attention over nodes and frames": Case(
        lambda net, x, A: torch.einsum("bftgs,bgsc->bftc", A, x),
        "b f t g s",
        w.space_time,
        held={},
        summed=True,
        run=lambda net, x: ((z := x.flatten(1, 2)) @ z.transpose(-1, -2)).softmax(-1) @ z,
    ),
    "three frames in one matrix": Case(
        lambda net, x, A: w.local_blocks(net, x, A.reshape(3 * N, 3 * N)),
        "g t f s",
        lambda net, x: net.A.view(3, N, 3, N),
        lambda net, x: w.local_blocks(net, x, net.A),
        held={"A": nn.Parameter(LOCAL)},
        summed=True,
    ),
    "kron in nn.Linear": Case(
        lambda net, x, A: torch.einsum("btsc,sv,cd->btvd", x, A, net.W),
        summed=True,
        weights=lambda net, x: ROAD,
        held={"W": numbers(2, 3), "l": nn.Linear(2 * N, 3 * N, bias=False).double()},
        run=lambda net, x: F.linear(x.flatten(2), torch.kron(ROAD, net.W).T).unflatten(2, (N, 3)),
    ),
    "D^-1/2 (A + I) D^-1/2 inside": Case(lambda net, x, A: A @ x, weights=w.normalised, **TS),
    "D A D x": Case(
        lambda net, x, A: net.d @ (A @ (net.d @ x)),
        only="A",
        held={"A": ROAD, "d": torch.diag(ROAD.abs().sum(1))},
        **TS,
    ),
    "D x - A x": Case(
        lambda net, x, A: ROAD.sum(1)[:, None] * x + A @ x,
        weights=lambda net, x: -net.A,
        run=lambda net, x: net.A.sum(1)[:, None] * x - net.A @ x,
        **TS,
    ),
    "A of each sample": Case(
        lambda net, x, A: torch.einsum("bvu,btuc->btvc", A, x),
        "b t s",
        lambda net, x, adj=None: BATCH,
        held={},
        arguments={"per_sample": {"adj": BATCH}},
    ),
    "A as an argument": Case(
        lambda net, x, A: A @ x,
        weights=lambda net, x, adj=ROAD: adj,
        held={},
        arguments={"shared": {"adj": ROAD}},
        **TS,
    ),
    "A scaled in place": Case(
        lambda net, x, A: A @ x, weights=lambda net, x: net.A.detach().clone().mul_(0.5).add_(0.1), **TS
    ),
    "weights written over": Case(
        lambda net, x, A: A @ x, weights=lambda net, x: 2 * net.A, run=w.written_over_weights, **TS
    ),
    "signals written over": Case(lambda net, x, A: A @ (2 * x) + 2 * x + 1, run=w.written_over_signals, **TS),
    "messages written over": Case(
        lambda net, x, A: w.scattered(net, ROAD @ x, A), held=SCATTER, run=w.written_over_messages, only="edge_index"
    ),
    "permuted": Case(lambda net, x, A: torch.einsum("ctnb,nm->bmct", x, A), inputs="c t n b"),
    "bmm of all frames": Case(
        lambda net, x, A: torch.bmm(A.repeat(len(x) * x.shape[1], 1, 1), x.flatten(0, 1)).view_as(x), **TS
    ),
    "baddbmm": Case(w.baddbmm, **TS),
    "addmm": Case(lambda net, x, A: torch.addmm(numbers(N), x.reshape(-1, N), A, alpha=2).view_as(x), inputs="b c t n"),
    "F.linear": Case(lambda net, x, A: F.linear(x, A, numbers(N)), inputs="b c t n", **TS),
    "tensordot": Case(lambda net, x, A: torch.tensordot(x, A, dims=([2], [0])).transpose(2, 3)),
    "conv1d over nodes": Case(lambda net, x, A: F.conv1d(x.flatten(0, 1), A[..., None]).view_as(x), **TS),
    "entry by entry": Case(lambda net, x, A: (x[:, :, :, None] * A[..., None]).sum(2)),
    "block diagonal": Case(
        lambda net, x, A: (torch.block_diag(*[A] * len(x)) @ x.transpose(1, 2).reshape(len(x) * N, -1)).view(
            len(x), N, -1
        ),
        **TS,
    ),
    "three times, bent": Case(
        lambda net, x, A: torch.tanh(A @ torch.tanh(A @ torch.tanh(A @ x))), linear=False, summed=True, **TS
    ),
}

NEAR = torch.stack([torch.arange(N), torch.arange(N).roll(1), torch.arange(N).roll(2)], 1)
BESIDE = "values pass between nodes here"
REFUSED = {
    "neighbours by a table": (lambda net, x: x[:, :, NEAR].mean(3), BESIDE),
    "neighbours by lists": (lambda net, x: torch.stack([x[:, :, near].mean(2) for near in NEAR.tolist()], 2), BESIDE),
    "row by row": (lambda net, x: torch.stack([torch.einsum("u,btuc->btc", row, x) for row in ROAD], 2), BESIDE),
    "vmap": (lambda net, x: torch.vmap(torch.vmap(lambda one: ROAD @ one))(x), BESIDE),
    "padded nodes": (lambda net, x: (F.pad(ROAD, (0, 3, 0, 3)) @ F.pad(x, (0, 0, 0, 3)))[:, :, :N], BESIDE),
    "the largest of neighbours": (
        lambda net, x: torch.zeros_like(x).index_reduce(2, TARGET, x[:, :, SOURCE], "amax"),
        "the amax of messages is no sum of them",
    ),
    "functions of pairs": (
        lambda net, x: (ROAD[..., None] * torch.tanh(x[:, :, :, None] - x[:, :, None])).sum(2),
        BESIDE,
    ),
}
