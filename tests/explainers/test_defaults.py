"""What is left out when an explainer is made: the numbers that users get unless they say otherwise."""

import inspect

import pytest
from torch import nn

import stexplain as stx
from tests.explainers.every_explainer import kinds

SAMPLED = {"orders": 25, "antithetic": False, "seed": 0, "per_channel": False, "copies": 16}
DEFAULTS = {
    "ExpectedFall": {"draws": 16, "spread": 1.0, "seed": 0},
    "ExpectedGradients": {"reach": 0.5, "steps": 8, "reduce": "norm", "seed": 0},
    "GradientSHAP": {"draws": 32, "noise": 0.0, "seed": 0, "copies": 8},
    "InputGradient": {"reduce": "norm"},
    "IntegratedGradients": {"steps": 32, "copies": 8},
    "LearnedMask": {"goal": "keep", "size": 0.2, "smoothness": 0.2, "connectedness": 0.0, "window": 1, "steps": 50}
    | {"per_channel": False, "rate": 0.2},
    "Occlusion": {"window": 8, "per_channel": False, "copies": 16},
    "OwenValueSampling": SAMPLED | {"window": 8, "orders": 4, "antithetic": True},
    "Random": {"seed": 0},
    "ShapleyValueSampling": SAMPLED,
    "Slowness": {"channel": 0},
    "SlownessNearTarget": {"hops": 2, "direction": "downstream", "channel": 0},
    "TemporalRescaling": {"alpha": 0.55, "window": 1, "per_channel": False, "copies": 16},
}
PLAIN = (bool, int, float, str)


@pytest.mark.parametrize("kind", sorted(set(kinds()), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_numbers_that_are_left_out(kind):
    """A new explainer with a default is entered here; one whose default changes gives its users other maps."""
    taken = inspect.signature(kind.__init__).parameters
    found = {word: one.default for word, one in taken.items() if isinstance(one.default, PLAIN)}
    assert found == DEFAULTS.get(kind.__name__, {})


@pytest.mark.parametrize("name", [name for name in DEFAULTS if name not in ("ExpectedFall", "SlownessNearTarget")])
def test_what_is_made_without_them_has_them(name):
    kind, model = getattr(stx, name), nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    explain = kind() if name in ("Random", "Slowness") else kind(model)
    kept = {word: getattr(explain, word) for word in DEFAULTS[name] if hasattr(explain, word)}
    assert kept
    assert kept == {word: DEFAULTS[name][word] for word in kept}
