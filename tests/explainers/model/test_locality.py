"""A forecast of few nodes is explained on the nodes that it depends on: the maps are those of the whole graph."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.samples import Batch
from stexplain.data.scaler import Scaler
from stexplain.errors import InputError
from stexplain.explainers import (
    ExpectedFall,
    ExpectedGradients,
    Forecast,
    GradientSHAP,
    InputGradient,
    IntegratedGradients,
    LearnedMask,
    Occlusion,
    OwenValueSampling,
    PerSample,
    ShapleyValueSampling,
    STGGradCAM,
    TemporalRescaling,
    explain,
)
from stexplain.graph import STGraph
from stexplain.nn.traffic import STGCNForecaster
from tests.explainers.every_explainer import EXPLAINERS

# Of few steps: maps are compared with each other.
pytestmark = pytest.mark.filterwarnings("ignore:.*No convergence:UserWarning")

N, T = 40, 12
NOTE = "the receptive field of the target"
CASES = {
    "gradient": (InputGradient, {}),
    "integrated gradients": (IntegratedGradients, {"baseline": "neighbours", "steps": 4}),
    "expected fall": (ExpectedFall, {"draws": 2}),
    "expected gradients": (ExpectedGradients, {"baselines": ["interpolation", "neighbours"], "steps": 2}),
    "gradient SHAP": (GradientSHAP, {"draws": 3, "noise": 0.5}),
    "occlusion": (Occlusion, {"window": 4, "stride": 3, "baseline": "neighbours"}),
    "occlusion of channels": (Occlusion, {"window": None, "per_channel": True, "signals": [0, 1]}),
    "occlusion of groups": (Occlusion, {"window": None, "groups": {"a": ["s5", "s6", "s39"], "b": ["s38", "s39"]}}),
    "Shapley": (ShapleyValueSampling, {"orders": 4, "window": 6, "baseline": "mean"}),
    "Shapley of groups": (ShapleyValueSampling, {"orders": 2, "groups": [["s5", "s30"]], "per_channel": True}),
    "Owen": (OwenValueSampling, {"orders": 2, "window": None, "baseline": torch.tensor([50.0, 0.3])}),
    "learned mask": (LearnedMask, {"steps": 8, "connectedness": 0.2}),
    "learned mask of groups": (LearnedMask, {"steps": 8, "goal": "destroy", "groups": [["s5", "s38"]], "window": 3}),
}


def network(directed=False, seed=0, relations="chebyshev"):
    """A sparse random graph with isolated nodes, and a forecaster of two channels over it."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(N - 2, size=(44 if directed else 56, 2))
    ends = np.unique(ends if directed else np.sort(ends, axis=1), axis=0)
    pairs = ends[ends[:, 0] != ends[:, 1]]
    weight = rng.random(len(pairs)) + 0.2
    with pytest.warns(UserWarning, match="without an edge"):
        graph = STGraph([f"s{index}" for index in range(N)], pairs, weight, directed=directed)
    torch.manual_seed(seed)
    options = {"blocks": ((6, 4, 6), (6, 4, 6)), "channels_in": 2, "order": 2, "relations": relations}
    return STGCNForecaster(graph, scaler=Scaler([55.0, 0.5], [12.0, 0.2]), **options).double().eval()


def readings(missing=True, samples=3):
    torch.manual_seed(1)
    speed = 55 + 12 * torch.randn(samples, 1, T, N, 1)
    x = torch.cat([speed, torch.rand(samples, 1, T, N, 1)], -1).double()
    valid = torch.ones(samples, 1, T, dtype=torch.bool)
    valid[-1, 0, :2] = False
    observed = (torch.rand(samples, 1, T, N) > 0.2) & valid[..., None]
    x = x * valid[..., None, None]
    labels = torch.full((samples,), -1)
    return Batch(x, valid, labels, tuple("abc"[:samples]), observed=observed if missing else None)


@pytest.fixture
def whole(monkeypatch):
    """Runs a function with models that do not say what they depend on."""

    def run(function):
        with monkeypatch.context() as patch:
            patch.setattr(STGCNForecaster, "restricted_to", lambda self, nodes: None)
            return function()

    return run


def assert_same(local, whole):
    assert any(NOTE in note for note in local.notes)
    assert not any(NOTE in note for note in whole.notes)
    size = np.abs(whole.values).max()
    assert size > 0
    for name in ("values", "channels", "standard_error", "score"):
        one, other = getattr(local, name), getattr(whole, name)
        assert (one is None) == (other is None)
        if other is not None:
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * max(np.abs(other).max(), size))
    for name, numbers in whole.extra.items():
        np.testing.assert_allclose(local.extra[name], numbers, rtol=1e-6, atol=1e-5)
    assert local.node_names == whole.node_names
    assert local.graph is whole.graph
    assert local.target == whole.target


def test_every_method_that_asks_for_scores_alone_is_tried():
    asking = {kind for kind in EXPLAINERS if vars(kind).get("_scores_alone")} - {TemporalRescaling}
    assert asking <= {kind for kind, _ in CASES.values()}
    assert {Occlusion, InputGradient, LearnedMask} <= asking


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("directed", [False, True])
def test_the_map_is_that_of_the_whole_graph(case, directed, whole):
    kind, options = CASES[case]
    model, samples = network(directed, relations="random_walk" if directed else "chebyshev"), readings()
    target = Forecast("s5", [3, 6])

    def run():
        return kind(model, **options)(samples, target=target)

    local = run()
    assert_same(local, whole(run))
    if "groups" not in options and kind is not LearnedMask:
        field = model.restricted_to([5]).field.tolist()
        assert not np.delete(local.values, field, -1).any()
        assert len(field) < N / 2


def test_rescaling_works_around_another_on_the_field(whole):
    model, samples = network(), readings(samples=1)

    def run():
        inner = IntegratedGradients(model, steps=2, baseline="mean")
        return TemporalRescaling(inner, window=6, alpha=0.3, baseline="neighbours")(samples, target=Forecast("s5", 2))

    assert_same(run(), whole(run))


def test_a_tensor_without_missing_readings_in_float32(whole):
    model, samples = network().float(), readings(missing=False)

    def run():
        return Occlusion(model, window=None, baseline="mean")(samples.x.float(), target=Forecast(5, 1))

    local, all_nodes = run(), whole(run)
    np.testing.assert_allclose(local.values, all_nodes.values, atol=1e-4)  # of scores of about 55


@pytest.mark.parametrize("kind", [InputGradient, Occlusion, ExpectedGradients])
def test_several_targets_at_once(kind, whole):
    model, samples = network(), readings()
    # The third reads all nodes: what cannot be restricted is explained as ever, in its place.
    targets = [Forecast("s5", 3), Forecast(["s5", "s39"], [1, 2]), lambda y: y.sum((1, 2)), Forecast("s8", 1)]

    def run():
        return kind(model)(samples, target=targets)

    local, all_nodes = run(), whole(run)
    for index in (0, 1, 3):
        assert_same(local[index], all_nodes[index])
    np.testing.assert_array_equal(local[2].values, all_nodes[2].values)
    assert not any(NOTE in note for note in local[2].notes)


def test_another_target_for_every_sample_and_in_chunks(whole):
    model, samples = network(), readings()
    target = PerSample([Forecast("s5", 3), Forecast("s8", 6), Forecast("s39", 1, minus=torch.tensor([50.0, 51, 52]))])

    def run(chunk=None):
        return IntegratedGradients(model, baseline="mean", steps=4, chunk=chunk)(samples, target=target)

    assert_same(run(), whole(run))
    assert_same(run(chunk=2), whole(run))


def test_the_order_of_the_nodes_does_not_matter():
    model, samples = network(), readings()
    order = np.random.default_rng(3).permutation(N).tolist()
    other = STGCNForecaster(model.graph.permute(order), **model.hyperparameters, scaler=model.scaler).double().eval()
    other.load_state_dict(model.state_dict())
    permuted = replace(samples, x=samples.x[..., order, :], observed=samples.observed[..., order])
    one = Occlusion(model, window=4)(samples, target=Forecast("s5", 3))
    two = Occlusion(other, window=4)(permuted, target=Forecast("s5", 3))
    assert any(NOTE in note for note in two.notes)
    np.testing.assert_allclose(two.values, one.values[..., order], atol=1e-6)


def test_the_callers_model_and_samples_are_as_before():
    model, samples = network().train(), readings()
    before, x = deepcopy(model.state_dict()), samples.x.clone()
    attributes = {name: set(vars(module)) for name, module in model.named_modules()}
    generator = torch.get_rng_state()
    with Occlusion(model) as explainer:
        explainer(samples, target=Forecast("s5", 3))
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert {name: set(vars(module)) for name, module in model.named_modules()} == attributes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(samples.x, x)
    assert torch.equal(torch.get_rng_state(), generator)
    assert explainer._locality is None


def test_weights_may_change_between_calls(whole):
    model, samples = network(), readings()
    with InputGradient(model) as explainer:
        explainer(samples, target=Forecast("s5", 3))
        with torch.no_grad():
            model.head.weight.mul_(2)
        again = explainer(samples, target=Forecast("s5", 3))
        assert_same(again, whole(lambda: explainer(samples, target=Forecast("s5", 3))))


def test_half_precision_is_computed_in_full_on_the_field_too():
    e = Occlusion(network().half(), window=None)(readings().x.half(), target=Forecast("s5", 3))
    full = Occlusion(network().half().float(), window=None)(readings().x.half().float(), target=Forecast("s5", 3))
    assert any(NOTE in note for note in e.notes)
    np.testing.assert_allclose(e.values, full.values, atol=1e-4)


def test_all_but_the_field_costs_nothing():
    """Occlusion runs as many passes as the field has nodes, and each is of the field alone."""
    model, samples = network(), readings(samples=1)
    rows = []
    part = model.restricted_to([5])

    class Counted(STGCNForecaster):
        def restricted_to(self, nodes):
            part.part.last_norm.register_forward_hook(lambda module, inputs, output: rows.append(output.shape[:2]))
            return part

    counted = Counted(model.graph, **model.hyperparameters, scaler=model.scaler).double().eval()
    counted.load_state_dict(model.state_dict())
    Occlusion(counted, window=None, copies=1000)(samples, target=Forecast("s5", 3))
    assert {nodes for nodes, _ in rows} == {len(part.field)}
    assert max(copies for _, copies in rows) == len(part.field)


@pytest.mark.parametrize("kind", [InputGradient, ExpectedFall])
def test_a_gradient_runs_the_whole_model_as_often_as_occlusion_does(kind, monkeypatch):
    """A graph of any size costs what the field does."""
    nodes = []
    forward = STGCNForecaster.forward

    def counted(self, *args, **options):
        nodes.append(len(self.graph.nodes))
        return forward(self, *args, **options)

    monkeypatch.setattr(STGCNForecaster, "forward", counted)

    def passes(kind, **options):
        nodes.clear()
        e = kind(network(), **options)(readings(samples=1), target=Forecast("s5", 3))
        assert any(NOTE in note for note in e.notes)
        return nodes.count(N)

    assert passes(kind) <= passes(Occlusion, window=None)


def test_targets_that_may_read_more_run_on_the_whole():
    class Derived(Forecast):
        def score(self, output, info=None):
            return super().score(output, info)

    model, samples = network(), readings()
    for target in (lambda y: y[:, 0, 5], Derived("s5", 1), Forecast([f"s{i}" for i in range(30)], 1)):
        assert not any(NOTE in note for note in InputGradient(model)(samples, target=target).notes)


def test_methods_that_look_at_layers_run_on_the_whole():
    class AtLayers(InputGradient):
        def _maps_of_targets(self, model_input, score_fns):
            return super()._maps_of_targets(model_input, score_fns)

    model, samples = network(), readings()
    for explainer in (
        STGGradCAM(model, layer="blocks.0"),
        AtLayers(model),
        TemporalRescaling(AtLayers(model), window=12),
    ):
        assert not any(NOTE in note for note in explainer(samples, target=Forecast("s5", 1)).notes)


def test_errors_speak_of_the_whole_model():
    samples = readings()
    with pytest.raises(InputError, match=r"unknown node|no node|s99"):
        explain(network(), samples, target=Forecast("s99", 1))
    with pytest.raises(InputError, match="horizon: got 13"):
        explain(network(), samples, target=Forecast("s5", 13))
    model = network()
    with torch.no_grad():
        model.last.bias.fill_(torch.nan)
    with pytest.raises(InputError, match=r"parameter 'last\.bias' holds NaN"):
        explain(model, samples, target=Forecast("s5", 1))


class Neighbours(nn.Module):
    """A model of someone else's: each node's forecast is the mean of itself and the one before."""

    outputs = "b t n"

    def __init__(self, wrong=False, field=None):
        super().__init__()
        self.wrong, self.claimed = wrong, field
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        last = x[:, 0, -1:, :, 0] * self.weight
        return (last + last.roll(1, -1)) / 2

    def restricted_to(self, nodes):
        part = Neighbours()
        part.field = self.claimed or sorted({node - shift for node in nodes for shift in (0, 1)})
        part.forward = lambda x: self(x) * (1.5 if self.wrong else 1)
        return part


def test_any_model_may_say_what_it_depends_on():
    x = torch.rand(2, 1, 5, 20, 1)
    e = Occlusion(Neighbours(), window=None)(x, target=Forecast(7, 1))
    assert e.notes[-1].startswith("Computed on 2 of 20 nodes")
    np.testing.assert_allclose(e.values[:, 0, -1, 6:8], x[:, 0, -1, 6:8, 0] / 2, atol=1e-6)


def test_what_a_model_says_is_checked():
    x = torch.rand(2, 1, 5, 20, 1)
    with pytest.raises(InputError, match=r"Neighbours\.restricted_to: what it returns scores the first sample"):
        Occlusion(Neighbours(wrong=True))(x, target=Forecast(7, 1))
    with pytest.raises(InputError, match="from 0 to 19"):
        Occlusion(Neighbours(field=[20]))(x, target=Forecast(7, 1))
