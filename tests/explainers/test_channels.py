"""A map of its own for every channel."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.joined import joined
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.targets import Class
from tests.explainers.small_models import signals

WEIGHTS = torch.tensor([2.0, -3.0])
NAMES = ("speed", "flow")


class Weighted(nn.Module):
    """x ``[B, T, N, C]``."""

    def forward(self, x):
        return (x * WEIGHTS).sum((1, 3))


def gradient(rows=slice(None), **options):
    explain = InputGradient(Weighted(), inputs="b t n c", channel_names=NAMES, **options)
    return explain(signals(3, 6, 5, 2)[rows], target=Class(1))


@pytest.mark.parametrize(("reduce", "value"), [("norm", 13**0.5), ("positive", 2), ("sum", -1)])
def test_the_gradient_of_each_channel_and_how_it_was_reduced(reduce, value):
    e = gradient(reduce=reduce)
    assert e.channels.shape == (3, 1, 6, 5, 2)
    np.testing.assert_allclose(e.channels[:, 0, :, 1], np.broadcast_to(WEIGHTS, (3, 6, 2)))
    np.testing.assert_allclose(e.values[:, 0, :, 1], value, rtol=1e-6)
    assert {"norm": "norm", "positive": "positive part", "sum": "sum"}[reduce] in e.reduce


@pytest.mark.parametrize("kind", [IntegratedGradients, GradientSHAP])
def test_contributions_of_each_channel_add_up(kind):
    x = signals(3, 6, 5, 2)
    given = {"baselines": ["zero"]} if kind is GradientSHAP else {}
    e = kind(Weighted(), inputs="b t n c", **given)(x, target=Class(1))
    np.testing.assert_allclose(e.channels[:, 0, :, 1], (x * WEIGHTS)[:, :, 1], rtol=1e-4)
    np.testing.assert_allclose(e.channels.sum(-1), e.values, atol=1e-5)
    assert e.reduce == "the sum over channels"


def test_padding_has_no_channels_either():
    valid = torch.ones(3, 1, 6, dtype=torch.bool)
    valid[1, :, 4:] = False
    e = InputGradient(Weighted(), inputs="b t n c")(signals(3, 6, 5, 2), target=Class(1), valid=valid)
    assert not e.channels[1, :, 4:].any()
    assert e.channels[1, :, :4].any()


def test_rows_chunks_and_parts_keep_their_channels():
    e = gradient()
    np.testing.assert_array_equal(e[1:].channels, e.channels[1:])
    parts = joined([gradient(slice(0, 1)), gradient(slice(1, 3))])
    np.testing.assert_array_equal(parts.channels, e.channels)
    assert (parts.channel_names, parts.reduce) == (NAMES, e.reduce)
    np.testing.assert_array_equal(gradient(chunk=2).channels, e.channels)


def test_one_channel_is_an_explanation_of_its_own():
    e = gradient()
    for which in ("flow", 1, -1):
        one = e.channel(which)
        np.testing.assert_array_equal(one.values, e.channels[..., 1])
        assert one.channel_names == ("flow",)
        assert one.method == "input gradient, channel flow"
    with pytest.raises(InputError, match="unknown channel 'flows'. Did you mean 'flow'"):
        e.channel("flows")
    with pytest.raises(InputError, match="the map by occlusion has no channels"):
        Explanation(np.ones((1, 1, 2, 3)), np.ones((1, 1, 2), bool), method="occlusion").channel(0)


def test_tables_files_and_datasets_hold_them(tmp_path):
    e = gradient()
    table = e.to_pandas(by_channel=True)
    assert len(table) == e.channels.size
    assert list(table.columns) == ["sample", "instance", "frame", "time", "node", "channel", "value"]
    picked = table[(table["frame"] == 2) & (table["node"] == "1") & (table["channel"] == "flow")]
    np.testing.assert_allclose(picked["value"], -3)
    assert "channel" not in e.to_pandas()
    dataset = e.to_xarray()
    np.testing.assert_allclose(dataset["channels"].sel(channel="speed", node="1"), 2)
    assert dataset.attrs["reduce"] == e.reduce
    e.save(tmp_path / "e.nc")
    back = Explanation.load(tmp_path / "e.nc")
    np.testing.assert_array_equal(back.channels, e.channels)
    assert (back.channel_names, back.reduce) == (NAMES, e.reduce)


def test_names_of_the_samples_and_of_the_model():
    def sample(channels):
        return Sample(signals(1, 6, 5, 2).numpy(), np.ones((1, 6), bool), channels=channels)

    class Five(Weighted):
        def forward(self, x):
            return super().forward(x[:, 0])

    explain = InputGradient(Five())
    assert explain(sample(NAMES), target=Class(1)).channel_names == NAMES
    assert explain(Batch.of(sample(NAMES), sample(NAMES)), target=Class(1)).channel_names == NAMES
    # Samples that do not agree have no names in common.
    assert explain(Batch.of(sample(NAMES), sample(())), target=Class(1)).channel_names == ("0", "1")
    explain.model.channel_names = ["a", "b"]
    assert explain(sample(()), target=Class(1)).channel_names == ("a", "b")
    assert explain(sample(NAMES), target=Class(1)).channel_names == NAMES
    # The option goes before both.
    assert InputGradient(Five(), channel_names="xy")(sample(NAMES), target=Class(1)).channel_names == ("x", "y")
