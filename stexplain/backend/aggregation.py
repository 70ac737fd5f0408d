"""The message-passing operator that layers call: by DGL where it serves the device and type, else by torch."""

import torch

from stexplain.backend import dgl as dgl_backend
from stexplain.backend.topology import Topology
from stexplain.backend.torch_ops import aggregate_torch, checked_weight, gather_scatter

__all__ = ["aggregate", "aggregate_torch", "implementation"]


def aggregate(topology: Topology, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted sum over incoming edges: out[t] = sum over edges e into t of weight[e] * x[source(e)].

    `implementation` says whether DGL or torch computes it. Differentiable twice in `x` and in `weight`. The weight is
    cast to the type of `x`, so that mixed precision works. Flatten the features: DGL's fast gradient of the weight
    needs ``[S, D]``.

    Args:
        topology: with E edges from S sources to T targets.
        x: features of the sources, ``[S, D]``, floating.
        weight: of the edges, ``[E]``, floating.

    Returns:
        ``[T, D]``, in the type of `x`; zero for a target without incoming edges.

    Raises:
        InputError: where a shape does not fit the topology.

    Example:
        >>> topology = Topology([0, 1, 1], [0, 0, 1], sources=2, targets=3)
        >>> aggregate(topology, torch.tensor([[1.0], [10.0]]), torch.tensor([1.0, 0.5, 2.0]))
        tensor([[ 6.], [20.], [ 0.]])
    """
    weight = checked_weight(topology, x, weight)
    # torch.compile cannot trace DGL, but traces the torch implementation in one graph. Empty tensors need no kernel.
    if (
        torch.compiler.is_compiling()
        or not x.numel()
        or not len(topology)
        or implementation(x.device, x.dtype) == "torch"
    ):
        return gather_scatter(topology, x, weight)
    return dgl_backend.weighted_sum(topology, x, weight)


def implementation(device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> str:
    """The implementation that `aggregate` uses for tensors of this device and type: ``"dgl"`` or ``"torch"``.

    It is torch's where DGL is not installed, which has no wheels for some systems.

    Example:
        >>> implementation("cpu", torch.float32), implementation("cpu", torch.float16)
        ('dgl', 'torch')
    """
    device = torch.device(device)
    if not dgl_backend.dgl_installed():
        return "torch"
    if device.type == "cpu":
        return "dgl" if dtype in dgl_backend.CPU_TYPES else "torch"
    return "dgl" if device.type == "cuda" and dgl_backend.dgl_has_cuda() else "torch"
