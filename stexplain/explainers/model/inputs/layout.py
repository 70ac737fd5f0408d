"""The layout of an input that nobody declared, where sizes and the model's first layers tell it.

Three things tell axes apart: how many nodes there are, from the graph or from matrices over all nodes that the model
holds or is given; which axis the first convolution, linear or recurrent layer takes for channels, or for time; and the
number of axes. The model runs as far as its first layers for it, less than one inference of every sample. Where more
than one of the common layouts fits, none is taken.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from stexplain.axes import BATCH
from stexplain.errors import InputError, StexplainError
from stexplain.explainers.model.arguments.values import tensors_in
from stexplain.explainers.model.inputs.sliding import lengths_run_along, run_watched, slides_along
from stexplain.graph import STGraph

# By the number of axes, in the order in which they are listed.
_COMMON = {
    3: ("b t n", "b n t"),
    4: ("b t n c", "b c t n", "b c n t", "b n t c", "b n c t", "b t c n"),
    5: (BATCH, "b c t n m", "b m c t n", "b c m t n", "b t m n c", "b t n m c", "b t n c m", "b c n t m"),
}
# Of a graph without an axis of samples.
_OF_ONE_GRAPH = {2: ("n t",), 3: ("n t c", "t n c")}
# How many places of a tensor are compared: enough that two orders of axes do not agree by chance.
_PLACES = 512


@dataclass
class Evidence:
    """What is known of the axes of x, by their numbers; the first is the samples'.

    Attributes:
        nodes: which may be that of the nodes; none: any.
        channels: that of the channels; none: unknown.
        frames: that of the frames; none: unknown.
        whole: whether the first axis may be that of nodes instead: a graph that the model is given has as many.
    """

    nodes: set[int] = field(default_factory=set)
    channels: int | None = None
    frames: int | None = None
    whole: bool = False

    def allows(self, pattern: str) -> bool:
        """Whether a layout contradicts nothing of it."""
        place = {letter: axis for axis, letter in enumerate(pattern.split())}
        return (
            (not self.nodes or place["n"] in self.nodes)
            and self.channels in (None, place.get("c"))
            and self.frames in (None, place["t"])
        )


def found_layout(x: Tensor, evidence: Evidence) -> tuple[str, bool]:
    """The one common layout that fits, and whether it is another than the default.

    Args:
        x: the samples.
        evidence: of their axes.

    Raises:
        InputError: where none fits, or more than one, listing those.

    Example:
        >>> x = torch.zeros(8, 12, 20, 2)
        >>> found_layout(x, Evidence(nodes={2}, channels=3))
        ('b t n c', True)
        >>> found_layout(x, Evidence(nodes={2}))
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: the layout of x, of shape (8, 12, 20, 2), ...
    """
    shape = tuple(x.shape)
    fitting = [pattern for pattern in _COMMON.get(x.ndim, ()) if evidence.allows(pattern)]
    if BATCH in fitting and not _like_skeletons(shape, evidence, fitting):
        return BATCH, False
    certain = [pattern for pattern in fitting if _plausible(pattern, shape)]
    # What only the number of axes speaks for is unknown.
    certain_axes = bool(evidence.nodes) or evidence.frames is not None
    if len(fitting) == 1 and certain and certain_axes:
        return fitting[0], True
    common = fitting or _COMMON.get(x.ndim, ())
    if evidence.whole and x.ndim in _OF_ONE_GRAPH:
        common = [*_OF_ONE_GRAPH[x.ndim], *common]
    listed = " or ".join(f"inputs={pattern!r}" for pattern in common)
    raise InputError(
        f"the layout of x, of shape {shape}, does not follow from sizes and the model's first layers. "
        f"Give it, such as {listed or 'inputs=' + repr('(b n) t') + ' or inputs=' + repr('t n')}."
    )


def _like_skeletons(shape: Sequence[int], evidence: Evidence, fitting: Sequence[str]) -> bool:
    """Whether five axes may be those of skeletons in the order of most of their models, as well as ours.

    Channels of one or two persons would be as many persons of one or two channels. One channel, or one person of one
    channel, is the same in both orders, or is distinguished by no size.
    """
    if evidence.channels is not None or "b c t n m" not in fitting:
        return False
    return shape[1] > 1 and shape[4] in (1, 2)


def _plausible(pattern: str, shape: Sequence[int]) -> bool:
    """Whether there are no more channels than frames: a layer over time takes frames for its channels."""
    sizes = dict(zip(pattern.split(), shape, strict=True))
    return sizes.get("c", 1) <= sizes["t"]


def node_axes(x: Tensor, graph: STGraph | None, model: nn.Module | None, arguments: Mapping[str, Any]) -> set[int]:
    """Which axes of x may be that of the nodes; empty where nothing tells.

    Args:
        x: the samples.
        graph: of the nodes, where known.
        model: matrices over all nodes are looked for among its buffers, parameters and tensors of its own.
        arguments: further arguments, in which they are looked for too.

    Raises:
        InputError: where no axis has as many entries as the graph has nodes.
    """
    axes = range(1, x.ndim)
    if graph is not None:
        found = {axis for axis in axes if x.shape[axis] == len(graph)}
        if not found and x.ndim in _COMMON:
            raise InputError(
                f"x has shape {tuple(x.shape)} and the graph {len(graph)} nodes: no axis is of that size. Give the "
                "layout by `inputs`, or the graph of the model."
            )
        return found
    sizes = matrix_sizes([*own_tensors(model), *tensors_in(dict(arguments))])
    return {axis for axis in axes if x.shape[axis] in sizes}


def fits_graph(x: Tensor, arguments: Mapping[str, Any]) -> bool:
    """Whether a graph that the model is given, of DGL or as edge indices ``[2, E]``, has the nodes of the first axis.

    Example:
        >>> fits_graph(torch.zeros(3, 12, 2), {"edge_index": torch.tensor([[0, 1], [1, 2]])})
        True
    """
    for value in arguments.values():
        if isinstance(value, Tensor):
            edges = value.ndim == 2 and value.shape[0] == 2 and value.numel() > 0 and not value.is_floating_point()
            if edges and not value.is_complex() and value.dtype != torch.bool and int(value.max()) + 1 == len(x):
                return True
        elif callable(count := getattr(value, "num_nodes", None)) and hasattr(value, "ndata") and count() == len(x):
            return True
    return False


def own_tensors(model: nn.Module | None) -> list[Tensor]:
    """The tensors that a model holds itself, not the weights of torch's layers."""
    tensors: list[Tensor] = []
    for module in [] if model is None else model.modules():
        if not type(module).__module__.startswith("torch.nn."):
            tensors += [*module.buffers(recurse=False), *module.parameters(recurse=False)]
            held = {name: value for name, value in vars(module).items() if not name.startswith("_")}
            tensors += tensors_in([value for value in held.values() if isinstance(value, Tensor | list | tuple)])
    return tensors


def matrix_sizes(tensors: Sequence[Tensor]) -> set[int]:
    """The sizes of square matrices, other than masks of an attention in time."""
    return {each.shape[-1] for each in tensors if is_square(each) and not _is_causal_mask(each)}


def is_square(matrix: Tensor) -> bool:
    """Whether a tensor holds square matrices ``[..., N, N]`` of three nodes or more."""
    return matrix.ndim >= 2 and matrix.shape[-1] == matrix.shape[-2] > 2


def _is_causal_mask(matrix: Tensor) -> bool:
    """Whether a matrix tells each frame from all later ones and nothing else, as the mask of an attention in time."""
    if matrix.layout != torch.strided or matrix.ndim != 2:
        return False
    values = matrix.detach().to("cpu", torch.float64).nan_to_num()
    later = torch.ones_like(values, dtype=torch.bool).triu(1)
    for part in (later, later.T):
        one, other = values[part], values[~part]
        if bool((one == one[0]).all()) and bool((other == other[0]).all()) and one[0] != other[0]:
            return True
    return False


class _Stopped(StexplainError):
    """Raised in the model, once its first layers have been seen."""


def add_layers(evidence: Evidence, model: nn.Module, run: Callable[[], Any], x: Tensor) -> None:
    """Adds what a model's first layers tell of the axes of x.

    Args:
        evidence: which axes may be that of the nodes.
        model: any.
        run: calls it on x.
        x: the samples.
    """
    seen: list[tuple[nn.Module, Tensor]] = []

    def hook(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if arguments and isinstance(arguments[0], Tensor):
            seen.append((module, arguments[0].detach().clone()))
        # A normalisation may fold nodes and channels: the layer behind it tells them apart.
        if not isinstance(module, _BatchNorm) or len(seen) > 1:
            raise _Stopped

    kinds = (_ConvNd, nn.Linear, nn.RNNBase, _BatchNorm)
    telling = [module for module in model.modules() if isinstance(module, kinds)]
    run_watched(telling, hook, run)
    for module, tensor in seen:
        axes = _axes_in(tensor, x)
        if axes is None:
            continue
        known = evidence.frames
        _add(evidence, module, tensor, axes, x)
        if evidence.frames != known and not evidence.nodes and _may_be_nodes(evidence, model, run, module, axes, x):
            # Nothing but what the first layer slides along tells the frames, and a later one slides along others.
            evidence.frames = known


def _may_be_nodes(
    evidence: Evidence,
    model: nn.Module,
    run: Callable[[], Any],
    first: nn.Module,
    axes: list[tuple[int, ...]],
    x: Tensor,
) -> bool:
    """Whether the axis that the first layer slides along may be that of the nodes, as a later one slides along another.

    Nodes in a row are run through by recurrent layers, too, and neighbours among them are seen by windows.
    """
    others = set(range(1, x.ndim)) - {evidence.frames, evidence.channels}
    if isinstance(first, _ConvNd):
        sizes = [(place, x.shape[one[0]]) for place, one in enumerate(axes[2:]) if len(one) == 1 and one[0] in others]
        if slides_along(model, sizes, len(axes) - 2):
            return True
    # Of three axes the other one is gone, as the channels of the first layer.
    assert evidence.frames is not None
    lengths = {x.shape[axis] for axis in others if x.shape[axis] > 1} - {x.shape[evidence.frames]}
    return x.ndim > 3 and bool(lengths) and bool(lengths & lengths_run_along(model, first, run))


def _add(evidence: Evidence, module: nn.Module, tensor: Tensor, axes: list[tuple[int, ...]], x: Tensor) -> None:
    """Enters into the evidence what a layer tells, given the axes of x that each of its input's axes is made of."""
    if isinstance(module, _BatchNorm):
        (width,) = (axes[1],)
        if len(width) == 2 and len(evidence.nodes & set(width)) == 1:
            # Nodes and channels, folded into one.
            (evidence.channels,) = set(width) - evidence.nodes
        return
    is_last = isinstance(module, nn.Linear | nn.RNNBase)
    width = axes[-1 if is_last else 1]
    single = [axis for axis in range(1, x.ndim) if x.shape[axis] == 1]
    if not width and len(single) == 1:
        width = (single[0],)
    # Behind a flattening axes are one, and a layer over all nodes takes those for its channels. Of three axes none is
    # that of channels: a layer then takes nodes, or frames, for them.
    apart = x.ndim > 3 and (tensor.ndim > 2 or len(axes[0]) > 1)
    if apart and len(width) == 1 and width[0] != 0 and evidence.nodes != {width[0]}:
        evidence.channels = width[0]
    if is_last and len(width) == 2 and len(axes) == 3 and len(evidence.nodes & set(width)) == 1 and 0 not in width:
        # All that one frame holds, folded into one: features of a transformer, whose steps are the axis that is left.
        (evidence.channels,) = set(width) - evidence.nodes
    frames: tuple[int, ...] = ()
    if isinstance(module, nn.RNNBase) and x.ndim > 3 and len(axes) == 3:
        frames = axes[1 if module.batch_first else 0]
    elif isinstance(module, _ConvNd):
        # A window that slides: one over the whole axis may be over nodes.
        sliding = [
            axis
            for axis, kernel in zip(axes[2:], module.kernel_size, strict=False)
            if kernel > 1 and len(axis) == 1 and kernel < x.shape[axis[0]]
        ]
        frames = sliding[0] if len(sliding) == 1 else ()
    if len(frames) == 1 and frames[0] != 0:
        evidence.frames = frames[0]


def _axes_in(tensor: Tensor, x: Tensor) -> list[tuple[int, ...]] | None:
    """Which axes of x each axis of a tensor is made of, where it is x with its axes in another order, or folded.

    By its values; where they are others, as behind a normalisation, by sizes alone.
    """
    if tensor.numel() != x.numel() or not x.numel():
        return None
    # Axes of size one may stand anywhere: they are left out.
    axes = [axis for axis in range(x.ndim) if x.shape[axis] > 1]
    places = np.random.default_rng(0).integers(x.numel(), size=_PLACES)
    values = tensor.detach().flatten()[torch.from_numpy(places).to(tensor.device)]
    by_size: list[list[tuple[int, ...]]] = []
    by_value: list[list[tuple[int, ...]]] = []
    for order in itertools.permutations(axes):
        grouped = _grouped([x.shape[axis] for axis in order], tensor.shape)
        if grouped is None:
            continue
        # In any order within a group: which axes it is made of is asked, not how.
        by_size.append([tuple(sorted(order[position] for position in group)) for group in grouped])
        index: list[Any] = [0] * x.ndim
        for axis, numbers in zip(order, np.unravel_index(places, [x.shape[axis] for axis in order]), strict=True):
            index[axis] = torch.from_numpy(numbers).to(x.device)
        if torch.equal(x[tuple(index)].to(values), values):
            by_value.append(by_size[-1])
    # Several orders agree where x is much the same along its axes, or axes are of one size.
    found = by_value or by_size
    return found[0] if found and all(each == found[0] for each in found) else None


def _grouped(sizes: Sequence[int], shape: Sequence[int]) -> list[tuple[int, ...]] | None:
    """Which of some sizes, in their order, multiply to each entry of a shape; none where they do not.

    The sizes are above one, and their product is that of the shape: where all entries are reached, all are used up.
    """
    groups, position = [], 0
    for size in shape:
        group: tuple[int, ...] = ()
        product = 1
        while product < size and position < len(sizes):
            product *= sizes[position]
            group += (position,)
            position += 1
        if product != size:
            return None
        groups.append(group)
    return groups
