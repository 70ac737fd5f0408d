"""Graph ablation: what is left of an explanation when no message passes between nodes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.checking import check_arguments, checked, checked_kept
from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.as_explainer import as_explainer
from stexplain.explainers.methods.naming import named
from stexplain.explainers.model.adjacency.names import tensors_in
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.fixed_target import FixedTarget
from stexplain.explainers.model.inspection import unwrapped
from stexplain.explainers.model.layer_names import floating_tensors
from stexplain.explainers.model.model_input import ModelInput
from stexplain.nn.graph_convolution import ChebyshevConvolution, GraphConvolution, RelationConvolution
from stexplain.wording import an

_Convolution = GraphConvolution | RelationConvolution | ChebyshevConvolution


@contextmanager
@checked
def graph_removed(model: nn.Module, *, adjacency: Sequence[str] = ()) -> Iterator[None]:
    """Removes a model's graph for the length of the block: every edge between two different nodes has weight zero.

    Self loops stay as they are, and nothing is normalised anew. Afterwards all is as before, also on error. Evaluating
    the model inside of the block and outside shows what the graph contributes to accuracy.

    Args:
        model: any whose adjacency can be found: one with graph convolutions of this package, or another together with
        adjacency: the names of its buffers, parameters or attributes that hold an adjacency ``[..., N, N]``, such as
            ``["adjacency"]``, ``["blocks.0.A"]`` or, in a list, ``["supports[0]"]``. A matrix that the forward pass
            computes has no such name.

    Yields:
        Nothing; the model is without its graph meanwhile.

    Raises:
        InputError: where the model's graph cannot be found, or a name is not of a square matrix.

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
    saved = [(tensor, tensor.data) for tensor in (_adjacency(inner, name) for name in adjacency)]
    ablated = [matrix * torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device) for _, matrix in saved]
    for module in () if adjacency else inner.modules():
        if isinstance(module, _Convolution):
            # Edge weights [E] of a sparse adjacency.
            saved.append((module.adjacency, module.adjacency.data))
            ablated.append(torch.where(_self_loops(module), module.adjacency.data, 0))
    if not saved:
        raise InputError(
            f"{type(inner).__name__} has no graph convolution of this package. Give `adjacency`, the names of the "
            "buffers that hold its adjacency."
        )
    try:
        # By `.data`: the tensor stays the same object, whoever else holds it, and autograd does not notice.
        for (tensor, _), matrix in zip(saved, ablated, strict=True):
            tensor.data = matrix
        yield
    finally:
        for tensor, matrix in saved:
            tensor.data = matrix


@checked_kept
class GraphAblated(Explainer):
    """An explainer's map of the model without message passing: the graph ablation of an explanation.

    Where it is like the map of the whole model, the graph contributes nothing to the explanation, and often nothing to
    the model. The class explained is the one chosen with the graph, so both maps are of the same. The score is that
    without the graph; the score with it is ``extra["score_with_graph"]``, ``[B]``.

    Args:
        explainer: any that calls a model; where a model is given, its `InputGradient`.
        adjacency: see `graph_removed`.

    Raises:
        InputError: where the explainer calls no model; (when called) where the model's graph cannot be found.

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
        inner = as_explainer(explainer)
        if inner.model is None:
            raise InputError(f"explainer {inner.method!r} calls no model; expected one of a model with a graph.")
        super().__init__(inner.model, **inner.options)
        self.explainer = inner
        check_arguments(GraphAblated.__init__, adjacency=adjacency)
        self.adjacency = tuple(adjacency)
        self.method = named(type(self), f"{inner.method}, without the graph", adjacency=self.adjacency)
        self.measures = inner.measures
        self.layer_name = inner.layer_name

    def _finished(self, explanation: Explanation) -> Explanation:
        return self.explainer._finished(explanation)

    @property
    def _splits_channels(self) -> bool:
        return self.explainer._splits_channels

    def _reduced(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.explainer._reduced(channels)

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        assert self.model is not None
        # What the inner explainer has to say is said of this call.
        self.explainer._notes = self._notes
        fixed_target = FixedTarget(score_fn, model_input.sizes["b"])
        # The first call fixes the classes: with the graph.
        with torch.no_grad():
            with_graph = fixed_target(self._forward(model_input, model_input.x.clone()))
        with graph_removed(self.model, adjacency=self.adjacency):
            maps = self.explainer._maps(model_input, fixed_target)
        self._say_what_is_unused(model_input)
        return replace(maps, extra={**maps.extra, "score_with_graph": with_graph.scores})

    def _say_what_is_unused(self, model_input: ModelInput) -> None:
        """A note of each named matrix without whose edges the model returns the very same numbers."""
        assert self.model is not None

        def outputs() -> list[Tensor]:
            return list(floating_tensors(self._forward(model_input, model_input.x.clone())).values())

        with torch.no_grad():
            whole = outputs() if self.adjacency else []
            for name in self.adjacency:
                with graph_removed(self.model, adjacency=[name]):
                    without = outputs()
                if len(whole) == len(without) and all(map(torch.equal, whole, without)):
                    self._notes.append(
                        f"Nothing is ablated by {name!r}: without its edges the model returns the very same numbers. "
                        "Its forward pass does not use it, or uses a copy, or it holds no edges between two nodes."
                    )


def _self_loops(module: _Convolution) -> Tensor:
    """Which edges are self loops, ``[E]``, bool."""
    source, target = module.topology.tensors(module.adjacency.device)
    # A target of GraphConvolution is node * K + relation; a source of the others is relation * N + node.
    if isinstance(module, GraphConvolution):
        return source == target // module.relations
    return source % module.topology.targets == target


def _adjacency(model: nn.Module, name: str) -> Tensor:
    """The buffer, parameter or attribute of a dotted name.

    Raises:
        InputError: where there is none, or it is not a square matrix.
    """
    known = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for path, module in model.named_modules():
        for attribute, held in vars(module).items():
            # Parameters, buffers and submodules are in dictionaries of these names.
            if not attribute.startswith("_"):
                known |= dict(tensors_in(held, f"{path}.{attribute}".lstrip(".")))
    value: Any = known.get(name)
    if value is None:
        # A plain attribute that torch does not list, nor is a tensor.
        value = model
        for part in name.split("."):
            value = getattr(value, part, None)
    if value is None:
        raise unknown("adjacency", name, known)
    if not isinstance(value, Tensor) or value.ndim < 2 or value.shape[-1] != value.shape[-2] or value.is_sparse:
        got = f"of shape {tuple(value.shape)}" if isinstance(value, Tensor) else an(type(value).__name__)
        raise InputError(f"adjacency {name!r}: got {got}; expected a dense matrix [..., N, N].")
    return value
