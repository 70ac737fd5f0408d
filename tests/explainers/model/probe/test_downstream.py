"""Nodes of deep layers, which the input no longer tells apart."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import stexplain as stx

NODES = 6


def walk() -> Tensor:
    """Half of each node stays, and half goes on to the next: after two steps most of it is at the next node."""
    return 0.5 * torch.eye(NODES) + 0.5 * torch.roll(torch.eye(NODES), 1, dims=1)


class Deep(nn.Module):
    """x ``[B, C, T, N]``: five graph convolutions, a pooling over nodes, and a layer of 2 N channels behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("walk", walk())
        self.convs = nn.ModuleList(nn.Conv2d(4 if index else 2, 4, 1) for index in range(5))
        self.pooled = nn.Conv1d(4, 2 * NODES, 1)
        self.head = nn.Linear(2 * NODES, 3)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = torch.tanh(conv(x @ self.walk))
        return self.head(self.pooled(x.mean(3)).mean(2))


@pytest.fixture
def deep() -> nn.Module:
    torch.manual_seed(0)
    return Deep().eval()


def test_every_layer_of_a_deep_network_has_its_nodes(deep):
    table = stx.layers(deep, torch.randn(3, 2, 10, NODES), inputs="b c t n").set_index("layer")
    for index in range(5):
        assert table.loc[f"convs.{index}", "layout"] == "b c t n"
        assert table.loc[f"convs.{index}", "time"] == "one frame"


def test_a_layer_is_measured_by_itself_as_in_the_table(deep):
    """After four steps a node's signal is strongest two nodes on: its own index is found all the same."""
    x = torch.randn(3, 2, 10, NODES)
    explain = stx.STGGradCAM(deep, layer="convs.4", inputs="b c t n")
    given = stx.STGGradCAM(deep, layer="convs.4", layout="b c t n", inputs="b c t n", stride=1, offset=0)
    found = [each(x, target=stx.Class(1)).values for each in (explain, given)]
    assert (found[0] == found[1]).all()
    with pytest.raises(stx.errors.InputError, match="layout"):
        stx.STGGradCAM(deep, layer="convs.4", layout="b c n t", inputs="b c t n")(x, target=stx.Class(1))


def test_channels_behind_a_pooling_are_no_nodes_though_their_number_would_fit(deep):
    row = stx.layers(deep, torch.randn(3, 2, 10, NODES), inputs="b c t n").set_index("layer").loc["pooled"]
    assert (row["layout"], row["nodes"]) == ("b c t", False)


def test_what_the_probe_puts_into_a_layer_leaves_no_trace(deep):
    x, before = torch.randn(3, 2, 10, NODES), copy.deepcopy(deep.state_dict())
    output = deep(x)
    stx.layers(deep, x, inputs="b c t n")
    assert all(torch.equal(value, before[name]) for name, value in deep.state_dict().items())
    assert not any(module._forward_hooks for module in deep.modules())
    assert torch.equal(deep(x), output)


class FixedBatch(Deep):
    """Runs on three samples alone."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(3, 2, 10, NODES))


def test_nodes_of_a_model_of_one_batch_size():
    torch.manual_seed(0)
    table = stx.layers(FixedBatch().eval(), torch.randn(3, 2, 10, NODES), inputs="b c t n").set_index("layer")
    assert [table.loc[f"convs.{index}", "layout"] for index in range(5)] == ["b c t n"] * 5


class Cells(nn.Module):
    """x ``[B, T, N]``: a cell over flat states ``[B, N C]``, which mixes nodes in every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("walk", walk())
        self.cell, self.head = FlatCell(), nn.Linear(NODES, 2)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), NODES * NODES)
        for frame in x.unbind(1):
            state = self.cell(frame, state, self.walk)
        return self.head(state.view(len(x), NODES, NODES).mean(1))


class FlatCell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(NODES + 1, NODES)

    def forward(self, x: Tensor, state: Tensor, adjacency: Tensor) -> Tensor:
        both = torch.cat([x[..., None], state.view(len(x), NODES, NODES)], 2)
        return F.tanh(self.mix(adjacency.T @ both)).flatten(1)


def test_the_first_call_of_a_cell_tells_its_nodes():
    """N = C: a flat state could be folded either way round, and after a few frames all nodes are mixed."""
    torch.manual_seed(0)
    row = stx.layers(Cells().eval(), torch.randn(4, 8, NODES), inputs="b t n").set_index("layer").loc["cell"]
    assert (row["layout"], row["time"], row["calls_are_frames"]) == ("b (n c)", "causal", True)


def test_every_inference_is_counted(deep):
    """Those of the checks, and of tries that fail, too."""
    x, counted = torch.randn(3, 2, 10, NODES), []
    handle = deep.register_forward_pre_hook(lambda _, arguments: counted.append(arguments[0].numel()))
    table = stx.layers(deep, x, inputs="b c t n")
    handle.remove()
    assert table.attrs["inferences"] == sum(counted) / x[0].numel()
    assert table["nodes"].tolist()[:5] == [True] * 5


class TwoWays(Deep):
    """The first layer also goes round the second: its change comes to the third by two ways, in the same node."""

    def forward(self, x: Tensor) -> Tensor:
        first = torch.tanh(self.convs[0](x @ self.walk))
        x = torch.tanh(self.convs[1](first @ self.walk)) + first @ self.walk @ self.walk
        for conv in [*self.convs][2:]:
            x = torch.tanh(conv(x @ self.walk))
        return self.head(self.pooled(x.mean(3)).mean(2))


def test_ways_around_a_layer_do_not_hide_its_nodes():
    torch.manual_seed(0)
    table = stx.layers(TwoWays().eval(), torch.randn(3, 2, 10, NODES), inputs="b c t n").set_index("layer")
    assert [table.loc[f"convs.{index}", "layout"] for index in range(5)] == ["b c t n"] * 5


class Split(TwoWays):
    """Behind the first layer the channels are two axes, as of heads: a batch does not tell their sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.Unflatten(1, (2, 2))

    def forward(self, x: Tensor) -> Tensor:
        first = self.heads(torch.tanh(self.convs[0](x @ self.walk))).flatten(1, 2)
        x = torch.tanh(self.convs[1](first @ self.walk)) + first @ self.walk @ self.walk
        for conv in [*self.convs][2:]:
            x = torch.tanh(conv(x @ self.walk))
        return self.head(self.pooled(x.mean(3)).mean(2))


def test_nodes_are_found_behind_a_layer_of_two_axes_of_channels():
    torch.manual_seed(0)
    table = stx.layers(Split().eval(), torch.randn(3, 2, 10, NODES), inputs="b c t n").set_index("layer")
    assert table.loc["heads", "layout"] == "b c d t n"
    assert [table.loc[f"convs.{index}", "layout"] for index in range(5)] == ["b c t n"] * 5


class DeepInTime(Deep):
    """Each layer also sees four frames either way: the third sees more than a clip of ten."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(4 if index else 2, 4, (9, 1), padding=(4, 0)) for index in range(5))


def test_nodes_are_found_of_layers_that_see_more_than_the_clip():
    """Their positions are told by a longer clip, or, where they see all of it, by what they see most."""
    torch.manual_seed(0)
    table = stx.layers(DeepInTime().eval(), torch.randn(3, 2, 10, NODES), inputs="b c t n").set_index("layer")
    for index in range(5):
        row = table.loc[f"convs.{index}"]
        assert (row["layout"], row["stride"], row["offset"], row["why"]) == ("b c t n", 1, 0, "")
        assert row["time"] in ("aligned", "global")
        assert row["nodes"]
        assert row["frames"]
    assert table.loc["pooled", "layout"] == "b c t"


class Backwards(Deep):
    """From the third layer on the last frame is the first, which is no stride."""

    def forward(self, x: Tensor) -> Tensor:
        for number, conv in enumerate(self.convs):
            x = torch.tanh(conv((x.flip(2) if number == 2 else x) @ self.walk))
        return self.head(self.pooled(x.mean(3)).mean(2))


def test_nodes_that_are_found_leave_time_unknown_where_it_is():
    torch.manual_seed(0)
    table = stx.layers(Backwards().eval(), torch.randn(3, 2, 10, NODES), inputs="b c t n").set_index("layer")
    found = [tuple(table.loc[f"convs.{index}", ["layout", "time", "nodes"]]) for index in range(5)]
    assert found[:4] == [("b c t n", "one frame", True)] * 2 + [(None, "unknown", True)] * 2
    assert found[4][:2] == (None, "unknown")


class Topologies(nn.Module):
    """x ``[B, C, T, N]``: adjacencies ``[B, C, N, N]`` from pairs of nodes, several in each of two blocks."""

    def __init__(self, subsets: int) -> None:
        super().__init__()
        self.left, self.right, self.pairs = (
            nn.ModuleList(nn.Conv2d(channels, 4, 1) for channels in (2, 4) for _ in range(subsets))
            if kind
            else nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(2 * subsets))
            for kind in (True, True, False)
        )
        self.mix = nn.ModuleList([nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1)])
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        subsets = len(self.pairs) // 2
        for block, mix in enumerate(self.mix):
            mixed = 0
            for at in range(block * subsets, (block + 1) * subsets):
                left, right = self.left[at](x).mean(2), self.right[at](x).mean(2)
                adjacency = self.pairs[at](torch.tanh(left[..., None] - right[..., None, :]))
                mixed = mixed + mix(x) @ adjacency
            x = torch.tanh(mixed)
        return self.head(x.mean((2, 3)))


def test_adjacencies_of_many_subsets_are_measured_together():
    """Each pair of nodes is told by the layer right before it alone; of eight subsets no round for each is needed."""
    tables = []
    for subsets in (2, 8):
        torch.manual_seed(0)
        tables.append(stx.layers(Topologies(subsets).eval(), torch.randn(3, 2, 10, NODES), inputs="b c t n"))
        rows = tables[-1].set_index("layer")
        assert {rows.loc[f"pairs.{at}", "layout"] for at in range(2 * subsets)} == {"b c d n"}
    # A round is 22 inferences of one sample; a round for each adjacency would be twelve more.
    assert tables[1].attrs["inferences"] <= tables[0].attrs["inferences"] + 22
