"""Batch normalisation of node-first activations, and the fused end of an STGCN block: norm, dropout, residual, ReLU."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from stexplain.nn.initialisation import normal_as_released


class ChannelNorm(nn.BatchNorm1d):
    """Batch normalisation of each channel over all nodes, rows and frames: ``[N, R, T, C]`` to the same.

    Weights start from N(1, 0.02^2) and biases at zero, as in the released ST-GCN.

    Example:
        >>> ChannelNorm(8)(torch.zeros(25, 4, 11, 8)).shape
        torch.Size([25, 4, 11, 8])
    """

    def reset_parameters(self) -> None:
        """As in the released ST-GCN."""
        super().reset_parameters()
        normal_as_released(self.weight, mean=1.0)

    shares_statistics = False
    """Whether batch statistics are over the batches of all processes; see `shared_statistics`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalises.

        Args:
            x: ``[..., C]``, contiguous.

        Returns:
            The same shape.
        """
        return self._normalised(x.reshape(-1, x.shape[-1])).view(x.shape)

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        """``[P, C]``, over the first axis."""
        if self.training and self.shares_statistics:
            return _normalised_together(self, x)
        normalised: torch.Tensor = nn.BatchNorm1d.forward(self, x)
        return normalised


class NormActivation(ChannelNorm):
    """Batch normalisation, dropout, the sum with a residual, and ReLU: ``[N, R, T, C]`` to the same.

        y = ReLU(dropout(BN(x)) + residual), zero at invalid positions

    It is one module because it works in place: a hook must not keep a tensor that a later module changes.

    Args:
        channels: C.
        dropout: share of values dropped while training, in [0, 1).

    Example:
        >>> NormActivation(8)(torch.zeros(25, 4, 11, 8)).shape
        torch.Size([25, 4, 11, 8])
    """

    def __init__(self, channels: int, dropout: float = 0.0):
        super().__init__(channels)
        self.dropout = dropout

    def forward(
        self,
        x: torch.Tensor,
        residual: torch.Tensor | None = None,
        valid: torch.Tensor | None = None,
        *,
        padding: torch.Tensor | None = None,
        overwrite: bool = False,
    ) -> torch.Tensor:
        """Applies it.

        Args:
            x: ``[N, R, T, C]``, contiguous.
            residual: of the same shape; none: zero.
            valid: which positions are valid, ``[R, T]``, bool; none: all are.
            padding: of packed frames, ``[N, 1, V, C]``, the places along V that are none, int64: zero in the result.
            overwrite: whether the result may take the memory of `x`, which nobody else reads: on a CPU, in eval mode
                and without gradients, it then does. The numbers are the same.

        Returns:
            The shape of `x`.
        """
        # Not ChannelNorm's forward, whose result is a view and cannot be changed in place.
        flat = x.reshape(-1, x.shape[-1])
        y = self._overwritten(flat) if overwrite and self._may_overwrite(flat) else self._normalised(flat)
        if self.training and self.dropout:
            y = y.mul_(_dropout_mask(y, self.dropout)).mul_(1 / (1 - self.dropout))
        if residual is not None:
            y = y.add_(residual.view(y.shape))
        if valid is not None:
            # [R, T] -> [N * R * T, 1], nodes slowest, as in the memory of `y`.
            y = y.mul_(valid.flatten().repeat(len(x))[:, None].to(y.dtype))
        if padding is not None:
            # Before ReLU, whose backward pass needs what it gave.
            y.view(len(x), -1, x.shape[-1]).index_fill_(1, padding, 0.0)
        return y.relu_().view(x.shape)

    def _may_overwrite(self, x: torch.Tensor) -> bool:
        plain = x.device.type == "cpu" and x.dtype == self.weight.dtype and self.running_mean is not None
        # What vmap and its like put in the place of tensors has no operation with `out=`.
        alone = torch._C._functorch.peek_interpreter_stack() is None
        return plain and alone and not self.training and not torch.is_grad_enabled()

    def _overwritten(self, x: torch.Tensor) -> torch.Tensor:
        """`_normalised`, in the memory of `x`: new ones take an eighth of an inference."""
        unused = x.new_empty(0), x.new_empty(0)
        norm = (self.weight, self.bias, self.running_mean, self.running_var, False, 0.0, self.eps)
        torch.native_batch_norm(x, *norm, out=(x, *unused))
        return x

    def extra_repr(self) -> str:
        """The sizes in `repr`."""
        return f"{self.num_features}, dropout={self.dropout}"


@contextmanager
def shared_statistics(model: nn.Module) -> Iterator[None]:
    """Batch statistics of the model's `ChannelNorm` over the batches of all processes, for the length of the block.

    The processes' shares of a batch may differ in size: every value counts once. Each forward pass in training mode
    then waits for all processes. torch.distributed must be initialised.

    Args:
        model: the same in every process.
    """
    norms = [module for module in model.modules() if isinstance(module, ChannelNorm)]
    before = [norm.shares_statistics for norm in norms]
    try:
        for norm in norms:
            norm.shares_statistics = True
        yield
    finally:
        for norm, shares in zip(norms, before, strict=True):
            norm.shares_statistics = shares


def _normalised_together(norm: nn.BatchNorm1d, x: torch.Tensor) -> torch.Tensor:
    """Batch normalisation of ``[P, C]`` by the mean and variance over all processes.

    torch's own SyncBatchNorm does this on CUDA alone.
    """
    # In float64: a sum over many positions, and the variance by squares about the mean that all agree on.
    sums = _summed(torch.cat([x.sum(0, dtype=torch.float64), x.new_full([1], len(x), dtype=torch.float64)]))
    count = sums[-1].detach()
    mean = sums[:-1] / count
    centred = x - mean.to(x.dtype)
    variance = _summed(centred.square().sum(0, dtype=torch.float64)) / count
    if norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None:
        with torch.no_grad():
            norm.num_batches_tracked.add_(1)
            # Without a momentum torch averages over all batches.
            rate = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), rate)
            # The running variance is the unbiased one, as torch has it.
            unbiased = variance * count / (count - 1).clamp(min=1)
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), rate)
    return centred * (torch.rsqrt(variance + norm.eps).to(x.dtype) * norm.weight) + norm.bias


def _summed(values: torch.Tensor) -> torch.Tensor:
    """The sum over all processes, through which gradients go as well."""
    # Imported here, as not every build of torch has it.
    from torch.distributed.nn.functional import all_reduce

    with warnings.catch_warnings():
        # What torch names in its place is private.
        warnings.filterwarnings("ignore", "torch.distributed.nn.functional.all_reduce is deprecated", FutureWarning)
        total: torch.Tensor = all_reduce(values)  # type: ignore[no-untyped-call]  # torch's
    return total


def _dropout_mask(x: torch.Tensor, dropout: float) -> torch.Tensor:
    """A random mask of the shape of `x`, true with probability 1 - dropout to within 2^-17.

    Each random word gives four 16-bit draws. torch's own dropout draws one word per value, which takes a tenth of a
    training step on a CPU, and keeps a float mask for the backward pass.
    """
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
    # As int16 the draws are uniform in [-2^15, 2^15), hence the shift of the threshold.
    return (words.view(torch.int16)[: x.numel()] >= round(dropout * 2**16) - 2**15).view(x.shape)
