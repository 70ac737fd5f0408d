"""Names that people know from other packages: the message says where it is here."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.checking import elsewhere
from stexplain.errors import InputError

GRAPH = stx.STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])
E = stx.Explanation(np.zeros((1, 1, 2, 3)), np.ones((1, 1, 2), bool), GRAPH.nodes)
MODEL = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("IG", "Here it is 'IntegratedGradients'"),
        ("Saliency", "Here it is 'InputGradient'"),
        ("GradCAM", "Here it is 'STGGradCAM'"),
        ("SHAP", "'GradientSHAP' or 'ShapleyValueSampling'"),
        ("GNNExplainer", "LearnedMask"),
        ("plot", "e.plot()"),
        ("load", "load_skeletons, load_sensors"),
        ("evaluate", "There is stexplain.training.evaluate"),
        ("contrastivity", "There is stexplain.metrics.contrastivity"),
        ("from_networkx", "There is stexplain.STGraph.from_networkx"),
        ("explian", "Did you mean 'explain'?"),
        ("zzz", "dir(stexplain) lists"),
    ],
)
def test_a_name_at_the_top(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(stx, name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("one", "name", "words"),
    [
        (GRAPH, "adjacency", "an STGraph has no 'adjacency': to_scipy() gives it"),
        (GRAPH, "edge_index", "to_pyg() gives"),
        (GRAPH, "to_networx", "Did you mean 'to_networkx'?"),
        (E, "heatmap", "an Explanation has no 'heatmap': plot() draws it"),
        (E, "node_mask", "values are it"),
        (E, "node", "Did you mean 'nodes'?"),
        (E, "zzzz", "an Explanation has no 'zzzz'."),
        (stx.InputGradient(MODEL, inputs="b t n"), "attribute", "explainer(x, target=1)"),
        (stx.metrics.interval(np.arange(5.0)), "zzzz", "has no"),
    ],
)
def test_an_attribute(one, name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(one, name)
    assert words in str(caught.value)
    assert not hasattr(one, "_anything")


def test_what_is_said_exists():
    """Every name of a remedy is one: of what is called, and of what is in the package."""
    for words in elsewhere.OF_GRAPHS.values():
        name = words.split("(")[0].split(" ")[0]
        assert name in ("len", "stx.viz.network", "scipy.sparse.csgraph.laplacian") or hasattr(GRAPH, name), words
    for words in elsewhere.OF_EXPLANATIONS.values():
        name = words.split("(")[0].split(" ")[0].split(".")[0]
        assert name == "stx" or hasattr(E, name), words
    for words in elsewhere.METHODS.values():
        assert [name for name in words.split("'")[1::2] if not hasattr(stx, name)] == []


def test_a_property_that_fails_says_its_own_error():
    class Odd(stx.Explanation):
        @property
        def broken(self):
            return self.values.no_such_thing

    with pytest.raises(AttributeError, match="no_such_thing"):
        getattr(Odd(np.zeros((1, 1, 2, 3)), np.ones((1, 1, 2), bool)), "broken")  # noqa: B009 - what is tested


def test_copies_and_pickles_are_as_before():
    assert pickle.loads(pickle.dumps(GRAPH)) == GRAPH == copy.deepcopy(GRAPH)
    assert pickle.loads(pickle.dumps(E)).node_names == E.node_names == copy.copy(E).node_names


@pytest.mark.parametrize(
    ("method", "words"),
    [("Saliency", "Here it is 'InputGradient'"), ("integrated_gradients", "Did you mean 'IntegratedGradients'?")],
)
def test_a_method(method, words):
    with pytest.raises(InputError) as caught:
        stx.explain(MODEL, torch.randn(2, 4, 3), inputs="b t n", method=method)
    assert words in str(caught.value)
