"""What a model says of itself is taken where the caller says nothing: layout, graph, names of classes and channels."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.targets import Class
from stexplain.graph import STGraph
from tests.explainers.small_models import signals

GRAPH, OTHER = (
    STGraph.from_edges(list(names), [(names[0], names[1]), (names[1], names[2])]) for names in ("abc", "xyz")
)
X = signals(2, 4, 2, 3)  # b t c n


class Says(nn.Module):
    def __init__(self):
        super().__init__()
        self.inputs, self.graph = "b t c n", GRAPH
        self.class_names, self.channel_names = ["left", "right"], ("speed", "flow")

    def forward(self, x):
        return (x * torch.arange(6.0).view(2, 3)).sum(3).mean(1)


@pytest.mark.parametrize("method", [InputGradient, Occlusion])
def test_taken_from_the_model(method):
    e = method(Says())(X, target="right")
    assert e.node_names == ("a", "b", "c")
    # Occlusion tells nothing of single channels.
    assert e.channel_names == (("speed", "flow") if method is InputGradient else ())
    assert e.values.shape == (2, 1, 4, 3)
    np.testing.assert_allclose(e.score, Says()(X)[:, 1], rtol=1e-6)
    plain = method(Says(), inputs="b t c n")(X, target=Class(1))
    np.testing.assert_array_equal(e.values, plain.values)


@pytest.mark.parametrize("method", [InputGradient, Occlusion])
def test_what_the_caller_says_comes_first(method):
    e = method(Says(), graph=OTHER, classes=["up", "down"], channel_names=["east", "north"])(X, target="down")
    assert e.node_names == ("x", "y", "z")
    assert e.channel_names == (("east", "north") if method is InputGradient else ())
    with pytest.raises(InputError, match="right"):
        method(Says(), classes=["up", "down"])(X, target="right")
    # Another layout: nodes in the place of channels do not fit the graph.
    with pytest.raises(InputError, match="got 2 for n; expected 3"):
        method(Says(), inputs="b t n c")(X, target=Class(1))
    # No names of classes at all.
    with pytest.raises(InputError, match="right"):
        method(Says(), classes=[])(X, target="right")


def test_attributes_of_another_type_say_nothing():
    model = Says()
    model.graph, model.class_names, model.channel_names = nn.Identity(), "left", {"speed": 0}
    e = InputGradient(model)(X, target=Class(1))
    assert e.node_names == ("0", "1", "2")
    assert e.channel_names == ("0", "1")


def test_a_caller_of_the_same_model_is_told_by_its_options():
    caller = ModelCaller(Says(), output=None, chunk=2)
    assert caller.options == {
        "inputs": "b t c n",
        "graph": GRAPH,
        "classes": ("left", "right"),
        "argument": None,
        "signals": None,
        "channel_names": None,
        "output": None,
        "chunk": 2,
    }
    again = ModelCaller(Says(), **caller.options)
    assert again.options == caller.options
    info = caller.output_info
    assert (info.classes, info.nodes, info.layout) == (("left", "right"), ("a", "b", "c"), None)
    bare = ModelCaller(nn.Identity())
    assert bare.options["inputs"] is None
    assert bare.output_info.nodes == ()


@pytest.mark.parametrize("graph", ["roads", {"a": ["b"]}, np.eye(3)])
def test_a_graph_of_another_kind_is_refused(graph):
    with pytest.raises(InputError, match="graph: got an? .*; expected an STGraph"):
        InputGradient(Says(), graph=graph)


@pytest.mark.parametrize("chunk", [0, -1])
def test_no_samples_at_a_time_are_refused(chunk):
    with pytest.raises(InputError, match="chunk: got .*; expected at least one sample"):
        ModelCaller(Says(), chunk=chunk)


def test_a_method_that_calls_no_model_takes_the_same_names():
    e = Motion(Says())(X)
    assert e.node_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("names", "words"), [(["a"], "channel_names: got 1.*; expected 2"), (["a", "b", "c"], "got 3.*; expected 2")]
)
def test_a_name_for_each_channel(names, words):
    with pytest.raises(InputError, match=words):
        InputGradient(Says(), channel_names=names)(X, target=Class(1))


@pytest.mark.parametrize(
    ("valid", "words"),
    [
        (torch.ones(2, 4), "valid: got type float32; expected bool"),
        (torch.ones(2, 2, 4, dtype=torch.bool), "valid"),
        (torch.ones(2, 5, dtype=torch.bool), "valid"),
        (torch.ones(3, 1, 4, dtype=torch.bool), "valid"),
    ],
)
def test_a_mask_of_another_shape_or_type(valid, words):
    with pytest.raises(InputError, match=words):
        InputGradient(Says())(X, target=Class(1), valid=valid)


def test_a_mask_without_persons_is_of_the_only_one():
    mask = torch.tensor([[True, True, True, False]] * 2)
    short, long = (InputGradient(Says())(X, target=Class(1), valid=each) for each in (mask, mask[:, None]))
    np.testing.assert_array_equal(short.values, long.values)
    assert not short.values[:, :, 3].any()
