"""The layout of an input that nobody declared: found where sizes and first layers tell it, else asked for."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.explain import explain
from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.perturbation.temporal_rescaling import TemporalRescaling
from stexplain.explainers.targets import Class
from stexplain.graph import STGraph
from tests.explainers.small_models import signals

NODES, FRAMES, CHANNELS = 7, 12, 2


def path(nodes):
    return STGraph.from_edges(
        [str(node) for node in range(nodes)], [(str(node), str(node + 1)) for node in range(nodes - 1)]
    )


GRAPH = path(NODES)


class Head(nn.Module):
    """From features to two logits; it knows nothing of axes."""

    def logits(self, features):
        return torch.stack([features.flatten(1).sum(1), features.flatten(1).square().sum(1)], 1)


class Linear(Head):
    """Channels last, also where the model turns its input first."""

    def __init__(self, order=None):
        super().__init__()
        self.order, self.mix = order, nn.Linear(CHANNELS, 3)

    def forward(self, x):
        return self.logits(self.mix(x if self.order is None else x.permute(self.order)))


class Convolution(Head):
    """Channels second; `kernel` slides over one of the others, `order` turns the input first."""

    def __init__(self, kernel=(1, 1), order=None, channels=CHANNELS):
        super().__init__()
        self.order, self.mix = order, nn.Conv2d(channels, 3, kernel)

    def forward(self, x):
        return self.logits(self.mix(x if self.order is None else x.permute(self.order)))


class Holds(Linear):
    """It holds an adjacency, which says how many nodes there are."""

    def __init__(self):
        super().__init__()
        self.register_buffer("supports", torch.rand(3, NODES, NODES))


class HoldsList(Linear):
    def __init__(self):
        super().__init__()
        self.supports = [torch.eye(NODES), torch.rand(NODES, NODES)]


class Given(Linear):
    def forward(self, x, adjacency):
        return super().forward(x)


class Recurrent(Head):
    """Each node is a sequence of its own, folded with the samples."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRU(CHANNELS, 3, batch_first=True)

    def forward(self, x):  # b t n c
        return self.logits(self.cell(x.transpose(1, 2).flatten(0, 1))[0].reshape(len(x), -1))


class Steps(Head):
    """What a frame holds is one vector, as in a transformer: nodes and channels folded, after `order`."""

    def __init__(self, order, folded=NODES * CHANNELS):
        super().__init__()
        self.order, self.mix = order, nn.Linear(folded, 3)

    def forward(self, x):
        return self.logits(self.mix(x.permute(self.order).flatten(2)))


class Electrodes(Head):
    """x ``[B, N, T]``: electrodes are the channels of its convolution, as in most nets of EEG."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv1d(NODES, 3, 5)

    def forward(self, x):
        return self.logits(self.mix(x))


def x(pattern, samples=3, **other):
    sizes = {"b": samples, "m": 1, "t": FRAMES, "n": NODES, "c": CHANNELS, **other}
    return signals(*[sizes[letter] for letter in pattern.split()])


@pytest.mark.parametrize(
    ("model", "pattern", "options"),
    [
        (Linear(), "b t n c", {"graph": GRAPH}),
        (Linear(), "b n t c", {"graph": GRAPH}),
        (Linear((0, 2, 3, 1)), "b c t n", {"graph": GRAPH}),
        (Linear((0, 1, 3, 2)), "b t c n", {"graph": GRAPH}),
        (Holds(), "b t n c", {}),
        (HoldsList(), "b n t c", {}),
        (Convolution(), "b c t n", {"graph": GRAPH}),
        (Convolution(), "b c n t", {"graph": GRAPH}),
        (Convolution(order=(0, 3, 1, 2)), "b t n c", {"graph": GRAPH}),
        # A window that slides over time tells time where nothing tells nodes.
        (Convolution((3, 1)), "b c t n", {}),
        (Convolution((1, 3)), "b c n t", {}),
        (Convolution((3, 1), order=(0, 3, 1, 2)), "b t n c", {}),
        (Recurrent(), "b t n c", {}),
        (Steps((0, 2, 1, 3)), "b c t n", {"graph": GRAPH}),
        (Steps((0, 2, 3, 1)), "b c t n", {"graph": GRAPH}),
        (Steps((0, 1, 2, 3)), "b t n c", {"graph": GRAPH}),
        (Electrodes(), "b n t", {"graph": GRAPH}),
        (Electrodes(), "b n t", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_layout_is_found_and_said(model, pattern, options):
    found = InputGradient(model, **options)(x(pattern), target=Class(0))
    given = InputGradient(model, inputs=pattern, **options)(x(pattern), target=Class(0))
    np.testing.assert_array_equal(found.values, given.values)
    assert f"x was taken to be laid out as {pattern!r}" in found.notes[0]
    assert given.notes == ()
    assert found.call.options["inputs"] == pattern


def test_an_adjacency_that_is_given_tells_the_nodes():
    e = InputGradient(Given())(x("b n t c"), target=Class(0), shared={"adjacency": np.diag(range(NODES))})
    assert e.values.shape == (3, 1, FRAMES, NODES)


@pytest.mark.parametrize(
    ("model", "pattern", "options", "listed"),
    [
        (Linear(), "b t n c", {}, "inputs='b t n c' or inputs='b n t c'"),
        (Convolution(), "b c n t", {}, "inputs='b c t n' or inputs='b c n t'"),
        # No layer takes x as it is.
        (nn.Identity(), "b n t c", {"graph": GRAPH}, "inputs='b n t c' or inputs='b n c t'"),
        # Frames are the channels of its first layer: more of them than of frames.
        (Convolution(channels=FRAMES), "b t n c", {"graph": GRAPH}, "inputs='b c n t'"),
        # A vector of all frames and nodes for each channel: more of its "channels" than of frames.
        (Steps((0, 1, 2, 3), FRAMES * NODES), "b c t n", {"graph": GRAPH}, "inputs='b t c n'"),
        (Steps((0, 1, 2, 3)), "b t n c", {}, "inputs='b t n c' or"),
        (nn.Identity(), "b t n", {}, "inputs='b t n' or inputs='b n t'"),
        (nn.Identity(), "t n", {}, r"inputs='\(b n\) t' or inputs='t n'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_does_not_follow_is_asked_for(model, pattern, options, listed):
    with pytest.raises(InputError, match=listed):
        InputGradient(model, **options)(x(pattern), target=Class(0))


def test_as_many_frames_as_nodes():
    same = x("b t n c", t=NODES)
    with pytest.raises(InputError, match="inputs='b t n c' or inputs='b n t c'"):
        InputGradient(Linear(), graph=GRAPH)(same, target=Class(0))


def test_a_graph_of_another_size_is_named():
    with pytest.raises(InputError, match=r"shape \(3, 12, 9, 2\) and the graph 7 nodes: no axis is of that size"):
        InputGradient(Linear(), graph=GRAPH)(x("b t n c", n=9), target=Class(0))


class Skeletons(nn.Module):
    """x ``[B, C, T, N, M]``, normalised over nodes and channels first, as ST-GCN does."""

    def __init__(self, persons):
        super().__init__()
        self.persons = persons
        self.register_buffer("adjacency", torch.rand(3, 25, 25))
        self.norm, self.mix = nn.BatchNorm1d(3 * 25 * (2 if persons else 1)), nn.Conv2d(3, 4, 1)

    def forward(self, x):
        b, c, t, n, m = x.shape
        if self.persons:
            x = self.norm(x.permute(0, 4, 3, 1, 2).reshape(b, m * n * c, t)).view(b, m, n, c, t)
        else:
            x = self.norm(x.permute(0, 4, 3, 1, 2).reshape(b * m, n * c, t)).view(b, m, n, c, t)
        return self.mix(x.permute(0, 1, 3, 4, 2).reshape(b * m, c, t, n)).mean((2, 3)).view(b, m, 4).mean(1)


def skeletons():
    return signals(4, 3, 30, 25, 2)


@pytest.mark.parametrize("persons", [True, False])
@pytest.mark.parametrize("options", [{}, {"graph": path(25)}], ids=["adjacency", "graph"])
def test_skeletons_are_not_read_as_three_persons_of_two_channels(persons, options):
    """Its first layer folds persons, nodes and channels; the next one is given other values, of sizes that tell."""
    e = InputGradient(Skeletons(persons).eval(), **options)(skeletons(), target=Class(0))
    assert e.values.shape == (4, 2, 30, 25)
    assert "'b c t n m'" in e.notes[0]


def test_five_axes_of_a_graph_alone_are_asked_for_where_they_are_like_skeletons():
    with pytest.raises(InputError, match="inputs='b m t n c' or inputs='b c t n m'"):
        InputGradient(nn.Flatten(), graph=path(25))(skeletons(), target=Class(0))
    e = InputGradient(nn.Flatten(), graph=path(25))(skeletons().permute(0, 4, 2, 3, 1), target=Class(0))
    assert e.values.shape == (4, 2, 30, 25)


@pytest.mark.parametrize("shape", [(6, 6, 6, 6, 2), (4, 6, 25, 25, 2), (4, 2, 30, 25, 1), (4, 4, 30, 25, 2)])
def test_channels_of_one_or_two_persons_are_not_read_as_persons(shape):
    """As many nodes as frames or channels: the first layers, behind a normalisation, do not tell which are which."""

    class Pooled(nn.Module):
        adjacency = torch.rand(shape[3], shape[3])

        def forward(self, x):
            return torch.einsum("bctnm,nk->bctkm", x, self.adjacency).mean((2, 3, 4))

    with pytest.raises(InputError, match="inputs='b m t n c' or inputs='b c t n m'"):
        InputGradient(Pooled())(signals(*shape), target=Class(0))
    # Nothing tells the nodes at all.
    with pytest.raises(InputError, match="inputs='b m t n c' or inputs='b c t n m'"):
        InputGradient(nn.Flatten())(signals(*shape), target=Class(0))


def test_five_axes_in_our_order_stay_the_default_without_a_word():
    e = InputGradient(nn.Sequential(nn.Flatten(), nn.Linear(2 * 6 * 5 * 3, 2)))(signals(4, 2, 6, 5, 3), target=Class(0))
    assert e.values.shape == (4, 2, 6, 5)
    assert e.notes == ()


def test_upper_case_letters_are_the_same():
    e = InputGradient(Linear(), inputs="B T N C")(x("b t n c"), target=Class(0))
    assert e.values.shape == (3, 1, FRAMES, NODES)


def test_explainers_around_others_and_baselines_find_the_same():
    tensor = x("b n t c")
    e = TemporalRescaling(InputGradient(Linear(), graph=GRAPH), window=6)(tensor, target=Class(0))
    assert e.values.shape == (3, 1, FRAMES, NODES)
    np.testing.assert_array_equal(Motion(Linear(), graph=GRAPH)(tensor).values, Motion(inputs="b n t c")(tensor).values)
    assert explain(Linear(), tensor, graph=GRAPH, method="InputGradient").values.shape == (3, 1, FRAMES, NODES)


def test_another_input_of_the_same_explainer_is_looked_at_anew():
    explainer = InputGradient(Holds())
    assert explainer(x("b t n c"), target=Class(0)).values.shape == (3, 1, FRAMES, NODES)
    assert explainer(x("b n t c"), target=Class(0)).values.shape == (3, 1, FRAMES, NODES)
    assert explainer.options["inputs"] == "b n t c"


def test_the_model_and_the_samples_stay_as_they_are():
    model, tensor = Linear().train(), x("b n t c")
    kept = tensor.clone()
    InputGradient(model, graph=GRAPH)(tensor, target=Class(0))
    assert torch.equal(tensor, kept)
    assert model.training
    assert not model.mix._forward_pre_hooks
