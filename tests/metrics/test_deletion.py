from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.baselines import mean
from stexplain.data.scaler import Scaler
from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.targets import Class, Forecast, Margin, PerSample, Predicted
from stexplain.graph import STGraph
from stexplain.metrics import DeletionCurve, deletion_curve, deletion_score
from stexplain.metrics.ranking import aggregate, ranks
from stexplain.nn.traffic import STGCNForecaster
from tests.metrics.small_batches import batch, linear, padded

LINEAR, BATCH = linear(), batch()
MAP = LINEAR.contributions(BATCH.x)
ZERO = {"baseline": "zero"}


@pytest.mark.parametrize("over", ["nodes", "frames", "positions"])
@pytest.mark.parametrize("kind", ["deletion", "insertion"])
def test_a_linear_model_loses_what_its_items_add_in_their_order(over, kind):
    curve = deletion_curve(LINEAR, BATCH, MAP, target=Class(0), over=over, kind=kind, steps=7, repeats=0, **ZERO)
    axes = {"nodes": (0, 1), "frames": (0, 2), "positions": ()}[over]
    for row in range(len(BATCH)):
        added, valid = MAP[row].numpy(), np.broadcast_to(BATCH.valid[row].numpy()[..., None], MAP[row].shape)
        mass = (added * valid).sum(axes).ravel()
        count = valid.sum(axes).ravel()
        mass, count = mass[count > 0], count[count > 0]
        # An item is ranked by its mean, and takes all it adds with it.
        gone = np.concatenate([[0], np.cumsum(mass[np.argsort(-mass / count)])])
        steps = np.round(np.linspace(0, 1, 8) * len(mass)).astype(int)
        expected = mass.sum() - gone[steps] if kind == "deletion" else gone[steps]
        assert np.allclose(curve.score[:, row], expected, atol=1e-12)
    ends = curve.unmasked if kind == "deletion" else curve.all_masked
    assert np.array_equal(curve.score[0], ends)
    assert np.allclose(curve.drop, curve.unmasked - curve.score)


def test_areas_by_hand():
    score = np.array([[4.0, 1.0], [1.0, 1.0], [0.0, -3.0]])
    baseline_explainer = np.array([[[4.0, 1.0], [4.0, 1.0]], [[2.0, 0.0], [4.0, 0.0]], [[0.0, -3.0], [0.0, -3.0]]])
    curve = DeletionCurve("deletion", "positions", "zero", np.array([0, 0.5, 1]), score, baseline_explainer, ("a", "b"))
    assert curve.areas().tolist() == [1.5, 0]
    assert curve.areas("random").tolist() == [2.5, -0.5]
    assert curve.areas("gain").tolist() == [1.0, -0.5]
    assert curve.areas(measure="change").tolist() == [2.5, 1.0]
    assert curve.areas("gain", "change").tolist() == [1.0, -0.5]
    assert curve.area().value == 0.75
    # (0.75 - -1.5) / (2.5 - -1.5), and for the baseline explainer (1 + 1.5) / 4.
    assert curve.area(measure="normalised").value == 2.25 / 4
    assert curve.area("random", "normalised").value == 2.5 / 4
    assert curve.area("gain", "normalised").value == 0.25 / 4
    insertion = replace(curve, kind="insertion")
    assert insertion.areas("gain").tolist() == [-1.0, 0.5]
    assert insertion.unmasked.tolist() == [0, -3]
    table = curve.to_frame("normalised").set_index(["set", "share"])["value"]
    assert table["explained"].tolist() == [1, 2.5 / 4, 0]
    assert table["random"].tolist() == [1, 3 / 4, 0]


@pytest.mark.parametrize("over", ["nodes", "frames", "positions"])
def test_the_right_order_and_its_reverse_are_on_either_side_of_chance(over):
    curves = {
        (kind, sign): deletion_curve(
            LINEAR, BATCH, sign * MAP, target=Class(0), over=over, kind=kind, steps=7, repeats=9, **ZERO
        )
        for kind in ("deletion", "insertion")
        for sign in (1, -1)
    }
    for kind in ("deletion", "insertion"):
        right, wrong = curves[kind, 1], curves[kind, -1]
        assert np.array_equal(right.random, wrong.random)
        assert right.area("gain").low > 0 > wrong.area("gain").high
        # Nodes and frames are ranked by their mean, which is not what a frame of two instances adds.
        single = slice(1, None)
        assert (right.areas("gain")[single] > 0).all()
        assert (wrong.areas("gain")[single] < 0).all()
    # What is deleted last is inserted first.
    assert np.allclose(curves["deletion", -1].score, curves["insertion", 1].score[::-1], atol=1e-12)


def test_replaced_by_the_baseline_that_is_named():
    curve = deletion_curve(LINEAR, BATCH, MAP, target=Class(1), baseline="mean", repeats=0)
    base = mean(BATCH.x, BATCH.valid)
    assert np.allclose(curve.all_masked, LINEAR(base)[:, 1].detach())
    own = deletion_curve(LINEAR, BATCH, MAP, target=Class(1), baseline=mean, repeats=0)
    assert own.baseline == curve.baseline == "mean"
    assert np.array_equal(own.score, curve.score)
    given = deletion_curve(LINEAR, BATCH, MAP, target=Class(1), baseline=base, repeats=0)
    assert given.baseline == "given values"
    assert np.allclose(given.score, curve.score, atol=1e-12)


@pytest.mark.parametrize("over", ["nodes", "frames", "positions"])
def test_neither_the_cut_into_batches_nor_chunks_nor_padding_matter(over):
    options = {"target": Predicted(), "over": over, "steps": 4, "repeats": 3, "baseline": "mean"}
    whole = deletion_curve(LINEAR, BATCH, MAP, **options)
    cuts = [slice(0, 1), slice(1, 4), slice(4, 6)]
    parts = DeletionCurve.joined([deletion_curve(LINEAR, BATCH[cut], MAP[cut], **options) for cut in cuts])
    longer = padded(BATCH)
    long_map = nn.functional.pad(MAP, (0, 0, 0, 3, 0, 1))
    wide = linear(frames=9)
    wide.weight.data[:, :6] = LINEAR.weight.data
    others = [parts, deletion_curve(wide, longer, long_map, **options)]
    others += [deletion_curve(LINEAR, BATCH, MAP, chunk=chunk, **options) for chunk in (1, 4, 13)]
    for other in others:
        assert np.allclose(other.score, whole.score, atol=1e-12)
        assert np.allclose(other.random, whole.random, atol=1e-12)
        assert other.ids == whole.ids
    assert parts.area("gain") == pytest.approx(whole.area("gain"), abs=1e-12)
    assert not np.allclose(deletion_curve(LINEAR, BATCH, MAP, seed=1, **options).random, whole.random)


def test_what_was_predicted_at_first_stays_the_target():
    first = LINEAR(BATCH.x).argmax(1)
    predicted = deletion_curve(LINEAR, BATCH, MAP, repeats=1)
    named = deletion_curve(LINEAR, BATCH, MAP, target=Class(first), repeats=1)
    each = deletion_curve(LINEAR, BATCH, MAP, target=PerSample([Predicted()] * 6), repeats=1, chunk=4)
    for other in (named, each):
        assert np.allclose(other.score, predicted.score, atol=1e-12)
        assert np.allclose(other.random, predicted.random, atol=1e-12)
    margin = deletion_curve(LINEAR, BATCH, MAP, target=Margin(2, 1), repeats=0)
    assert np.allclose(margin.unmasked, (LINEAR(BATCH.x)[:, 2] - LINEAR(BATCH.x)[:, 1]).detach())


def test_probabilities():
    curve = deletion_curve(LINEAR, BATCH, MAP, target=Class(2), probability=True, repeats=0, **ZERO)
    assert np.allclose(curve.unmasked, LINEAR(BATCH.x).softmax(1)[:, 2].detach())
    assert np.allclose(curve.all_masked, 1 / 3)
    assert curve.target == "the probability of class 2"
    with pytest.raises(InputError, match="Leave out `probability`"):
        deletion_curve(Forecaster(), BATCH, MAP, target=Forecast(0, 1), probability=True)


class Forecaster(nn.Module):
    """Miles per hour: every node's forecast is its last speed minus a step, in the first instance."""

    outputs = "b t n"

    def forward(self, x, valid=None):
        last = x[:, 0, -1, :, 0]
        return torch.stack([last - 1, last - 2], 1)


def test_forecasts_fall_in_their_own_units():
    speeds = torch.full((2, 1, 4, 3, 1), 60.0)
    speeds[:, :, -1, 2] = 25.0
    roads = replace(BATCH, x=speeds, valid=torch.ones(2, 1, 4, dtype=torch.bool), label=-torch.ones(2), ids=("a", "b"))
    heat = torch.zeros(2, 1, 4, 3)
    heat[:, :, -1, 2] = 1
    curve = deletion_curve(
        Forecaster(), roads, heat, target=Forecast(2, 2), baseline="mean", steps=12, over="positions", repeats=4
    )
    # The mean of 60, 60, 60 and 25 mph is 51.25: without the reading of congestion, the forecast is 49.25, not 23.
    assert curve.unmasked.tolist() == [23, 23]
    assert curve.drop[1:].ravel() == pytest.approx([-26.25] * 24)
    assert curve.areas(measure="change") == pytest.approx(26.25 * (1 - 1 / 24))
    assert curve.area("gain", "change").value > 0
    assert curve.target == "the forecast of 2 at horizon 2"
    # Where only how much it matters is known and not which way, magnitude ranks it first as well.
    other = deletion_curve(
        Forecaster(), roads, -heat, target=Forecast(2, 2), baseline="mean", steps=12, repeats=0, ranking="magnitude"
    )
    assert np.array_equal(other.score, curve.score)
    # Which is what is done unasked, as a forecast has no side.
    unasked = deletion_curve(Forecaster(), roads, -heat, target=Forecast(2, 2), baseline="mean", steps=12, repeats=0)
    assert np.array_equal(unasked.score, curve.score)
    assert not unasked.of_class


def test_the_score_of_a_forecast_counts_changes_either_way():
    """What lowered a forecast raises it once it is masked: a method that ranks it first is the better one."""
    speeds = torch.full((2, 1, 4, 3, 1), 60.0)
    speeds[:, :, -1, 2] = 25.0
    roads = replace(BATCH, x=speeds, valid=torch.ones(2, 1, 4, dtype=torch.bool), label=-torch.ones(2), ids=("a", "b"))
    metric = deletion_score(Forecaster(), target=Forecast(2, 2), baseline="mean", steps=12)
    heat = torch.zeros(2, 1, 4, 3)
    heat[:, :, -1, 2] = 1
    for sign in (1, -1):
        e = Explanation((sign * heat).numpy(), roads.valid.numpy(), ids=roads.ids)
        assert (np.asarray(metric.measure(None, e, roads)) > 5).all()


def test_our_forecaster_is_asked_in_miles_per_hour():
    speeds = 60 + 8 * np.sin(np.arange(160)[:, None] / 7 + np.arange(5))
    speeds[np.random.default_rng(1).random(speeds.shape) < 0.1] = np.nan
    graph = STGraph(["a", "b", "c", "d", "e"], [(0, 1), (1, 2), (2, 3), (3, 4)])
    series = WindowedSeries(speeds, graph=graph)
    torch.manual_seed(0)
    model = STGCNForecaster(graph, blocks=((4, 2, 4), (4, 2, 4)), scaler=Scaler.fit(series)).eval()
    windows = series.batch(np.arange(3))
    target = Forecast(["c", "d"], 12)
    heat = np.random.default_rng(0).random(windows.x.shape[:-1])
    curve = deletion_curve(model, windows, heat, target=target, steps=5, repeats=1)
    order = np.argsort(-np.where(windows.observed, heat, -1).reshape(3, -1), axis=1, kind="stable")
    base = mean(windows.x, windows.observed)
    for step, share in enumerate(curve.share):
        x = windows.x.clone().reshape(3, -1)
        for row in range(3):
            gone = order[row, : round(share * int(windows.observed[row].sum()))]
            x[row, gone] = base.reshape(3, -1)[row, gone]
        with torch.no_grad():
            forecast = model(x.reshape(windows.x.shape), observed=windows.observed)
        assert np.allclose(curve.score[step], forecast[:, 11, [2, 3]].sum(1), atol=1e-3)
    assert (np.abs(curve.unmasked - 120) < 40).all()


def test_readings_that_are_missing_are_never_replaced_nor_counted():
    seen = torch.rand(BATCH.x.shape[:-1], generator=torch.Generator().manual_seed(3)) > 0.3
    gaps = replace(BATCH, x=BATCH.x * seen[..., None], observed=seen)
    given = []

    class Listening(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = LINEAR

        def forward(self, x, observed):
            given.append((x.clone(), observed))
            return self.linear(x)

    curve = deletion_curve(Listening(), gaps, MAP, target=Class(0), baseline="mean", steps=3, repeats=1)
    for x, observed in given:
        assert torch.equal(observed, seen.repeat(len(x) // 6, 1, 1, 1))
        assert not x[~observed].any()
    observed = (seen & gaps.valid[..., None]).flatten(1).sum(1)
    _, usable = aggregate(MAP.numpy(), (seen & gaps.valid[..., None]).numpy(), "positions")
    assert usable.sum(1).tolist() == observed.tolist()
    assert np.isfinite(curve.score).all()


@pytest.mark.parametrize("chunk", [None, 4])
def test_models_of_several_inputs(chunk):
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = LINEAR

        def forward(self, x, scale, gate):
            return self.linear(x) * scale * gate[:, None]

    gate = torch.arange(1.0, 7.0)
    more = {"shared": {"scale": torch.tensor(2.0)}, "per_sample": {"gate": gate}, "chunk": chunk}
    gated = deletion_curve(Gated(), BATCH, MAP, target=Class(0), repeats=2, **more)
    alone = deletion_curve(LINEAR, BATCH, MAP, target=Class(0), repeats=2)
    assert np.allclose(gated.score, alone.score * 2 * gate.numpy(), atol=1e-12)
    assert np.allclose(gated.random, alone.random * 2 * gate.numpy(), atol=1e-12)
    with pytest.raises(InputError, match=r"per_sample\['gate'\] has shape \(3,\); expected 6 entries"):
        deletion_curve(Gated(), BATCH, MAP, target=Class(0), shared={"scale": 1.0}, per_sample={"gate": gate[:3]})


def test_a_constant_map_is_a_guess():
    value, usable = np.zeros((400, 5)), np.ones((400, 5), bool)
    usable[:, 3] = False
    places, (drawn,) = ranks(value, usable, [f"clip {row}" for row in range(400)], seed=0, repeats=1)
    for order in (places, drawn):
        assert (order[:, 3] == 5).all()
        assert np.array_equal(np.sort(order[:, [0, 1, 2, 4]], axis=1), np.tile(np.arange(4), (400, 1)))
        assert (np.abs(order[:, [0, 1, 2, 4]].mean(0) - 1.5) < 0.25).all()
    assert not np.array_equal(places, drawn)


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Dropout(0.5), linear()).train()
    before = torch.get_rng_state()
    curve = deletion_curve(model, BATCH, MAP, target=Class(0), repeats=0)
    assert model.training
    assert model[0].training
    assert model[1].weight.requires_grad
    assert model[1].weight.grad is None
    assert torch.equal(torch.get_rng_state(), before)
    assert np.allclose(curve.score, deletion_curve(LINEAR, BATCH, MAP, target=Class(0), repeats=0).score)


def test_wrong_use():
    explanation = Explanation(MAP.numpy(), BATCH.valid.numpy(), ids=BATCH.ids, targets=np.zeros(6, int), method="m")
    curve = deletion_curve(LINEAR, BATCH, explanation, target=Class(0), repeats=0)
    assert curve.method == "m"
    with pytest.raises(InputError, match="got class 1 for sample 0, which was explained for class 0"):
        deletion_curve(LINEAR, BATCH, explanation, target=Class(1))
    with pytest.raises(InputError, match="got sample 'clip 1' at index 0; expected 'clip 0'"):
        deletion_curve(LINEAR, BATCH[:5], explanation[1:], target=Class(0))
    with pytest.raises(InputError, match="the explanation has shape"):
        deletion_curve(LINEAR, BATCH, MAP[:3])
    with pytest.raises(InputError, match="Did you mean 'nodes'"):
        deletion_curve(LINEAR, BATCH, MAP, over="node")
    with pytest.raises(InputError, match="unknown kind 'delete'"):
        deletion_curve(LINEAR, BATCH, MAP, kind="delete")
    with pytest.raises(InputError, match="unknown ranking"):
        deletion_curve(LINEAR, BATCH, MAP, ranking="abs")
    with pytest.raises(InputError, match="chunk: got 0"):
        deletion_curve(LINEAR, BATCH, MAP, chunk=0)
    with pytest.raises(InputError, match="steps, repeats: got 0"):
        deletion_curve(LINEAR, BATCH, MAP, steps=0)
    with pytest.raises(InputError, match="Give `repeats`"):
        curve.area("gain")
    with pytest.raises(InputError, match="unknown measure 'scores'"):
        curve.area(measure="scores")
    with pytest.raises(InputError, match="unknown set 'explaind'. Did you mean 'explained'"):
        curve.area("explaind")
    with pytest.raises(InputError, match="different over"):
        DeletionCurve.joined([curve, deletion_curve(LINEAR, BATCH, explanation, target=Class(0), over="nodes")])
    with pytest.raises(InputError, match="no curves"):
        DeletionCurve.joined([])


def test_what_is_left_out():
    curve = deletion_curve(LINEAR, BATCH, MAP)
    assert curve.random.shape == (11, 5, len(BATCH))
    np.testing.assert_array_equal(curve.share, np.linspace(0, 1, 11))
    assert (curve.kind, curve.over, curve.baseline) == ("deletion", "positions", "mean")
    np.testing.assert_array_equal(curve.random, deletion_curve(LINEAR, BATCH, MAP, seed=0).random)


def test_how_many_go_through_the_model_at_a_time():
    given = []

    class Counting(nn.Module):
        outputs = "b t n"

        def forward(self, x):
            given.append(len(x))
            return x[:, 0, :, :, 0]

    def call(nodes, **options):
        given.clear()
        x = torch.ones(2, 1, 12, nodes, 1)
        some = replace(BATCH, x=x, valid=torch.ones(2, 1, 12, dtype=torch.bool), label=-torch.ones(2), ids=("a", "b"))
        deletion_curve(Counting(), some, np.ones(x.shape[:-1]), target=Forecast(0, 1), over="nodes", **options)
        return max(given)

    assert call(20) == 64
    assert call(20, chunk=7) == 6
    # Two copies of a sample show which axis of the output follows the samples.
    assert call(20, chunk=1) == 2
    # A large graph is not taken 64 times at once.
    assert call(8600, steps=4, repeats=0) == 4
