"""Edge importance: which edges of a graph convolution the score rests on, as gradient x learned edge weight."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.errors import InputError, unknown
from stexplain.explainers.edge_explanation import EdgeExplanation
from stexplain.explainers.model.activations import capture_activations, gradients
from stexplain.explainers.model.caller import ModelCaller, ModelInput, ScoreFn, Signals, TargetLike, model_attribute
from stexplain.explainers.targets import Scores, as_target
from stexplain.graph import Relations
from stexplain.nn.gated import ChebyshevConvolution, RelationConvolution
from stexplain.nn.message_passing import GraphConvolution

if TYPE_CHECKING:
    from stexplain.graph import STGraph


_Convolution = GraphConvolution | RelationConvolution | ChebyshevConvolution


class _Edges(NamedTuple):
    """Where the edges of one tensor of weights lie: its entries, and the source, target and relation of each."""

    entries: tuple[Tensor, ...]
    source: Tensor
    target: Tensor
    relation: Tensor


class EdgeImportance(ModelCaller):
    """Gradient x edge weight: the dominant structure of the graph in Das & Ortega (ICASSP 2022).

    With Q the learned importance of the edges (Eq. 1) and y the score of the target:

        I[b, l, k, e] = dy[b] / dQ[l, k, e]  Q[l, k, e]      of edge e in block l and relation k

    What y changes by, to first order, when an edge's weight goes to zero, taken negatively. Where y is homogeneous of
    degree one in a block's Q (no biases behind it and no path around it), the block's I sum to y.

    Values are per sample. For the graph convolutions of this package they follow from what arrives at each of them and
    the slope of the score behind it, for all samples by one forward and one backward pass. For other tensors, named by
    `of`, samples are worked through one at a time: as many passes as samples, each of one sample.

    Args:
        model: any module; see `STGGradCAM`.
        of: names of parameters, buffers, or arguments in `shared`, that hold edge weights: dense, ``[N, N]`` or
            ``[K, N, N]``, whose entries that are not zero are the edges; or ``[E]``, of a graph convolution of this
            package (such as ``"blocks.0.spatial.adjacency"`` of a forecaster) or with `edges`. Default: the edge
            importance of all graph convolutions of this package that learn one.
        ends: which axis of a dense tensor is which: ``"source target"`` (out[w] = sum over v of A[v, w] x[v], as in
            ST-GCN) or ``"target source"`` (A x).
        edges: source and target of the edges of tensors ``[E]``, ``[E, 2]``, int.
        layout: of what enters and leaves the package's graph convolutions; default: `model.layout`.
        inputs: see `STGGradCAM`.
        graph: see `STGGradCAM`.
        classes: see `STGGradCAM`.
        chunk: see `STGGradCAM`.

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
        inputs: str | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        chunk: int | None = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph, classes=classes, chunk=chunk)
        if ends not in ("source target", "target source"):
            raise unknown("order of ends", ends, ["source target", "target source"])
        self.of = [of] if isinstance(of, str) else list(of or [])
        self.ends = ends
        self.edges = None if edges is None else torch.as_tensor(np.asarray(edges), dtype=torch.int64)
        if self.edges is not None and (self.edges.ndim != 2 or self.edges.shape[1] != 2):
            raise InputError(f"edges has shape {tuple(self.edges.shape)}; wanted [E, 2]: source and target of each.")
        assert self.model is not None
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
        goal = as_target(target)
        values, scores, classes = [], [], []
        with self._computing():
            asked = self._read(x, valid, shared, per_sample)
            for part, (reading,) in self._parts(asked, [goal], chunk=1 if self.of else None):
                found, scored = (self._of_named if self.of else self._of_ours)(part, reading)
                values.append(found)
                scores.append(scored.scores.detach())
                classes.append(scored.classes)
            if self.of:
                where = {name: self._edges_in(self._tensor(name, asked), name, asked.sizes["n"]) for name in self.of}
            else:
                where = {name: _edges_of(layer) for name, layer in self._convolutions.items()}
        names = tuple(map(str, range(asked.sizes["n"]))) if self.graph is None else self.graph.nodes
        relations = None if self.of else model_attribute(self.model, "relations", Relations)
        return EdgeExplanation(
            values=torch.cat(values).cpu().numpy(),
            source=tuple(names[index] for each in where.values() for index in each.source.tolist()),
            target=tuple(names[index] for each in where.values() for index in each.target.tolist()),
            relation=tuple(
                str(index) if relations is None else relations.names[index]
                for each in where.values()
                for index in each.relation.tolist()
            ),
            block=tuple(name for name, each in where.items() for _ in each.source),
            score=torch.cat(scores).cpu().numpy().astype(np.float32),
            targets=torch.cat(classes).cpu().numpy(),
            what=goal.text(),
            ids=asked.ids,
            node_names=names,
        )

    def _of_ours(self, asked: ModelInput, reading: ScoreFn) -> tuple[Tensor, Scores]:
        """Of the package's convolutions, for all samples at once: ``[B, E]``."""
        with capture_activations(self._convolutions, gradient=True) as heard, _arriving(self._convolutions) as arrived:
            scored = reading(self._output(asked))
        outputs = {name: heard.calls(name) for name in self._convolutions}
        (slopes,) = gradients([scored.scores], [one for calls in outputs.values() for one in calls])
        if all(slope is None for slope in slopes):
            raise InputError("the target does not depend on any graph convolution in a differentiable way.")
        known = {axis: asked.sizes[axis] for axis in "bmn"}
        each, parts = iter(slopes), []
        for name, layer in self._convolutions.items():
            total = asked.x.new_zeros(asked.sizes["b"], len(layer.topology))
            for x in arrived[name]:
                slope = next(each)
                if slope is not None:
                    total += _importance_slopes(
                        layer, self.layout.to_batch(x, **known), self.layout.to_batch(slope, **known)
                    )
            parts.append(total * layer.importance.detach())
        return torch.cat(parts, 1), scored

    def _of_named(self, asked: ModelInput, reading: ScoreFn) -> tuple[Tensor, Scores]:
        """Of tensors by name, for one sample: ``[1, E]``."""
        leaves = {name: self._tensor(name, asked).detach().clone().requires_grad_() for name in self.of}
        mine = {name: leaf for name, leaf in leaves.items() if name not in asked.shared}
        given = {**asked.shared, **{name: leaf for name, leaf in leaves.items() if name in asked.shared}}
        part = ModelInput(asked.x, asked.valid, asked.sizes, asked.ids, asked.observed, given, asked.per_sample)
        scored = reading(self._output(part, swapped=mine))
        (slopes,) = gradients([scored.scores], list(leaves.values()))
        values = []
        for (name, leaf), slope in zip(leaves.items(), slopes, strict=True):
            if slope is None:
                raise InputError(f"the target does not depend on {name!r} in a differentiable way.")
            where = self._edges_in(leaf.detach(), name, asked.sizes["n"])
            values.append((slope * leaf.detach())[where.entries])
        return torch.cat(values)[None], scored

    def _tensor(self, name: str, asked: ModelInput) -> Tensor:
        assert self.model is not None
        named = {**dict(self.model.named_buffers()), **dict(self.model.named_parameters()), **asked.shared}
        if name not in named:
            raise unknown("parameter, buffer or shared argument", name, named)
        tensor = named[name]
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            raise InputError(f"{name!r} is no floating tensor; wanted edge weights.")
        return tensor

    def _edges_in(self, tensor: Tensor, name: str, nodes: int) -> _Edges:
        assert self.model is not None
        if self.edges is not None and tensor.shape == (len(self.edges),):
            source, target = self.edges.to(tensor.device).unbind(1)
            return _Edges((torch.arange(len(source), device=tensor.device),), source, target, torch.zeros_like(source))
        holder = name.rpartition(".")[0]
        if self.edges is None and isinstance(layer := dict(self.model.named_modules()).get(holder), _Convolution):
            return _edges_of(layer)
        if tensor.ndim not in (2, 3) or tensor.shape[-2:] != (nodes, nodes):
            raise InputError(
                f"{name!r} has shape {tuple(tensor.shape)}; wanted [{nodes}, {nodes}] or "
                f"[relations, {nodes}, {nodes}], or [E] together with `edges` [E, 2]."
            )
        entries = tensor.nonzero(as_tuple=True)
        source, target = entries[-2:] if self.ends == "source target" else entries[-2:][::-1]
        return _Edges(entries, source, target, entries[0] if tensor.ndim == 3 else torch.zeros_like(source))


def _edges_of(layer: _Convolution) -> _Edges:
    """The edges of a tensor ``[E]`` of one of the package's convolutions."""
    entries = (torch.arange(len(layer.topology), device=layer.adjacency.device),)
    source, target = layer.topology.tensors(layer.adjacency.device)
    if isinstance(layer, RelationConvolution):
        nodes = layer.topology.targets
        return _Edges(entries, source % nodes, target, source // nodes)
    relations = layer.relations if isinstance(layer, GraphConvolution) else 1
    return _Edges(entries, source, target // relations, target % relations)


def _importance_slopes(layer: GraphConvolution, x: Tensor, slopes: Tensor) -> Tensor:
    """The slopes dy / dQ of a graph convolution, for each sample by itself.

    As y[n] = sum over e = (v -> n) of a[e] Q[e] (W_k x[v] + b_k), with g the slope of the score at the output:

        dy / dQ[e] = a[e] sum over instances and frames of  g[n] . (W_k x[v] + b_k)

    Args:
        layer: the convolution.
        x: what arrived, ``[B, M, T, N, C]``.
        slopes: g, ``[B, M, T, N, C']``.

    Returns:
        ``[B, E]``.
    """
    source, node, relation = _edges_of(layer)[1:]
    found = x.new_empty(len(x), len(source))
    for k in range(layer.relations):
        back = torch.einsum("bmtno,oc->bmtnc", slopes, layer.weight[:, :, k, 0])
        bias = torch.einsum("bmtno,o->bn", slopes, layer.bias[:, k])
        # As many edges at a time as there are nodes: no more memory than the features themselves take.
        for part in torch.split((relation == k).nonzero()[:, 0], x.shape[3]):
            met = torch.einsum("bmtec,bmtec->be", x[:, :, :, source[part]], back[:, :, :, node[part]])
            found[:, part] = met + bias[:, node[part]]
    return found * layer.adjacency.to(found.dtype)


@contextmanager
def _arriving(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, list[Tensor]]]:
    """Keeps what enters layers, call by call: copies, as the layer or what follows may work in place."""
    kept: dict[str, list[Tensor]] = {name: [] for name in layers}
    handles = [
        layer.register_forward_pre_hook(lambda _, given, name=name: kept[name].append(given[0].detach().clone()))
        for name, layer in layers.items()
    ]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()
