"""What passes between nodes over no edge that is followed is listed, and nothing else is."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.model.adjacency.table import adjacencies
from stexplain.explainers.model.adjacency.unfollowed.evidence import finding, halves, reordered
from tests.explainers.model.adjacency.mixing_models import road

NODES, FRAMES, WIDTH = 7, 6, 3
FEW = (torch.arange(NODES)[:, None] + torch.arange(3)) % NODES


class Net(nn.Module):
    """A product with an adjacency, another step, and a pooling."""

    def __init__(self, step, product=True):
        super().__init__()
        torch.manual_seed(1)
        self.register_buffer("road", road(nodes=NODES))
        self.product, self.step = product, step
        self.first, self.second = nn.Linear(2, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm([NODES, WIDTH])
        self.along = nn.Conv2d(WIDTH, WIDTH, (1, 3), padding=(0, 1))
        self.rows = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.attention = nn.MultiheadAttention(WIDTH, 1, batch_first=True)
        self.head = nn.Linear(WIDTH, 4)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        if self.product:
            hidden = torch.einsum("btnc,nm->btmc", hidden, self.road)
        return self.head(torch.relu(self.step(self, hidden)).mean((1, 2)))


def looped(net, h):
    out = h.clone()
    for node in range(1, NODES):
        out[:, :, node] = h[:, :, node] + h[:, :, node - 1] / 2
    return out


def rows(net, h):
    return net.rows(h.flatten(0, 1))[0].view_as(h)


def attended(net, h):
    flat = h.flatten(0, 1)
    return net.attention(flat, flat, flat)[0].view_as(h)


def scattered(net, h):
    source, target = net.road.nonzero().T
    return torch.zeros_like(h).index_add_(2, target, h[:, :, source])


PASSES = {
    "roll": lambda net, h: torch.roll(h, 1, 2),
    "add": lambda net, h: h + h.mean(2, keepdim=True),
    "along.conv2d": lambda net, h: net.along(h.permute(0, 3, 1, 2)).permute(0, 2, 3, 1),
    "mul": lambda net, h: h * torch.sigmoid(net.second(h.mean((1, 2), keepdim=True))),
    "getitem": lambda net, h: h[:, :, FEW.to(h.device)].amax(3),
    "setitem": looped,
    "rows.gru": rows,
    "norm.layer_norm": lambda net, h: net.norm(h),
}
PASSES_NOT = {
    "linear": lambda net, h: net.second(h),
    "temporal": lambda net, h: torch.cat([h[:, 1:], h[:, :1]], 1),
    "attention pooling": lambda net, h: h * torch.softmax(net.second(h)[..., :1], 2),
    "attention": attended,
    "scatter": scattered,
}


@pytest.mark.parametrize("place", PASSES)
@pytest.mark.parametrize("product", [True, False], ids=["beside a product", "alone"])
def test_what_passes_values_over_no_edge_is_listed_with_its_place(place, product):
    x = torch.randn(2, FRAMES, NODES, 2)
    table = adjacencies(Net(PASSES[place], product).eval(), x, inputs="b t n c")
    assert table["name"].tolist() == ["road"] * product + [place]
    assert table["why"].iloc[-1].startswith("values pass between nodes")
    assert table["edges"].iloc[-1] == 0


def mean(h):
    return h.mean(2, keepdim=True)


# What is joined with values of each node: it may be far larger than what each node itself changes.
JOINED = {
    "a mean": ("add", lambda h: h + mean(h)),
    "ten times a mean": ("add", lambda h: h + 10 * mean(h)),
    "a sum": ("add", lambda h: h.sum(2, keepdim=True) + h),
    "centred": ("sub", lambda h: h - mean(h)),
    "scaled": ("div", lambda h: h / (h.std(2, keepdim=True) + 1e-3)),
    "a gate": ("mul", lambda h: h * torch.softmax(3 * mean(h).expand_as(h), -1)),
    "side by side": ("cat", lambda h: torch.cat([h, 5 * mean(h).expand_as(h)], -1)[..., 2:5]),
    "turned": ("add", lambda h: (h.movedim(2, 3) + 5 * h.movedim(2, 3).mean(3, keepdim=True)).movedim(3, 2)),
    "between": ("lerp", lambda h: torch.lerp(h, mean(h).expand_as(h), 0.9)),
    "in place": ("add", lambda h: (h * 1).add_(mean(h), alpha=5)),
    "chosen": ("where", lambda h: torch.where(h > 0.3, h, mean(h))),
}


@pytest.mark.parametrize("step", JOINED)
@pytest.mark.parametrize("draw", range(3))
def test_a_pooling_that_is_joined_with_each_node_is_listed_whatever_the_samples_and_weights(step, draw):
    place, function = JOINED[step]
    net = Net(lambda net, h: function(h)).eval()
    generator = torch.Generator().manual_seed(draw)
    for weight in net.parameters():
        weight.data = 0.6 * torch.randn(weight.shape, generator=generator)
    table = adjacencies(net, torch.randn(2, FRAMES, NODES, 2, generator=generator), inputs="b t n c")
    assert table["name"].tolist() == ["road", place]
    assert table["why"].iloc[-1].startswith("values pass between nodes")


def test_a_pooling_of_as_many_channels_joined_with_what_is_no_signal_is_no_alarm():
    def step(net, h):
        pooled = h.sum(2, keepdim=True)[..., [0, 1, 2, 0, 1, 2, 0]]
        return net.second((pooled + torch.arange(NODES) + pooled.detach())[..., :WIDTH])

    table = adjacencies(Net(step).eval(), torch.randn(2, FRAMES, NODES, 2), inputs="b t n c")
    assert table["name"].tolist() == ["road"]


@pytest.mark.parametrize("step", PASSES_NOT)
def test_what_keeps_nodes_apart_and_what_is_followed_is_no_alarm(step):
    table = adjacencies(Net(PASSES_NOT[step]).eval(), torch.randn(2, FRAMES, NODES, 2), inputs="b t n c")
    assert table["why"].tolist() == [""] * len(table)
    assert table.attrs["inferences"] < 50


def test_a_shift_behind_a_normalisation_is_found():
    net = Net(lambda net, h: torch.roll(net.norm(h), 1, 2)).eval()
    table = adjacencies(net, torch.randn(2, FRAMES, NODES, 2), inputs="b t n c")
    assert table["name"].tolist() == ["road", "norm.layer_norm", "roll"]


def masked(net, h):
    scores = h @ h.transpose(2, 3)
    return scores.masked_fill(net.road == 0, -torch.inf).softmax(-1) @ h


BESIDE = {
    "masked attention": (masked, lambda net, h: h),
    "what works in place": (lambda net, h: h, lambda net, h: torch.relu_(net.second(h))),
}


@pytest.mark.parametrize("case", BESIDE)
@pytest.mark.parametrize("shifted", [True, False])
def test_a_shift_is_found_beside_what_masks_and_what_works_in_place(case, shifted):
    before, after = BESIDE[case]
    net = Net(lambda net, h: after(net, before(net, h).roll(int(shifted), 2))).eval()
    table = adjacencies(net, torch.randn(2, FRAMES, NODES, 2), inputs="b t n c")
    assert [name for name, why in zip(table["name"], table["why"], strict=True) if why] == ["roll"] * shifted


def test_the_map_says_what_it_lacks():
    x = torch.randn(2, FRAMES, NODES, 2)
    e = EdgeImportance(Net(PASSES["roll"]).eval(), inputs="b t n c")(x, target=1)
    (note,) = e.notes
    assert note.startswith("Not explained: roll: values pass between nodes here")
    assert note in repr(e)
    assert EdgeImportance(Net(PASSES_NOT["linear"]).eval(), inputs="b t n c")(x, target=1).notes == ()
    with pytest.raises(InputError, match="no operation of Net was found .* known .roll: values pass"):
        EdgeImportance(Net(PASSES["roll"], product=False).eval(), inputs="b t n c")(x, target=1)


ORDER = torch.tensor([3, 0, 5, 1, 4, 2, 6])
REORDERS = {
    "getitem": (lambda h: h[:, :, ORDER], lambda h: h[:, :, torch.argsort(ORDER)]),
    "index_select": (lambda h: h.index_select(2, ORDER), lambda h: h),
    "flip": (lambda h: h.flip(2), lambda h: h.flip(2)),
    "roll": (lambda h: torch.roll(h, 2, 2), lambda h: h),
}


@pytest.mark.parametrize("place", REORDERS)
@pytest.mark.parametrize("folded", [False, True])
def test_edges_among_nodes_in_another_order_bear_no_names_of_others(place, folded):
    """A product behind a change of order is refused; one before it is explained."""
    there, back = REORDERS[place]

    class Reordered(Net):
        def forward(self, x):
            hidden = there(torch.einsum("btnc,nm->btmc", torch.relu(self.first(x)), 2 * self.road))
            if folded:
                wide = hidden.permute(0, 1, 3, 2).flatten(0, 2) @ self.road
                hidden = wide.reshape(len(x), FRAMES, WIDTH, NODES).permute(0, 1, 3, 2)
            else:
                hidden = torch.einsum("btnc,nm->btmc", hidden, self.road)
            return self.head(torch.relu(self.second(back(hidden))).mean((1, 2)))

    x, net = torch.randn(2, FRAMES, NODES, 2), Reordered(None).eval()
    table = adjacencies(net, x, inputs="b t n c")
    # Two products of one name, distinguished by their lines, in a module whose name is that of a folder of the package.
    assert [why.startswith("its nodes are in another order") for why in table["why"]] == [False, True, False]
    explain = EdgeImportance(net, inputs="b t n c")
    e = explain(x, target=1)
    assert len(set(e.to_frame()["block"])) == 1
    assert any("in another order than those of the input" in note for note in e.notes)
    with pytest.raises(InputError, match="cannot be explained: its nodes are in another order"):
        EdgeImportance(net, inputs="b t n c", of=[table["name"].iloc[1]])(x, target=1)


def test_a_shift_of_some_channels_is_no_order():
    changed = halves(6)
    own = changed.astype(float)
    some = np.repeat(own, 2, 1)
    some[:, 1::2] = np.roll(own, 1, 1)
    assert finding([some], changed, 1e-9, (1, 2)) == "passed"
    assert not reordered([some], changed, 1e-9, (1, 2))
    assert reordered([np.repeat(np.roll(own, 1, 1), 2, 1)], changed, 1e-9, (1, 2))


@pytest.mark.parametrize("nodes", [2, 3, 25, 64, 207])
def test_any_two_nodes_are_distinguished(nodes):
    rows = halves(nodes)
    assert len(np.unique(rows, axis=1).T) == nodes
    assert (rows[::2] != rows[1::2]).all()


def test_channels_of_a_pooling_are_no_nodes():
    generator = np.random.default_rng(0)
    changed = halves(5)
    for _ in range(200):
        assert finding([generator.random((len(changed), 10))], changed, 1e-9) == "unknown"
