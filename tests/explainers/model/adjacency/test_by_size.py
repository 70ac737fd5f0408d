"""Products that lead from nodes to as many other things: components of a basis, hyperedges, clusters, features."""

import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.model.adjacency.table import adjacencies

N, C = 6, 3
LAYOUT = "b t n c"


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def roads() -> torch.Tensor:
    """A line of nodes with other weights at each link, so that no two eigenvalues are one."""
    links = torch.diag(torch.arange(1.0, N), 1)
    return links + links.T


def basis() -> torch.Tensor:
    adjacency = roads()
    return torch.linalg.eigh(torch.diag(adjacency.sum(1)) - adjacency)[1]


class Net(nn.Module):
    """A classifier of one step, with weights of as many rows and columns as there are nodes."""

    def __init__(self, mix, weights=None, *, learned=False):
        super().__init__()
        self.mix = mix
        weights = numbers(N, N) if weights is None else weights
        if learned:
            self.W = nn.Parameter(weights)
        else:
            self.register_buffer("W", weights)
        self.register_buffer("road", roads() + torch.eye(N))
        self.register_buffer("other", numbers(N, N, seed=1).abs())
        self.register_buffer("width", numbers(C, N, seed=2))

    def forward(self, x):
        return self.mix(self, x).flatten(1).pow(2).mean(1)


def fourier(net, x):
    """Components of a graph Fourier basis, each with a gain of its own."""
    return net.W @ (torch.arange(1.0, N + 1)[:, None] * (net.W.T @ x))


def explained(net):
    return EdgeImportance(net, inputs=LAYOUT)(numbers(2, 5, N, C, seed=3), target=lambda scores: scores)


def test_a_graph_fourier_basis_has_no_edges_between_nodes():
    net = Net(fourier, basis())
    table = adjacencies(net, numbers(2, 5, N, C), inputs=LAYOUT)
    assert (table["edges"] == 0).all()
    assert table["why"].str.startswith("its columns are orthonormal").all()
    with pytest.raises(
        InputError, match="no operation of Net was found that mixes nodes.*W: its columns are orthonorm"
    ):
        explained(net)
    with pytest.raises(InputError, match="of: 'W' cannot be explained: its columns are orthonormal"):
        EdgeImportance(net, of="W", inputs=LAYOUT)(numbers(2, 5, N, C), target=lambda scores: scores)


def test_edges_beside_a_graph_fourier_basis_are_explained():
    e = explained(Net(lambda net, x: fourier(net, torch.tanh(net.road @ x)), basis()))
    assert set(e.block) == {"road"}
    assert e.notes[0].startswith("Not explained: W: its columns are orthonormal")


OPEN = {
    "as many hyperedges as nodes": (lambda net, x: net.W @ torch.tanh(net.W.T @ x), False, "W"),
    "features of pooled nodes": (lambda net, x: torch.tanh(torch.tanh(x @ net.width).mean((1, 2))) @ net.W, True, "W"),
    "a layer over all nodes": (lambda net, x: x.mean((1, 3)) @ net.W, True, "W"),
    "as many clusters as nodes": (
        lambda net, x: net.other @ torch.tanh(torch.softmax(x @ net.width, -1).mT @ x),
        False,
        "other",
    ),
}


@pytest.mark.parametrize("name", OPEN)
def test_what_speaks_for_nodes_by_their_number_alone_is_said(name):
    mix, learned, weights = OPEN[name]
    net = Net(mix, None if learned else numbers(N, N).abs(), learned=learned)
    (note,) = [note for note in explained(net).notes if note.startswith("Taken for nodes")]
    assert note.startswith(f"Taken for nodes by their number (6) alone: the ends of {weights}. ")


SILENT = {
    "twice over, by the same weights": lambda net, x: net.other @ torch.tanh(net.other @ x),
    "there and back, from nodes each time": lambda net, x: net.other @ x + net.other.T @ x,
    "a permutation": lambda net, x: net.W @ x,
    "computed twice": lambda net, x: torch.softmax(net.other, 0) @ torch.tanh(torch.softmax(net.other, 0) @ x),
}


@pytest.mark.parametrize("name", SILENT)
def test_nothing_is_said_where_the_weights_meet_nodes(name):
    e = explained(Net(SILENT[name], torch.eye(N).roll(1, 0)))
    assert not [note for note in e.notes if note.startswith("Taken for nodes")]
    assert len(e.source)
