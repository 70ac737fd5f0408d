"""Masking: moving nodes from their observed values towards a baseline of `stexplain.data.baselines`."""

import torch

from stexplain.axes import check_shape
from stexplain.errors import InputError


def mask_nodes(x: torch.Tensor, baseline: torch.Tensor, nodes: torch.Tensor, masking: float) -> torch.Tensor:
    """Moves some nodes towards a baseline, in all frames and instances: ``x -> (1 - m) x + m baseline``.

    Args:
        x: ``[B, M, T, N, C]``.
        baseline: values of x's shape.
        nodes: the nodes to mask in each sample, ``[B, N]``, bool.
        masking: m, in [0, 1]; 0 leaves x as it is, 1 replaces the nodes.

    Raises:
        InputError: if a shape does not fit or m is out of range.

    Example:
        >>> x = torch.tensor([2.0, 4.0]).view(1, 1, 1, 2, 1)
        >>> mask_nodes(x, torch.zeros_like(x), torch.tensor([[False, True]]), 0.75).flatten().tolist()
        [2.0, 1.0]
    """
    if not 0 <= masking <= 1:
        raise InputError(f"masking: got {masking}; expected a share in [0, 1].")
    sizes = check_shape("x", tuple(x.shape), "b m t n c")
    check_shape("baseline", tuple(baseline.shape), "b m t n c", **sizes)
    check_shape("nodes", tuple(nodes.shape), "b n", b=sizes["b"], n=sizes["n"])
    # [B, N] -> [B, 1, 1, N, 1]: m at the masked nodes, 0 elsewhere, for every instance, frame and channel.
    weight = masking * nodes[:, None, None, :, None].to(x.dtype)
    return (1 - weight) * x + weight * baseline
