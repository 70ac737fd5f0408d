"""Time inside a network and outside it: which frames a cell stands for, and the way back from cells to frames.

Cell i of a layer with temporal stride s is centred on frame o + i * s. The offset o is 0 where convolutions have odd
kernels and symmetric padding. Without padding, T shrinks, and o is half of what was lost: a cell stands for the frame
in the middle of those that it sees. (Resampling as images are resampled, without aligned corners, would put it at
(i + 1/2) s - 1/2.)
"""

import torch
from torch import Tensor

from stexplain.errors import InputError


def infer_stride(frames: int, cells: int, offset: int = 0) -> int:
    """The temporal stride of a layer that makes this many cells out of this many frames: ``ceil((T - 2 o) / T')``.

    Args:
        frames: T.
        cells: T'.
        offset: o, the frame that cell 0 is centred on; as many frames are left out at the end.

    Raises:
        InputError: where no stride does, as with convolutions that are not padded.

    Example:
        >>> infer_stride(150, 38), infer_stride(12, 10, offset=1)
        (4, 1)
        >>> infer_stride(12, 10)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: no temporal stride makes 10 cells of 12 frames. Give `stride` and `offset`: ...
    """
    covered = max(frames - 2 * offset, 1)
    stride = -(-covered // cells)
    if -(-covered // stride) != cells:
        raise InputError(
            f"no temporal stride makes {cells} cells of {frames} frames{f' from {offset} on' if offset else ''}. Give "
            "`stride` and `offset`: cell i is taken to be centred on frame offset + i * stride. Or is t elsewhere in "
            "the layout?"
        )
    return stride


def position_valid(valid: Tensor, cells: int, stride: int, offset: int = 0) -> Tensor:
    """Which cells stand for a valid frame: cell i does, of frames o + i s to o + i s + s - 1, where one is valid.

    The first cell also stands for the frames before its own, and the last for those after: so no valid frame is
    without a cell. Padding at the end adds none.

    Args:
        valid: ``[B, M, T]``, bool.
        cells: T'.
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
    cell = (torch.arange(valid.shape[-1], device=valid.device) - offset).div(stride, rounding_mode="floor")
    found = torch.zeros(*valid.shape[:-1], cells, dtype=torch.int64, device=valid.device)
    return found.index_add(-1, cell.clamp(0, cells - 1), valid.to(torch.int64)) > 0


def to_frames(cells: Tensor, cell_ok: Tensor, frames: int, stride: int, offset: int = 0) -> Tensor:
    """Cells back to frames, linearly at (t - o) / s, and constant before the first cell and beyond the last.

    Only cells that stand for valid frames take part: a frame between a valid and a padded cell takes the valid one's
    value, so that padding changes nothing. A frame with no valid cell beside it gets zero.

    Args:
        cells: ``[B, M, T', N]``.
        cell_ok: ``[B, M, T']``, bool.
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
    kept = cells * cell_ok[..., None]
    if stride == 1 and offset == 0 and cells.shape[2] == frames:
        return kept
    place = ((torch.arange(frames, device=cells.device, dtype=cells.dtype) - offset) / stride).clamp(min=0)
    before = place.floor().long().clamp(max=cells.shape[2] - 1)
    after = (before + 1).clamp(max=cells.shape[2] - 1)
    share = (place - before).clamp(max=1)
    ok = cell_ok.to(cells.dtype)
    weight_before, weight_after = ok[..., before] * (1 - share), ok[..., after] * share
    total = weight_before + weight_after
    mixed = kept[:, :, before] * weight_before[..., None] + kept[:, :, after] * weight_after[..., None]
    return mixed / torch.where(total > 0, total, 1)[..., None]
