"""Packed time: the valid frames of all rows of a batch one after the other, and nothing else.

A batch of clips is padded: to the longest clip, and to as many instances as any clip has. Of a clip of 85 frames and
one person in 2 x 300, six sevenths are padding. Packed, node-first activations ``[N, R, T, C]`` of R rows become
``[N, 1, V, C]`` with the V valid frames of all rows on one axis, row after row. What acts on each frame by itself (a
graph convolution, batch normalisation, ReLU) takes them as they are, and batch statistics are over valid frames alone.

A convolution over time must not see from one row into the next. `Step` puts half a kernel of zeros between rows, which
act as the zero padding of a row by itself does, and takes the zeros out again behind it.

Where nearly all is valid, such as clips of one length of which some have a second person for a few frames, zeros
between rows are more than the padding. In eval mode rows then stay whole: padding goes through the network as zeros.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from torch.overrides import _get_current_function_mode_stack

WHOLE = 1.05
"""Rows stay whole where convolutions then take at most so many positions of those that zeros between rows make."""
Pieces = tuple[int, ...]
"""Lengths along an axis, in turn of zeros and of frames; the first and last are of zeros."""


def valid_positions(valid: torch.Tensor, stride: int) -> torch.Tensor:
    """Which positions of a strided layer are valid: position i is where one of the frames i * s to i * s + s - 1 is.

    Every valid frame is in a valid position, and padding at the end adds none.

    Args:
        valid: ``[..., T]``, bool.
        stride: s, in frames.

    Returns:
        ``[..., ceil(T / s)]``, bool.

    Example:
        >>> valid_positions(torch.tensor([True, True, False, False, False]), 2)
        tensor([ True, False, False])
    """
    if stride == 1:
        return valid
    # Padded with False to a multiple of s, then one row of s frames per position.
    missing = -valid.shape[-1] % stride
    return F.pad(valid, (0, missing)).reshape(*valid.shape[:-1], -1, stride).any(-1)


@dataclass(frozen=True, eq=False)
class Packing:
    """Where the valid frames of R rows of T frames lie when they are packed.

    Attributes:
        valid: ``[R, T]``, bool, on the CPU: the frames that lie on the axis.
        device: of the activations.
        observed: of these, those that are no padding, ``[R, T]``; none: all are. The others are kept zero.

    Example:
        >>> packing = Packing(torch.tensor([[True, True, False], [True, False, False]]), torch.device("cpu"))
        >>> x = torch.tensor([[1.0, 2.0, 9.0], [3.0, 9.0, 9.0]])[None, :, :, None]
        >>> packing.pack(x).flatten()
        tensor([1., 2., 3.])
        >>> packing.unpack(packing.pack(x))[0, :, :, 0]
        tensor([[1., 2., 0.], [3., 0., 0.]])
    """

    valid: torch.Tensor
    device: torch.device
    observed: torch.Tensor | None = None

    @classmethod
    def of_rows(cls, valid: torch.Tensor, device: torch.device) -> "Packing":
        """Rows with a valid frame as they are, with all of their frames; `valid` is on the CPU."""
        return cls(valid.any(1, keepdim=True).expand_as(valid), device, valid)

    def strided(self, stride: int) -> "Packing":
        """The positions of a strided layer."""
        observed = None if self.observed is None else valid_positions(self.observed, stride)
        return Packing(valid_positions(self.valid, stride), self.device, observed)

    @property
    def mask(self) -> torch.Tensor:
        """Which frames are no padding, ``[R, T]``."""
        return self.valid if self.observed is None else self.observed

    @cached_property
    def padding(self) -> torch.Tensor | None:
        """The places on the axis of frames that are kept zero, int64; none: there is no such frame."""
        if self.observed is None:
            return None
        return (~self.observed[self.valid]).nonzero()[:, 0].to(self.device)

    @cached_property
    def index(self) -> torch.Tensor:
        """The place of each packed frame among all ``R * T``: ``[V]``, int64, rising."""
        return self.valid.flatten().nonzero()[:, 0].to(self.device)

    def pack(self, x: torch.Tensor) -> torch.Tensor:
        """``[N, R, T, C]`` to ``[N, 1, V, C]``, contiguous."""
        return x.flatten(1, 2).index_select(1, self.index)[:, None]

    def unpack(self, x: torch.Tensor) -> torch.Tensor:
        """``[N, 1, V, C]`` to ``[N, R, T, C]``, contiguous; zero at invalid frames."""
        rows, frames = self.valid.shape
        flat = x.new_zeros(x.shape[0], rows * frames, x.shape[-1]).index_copy(1, self.index, x[:, 0])
        return flat.view(x.shape[0], rows, frames, -1)

    def row_means(self, x: torch.Tensor) -> torch.Tensor:
        """The mean of ``[N, 1, V, C]`` over nodes and each row's frames: ``[R, C]``; zero for a row without any."""
        # By rows of zeros, not by adding up an index, which on a GPU adds in another order every time.
        totals = self.unpack(x.mean(0, keepdim=True))[0].sum(1)
        counts = self.mask.sum(1, keepdim=True).clamp(min=1).to(self.device, x.dtype)
        return totals / counts


@dataclass(frozen=True, eq=False)
class Step:
    """A convolution over time on packed frames: where zeros go in before it, and what is kept behind it.

    Use `Step.of`.

    Attributes:
        before: the frames that enter.
        after: the positions that leave.
        entering: pieces of the time axis that is convolved.
        leaving: pieces of the convolution's output; what is not a position is dropped.
        rows: into how many rows of one length the axis is cut; more than 1 only where nothing has to be put in.
        centres: for each position that leaves, the frame that it is centred on, as an index into the packed frames,
            ``[V']``, int64; -1 where that frame is not valid.
    """

    before: Packing
    after: Packing
    entering: Pieces
    leaving: Pieces
    rows: int
    centres: NDArray[np.int64]

    @classmethod
    def of(cls, before: Packing, kernel: int, stride: int) -> "Step":
        """The step of a convolution with an odd kernel and a stride, in frames."""
        valid = before.valid.numpy()
        after = before.strided(stride) if stride > 1 else before
        # [R, T], the number of each valid frame among the packed ones.
        number = np.where(valid, np.cumsum(valid).reshape(valid.shape) - 1, -1)
        kept = after.valid.numpy()
        centres = number[:, ::stride][kept]
        runs = _runs(valid)
        # Rows of one length are rows of an ordinary convolution, which pads them itself.
        if (runs[:, 1:] == runs[0, 1:]).all() and runs[0, 1] % stride == 0 and np.unique(runs[:, 0]).size == len(runs):
            return cls(before, after, (0, int(valid.sum()), 0), (0, len(centres), 0), len(runs), centres)
        taken, given = _placed(runs, kernel // 2, stride)
        width = taken[-1][1]
        return cls(before, after, _pieces(taken, width), _pieces(given, -(-width // stride)), 1, centres)

    @property
    def width(self) -> int:
        """How many positions are convolved."""
        return sum(self.entering)

    def enter(self, x: torch.Tensor) -> torch.Tensor:
        """``[N, 1, V, C]`` to ``[N, rows, width, C]``: with the zeros put in."""
        nodes, _, _, channels = x.shape
        skipped, taken = self.entering[::2], self.entering[1::2]
        if any(skipped):
            zeros = x.new_zeros(nodes, 1, max(skipped), channels)
            parts: list[torch.Tensor] = [zeros.narrow(2, 0, skipped[0])]
            for part, skip in zip(torch.split(x, list(taken), 2), skipped[1:], strict=True):
                parts += [part, zeros.narrow(2, 0, skip)]
            x = torch.cat([part for part in parts if part.shape[2]], 2)
        return x.reshape(nodes, self.rows, -1, channels)

    def leave(self, x: torch.Tensor) -> torch.Tensor:
        """``[N, rows, width', C]``, the convolution's output, to ``[N, 1, V', C]``: positions alone."""
        x = x.reshape(x.shape[0], 1, -1, x.shape[-1])
        if not any(self.leaving[::2]):
            return x
        # Split and joined, in place of an index: its backward pass is a copy, where that of an index adds up.
        return torch.cat(torch.split(x, list(self.leaving), 2)[1::2], 2)

    def centred(self, x: torch.Tensor) -> torch.Tensor:
        """The frames that positions are centred on: ``[N, 1, V, C]`` to ``[N, 1, V', C]``; zero where not valid."""
        if self.after is self.before:
            return x
        index = torch.from_numpy(self.centres).to(x.device)
        frames = x.index_select(2, index.clamp(min=0))
        return frames if (self.centres >= 0).all() else frames * (index >= 0)[:, None].to(x.dtype)


def steps_of(valid: torch.Tensor, kernel: int, strides: Sequence[int], *, whole: bool = False) -> list[Step]:
    """The steps of a network of convolutions over time.

    Args:
        valid: which frames of each row are valid, ``[R, T]``, bool; some are.
        kernel: of all convolutions, in frames.
        strides: of the convolutions, in turn.
        whole: whether rows may stay whole, where that is hardly more to compute: not in training, whose batch
            statistics are over valid frames alone.

    Example:
        >>> first, second = steps_of(torch.tensor([[True, True, True, False], [True, False, False, False]]), 3, [1, 2])
        >>> first.entering, second.leaving
        ((0, 3, 1, 1, 0), (0, 2, 0, 1, 0))
    """
    known = valid.cpu()
    packed = _steps(Packing(known, valid.device), kernel, strides)
    # Rows of one length, from the first frame on, are rows of an ordinary convolution already.
    if not whole or all(step.rows > 1 for step in packed):
        return packed
    rows = _steps(Packing.of_rows(known, valid.device), kernel, strides)
    # What is put in and taken out for zeros between rows is a copy each, beside the positions that they are.
    return rows if sum(step.width for step in rows) <= WHOLE * sum(step.width for step in packed) else packed


def _steps(packing: Packing, kernel: int, strides: Sequence[int]) -> list[Step]:
    steps: list[Step] = []
    for stride in strides:
        # Nothing changes from one step to the next but by a stride.
        same = bool(steps) and stride == 1 and steps[-1].after is steps[-1].before
        steps.append(steps[-1] if same else Step.of(packing, kernel, stride))
        packing = steps[-1].after
    return steps


def may_pack(modules: Iterable[nn.Module], training: bool) -> bool:
    """Whether modules may run on packed frames: in training mode, or where nobody looks at what they return.

    In eval mode hooks, and modes that record operations, see the axes ``[N, B * M, T, C]``; but for modes whose
    attribute ``takes_packed`` is true, to which axes do not matter.

    Args:
        modules: with all modules inside of them.
        training: whether they are in training mode.
    """
    if training:
        return True
    # A compiler traces sizes, and those of packed tensors depend on the values of the mask.
    if torch.compiler.is_compiling():
        return False
    modes = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]  # torch's
    if not all(getattr(mode, "takes_packed", False) for mode in modes) or nn.modules.module._has_any_global_hook():  # type: ignore[no-untyped-call]  # torch's
        return False
    return not any(hooked(each) for module in modules for each in module.modules())


def hooked(module: nn.Module) -> bool:
    """Whether a module itself, apart from those inside of it, has hooks."""
    return bool(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )


def _runs(valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row, first frame and length of each run of valid frames: ``[runs, 3]``."""
    # A column of False on both sides, so that every run begins and ends.
    edge: NDArray[Any] = np.diff(np.pad(valid, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, first = np.nonzero(edge == 1)
    return np.stack([row, first, np.nonzero(edge == -1)[1] - first], 1)


def _placed(runs: NDArray[np.int64], half: int, stride: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Start and stop of each run on the axis that is convolved, and of its positions in the output."""
    taken: list[tuple[int, int]] = []
    given: list[tuple[int, int]] = []
    before_row, before_first = -1, 0
    for row, first, length in runs.tolist():
        # The frame that the run's first position is centred on lies up to a stride before the run.
        start = first % stride
        if taken:
            start += -(-(taken[-1][1] + half) // stride) * stride
            # Within a row, runs are no farther apart than they are: a convolution may see from one into the other.
            if row == before_row:
                start = min(start, taken[-1][0] + first - before_first)
        taken.append((start, start + length))
        low, high = start // stride, (start + length - 1) // stride + 1
        # The last position of one run may be the first of the next.
        if given and low < given[-1][1]:
            low = given[-1][1]
        if low < high:
            given.append((low, high))
        before_row, before_first = row, first
    return taken, given


def _pieces(runs: list[tuple[int, int]], width: int) -> Pieces:
    """Runs as pieces of an axis of this width."""
    pieces: list[int] = []
    end = 0
    for start, stop in runs:
        pieces += [start - end, stop - start]
        end = stop
    return (*pieces, width - end)
