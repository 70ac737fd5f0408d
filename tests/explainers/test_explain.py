"""`explain` gives what the explicit call gives, bit by bit, and its errors name the wrong argument."""

import numpy as np
import pytest
import torch

import stexplain as stx
from stexplain.errors import InputError
from stexplain.explainers import (
    CAM,
    Class,
    Explainer,
    Explanation,
    GraphAblated,
    InputGradient,
    IntegratedGradients,
    Margin,
    Motion,
    Occlusion,
    Predicted,
    Random,
    STGGradCAM,
    TemporalRescaling,
    explain,
)
from stexplain.explainers.explainer import Maps
from tests.explainers.our_models import PATH, batch, padded, small_model
from tests.explainers.small_models import PlainSTGCN, signals

FOREIGN = {"layer": "second", "inputs": "b c t n m", "layout": "(b m) c t n"}


def assert_identical(one, other):
    for name in ("values", "valid", "targets", "score", "padding_share", "layer_values"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.method, one.target, one.layer, one.ids) == (other.method, other.target, other.layer, other.ids)
    assert one.extra.keys() == other.extra.keys()
    for name, numbers in one.extra.items():
        np.testing.assert_array_equal(numbers, other.extra[name])


def test_it_is_at_the_top():
    assert stx.explain is explain


@pytest.mark.parametrize(
    ("method", "options", "make"),
    [
        ("STGGradCAM", {}, STGGradCAM),
        ("STGGradCAM", {"layer": "blocks.0", "chunk": 2}, lambda model: STGGradCAM(model, layer="blocks.0", chunk=2)),
        (CAM, {}, CAM),
        ("InputGradient", {"reduce": "sum"}, lambda model: InputGradient(model, reduce="sum")),
        ("IntegratedGradients", {"steps": 5}, lambda model: IntegratedGradients(model, steps=5)),
        ("Occlusion", {"window": None}, lambda model: Occlusion(model, window=None)),
        ("Random", {"seed": 3}, lambda model: Random(model, seed=3)),
        ("Motion", {}, Motion),
        ("GraphAblated", {}, GraphAblated),
        (
            "TemporalRescaling",
            {"window": 6, "around": "STGGradCAM", "layer": "blocks.1"},
            lambda model: TemporalRescaling(STGGradCAM(model, layer="blocks.1"), window=6),
        ),
    ],
)
def test_it_equals_the_explicit_call(method, options, make):
    model = small_model()
    assert_identical(
        explain(model, batch(), target=Class(2), method=method, **options), make(model)(batch(), target=Class(2))
    )


def test_the_predicted_class_is_the_default():
    model = small_model()
    assert_identical(explain(model, batch()), STGGradCAM(model)(batch(), target=Predicted()))


def test_several_targets_give_several_explanations():
    model, targets = small_model(), [Class(1), Margin(2, 0)]
    explanations = explain(model, batch(), target=targets)
    for one, other in zip(explanations, STGGradCAM(model)(batch(), target=targets), strict=True):
        assert_identical(one, other)


def test_masks_and_arguments_reach_the_model():
    x, valid = padded()
    model = small_model(on=PATH)
    assert_identical(explain(model, x, valid=valid), STGGradCAM(model)(x, target=Predicted(), valid=valid))

    class Gated(torch.nn.Module):
        def forward(self, x, scale, gate):
            return (x.sum((1, 2, 4)) * scale) * gate[:, None]

    samples = signals(2, 1, 4, 3, 1)
    more = {"shared": {"scale": torch.tensor(2.0)}, "per_sample": {"gate": torch.tensor([1.0, 3.0])}}
    assert_identical(
        explain(Gated(), samples, target=Class(1), method="InputGradient", **more),
        InputGradient(Gated())(samples, target=Class(1), **more),
    )


def test_a_foreign_model_and_an_explainer_of_ones_own():
    class Ones(Explainer):
        def _maps(self, model_input, score_fn):
            scores = score_fn(self._forward(model_input))
            return Maps(torch.ones(model_input.observed_positions.shape), scores)

    model, x = PlainSTGCN(), signals(2, 3, 10, 5, 2)
    assert_identical(explain(model, x, **FOREIGN), STGGradCAM(model, **FOREIGN)(x, target=Predicted()))
    e = explain(model, x, method=Ones, inputs="b c t n m")
    assert isinstance(e, Explanation)
    assert (e.values == 1).all()
    assert e.method == "Ones"


def test_the_model_is_left_as_it_was():
    model = small_model().train()
    explain(model, batch())
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "GradCam"}, "unknown method 'GradCam'. Did you mean 'STGGradCAM'"),
        (
            {"method": "EdgeImportance"},
            r"result is not an Explanation.*EdgeImportance\(model\)",
        ),
        ({"method": 3}, "method: got 3; expected the name of an explainer class"),
        ({"method": torch.nn.Linear}, "method: got .*; expected the name of an explainer class"),
        ({"layr": "blocks.0"}, "STGGradCAM has no option 'layr'. Did you mean 'layer'"),
        ({"method": "GraphAblated", "around": "Cam"}, "unknown method 'Cam'. Did you mean 'CAM'"),
        (
            {"method": "GraphAblated", "adjacenci": []},
            "GraphAblated has no option 'adjacenci'.* 'adjacency'",
        ),
        ({"target": 3}, r"target: got 3; expected a target, such as Class\(3\)"),
        ({"target": []}, "target: got an empty list"),
    ],
)
def test_wrong_calls(wrong, message):
    with pytest.raises(InputError, match=message):
        explain(small_model(), batch(), **wrong)


def test_no_module():
    with pytest.raises(InputError, match=r"model: got a function; expected a torch\.nn\.Module"):
        explain(lambda x: x, batch())
