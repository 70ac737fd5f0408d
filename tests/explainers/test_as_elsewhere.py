"""Calls as other packages take them, with what the model takes beside x: the error says where it belongs here."""

import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError

X = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
EDGES = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])


class Net(nn.Module):
    """A graph network that takes its edges beside the signals, ``[b, t, n]``."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, x, edge_index, weight=None):
        source, target = edge_index
        return self.head(torch.zeros_like(x).index_add(2, target, x[:, :, source]).mean(1))


CALLS = {
    "explain by name": lambda model: stx.explain(model, X, edge_index=EDGES, inputs="b t n"),
    "explain by place": lambda model: stx.explain(model, X, EDGES),
    "a wrapper": lambda model: stx.explain(model, X, edge_index=EDGES, method="GraphAblated"),
    "an explainer by name": lambda model: stx.InputGradient(model, inputs="b t n")(X, edge_index=EDGES),
    "an explainer by place": lambda model: stx.InputGradient(model)(X, None, None, None, None, None, None, None, EDGES),
    "edges": lambda model: stx.EdgeImportance(model, inputs="b t n")(X, edge_index=EDGES),
    "layers": lambda model: stx.layers(model, X, edge_index=EDGES, inputs="b t n"),
    "adjacencies": lambda model: stx.adjacencies(model, X, edge_index=EDGES, inputs="b t n"),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_the_model_takes_beside_x_goes_into_shared(name):
    with pytest.raises((InputError, TypeError), match="shared=") as raised:
        CALLS[name](Net())
    # Not the name of a method that nobody asked for.
    assert "STGGradCAM" not in str(raised.value)


def test_the_remedy_is_taken():
    e = stx.explain(Net(), X, shared={"edge_index": EDGES}, inputs="b t n")
    assert e.values.shape == (2, 1, 6, 5)


def test_other_unknown_options_are_named_as_before():
    with pytest.raises(InputError, match="has no option 'edge_indx'"):
        stx.explain(Net(), X, edge_indx=EDGES, inputs="b t n")


def test_nodes_of_several_kinds_are_explained_one_kind_at_a_time():
    data = pytest.importorskip("torch_geometric.data").HeteroData()
    data["sensor"].x, data["camera"].x = X[0].T, X[1].T
    with pytest.raises(InputError, match="x: got a HeteroData.* one kind is explained at a time"):
        stx.explain(Net(), data)


def test_the_remedy_for_several_kinds_works():
    class OfSensors(nn.Module):
        """The sensors' part of a model of two kinds of nodes."""

        def __init__(self, camera):
            super().__init__()
            self.model, self.camera = Kinds(), camera

        def forward(self, sensor):
            return self.model({"sensor": sensor, "camera": self.camera})

    e = stx.explain(OfSensors(torch.randn(4, 3)), X, inputs="b t n", method="InputGradient", target=0)
    assert e.values.shape == (2, 1, 6, 5)


class Kinds(nn.Module):
    """Of two kinds of nodes."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 2)

    def forward(self, x_dict):
        sensor, camera = x_dict["sensor"].mean(1), x_dict["camera"].mean(1)
        return self.head(torch.cat([sensor, camera[:3].expand(len(sensor), -1)], 1))
