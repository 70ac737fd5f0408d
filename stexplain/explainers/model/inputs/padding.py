"""Padding of plain tensors, noticed: frames that were filled up to the longest sample, and persons who are not there.

Samples of a dataset bring their padding mask; a tensor brings none. Yet an array of skeletons ``[N, 3, 300, 25, 2]`` is
padding for the most part, and a map on it is no evidence. What is noticed is certain enough to be left out of a map and
said; it changes nothing that goes into the model.
"""

import torch
from torch import Tensor

from stexplain.wording import agree

# Frames in a row that repeat the one before, from which on they are taken for padding. Two alike happen.
_REPEATS = 3


def noticed_padding(x: Tensor) -> Tensor:
    """Which frames are padding, ``[B, M, T]``, bool.

    An instance is, where it is zero throughout and another of its sample is not. So are the frames at the end, or at
    the start, of an instance that vary before them: a run of zeros that is longer than any other within, or three or
    more that repeat the one before, where no two others are alike. Zeros at both ends are none: it may be a window, or
    a single bright frame. Unless another instance of the sample has ended there.

    Args:
        x: the channels that are signals, ``[B, M, T, N, C]``.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 0.0, 0.0]).view(1, 1, 4, 1, 1)
        >>> noticed_padding(x).tolist()
        [[[False, False, True, True]]]
        >>> noticed_padding(torch.tensor([0.0, 2.0, 0.0, 0.0]).view(1, 1, 4, 1, 1)).any().item()
        False
    """
    frames = x.detach().flatten(3)  # [B, M, T, N * C]
    zero = (frames == 0).all(-1)
    # Whether a frame is as the one before it.
    same = torch.zeros_like(zero)
    same[..., 1:] = (frames[..., 1:, :] == frames[..., :-1, :]).all(-1)
    absent = zero.all(-1)
    # Where all instances are, nothing is there to compare with.
    padding = (absent & ~absent.all(1, keepdim=True))[..., None].expand(zero.shape).clone()
    # Row by row, on the CPU, and only rows that end or begin in a run.
    ends = zero[..., -1] | zero[..., 0] | same[..., -_REPEATS:].all(-1) | same[..., 1 : 1 + _REPEATS].all(-1)
    for sample, instance in (ends & ~absent).nonzero().tolist():
        start, stop = _padded(zero[sample, instance].tolist(), same[sample, instance].tolist())
        padding[sample, instance, start:stop] = True
    # Where a sample has ended in one instance it has in all: one that came late is zero at both of its ends.
    ended = (padding & ~absent[..., None]).any(1, keepdim=True)
    return padding | (ended & zero)


def _padded(zero: list[bool], same: list[bool]) -> tuple[int, int]:
    """The frames of one instance that are padding, from and to; two equal numbers where none are."""
    frames = len(zero)
    last = _run(zero[::-1])
    first = _run(zero)
    if first and last:
        return 0, 0
    if first or last:
        start, stop = (0, first) if first else (frames - last, frames)
        inner = slice(first, frames - last)
        return (start, stop) if _varies(same[inner]) and _longest(zero[inner]) < first + last else (0, 0)
    # The first of a run is an observation; of those at the start it is the last, which the others stand for.
    last, first = _run(same[::-1]), _run(same[1:])
    if bool(first >= _REPEATS) == bool(last >= _REPEATS):
        return 0, 0
    start, stop = (0, first) if first >= _REPEATS else (frames - last, frames)
    inner = slice(first, frames) if first >= _REPEATS else slice(0, frames - last)
    # A series that stands still elsewhere too, such as counts, may stand still at its end.
    return (start, stop) if _varies(same[inner]) and not any(same[inner][1:]) else (0, 0)


def _varies(same: list[bool]) -> bool:
    """Whether there are two frames in a row that differ."""
    return not all(same[1:])


def _run(flags: list[bool]) -> int:
    """How many are true from the start on."""
    return next((index for index, flag in enumerate(flags) if not flag), len(flags))


def _longest(flags: list[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def sentence(padding: Tensor) -> str:
    """What was noticed, in words.

    Example:
        >>> sentence(torch.tensor([[[False, True, True]], [[False, False, False]]]))
        'Padding: 2 of 6 frames, in 1 of 2 samples, are zero or repeat one frame: left out. Keep them by valid=True.'
    """
    samples, frames = int(padding.flatten(1).any(1).sum()), int(padding.sum())
    return (
        f"Padding: {frames} of {padding.numel()} frames, in {samples} of {len(padding)} samples, "
        f"{agree(frames, 'is', 'are')} zero or {agree(frames, 'repeats', 'repeat')} one frame: left out. Keep "
        "them by valid=True."
    )
