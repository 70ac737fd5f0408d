import numpy as np
import pytest
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.hires_cam import HiResCAM
from stexplain.explainers.methods.layer.layer_sweep import LayerSweep, _reduced, layer_sweep
from stexplain.explainers.targets import Class
from tests.explainers.our_models import lively, padded
from tests.explainers.small_models import PlainSTGCN, signals

THEIRS = {"inputs": "b c t n m", "layout": "(b m) c t n"}


@pytest.mark.parametrize("method", [STGGradCAM, HiResCAM], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("chunk", [None, 2])
def test_each_map_is_that_of_the_method_at_that_layer_alone(method, chunk):
    model, (x, valid) = lively("counted").double(), padded()
    sweep = layer_sweep(model, x, target=Class([1, 0, 3]), valid=valid, method=method, chunk=chunk)
    assert list(sweep.explanations) == ["blocks.0", "blocks.1", "blocks.2"]
    assert [one.stride for one in sweep] == [1, 2, 4]
    for name, one in sweep.explanations.items():
        with method(model, layer=name) as explain:
            alone = explain(x, target=Class([1, 0, 3]), valid=valid)
        np.testing.assert_allclose(one.values, alone.values, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(one.layer_values, alone.layer_values, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(one.padding_share, alone.padding_share, rtol=1e-5)
        assert (one.layer, one.method, one.targets.tolist()) == (name, alone.method, [1, 0, 3])


def test_it_takes_one_forward_pass():
    model, calls = PlainSTGCN(), []
    # The probe of the layers is made of copies of one sample, more than two.
    model.register_forward_hook(lambda _, arguments, __: calls.append(1) if len(arguments[0]) == 2 else None)
    layers = ["second", model.first, "first.norm"]
    sweep = layer_sweep(model, signals(2, 3, 10, 5, 2), target=Class(0), layers=layers, **THEIRS)
    # Four more show which axis of the output follows the samples, and that these have the same scores again.
    assert len(calls) == 1 + 4
    assert list(sweep.explanations) == ["second", "first", "first.norm"]
    assert all(len(module._forward_hooks) == (module is model) for module in model.modules())


def test_the_table_compares_with_the_last_layer():
    model, (x, valid) = lively("counted").double(), padded()
    sweep = layer_sweep(model, x, target=Class(1), valid=valid)
    table = sweep.to_frame().set_index("layer")
    assert table.loc["blocks.2", ["nodes", "time", "positions"]].tolist() == pytest.approx([1, 1, 1])
    first, last = sweep["blocks.0"], sweep["blocks.2"]
    expected = {"nodes": [], "time": [], "positions": []}
    for row in range(3):
        ok = valid[row].numpy()
        a, b = first.importance[row][ok], last.importance[row][ok]
        expected["nodes"].append(np.corrcoef(a.mean(0), b.mean(0))[0, 1])
        expected["time"].append(np.corrcoef(a.mean(1), b.mean(1))[0, 1])
        expected["positions"].append(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    for name, each in expected.items():
        assert table.loc["blocks.0", name] == pytest.approx(np.mean(each), abs=1e-5)
        assert abs(np.mean(each)) < 0.99
    assert table.loc["blocks.0", "padding_share"] == pytest.approx(first.padding_share.mean())
    assert table["padding_share"].min() > 0


def test_a_constant_map_has_no_correlation():
    noise = np.abs(signals(2, 1, 4, 3).numpy())
    flat = noise.copy()
    flat[0] = 0.1 + 1e-9 * noise[0]
    valid = np.ones((2, 1, 4), bool)
    table = LayerSweep({"a": Explanation(flat, valid), "b": Explanation(noise, valid)}).to_frame()
    # Of the second sample alone.
    assert table.loc[0, ["nodes", "time", "positions"]].tolist() == pytest.approx([1, 1, 1])
    flat[1] = 0
    table = LayerSweep({"a": Explanation(flat, valid), "b": Explanation(noise, valid)}).to_frame()
    assert table.loc[0, ["nodes", "time", "positions"]].isna().all()


def test_as_an_array_it_has_a_dimension_layer():
    model, (x, valid) = lively().double(), padded()
    sweep = layer_sweep(model, x, target=Class(1), valid=valid)
    result = sweep.to_xarray()
    assert result["values"].dims == ("layer", "sample", "instance", "time", "node")
    assert result["node"].values.tolist() == list("abcde")
    assert result["stride"].values.tolist() == [1, 2, 4]
    for name, one in sweep.explanations.items():
        np.testing.assert_array_equal(result["values"].sel(layer=name), one.values)
        np.testing.assert_array_equal(result["padding_share"].sel(layer=name), one.padding_share)


def test_what_does_not_fit_is_named():
    model, x = PlainSTGCN(), signals(2, 3, 10, 5, 2)
    with pytest.raises(InputError, match="no layer of the model was found that keeps"):
        layer_sweep(
            nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(3, 2)),
            x,
            target=Class(0),
            inputs="b c t n m",
        )
    with pytest.raises(InputError, match="layers: got none"):
        layer_sweep(model, x, target=Class(0), layers=[], **THEIRS)
    with pytest.raises(InputError, match="secnd.*second"):
        layer_sweep(model, x, target=Class(0), layers=["secnd"], **THEIRS)
    with pytest.raises(InputError, match="explanations: got none"):
        LayerSweep({})
    sweep = layer_sweep(model, x, target=Class(0), layers=["first", "second"], **THEIRS)
    with pytest.raises(InputError, match="layer of the sweep 'frst'.*first"):
        sweep["frst"]


def test_layers_of_other_samples_are_refused_together():
    one, more = (Explanation(np.ones((count, 1, 2, 3)), np.ones((count, 1, 2), bool)) for count in (1, 2))
    with pytest.raises(InputError, match=r"shapes \[\(1, 1, 2, 3\), \(2, 1, 2, 3\)\]; expected one shape"):
        LayerSweep({"a": one, "b": more})
    assert len(LayerSweep({"a": more, "b": more})) == 2


def test_what_layers_are_compared_by_is_of_what_was_observed():
    """Frame by frame the mean over observed nodes; by loops, with padding, gaps and a node without any observation."""
    values = np.random.default_rng(0).normal(size=(2, 2, 5, 3)).astype(np.float32)
    valid, observed = np.ones((2, 2, 5), bool), np.random.default_rng(1).random((2, 2, 5, 3)) > 0.4
    valid[0, 1, 3:], observed[1, ..., 2], observed[0, 0, 1] = False, False, False
    e = Explanation(values, valid, ("a", "b", "c"), observed=observed)
    found = _reduced(e)
    for b in range(2):
        time, positions, nodes = [], [], [[], [], []]
        for m, t in np.ndindex(2, 5):
            here = [max(float(values[b, m, t, n]), 0) for n in range(3) if valid[b, m, t] and observed[b, m, t, n]]
            positions += here
            time += [np.mean(here)] if here else []
            for n in range(3):
                nodes[n] += [max(float(values[b, m, t, n]), 0)] if valid[b, m, t] and observed[b, m, t, n] else []
        np.testing.assert_allclose(found["time"][b], time, rtol=1e-6)
        np.testing.assert_allclose(found["positions"][b], positions, rtol=1e-6)
        np.testing.assert_allclose(found["nodes"][b], [np.mean(each) for each in nodes if each], rtol=1e-5)
