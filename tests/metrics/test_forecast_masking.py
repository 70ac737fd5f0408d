import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.metrics import faithfulness, forecast_masking_curve

NODES, WINDOW, HORIZON = 5, 6, 3


class Upstream(nn.Module):
    """Miles per hour: node n is forecast to go as node n + 1 went, h frames before the end; the last as itself."""

    outputs = "b t n"

    def __init__(self, graph=None):
        super().__init__()
        self.graph = graph

    def forward(self, x, observed=None):
        last = x[:, 0, -HORIZON:, :, 0].flip(1)
        return torch.cat([last[:, :, 1:], last[:, :, -1:]], 2)


def series(gaps=False):
    speeds = 60 + np.random.default_rng(0).normal(0, 8, (60, NODES))
    if gaps:
        speeds[np.random.default_rng(1).random(speeds.shape) < 0.2] = np.nan
    return WindowedSeries(speeds, window=WINDOW, horizon=HORIZON)


def slow_error(batch, masking, hidden, at, ahead):
    """Sums of |y' - y| of the observed entries of each sample, with nodes `hidden[b]` moved towards their mean."""
    x, seen = batch.x.double().numpy().copy(), batch.observed.numpy()
    sums, counts = [], []
    for row in range(len(x)):
        for node in hidden[row]:
            observed = seen[row, 0, :, node]
            mean = x[row, 0, observed, node, 0].mean() if observed.any() else 0.0
            x[row, 0, observed, node, 0] = (1 - masking) * x[row, 0, observed, node, 0] + masking * mean
        total, count = 0.0, 0
        for step in ahead:
            for node in at:
                if batch.y_observed[row, step - 1, node]:
                    forecast = x[row, 0, WINDOW - step, min(node + 1, NODES - 1), 0]
                    total += abs(forecast - float(batch.y[row, step - 1, node]))
                    count += 1
        sums.append(total)
        counts.append(count)
    return sums, counts


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize(("at", "horizon"), [(None, None), ([0, 3], 2)])
def test_equals_loops_over_observed_entries(gaps, at, horizon):
    batch = next(iter(series(gaps).batches(8)))
    psi = [0.1, 0.9, 0.3, 0.5, 0.2]
    curve = forecast_masking_curve(Upstream(), [batch], psi, nodes=2, masking=[0.3, 1], at=at, horizon=horizon)
    assert curve.masking.tolist() == [0, 0.3, 1]
    nodes, ahead = at or range(NODES), [horizon] if horizon else range(1, HORIZON + 1)
    for which, hidden in (("highlighted", [1, 3]), ("least", [4, 0])):
        for step, masking in enumerate(curve.masking):
            sums, counts = slow_error(batch, masking, [hidden] * 8, nodes, ahead)
            assert np.allclose(curve.sums[which]["error"][step], sums, rtol=1e-5)
            assert curve.counts.tolist() == counts
            assert curve.curve(which)[step] == pytest.approx(sum(sums) / sum(counts), rel=1e-5)
    table = curve.to_frame().set_index(["set", "measure", "masking"])
    assert table.loc[("least", "error", 1.0), "value"] == pytest.approx(curve.curve("least")[2])
    assert curve.baseline == "mean"


def test_hiding_what_a_forecast_reads_changes_it_and_hiding_the_rest_does_not():
    part = series()
    # The forecast of node 1 reads node 2 alone.
    curve = forecast_masking_curve(Upstream(), part.batches(16), np.eye(NODES)[2], nodes=1, at=1, masking=[0.5, 1])
    change = curve.curve("highlighted", "change")
    assert change[0] == 0
    # Attenuation is linear, and so is this model.
    assert change[1] == pytest.approx(change[2] / 2, rel=1e-5)
    assert 4 < change[2] < 8
    assert not curve.curve("least", "change").any()
    assert 0 < curve.curve("random", "change")[2] < change[2]
    assert curve.interval("highlighted", "change")[2].low > curve.interval("random", "change")[2].high
    none = curve.faithfulness("least")
    # Nothing changes in any sample: the truth is zero, or as little as the rule of three leaves room for.
    assert none[:2] == (0, 0)
    assert 0 < none.high < 0.1
    beta = curve.faithfulness("highlighted")
    assert beta.value == pytest.approx(faithfulness(curve.masking, curve.curve()))
    assert beta.low < beta.value < beta.high


def test_maps_of_each_sample():
    part = series()
    sizes = []

    def own(batch):
        sizes.append(len(batch))
        rows = np.zeros((len(batch), NODES))
        # Any node, as long as it follows from the sample.
        rows[np.arange(len(batch)), (batch.x[:, 0, 0, 0, 0] * 1000).long() % NODES] = 1
        return rows

    curve = forecast_masking_curve(Upstream(), part.batches(7), own, nodes=1, masking=[1])
    assert sum(sizes) == len(part)
    for row, batch in enumerate(part.batches(1)):
        alone = forecast_masking_curve(Upstream(), [batch], own, nodes=1, masking=[1])
        for which in curve.sums:
            for measure, sums in curve.sums[which].items():
                assert np.allclose(alone.sums[which][measure][:, 0], sums[:, row], atol=1e-12)


@pytest.mark.parametrize("chunk", [None, 5])
def test_the_cut_into_batches_does_not_matter(chunk):
    part, psi = series(gaps=True), np.arange(NODES)
    whole = forecast_masking_curve(Upstream(), part.batches(len(part)), psi, nodes=2)
    cut = forecast_masking_curve(Upstream(), part.batches(9), psi, nodes=2, chunk=chunk)
    assert cut.ids == whole.ids
    for which in whole.sums:
        for measure in ("error", "change"):
            assert np.allclose(cut.curve(which, measure), whole.curve(which, measure), atol=1e-12)
    assert not np.allclose(
        forecast_masking_curve(Upstream(), part.batches(9), psi, nodes=2, seed=1).curve("random"), whole.curve("random")
    )


def test_nodes_by_name():
    graph = STGraph(["a", "b", "c", "d", "e"], [(0, 1), (1, 2), (2, 3), (3, 4)])
    by_name = forecast_masking_curve(Upstream(graph), series().batches(20), np.arange(5.0), nodes=1, at=["b", "e"])
    by_index = forecast_masking_curve(Upstream(), series().batches(20), np.arange(5.0), nodes=1, at=[1, 4])
    assert np.array_equal(by_name.curve(), by_index.curve())
    with pytest.raises(InputError, match="unknown node 'f'"):
        forecast_masking_curve(Upstream(graph), series().batches(20), np.arange(5.0), nodes=1, at="f")


def test_wrong_use():
    def call(model=None, psi=(1.0, 2.0, 3.0, 4.0, 5.0), batches=None, **options):
        batches = series().batches(20) if batches is None else batches
        return forecast_masking_curve(model or Upstream(), batches, psi, **{"nodes": 1, **options})

    with pytest.raises(InputError, match="n=5"):
        call(psi=[1.0, 2.0])
    with pytest.raises(InputError, match="horizon: got 4; expected 1 to 3"):
        call(horizon=4)
    with pytest.raises(InputError, match="node: got index 5"):
        call(at=5)
    with pytest.raises(InputError, match="layout: got None for a model without `outputs`; expected the layout"):
        call(nn.Flatten())
    with pytest.raises(InputError, match="batches: got none"):
        call(batches=[])
    with pytest.raises(InputError, match="unknown set 'most'"):
        call().curve("most")
    with pytest.raises(InputError, match="unknown measure 'mae'"):
        call().curve("least", "mae")


def test_curves_of_parts_are_the_curve_of_the_whole():
    windows = series(gaps=True)
    model, psi = Upstream(), [0.1, 0.9, 0.3, 0.5, 0.2]
    options = {"nodes": 2, "masking": [0.5, 1.0]}
    whole = forecast_masking_curve(model, windows.batches(10), psi, **options)
    parts = [forecast_masking_curve(model, [batch], psi, **options) for batch in windows.batches(7)]
    together = type(whole).joined(parts)
    assert together.ids == whole.ids
    for which in ("highlighted", "least", "random"):
        np.testing.assert_allclose(together.curve(which), whole.curve(which), rtol=1e-6)
    other = forecast_masking_curve(model, windows.batches(10), psi, nodes=3, masking=[0.5, 1.0])
    with pytest.raises(InputError, match="different nodes cannot be joined: 2, 3"):
        type(whole).joined([whole, other])
    with pytest.raises(InputError, match="no curves"):
        type(whole).joined([])


def test_maps_of_other_samples_are_refused():
    (batch,) = series().batches(100)
    maps = np.ones((len(batch), 1, WINDOW, NODES))
    mine = Explanation(maps, np.ones(maps.shape[:3], bool), ids=batch.ids)
    assert forecast_masking_curve(Upstream(), [batch], mine, nodes=1, masking=[1]).ids == batch.ids
    other = Explanation(maps, mine.valid, ids=batch.ids[::-1])
    with pytest.raises(InputError, match="node_importance"):
        forecast_masking_curve(Upstream(), [batch], other, nodes=1, masking=[1])


def test_only_the_sets_that_are_asked_for_are_masked():
    options = {"nodes": 1, "masking": [1.0]}
    every = forecast_masking_curve(Upstream(), series().batches(20), np.arange(5.0), **options)
    least = forecast_masking_curve(Upstream(), series().batches(20), np.arange(5.0), sets=["least"], **options)
    assert list(least.sums) == ["least"]
    np.testing.assert_array_equal(least.curve("least"), every.curve("least"))
    for sets, words in (([], "sets: got none"), (["lest"], "unknown set 'lest'. Did you mean 'least'")):
        with pytest.raises(InputError, match=words):
            forecast_masking_curve(Upstream(), series().batches(20), np.arange(5.0), sets=sets, **options)
