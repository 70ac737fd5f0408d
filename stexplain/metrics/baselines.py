"""What a masked node is moved towards. Zero is a body position after centring, so every result names its baseline.

Each is a function of a batch x ``[B, M, T, N, C]``, valid ``[B, M, T]`` and the graph, and gives a tensor of x's shape.
Frames that are not valid stay zero.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from stexplain.axes import check_shape
from stexplain.errors import InputError, unknown
from stexplain.graph import STGraph

Baseline = Callable[[Tensor, Tensor, STGraph | None], Tensor]


def zero(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """Zero everywhere: the paper's. After centring it is the place of the centre."""
    return torch.zeros_like(x)


def mean(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """Each node's mean over the valid frames of its sample and instance: the node without its motion.

    Example:
        >>> x = torch.tensor([1.0, 3.0, 0.0]).view(1, 1, 3, 1, 1)
        >>> mean(x, torch.tensor([[[True, True, False]]])).flatten().tolist()
        [2.0, 2.0, 0.0]
    """
    weight = valid.to(x.dtype)[..., None, None]
    middle = (x * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True).clamp(min=1)
    return middle * weight


def interpolation(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """The straight line in time from each node's first valid frame to its last: start and end kept, gesture gone.

    Example:
        >>> x = torch.tensor([1.0, 9.0, 3.0, 0.0]).view(1, 1, 4, 1, 1)
        >>> interpolation(x, torch.tensor([[[True, True, True, False]]])).flatten().tolist()
        [1.0, 2.0, 3.0, 0.0]
    """
    frames = torch.arange(valid.shape[2], device=x.device)
    first = valid.to(torch.uint8).argmax(2, keepdim=True)
    last = valid.shape[2] - 1 - valid.flip(2).to(torch.uint8).argmax(2, keepdim=True)
    share = ((frames - first) / (last - first).clamp(min=1)).to(x.dtype)[..., None, None]
    begin, end = _frame(x, first), _frame(x, last)
    return (begin + (end - begin) * share) * valid[..., None, None]


def neighbours(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """The mean of each node's neighbours in the graph, frame by frame; a node without any gets its own mean in time.

    Raises:
        InputError: where there is no graph, or one of other size.
    """
    if graph is None:
        raise InputError("the baseline 'neighbours' needs the graph. Give `graph`.")
    check_shape("x", tuple(x.shape), "b m t n c", n=len(graph))
    adjacency = torch.zeros(len(graph), len(graph), dtype=x.dtype, device=x.device)
    source, target = torch.as_tensor(graph.edges.copy(), device=x.device).T.long()
    adjacency[target, source] = 1
    adjacency[source, target] = 1
    adjacency.fill_diagonal_(0)
    degree = adjacency.sum(1)
    around = torch.einsum("wn,bmtnc->bmtwc", adjacency / degree.clamp(min=1)[:, None], x)
    alone = (degree == 0)[:, None]
    return torch.where(alone, mean(x, valid), around) * valid[..., None, None]


BASELINES: tuple[Baseline, ...] = (zero, mean, interpolation, neighbours)
"""All of them, the paper's first."""


def baseline(name: str) -> Baseline:
    """The baseline of this name.

    Raises:
        InputError: where there is none; names the nearest.

    Example:
        >>> baseline("zero") is zero
        True
        >>> baseline("neighbors")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown baseline 'neighbors'. Did you mean 'neighbours'?
    """
    known = {function.__name__: function for function in BASELINES}
    if name not in known:
        raise unknown("baseline", name, known)
    return known[name]


def attenuated(x: Tensor, towards: Tensor, chosen: Tensor, masking: float) -> Tensor:
    """Moves chosen nodes towards a baseline: ``x -> (1 - m) x + m baseline``.

    Args:
        x: ``[B, M, T, N, C]``.
        towards: the baseline, of x's shape.
        chosen: which nodes of each sample, ``[B, N]``, bool.
        masking: m, in [0, 1].

    Raises:
        InputError: where a shape does not fit or m is out of range.

    Example:
        >>> x = torch.tensor([2.0, 4.0]).view(1, 1, 1, 2, 1)
        >>> attenuated(x, torch.zeros_like(x), torch.tensor([[False, True]]), 0.75).flatten().tolist()
        [2.0, 1.0]
    """
    if not 0 <= masking <= 1:
        raise InputError(f"masking is {masking}; wanted a share in [0, 1].")
    sizes = check_shape("x", tuple(x.shape), "b m t n c")
    check_shape("towards", tuple(towards.shape), "b m t n c", **sizes)
    check_shape("chosen", tuple(chosen.shape), "b n", b=sizes["b"], n=sizes["n"])
    share = masking * chosen[:, None, None, :, None].to(x.dtype)
    return (1 - share) * x + share * towards


def _frame(x: Tensor, index: Tensor) -> Tensor:
    """The frame ``[B, M, 1, N, C]`` at an index ``[B, M, 1]``."""
    return x.gather(2, index[..., None, None].expand(-1, -1, -1, *x.shape[3:]))
