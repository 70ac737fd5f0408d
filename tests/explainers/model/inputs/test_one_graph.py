"""Models of one graph, without an axis of samples: what is asked, and what follows by itself."""

import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError
from stexplain.explainers.model.inputs.layout import fits_graph

EDGES = torch.tensor([[0, 1, 2], [1, 2, 3]])


class Nodes(nn.Module):
    """Classes of every node ``[N, classes]``."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(10, 3)

    def forward(self, x, edge_index):
        x = x.index_add(0, edge_index[1], x[edge_index[0]])
        return self.out(x.flatten(1))


def test_the_layout_of_one_graph_is_named_first():
    with pytest.raises(InputError, match=r"Give it, such as inputs='n t c' or inputs='t n c' or inputs='b t n'"):
        stx.explain(Nodes(), torch.randn(4, 5, 2), shared={"edge_index": EDGES}, target=stx.NodeClass(1))


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (EDGES, True),
        (EDGES[:, :2], False),
        (EDGES.float(), False),
        (EDGES.T, False),
        (EDGES[:, :0], False),
        (EDGES > 0, False),
        (None, False),
    ],
)
def test_which_arguments_are_a_graph_of_these_nodes(value, fits):
    assert fits_graph(torch.zeros(4, 5, 2), {"g": value}) is fits


def test_a_class_of_a_node_needs_no_layout_of_one_graph():
    torch.manual_seed(0)
    model, x = Nodes(), torch.randn(4, 5, 2)
    call = {"inputs": "n t c", "shared": {"edge_index": EDGES}, "method": "InputGradient"}
    found = stx.explain(model, x, target=stx.NodeClass(1, 2), **call)
    said = stx.explain(model, x, target=stx.NodeClass(1, 2, layout="n c"), **call)
    assert (found.values == said.values).all()
    assert found.values.any()
    by_itself = stx.explain(model, x, target=stx.NodeClass(1), **call)
    assert int(by_itself.targets[0]) == int(model(x, EDGES)[1].argmax())
