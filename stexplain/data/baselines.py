"""What a hidden reading is replaced by. Zero is a body position after centring, so every result names its baseline.

Each is a function of a batch x ``[B, M, T, N, C]``, of what holds a reading (frames ``[B, M, T]`` or single cells
``[B, M, T, N]``, bool) and of the graph, and gives a tensor of x's shape. What holds no reading stays zero.
"""

from collections.abc import Callable

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from stexplain.axes import check_shape
from stexplain.errors import InputError, unknown
from stexplain.graph import STGraph

Baseline = Callable[[Tensor, Tensor, STGraph | None], Tensor]


def zero(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """Zero everywhere: the paper's. After centring it is the place of the centre."""
    return torch.zeros_like(x)


def mean(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """Each node's mean over the readings of its sample and instance: the node without its motion.

    Example:
        >>> x = torch.tensor([1.0, 3.0, 0.0]).view(1, 1, 3, 1, 1)
        >>> mean(x, torch.tensor([[[True, True, False]]])).flatten().tolist()
        [2.0, 2.0, 0.0]
    """
    weight = _cells(valid).to(x.dtype)
    middle = (x * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True).clamp(min=1)
    return middle * weight


def interpolation(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """The straight line in time from each node's first reading to its last: start and end kept, gesture gone.

    Example:
        >>> x = torch.tensor([1.0, 9.0, 3.0, 0.0]).view(1, 1, 4, 1, 1)
        >>> interpolation(x, torch.tensor([[[True, True, True, False]]])).flatten().tolist()
        [1.0, 2.0, 3.0, 0.0]
    """
    cells = _cells(valid)
    frames = torch.arange(x.shape[2], device=x.device)[:, None, None]
    first = cells.to(torch.uint8).argmax(2, keepdim=True)
    last = x.shape[2] - 1 - cells.flip(2).to(torch.uint8).argmax(2, keepdim=True)
    share = ((frames - first) / (last - first).clamp(min=1)).to(x.dtype)
    begin, end = _frame(x, first), _frame(x, last)
    return (begin + (end - begin) * share) * cells


def neighbours(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """The mean of each node's neighbours in the graph, frame by frame; a node without any gets its own mean in time.

    Where single cells hold no reading, it is the mean of those neighbours that do hold one.

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
    there = _cells(valid).expand(*x.shape[:4], 1).to(x.dtype)
    heard = torch.einsum("wn,bmtnc->bmtwc", adjacency, there)
    around = torch.einsum("wn,bmtnc->bmtwc", adjacency, x * there) / heard.clamp(min=1)
    return torch.where(heard == 0, mean(x, valid), around) * _cells(valid)


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


def as_baseline(which: "str | Baseline | Tensor | ArrayLike") -> Baseline:
    """The baseline that a name, a function or a tensor means.

    Args:
        which: the name of a baseline, one's own function, or what every sample is replaced by: a tensor or
            array that broadcasts to ``[M, T, N, C]``, such as one number, or one per channel.

    Raises:
        InputError: for an unknown name; (when the baseline is called) for a tensor that does not broadcast.

    Example:
        >>> x = torch.ones(1, 1, 2, 3, 1)
        >>> as_baseline(torch.tensor(65.0))(x, torch.ones(1, 1, 2, dtype=torch.bool), None).flatten().tolist()
        [65.0, 65.0, 65.0, 65.0, 65.0, 65.0]
    """
    if isinstance(which, str):
        return baseline(which)
    if not isinstance(which, Tensor) and callable(which):
        return which
    given = torch.as_tensor(which)

    def constant(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
        try:
            return given.to(x).expand(x.shape) * _cells(valid)
        except RuntimeError:
            raise InputError(
                f"the baseline has shape {tuple(given.shape)}, which does not broadcast to that of a sample, "
                f"[m, t, n, c] = {tuple(x.shape[1:])}."
            ) from None

    return constant


def _cells(valid: Tensor) -> Tensor:
    """What holds a reading, as ``[B, M, T, 1 or N, 1]``."""
    return valid[..., None, None] if valid.ndim == 3 else valid[..., None]


def _frame(x: Tensor, index: Tensor) -> Tensor:
    """The frame ``[B, M, 1, N, C]`` at an index ``[B, M, 1, 1 or N, 1]``."""
    return x.gather(2, index.expand(-1, -1, -1, *x.shape[3:]))
