"""The scores that `compare` is given ready-made: those of their functions, on what the models see."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.cards import Augment, model_card
from stexplain.data.clips import Clips
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods import Motion, Random
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Class
from stexplain.graph import STGraph
from stexplain.metrics.comparison.compare import compare
from stexplain.metrics.comparison.scores import (
    AbsoluteAttribution,
    complexity_score,
    deletion_score,
    fidelity_score,
    localisation_score,
    sensitivity_score,
)
from stexplain.metrics.complexity import complexity
from stexplain.metrics.deletion import deletion_curve
from stexplain.metrics.robustness import sensitivity_max
from stexplain.nn.stgcn import STGCN
from tests.explainers.model.inputs.test_streams import BONE, JOINT, ByName
from tests.metrics.comparison.planted_batches import level, planted


class Peak(nn.Module):
    """Says how high the first channel of node 2 is at frame 4, against nothing."""

    inputs = "b m t n c"

    def forward(self, x):
        score = 5 * x[:, 0, 4, 2, 0]
        return torch.stack([score, 0 * score], dim=1)


def pointed(frame, node):
    def explain(batch, *, target):
        values = np.zeros(batch.x.shape[:-1], np.float32)
        values[:, :, frame, node] = 1
        return Explanation(values, batch.valid.numpy(), method=f"{frame},{node}", ids=batch.ids)

    return explain


def test_every_ready_made_metric_tells_the_true_cell_from_another():
    batch = planted(12)
    batch.x[..., 0] = batch.x[..., 0].abs() + 0.1
    model = Peak()
    metrics = [
        deletion_score(model, steps=4, baseline="zero"),
        deletion_score(model, kind="insertion", steps=4, baseline="zero"),
        fidelity_score(model, share=[0.1], baseline="zero"),
        fidelity_score(model, "minus", share=[0.1], baseline="zero"),
    ]
    comparison = compare({"right": pointed(4, 2), "wrong": pointed(9, 0)}, metrics, batch, progress=False)
    assert [comparison.best(metric) for metric in comparison.metrics] == ["right"] * 4
    assert set(comparison.tests()["better"]) == {"right"}
    curve = deletion_curve(model, batch, pointed(4, 2)(batch, target=None), steps=4, baseline="zero")
    np.testing.assert_allclose(comparison.scores["deletion gain"]["right"], curve.areas("gain"))
    # A target of its own is kept, whatever is explained: class 1 has the score 0 under any masking.
    own = deletion_score(model, target=Class(1), steps=4, baseline="zero")
    other = compare({"right": pointed(4, 2)}, [own], batch, target=Class(0), progress=False)
    assert not other.scores["deletion gain"]["right"].any()


class Sum(nn.Module):
    """x ``[B, N, T]`` to one score: 3 times what node 2 holds, and node 0."""

    def forward(self, x):
        return 3 * x[:, 2].sum(1) + x[:, 0].sum(1)


@pytest.mark.parametrize("models", [1, 2])
def test_a_baseline_explainer_is_scored_by_the_model_as_the_others_call_it(models):
    random = torch.Generator().manual_seed(0)
    x = torch.randn(4, 1, 6, 3, 1, generator=random)
    batch = Batch(x, torch.ones(4, 1, 6, dtype=torch.bool), torch.zeros(4, dtype=torch.int64), tuple("abcd"))
    options = {"steps": 3, "repeats": 1, "over": "nodes", "baseline": "zero"}
    model, motion = Sum(), Motion()
    # Only they know how the model's input is laid out.
    others = {f"gradient {index}": InputGradient(model, inputs="b n t") for index in range(models)}
    compared = compare({"motion": motion, **others}, [deletion_score(model, **options)], batch, progress=False)
    curve = deletion_curve(model, batch, motion(batch), inputs="b n t", **options)
    np.testing.assert_allclose(compared.scores["deletion gain"]["motion"], curve.areas("gain"), rtol=1e-6)
    assert curve.areas("gain").any()


def test_a_tensor_is_laid_out_as_the_explainers_say():
    model, x = Sum(), torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1))
    explain = {name: InputGradient(model, inputs="b n t") for name in ("one", "two")}
    compared = compare(explain, [level], x, progress=False)
    # Of the sum, node 2 has the gradient 3 and node 0 the gradient 1, at each of 5 frames of 4 nodes.
    assert compared.scores["level"]["one"].tolist() == compared.scores["level"]["two"].tolist() == [1.0] * 3
    other = {**explain, "other": InputGradient(model, inputs="b t n")}
    with pytest.raises(InputError, match="laid out as 'b n t' and 'b t n'; expected one layout"):
        compare(other, [level], x, progress=False)


def test_streams_are_compared_where_they_are_valid():
    """The map of each, with the mask that is given for all and without."""
    explain, valid = InputGradient(ByName(), inputs="b t n c"), torch.tensor([[True] * 4, [True, True, False, False]])
    streams = {"joint": JOINT, "bone": BONE}
    for mask in (None, valid):
        found = compare({"gradient": explain}, [level], streams, target=Class(1), valid=mask, progress=False).scores
        expected = explain(streams, target=Class(1), valid=mask)
        for name, e in expected.items():
            np.testing.assert_allclose(found["level"][f"gradient, {name}"], level(e, None), rtol=1e-6)
    assert not expected["bone"].values[1, :, 2:].any()


@pytest.mark.parametrize("mask", [None, torch.tensor([[True] * 4, [True, True, False, False]])])
def test_of_streams_a_baseline_explainer_is_scored_by_the_model_too(mask):
    """Each stream is masked by itself, as the map of a gradient is."""
    model, options = ByName(), {"steps": 2, "repeats": 1, "baseline": "zero"}
    streams, layout = {"joint": JOINT, "bone": BONE}, {"inputs": "b t n c"}
    explain = {"gradient": InputGradient(model, **layout), "motion": Motion(**layout)}
    metrics = [deletion_score(model, target=Class(1), **options)]
    found = compare(explain, metrics, streams, target=Class(1), valid=mask, progress=False).scores["deletion gain"]
    for name, one in explain["gradient"](streams, target=Class(1), valid=mask).items():
        own = explain["motion"](streams, valid=mask)[name]
        for method, e in (("gradient", one), ("motion", replace(one, values=own.values))):
            curve = deletion_curve(model, streams, e, target=Class(1), valid=mask, **options)
            np.testing.assert_allclose(found[f"{method}, {name}"], curve.areas("gain"), rtol=1e-5, atol=1e-7)
    assert not np.allclose(found["motion, joint"], found["motion, bone"])


def test_complexity_and_sensitivity_are_those_of_their_functions():
    batch = planted(5)
    comparison = compare([Motion()], [complexity_score("entropy"), sensitivity_score(draws=2)], batch, progress=False)
    e = Motion()(batch)
    np.testing.assert_allclose(
        comparison.scores["entropy"]["motion energy"], complexity(e.importance, e.valid).scores["entropy"]
    )
    expected = sensitivity_max(Motion(), batch, draws=2).maximum
    np.testing.assert_allclose(comparison.scores["sensitivity"]["motion energy"], expected)
    assert not any(comparison.higher_is_better.values())
    with pytest.raises(InputError, match="expected an Explainer"):
        compare({"f": pointed(1, 1)}, [sensitivity_score()], batch, progress=False)
    with pytest.raises(InputError, match="unknown side 'pluss'. Did you mean 'plus'"):
        fidelity_score(Peak(), "pluss")


def test_samples_as_recorded_are_scored_as_the_model_sees_them():
    random = np.random.default_rng(0)
    graph = STGraph.from_edges(list("abcde"), [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")], center="c")
    clips = Clips.from_arrays([random.normal(size=(1, frames, 5, 3)) for frames in (11, 14, 9)], graph=graph)
    recipe = model_card("stgcn7").recipe("quick").model_copy(update={"frames": 8, "align": None, "augment": Augment()})
    torch.manual_seed(0)
    model = STGCN(graph, classes=3, channels=(4, 6), strides=(1, 2))
    object.__setattr__(model, "recipe", recipe)

    def frames(e, batch):
        assert e.values.shape == batch.x.shape[:-1]
        return np.full(len(batch), batch.x.shape[2])

    explainers = [STGGradCAM(model), Motion(model), AbsoluteAttribution(InputGradient(model))]
    comparison = compare(dict(zip("abc", explainers, strict=True)), [frames], clips, progress=False)
    assert comparison.to_frame()["value"].tolist() == [8.0, 8.0, 8.0]
    same = compare([STGGradCAM(model)], [frames], clips.with_recipe(recipe), progress=False)
    assert same.to_frame()["value"].tolist() == [8.0]


def test_intervals_keep_to_what_a_score_can_be():
    scores = ["auroc", "average_precision", "pointing", "information", "entropy"]
    metrics = [localisation_score("positions", score) for score in scores]
    table = compare([Motion(), Random()], metrics, planted(5), progress=False).to_frame()
    bounded = table[table["metric"].str.contains("auroc|precision|pointing")]
    assert ((bounded["low"] >= 0) & (bounded["high"] <= 1)).all()
    # These have no largest value, and are not cut.
    assert table[table["metric"].str.contains("information")]["high"].max() > 1


def test_a_baseline_explainer_of_another_layout_takes_what_the_models_take():
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1))
    explain = {"motion": Motion(), "gradient": InputGradient(Sum(), inputs="b n t")}
    compared = compare(explain, [level], x, progress=False)
    assert compared.scores["level"]["gradient"].tolist() == [1.0] * 3
    laid_out = Batch(x.mT[:, None, :, :, None], torch.ones(3, 1, 5, dtype=torch.bool), torch.zeros(3), tuple("abc"))
    np.testing.assert_allclose(compared.scores["level"]["motion"], level(Motion()(laid_out), laid_out))


def test_a_function_gets_the_further_arguments_that_it_takes():
    """One that names none gets none, and one that takes all of them gets all."""
    got, of, hours = {}, planted(3), [1, 2, 3]
    explained = pointed(1, 1)

    def bare(batch, *, target):
        return explained(batch, target=target)

    def named(batch, *, target, shared=None):
        got["named"] = shared
        return explained(batch, target=target)

    def every(batch, *, target, **options):
        got["every"] = options
        return explained(batch, target=target)

    arguments = {"shared": {"scale": 2.0}, "per_sample": {"hour": hours}}
    compare({"bare": bare, "named": named, "every": every}, [level], of, **arguments, progress=False)
    assert got == {"named": {"scale": 2.0}, "every": arguments}
    compare({"bare": bare, "named": named, "every": every}, [level], of, progress=False)
    assert got == {"named": None, "every": {}}


def test_a_batch_keeps_its_own_mask_unless_another_is_given():
    of = planted(3)
    shorter = of.valid.clone()
    shorter[:, :, 6:] = False
    own = replace(of, valid=shorter)
    for data, mask, expected in ((own, None, own), (own, True, own), (of, shorter, own), (of, True, of)):
        found = compare([Motion()], [level], data, valid=mask, progress=False).scores["level"]["motion energy"]
        np.testing.assert_allclose(found, level(Motion()(expected), expected))
