"""Time inside a network and outside of it: which frames a layer's positions stand for, and the way back to frames.

Position i of a layer with temporal stride s stands for frame o + i * s. The offset o is 0 where convolutions have
odd kernels and symmetric padding. Without padding, T shrinks, and o is half of what was lost: a position stands for
the frame in the middle of those that it sees, or, where it lies between two, for that half. Where a model pads the
past, o is below 0: the first positions stand for no frame. (Resampling as of images, without aligned corners, would
centre a position on (i + 1/2) s - 1/2.)
"""

import torch
from torch import Tensor


def position_valid(valid: Tensor, positions: int, stride: int, offset: float = 0) -> Tensor:
    """Which positions stand for a valid frame: i does where one of the frames o + i s to o + i s + s - 1 is valid.

    The first position also stands for the frames before its own, and the last for those after: so no valid frame is
    without a position. Padding at the end adds none.

    Args:
        valid: ``[B, M, T]``, bool.
        positions: T'.
        stride: s.
        offset: o.

    Returns:
        ``[B, M, T']``, bool.

    Example:
        >>> position_valid(torch.tensor([[[True, True, True, False, False]]]), 3, 2)
        tensor([[[ True,  True, False]]])
        >>> position_valid(torch.tensor([[[True, False, False, False, True]]]), 3, 1, offset=1)
        tensor([[[ True, False,  True]]])
    """
    # Floor, not truncation: a frame before the offset belongs to a position below zero, which is clamped to the first.
    position = (torch.arange(valid.shape[-1], device=valid.device) - offset).div(stride, rounding_mode="floor").long()
    # index_add has no version for bool: count the valid frames of each position.
    valid_frames = torch.zeros(*valid.shape[:-1], positions, dtype=torch.int64, device=valid.device)
    return valid_frames.index_add(-1, position.clamp(0, positions - 1), valid.to(torch.int64)) > 0


def position_pooled(valid_positions: Tensor, frames: int, stride: int, offset: float = 0) -> Tensor:
    """Which positions a method pools over: the valid ones, and those before the first frame and after the last.

    A layer that pads the past has positions that stand for no frame. The score depends on them as on any other, so
    they are pooled like the first position that stands for a frame; those behind the clip like the last.

    Args:
        valid_positions: as `position_valid` gives them, ``[B, M, T']``, bool.
        frames: T.
        stride: s.
        offset: o.

    Returns:
        ``[B, M, T']``, bool.

    Example:
        >>> position_pooled(torch.tensor([[[False, False, True, True, False]]]), 3, 1, offset=-2)
        tensor([[[ True,  True,  True,  True, False]]])
    """
    last = valid_positions.shape[-1] - 1
    low, high = (min(max(int((frame - offset) // stride), 0), last) for frame in (0, frames - 1))
    # Each position by the nearest one that stands for a frame.
    nearest = torch.arange(last + 1, device=valid_positions.device).clamp(low, high)
    return valid_positions[..., nearest]


def to_frames(layer_values: Tensor, valid_positions: Tensor, frames: int, stride: int, offset: float = 0) -> Tensor:
    """A map over a layer's positions back on frames, linearly at (t - o) / s, and constant beyond both ends.

    Only positions that stand for valid frames take part: a frame between a valid and a padded position takes the valid
    one's value, so that padding changes nothing. A frame with no valid position beside it gets zero.

    Args:
        layer_values: ``[B, M, T', N]``.
        valid_positions: ``[B, M, T']``, bool.
        frames: T.
        stride: s.
        offset: o.

    Returns:
        ``[B, M, T, N]``.

    Example:
        >>> to_frames(torch.tensor([0.0, 2.0])[None, None, :, None], torch.ones(1, 1, 2, dtype=bool), 4, 2).flatten()
        tensor([0., 1., 2., 2.])
        >>> two = torch.tensor([3.0, 5.0])[None, None, :, None], torch.ones(1, 1, 2, dtype=bool)
        >>> to_frames(*two, 5, 1, offset=1).flatten()
        tensor([3., 3., 5., 5., 5.])
    """
    masked = layer_values * valid_positions[..., None]
    count = layer_values.shape[2]
    place = ((torch.arange(frames, device=layer_values.device, dtype=layer_values.dtype) - offset) / stride).clamp(
        min=0
    )
    before = place.floor().long().clamp(max=count - 1)
    after = (before + 1).clamp(max=count - 1)
    # Beyond the last position `before` and `after` are the same, whatever the share.
    share = (place - before).clamp(max=1)
    weight = valid_positions.to(layer_values.dtype)
    weight_before, weight_after = weight[..., before] * (1 - share), weight[..., after] * share
    total = weight_before + weight_after
    mixed = masked[:, :, before] * weight_before[..., None] + masked[:, :, after] * weight_after[..., None]
    # Weights of a frame beside a padded position sum to less than one, and to zero beside two of them.
    return mixed / torch.where(total > 0, total, 1)[..., None]
