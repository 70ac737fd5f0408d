"""What samples of a dataset say of themselves reaches the explanation: graph, classes, units of time."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.data import Batch, Clips, WindowedSeries
from stexplain.errors import InputError
from stexplain.explainers.by_name import of_class
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from tests.explainers.every_explainer import EXPLAINERS
from tests.viz.drawing import words

GRAPH = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")], positions=np.eye(3, 2))


class Pooled(nn.Module):
    """The means of channel 0 over frames, of the first two nodes: two logits, which say nothing of names."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0].mean(1)[:, :2] + 0 * x.sum()


class OverGraph(nn.Module):
    """A step over a graph, which can be taken away."""

    def __init__(self):
        super().__init__()
        self.register_buffer("adjacency", torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.adjacency


@pytest.fixture
def clips() -> Clips:
    x = np.random.default_rng(0).normal(size=(4, 1, 8, 3, 2)).astype(np.float32)
    return Clips.from_arrays(x, [0, 1, 0, 1], graph=GRAPH, classes=["control", "patient"])


def test_a_model_that_knows_no_names_gets_those_of_the_samples(clips):
    e = stx.explain(Pooled(), clips.batch([0, 1]), inputs="b c t n", target="patient", method="InputGradient")
    assert e.target == "class 'patient'"
    assert e.targets.tolist() == [1, 1]
    assert e.node_names == ("hip", "knee", "foot")
    assert e.graph is GRAPH
    # The gradient of logit 1 is 1/8 at each frame of node 1.
    np.testing.assert_allclose(e.channels[0, 0, :, 1, 0], 1 / 8)
    one = stx.explain(Pooled(), clips[1], inputs="b c t n", target="patient", method="InputGradient")
    np.testing.assert_array_equal(one.values[0], e.values[1])
    assert one.node_names == e.node_names


def test_what_is_given_and_what_the_model_says_come_first(clips):
    batch = clips.batch([0])
    named = {"inputs": "b c t n", "method": "InputGradient"}
    e = stx.explain(Pooled(), batch, target="ill", classes=["well", "ill"], graph=GRAPH.permute([0, 1, 2]), **named)
    assert e.classes == ("well", "ill")
    model = Pooled()
    model.class_names = ["young", "old"]
    assert stx.explain(model, batch, target="old", **named).classes == ("young", "old")


@pytest.mark.parametrize("method", ["InputGradient", "Occlusion", "STGGradCAM", None])
@pytest.mark.parametrize("given", [True, False])
def test_samples_and_model_that_number_their_nodes_otherwise_are_refused(clips, method, given):
    """The names of the map, and of a target at a node, would be those of other nodes."""
    model, turned = Pooled(), GRAPH.permute([2, 1, 0])
    options = {"inputs": "b c t n", "method": method, "target": 0}
    if given:
        options["graph"] = turned
    else:
        model.graph = turned
    with pytest.raises(InputError, match="node 'hip' as number 2 of the model's graph and as number 0 of the samples'"):
        stx.explain(model, clips.batch([0, 1]), **options)
    # Names of another kind say nothing of the order.
    model.graph = STGraph.from_edges(list("xyz"), [("x", "y"), ("y", "z")])
    options.pop("graph", None)
    e = stx.explain(model, clips.batch([0, 1]), **{**options, "method": "InputGradient"})
    assert e.node_names == ("x", "y", "z")


def test_a_self_test_renumbers_samples_that_bring_their_graph(clips):
    torch.manual_seed(0)
    graph = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")], center="hip")
    model = STGCN(graph, classes=2, channels=(4,), strides=(1,), channels_in=2).eval()
    result = stx.selftest(model, stx.STGGradCAM, clips.batch([0, 1]), threshold=1)
    assert result["node permutation"].passed


def test_a_padding_mask_of_one_instance_needs_no_axis_for_it():
    x, valid = torch.randn(2, 2, 8, 3), torch.arange(8) < torch.tensor([[8], [5]])
    one, two = (
        stx.explain(Pooled(), x, inputs="b c t n", target=1, method="Occlusion", valid=each)
        for each in (valid, valid[:, None])
    )
    np.testing.assert_array_equal(one.values, two.values)
    assert not one.valid[1, 0, 5:].any()


def test_names_of_another_number_of_classes_name_nothing(clips):
    class Three(Pooled):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, 0].mean(1)

    with pytest.raises(InputError, match="got 2 names of classes for 3 outputs"):
        stx.explain(Three(), clips.batch([0]), inputs="b c t n", target="patient")
    # Nor is the predicted class called by the name of another.
    for target in (None, 1, stx.Margin(0, 1)):
        with pytest.raises(InputError, match="got 2 names of classes for 3 outputs"):
            stx.explain(Three(), clips.batch([0]), inputs="b c t n", target=target)
    e = stx.explain(Three(), clips.batch([0]), inputs="b c t n", target=2, classes=[])
    assert (e.classes, e.target) == ((), "class 2")


def test_graph_and_classes_stay_with_parts_and_joined_samples(clips):
    part = clips.batch([0, 1, 2])[1:]
    assert (part.graph, part.classes) == (GRAPH, ("control", "patient"))
    joined = Batch.of(clips[0], clips[1])
    assert (joined.graph, joined.classes) == (GRAPH, ("control", "patient"))
    other = Clips.from_arrays([np.ones((1, 4, 3, 2))], [0], graph=GRAPH.permute([2, 1, 0]), classes=["a"])
    mixed = Batch.of(clips[0], other[0])
    assert (mixed.graph, mixed.classes) == (None, ())


class Mean(nn.Module):
    """The mean over the window of each node, as the forecast of one step."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(1, keepdim=True)


def windows(freq: str) -> WindowedSeries:
    time = pd.date_range("2026-03-02", periods=40, freq=freq)
    speeds = np.random.default_rng(0).normal(50, 5, size=(40, 3))
    return WindowedSeries(speeds, window=4, horizon=1, graph=GRAPH, time=time, channels=["speed"], unit="mph")


def explained(series: WindowedSeries) -> stx.Explanation:
    return stx.explain(
        Mean(),
        series.batch([0]),
        inputs="b t n",
        target=stx.Forecast("knee", 1, layout="b t n"),
        method="InputGradient",
    )


def test_windows_of_a_series_bring_minutes_to_every_chart():
    e = explained(windows("5min"))
    assert (e.time_unit, e.time.tolist()) == ("s", [-900.0, -600.0, -300.0, 0.0])
    assert "minutes earlier than the last observation" in words(stx.viz.lag_map(e))
    assert "15 min earlier" in str(stx.viz.lag_map(e).to_dict())
    timeline = stx.viz.timeline(e)
    assert "minutes earlier than the last observation" in words(timeline)
    assert "15 min earlier" in str(timeline.to_dict())
    # Columns are centred on their lags: the last observation lies above 0.
    assert timeline.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"] == [-17.5, 2.5]
    assert "15 min earlier" in str(stx.explainers.display.moving(e).to_dict())


def test_windows_of_seconds_stay_seconds_and_those_without_times_are_counted():
    e = explained(windows("10s"))
    assert e.time.tolist() == [-30.0, -20.0, -10.0, 0.0]
    timeline = stx.viz.timeline(e)
    assert "time in seconds" in words(timeline)
    assert timeline.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"] == [-30.0, 10.0]
    series = WindowedSeries(np.random.default_rng(0).normal(size=(20, 3)), window=4, horizon=1, graph=GRAPH)
    e = explained(series)
    assert (e.time_unit, e.time.tolist()) == ("frame", [0.0, 1.0, 2.0, 3.0])
    assert "observations earlier than the last observation" in words(stx.viz.lag_map(e))


@pytest.mark.parametrize("kind", EXPLAINERS)
def test_every_explainer_takes_the_names_that_samples_bring(clips, kind):
    """As `explain` does, so that one built for many calls gives the same; a tensor after it has no names of theirs."""
    layers = [OverGraph(), nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)]
    given = {"adjacency": ["0.adjacency"]} if kind is stx.GraphAblated else {}
    explainer = of_class(kind, nn.Sequential(*layers), inputs="b c t n", **given)
    e = explainer(clips.batch([0, 1]), target="patient")
    assert e.graph is GRAPH
    assert e.classes == ("control", "patient")
    assert explainer.options["classes"] == ("control", "patient")
    plain = explainer(clips.batch([0, 1]).x[:, 0].permute(0, 3, 1, 2), target=1)
    assert plain.node_names == ("0", "1", "2")
    assert plain.classes == ()
    assert explainer.options["classes"] is None


def test_an_explainer_keeps_the_names_that_it_was_given(clips):
    own = GRAPH.permute([0, 1, 2])
    explainer = stx.InputGradient(Pooled(), inputs="b c t n", graph=own, classes=[])
    e = explainer(clips.batch([0, 1]), target=1)
    assert e.graph is own
    assert e.classes == ()
    # A graph of other nodes than the samples have names none of them.
    fewer = replace(clips.batch([0, 1]), x=clips.batch([0, 1]).x[..., :2, :])
    assert stx.InputGradient(Pooled(), inputs="b c t n")(fewer, target=1).node_names == ("0", "1")
