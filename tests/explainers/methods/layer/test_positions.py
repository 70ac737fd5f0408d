import numpy as np
import pytest
import torch

from stexplain.explainers.methods.layer.positions import position_pooled, position_valid, to_frames
from stexplain.nn.packing import valid_positions
from tests.explainers.small_models import signals
from tests.reference.maps import slow_to_frames


@pytest.mark.parametrize(("stride", "frames"), [(1, 6), (2, 9), (3, 9), (4, 17), (4, 20)])
def test_back_to_frames_by_loops(stride, frames):
    count = -(-frames // stride)
    positions = signals(2, 2, count, 3, seed=stride).double()
    ok = signals(2, 2, count, seed=frames) > -0.5
    result = to_frames(positions, ok, frames, stride)
    for b, m in np.ndindex(2, 2):
        expected = slow_to_frames(positions[b, m].numpy(), ok[b, m].numpy(), frames, stride)
        assert np.allclose(result[b, m], expected, atol=1e-12)


def test_a_ramp_comes_back_as_the_frames_that_the_cells_are_centred_on():
    ramp = (torch.arange(5.0) * 4).view(1, 1, 5, 1)
    result = to_frames(ramp, torch.ones(1, 1, 5, dtype=torch.bool), 17, 4)
    assert result.flatten().tolist() == list(range(17))


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_cells_are_valid_where_the_network_says_so(stride):
    valid = signals(3, 2, 13) > 0.3
    assert torch.equal(position_valid(valid, -(-13 // stride), stride), valid_positions(valid, stride))


def test_fewer_cells_than_frames_of_an_unpadded_layer():
    valid = torch.ones(1, 1, 12, dtype=torch.bool)
    valid[..., 8:] = False
    assert position_valid(valid, 10, 1)[0, 0].tolist() == [True] * 8 + [False] * 2


@pytest.mark.parametrize(("stride", "offset", "count", "frames"), [(1, 2, 8, 12), (1, 4, 4, 12), (2, 3, 4, 13)])
def test_an_offset_moves_the_cells(stride, offset, count, frames):
    """The same as with positions for the lost frames, before and after, each a copy of its neighbour."""
    positions = signals(2, 1, count, 3, seed=stride).double()
    ok = torch.ones(2, 1, count, dtype=torch.bool)
    inside = to_frames(positions, ok, frames - offset, stride)
    result = to_frames(positions, ok, frames, stride, offset)
    torch.testing.assert_close(result[:, :, offset:], inside)
    assert torch.equal(result[:, :, :offset], positions[:, :, :1].expand(-1, -1, offset, -1))


def test_a_ramp_seen_without_padding_comes_back_where_it_was():
    ramp = torch.arange(2.0, 10.0).view(1, 1, 8, 1)
    result = to_frames(ramp, torch.ones(1, 1, 8, dtype=torch.bool), 12, 1, 2)
    assert result.flatten().tolist() == [2, 2, *range(2, 10), 9, 9]


def test_every_frame_has_a_cell_with_an_offset():
    for frame in range(12):
        valid = torch.zeros(1, 1, 12, dtype=torch.bool)
        valid[..., frame] = True
        assert position_valid(valid, 4, 1, 4)[0, 0].nonzero().flatten().tolist() == [min(max(frame - 4, 0), 3)]


def test_cells_before_the_first_frame_stand_for_none():
    """An offset below 0, of a model that pads the past: position 3 stands for frame 0."""
    ramp = torch.arange(-3.0, 5.0).view(1, 1, 8, 1)
    valid = position_valid(torch.ones(1, 1, 5, dtype=torch.bool), 8, 1, -3)
    assert valid[0, 0].tolist() == [False] * 3 + [True] * 5
    assert to_frames(ramp, valid, 5, 1, -3).flatten().tolist() == [0, 1, 2, 3, 4]


def test_a_cell_between_two_frames():
    """Kernels of even size: position i stands for i + 1/2."""
    ramp = (torch.arange(7.0) + 0.5).view(1, 1, 7, 1)
    result = to_frames(ramp, torch.ones(1, 1, 7, dtype=torch.bool), 8, 1, 0.5)
    assert result.flatten().tolist() == [0.5, 1, 2, 3, 4, 5, 6, 6.5]


def test_positions_behind_the_clip_are_pooled_as_the_last_that_stands_for_a_frame():
    """Three frames, six positions: the last three stand for none."""
    valid = torch.tensor([[[True, False, True, False, False, False], [True, True, False, False, False, False]]])
    pooled = position_pooled(valid, frames=3, stride=1)
    assert pooled[0].tolist() == [[True, False, True, True, True, True], [True, True, False, False, False, False]]
