"""The control that takes a model's graph away: what is left of an explanation when no node hears of another."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Explainer, Maps, ModelInput
from stexplain.explainers.methods.perturbation.temporal_rescaling import wrapped
from stexplain.explainers.model.perturb import FixedTarget
from stexplain.explainers.model.state import unwrapped
from stexplain.explainers.targets import Scores
from stexplain.nn.gated import ChebyshevConvolution, RelationConvolution
from stexplain.nn.message_passing import GraphConvolution

_Convolution = GraphConvolution | RelationConvolution | ChebyshevConvolution


@contextmanager
def graph_removed(model: nn.Module, *, adjacency: Sequence[str] = ()) -> Iterator[None]:
    """Takes a model's graph away for as long as the block lasts: every edge from one node to another weighs nothing.

    What a node sends to itself stays as it is, and nothing is normalised anew. All is as before afterwards, also on
    error. What a graph adds to accuracy is then seen by evaluating the model inside of the block and outside.

    Args:
        model: with graph convolutions of this package, or
        adjacency: the names of its buffers, parameters or attributes that hold an adjacency ``[..., N, N]``, such as
            ``["adjacency"]`` or ``["blocks.0.A"]``. A matrix that the forward pass makes anew has no such name.

    Raises:
        InputError: where the model has no graph that is known of, or a name is of no square matrix.

    Example:
        >>> from stexplain.graph import STGraph
        >>> from stexplain.nn.stgcn import STGCN
        >>> graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")], center="b")
        >>> model = STGCN(graph, classes=2, channels=(4,), strides=(1,)).eval()
        >>> with graph_removed(model):
        ...     int((model.blocks[0].spatial.adjacency != 0).sum())
        3
        >>> int((model.blocks[0].spatial.adjacency != 0).sum())
        7
    """
    inner = unwrapped(model)
    held = [(tensor, tensor.data) for tensor in (_named(inner, name) for name in adjacency)]
    changed = [matrix * torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device) for _, matrix in held]
    for module in () if adjacency else inner.modules():
        if isinstance(module, _Convolution):
            held.append((module.adjacency, module.adjacency.data))
            changed.append(torch.where(_own_edges(module), module.adjacency.data, 0))
    if not held:
        raise InputError(
            f"{type(inner).__name__} has no graph convolution of this package. Give `adjacency`, the names of the "
            "buffers that hold its adjacency."
        )
    try:
        for (tensor, _), matrix in zip(held, changed, strict=True):
            tensor.data = matrix
        yield
    finally:
        for tensor, matrix in held:
            tensor.data = matrix


class GraphAblated(Explainer):
    """An explainer's map of the model with its graph taken away: a control.

    Where it is like the map of the whole model, the graph adds nothing to the explanation, and often to the model.
    The class explained is that of the whole model, so that the two are of the same. The score is that without the
    graph; the whole model's is ``extra["score_with_graph"]``, ``[B]``.

    Args:
        explainer: any that asks a model; where a model is given, its `InputGradient`.
        adjacency: see `graph_removed`.

    Raises:
        InputError: where the explainer asks no model; (when called) where the model has no graph that is known of.

    Example:
        >>> from stexplain.explainers.targets import Predicted
        >>> from stexplain.graph import STGraph
        >>> from stexplain.nn.stgcn import STGCN
        >>> graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")], center="b")
        >>> with GraphAblated(STGCN(graph, classes=2, channels=(4,), strides=(1,))) as explain:
        ...     explain(torch.randn(1, 1, 8, 3, 3), target=Predicted()).method
        'input gradient, without the graph'
    """

    def __init__(self, explainer: Explainer | nn.Module, *, adjacency: Sequence[str] = ()):
        inner = wrapped(explainer)
        if inner.model is None:
            raise InputError(f"{inner.method} asks no model, so that there is no graph to take away.")
        super().__init__(
            inner.model, inputs=inner.inputs.pattern, graph=inner.graph, classes=inner.classes, chunk=inner.chunk
        )
        self.explainer = inner
        self.adjacency = tuple(adjacency)
        self.method = f"{inner.method}, without the graph"

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        assert self.model is not None
        settled = FixedTarget(scored, asked.sizes["b"])
        with torch.no_grad():
            whole = settled(self._output(asked, asked.x.clone()))
        with graph_removed(self.model, adjacency=self.adjacency):
            maps = self.explainer._maps(asked, settled)
        extra = {**maps.extra, "score_with_graph": whole.scores}
        return Maps(maps.values, maps.scored, maps.layer_values, maps.stride, maps.padding_share, extra)

    @property
    def _layer_name(self) -> str:
        return self.explainer._layer_name


def _own_edges(module: _Convolution) -> Tensor:
    """Which edges are of a node to itself, ``[E]``, bool."""
    source, target = module.topology.tensors(module.adjacency.device)
    if isinstance(module, GraphConvolution):
        return source == target // module.relations
    return source % module.topology.targets == target


def _named(model: nn.Module, name: str) -> Tensor:
    """The buffer, parameter or attribute of a dotted name.

    Raises:
        InputError: where there is none, or it is no square matrix.
    """
    known = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    found: Any = known.get(name)
    if found is None:
        found = model
        for part in name.split("."):
            found = getattr(found, part, None)
    if found is None:
        raise unknown("adjacency", name, known)
    if not isinstance(found, Tensor) or found.ndim < 2 or found.shape[-1] != found.shape[-2] or found.is_sparse:
        came = f"of shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise InputError(f"{name!r} is {came}; wanted a dense adjacency [..., N, N].")
    return found
