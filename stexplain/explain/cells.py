"""Time inside a network and outside it: which frames a cell stands for, and the way back from cells to frames.

Cell i of a layer with temporal stride s is centred on frame i * s, as convolutions with odd kernels and symmetric
padding put it. (Resampling as images are resampled, without aligned corners, would put it at (i + 1/2) s - 1/2.)
"""

import torch
from torch import Tensor, nn

from stexplain.errors import InputError


def infer_stride(frames: int, cells: int) -> int:
    """The temporal stride of a layer that makes this many cells out of this many frames: ``ceil(T / T')``.

    Raises:
        InputError: where no stride does, as with convolutions that are not padded.

    Example:
        >>> infer_stride(150, 38)
        4
        >>> infer_stride(12, 10)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: no temporal stride makes 10 cells of 12 frames. Give `stride`: ...
    """
    stride = -(-frames // cells)
    if -(-frames // stride) != cells:
        raise InputError(
            f"no temporal stride makes {cells} cells of {frames} frames. Give `stride`: cell i is taken to be centred "
            "on frame i * stride."
        )
    return stride


def cell_valid(valid: Tensor, cells: int, stride: int) -> Tensor:
    """Which cells stand for a valid frame: cell i does, of frames i s to i s + s - 1, where one of them is valid.

    So no valid frame is without a cell, and padding at the end adds none.

    Args:
        valid: ``[B, M, T]``, bool.
        cells: T'.
        stride: s.

    Returns:
        ``[B, M, T']``, bool.

    Example:
        >>> cell_valid(torch.tensor([[[True, True, True, False, False]]]), 3, 2)
        tensor([[[ True,  True, False]]])
    """
    lacking = cells * stride - valid.shape[-1]
    whole = nn.functional.pad(valid, (0, lacking)) if lacking >= 0 else valid[..., : cells * stride]
    return whole.reshape(*valid.shape[:-1], cells, stride).any(-1)


def to_frames(cells: Tensor, cell_ok: Tensor, frames: int, stride: int) -> Tensor:
    """Cells back to frames, linearly at t / s, and constant beyond the last cell.

    Only cells that stand for valid frames take part: a frame between a valid and a padded cell takes the valid one's
    value, so that padding changes nothing. A frame with no valid cell beside it gets zero.

    Args:
        cells: ``[B, M, T', N]``.
        cell_ok: ``[B, M, T']``, bool.
        frames: T.
        stride: s.

    Returns:
        ``[B, M, T, N]``.

    Example:
        >>> to_frames(torch.tensor([0.0, 2.0])[None, None, :, None], torch.ones(1, 1, 2, dtype=bool), 4, 2).flatten()
        tensor([0., 1., 2., 2.])
    """
    kept = cells * cell_ok[..., None]
    if stride == 1 and cells.shape[2] == frames:
        return kept
    place = torch.arange(frames, device=cells.device, dtype=cells.dtype) / stride
    before = place.floor().long().clamp(max=cells.shape[2] - 1)
    after = (before + 1).clamp(max=cells.shape[2] - 1)
    share = (place - before).clamp(max=1)
    ok = cell_ok.to(cells.dtype)
    weight_before, weight_after = ok[..., before] * (1 - share), ok[..., after] * share
    total = weight_before + weight_after
    mixed = kept[:, :, before] * weight_before[..., None] + kept[:, :, after] * weight_after[..., None]
    return mixed / torch.where(total > 0, total, 1)[..., None]
