"""Every kind of layer: the axes and positions that a table of layers gives are those that were built in."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError
from tests.explainers.model.probe import kinds
from tests.explainers.small_models import signals

CTN, TNC = "b c t n", "b t n c"


def table(model, shape, inputs):
    torch.manual_seed(0)
    return stx.layers(model.eval(), signals(*shape), inputs=inputs).set_index("layer")


def place(row):
    return (row["layout"], row["time"], row["stride"], row["offset"], row["sees"])


@pytest.mark.parametrize("frames", [12, 40, 200])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"before": 1, "behind": 1}, ("aligned", 1, 0, 3)),
        ({"stride": 2, "before": 1, "behind": 1}, ("aligned", 2, 0, 3)),
        ({"kernel": 1, "stride": 4}, ("one frame", 4, 0, 1)),
        ({"kernel": 4, "stride": 4}, ("aligned", 4, 1.5, 4)),
        ({}, ("aligned", 1, 1, 3)),
        ({"kernel": 4}, ("aligned", 1, 1.5, 4)),
        ({"dilation": 3, "before": 3, "behind": 3}, ("aligned", 1, 0, 7)),
        ({"kernel": 2, "dilation": 4}, ("aligned", 1, 2, 5)),
        ({"before": 2}, ("causal", 1, 0, 3)),
        ({"kernel": 2, "stride": 2, "dilation": 2, "before": 2}, ("causal", 2, 0, 3)),
        ({"behind": 2}, ("aligned", 1, 1, 3)),
        ({"kernel": 1, "before": 3}, ("one frame", 1, -3, 1)),
        ({"kernel": 2, "before": 3}, ("aligned", 1, -2.5, 2)),
    ],
)
def test_convolutions(options, expected, frames):
    row = table(kinds.Convolution(**options), (3, 3, frames, 5), CTN).loc["conv"]
    assert place(row) == ("b c t n", *expected)
    assert row["nodes"]
    assert row["frames"]


@pytest.mark.parametrize("frames", [6, 12, 40])
@pytest.mark.parametrize("residual", [True, False])
def test_convolutions_that_only_look_back_stand_for_their_last_frame(frames, residual):
    found = table(kinds.Causal(residual=residual), (3, 3, frames, 5), CTN)
    for name, sees in (("outs.0", 2), ("outs.1", 4), ("outs.2", 8)):
        assert place(found.loc[name]) == ("b c t n", "causal", 1, 0, min(sees, frames))


@pytest.mark.parametrize("frames", [5, 6, 8, 12])
def test_the_past_padded_to_the_view(frames):
    """Of 8 frames that all convolutions see, as many as the clip lacks are padded before it."""
    found = table(kinds.PadsToItsView(), (3, 3, 6, frames), "b c n t")
    padded = max(8 - frames, 0)
    assert found.loc["start", "offset"] == -padded
    for name, sees in (("norms.0", 2), ("norms.1", 4)):
        first, last = -padded, sees - 1 - padded
        # What looks back from frame 0 exactly stands for that one, as any layer that looks back does.
        offset = 0 if first < 0 == last else (first + last) / 2
        assert (found.loc[name, "stride"], found.loc[name, "offset"]) == (1, offset)
    last = found.loc["norms.2"]
    if frames == 12:
        assert place(last) == ("b c n t", "aligned", 1, 3.5, 8)
    else:
        assert (last["layout"], last["time"], last["frames"]) == ("b c n 1", "none", False)


@pytest.mark.parametrize("frames", [12, 100])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_networks_over_folded_nodes(kind, bidirectional, frames):
    found = table(kinds.PerNode(kind, bidirectional), (3, frames, 5, 3), TNC)
    row = found.loc["rnn"]
    assert row["layout"] == "(b n) t c"
    assert (row["time"], row["stride"], row["offset"]) == ("global" if bidirectional else "causal", 1, 0)
    states = found.loc[["rnn[1][0]", "rnn[1][1]"] if kind is nn.LSTM else ["rnn[1]"]]
    assert (states["layout"] == "c (b n) d").all()
    assert (states["time"] == "none").all()


def test_a_recurrent_network_over_all_nodes_has_none_behind_it():
    found = table(kinds.Joints(), (3, 12, 5, 3), TNC)
    assert place(found.loc["rnn"]) == ("t b c", "causal", 1, 0, 12)
    assert not found.loc["rnn", "nodes"]
    assert (found.loc["rnn[1]", "layout"], found.loc["rnn[1]", "frames"]) == ("1 b c", False)


@pytest.mark.parametrize("frames", [12, 40])
@pytest.mark.parametrize("places", [True, False])
def test_attention_over_time_and_over_nodes(places, frames):
    over_time = table(kinds.Attention("t", places), (3, frames, 7, 3), TNC)
    for name in ("block", "attend"):
        assert place(over_time.loc[name]) == ("(b n) t c", "global", 1, 0, frames)
    over_nodes = table(kinds.Attention("n", places), (3, frames, 7, 3), TNC)
    assert place(over_nodes.loc["block"]) == ("(b t) n c", "one frame", 1, 0, 1)
    assert over_nodes.loc["block", "nodes"]
    # All nodes mix, and none stands out where nothing is passed on: right or unknown, never wrong.
    assert over_nodes.loc["attend", "layout"] in ("(b t) n c", None)
    # The weights: which of two alike axes is which cannot be told.
    assert over_time.loc["attend[1]", "layout"] is None
    assert over_nodes.loc["attend[1]", "layout"] is None


@pytest.mark.parametrize("frames", [12, 40])
@pytest.mark.parametrize(
    ("options", "stride", "offset"),
    [
        ({"before": 1, "behind": 1}, 1, 0),
        ({"before": 2}, 1, 0),
        ({}, 1, 1),
        ({"kernel": 2, "before": 3}, 1, -2.5),
        ({"stride": 2, "before": 1, "behind": 1}, 2, 0),
    ],
)
def test_a_normalisation_over_time_hides_nothing(options, stride, offset, frames):
    """Every frame changes every position, by way of the mean and the spread; right or unknown, never wrong."""
    row = table(kinds.OverTime(kinds.Convolution(**options)), (3, 3, frames, 5), CTN).loc["inner.conv"]
    assert (row["layout"], row["stride"], row["offset"]) == ("b c t n", stride, offset)


@pytest.mark.parametrize(("frames", "nodes"), [(30, 7), (64, 25), (300, 7)])
def test_a_skeleton_network_whose_view_may_be_longer_than_the_clip(frames, nodes):
    found = table(kinds.Skeleton(nodes), (2, 3, frames, nodes, 2), "b c t n m")
    assert found.loc["norm", "layout"] == "(b m) (n c) t"
    for name, stride, sees in (("temporal.0", 1, 9), ("temporal.1", 2, 17), ("temporal.2", 4, 33)):
        assert place(found.loc[name]) == ("(b m) c t n", "aligned", stride, 0, sees)
    # A shared activation: its last call.
    assert (found.loc["relu", "calls"], found.loc["relu", "stride"]) == (3, 4)
    assert found.loc["head", "layout"] == "b c"


def test_tensors_by_name_and_in_tuples():
    model, x = kinds.Named().eval(), signals(3, 8, 5, 3)
    found = table(model, x.shape, TNC)["layout"]
    assert found["encoder"] == "b c"
    assert found["encoder['hidden']"] == "b c n t"
    assert found["pair"] == "b t c"
    assert (found["pair[1][0]"], found["pair[1][1]"]) == ("b t n c", "b t c n")
    by_name = stx.HiResCAM(model, layer="encoder['hidden']", inputs=TNC)(x, target=stx.Class(1))
    below = stx.HiResCAM(model, layer="encoder.lift", inputs=TNC)(x, target=stx.Class(1))
    assert by_name.layer == "encoder['hidden']"
    # Only what goes through the named tensor counts: the pooled one bypasses it.
    assert not np.allclose(by_name.values, below.values)
    in_tuple = stx.HiResCAM(model, layer="pair[1]", inputs=TNC)(x, target=stx.Class(1))
    np.testing.assert_allclose(in_tuple.values, by_name.values, rtol=1e-5, atol=1e-8)
    with pytest.raises(InputError, match=r"layer .encoder\['hiden'\].*Did you mean .*hidden"):
        stx.HiResCAM(model, layer="encoder['hiden']", inputs=TNC)(x, target=stx.Class(1))


def test_a_batch_of_one_size_goes_through_again_and_again():
    found = table(kinds.ForOneSize(), (3, 8, 5, 3), TNC)
    assert place(found.loc["conv"]) == ("b c t n", "aligned", 1, 0, 3)
    assert found.loc["conv", "shape"] == (3, 4, 8, 5)


@pytest.mark.parametrize("horizons", [4, 6])
def test_a_cell_that_runs_once_per_frame_and_a_decoder_that_does_not(horizons):
    """Also where there are as many horizons as frames."""
    model, x = kinds.Cells(horizons).eval(), signals(3, 6, 5, 3)
    found = table(model, x.shape, TNC)
    assert place(found.loc["cell"]) == ("b n c", "causal", 1, 0, 6)
    assert found.loc["cell", "calls_are_frames"]
    assert not found.loc["decoder", "calls_are_frames"]
    assert f"it ran {horizons} times" in found.loc["decoder", "why"]
    target = stx.Forecast(2, horizon=2, layout="b t n")
    measured = stx.HiResCAM(model, layer="cell", inputs=TNC)(x, target=target)
    said = stx.HiResCAM(model, layer="cell", layout="b n c", calls="frames", inputs=TNC)(x, target=target)
    np.testing.assert_array_equal(measured.values, said.values)
    assert measured.layer_values.shape == (3, 1, 6, 5)
    decoder = stx.HiResCAM(model, layer="decoder", inputs=TNC)(x, target=target)
    assert np.ptp(decoder.values, axis=2).max() == 0
    assert any(f"ran {horizons} times" in note for note in decoder.notes)
    with pytest.raises(InputError, match="calls: got 'frames' for layer 'decoder'"):
        stx.HiResCAM(model, layer="decoder", calls="frames", inputs=TNC)(x, target=target)


def test_a_cell_that_runs_backwards_is_not_taken_for_one_in_order():
    found = table(kinds.Cells(backward=True), (3, 6, 5, 3), TNC)
    assert not found.loc["cell", "calls_are_frames"]
    assert not found.loc["cell", "frames"]


def test_a_module_under_two_names():
    model, x = kinds.Tied().eval(), signals(3, 3, 12, 5)
    found = table(model, x.shape, CTN)
    assert place(found.loc["first"]) == place(found.loc["again"]) == ("b c t n", "aligned", 1, 0, 5)
    values = [
        stx.STGGradCAM(model, layer=layer, inputs=CTN)(x, target=stx.Class(0)).values for layer in ("first", "again")
    ]
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module."])
def test_names_inside_of_wrappers(wrap, prefix):
    model, x = kinds.Convolution(before=1, behind=1).eval(), signals(3, 3, 12, 5)
    plain = stx.STGGradCAM(model, layer="conv", inputs=CTN)(x, target=stx.Class(0))
    wrapped = stx.STGGradCAM(wrap(model), layer=f"{prefix}conv", inputs=CTN)(x, target=stx.Class(0))
    np.testing.assert_allclose(wrapped.values, plain.values, rtol=1e-6)


def test_electrodes_that_one_filter_mixes():
    found = table(kinds.Electrodes(), (3, 6, 200), "b n t")
    assert place(found.loc["temporal"]) == ("b c n t", "aligned", 1, 0.5, 16)
    assert place(found.loc["spatial"]) == ("b c 1 t", "aligned", 1, 0.5, 16)
    assert place(found.loc["pool"]) == ("b c 1 t", "aligned", 4, 2, 19)
    assert found.loc[["temporal", "spatial", "pool"], "nodes"].tolist() == [True, False, False]


@pytest.mark.parametrize("sizes", [(3, 5, 5, 5), (4, 4, 4, 4), (8, 8, 8, 8)])
def test_axes_of_one_size(sizes):
    """As many samples, channels, frames and nodes."""
    model = nn.Sequential(nn.Conv2d(sizes[1], sizes[1], (3, 1), padding=(1, 0)), nn.Tanh())
    found = table(model, sizes, CTN)
    assert (found["layout"] == "b c t n").all()
    assert (found["stride"] == 1).all()
    assert (found["offset"] == 0).all()


def test_neither_the_model_nor_the_random_state_changes():
    model, x = kinds.PerNode().train(), signals(3, 12, 5, 3)
    before, state, dtype = copy.deepcopy(model.state_dict()), torch.random.get_rng_state(), torch.get_default_dtype()
    kept = x.clone()
    stx.layers(model, x, inputs=TNC)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_default_dtype() == dtype
    assert torch.equal(x, kept)
    assert not any(module._forward_hooks for module in model.modules())


def test_what_the_model_raises_is_shown():
    with pytest.raises(InputError, match="channels"):
        stx.layers(kinds.Convolution(), signals(3, 4, 12, 5), inputs=CTN)
    with pytest.raises(InputError, match="has no modules"):
        stx.layers(nn.Identity(), signals(3, 4, 12, 5), inputs=CTN)


def test_the_cost_is_said():
    """Most layers take two passes of 23 copies; of a long clip, a part of it and a check of 7."""
    few = stx.layers(kinds.Convolution(before=1, behind=1).eval(), signals(3, 3, 12, 5), inputs=CTN)
    assert few.attrs["inferences"] == 46
    many = stx.layers(kinds.Convolution(before=1, behind=1).eval(), signals(3, 3, 512, 5), inputs=CTN)
    assert many.attrs["inferences"] < 50
