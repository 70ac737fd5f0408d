"""Charts take what the explainer took, and say what they want where they get something else."""

from inspect import signature

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain import viz
from stexplain.errors import InputError
from stexplain.explainers.edge_explanation import EdgeExplanation

GRAPH = stx.STGraph.skeleton("coco-17")
MODEL = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
X = torch.randn(3, 2, 8, 17, generator=torch.Generator().manual_seed(0))  # b c t n


class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = MODEL

    def forward(self, x):
        return self.body(x.unflatten(2, (2, 17)).permute(0, 2, 1, 3, 4).flatten(0, 1)).unflatten(0, (-1, 2)).mean(1)


@pytest.fixture(scope="module")
def e():
    return stx.InputGradient(MODEL, inputs="b c t n", graph=GRAPH)(X)


@pytest.mark.parametrize("as_given", [torch.Tensor.clone, torch.Tensor.numpy])
def test_a_skeleton_takes_what_the_explainer_took(e, as_given):
    own = X.permute(0, 2, 3, 1)[:, None].numpy()  # b m t n c
    expected = viz.skeleton(e, x=own, sample=1).to_dict()
    assert viz.skeleton(e, x=as_given(X), sample=1).to_dict()["datasets"] == expected["datasets"]
    assert viz.skeleton(e, x=own[1], sample=1).to_dict()["datasets"] == expected["datasets"]


def test_instances_may_be_folded_into_another_axis():
    x = torch.randn(3, 2, 2 * 8, 17)  # b c (m t) n
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    e = stx.InputGradient(model, inputs="b c (m t) n", graph=GRAPH)(x, valid=torch.ones(3, 2, 8, dtype=torch.bool))
    own = x.unflatten(2, (2, 8)).permute(0, 2, 3, 4, 1).numpy()
    assert viz.skeleton(e, x=x).to_dict()["datasets"] == viz.skeleton(e, x=own).to_dict()["datasets"]


def test_what_fits_no_layout_is_refused(e):
    with pytest.raises(InputError, match="x: got 9 frames; expected 8"):
        viz.skeleton(e, x=np.zeros((3, 1, 9, 17, 2)))


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda e: viz.importance_map(e), "psi: got an Explanation; expected a DataFrame, from ClassImportance"),
        (lambda e: viz.timeline(e.nodes()), "e: got a DataFrame; expected an Explanation, from an explainer"),
        (lambda e: viz.skeleton(e.values), "e: got an ndarray; expected an Explanation"),
        (lambda e: viz.lag_map(X), "e: got a Tensor; expected an Explanation"),
        (lambda e: viz.road_network(3), "e: got an int; expected an Explanation"),
        (
            lambda e: viz.edge_network(e, GRAPH),
            "e: got an Explanation; expected an EdgeExplanation, from EdgeImportance",
        ),
        (lambda e: viz.edge_timeline(e), "Skeleton, timeline, road_network and lag_map draw an Explanation"),
        (lambda e: viz.comparison(e), "table: got an Explanation; expected a DataFrame"),
        (lambda e: viz.deletion([1.0]), "table: got a list; expected a DataFrame"),
    ],
)
def test_another_kind_is_refused_in_a_sentence(e, draw, words):
    with pytest.raises(InputError, match=words):
        draw(e)


@pytest.mark.parametrize("name", viz.__all__)
def test_no_chart_ends_in_an_error_of_python(name):
    """Whatever is given first, the message is one of this package."""
    draw = getattr(viz, name)
    needed = [one for one in signature(draw).parameters.values() if one.default is one.empty]
    for given in (3, "e", None, [pd.DataFrame({"a": [1.0]})], {"a": 1}):
        with pytest.raises(InputError):
            draw(*[given] * len(needed))


# Of each chart, what it counts; the name of every parameter that is a count must be here.
COUNTS = {
    "skeleton": ["labels", "trails", "width", "height"],
    "timeline": ["bins"],
    "lag_map": ["nodes"],
    "road_network": ["labels", "width", "height"],
    "edge_network": ["edges", "width", "height"],
    "edge_timeline": ["edges"],
    "importance_map": ["cell"],
    "confusion": ["cell"],
    "class_bodies": ["columns", "width", "height"],
    "draw_skeleton": ["labels"],
}


@pytest.mark.parametrize(("name", "count"), [(name, count) for name, counts in COUNTS.items() for count in counts])
def test_a_negative_count_is_refused(e, name, count):
    """As the end of a slice it would draw all but so many, without a word."""
    edges = EdgeExplanation(np.array([[1.0, -3.0]]), GRAPH.nodes[:2], GRAPH.nodes[1:3], ("0", "0"), ("1", "1"))
    psi = pd.DataFrame(np.arange(34.0).reshape(2, 17), ["wave", "kick"], GRAPH.nodes)
    chain = stx.STGraph.from_edges(
        [str(node) for node in range(50)], [(str(node), str(node + 1)) for node in range(49)]
    )
    one = stx.Random(graph=chain, inputs="b t n")(torch.zeros(1, 4, 50))
    first = {
        "skeleton": (e,),
        "draw_skeleton": (e, matplotlib.figure.Figure().add_subplot()),
        "edge_network": (edges, GRAPH),
        "edge_timeline": (edges,),
        "importance_map": (psi,),
        "class_bodies": (psi, GRAPH),
        "confusion": (np.eye(2), ["a", "b"]),
    }
    given = {"x": X} if "skeleton" in name else {}
    with pytest.raises(InputError, match=rf"{count}\b.*got .*-1.*; expected at least [01]"):
        getattr(viz, name)(*first.get(name, (one,)), **given, **{count: -1})


def test_a_confusion_of_cells_without_a_size_is_refused():
    with pytest.raises(InputError, match="cell: got 0; expected at least 1"):
        viz.confusion(np.eye(2), ["a", "b"], cell=0)


def test_nothing_may_be_named(e):
    assert viz.skeleton(e, x=X, labels=0, trails=0)
