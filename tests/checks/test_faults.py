"""The self-test finds every seeded fault on every kind of model that it applies to, and sounds no false alarm."""

from contextlib import suppress
from functools import partial

import pytest
import torch
from torch import nn

from stexplain.checks import selftest as selftest_module
from stexplain.checks.selftest import selftest
from stexplain.checks.subject import Check
from stexplain.data.samples import Batch
from stexplain.explainers.methods.layer.layer_explainer import LayerExplainer
from stexplain.explainers.targets import Class, Forecast
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from tests.checks.faults import FAULTS, SOUND
from tests.explainers.every_explainer import EXPLAINERS
from tests.explainers.small_models import Recurrent, path_adjacency, signals

GRAPH = STGraph.from_edges("abcd", [("a", "b"), ("b", "c"), ("b", "d")], center="b")
ROADS = STGraph.from_edges("abcde", [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")], directed=True)
SAMPLES = 3


class ConvolutionalNetwork(nn.Sequential):
    """What users bring: plain convolutions, and a head that is a network itself. x is ``[B, C, T, N]``."""

    def __init__(self):
        torch.manual_seed(0)
        super().__init__(
            nn.Conv2d(3, 6, (3, 1), (2, 1), (1, 0)),
            nn.Tanh(),
            nn.Conv2d(6, 6, (3, 3), padding=(1, 1)),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(6 * 5 * 5, 12),
            nn.ReLU(),
            nn.Linear(12, 4),
        )


class Forecaster(nn.Module):
    """Graph convolutions and strided ones in time, without padding, to ``[B, H, N]``; x is ``[B, T, N, C]``."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.first, self.second = nn.Conv2d(2, 6, (3, 1), (2, 1)), nn.Conv2d(6, 6, (3, 1), padding=(1, 0))
        self.hidden, self.head = nn.Linear(6 * 5, 8), nn.Linear(8, 3)
        self.register_buffer("adjacency", path_adjacency(5).float())

    def forward(self, x):
        y = torch.tanh(self.first(x.permute(0, 3, 1, 2)) @ self.adjacency.T)
        y = torch.relu(self.second(y) @ self.adjacency.T)
        return self.head(torch.relu(self.hidden(y.permute(0, 3, 1, 2).flatten(2)))).transpose(1, 2)


def stgcn():
    torch.manual_seed(1)
    model = STGCN(GRAPH, classes=3, channels=(4, 4, 4), strides=(2, 1, 1), temporal_kernel=3)
    for name, value in model.state_dict().items():
        if name.endswith(("running_var", "importance")):
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point():
            value.normal_(0, 0.5)
    valid = torch.ones(SAMPLES, 2, 9, dtype=torch.bool)
    valid[1, :, 6:] = False
    x = signals(SAMPLES, 2, 9, 4, 3) * valid[..., None, None]
    return model, Batch(x, valid, torch.zeros(SAMPLES, dtype=torch.int64), ("a", "b", "c"))


# A model and samples; how it is called; the layer; the target; and what faults may need of it.
MODELS = {
    "STGCN": (stgcn, {}, "blocks.1", Class([1, 2, 0]), "classes instances padding before stride channels"),
    "convolutional network": (
        lambda: (ConvolutionalNetwork(), signals(SAMPLES, 3, 10, 5)),
        {"inputs": "b c t n"},
        "3",
        None,
        "classes before stride channels",
    ),
    "recurrent network": (
        lambda: (Recurrent(), signals(SAMPLES, 6, 5, 2)),
        {"inputs": "b t n c"},
        "cell",
        None,
        "classes channels",
    ),
    "forecaster": (
        lambda: (Forecaster(), signals(SAMPLES, 12, 5, 2)),
        {"inputs": "b t n c", "graph": ROADS},
        "second",
        Forecast(1, 2, layout="b t n"),
        "before stride channels",
    ),
}
WHOLE = MODELS["convolutional network"]
QUICK = {"LearnedMask": {"steps": 10}, "ShapleyValueSampling": {"orders": 4}, "IntegratedGradients": {"steps": 16}}


@pytest.fixture(params=MODELS)
def place(request):
    return MODELS[request.param]


def self_tested(place, kind, **own):
    make, options, layer, target, _ = place
    model, x = make()
    own |= {"layer": layer} if issubclass(kind, LayerExplainer) else {}
    return selftest(model, partial(kind, **own), x, target=target, draws=1, **options)


class Found(Exception):
    """A check has failed: whatever the others say, the self-test has."""


def end_at_the_first(patch):
    """Of the checks of an explainer the self-test makes no more once one has failed."""
    settled = selftest_module._settled

    def first(check, subject):
        found = settled(check, subject)
        if found.passed is False:
            raise Found
        return found

    patch.setattr(selftest_module, "_settled", first)


KNOWN: dict[str, Check] = {}


def find_known_models_once(patch, key):
    """What an explainer finds of known models does not depend on the model that it is tested on: the four share it."""
    known_models_found = selftest_module.known_models_found

    def found(own, given):
        if key not in KNOWN:
            KNOWN[key] = known_models_found(own, given)
        return KNOWN[key]

    patch.setattr(selftest_module, "known_models_found", found)


@pytest.mark.filterwarnings("ignore:.*contributions do not add up:UserWarning")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(place, name, monkeypatch):
    fault = FAULTS[name]
    if not fault.needs <= set(place[-1].split()):
        pytest.skip("the fault changes nothing of such a model")
    find_known_models_once(monkeypatch, name)
    if place is not WHOLE and fault.needs <= set(WHOLE[-1].split()):
        # The whole of it, after a check that failed too, is computed on one model: it is the cheapest.
        end_at_the_first(monkeypatch)
        with suppress(Found):
            result = self_tested(place, fault.kind, **QUICK.get(fault.kind.__name__, {}))
            assert not result.passed, str(result)
        return
    result = self_tested(place, fault.kind, **QUICK.get(fault.kind.__name__, {}))
    assert not result.passed, str(result)


@pytest.mark.filterwarnings("ignore:.*contributions do not add up:UserWarning")
@pytest.mark.parametrize("name", SOUND)
def test_what_is_changed_without_a_fault_passes(place, name, monkeypatch):
    base, attributes = SOUND[name]
    find_known_models_once(monkeypatch, name)
    self_tested(place, type(base.__name__, (base,), attributes)).raise_for_failure()


def test_there_are_as_many_as_were_tried():
    """33 were tried on the first self-test, of which it found 12 on a plain convolutional network."""
    names = {name.split(": ")[1] for name in FAULTS}
    assert len(names) >= 33


@pytest.mark.filterwarnings("ignore:.*contributions do not add up:UserWarning")
@pytest.mark.parametrize("kind", EXPLAINERS, ids=lambda kind: kind.__name__)
def test_a_sound_explainer_passes(place, kind, monkeypatch):
    if kind.__name__ == "GraphAblated" and place[2] != "blocks.1":
        pytest.skip("it needs a graph convolution of this package")
    if kind.__name__ == "CAM" or (kind.__name__ == "GradCAMPlusPlus" and place[2] in ("cell", "second")):
        pytest.skip("these networks have no head for it, or features that are negative")
    find_known_models_once(monkeypatch, kind.__name__)
    result = self_tested(place, kind, **QUICK.get(kind.__name__, {}))
    result.raise_for_failure()
