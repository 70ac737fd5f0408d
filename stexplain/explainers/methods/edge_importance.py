"""Edge importance: which edges of a graph convolution the score rests on, as gradient x learned edge weight."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.errors import InputError, unknown
from stexplain.explainers.edge_explanation import EdgeExplanation
from stexplain.explainers.model.activations import capture_activations, capture_inputs
from stexplain.explainers.model.caller import ModelCaller, ScoreFn
from stexplain.explainers.model.gradients import gradients
from stexplain.explainers.model.inspection import model_attribute
from stexplain.explainers.model.model_input import ModelInput, Signals
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.target import Scores, TargetLike
from stexplain.explainers.targets import as_target
from stexplain.graph import Relations
from stexplain.nn.graph_convolution import ChebyshevConvolution, GraphConvolution, RelationConvolution

_Convolution = GraphConvolution | RelationConvolution | ChebyshevConvolution


class _Edges(NamedTuple):
    """The edges of one tensor of weights: which entries they are, and the source, target and relation of each."""

    entries: tuple[Tensor, ...]
    source: Tensor
    target: Tensor
    relation: Tensor


class EdgeImportance(ModelCaller):
    """Gradient x edge weight: the dominant structure of the graph in Das & Ortega (ICASSP 2022).

    With Q the learned importance of the edges (Eq. 1) and y the score of the target:

        I[b, l, k, e] = dy[b] / dQ[l, k, e]  Q[l, k, e]      of edge e in block l and relation k

    It is what y loses, to first order, when an edge's weight goes to zero. Where y is homogeneous of
    degree one in a block's Q (no biases behind it and no path around it), the block's I sum to y.

    Values are per sample. For the graph convolutions of this package they follow from the input of each and the
    gradient of the score at its output, for all samples by one forward and one backward pass. For other tensors, named
    by `of`, samples are explained one at a time: as many passes as samples.

    Args:
        model: any module; see `STGGradCAM`.
        of: names of parameters, buffers, or arguments in `shared`, that hold edge weights: dense, ``[N, N]`` or
            ``[K, N, N]``, whose entries that are not zero are the edges; or ``[E]``, of a graph convolution of this
            package (such as ``"blocks.0.spatial.adjacency"`` of a forecaster) or with `edges`. Default: the edge
            importance of all graph convolutions of this package that learn one.
        ends: which axis of a dense tensor is which: ``"source target"`` (out[w] = sum over v of A[v, w] x[v], as in
            ST-GCN) or ``"target source"`` (A x).
        edges: source and target of the edges of tensors ``[E]``, ``[E, 2]``, int.
        layout: of the input and output of the package's graph convolutions; default: `model.layout`.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: where no tensor holds edge weights, a name does not exist, or a shape is not that of edges.

    Example:
        >>> from stexplain.explainers.targets import Class
        >>> from stexplain.graph import STGraph
        >>> from stexplain.nn.stgcn import STGCN
        >>> graph = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")], center="hip")
        >>> model = STGCN(graph, classes=4, channels=(8, 16), strides=(1, 2))
        >>> with EdgeImportance(model) as explain:
        ...     e = explain(torch.randn(5, 1, 12, 3, 3), target=Class(1))
        >>> e.values.shape, e.pairs().columns.tolist(), len(e.pairs())
        ((5, 14), ['source', 'target', 'value'], 5)
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        of: str | Sequence[str] | None = None,
        ends: Literal["source target", "target source"] = "source target",
        edges: ArrayLike | None = None,
        layout: str | None = None,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        if ends not in ("source target", "target source"):
            raise unknown("order of ends", ends, ["source target", "target source"])
        self.of = [of] if isinstance(of, str) else list(of or [])
        self.ends = ends
        self.edges = None if edges is None else torch.as_tensor(np.asarray(edges), dtype=torch.int64)
        if self.edges is not None and (self.edges.ndim != 2 or self.edges.shape[1] != 2):
            raise InputError(f"edges has shape {tuple(self.edges.shape)}; expected [E, 2]: source and target of each.")
        assert self.model is not None
        # Only this kind learns an importance Q of its edges.
        self._convolutions = {
            name: module for name, module in self.model.named_modules() if isinstance(module, GraphConvolution)
        }
        pattern = layout or model_attribute(self.model, "layout", str)
        if not self.of and (not self._convolutions or pattern is None):
            raise InputError(
                f"{type(self.model).__name__} has no graph convolution of this package whose layout is known. "
                "Give `of`, the names of the parameters or buffers that hold edge weights."
            )
        self.layout = Layout(pattern or "n (b m) t c")

    def __call__(
        self,
        x: Signals,
        *,
        target: TargetLike,
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> EdgeExplanation:
        """Explains samples; see `Explainer.__call__` for the arguments.

        Raises:
            InputError: where a shape, a name or a value does not fit, or the target does not depend on the weights.
        """
        one_target = as_target(target)
        values, scores, classes = [], [], []
        with self._model_frozen():
            model_input = self._prepare(x, valid, shared, per_sample)
            # Gradients at a named tensor are sums over the samples that share it: one sample at a time.
            for chunk, (score_fn,) in self._chunks(model_input, [one_target], chunk=1 if self.of else None):
                explain = self._explain_named if self.of else self._explain_convolutions
                chunk_values, chunk_scores = explain(chunk, score_fn)
                values.append(chunk_values)
                scores.append(chunk_scores.scores.detach())
                classes.append(chunk_scores.classes)
            nodes = model_input.sizes["n"]
            if self.of:
                edges = {name: self._edges_in(self._tensor(name, model_input), name, nodes) for name in self.of}
            else:
                edges = {name: _edges_of(layer) for name, layer in self._convolutions.items()}
        names = tuple(map(str, range(nodes))) if self.graph is None else self.graph.nodes
        relations = None if self.of else model_attribute(self.model, "relations", Relations)
        return EdgeExplanation(
            values=torch.cat(values).cpu().numpy(),
            source=tuple(names[index] for of_tensor in edges.values() for index in of_tensor.source.tolist()),
            target=tuple(names[index] for of_tensor in edges.values() for index in of_tensor.target.tolist()),
            relation=tuple(
                str(index) if relations is None else relations.names[index]
                for of_tensor in edges.values()
                for index in of_tensor.relation.tolist()
            ),
            block=tuple(name for name, of_tensor in edges.items() for _ in of_tensor.source),
            score=torch.cat(scores).cpu().numpy().astype(np.float32),
            targets=torch.cat(classes).cpu().numpy(),
            explained=one_target.text(),
            ids=model_input.ids,
            node_names=names,
        )

    def _explain_convolutions(self, model_input: ModelInput, score_fn: ScoreFn) -> tuple[Tensor, Scores]:
        """Values ``[B, E]`` of the package's convolutions, for all samples at once."""
        with (
            capture_activations(self._convolutions, gradient=True) as activations,
            capture_inputs(self._convolutions) as inputs,
        ):
            scores = score_fn(self._forward(model_input))
        outputs = {name: activations.calls(name) for name in self._convolutions}
        (at_outputs,) = gradients([scores.scores], [output for calls in outputs.values() for output in calls])
        if all(gradient is None for gradient in at_outputs):
            raise InputError("the target does not depend on any graph convolution in a differentiable way.")
        known = {axis: model_input.sizes[axis] for axis in "bmn"}
        next_gradient, parts = iter(at_outputs), []
        for name, layer in self._convolutions.items():
            total = model_input.x.new_zeros(model_input.sizes["b"], len(layer.topology))
            # A layer may run more than once: dy / dQ is the sum over its calls.
            for x in inputs[name]:
                gradient = next(next_gradient)
                if gradient is not None:
                    total += _importance_gradients(
                        layer, self.layout.to_batch(x, **known), self.layout.to_batch(gradient, **known)
                    )
            parts.append(total * layer.importance.detach())
        return torch.cat(parts, 1), scores

    def _explain_named(self, model_input: ModelInput, score_fn: ScoreFn) -> tuple[Tensor, Scores]:
        """Values ``[1, E]`` of the tensors named by `of`, for one sample."""
        # The model is frozen, so copies take the place of its tensors, and gradients are taken at them.
        leaves = {name: self._tensor(name, model_input).detach().clone().requires_grad_() for name in self.of}
        substitutes = {name: leaf for name, leaf in leaves.items() if name not in model_input.shared}
        arguments = {name: leaf for name, leaf in leaves.items() if name in model_input.shared}
        with_leaves = replace(model_input, shared={**model_input.shared, **arguments})
        scores = score_fn(self._forward(with_leaves, substitutes=substitutes))
        (at_leaves,) = gradients([scores.scores], list(leaves.values()))
        values = []
        for (name, leaf), gradient in zip(leaves.items(), at_leaves, strict=True):
            if gradient is None:
                raise InputError(f"the target does not depend on {name!r} in a differentiable way.")
            edges = self._edges_in(leaf.detach(), name, model_input.sizes["n"])
            values.append((gradient * leaf.detach())[edges.entries])
        return torch.cat(values)[None], scores

    def _tensor(self, name: str, model_input: ModelInput) -> Tensor:
        """The parameter, buffer or shared argument of a name."""
        assert self.model is not None
        named = {**dict(self.model.named_buffers()), **dict(self.model.named_parameters()), **model_input.shared}
        if name not in named:
            raise unknown("parameter, buffer or shared argument", name, named)
        tensor = named[name]
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            raise InputError(f"of: {name!r} is not a floating tensor; expected edge weights.")
        return tensor

    def _edges_in(self, tensor: Tensor, name: str, nodes: int) -> _Edges:
        """Which edges a named tensor of weights holds."""
        assert self.model is not None
        if self.edges is not None and tensor.shape == (len(self.edges),):
            source, target = self.edges.to(tensor.device).unbind(1)
            return _Edges((torch.arange(len(source), device=tensor.device),), source, target, torch.zeros_like(source))
        # A tensor [E] of one of the package's convolutions: the module that holds it knows its edges.
        holder = name.rpartition(".")[0]
        if self.edges is None and isinstance(layer := dict(self.model.named_modules()).get(holder), _Convolution):
            return _edges_of(layer)
        if tensor.ndim not in (2, 3) or tensor.shape[-2:] != (nodes, nodes):
            raise InputError(
                f"of: {name!r} has shape {tuple(tensor.shape)}; expected [{nodes}, {nodes}] or "
                f"[relations, {nodes}, {nodes}], or [E] together with `edges` [E, 2]."
            )
        entries = tensor.nonzero(as_tuple=True)
        source, target = entries[-2:] if self.ends == "source target" else entries[-2:][::-1]
        return _Edges(entries, source, target, entries[0] if tensor.ndim == 3 else torch.zeros_like(source))


def _edges_of(layer: _Convolution) -> _Edges:
    """The edges of a tensor ``[E]`` of one of the package's convolutions."""
    entries = (torch.arange(len(layer.topology), device=layer.adjacency.device),)
    source, target = layer.topology.tensors(layer.adjacency.device)
    # Relations are part of the topology's node numbers: a source is relation * N + node in a RelationConvolution, a
    # target is node * K + relation in a GraphConvolution.
    if isinstance(layer, RelationConvolution):
        nodes = layer.topology.targets
        return _Edges(entries, source % nodes, target, source // nodes)
    relations = layer.relations if isinstance(layer, GraphConvolution) else 1
    return _Edges(entries, source, target // relations, target % relations)


def _importance_gradients(layer: GraphConvolution, x: Tensor, at_output: Tensor) -> Tensor:
    """The gradients dy / dQ of a graph convolution, for each sample by itself.

    As y[n] = sum over e = (v -> n) of a[e] Q[e] (W_k x[v] + b_k), with g the gradient of the score at the output:

        dy / dQ[e] = a[e] sum over instances and frames of  g[n] . (W_k x[v] + b_k)

    Args:
        layer: the convolution.
        x: its input, ``[B, M, T, N, C]``.
        at_output: g, ``[B, M, T, N, C']``.

    Returns:
        ``[B, E]``.
    """
    source, node, relation = _edges_of(layer)[1:]
    at_importance = x.new_empty(len(x), len(source))
    for k in range(layer.relations):
        # g . W_k x = (W_k^T g) . x: mixing channels once per node rather than once per edge.
        at_input = torch.einsum("bmtno,oc->bmtnc", at_output, layer.weight[:, :, k, 0])
        bias = torch.einsum("bmtno,o->bn", at_output, layer.bias[:, k])
        # As many edges at a time as there are nodes: no more memory than the features themselves take.
        for part in torch.split((relation == k).nonzero()[:, 0], x.shape[3]):
            products = torch.einsum("bmtec,bmtec->be", x[:, :, :, source[part]], at_input[:, :, :, node[part]])
            at_importance[:, part] = products + bias[:, node[part]]
    return at_importance * layer.adjacency.to(at_importance.dtype)
