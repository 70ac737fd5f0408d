"""Packed frames against every clip by itself, against padded rows, and against a slow network in float64."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from stexplain.errors import InputError
from stexplain.nn.packing import Packing, Step, may_pack, steps_of, valid_positions
from stexplain.nn.stgcn_block import STGCNBlock
from stexplain.nn.temporal_convolution import TemporalConvolution
from tests.nn.released_names import to_released
from tests.nn.small_stgcn import reference_of, small

LENGTHS = [(11, 0), (3, 7), (1, 0), (16, 16), (5, 1), (8, 0)]
"""Valid frames of both persons of each clip; 0: there is no second person."""
NEARLY_FULL = [(19, 0), (19, 2), (19, 0), (18, 0), (19, 1), (19, 0), (19, 0), (19, 0)]
"""Of these rows stay whole in eval mode, as the zeros between them would be more than their padding."""
HOOKED = ["blocks.0", "blocks.2", "blocks.3", "blocks.1.temporal", "blocks.2.residual.1", "data_norm"]


def clips(lengths=LENGTHS, frames=19, seed=0, gaps=0.0):
    """A padded batch; `gaps` is the share of frames inside of clips that are missing."""
    generator = np.random.default_rng(seed)
    valid = np.zeros((len(lengths), 2, frames), bool)
    for clip, persons in enumerate(lengths):
        for person, length in enumerate(persons):
            valid[clip, person, :length] = generator.random(length) >= gaps
        valid[clip, 0, 0] |= not valid[clip].any()
    x = generator.normal(size=(*valid.shape, 6, 3)) * valid[..., None, None]
    return torch.from_numpy(x), torch.from_numpy(valid)


def alone(x, valid):
    """The clip at its own frames and persons, which has no padding at its end."""
    persons, frames = int(valid.any(1).sum()), int(valid.any(0).nonzero().max()) + 1
    return x[None, :persons, :frames], valid[None, :persons, :frames]


@pytest.mark.parametrize(("lengths", "gaps"), [(LENGTHS, 0.0), (LENGTHS, 0.4), (NEARLY_FULL, 0.0), (NEARLY_FULL, 0.02)])
@pytest.mark.parametrize("strides", [(1, 2, 2, 1), (3, 1, 2, 1), (1, 1, 1, 1), (2, 2, 1, 3)])
@pytest.mark.parametrize("kernel", [1, 3, 9])
def test_logits_and_gradients_are_those_of_each_clip_alone(kernel, strides, lengths, gaps):
    model = small(strides=strides, temporal_kernel=kernel)
    x, valid = clips(lengths, gaps=gaps)
    # What is in the place of padding does not matter.
    x = x.masked_fill(~valid[..., None, None], torch.nan)
    leaf = x.clone().requires_grad_()
    logits = model(leaf, valid)
    upstream = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad((logits * upstream).sum(), [leaf, *parameters])

    own = [alone(*clip) for clip in zip(x, valid, strict=True)]
    leaves = [frames.clone().requires_grad_() for frames, _ in own]
    each = torch.cat([model(one, ok) for one, (_, ok) in zip(leaves, own, strict=True)])
    torch.testing.assert_close(logits, each, rtol=1e-10, atol=1e-10)
    expected = torch.autograd.grad((each * upstream).sum(), [*leaves, *parameters])
    for clip, one in enumerate(leaves):
        _, persons, frames = one.shape[:3]
        torch.testing.assert_close(found[0][clip, :persons, :frames], expected[clip][0], rtol=1e-10, atol=1e-10)
    assert not found[0][~valid].any()
    for name, ours, theirs in zip(names, found[1:], expected[len(leaves) :], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("lengths", [LENGTHS, [(9, 0), (9, 9)], [(1, 0), (2, 0)]])
def test_training_is_that_of_a_slow_network_with_statistics_over_valid_frames(lengths, gaps):
    model = small().train()
    theirs = reference_of(model)
    x, valid = clips(lengths, gaps=gaps)
    logits = model(x, valid)
    expected = theirs(x.permute(0, 4, 2, 3, 1), valid)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)
    upstream = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (logits * upstream).sum().backward()
    (expected * upstream).sum().backward()
    grads = to_released(model, {name: parameter.grad for name, parameter in model.named_parameters()})
    for name, parameter in theirs.named_parameters():
        scale = max(1.0, float(parameter.grad.abs().max()))
        torch.testing.assert_close(grads[name] / scale, parameter.grad / scale, rtol=1e-9, atol=1e-9, msg=name)
    statistics = to_released(model, model.state_dict())
    for name, value in theirs.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(statistics[name], value, rtol=1e-10, atol=1e-10, msg=name)


def test_padding_changes_neither_training_nor_its_statistics():
    x, valid = clips()
    short, long = small().train(), small().train()
    more = torch.zeros(len(x), 3, 40, 6, 3, dtype=torch.float64)
    more_valid = torch.zeros(more.shape[:3], dtype=torch.bool)
    more[:, :2, :19], more_valid[:, :2, :19] = x, valid
    torch.testing.assert_close(long(more, more_valid), short(x, valid), rtol=1e-12, atol=1e-12)
    for name, value in short.state_dict().items():
        torch.testing.assert_close(long.state_dict()[name], value, rtol=1e-12, atol=1e-12, msg=name)


@pytest.mark.parametrize("name", HOOKED)
@pytest.mark.parametrize(("lengths", "gaps"), [(LENGTHS, 0.0), (LENGTHS, 0.4), (NEARLY_FULL, 0.0)])
def test_hooks_see_the_rows_of_a_batch_and_change_nothing(name, lengths, gaps):
    model = small()
    x, valid = clips(lengths, gaps=gaps)
    expected = model(x, valid)
    seen = []
    module = model.get_submodule(name)
    with module.register_forward_hook(lambda module, args, output: seen.append(output)):
        torch.testing.assert_close(model(x, valid), expected, rtol=1e-12, atol=1e-12)
    rows = [len(valid.flatten(0, 1)), 19] if name == "data_norm" else [6, len(valid.flatten(0, 1))]
    assert [list(output.shape[:2]) for output in seen] == [rows]
    with module.register_forward_hook(lambda module, args, output: torch.zeros_like(output)):
        assert not torch.allclose(model(x, valid), expected)


@pytest.mark.parametrize(("lengths", "gaps"), [(LENGTHS, 0.0), (LENGTHS, 0.4), (NEARLY_FULL, 0.0)])
def test_a_hooked_block_gives_what_it_gives_to_each_clip_alone(lengths, gaps):
    model = small()
    x, valid = clips(lengths, gaps=gaps)
    seen = []
    with model.blocks[2].register_forward_hook(lambda module, args, output: seen.append(output)):
        model(x, valid)
        for clip in zip(x, valid, strict=True):
            model(*alone(*clip))
    batch = seen[0].unflatten(1, (-1, 2))
    for clip, one in enumerate(seen[1:]):
        persons, positions = one.shape[1:3]
        torch.testing.assert_close(batch[:, clip, :persons, :positions], one, rtol=1e-12, atol=1e-12)
        assert not batch[:, clip, persons:].any()
        assert not batch[:, clip, :, positions:].any()


class Doubled(STGCNBlock):
    """A block whose owner changed what it gives."""

    def forward(self, x, valid=None):
        return 2 * super().forward(x, valid)


class Wrapped(torch.nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x, valid=None):
        return 2 * self.block(x, valid)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("way", ["subclass", "wrapper", "method"])
def test_a_block_that_was_changed_is_called(way, training):
    model = small()
    x, valid = clips()
    block = model.blocks[1]
    with block.register_forward_hook(lambda module, args, output: 2 * output):
        expected = model(x, valid)
    if way == "subclass":
        block.__class__ = Doubled
    elif way == "wrapper":
        model.blocks[1] = Wrapped(block)
    else:
        original = block.forward
        block.forward = lambda *args: 2 * original(*args)
    if training:
        assert not torch.allclose(model.train()(x, valid), small().train()(x, valid))
    else:
        torch.testing.assert_close(model(x, valid), expected, rtol=1e-12, atol=1e-12)


def test_what_is_not_finite_is_named_by_its_place():
    x, valid = clips()
    x[3, 1, 7, 2, 0] = torch.nan
    with pytest.raises(InputError, match=r"the first at index \(7, 7, 2, 0\)"):
        small()(x, valid)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 3, 9])
def test_a_step_convolves_rows_as_their_padding_does(kernel, stride, seed):
    generator = np.random.default_rng(seed)
    valid = torch.from_numpy(generator.random((7, 23)) < generator.uniform(0.1, 0.95))
    valid[0, 5], valid[3] = True, False
    x = torch.from_numpy(generator.normal(size=(2, 7, 23, 3))) * valid[:, :, None]
    layer = TemporalConvolution(3, 4, kernel, stride).double()
    step = Step.of(Packing(valid, x.device), kernel, stride)
    kept = valid_positions(valid, stride)
    expected = layer(x)[:, kept]
    torch.testing.assert_close(layer(step.before.pack(x), step)[:, 0], expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(step.after.unpack(expected[:, None])[:, kept], expected, rtol=0, atol=0)
    means = torch.stack(
        [
            layer(x)[:, row, ok].mean((0, 1)) if ok.any() else torch.zeros(4, dtype=torch.float64)
            for row, ok in enumerate(kept)
        ]
    )
    torch.testing.assert_close(step.after.row_means(expected[:, None]), means, rtol=1e-12, atol=1e-12)


def test_zeros_are_as_few_as_a_kernel_needs():
    valid = torch.zeros(4, 300, dtype=torch.bool)
    for row, length in enumerate((85, 60, 31)):
        valid[row, :length] = True
    plain, strided = steps_of(valid, 9, [1, 2])
    assert plain.entering == (0, 85, 4, 60, 4, 31, 0)
    # A row starts at a multiple of the stride.
    assert strided.entering == (0, 85, 5, 60, 4, 31, 0)
    assert strided.leaving == (0, 43, 2, 30, 2, 16, 0)
    # Rows of one length need none.
    (same,) = steps_of(torch.ones(3, 30, dtype=torch.bool), 9, [1])
    assert (same.rows, same.entering) == (3, (0, 90, 0))


def test_rows_stay_whole_where_zeros_between_them_are_more_than_their_padding():
    def padding(lengths, **options):
        valid = clips(lengths)[1].flatten(0, 1)
        steps = steps_of(valid, 9, (1, 2, 1), **options)
        return [None if step.before.padding is None else len(step.before.padding) for step in steps]

    # Of 10 rows of 19 frames 36 are padding; of their 10 positions at stride 2 the short rows have 9, 1 and 1.
    assert padding(NEARLY_FULL, whole=True) == [1 + 17 + 18, 36, 1 + 9 + 9]
    assert padding(NEARLY_FULL) == padding(LENGTHS, whole=True) == [None] * 3
    # Rows of one length have no padding between them; nor do short rows become long ones.
    assert padding([(19, 0), (19, 19)], whole=True) == padding([(7, 0), (19, 0)], whole=True) == [None] * 3


@pytest.mark.parametrize("name", ["blocks.0", "blocks.2"])
def test_a_hooked_block_is_given_zeros_where_there_is_padding(name):
    model = small()
    x, valid = clips(NEARLY_FULL)
    given = []
    with model.get_submodule(name).register_forward_pre_hook(lambda module, args: given.extend(args)):
        model(x, valid)
    frames, mask = given
    assert mask.shape == frames.shape[1:3]
    assert not frames[:, ~mask].any()
    assert frames[:, mask].any()


def test_what_is_looked_at_is_not_packed_in_eval_mode():
    layer = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert may_pack([layer], training=False)
    with layer[0].register_forward_hook(lambda *_: None):
        assert not may_pack([layer], training=False)
        assert may_pack([layer], training=True)
    with torch.device("cpu"):
        assert not may_pack([layer], training=False)
    assert may_pack([layer], training=False)


def test_the_values_of_padding_do_not_matter_in_training():
    x, valid = clips()
    filled = torch.where(valid[..., None, None], x, torch.nan)
    assert torch.equal(small().train()(filled, valid), small().train()(x, valid))


def test_padded_frames_are_equal_to_a_convolution_with_zeros():
    """The claim that all rests on: zeros between rows act as a row's own padding."""
    one, other = torch.randn(2, 5, 3, dtype=torch.float64)
    weight = torch.randn(3, 3, 9, dtype=torch.float64)
    joined = torch.cat([one, torch.zeros(4, 3, dtype=torch.float64), other]).T[None]
    both = F.conv1d(joined, weight, padding=4)[0].T
    torch.testing.assert_close(both[:5], F.conv1d(one.T[None], weight, padding=4)[0].T, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(both[9:], F.conv1d(other.T[None], weight, padding=4)[0].T, rtol=1e-12, atol=1e-12)
