"""`explain` gives what the explicit call gives, bit by bit, and its errors name the wrong argument."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import norm

import stexplain as stx
from stexplain.errors import InputError
from stexplain.explainers import (
    CAM,
    Class,
    ExpectedFall,
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
    assert_identical(explain(model, batch()), ExpectedFall(model)(batch(), target=Predicted()))


def test_several_targets_give_several_explanations():
    model, targets = small_model(), [Class(1), Margin(2, 0)]
    explanations = explain(model, batch(), target=targets)
    for one, other in zip(explanations, ExpectedFall(model)(batch(), target=targets), strict=True):
        assert_identical(one, other)


def test_masks_and_arguments_reach_the_model():
    x, valid = padded()
    model = small_model(on=PATH)
    assert_identical(explain(model, x, valid=valid), ExpectedFall(model)(x, target=Predicted(), valid=valid))

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
        ({"layr": "blocks.0"}, "explain has no option 'layr'. Did you mean 'layer'"),
        ({"steps": 8}, "steps: got an option of 'ExpectedGradients' or 'Int.*', but no method. Give method="),
        ({"method": "GraphAblated", "around": "Cam"}, "unknown method 'Cam'. Did you mean 'CAM'"),
        (
            {"method": "GraphAblated", "adjacenci": []},
            "GraphAblated has no option 'adjacenci'.* 'adjacency'",
        ),
        ({"target": 2.5}, r"target: got 2.5; expected a class, by index or name"),
        ({"target": []}, "target: got an empty list"),
    ],
)
def test_wrong_calls(wrong, message):
    with pytest.raises(InputError, match=message):
        explain(small_model(), batch(), **wrong)


def test_no_module():
    with pytest.raises(InputError, match=r"model: got a function; expected a torch\.nn\.Module"):
        explain(lambda x: x, batch())


def test_the_default_says_what_it_took():
    (note, *_) = explain(small_model(), batch()).notes
    assert note == (
        "Explained by expected fall, the default: of methods this fast it found best what trained networks used."
    )
    # Whoever names a method or a layer knows.
    assert explain(small_model(), batch(), layer="blocks.2").notes == ()
    assert explain(small_model(), batch(), method="STGGradCAM").notes == ()


def test_the_default_costs_at_most_40_inferences_of_a_sample():
    model, samples = small_model(), []
    model.register_forward_hook(lambda module, given, output: samples.append(len(output)))
    x = batch()
    explain(model, x)
    # A backward pass counts as a forward pass; each of the 16 draws has one.
    draws = 16
    assert sum(samples) / len(x.x) + draws <= 40


def test_an_option_of_a_layer_means_a_layer():
    x = signals(2, 3, 12, 5, 2)
    model = PlainSTGCN().eval()
    e = explain(model, x, inputs="b c t n m", calls="last")
    assert e.layer == "drop"
    assert "The layer is the last that keeps samples, nodes and frames" in e.notes[0]
    assert_identical(e, STGGradCAM(model, layer=e.layer, inputs="b c t n m")(x, target=Predicted()))


def test_where_the_input_has_no_gradient_a_layer_is_explained():
    class Looked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.drop, self.head = torch.nn.Embedding(4, 6), torch.nn.Dropout(), torch.nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.drop(self.table((x * 0.99).long()).tanh()).mean((1, 2)))

    e = explain(Looked().eval(), torch.rand(2, 12, 5, generator=torch.Generator().manual_seed(0)) * 4, inputs="b t n")
    assert "Expected fall could not be computed (the target does not depend on the input" in e.notes[0]
    assert e.method == "STG-Grad-CAM"


def test_of_samples_that_do_not_change_over_time_the_gradient_is_explained():
    x, model = signals(2, 1, 5), Flat(1)
    e = explain(model, x, inputs="b t n")
    assert_identical(e, InputGradient(model, inputs="b t n")(x, target=Predicted()))
    assert (
        "do not change over time, so that how far observations vary is not known: explained by input gradient"
        in e.notes[0]
    )


class Flat(torch.nn.Module):
    """x ``[B, T, N]``; no layer has nodes."""

    def __init__(self, frames=12):
        super().__init__()
        self.head = torch.nn.Linear(frames * 5, 3)

    def forward(self, x):
        return self.head(torch.tanh(x).flatten(1))


def test_a_model_without_any_layer():
    x, model = signals(2, 12, 5), Flat()
    assert_identical(explain(model, x, inputs="b t n"), ExpectedFall(model, inputs="b t n")(x, target=Predicted()))
    # Several targets are all noted.
    for each in explain(model, x, inputs="b t n", target=[Class(0), Class(1)]):
        assert "Explained by expected fall" in each.notes[0]
    # Of a layer that was asked for, the error is the answer.
    with pytest.raises(InputError, match="samples, nodes and frames"):
        explain(model, x, inputs="b t n", stride=2)


def test_an_error_of_the_call_is_not_one_of_the_layer():
    with pytest.raises(InputError, match="class 7"):
        explain(Flat(), signals(2, 12, 5), inputs="b t n", target=Class(7))
    with pytest.raises(InputError, match="does not fit the layout"):
        explain(PlainSTGCN(), signals(2, 12, 5), inputs="b c t n m")


def test_streams_are_explained_at_the_input():
    class Two(torch.nn.Module):
        def forward(self, joint, bone):
            return joint.sum((1, 3)) + 5 * bone.sum((1, 3))

    x = {"joint": signals(2, 6, 5, 3), "bone": signals(2, 6, 5, 3, seed=1)}
    found = explain(Two(), x, inputs="b t n c", target=Class(1))
    assert set(found) == {"joint", "bone"}
    # Of a linear model: the closed form, by the bones' own spread and their weight.
    away = (x["bone"] - x["bone"].mean(1, keepdim=True)).numpy()
    fall, spread = 5 * away[:, :, 1], 5 * np.sqrt((away**2).mean((1, 2)))[:, None]
    expected = fall * norm.cdf(fall / spread) + spread * norm.pdf(fall / spread)
    np.testing.assert_allclose(found["bone"].channels[:, 0, :, 1], expected, rtol=1e-5, atol=1e-5)
    assert all("Explained by expected fall" in e.notes[0] for e in found.values())


def test_argument_and_output_are_passed_on():
    class Second(torch.nn.Module):
        def forward(self, adjacency, x):
            return {"hidden": x, "logits": (x @ adjacency).sum(1)}

    adjacency = torch.arange(25.0).view(5, 5)
    options = {"argument": "x", "output": "logits", "shared": {"adjacency": adjacency}}
    e = explain(
        Second(), signals(2, 6, 5), inputs="b t n", target=Class(3), method="InputGradient", reduce="sum", **options
    )
    np.testing.assert_allclose(e.values[0, 0, 0], adjacency[:, 3], rtol=1e-6)


class OfThreeAxes(torch.nn.Module):
    """A model that takes b t n, as those of roads mostly do."""

    def __init__(self, nodes=5):
        super().__init__()
        self.register_buffer("adjacency", torch.eye(nodes) + torch.ones(nodes, nodes))

    def forward(self, x):
        return (x @ self.adjacency)[:, -2:]


def windows(nodes=5):
    names = [f"s{node}" for node in range(nodes)]
    graph = stx.STGraph.from_edges(names, list(itertools.pairwise(names)))
    values = np.random.default_rng(0).normal(size=(60, nodes))
    return stx.WindowedSeries(values, window=6, horizon=2, graph=graph).batch(range(3))


def test_a_failing_default_prints_one_error():
    with pytest.raises(InputError) as caught:
        explain(small_model(), batch(), target=99)
    chain = [caught.value]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    assert [type(each) for each in chain if isinstance(each, InputError)] == [InputError]


def test_a_model_of_other_axes_is_told_how_to_say_them():
    model, x, target = OfThreeAxes(), windows(), stx.Forecast("s2", 1)
    layouts = r"inputs='b t n' or inputs='b t n c'"
    with pytest.raises(InputError, match=rf"laid out as 'b m t n c'(?s:.*)such as {layouts} \(b samples"):
        explain(model, x, target=target)
    for by in (None, "InputGradient"):
        with pytest.raises(InputError, match=layouts):
            stx.trust(model, by, x, target=target)
    assert explain(model, x, target=target, inputs="b t n").values.shape == (3, 1, 6, 5)
    # Whoever said the layout is not told to say it.
    with pytest.raises(InputError, match="laid out as 'b n t'") as caught:
        explain(model, x, target=target, inputs="b n t")
    assert "other axes" not in str(caught.value)


def test_of_a_forecast_the_default_says_no_direction():
    # A falling and a rising neighbour count alike: nothing of it is drawn as what raised or lowered the forecast.
    e = explain(OfThreeAxes(), windows(), target=stx.Forecast("s2", 1), inputs="b t n")
    assert (e.method, e.signed, e.unit("mph", "mph")) == ("expected fall", False, "mph")
