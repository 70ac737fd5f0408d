"""What an explanation is called: two ways to make a map must not share a name, or the reason stands here."""

from inspect import signature
from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data import Batch, WindowedSeries
from stexplain.data.baselines import HistoryOr
from stexplain.explainers.by_name import methods, option_names
from stexplain.explainers.methods import (
    CAM,
    ExpectedFall,
    ExpectedGradients,
    InputGradient,
    Occlusion,
    OwenValueSampling,
    Slowness,
    SlownessNearTarget,
    TrainingMap,
)
from stexplain.explainers.methods.layer.layer_explainer import LayerOptions
from stexplain.explainers.methods.naming import base_name, named
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.targets import Custom
from stexplain.graph import STGraph

ESTIMATED = "how finely one quantity is estimated: standard errors or a convergence check tell of it"
MEMORY = "how much is held at once, which changes no value"
MODEL = "how the model is called and its layer read: it belongs to the model, and `Explanation.layer` says it"
REASONS = {
    "seed": ESTIMATED, "orders": ESTIMATED, "antithetic": ESTIMATED, "copies": MEMORY, "chunk": MEMORY,
    "reduce": "`Explanation.reduce` says it, and calibrations compare it too",
    "head": MODEL,
    **dict.fromkeys((*CallOptions.__annotations__, *LayerOptions.__annotations__), MODEL),
    ("IntegratedGradients", "steps"): ESTIMATED, ("GradientSHAP", "draws"): ESTIMATED,
    ("TrainingMap", "training"): "it cannot be left out: there is no other map of that method",
}  # fmt: skip
"""Arguments, of all methods or of one, that do not change the name."""


def ours(x, valid, graph=None):
    return torch.zeros_like(x)


VALUES = {
    "baseline": ["zero", "mean", "interpolation", HistoryOr("interpolation"), ours],
    "baselines": [["zero"], ["mean"], ["zero", "mean"], [HistoryOr("mean")], ["zero", ours], [ours]],
    "draws": [2, 4], "spread": [0.5, 0.1234567, 0.1234568], "rises": [True, False], "steps": [2, 4], "reach": [0.25, 1],
    "noise": [0.1, 0.2], "goal": ["destroy"], "size": [0.1, 0.3], "smoothness": [0.0, 1.0],
    "connectedness": [0.1, 0.3], "rate": [0.1, 0.3], "window": [2, 3], "stride": [2, 3],
    "groups": [{"a": [0]}], "per_channel": [True], "alpha": [0.2, 0.3], "adjacency": [["A"], ["A", "B"]],
    "parity": ["das2022"],
    "hops": [0, 1], "direction": ["upstream", "both"], "pace": [1.0, 2.5], "channel": [1, "flow"],
}  # fmt: skip
"""Other values than the default's, by argument; the default's own may be among them."""


def training(kind):
    """What a baseline explainer knows of training samples."""
    if issubclass(kind, Slowness):
        return WindowedSeries(np.ones((8, 2)), window=2, horizon=1)
    truth = torch.tensor([[False, True], [True, True]]).view(1, 1, 2, 2)
    return Batch(torch.zeros(1, 1, 2, 2, 3), torch.ones(1, 1, 2).bool(), torch.zeros(1), ("a",), truth)


def made(kind, **options):
    names = option_names(kind.__name__)
    if kind is TrainingMap:
        options["training"] = training(kind)
    graph = {"graph": STGraph.from_edges("ab", [("a", "b")], directed=True)} if "graph" in names else {}
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    if "explainer" in signature(kind).parameters:
        return kind(model, **options)
    return kind(model, **{**graph, **options})


ALTERNATIVES = [
    pytest.param(kind, argument, id=f"{name}-{argument}")
    for name, kind in methods().items()
    for argument in option_names(name)
    if argument not in REASONS and (name, argument) not in REASONS
]


@pytest.mark.parametrize(("kind", "argument"), ALTERNATIVES)
def test_an_argument_that_changes_the_map_changes_the_name(kind, argument):
    values = [training(kind)] if argument == "training" else VALUES[argument]
    default = next(one.default for base in kind.__mro__ for one in [signature(base).parameters.get(argument)] if one)
    names = [made(kind).method, *(made(kind, **{argument: value}).method for value in values if value is not default)]
    assert len(names) > 1
    assert len(set(names)) == len(names), names
    for name in names[1:]:
        assert base_name(name) == base_name(names[0])


@pytest.mark.parametrize("name", sorted(methods()))
def test_the_name_of_the_defaults_is_that_of_the_class(name):
    kind = methods()[name]
    given = made(kind).method
    # The goal stands there in any case; wrappers are named by what they wrap.
    expected = {"LearnedMask": "learned mask (keep)", "GraphAblated": "input gradient, without the graph"}
    assert given == {**expected, "TemporalRescaling": "input gradient, rescaled in time"}.get(name, kind.method)


def test_all_combinations_of_expected_fall_are_told_apart():
    chosen = {
        "baseline": [HistoryOr("mean"), "mean", "zero", ours], "draws": [16, 8, 2], "spread": [1, 0.5, 1.0000001],
        "rises": [None, True, False],
    }  # fmt: skip
    found = [
        ExpectedFall(nn.Flatten(), **dict(zip(chosen, values, strict=True))).method
        for values in product(*chosen.values())
    ]
    assert len(set(found)) == len(found) == 4 * 3 * 3 * 3
    assert found[0] == "expected fall"
    assert ExpectedFall(nn.Flatten(), baseline="zero", draws=8, rises=True).method == (
        "expected fall (rises counted, baseline zero, draws 8)"
    )
    # A tensor is another baseline, and compares with none.
    assert ExpectedFall(nn.Flatten(), baseline=torch.zeros(1, 1, 1, 1)).method == "expected fall (another baseline)"


def test_pairs_of_arguments_are_told_apart():
    for one, other in combinations(["groups", "stride", "baseline", "per_channel", "window"], 2):
        both = {argument: VALUES[argument][0] for argument in (one, other)}
        names = {made(Occlusion, **some).method for some in ({}, {one: both[one]}, {other: both[other]}, both)}
        assert len(names) == 4


def test_settings_are_named_as_they_were_given():
    assert made(Occlusion, window=4, stride=2, baseline="mean", per_channel=True).method == (
        "occlusion (window 4, stride 2, baseline mean, per channel)"
    )
    assert made(OwenValueSampling, window=None, groups={"a": [0]}).method == (
        "Owen value sampling (other groups, no window)"
    )
    assert made(ExpectedGradients, baselines=["zero", ours], reach=1, steps=4).method == (
        "expected gradients (baselines zero and another, reach 1, steps 4)"
    )
    assert made(SlownessNearTarget, training=training(Slowness), hops=1).method == (
        "slowness near the target (below the training mean, hops 1)"
    )


def test_a_class_of_ones_own_has_its_own_defaults():
    class Mine(Occlusion):
        method = "mine"

        def __init__(self, model, *, window=4, **options):
            super().__init__(model, window=window, baseline="mean", **options)

    assert Mine(nn.Flatten()).method == "mine (baseline mean)"
    assert Mine(nn.Flatten(), window=8).method == "mine (window 8, baseline mean)"
    with pytest.raises(TypeError, match="Mine has no argument 'windows'"):
        named(Mine, "mine", windows=3)


def test_what_the_name_leaves_out_stands_in_reduce():
    x = torch.randn(1, 1, 3, 2, 2)
    for kind, reductions in ((InputGradient, ("norm", "positive", "sum")), (ExpectedGradients, ("norm", "sum"))):
        found = [kind(nn.Flatten(), reduce=one)(x, target=Custom(lambda y: (y**2).sum(1))) for one in reductions]
        assert len({e.method for e in found}) == 1
        assert len({e.reduce for e in found}) == len(reductions)
        assert not np.allclose(found[0].values, found[-1].values)


def test_a_head_is_read_from_the_model():
    model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    options = {"layer": "0", "layout": "b c t n", "inputs": "b c t n"}
    assert CAM(model, head="3", **options).method == CAM(model, **options).method == "CAM"
