"""A sound map of a network that has learned its task is trusted; no other is."""

import json
import re
from functools import partial
from importlib import import_module

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.checks.model_state import changes, snapshot
from stexplain.checks.trust.result import Trust, TrustCheck
from stexplain.checks.trust.trust import CHECKS
from stexplain.errors import InputError
from stexplain.explainers.explainer import Maps
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.intervals.bootstrap import Interval
from stexplain.progress import Progress
from tests.checks.trust.easy_task import CLASSES, GRAPH, LAYOUT, network, samples, trained

X, LABELS = samples(40, seed=7)


def trust(model, explainer, x=X, labels=LABELS, **options):
    if not isinstance(explainer, stx.explainers.Explainer):
        options = {"inputs": LAYOUT, **options}
    return stx.trust(model, explainer, x, labels=labels, **options)


class Flipped(IntegratedGradients):
    """What spoke for the class now speaks against it."""

    def _maps(self, model_input, score_fn):
        maps = super()._maps(model_input, score_fn)
        return Maps(-maps.values, maps.scores)

    def _finished(self, explanation):
        return explanation


class OtherClass(IntegratedGradients):
    """Explains the class after the one that it was asked for, and says nothing of it."""

    def _explain(self, x, targets, *arguments):
        others = []
        for target in targets:
            with torch.no_grad():
                given = target.which if isinstance(target, stx.Class) else self.model(X).argmax(1).tolist()
            others.append(stx.Class([(each + 1) % CLASSES for each in given]))
        return super()._explain(x, others, *arguments)


SOUND = {
    "integrated gradients": partial(stx.IntegratedGradients, baseline="mean", steps=16, inputs=LAYOUT),
    "expected fall": partial(stx.ExpectedFall, inputs=LAYOUT),
    "expected gradients": partial(stx.ExpectedGradients, inputs=LAYOUT),
    "occlusion": partial(stx.Occlusion, baseline="mean", window=4, inputs=LAYOUT),
}


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_a_sound_map_of_a_network_that_has_learned_is_trusted(make):
    verdict = trust(trained(), make(trained()), second=trained(1))
    assert verdict.trusted, str(verdict)
    assert all(check.passed for check in verdict.checks)
    assert str(verdict).splitlines()[0].endswith("trusted; 6 of 6 checks passed")
    assert len(verdict.reasons) == 6


def test_a_map_that_a_simple_control_beats_is_not_trusted():
    """STG-Grad-CAM spreads over frames: positions far from where a node began cost more of the score."""
    verdict = trust(trained(), stx.STGGradCAM(trained(), layer="1", inputs=LAYOUT))
    assert not verdict.trusted
    assert "displacement, which uses no model" in str(verdict["deletion"].sentence)


@pytest.mark.parametrize("kind", [Flipped, OtherClass])
def test_a_map_of_the_wrong_sign_or_class_is_not_trusted(kind):
    verdict = trust(trained(), partial(kind, baseline="mean", steps=16, inputs=LAYOUT)(trained()))
    assert not verdict.trusted
    # The network is as accurate as before: it is the map that is wrong.
    assert verdict["accuracy"].passed
    assert verdict["deletion"].passed is False
    assert verdict["agreement between methods"].passed is False


@pytest.mark.parametrize("kind", [stx.Random, stx.Motion])
def test_a_map_that_uses_no_model_is_not_trusted(kind):
    verdict = trust(trained(), kind, second=trained(1))
    assert not verdict.trusted
    assert verdict["accuracy"].passed
    assert verdict["deletion"].passed is verdict["parameter randomisation"].passed is False
    # It is the same for any two trainings, which shows nothing.
    assert verdict["second training"].passed is None


# Ten networks of each of three kinds, each with labels that mean something and labels that mean nothing.
KINDS = {"convolution": "STGGradCAM", "perceptron": "IntegratedGradients", "stgcn": "InputGradient"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_network_is_never_trusted(kind):
    for seed in range(10):
        model = network(seed, kind)
        x, labels = samples(30, seed=100 + seed)
        if seed % 2:
            labels = torch.randint(0, CLASSES, (30,), generator=torch.Generator().manual_seed(seed))
        # STGCN takes [B, M, T, N, C].
        x, inputs = (x.permute(0, 2, 3, 1)[:, None], None) if kind == "stgcn" else (x, LAYOUT)
        verdict = trust(model, KINDS[kind], x, labels, steps=2, draws=1, inputs=inputs, graph=GRAPH)
        assert not verdict.trusted, f"{seed}: {verdict}"
        # Not by luck of another check: that it has learned anything is what is not shown.
        assert verdict["accuracy"].passed is False
        assert "accuracy" in verdict.reasons[0]


def test_a_network_that_learned_shuffled_labels_is_not_trusted():
    for seed in range(3):
        model = trained(seed, shuffled=True)
        verdict = trust(model, "STGGradCAM", steps=4, draws=1)
        assert not verdict.trusted
        assert verdict["accuracy"].passed is False


def test_an_accuracy_that_shuffled_weights_reach_too_is_no_evidence():
    # Whether the first value is positive: a network that compares it with any threshold near zero is right.
    torch.manual_seed(0)
    x = torch.randn(60, 1, 1, 1)
    labels = (x.flatten() > 0).long()
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False)).eval()
    model[1].weight.data = torch.tensor([[-1.0], [1.0]])
    verdict = trust(model, "InputGradient", x, labels)
    check = verdict["accuracy"]
    assert check.value == 1
    assert check.passed is False
    assert re.search(r" (1 of \d+ copies is|(0|[2-9]|\d\d+) of \d+ copies are) as accurate\.", check.sentence)


def test_few_samples_show_nothing():
    verdict = trust(trained(), "STGGradCAM", X[:6], LABELS[:6])
    assert not verdict.trusted
    assert {check.passed for check in verdict.checks} == {None}
    assert "got 6 samples; expected at least 10" in str(verdict)
    grouped = trust(trained(), "STGGradCAM", groups=np.arange(40) % 4)
    assert not grouped.trusted
    assert "got 4 groups; expected at least 10. Samples of a group, such as a person's" in str(grouped)
    # It stands in the way of all checks, and is said once; the table has a row for each.
    for said in (str(grouped), grouped._repr_html_(), *grouped.reasons):
        assert said.count("got 4 groups") == 1
    assert str(grouped).splitlines()[1].split("  ")[1:3] == ["not checked", "all checks"]
    assert not {"None", "nan", "above"} & set(re.findall(r"<td>(\w*)</td>", grouped._repr_html_()))
    assert grouped.reasons[0].startswith("accuracy, deletion: Not shown")
    assert len(grouped.reasons) == 1
    assert grouped.to_frame()["check"].tolist() == list(CHECKS)


def test_checks_that_were_made_are_told_one_by_one():
    same = "The same words."
    verdict = Trust(
        "CAM",
        (
            TrustCheck("accuracy", True, same),
            TrustCheck("deletion", False, same),
            TrustCheck.not_checked("stability", same),
            TrustCheck("second training", None, same, Interval(0.5, 0.1, 0.9), 0.2),
            TrustCheck.not_checked("parameter randomisation", same),
        ),
    )
    told = [line.split(same)[0].split() for line in str(verdict).splitlines()[1:]]
    assert [line[:2] for line in told] == [
        ["passed", "accuracy"], ["failed", "deletion"], ["not", "checked"], ["not", "checked"]
    ]  # fmt: skip
    assert told[2][2:] == ["stability,", "parameter", "randomisation"]
    assert verdict.reasons == (f"deletion: {same}",)


def test_on_a_terminal_it_says_which_check_is_made(monkeypatch):
    said = []

    class Seen(Progress):
        def update(self, completed, *, what=None, note=None):
            said.append((completed, what))
            super().update(completed, what=what, note=note)

    monkeypatch.setattr(import_module("stexplain.checks.trust.trust"), "Progress", Seen)
    trust(trained(), "InputGradient", X, LABELS, copies=2, steps=3)
    assert said == [(number, f"trust: {name}") for number, name in enumerate(CHECKS)]


def test_copies_of_a_sample_are_one_sample_where_they_are_one_group():
    x, labels = samples(12, seed=7)
    alone = trust(trained(), "STGGradCAM", x, labels, steps=4, draws=1)
    each, groups = np.repeat(np.arange(12), 4), np.repeat(np.arange(12), 4)
    together = trust(trained(), "STGGradCAM", x[each], labels[each], groups=groups, steps=4, draws=1)
    separate = trust(trained(), "STGGradCAM", x[each], labels[each], steps=4, draws=1)

    def width(verdict):
        low, high = verdict["deletion"].estimate[1:]
        return high - low

    assert width(together) == pytest.approx(width(alone), rel=0.3)
    assert width(separate) < 0.7 * width(together)
    assert "48 samples in 12 groups" in together.subject


class Says(nn.Module):
    """A network that says the same class of whatever it is given."""

    def __init__(self, of):
        super().__init__()
        self.network = network(0)
        self.register_buffer("bias", 100.0 * (torch.arange(CLASSES) == of))

    def forward(self, x):
        return self.network(x) + self.bias


def test_who_always_says_one_class_knows_nothing_however_unequal_the_groups_are():
    # One class comes in groups of six, the others in groups of one.
    labels = torch.tensor([0] * 36 + [1] * 6 + [2] * 6)
    x = torch.randn(len(labels), *X.shape[1:], generator=torch.Generator().manual_seed(0))
    groups = [*np.repeat(np.arange(6), 6), *range(6, 18)]
    for of in range(CLASSES):
        check = trust(Says(of), "InputGradient", x, labels, groups=groups, steps=3, draws=1, copies=9)["accuracy"]
        assert check.passed is False
        assert check.value == pytest.approx(1 / CLASSES)
        assert check.estimate.low < 1 / CLASSES < check.estimate.high


def test_another_training_that_learned_nothing_disagrees():
    verdict = trust(trained(), "IntegratedGradients", second=network(5), baseline="mean", steps=8)
    assert verdict["second training"].passed is False
    assert not verdict.trusted


def test_the_explainer_may_be_made_named_or_left_to_explain():
    model = trained()
    made = trust(model, stx.STGGradCAM(model, layer="1", inputs=LAYOUT))
    for given in (stx.STGGradCAM, "STGGradCAM"):
        assert trust(model, given, layer="1").to_dict() == made.to_dict()
    # Nothing declared: the layout is found, as by the explainer itself.
    found = stx.trust(model, stx.STGGradCAM(model, layer="1", graph=GRAPH), X, labels=LABELS)
    assert found.to_dict() == made.to_dict()
    by_default = trust(model, None)
    assert by_default.trusted
    assert by_default.subject.startswith(stx.explain(model, X, inputs=LAYOUT).method)


def test_the_model_and_the_samples_are_left_as_they_were():
    model = trained(2).train()
    before, x, second = snapshot(model), X.clone(), snapshot(trained(1))
    trust(model, "STGGradCAM", x, second=trained(1), steps=4, draws=1)
    assert not changes(before, snapshot(model))
    assert not changes(second, snapshot(trained(1)))
    assert torch.equal(x, X)
    model.eval()


def test_the_result_in_other_forms():
    verdict = trust(trained(), SOUND["integrated gradients"](trained()))
    table = verdict.to_frame()
    assert table["check"].tolist() == [check.name for check in verdict.checks]
    assert table["verdict"].tolist() == ["passed"] * 5 + ["not checked"]
    assert json.loads(json.dumps(verdict.to_dict()))["trusted"] is True
    assert str(verdict).splitlines()[0].endswith("trusted; 5 of 6 checks passed, not checked: second training")
    page = verdict._repr_html_()
    assert "trusted; 5 of 6" in page
    assert "<table" in page
    with pytest.raises(KeyError):
        verdict["acuracy"]


def test_wrong_use_is_refused_with_a_remedy():
    model = trained()
    explainer = stx.STGGradCAM(model, layer="1", inputs=LAYOUT)
    with pytest.raises(InputError, match="labels: got 39; expected 40, one for each sample"):
        trust(model, explainer, labels=LABELS[:39])
    with pytest.raises(InputError, match="labels: got class 3 at sample 2; expected 0 to 2"):
        trust(model, explainer, labels=LABELS + 1)
    with pytest.raises(InputError, match="labels: got -1 at sample 0; expected a class, from 0"):
        trust(model, explainer, labels=LABELS - 1)
    with pytest.raises(InputError, match=r"labels: got values of shape \(40,\).*labels.astype\(int\)"):
        trust(model, explainer, labels=LABELS.double(), target=stx.Predicted())
    with pytest.raises(InputError, match="labels: got none; expected the true class"):
        trust(model, explainer, labels=None)
    with pytest.raises(InputError, match="unknown|Did you mean"):
        trust(model, explainer, labels=["wave"] * 40)
    with pytest.raises(InputError, match="explainer: got one of another model"):
        trust(network(1), explainer)
    with pytest.raises(InputError, match="layer: got an option for an explainer that exists already"):
        trust(model, explainer, layer="0")
    with pytest.raises(InputError, match="explainer: got an int; expected an explainer of the model"):
        trust(model, 3)
    # As other calls take them: samples, then labels.
    with pytest.raises(InputError, match="explainer: got a Tensor; expected an explainer of the model"):
        trust(torch.nn.Flatten(), torch.zeros(2, 1, 4, 3, 1), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(InputError, match="second: got the weights of `model` itself"):
        trust(model, explainer, second=model)
    with pytest.raises(InputError, match="second: got a Sequential that differs in"):
        trust(model, explainer, second=network(0, "perceptron"))
    with pytest.raises(InputError, match="groups"):
        trust(model, explainer, groups=[1, 2])
    with pytest.raises(InputError, match="copies"):
        trust(model, explainer, copies=0)


def test_what_lowered_a_forecast_counts_as_what_raised_it():
    """A sensor that is slow lowers the forecast, and without it the forecast rises: the map that names it is sound."""

    class Follows(nn.Module):
        def forward(self, x):
            return (60 + (x[:, 3:4, :1] - 60) + 0.2 * (x[:, 11:12] - 60)).expand(-1, 2, -1)

    generator = torch.Generator().manual_seed(0)
    # What stands out most is not what is used.
    x = 60 + torch.randn(40, 12, 4, generator=generator) * torch.tensor([6.0, 8, 8, 8])
    target = stx.Forecast(0, horizon=1, layout="b t n")
    model = Follows()
    explain = stx.ExpectedFall(model, inputs="b t n")
    sound = stx.trust(model, explain, x, labels=model(x)[:, 0, 0], target=target)
    deletion = next(check for check in sound.checks if check.name == "deletion")
    assert deletion.passed
    assert "by which the map's curve of change under deletion lies above that of" in deletion.sentence
