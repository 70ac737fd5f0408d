"""Baselines: what a masked value is replaced by. Zero is a body position after centring, so every result names its own.

Each is a function of a batch x ``[B, M, T, N, C]``, of a mask of what was observed (frames ``[B, M, T]``, as `valid`,
or positions ``[B, M, T, N]``, as `Batch.present`) and of the graph, and gives a tensor of x's shape. What was not
observed stays zero.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from stexplain.axes import check_shape
from stexplain.checking.values import tensor_of_numbers
from stexplain.data.baselines.bones import joints_on_bones, straight_line
from stexplain.errors import InputError, unknown
from stexplain.graph import STGraph

Baseline = Callable[[Tensor, Tensor, STGraph | None], Tensor]


def zero(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """Zero everywhere: the paper's. After centring it is the position of the centre node.

    Args:
        x: ``[B, M, T, N, C]``.
        valid: what was observed, ``[B, M, T]`` or ``[B, M, T, N]``, bool.
        graph: not needed.

    Example:
        >>> zero(torch.ones(1, 1, 2, 1, 1), torch.ones(1, 1, 2, dtype=torch.bool)).flatten().tolist()
        [0.0, 0.0]
    """
    return torch.zeros_like(x)


def mean(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """Each node's mean over the observed frames of its sample and instance: the node without its motion.

    Args:
        x: ``[B, M, T, N, C]``.
        valid: what was observed, ``[B, M, T]`` or ``[B, M, T, N]``, bool.
        graph: not needed.

    Example:
        >>> x = torch.tensor([1.0, 3.0, 0.0]).view(1, 1, 3, 1, 1)
        >>> mean(x, torch.tensor([[[True, True, False]]])).flatten().tolist()
        [2.0, 2.0, 0.0]
    """
    weight = _mask(valid).to(x.dtype)
    # Axis 2 is time. A node that was never observed has the sum 0, and any divisor above 0 gives its 0.
    average = (x * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True).clamp(min=1)
    return average * weight


def interpolation(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """The straight line in time from each node's first observation to its last: start and end kept, gesture gone.

    Args:
        x: ``[B, M, T, N, C]``.
        valid: what was observed, ``[B, M, T]`` or ``[B, M, T, N]``, bool.
        graph: not needed.

    Example:
        >>> x = torch.tensor([1.0, 9.0, 3.0, 0.0]).view(1, 1, 4, 1, 1)
        >>> interpolation(x, torch.tensor([[[True, True, True, False]]])).flatten().tolist()
        [1.0, 2.0, 3.0, 0.0]
    """
    mask = _mask(valid)
    return straight_line(x, mask) * mask


def neighbours(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """The mean of each node's neighbours in the graph, frame by frame; a node without any gets its own mean in time.

    Where single values are missing, it is the mean over the neighbours that were observed.

    Args:
        x: ``[B, M, T, N, C]``.
        valid: what was observed, ``[B, M, T]`` or ``[B, M, T, N]``, bool.
        graph: whose nodes are N.

    Raises:
        InputError: where there is no graph, or one of another size.

    Example:
        >>> roads = STGraph.from_edges("abc", [("a", "b"), ("b", "c")])
        >>> x = torch.tensor([60.0, 10.0, 50.0]).view(1, 1, 1, 3, 1)
        >>> neighbours(x, torch.ones(1, 1, 1, dtype=torch.bool), roads).flatten().tolist()
        [10.0, 55.0, 10.0]
    """
    if graph is None:
        raise InputError("the baseline 'neighbours' needs the graph. Give `graph`.")
    check_shape("x", tuple(x.shape), "b m t n c", n=len(graph))
    present = _mask(valid).expand(*x.shape[:4], 1).to(x.dtype)
    # Both ways, each once: a neighbour is one whatever the edge's direction. As a list, since a matrix of N x N would
    # take more memory than a large graph's model.
    ends = torch.as_tensor(graph.edges.copy(), device=x.device).long()
    source, target = torch.unique(torch.cat([ends, ends.flip(1)]), dim=0).T

    def summed(values: Tensor) -> Tensor:
        return torch.zeros_like(values).index_add(3, target, values.index_select(3, source))

    # How many neighbours of each node were observed at each frame, [B, M, T, N, 1].
    count = summed(present)
    average = summed(x * present) / count.clamp(min=1)
    return torch.where(count == 0, mean(x, valid), average) * _mask(valid)


def bones(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
    """A body between its first and its last pose: bones turn evenly and keep their lengths, roots go straight.

    What `interpolation` does, without leaving the body; see `stexplain.data.baselines.bones`. For skeletons alone:
    all channels must be coordinates, which cannot be determined from the numbers.

    Args:
        x: ``[B, M, T, N, C]``.
        valid: what was observed, ``[B, M, T]`` or ``[B, M, T, N]``, bool.
        graph: a skeleton, whose nodes are N.

    Raises:
        InputError: where there is no graph, one of another size or with a cycle, or nodes have other than two or three
            channels.

    Example:
        >>> graph = STGraph(["shoulder", "hand"], [(0, 1)], center="shoulder")
        >>> x = torch.tensor([[0.0, 0], [2, 0], [0, 0], [2, -2], [0, 0], [0, 2]]).view(1, 1, 3, 2, 2)
        >>> bones(x, torch.ones(1, 1, 3, dtype=torch.bool), graph)[0, 0, 1, 1].round().tolist()
        [2.0, 2.0]
    """
    mask = _mask(valid)
    return joints_on_bones(x, mask, graph) * mask


@dataclass(frozen=True)
class HistoryOr:
    """The default of methods: the historical average, where the samples know it, else a named baseline.

    Windows of a part of `WindowedSeries.split` know it: what a node usually measures at that time is then what its
    observation is compared with. Called as a function, it is the named baseline.

    Attributes:
        otherwise: its name.

    Example:
        >>> x = torch.tensor([1.0, 3.0]).view(1, 1, 2, 1, 1)
        >>> HistoryOr("mean")(x, torch.ones(1, 1, 2, dtype=torch.bool)).flatten().tolist()
        [2.0, 2.0]
    """

    otherwise: str

    def __call__(self, x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
        """The named baseline of samples."""
        return baseline(self.otherwise)(x, valid, graph)


HISTORY_OR_ZERO = HistoryOr("zero")
BASELINES: tuple[Baseline, ...] = (zero, mean, interpolation, neighbours, bones)
"""All of them, the paper's first."""


HISTORICAL_AVERAGE = "historical_average"
"""The name of the baseline that needs to know the samples: `with_baseline` has it, no function of signals can."""


def baseline(name: str) -> Baseline:
    """The baseline of this name.

    Args:
        name: of its function, such as ``"mean"``.

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
        which: the name of a baseline, one's own function, or the values themselves: a tensor or array that
            broadcasts to ``[M, T, N, C]``, such as one number, or one per channel.

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
    given: Tensor = tensor_of_numbers("baseline", which)

    # Checked when called: only then is the shape of a sample known.
    def constant(x: Tensor, valid: Tensor, graph: STGraph | None = None) -> Tensor:
        try:
            return given.to(x).expand(x.shape) * _mask(valid)
        except RuntimeError:
            raise InputError(
                f"baseline: got shape {tuple(given.shape)}; expected one that broadcasts to a sample, "
                f"[m, t, n, c] = {tuple(x.shape[1:])}."
            ) from None

    return constant


def _mask(valid: Tensor) -> Tensor:
    """A mask of frames or positions with axes for nodes and channels, ``[B, M, T, 1 or N, 1]``."""
    return valid[..., None, None] if valid.ndim == 3 else valid[..., None]
