"""What a model's first layer tells of the axes of x, in whatever order, alone or folded, its input has them."""

import itertools

import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError
from stexplain.explainers.model.inputs.layout import Evidence, add_layers

ORDERS = list(itertools.permutations((1, 2, 3)))
SIZES = [(3, 4, 6), (4, 4, 4), (2, 5, 5)]


def told(layer, change, x, nodes=()):
    """The evidence of a model that changes x and gives it to a layer."""

    class First(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(change(x))

    model, evidence = First().eval(), Evidence(nodes=set(nodes))
    add_layers(evidence, model, lambda: model(x), x)
    assert not any(module._forward_pre_hooks for module in model.modules())
    return evidence.channels, evidence.frames


def drawn(*sizes):
    return torch.randn(3, *sizes, generator=torch.Generator().manual_seed(sum(sizes)))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("order", ORDERS)
def test_a_linear_layer_takes_the_last_axis_for_channels(order, sizes):
    """Also where axes are as long: by values."""
    x, layer = drawn(*sizes), nn.Linear(sizes[order[-1] - 1], 2)
    assert told(layer, lambda x: x.permute(0, *order), x) == (order[-1], None)
    # Folded with the samples, or the others with each other.
    assert told(layer, lambda x: x.permute(0, *order).flatten(0, 1), x) == (order[-1], None)
    assert told(layer, lambda x: x.permute(0, *order).flatten(0, 2), x) == (order[-1], None)
    assert told(layer, lambda x: x.permute(0, *order).flatten(1, 2), x) == (order[-1], None)
    # The axis of the nodes is none, and of all that was flattened nothing is told.
    assert told(layer, lambda x: x.permute(0, *order), x, nodes={order[-1]}) == (None, None)
    assert told(layer, lambda x: x.permute(0, *order), x, nodes={1, 2, 3}) == (order[-1], None)
    flat = nn.Linear(sizes[0] * sizes[1] * sizes[2], 2)
    assert told(flat, lambda x: x.permute(0, *order).flatten(1), x) == (None, None)


@pytest.mark.parametrize("order", ORDERS)
def test_of_all_that_a_frame_holds_the_nodes_tell_the_channels(order):
    """Nodes and channels folded into the features of a step."""
    x = drawn(3, 4, 6)
    frames, nodes, channels = order
    for pair in ((nodes, channels), (channels, nodes)):
        layer = nn.Linear(x.shape[nodes] * x.shape[channels], 2)
        assert told(layer, lambda x, pair=pair: x.permute(0, frames, *pair).flatten(2), x, nodes={nodes})[0] == channels
        # Without nodes, or where both may be nodes, it is open.
        for unknown in (set(), {nodes, channels}):
            assert told(layer, lambda x, pair=pair: x.permute(0, frames, *pair).flatten(2), x, nodes=unknown)[0] is None


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("order", ORDERS)
def test_a_recurrent_layer_runs_over_frames(order, kind, batch_first):
    x = drawn(3, 4, 6)
    nodes, frames, channels = order
    layer = kind(x.shape[channels], 2, batch_first=batch_first)

    def change(x):
        y = x.permute(0, nodes, frames, channels).flatten(0, 1)
        return y if batch_first else y.transpose(0, 1)

    assert told(layer, change, x) == (channels, frames)


@pytest.mark.parametrize("order", ORDERS)
def test_a_convolution_has_channels_second_and_slides_over_frames(order):
    x = drawn(5, 4, 6)
    channels, frames, nodes = order
    width, length = x.shape[channels], x.shape[frames]
    in_order = lambda x: x.permute(0, channels, frames, nodes)  # noqa: E731
    assert told(nn.Conv2d(width, 2, (3, 1)), in_order, x) == (channels, frames)
    assert told(nn.Conv2d(width, 2, (1, 3)), in_order, x) == (channels, nodes)
    # One position, all of an axis, or a window over both tells nothing of frames.
    for kernel in ((1, 1), (length, 1), (3, 3)):
        assert told(nn.Conv2d(width, 2, kernel), in_order, x) == (channels, None)
    over = lambda x: x.permute(0, nodes, channels, frames).flatten(0, 1)  # noqa: E731
    assert told(nn.Conv1d(width, 2, 3), over, x) == (channels, frames)


@pytest.mark.parametrize("order", ORDERS)
def test_a_normalisation_of_nodes_and_channels_lets_the_next_layer_tell(order):
    x = drawn(5, 4, 7)
    nodes, channels, frames = order
    fold = x.shape[nodes] * x.shape[channels]

    class Behind(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.layer = nn.BatchNorm1d(fold), nn.Conv1d(x.shape[channels], 2, 3)

        def forward(self, x):
            y = self.norm(x.permute(0, nodes, channels, frames).flatten(1, 2))
            return self.layer(y.unflatten(1, (x.shape[nodes], -1)).flatten(0, 1))

    model, known, unknown = Behind().eval(), Evidence(nodes={nodes}), Evidence()
    for evidence in (known, unknown):
        add_layers(evidence, model, lambda: model(x), x)
    # Values are others behind it: the sizes of axes tell.
    assert (known.channels, known.frames) == (channels, frames)
    assert (unknown.channels, unknown.frames) == (channels, frames)


def test_of_three_axes_none_is_that_of_channels():
    x = drawn(4, 6)
    assert told(nn.Linear(6, 2), lambda x: x, x) == (None, None)
    assert told(nn.GRU(6, 2, batch_first=True), lambda x: x, x) == (None, None)
    assert told(nn.Conv1d(4, 2, 3), lambda x: x, x) == (None, 2)
    # A new axis of size one is the channels where x has one of its own.
    single = drawn(4, 6, 1)
    assert told(nn.Linear(1, 2), lambda x: x, single) == (3, None)


def test_what_is_not_x_itself_tells_nothing():
    """A sum, a part, or what failed before its first layer."""
    x = drawn(3, 4, 6)
    assert told(nn.Linear(6, 2), lambda x: x.sum(1), x) == (None, None)
    assert told(nn.Linear(5, 2), lambda x: x[..., :5], x) == (None, None)

    def fails(x):
        raise InputError("no")

    assert told(nn.Linear(6, 2), fails, x) == (None, None)


@pytest.mark.parametrize(
    ("second", "frames"),
    [
        # A window that slides along the other axis, too: the first may be over neighbouring nodes.
        (nn.Conv2d(4, 4, (3, 1)), None),
        (nn.Conv2d(4, 4, (1, 5)), 3),
        # Over all nodes, and over each half of them.
        (nn.Conv2d(4, 4, (6, 1)), 3),
        (nn.Conv2d(4, 4, (3, 1), (3, 1)), 3),
        (nn.Conv1d(4, 4, 3), 3),
    ],
)
def test_windows_along_two_axes_tell_no_frames(second, frames):
    """x ``[B, C, N, T]`` or ``[B, C, T, N]``: kernels of graphs in a row are as long as kernels of time."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(2, 4, (1, 3)), second

        def forward(self, x):
            x = self.first(x)
            return self.second(x if isinstance(self.second, nn.Conv2d) else x.mean(2))

    model, x = Two().eval(), drawn(2, 6, 12)
    for nodes, told_frames in ((set(), frames), ({2}, 3)):
        evidence = Evidence(nodes=set(nodes))
        add_layers(evidence, model, lambda: model(x), x)
        assert (evidence.channels, evidence.frames) == (1, told_frames)


def test_an_order_of_frames_and_nodes_that_fits_twice_is_asked_for():
    """Neighbouring nodes first, then the rest of them, then time: it was explained as time, with a note alone."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, (1, 3)), nn.Conv2d(4, 4, (1, 5)), nn.Conv2d(4, 4, (3, 1)), nn.Flatten(), nn.Linear(40, 3)
    )
    x = torch.randn(3, 2, 12, 7)
    with pytest.raises(InputError, match="Give it, such as inputs='b c t n'"):
        stx.InputGradient(model.eval())(x)
    x = x.requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[:, 1].sum(), x)
    found = stx.InputGradient(model, inputs="b c t n", reduce="sum")(x.detach(), target=stx.Class(1))
    assert torch.allclose(torch.from_numpy(found.values[:, 0]), gradient.sum(1), atol=1e-6)


class _Scans(nn.Module):
    """x ``[B, T, N, C]``: one axis by one layer, the other one by another."""

    def __init__(self, first, second, nodes_first):
        super().__init__()
        self.first, self.second, self.nodes_first = first, second, nodes_first

    @staticmethod
    def scan(layer, x):
        return layer(x)[0] if isinstance(layer, nn.RNNBase) else layer(x.transpose(1, 2)).transpose(1, 2)

    def forward(self, x):
        x = x if self.nodes_first else x.transpose(1, 2)
        found = self.scan(self.first, x.flatten(0, 1)).mean(1).unflatten(0, x.shape[:2])
        return self.scan(self.second, found).mean(1)


@pytest.mark.parametrize("nodes_first", [True, False])
@pytest.mark.parametrize("first", [nn.GRU(3, 4, batch_first=True), nn.Conv1d(3, 4, 3)])
@pytest.mark.parametrize(
    ("second", "is_told"),
    [(nn.LSTM(4, 4, batch_first=True), False), (nn.Conv1d(4, 4, 3), False), (nn.Conv1d(4, 4, 1), True)],
)
def test_layers_that_run_along_both_axes_tell_no_frames(first, second, is_told, nodes_first):
    """Electrodes in a row, then time, or the other way round: the layers are the same, only lengths differ."""
    model, x = _Scans(first, second, nodes_first).eval(), drawn(12, 7, 3)
    evidence = Evidence()
    add_layers(evidence, model, lambda: model(x), x)
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert (evidence.channels, evidence.frames) == (3, (2 if nodes_first else 1) if is_told else None)
    # A graph says which axis is of the nodes.
    evidence = Evidence(nodes={2})
    add_layers(evidence, model, lambda: model(x), x)
    assert evidence.nodes == {2}
    assert evidence.frames == (2 if nodes_first else 1)
