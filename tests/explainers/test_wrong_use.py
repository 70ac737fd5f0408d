"""The errors of wrong calls: what the argument got, what it expected, and what to give instead."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.cards import Recipe
from stexplain.data.clips import Clips
from stexplain.errors import InputError
from stexplain.explainers import InputGradient, IntegratedGradients, Occlusion, Random, STGGradCAM
from stexplain.explainers.targets import Class, Forecast, Predicted
from stexplain.graph import STGraph
from stexplain.metrics.comparison.compare import compare
from stexplain.metrics.comparison.scores import localisation_score
from stexplain.metrics.deletion import deletion_curve
from stexplain.nn.stgcn import STGCN
from stexplain.nn.traffic import STGCNForecaster

ROAD = STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")], center="b")
CLASSES = ("wave", "kick")


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = STGCN(ROAD, classes=2, channels=(4, 4), strides=(1, 2), temporal_kernel=3)
    made.class_names = list(CLASSES)
    return made.eval()


@pytest.fixture
def forecaster():
    return STGCNForecaster(ROAD, window=12, horizon=3, blocks=[[4, 2, 4]]).eval()


@pytest.fixture
def clips():
    random = np.random.default_rng(0)
    values = [random.normal(size=(1, frames, 3, 3)).astype(np.float32) for frames in (10, 14, 12)]
    return Clips.from_arrays(values, [0, 1, 0], classes=list(CLASSES), graph=ROAD)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("wav", "unknown class 'wav'. Did you mean 'wave'"),
        ("b", "unknown class 'b'"),
        (2, "there is no class 2: the model has 2"),
        (Forecast("a", 3), r"the model has 2 classes. Give Predicted\(\) or Class\('wave'\)"),
    ],
)
def test_what_is_no_target_of_a_classifier(model, clips, target, message):
    with pytest.raises(InputError, match=message):
        STGGradCAM(model)(clips.batch([0]), target=target)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Class(2.0), "class: got 2.0, a float; expected a name or an index"),
        (lambda: Class(None), "class: got None"),
        (lambda: Class([0, True]), "class: got True"),
        (lambda: Forecast("a", "3"), "horizon: got '3', a str; expected a number, counted from 1"),
        (lambda: Forecast("a", 1.5), "horizon: got 1.5"),
        (lambda: Forecast(None, 1), "node: got None"),
    ],
)
def test_targets_of_another_kind(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_numbers_of_numpy_and_pandas_are_numbers():
    output = torch.arange(12.0).view(1, 3, 4)
    forecast = Forecast(np.int64(2), np.arange(1, 3), layout="b t n")
    assert forecast(output).tolist() == Forecast(2, [1, 2], layout="b t n")(output).tolist() == [8.0]
    logits = torch.tensor([[1.0, 2.0], [4.0, 3.0]])
    assert Class(np.int64(1))(logits).tolist() == [2.0, 3.0]
    assert Class(pd.Series([1, 0]))(logits).tolist() == Class(np.array([1, 0]))(logits).tolist() == [2.0, 4.0]


def test_what_holds_samples_is_no_sample(model, clips):
    explain = STGGradCAM(model)
    with pytest.raises(InputError, match=r"x: got a Clips.*Give some of its samples: \.batch\(range\(8\)\)"):
        explain(clips, target=Predicted())
    with pytest.raises(InputError, match=r"x: got a list.*Batch\.of\(\*samples\)"):
        explain([clips[0], clips[1]], target=Predicted())
    with pytest.raises(InputError, match=r"x: got a DataFrame.*WindowedSeries\(table.*\.to_numpy\(\)"):
        explain(pd.DataFrame([[1.0]]), target=Predicted())
    with pytest.raises(InputError, match=r"x: got type int64; expected a floating type. Use x\.float\(\)"):
        explain(torch.ones(1, 1, 10, 3, 3, dtype=torch.int64), target=Predicted())


def test_a_graph_of_networkx_is_to_be_made_ours(model):
    with pytest.raises(InputError, match=r"graph: got a Graph; expected an STGraph.*from_networkx"):
        STGGradCAM(model, graph=nx.path_graph(3))


def test_a_layer_needs_a_model():
    with pytest.raises(InputError, match="model: got None; expected one, as STGGradCAM explains a layer"):
        STGGradCAM(None)


def test_clips_into_a_forecaster(forecaster, clips):
    forecaster.recipe = Recipe(
        summary="for forecasts", epochs=1, batch=2, optimizer="adamw", rate=0.01, schedule="step"
    )
    with pytest.raises(InputError, match="x holds clips of 3 nodes; expected windows of a series.*STGCNForecaster was"):
        InputGradient(forecaster)(clips[0], target=Forecast("a", 1))


def test_a_recipe_is_not_its_name(clips):
    with pytest.raises(
        InputError, match=r"recipe: got 'quick'; expected a Recipe.*model_card\(NAME\)\.recipe\('quick'\)"
    ):
        clips.with_recipe("quick")


def test_an_array_is_a_baseline_like_a_tensor(model, clips):
    batch = clips.batch([0])
    array = np.full((3, 3), 0.5)
    e = IntegratedGradients(model, baseline=array, steps=4)(batch, target=Class(0))
    same = IntegratedGradients(model, baseline=torch.tensor(array), steps=4)(batch, target=Class(0))
    np.testing.assert_array_equal(e.values, same.values)
    assert np.abs(e.values).sum() > 0


def test_an_explanation_of_fewer_samples_than_the_batch(model, clips):
    batch = clips.subset([0]).batch([0, 0])
    e = STGGradCAM(model)(batch, target=Predicted())
    with pytest.raises(InputError, match="the explanation: got 1 sample; expected the batch's 2"):
        deletion_curve(model, batch, e[0], target=Predicted())


def test_a_type_is_no_explainer(clips):
    with pytest.raises(
        InputError, match=r"explainers: got the class Random; expected an instance, such as Random\(model\)"
    ):
        compare([Random], [localisation_score()], clips.batch([0]))


def test_samples_are_given_as_the_model_sees_them(model, clips):
    recipe = Recipe(
        summary="eight frames",
        epochs=1,
        batch=2,
        frames=8,
        sampling="resample",
        optimizer="sgd",
        rate=0.1,
        schedule="step",
    )
    model.recipe = recipe
    explain = InputGradient(model)
    assert explain(clips[1], target=Predicted()).values.shape == (1, 1, 8, 3)
    seen = explain.preprocess(clips[1])
    torch.testing.assert_close(seen.x, clips.with_recipe(recipe).batch([1]).x, rtol=0, atol=0)


@pytest.mark.parametrize("groups", [["arm"], {"arm": "a"}])
def test_a_group_is_its_nodes(model, clips, groups):
    with pytest.raises(
        InputError, match=r"the string .*; expected the nodes of each group\. Give groups=graph\.groups"
    ):
        Occlusion(model, groups=groups)(clips.batch([0]), target=Predicted())


def test_a_batch_of_pytorch_geometric_is_refused_with_what_to_give_of_it():
    class Data:
        x, edge_index, batch = torch.ones(6, 4), torch.tensor([[0, 1], [1, 2]]), torch.tensor([0, 0, 0, 1, 1, 1])

    with pytest.raises(InputError, match=r"x: got a Data;.*data\.x, inputs='\(b n\) c'.*shared=\{'edge_index': data"):
        InputGradient(torch.nn.Linear(4, 2))(Data(), target=0)


@pytest.mark.parametrize("layout", ["(b n) t", "b t (n c)"])
def test_folded_nodes_ask_for_the_graph_which_counts_them(layout):
    x = torch.ones(6, 4) if layout == "(b n) t" else torch.ones(2, 4, 6)

    class Net(torch.nn.Module):
        def forward(self, x):
            return x.sum() + torch.zeros(2, 2)

    with pytest.raises(InputError, match=r"number of nodes does not follow.*Give graph=.*from_edges\(names, \[\]\)"):
        InputGradient(Net(), inputs=layout)(x, target=0)


class Steps(torch.nn.Module):
    """Takes [B, T, N] and returns one tensor [B, N] for each of three steps."""

    kind = list

    def forward(self, x):
        return self.kind(x[:, -1] * step for step in (1, 2, 3))


def test_of_a_list_of_steps_the_first_is_not_taken_unasked():
    call = {"inputs": "b t n", "graph": ROAD}
    x = torch.randn(2, 5, 3)
    for target in (Forecast("a"), Forecast("a", 2)):
        with pytest.raises(
            InputError, match=r"returned a list of 3 tensors of shape \(2, 3\).*output=1 for the second"
        ):
            InputGradient(Steps(), **call)(x, target=target)
    one = InputGradient(Steps(), output=1, **call)(x, target=Forecast("a"))
    assert one.values.max() == 2
    # A tuple may hold a mean and a variance, of which the first is meant; a second step it cannot have.
    pair = Steps()
    pair.kind = tuple
    assert InputGradient(pair, **call)(x, target=Forecast("a")).values.max() == 1
    with pytest.raises(InputError, match="returned a tuple of 3 tensors"):
        InputGradient(pair, **call)(x, target=Forecast("a", 2))


def test_a_list_of_frames_is_stacked():
    with pytest.raises(InputError, match=r"got a list.*torch\.stack\(x, 1\).*'b t n'.*x\.unbind\(1\)"):
        InputGradient(Steps(), graph=ROAD)([torch.zeros(2, 3)] * 5, target=Forecast("a"))


def test_a_module_without_a_forward_says_what_it_holds():
    trained = torch.nn.Module()
    trained.net = torch.nn.Flatten()
    with pytest.raises(InputError, match=r"Module has no forward\(self, x\)\. Give the network .* such as model\.net"):
        InputGradient(trained, inputs="b t n")(torch.zeros(2, 5, 3), target=Class(0))
