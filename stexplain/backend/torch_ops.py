"""The message-passing operator in plain torch: for devices and types that DGL does not serve, and for compilers."""

import torch

from stexplain.backend.topology import Topology
from stexplain.errors import InputError


def aggregate_torch(topology: Topology, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`stexplain.backend.aggregation.aggregate` without DGL; works under torch.compile and torch.func.

    Example:
        >>> topology = Topology([0, 1, 1], [0, 0, 1], sources=2, targets=2)
        >>> aggregate_torch(topology, torch.tensor([[1.0], [10.0]]), torch.tensor([1.0, 0.5, 2.0]))
        tensor([[ 6.], [20.]])
    """
    return gather_scatter(topology, x, checked_weight(topology, x, weight))


def gather_scatter(topology: Topology, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The sum itself, of arguments that are checked."""
    source, target = topology.tensors(x.device)
    # One message per edge, [E, D]: it takes more memory than DGL's kernel, which never stores them.
    messages = x.index_select(0, source) * weight.unsqueeze(-1)
    return x.new_zeros(topology.targets, x.shape[1]).index_add(0, target, messages)


def checked_weight(topology: Topology, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The weight in the type of `x`, after a check that both fit the topology.

    Raises:
        InputError: where a shape, type or device is wrong.
    """
    if x.ndim != 2 or x.shape[0] != topology.sources or not x.is_floating_point():
        raise InputError(
            f"x has shape {tuple(x.shape)} and type {x.dtype}; expected [{topology.sources} sources, D], floating. "
            "Flatten all other axes into D."
        )
    if weight.shape != (len(topology),) or weight.device != x.device:
        raise InputError(
            f"weight has shape {tuple(weight.shape)} on {weight.device}; expected [{len(topology)} edges] on "
            f"{x.device}."
        )
    # Under autocast features are bfloat16 and weights float32, which DGL's kernel refuses.
    return weight.to(x.dtype)
