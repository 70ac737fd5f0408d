"""Every explainer of the package passes its self-test; models of any kind are asked what they can be asked."""

import json
import threading
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stexplain.checks.model_state import changes, input_snapshot
from stexplain.checks.selftest import SelfTest, selftest
from stexplain.checks.subject import Check
from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.methods import Motion, Random
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.methods.gradient.expected_fall import ExpectedFall
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.methods.perturbation.temporal_rescaling import TemporalRescaling
from stexplain.explainers.model.inspection import unwrapped
from stexplain.explainers.rebind import renumbered, with_model
from stexplain.explainers.targets import Class, Custom, Forecast, Margin, PerSample, Predicted
from tests.checks.tested import batch, model
from tests.explainers.every_explainer import EXPLAINERS
from tests.explainers.small_models import PlainSTGCN, signals


@pytest.mark.parametrize(("named", "kind"), [("InputGradient", InputGradient), (None, ExpectedFall)])
def test_an_explainer_is_given_by_its_name_or_not_at_all(named, kind):
    def result(explainer):
        return selftest(model(), explainer, batch(), draws=1).to_frame().to_csv()

    assert result(named) == result(kind)
    with pytest.raises(InputError, match="unknown method 'InputGradien'. Did you mean 'InputGradient'"):
        selftest(model(), "InputGradien", batch())


@pytest.mark.parametrize("kind", EXPLAINERS, ids=lambda kind: kind.__name__)
def test_every_explainer_passes(kind):
    quick = {LearnedMask: {"steps": 10}, ShapleyValueSampling: {"orders": 4}, IntegratedGradients: {"steps": 16}}
    result = selftest(model(), partial(kind, **quick.get(kind, {})), batch(), target=Class(1))
    result.raise_for_failure()
    applicable = {check.name for check in result.checks if check.passed}
    assert {"deterministic", "batch independence", "padding invariance", "model restored"} <= applicable
    assert ("parameter randomisation" in applicable) is not issubclass(kind, BaselineExplainer)
    assert ("node permutation" in applicable) is (kind is not Random)
    assert ("CAM identity" in applicable) is (kind.__name__ in ("STGGradCAM", "HiResCAM"))
    complete = ("STGGradCAM", "HiResCAM", "IntegratedGradients", "OwenValueSampling", "ShapleyValueSampling")
    assert ("completeness" in applicable) is (kind.__name__ in complete)


def test_an_explainer_that_is_given_is_copied_with_its_options_and_its_block():
    own = model()
    explain = STGGradCAM(own, layer="blocks.0")
    with explain:
        result = selftest(own, explain, batch())
    assert result.passed
    assert "at blocks.0" in result.subject
    assert "after layer 'blocks.0'" in result["CAM identity"].why
    other = with_model(TemporalRescaling(explain, alpha=0.2), renumbered(own, [1, 0, 3, 2]))
    assert other.explainer.layer is unwrapped(other.model).blocks[0]
    assert (other.alpha, other.graph.nodes) == (0.2, ("b", "a", "d", "c"))
    with pytest.raises(InputError, match="another model"):
        selftest(model(), explain, batch())
    with pytest.raises(InputError, match="expected an Explainer"):
        selftest(own, lambda model: model, batch())


def test_the_model_is_not_changed():
    own = model().train()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    assert selftest(own, InputGradient, batch()).passed
    for name, value in own.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(module.training for module in own.modules())


def test_the_curve_goes_from_the_last_layer_to_the_first():
    result = selftest(model(), InputGradient, batch())
    assert result.curve["layer"].tolist() == ["", "head", "blocks.1", "blocks.0", "data_norm"]
    assert result.curve["correlation"][0] == pytest.approx(1)
    assert (result.curve["low"] <= result.curve["correlation"]).all()
    assert (result.curve["correlation"] <= result.curve["high"]).all()
    assert abs(result.curve["random"]).max() < 0.2
    assert result["parameter randomisation"].value == result.curve["correlation"].iloc[-1]
    controlled = selftest(model(), Motion, batch())
    assert controlled.curve is None
    assert "does not use the model" in controlled["parameter randomisation"].why


def test_models_of_others_are_asked_what_they_can_be_asked():
    x = signals(2, 3, 9, 5, 2)
    plain = PlainSTGCN()

    def make(model):
        return STGGradCAM(model, inputs="b c t n m", layer="squash", layout="(b m) c t n")

    result = selftest(plain, make, x, target=Margin(0, 1), threshold=1)
    assert result.passed
    assert result["CAM identity"].passed
    assert result["completeness"].passed
    assert "takes no `valid`" in result["padding invariance"].why
    assert "give `permuted`" in result["node permutation"].why

    def permuted(order):
        other = PlainSTGCN()
        other.load_state_dict(plain.state_dict())
        other.adjacency = plain.adjacency[order][:, order]
        return other

    assert selftest(plain, make, x, permuted=permuted, threshold=1)["node permutation"].passed
    wrong = selftest(plain, make, x, permuted=lambda order: PlainSTGCN(seed=3), threshold=1)
    assert "another model" in wrong["node permutation"].why


def test_a_model_whose_score_changes_by_padding_is_no_fault_of_the_explainer():
    assert "score changes" in selftest(model("counted"), InputGradient, batch())["padding invariance"].why

    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(2 * 8 * 4 * 3, 2)

        def forward(self, x, valid=None):
            return self.head(x.flatten(1))

    assert "no longer samples" in selftest(Fixed().double(), InputGradient, batch())["padding invariance"].why


@pytest.mark.parametrize(
    "target",
    [
        Predicted(),
        Class([0, 2, 1]),
        PerSample([Class(0), Margin(1, 2), Class(2)]),
        Custom(lambda output: output.square().sum(1)),
        Forecast(1, 1, minus=torch.tensor([0.1, 0.2, 0.3]), layout="b n"),
    ],
    ids=repr,
)
def test_targets_are_cut_with_the_samples(target):
    assert selftest(model(), InputGradient, batch(), target=target)["batch independence"].passed


def test_further_arguments_of_the_model_are_passed_on():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(24, 3)

        def forward(self, x, gate, scale):
            return self.head((x * gate[:, None, None, None, None]).flatten(1)) * scale

    shared, per_sample = {"scale": 2.0}, {"gate": torch.tensor([1.0, 2.0])}
    result = selftest(Gated(), InputGradient, signals(2, 1, 4, 3, 2), shared=shared, per_sample=per_sample, threshold=1)
    assert result["batch independence"].passed


def test_windows_of_a_series_with_times_are_tested_and_the_layout_of_forecasts_found():
    speeds = pd.DataFrame(signals(40, 4).double().numpy(), pd.date_range("2026-01-05", periods=40, freq="5min"))
    windows = WindowedSeries(speeds, window=6, horizon=3).batch([0, 9])
    last = nn.Module()
    last.forward = lambda x: x[:, -3:].tanh()
    result = selftest(last, InputGradient, windows, target=Forecast(1, 2), draws=1, inputs="b t n")
    assert result["inputs unchanged"].passed
    assert not result.failed


def test_arrays_of_any_kind_are_looked_at():
    kinds = [np.array(["2026-01-05"], "datetime64[m]"), np.ones(2, ">f4"), np.arange(4)[::-1], np.array(["a", "b"])]
    before = input_snapshot(kinds)
    assert set(before) == {"0.0", "0.1", "0.2"}
    kinds[0] += 1
    assert changes(before, input_snapshot(kinds)) == {"0.0"}


def test_the_report():
    result = selftest(model(), InputGradient, batch(2))
    text = str(result)
    assert text.startswith(
        "self-test of input gradient on STGCN, 2 samples: 11 of 13 checks passed, 2 not applicable\n"
    )
    assert "checks the software, not whether an explanation is right" in text
    assert "not applicable  CAM identity" in text
    frame = result.to_frame()
    assert frame.columns.tolist() == ["check", "verdict", "value", "limit", "why"]
    assert len(frame) == 13
    assert json.loads(json.dumps(result.to_dict()))["passed"] is True
    with pytest.raises(KeyError):
        result["no such test"]


def test_a_renumbered_model_gives_the_same_logits():
    own, order = model().eval(), [2, 0, 3, 1]
    x = signals(2, 1, 8, 4, 3).double()
    permuted = renumbered(own, order)
    assert np.allclose(permuted(x[:, :, :, order]).detach(), own(x).detach(), atol=1e-12)
    assert renumbered(nn.Linear(1, 1), [0]) is None
    assert isinstance(with_model(Motion(own), permuted), Explainer)


class Locked(nn.Module):
    """Holds what cannot be copied."""

    def __init__(self):
        super().__init__()
        self.head, self.lock = nn.Linear(12, 2), threading.Lock()

    def forward(self, x):
        return torch.tanh(self.head(x.flatten(1)))


def test_a_model_that_cannot_be_copied_is_tested_as_far_as_it_can_be():
    result = selftest(Locked(), InputGradient, signals(2, 4, 3), inputs="b t n")
    assert result.passed
    assert result["parameter randomisation"].passed is None
    assert "cannot be copied" in result["parameter randomisation"].why
    assert result["model restored"].passed


def test_options_go_to_the_class_of_an_explainer_alone():
    plain = model()
    with pytest.raises(InputError, match="inputs: got an option for an explainer that exists already"):
        selftest(plain, InputGradient(plain), batch(), inputs="b m t n c")


def test_a_copied_explainer_keeps_every_option_of_the_call():
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    options = {
        "inputs": "b t c",
        "argument": "input",
        "signals": [0],
        "output": None,
        "chunk": 3,
        "classes": ("a", "b"),
    }
    copied = with_model(InputGradient(one, **options), other)
    assert copied.model is other
    assert {name: copied.options[name] for name in options} == options


def test_a_notebook_shows_the_verdicts_and_markup_is_text():
    result = SelfTest(
        "<b>CAM</b>", (Check("deterministic", True, 0.0, 1e-4), Check("order", False, 0.5, 1e-4, "a < b")), None
    )
    assert repr(result) == "<SelfTest of <b>CAM</b>: 1 of 2 checks passed, 1 failed>"
    page = result._repr_html_()
    assert "&lt;b&gt;CAM&lt;/b&gt;: 1 of 2 checks passed, 1 failed" in page
    assert "<td>deterministic</td>" in page
    assert "a &lt; b" in page
    assert "stexplain.trust" in page
