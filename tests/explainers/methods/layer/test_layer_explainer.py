import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.hires_cam import HiResCAM
from stexplain.explainers.targets import Class
from tests.explainers.small_models import PlainSTGCN, signals

THEIRS = {"inputs": "b c t n m", "layout": "(b m) c t n"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parity": "das2021"}, "das2022"),
        ({"layer": "secnd"}, "second"),
        ({"layer": nn.ReLU()}, "not part of"),
        ({"layer": 3}, "layer: got an int"),
        ({"layout": "(b m) c t k"}, "'k'"),
        ({"stride": 0}, "at least 1"),
        ({"calls": "frame"}, "choice of calls.*frames"),
        ({"chunk": 0}, "at least one"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        STGGradCAM(PlainSTGCN(), **{"layer": "second", **THEIRS, **options})


def test_without_a_model_there_is_no_layer():
    with pytest.raises(InputError, match="model: got None; expected one, as STGGradCAM explains a layer"):
        STGGradCAM(None)


def test_a_layout_that_does_not_fit_the_layer_is_named():
    # As many positions as channels: the sizes fit, and the measured axes do not.
    with (
        STGGradCAM(PlainSTGCN(), layer="second", layout="(b m) t c n", inputs="b c t n m") as explain,
        pytest.raises(InputError, match=r"measured '\(b m\) c t n'"),
    ):
        explain(signals(1, 3, 24, 5, 2), target=Class(0), valid=None)
    with (
        STGGradCAM(PlainSTGCN(), layer="second", layout="(b m) c n t", inputs="b c t n m") as explain,
        pytest.raises(InputError, match=r"\(2, 6, 6, 5\).*n=5"),
    ):
        explain(signals(1, 3, 24, 5, 2), target=Class(0))


def test_a_layer_behind_the_pooling_of_instances_is_refused():
    class Pooling(PlainSTGCN):
        def forward(self, x):
            return super().forward(x.mean(-1, keepdim=True))

    with (
        STGGradCAM(Pooling(), layer="second", layout="b c t n", inputs="b c t n m") as explain,
        pytest.raises(InputError, match="2 instances"),
    ):
        explain(signals(1, 3, 24, 5, 2), target=Class(0))


class PerFrame(nn.Module):
    """x ``[B, T, N, C]`` to values per frame and node ``[B, T, N]``, by a head whose output is the model's, turned."""

    def __init__(self):
        super().__init__()
        self.lift, self.head = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.head(torch.tanh(self.lift(x)))[..., 0].transpose(1, 2)


def test_the_default_is_no_layer_whose_output_is_the_models():
    """A map of the forecasts themselves would say what was forecast, not why."""
    x = signals(2, 12, 5, 3)
    with STGGradCAM(PerFrame(), inputs="b t n c") as explain:
        e = explain(x, target=lambda output: output[:, 2, 3])
    assert e.layer == "lift"
    with STGGradCAM(PerFrame(), layer="head", inputs="b t n c") as explain:
        assert explain(x, target=lambda output: output[:, 2, 3]).layer == "head"


class TwoBranches(nn.Module):
    """x ``[B, C, T, N]`` through two layers, or around the second, or around both; pooled, then a head of softmax."""

    def __init__(self, around):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.head, self.around = (
            nn.Conv2d(3, 4, 1),
            nn.Conv2d(4, 4, 1),
            nn.Linear(4, 2),
            around,
        )

    def forward(self, x):
        hidden = torch.tanh(self.first(x))
        last = self.second(hidden)
        if self.around == "second":
            last = last + hidden
        if self.around == "both":
            last = last + x.mean(1, keepdim=True)
        return self.head(last.mean((2, 3))).softmax(1)


@pytest.mark.parametrize(("around", "layer"), [("", "second"), ("second", "first"), ("both", "second")])
def test_the_default_is_the_last_layer_through_which_all_goes(around, layer):
    """Where none is, what goes around the last one is said."""
    e = STGGradCAM(TwoBranches(around), inputs="b c t n")(signals(2, 3, 12, 5), target=Class(0))
    assert e.layer == layer
    assert any("goes around layer 'second'" in note for note in e.notes) is (around == "both")


class Refined(nn.Module):
    """x ``[B, C, T, N]`` to logits, and the features that they are pooled from."""

    def __init__(self, features_first):
        super().__init__()
        torch.manual_seed(0)
        self.lift, self.act, self.head, self.features_first = (
            nn.Conv2d(3, 4, 1),
            nn.ReLU(),
            nn.Linear(4, 2),
            features_first,
        )

    def forward(self, x):
        features = self.act(self.lift(x))
        logits = self.head(features.mean((2, 3)))
        return (features, logits) if self.features_first else (logits, features)


@pytest.mark.parametrize("features_first", [True, False])
def test_features_that_are_returned_beside_the_logits_may_be_explained(features_first):
    explain = STGGradCAM(Refined(features_first), inputs="b c t n", output=int(features_first))
    assert explain(signals(2, 3, 12, 5), target=Class(0)).layer == "act"


def test_a_layer_without_nodes_and_frames_is_refused():
    with pytest.raises(InputError, match="neither of nodes nor of frames"):
        STGGradCAM(TwoBranches(""), layer="head", inputs="b c t n")(signals(2, 3, 12, 5), target=Class(0))


@pytest.mark.parametrize("frames", [1, 12])
def test_a_map_that_would_be_the_same_everywhere_is_refused(frames):
    """Of a single frame, too: a layer without nodes tells nothing then."""
    explain = STGGradCAM(TwoBranches(""), layer="head", inputs="b c t n", layout="b c")
    with pytest.raises(InputError, match="the same everywhere"):
        explain(signals(2, 3, frames, 5), target=Class(0))


def test_a_layer_that_runs_twice_says_which_output_is_explained():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(2, 2, (3, 1), padding=(1, 0)), nn.Linear(2, 2)

        def forward(self, x):  # b c t n
            return self.head(self.conv(torch.relu(self.conv(x))).mean((2, 3)))

    x = torch.randn(2, 2, 8, 5, generator=torch.Generator().manual_seed(0))
    once, given = (
        STGGradCAM(Twice(), layer="conv", inputs="b c t n", **options)(x, target=Class(1))
        for options in ({}, {"calls": "last"})
    )
    assert any("ran 2 times" in note for note in once.notes)
    assert not any("ran 2 times" in note for note in given.notes)


class Mean(nn.Module):
    def __init__(self, axis: int):
        super().__init__()
        self.axis = axis

    def forward(self, x):
        return x.mean(self.axis)


@pytest.mark.parametrize("axis", [1, 2], ids=["frames", "nodes"])
def test_a_layer_that_lacks_an_axis_has_the_same_map_all_along_it(axis):
    """Weight times feature, at each frame of a layer that has none, but for padding; and at each node."""
    x, size = signals(2, 6, 4, 3), (6, 4)[2 - axis]
    torch.manual_seed(0)
    model = nn.Sequential(Mean(axis), nn.Flatten(), nn.Linear(3 * size, 2))
    valid = torch.ones(2, 1, 6, dtype=torch.bool)
    valid[1, 0, 4:] = False
    e = HiResCAM(model, layer="0", inputs="b t n c")(x, target=Class(1), valid=valid)
    along = (model[2].weight[1].view(size, 3) * x.mean(axis)).sum(-1).unsqueeze(axis).expand(2, 6, 4)
    expected = (along * valid[:, 0, :, None]).detach().numpy()
    np.testing.assert_allclose(e.values[:, 0], expected, rtol=1e-5, atol=1e-7)
