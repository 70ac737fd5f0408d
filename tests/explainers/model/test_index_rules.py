"""The rules by which channels are told to be indices, one by one: what leads to a whole number, what has a gradient."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.model import index_channels
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.targets import Class

LEAF = torch.rand(3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()

ALONE = {
    "itself": lambda x: x,
    "a slice": lambda x: x[:, 1],
    "scaled": lambda x: (x * 12 + 1) / 3 - 2,
    "rounded": lambda x: (-x).floor().clamp(-3, 3),
    "reshaped": lambda x: x.T.reshape(2, 6)[None].expand(2, -1, -1).permute(2, 0, 1),
    "side by side": lambda x: torch.cat([x[:, :1], x[:, 1:] * 2], 1),
    "two of one tensor": lambda x: torch.stack([x, x.clone()]),
    "picked": lambda x: x[[0, 2]].index_select(1, torch.tensor([1])),
}
MIXED = {
    "a sum": lambda x: x.sum(1),
    "a product": lambda x: x @ torch.ones(4, 2),
    "a function": lambda x: x.exp(),
    "a softmax": lambda x: x.softmax(1),
    "a sum behind a slice": lambda x: (x.mean(0) * 2)[1:],
    "one part of two": lambda x: torch.cat([x[:, :1], x.cumsum(1)], 1),
}


@pytest.mark.parametrize("name", [*ALONE, *MIXED])
def test_what_is_made_of_single_entries(name):
    assert index_channels._elementwise((ALONE | MIXED)[name](LEAF)) is (name in ALONE)


def test_a_step_that_many_paths_share_is_looked_at_once(monkeypatch):
    """Of 40 sums of a tensor with itself there are 2^40 paths."""
    asked = []
    pattern = index_channels._ELEMENTWISE
    known = SimpleNamespace(fullmatch=lambda name: asked.append(name) or pattern.fullmatch(name))
    monkeypatch.setattr(index_channels, "_ELEMENTWISE", known)
    x = LEAF * 2
    for _ in range(40):
        x = x + x
    assert index_channels._elementwise(x)
    # Twice where a tensor is added to itself, before it is looked at.
    assert len(asked) <= 2 * 42


WHOLE = {
    "long": lambda x: x.long(),
    "int": lambda x: x.int(),
    "short": lambda x: x.short(),
    "to": lambda x: x.to(torch.int64),
    "type": lambda x: x.type(torch.int32),
    "type_as": lambda x: x.type_as(torch.zeros(1, dtype=torch.int64)),
    "bucketize": lambda x: torch.bucketize(x, torch.tensor([0.3, 0.6])),
    "searchsorted": lambda x: torch.searchsorted(torch.tensor([0.3, 0.6]), x),
}
NOT = {
    "another type": lambda x: x.to(torch.float64),
    "a truth value": lambda x: x.to(torch.bool),
    "a comparison": lambda x: (x > 0.5).long(),
    "the place of the largest": lambda x: x.argmax(1),
    "of no input": lambda x: torch.rand(3).long(),
    "of what is mixed": lambda x: x.sum(1).long(),
    "no tensor": lambda x: x.detach().tolist(),
    "its type": lambda x: x.type(),
    "detached": lambda x: x.detach().long(),
}


@pytest.mark.parametrize("name", [*WHOLE, *NOT])
def test_what_is_turned_into_whole_numbers(name):
    with index_channels._Rounded() as rounded:
        (WHOLE | NOT)[name](LEAF)
    assert len(rounded.arguments) == (name in WHOLE)
    assert all(one is LEAF for one in rounded.arguments)


def test_a_channel_has_a_gradient_where_it_has_one_at_an_observation():
    leaf = torch.rand(2, 1, 3, 4, 5).requires_grad_()
    present = torch.ones(2, 1, 3, 4, dtype=torch.bool)
    present[0, 0, 1, 2] = False
    outputs = [leaf[..., 1].sum(), leaf[0, 0, 1, 2, 3] * 2, -leaf[1, 0, 2, 3, 4], torch.ones((), requires_grad=True)]
    assert index_channels._touched(outputs, leaf, present).tolist() == [False, True, False, False, True]
    assert index_channels._touched(outputs[-1:], leaf, present).tolist() == [False] * 5
    assert index_channels._touched([], leaf, present).tolist() == [False] * 5


def test_values_are_exchanged_among_the_observations_of_one_channel():
    x = torch.arange(2.0 * 6 * 3).view(2, 1, 3, 2, 3)
    present = torch.rand(2, 1, 3, 2, generator=torch.Generator().manual_seed(1)) > 0.3
    before = x.clone()
    found = index_channels._exchanged(x, 1, present)
    assert torch.equal(x, before)
    assert torch.equal(found[..., [0, 2]], x[..., [0, 2]])
    assert torch.equal(found[..., 1][~present], x[..., 1][~present])
    assert found[..., 1][present].tolist() != x[..., 1][present].tolist()
    assert sorted(found[..., 1][present].tolist()) == sorted(x[..., 1][present].tolist())


def test_outputs_differ_in_a_value_or_a_shape():
    a, b = torch.zeros(2), torch.ones(2)
    for others, expected in (([a, b], False), ([a, a], True), ([b, b], True), ([a, b[:1]], True)):
        assert index_channels._differ([a, b], others) is expected


CHANNELS = 3


class Tables(nn.Module):
    """x ``[B, T, N, C]``: some channels are looked up, as `indices` says."""

    def __init__(self, *indices):
        super().__init__()
        self.indices, self.table = indices, nn.Embedding(9, 1)

    def forward(self, x):
        found = [
            self.table(x[..., channel].long())[..., 0] if channel in self.indices else x[..., channel] * (channel + 1)
            for channel in range(x.shape[-1])
        ]
        return torch.stack(found).sum((0, 2))


def mask_of(model, x, only=None, inputs="b t n c", **options):
    """What `signal_mask` says of samples while the model is explained, of how many the passes were, and the notes."""
    explain = InputGradient(model, inputs=inputs, **options)
    explain._only_stream = only
    calls = []
    handle = model.register_forward_pre_hook(
        lambda _, args, named: calls.append(len(next(iter([*args, *named.values()])))), with_kwargs=True
    )
    with explain:
        model_input = explain._prepare(x, None)
        calls.clear()
        found = signal_mask(explain, model_input)
        # What was found once is known.
        assert found is None or torch.equal(signal_mask(explain, model_input), found)
        mask = None if found is None else found.tolist()
    handle.remove()
    return mask, calls, [note.partition(" of the input")[0] for note in explain._notes]


@pytest.mark.parametrize(
    ("indices", "options", "expected", "passes", "notes"),
    [
        ((), {}, None, [2], []),
        ((1,), {}, [True, False, True], [2], ["Channel 1"]),
        ((0, 2), {}, [False, True, False], [2], ["Channels 0, 2"]),
        # Where each is one nothing would be left.
        ((0, 1, 2), {}, None, [2], []),
        ((1,), {"signals": [0, -1]}, [True, False, True], [], []),
        ((1,), {"signals": [1]}, [False, True, False], [], []),
        ((1,), {"signals": [0, 1, 2]}, None, [], []),
    ],
)
def test_the_mask_of_signals(indices, options, expected, passes, notes):
    torch.manual_seed(0)
    x = torch.rand(2, 4, 5, CHANNELS) * 8
    assert mask_of(Tables(*indices), x, **options) == (expected, passes, notes)


def test_one_channel_is_a_signal_and_one_of_two_may_be_an_index():
    assert mask_of(Tables(), torch.rand(2, 4, 5, 1)) == (None, [], [])
    assert mask_of(Tables(1), torch.rand(2, 4, 5, 2) * 8) == ([True, False], [2], ["Channel 1"])


@pytest.mark.parametrize("chunk", [1, 2, 3, 4])
def test_as_many_samples_are_looked_at_as_go_through_at_a_time(chunk):
    x = torch.zeros(3, 4, 5, 2)
    x[0] = torch.rand(4, 5, 2) * 8
    assert mask_of(Tables(1), x, chunk=chunk) == ([True, False], [min(chunk, 3)], ["Channel 1"])


class Detached(Tables):
    """Its output has no gradient at all, as of one that goes through numpy."""

    def forward(self, x):
        return super().forward(x).detach()


def test_a_model_without_any_gradient_tells_what_it_looks_up_alone():
    x = torch.rand(2, 4, 5, 3) * 8
    assert mask_of(Detached(), x) == (None, [2], [])
    assert mask_of(Detached(2), x) == ([True, True, False], [2], ["Channel 2"])


def test_no_signals_are_refused():
    with pytest.raises(InputError, match="signals: got none"):
        mask_of(Tables(), torch.rand(2, 4, 5, 3), signals=[])


class TwoStreams(Tables):
    def forward(self, joint, bone):
        return super().forward(joint) + bone.sum((1, 2, 3))[:, None]


@pytest.mark.parametrize(
    ("indices", "only", "expected"),
    [
        ((), None, None),
        ((1,), None, [True, False, True, True]),
        ((), "joint", [True, True, False, False]),
        ((), "bone", [False, False, True, True]),
        ((1,), "joint", [True, False, False, False]),
        ((1,), "bone", [False, False, True, True]),
    ],
)
def test_of_streams_the_one_whose_turn_it_is_without_its_indices(indices, only, expected):
    x = {"joint": torch.rand(2, 4, 5, 2) * 8, "bone": torch.rand(2, 4, 5, 2)}
    layouts = dict.fromkeys(x, "b t n c")
    assert mask_of(TwoStreams(*indices), x, only, layouts)[0] == expected


def test_the_sentence_names_each_index():
    """By number, and by name where there are names."""
    assert index_channels._sentence([2], ()).startswith("Channel 2 of the input is an index")
    assert index_channels._sentence([1], ("speed", "day")).startswith("Channel 1 (day) of the input is an index")
    assert index_channels._sentence([0, 2], "abc").startswith("Channels 0 (a), 2 (c) of the input are indices")


def test_a_model_that_does_not_run_with_gradients_is_said():
    class NoGradient(Tables):
        def forward(self, x):
            if torch.is_grad_enabled():
                raise RuntimeError("only without")
            return super().forward(x)

    e = Occlusion(NoGradient(1), inputs="b t n c", window=None)(torch.rand(2, 4, 5, 3) * 8, target=Class(0))
    assert any("Channels that are indices could not be looked for" in note for note in e.notes)
