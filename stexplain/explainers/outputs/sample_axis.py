"""The axis of a tensor that follows the samples of a batch."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class SampleAxis(NamedTuple):
    """The axis of a tensor that follows the samples, which may be folded with others, as in ``"(b n) c"``.

    Attributes:
        dim: which axis of the tensor.
        outer: how many entries the axes have that are folded into it before the samples: n in ``"(n b) c"``.
        inner: how many entries the axes have that are folded into it after the samples: n in ``"(b n) c"``.
    """

    dim: int
    outer: int = 1
    inner: int = 1

    def samples(self, tensor: Tensor) -> int:
        """How many samples a tensor is of; 0 where it does not fit.

        Example:
            >>> import torch
            >>> SampleAxis(0, inner=5).samples(torch.zeros(15, 2)), SampleAxis(1).samples(torch.zeros(3))
            (3, 0)
        """
        if tensor.ndim <= self.dim:
            return 0
        count, rest = divmod(tensor.shape[self.dim], self.outer * self.inner)
        return 0 if rest else count

    def first(self, tensor: Tensor) -> Tensor:
        """The tensor with its samples first; axes that are folded with them come apart.

        Example:
            >>> import torch
            >>> SampleAxis(1).first(torch.zeros(12, 4, 5)).shape, SampleAxis(0, inner=5).first(torch.zeros(15, 2)).shape
            (torch.Size([4, 12, 5]), torch.Size([3, 5, 2]))
        """
        if self == SampleAxis(0):
            return tensor
        unfolded = self._unfolded(tensor)
        # From the last to the first, so that the positions of the others still hold.
        if self.inner == 1:
            unfolded = unfolded.squeeze(self.dim + 2)
        if self.outer == 1:
            return unfolded.squeeze(self.dim).movedim(self.dim, 0)
        return unfolded.movedim(self.dim + 1, 0)

    def rows(self, tensor: Tensor, start: int, stop: int) -> Tensor:
        """The samples from start to stop, in the tensor's own layout.

        Example:
            >>> import torch
            >>> SampleAxis(0, inner=2).rows(torch.arange(6), 1, 2)
            tensor([2, 3])
        """
        return self._unfolded(tensor).narrow(self.dim + 1, start, stop - start).flatten(self.dim, self.dim + 2)

    def select(self, tensor: Tensor, order: Sequence[int]) -> Tensor:
        """The samples of these indices, in the tensor's own layout.

        Example:
            >>> import torch
            >>> SampleAxis(0, inner=2).select(torch.arange(4), [1, 1])
            tensor([2, 3, 2, 3])
        """
        index = torch.tensor(order, device=tensor.device)
        return self._unfolded(tensor).index_select(self.dim + 1, index).flatten(self.dim, self.dim + 2)

    def _unfolded(self, tensor: Tensor) -> Tensor:
        shape = tensor.shape
        folded = (self.outer, self.samples(tensor), self.inner)
        return tensor.reshape(*shape[: self.dim], *folded, *shape[self.dim + 1 :])
