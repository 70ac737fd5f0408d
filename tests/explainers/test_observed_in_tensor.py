"""A sensor that is missing in a plain tensor: said by `observed`, it has no map and is left alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError
from stexplain.explainers.joined import joined
from tests.explainers.every_explainer import EXPLAINERS
from tests.explainers.our_models import batch, small_model

GRAPH = stx.STGraph.from_edges([f"s{n}" for n in range(5)], [(f"s{n}", f"s{n + 1}") for n in range(4)])
METHODS = {
    "ExpectedFall": {},
    "InputGradient": {},
    "IntegratedGradients": {"steps": 2},
    "Occlusion": {"window": 4},
    "STGGradCAM": {"layer": "0"},
    "LearnedMask": {"steps": 2},
    "Deviation": {},
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, (3, 1), padding=(1, 0)), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    ).eval()


def tensor():
    """[B, C, T, N] with a sensor that is NaN in the first sample, and which observations are there, [B, T, N]."""
    x = torch.randn(3, 2, 8, 5, generator=torch.Generator().manual_seed(1))
    x[0, :, :, 2] = torch.nan
    return x, ~x.isnan().any(1)


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_with_a_mask_is_as_samples_with_one(model, method):
    x, observed = tensor()
    options = {"inputs": "b c t n", "graph": GRAPH, **METHODS[method]}
    found = stx.explain(model, x, target=1, method=method, observed=observed, ids=["a", "b", "c"], **options)
    assert not found.values[0, 0, :, 2].any()
    assert found.values[1, 0, :, 2].any()
    assert np.asarray(found.observed).tolist() == observed[:, None].tolist()
    clips = stx.data.Clips.from_arrays(
        x.nan_to_num().permute(0, 2, 3, 1)[:, None].numpy(), graph=GRAPH, observed=observed[:, None].numpy(), ids="abc"
    )
    other = stx.explain(model, clips.batch([0, 1, 2]), target=1, method=method, **options)
    np.testing.assert_allclose(found.values, other.values, rtol=1e-5, atol=1e-8)


def with_a_missing_node():
    """A batch with a mask, and its signals with NaN where it says that nothing was observed."""
    samples = batch()
    observed = samples.valid[..., None].repeat(1, 1, 1, samples.x.shape[3])
    observed[0, :, :, 2] = observed[2, 1, 3:7, 4] = False
    samples = replace(samples, x=samples.x * observed[..., None], observed=observed)
    # On padding the signals are zero, as they are of any tensor.
    missing = samples.valid[..., None] & ~observed
    return samples, samples.x.masked_fill(missing[..., None], torch.nan)


@pytest.mark.parametrize("kind", EXPLAINERS, ids=lambda kind: kind.__name__)
def test_every_explainer_takes_the_mask_as_explain_and_as_a_batch_have_it(kind):
    model, (samples, x) = small_model(), with_a_missing_node()
    call = {"target": 1, "valid": samples.valid, "observed": samples.observed, "ids": samples.ids}
    explainer = kind(model)
    found = explainer(x, **call)
    assert np.asarray(found.observed).tolist() == samples.observed.tolist()
    assert not found.values[~samples.observed.numpy()].any()
    assert found.values.any()
    np.testing.assert_array_equal(stx.explain(model, x, method=kind, **call).values, found.values)
    np.testing.assert_array_equal(kind(model)(samples, target=1).values, found.values)
    # The mask is of one call: the next has none.
    assert explainer(x.nan_to_num(), target=1, valid=samples.valid).observed is None


def test_edges_and_sweeps_of_layers_take_the_mask():
    model, (samples, x) = small_model(), with_a_missing_node()
    call = {"target": 1, "valid": samples.valid, "observed": samples.observed}
    edges, of_batch = stx.EdgeImportance(model)(x, **call), stx.EdgeImportance(model)(samples, target=1)
    np.testing.assert_array_equal(edges.values, of_batch.values)
    sweep = stx.layer_sweep(model, x, **call)
    for name, e in stx.layer_sweep(model, samples, target=1).explanations.items():
        np.testing.assert_array_equal(sweep.explanations[name].values, e.values)


def test_metrics_mask_what_the_explanation_says_was_observed():
    model, (samples, x) = small_model(), with_a_missing_node()
    call = {"target": 1, "valid": samples.valid, "observed": samples.observed, "ids": samples.ids}
    e = stx.InputGradient(model)(x, **call)
    options = {"target": 1, "steps": 4, "repeats": 2}
    found, of_batch = (stx.metrics.deletion_curve(model, each, e, **options) for each in (x, samples))
    np.testing.assert_allclose(found.score, of_batch.score, rtol=1e-6)
    both = stx.metrics.deletion_curve(model, x, joined([e[:2], e[2:]]), **options)
    np.testing.assert_array_equal(both.score, found.score)


def test_what_fills_a_missing_value_changes_no_map_but_the_models(model):
    x, observed = tensor()
    options = {"target": 1, "observed": observed.numpy(), "graph": GRAPH}
    zero = stx.explain(model, x.nan_to_num(), **options)
    np.testing.assert_array_equal(stx.explain(model, x, **options).values, zero.values)
    np.testing.assert_array_equal(
        stx.explain(model, x, **{**options, "observed": observed[:, None]}).values, zero.values
    )
    assert torch.isnan(x).any(), "the caller's tensor stays"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda mask: mask[:, :, :4], r"observed: got shape \[3, 8, 4\]; expected \[B, M, T, N\], here \[3, 1, 8, 5\]"),
        (lambda mask: mask.float(), "observed: got type float32; expected bool"),
        (
            lambda mask: mask | True,
            "x is NaN at 8 positions that `observed` says were observed, the first in sample 0",
        ),
    ],
)
def test_masks_that_do_not_fit_are_refused(model, change, says):
    x, observed = tensor()
    with pytest.raises(InputError, match=says):
        stx.explain(model, x, target=1, method="InputGradient", observed=change(observed), graph=GRAPH)


def test_samples_bring_their_own_mask(model):
    x, observed = tensor()
    sample = stx.data.Sample(np.ones((1, 8, 5, 2), np.float32), np.ones((1, 8), bool))
    with pytest.raises(InputError, match="observed: got it with a Sample"):
        stx.explain(model, sample, target=1, method="InputGradient", observed=observed[:1], inputs="b c t n")
    with pytest.raises(InputError, match=r"NaN or infinite.*stexplain.explain\(model, x, observed=...\)"):
        stx.explain(model, x, target=1, graph=GRAPH)


def test_a_comparison_takes_the_mask_of_all_samples():
    model, (samples, x) = small_model(), with_a_missing_node()
    explainers = [stx.InputGradient(model), stx.STGGradCAM(model), stx.Deviation()]
    metrics = [stx.metrics.deletion_score(model, target=1, steps=4, repeats=2), stx.metrics.complexity_score("gini")]
    call = {"valid": samples.valid, "observed": samples.observed}
    # Random orders follow from the names of samples, and those of tensors have other ones.
    samples = replace(samples, ids=explainers[0](x, target=1, **call).ids)
    of_batch = stx.compare(explainers, metrics, samples, target=1, progress=False)
    parts = [x[:2], x[2:]]
    for data, shared in ((x, of_batch.scores), (parts, {"gini": of_batch.scores["gini"]})):
        found = stx.compare(explainers, metrics, data, target=1, progress=False, **call)
        for metric, by_method in shared.items():
            for method, scores in by_method.items():
                np.testing.assert_allclose(found.scores[metric][method], scores, rtol=1e-6, err_msg=(metric, method))
    for data in (samples, [samples]):
        with pytest.raises(InputError, match="observed: got it with a Batch"):
            stx.compare(explainers, metrics, data, target=1, progress=False, observed=samples.observed)


def test_trust_and_the_selftest_take_the_mask():
    model, (samples, x) = small_model(), with_a_missing_node()
    call = {"valid": samples.valid, "observed": samples.observed}
    options = {"labels": [0, 1, 2], "target": 1, "steps": 4, "copies": 9}
    found = stx.trust(model, "InputGradient", x, **options, **call)
    of_batch = stx.trust(model, "InputGradient", samples, **options)
    assert [(check.name, check.passed, check.sentence) for check in found.checks] == [
        (check.name, check.passed, check.sentence) for check in of_batch.checks
    ]
    before = x.clone()
    report = stx.selftest(model, stx.InputGradient, x, target=1, draws=2, **call)
    expected = stx.selftest(model, stx.InputGradient, samples, target=1, draws=2)
    assert [(check.name, check.passed) for check in report.checks] == [
        (check.name, check.passed) for check in expected.checks
    ]
    assert not [check for check in report.checks if check.passed is False]
    assert torch.equal(x.isnan(), before.isnan())
    for call_of in (
        lambda: stx.trust(model, "InputGradient", samples, **options, observed=samples.observed),
        lambda: stx.selftest(model, stx.InputGradient, samples, observed=samples.observed),
    ):
        with pytest.raises(InputError, match="observed: got it with a Batch"):
            call_of()
