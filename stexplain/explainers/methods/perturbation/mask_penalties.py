"""The penalties of a learned mask: its size, its variation in time, and its disagreement along edges."""

from torch import Tensor

# Half-width of the rounding of |d| at zero. A mask's values are in [0, 1]: steps well above it count in full.
_SMOOTHING = 0.05


def mask_size(mask: Tensor, present: Tensor) -> Tensor:
    """The mean of a mask ``[B, M, T, N]`` over the positions that are `present`, ``[B]``.

    Example:
        >>> import torch
        >>> mask = torch.tensor([1.0, 0.5, 9.0]).view(1, 1, 3, 1)
        >>> mask_size(mask, mask < 2)
        tensor([0.7500])
    """
    return _mean(mask, present)


def variation(mask: Tensor, present: Tensor) -> Tensor:
    """The mean over nodes and pairs of frames in a row of the step of a mask ``[B, M, T, N]``, ``[B]``.

    Example:
        >>> import torch
        >>> mask = torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 3, 1)
        >>> variation(mask, mask >= 0).round(decimals=1)
        tensor([0.5000])
    """
    # Steps next to padding or a missing observation do not count.
    return _mean(_distance(mask[:, :, 1:], mask[:, :, :-1]), present[:, :, 1:] & present[:, :, :-1])


def disagreement(mask: Tensor, present: Tensor, edges: Tensor) -> Tensor:
    """The mean over edges and frames of the distance between both ends of an edge in a mask ``[B, M, T, N]``, ``[B]``.

    Args:
        mask: ``[B, M, T, N]``.
        present: which positions hold an observation, of the same shape, bool.
        edges: source and target, ``[E, 2]``.

    Example:
        >>> import torch
        >>> mask = torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 1, 3)
        >>> disagreement(mask, mask >= 0, torch.tensor([[0, 1], [1, 2]])).round(decimals=1)
        tensor([0.5000])
    """
    source, target = edges.T
    return _mean(_distance(mask[..., source], mask[..., target]), present[..., source] & present[..., target])


def _distance(a: Tensor, b: Tensor) -> Tensor:
    # |a - b| has no gradient at zero, where a mask that starts all alike begins.
    return ((a - b).square() + _SMOOTHING**2).sqrt() - _SMOOTHING


def _mean(values: Tensor, present: Tensor) -> Tensor:
    return (values * present).sum((1, 2, 3)) / present.sum((1, 2, 3)).clamp(min=1)
