"""Edge importance: which edges the score rests on, and when: its gradient times the message that goes over each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.checking import checked_kept
from stexplain.errors import InputError, unknown
from stexplain.explainers.edge_explanation import EdgeExplanation, EdgeFrames
from stexplain.explainers.methods.edge_messages import BlockEdges, explained_mixings, joined
from stexplain.explainers.methods.edge_notes import (
    beside_convolutions,
    beside_learned,
    beside_operations,
    beside_weights,
)
from stexplain.explainers.methods.edge_weights import (
    Ends,
    edges_in,
    edges_of_layer,
    gradient_times_weight,
    learned_importance,
    weight_tensor,
)
from stexplain.explainers.model.adjacency.listing import Listing, Mixing, find_mixings
from stexplain.explainers.model.adjacency.unfollowed.by_size import note_of
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.describe import described
from stexplain.explainers.model.inspection import model_attribute
from stexplain.explainers.model.model_input import ModelInput, Signals
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.output_layout import with_output_layout
from stexplain.explainers.results.made_by import made_by
from stexplain.explainers.target import Target, TargetLike
from stexplain.explainers.targets import as_target
from stexplain.graph import Relations
from stexplain.nn.graph_convolution import GraphConvolution


@checked_kept
class EdgeImportance(ModelCaller):
    """The score's gradient times the message that goes over an edge.

    Where a model mixes nodes by an adjacency A, out[b, t, v] = sum over u of A[u, v] x[b, t, u], the message over the
    edge (u, v) at frame t is A[u, v] x[b, t, u], and with y the score of the target,

        I[b, t, u, v] = sum over channels of  dy / dout[b, t, v]  A[u, v]  x[b, t, u]

    It is what y loses, to first order, when this one message is left out: exactly, where y is linear in out. All that
    mixes nodes is found in a forward pass, and listed by `adjacencies`: parameters, buffers, tensors in lists,
    arguments, adjacencies that are computed in the forward pass (adaptive ones, attention), sparse ones, gather and
    scatter along an `edge_index`, DGL's message passing. Samples go one at a time: as many passes as samples.

    For the graph convolutions of this package that learn an importance Q of their edges it is, summed over frames,
    gradient x edge weight: the dominant structure of the graph in Das & Ortega (ICASSP 2022), for all samples by one
    forward and one backward pass,

        I[b, l, k, e] = dy[b] / dQ[l, k, e]  Q[l, k, e]      of edge e in block l and relation k

    Where y is homogeneous of degree one in a block's Q (no biases behind it and no path around it), the block's I sum
    to y.

    Where values pass between nodes over none of these edges, `notes` says so. It is measured once for each kind of
    input.

    Args:
        model: any module; see `STGGradCAM`.
        of: names of what `adjacencies` lists; or of parameters, buffers, or arguments in `shared`, that hold edge
            weights, whose importance is gradient x weight, summed over frames: dense, ``[N, N]`` or ``[K, N, N]``,
            with the entries that are not zero as edges; or ``[E]``, of a graph convolution of this package or with
            `edges`. Default: the edge importance of all graph convolutions of this package that learn one; of models
            without any, all that `adjacencies` lists.
        ends: which axis of a dense tensor of weights is which: ``"source target"`` (out[w] = sum over v of A[v, w]
            x[v], as in ST-GCN) or ``"target source"`` (A x). Where it is given, names in `of` are of tensors of
            weights.
        edges: source and target of the edges of tensors of weights ``[E]``, ``[E, 2]``, int.
        layout: of the input and output of the package's graph convolutions; default: `model.layout`.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: where nothing mixes nodes, a name does not exist, or a shape is not that of edges.

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
        >>> e.to_frame().columns.tolist()
        ['sample', 'frame', 'source', 'target', 'importance', 'block', 'relation']
    """

    def __init__(
        self,
        model: nn.Module,
        of: str | Sequence[str] | None = None,
        *,
        ends: Ends | None = None,
        edges: ArrayLike | None = None,
        layout: str | None = None,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        if ends not in (None, "source target", "target source"):
            raise unknown("order of ends", ends, ["source target", "target source"])
        self.of = [of] if isinstance(of, str) else list(of or [])
        self.ends = ends
        self.edges = None if edges is None else torch.as_tensor(np.asarray(edges), dtype=torch.int64, device="cpu")
        if self.edges is not None and (self.edges.ndim != 2 or self.edges.shape[1] != 2):
            raise InputError(f"edges has shape {tuple(self.edges.shape)}; expected [E, 2]: source and target of each.")
        assert self.model is not None
        # Only this kind learns an importance Q of its edges.
        self._convolutions = {
            name: module for name, module in self.model.named_modules() if isinstance(module, GraphConvolution)
        }
        pattern = layout or model_attribute(self.model, "layout", str)
        self._listings: dict[Any, Listing] = {}
        self._beside: dict[Any, list[str]] = {}
        self.layout = None if pattern is None else Layout(pattern)

    def __repr__(self) -> str:
        return described(self)

    def __call__(
        self,
        x: Signals,
        *,
        target: TargetLike | None = None,
        valid: Any = None,
        observed: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
        ids: Sequence[Any] | None = None,
    ) -> EdgeExplanation:
        """Explains samples; see `Explainer.__call__` for the arguments.

        Raises:
            InputError: where a shape, a name or a value does not fit, or the target does not depend on the edges.
        """
        one_target = as_target(target)
        with self._model_frozen():
            model_input = self._prepare(x, valid, shared, per_sample, ids, observed)
            (one_target,) = with_output_layout(self, model_input, [one_target])
            learned = [f"{name}.importance" for name in self._convolutions]
            if self._convolutions and self.layout is not None and set(self.of).issubset(learned):
                return self._of_convolutions(model_input, one_target, self.layout)
            weights = self._weight_names(model_input)
            if weights:
                return self._of_weights(model_input, one_target, weights)
            return self._of_mixings(model_input, one_target)

    def _weight_names(self, model_input: ModelInput) -> list[str]:
        """The names in `of` where they are of tensors of weights, whose gradients are taken; else none."""
        if not self.of or self.ends is not None or self.edges is not None:
            return self.of
        listed = {mixing.name for mixing in self._listing(model_input).mixings}
        return [] if listed.issuperset(self.of) else self.of

    def _listing(self, model_input: ModelInput) -> Listing:
        """What mixes nodes in the model, measured once for each kind of input."""
        key = _kind(model_input)
        if key not in self._listings:
            self._listings[key] = find_mixings(self, model_input)
        return self._listings[key]

    def _of_convolutions(self, model_input: ModelInput, target: Target, layout: Layout) -> EdgeExplanation:
        names = [name.removesuffix(".importance") for name in self.of] or list(self._convolutions)
        convolutions = {name: self._convolutions[name] for name in names}
        values, over_time, scores = [], [], []
        for chunk, (score_fn,) in self._chunks(model_input, [target]):
            chunk_values, chunk_times, chunk_scores = learned_importance(self, convolutions, layout, chunk, score_fn)
            values.append(torch.cat(list(chunk_values.values()), 1))
            over_time.append(chunk_times)
            scores.append(chunk_scores)
        blocks = []
        for name, layer in convolutions.items():
            of_layer = edges_of_layer(layer)
            parts = [times[name] for times in over_time if name in times]
            whole = len(parts) == len(over_time)
            frames = self._frames_of(name, model_input.sizes["t"], parts[0].shape[1]) if whole else None
            source, to, relation = (_array(each) for each in (of_layer.source, of_layer.target, of_layer.relation))
            by_frame = None if frames is None else torch.cat(parts).cpu().numpy()
            blocks.append(BlockEdges(name, source, to, relation, None, frames, by_frame))
        notes = self._kept_notes(model_input, "convolutions", lambda: self._beside_convolutions(model_input))
        return self._explanation(model_input, target, blocks, scores, torch.cat(values).cpu().numpy(), notes)

    def _beside_convolutions(self, model_input: ModelInput) -> list[str]:
        found = beside_convolutions(self, model_input)
        if not found or self.of:
            return found
        # Something is there: what it is, takes more passes to say.
        return beside_learned(self._listing(model_input).mixings, self._convolutions) or found

    def _kept_notes(self, model_input: ModelInput, which: str, measure: Callable[[], list[str]]) -> tuple[str, ...]:
        """What is not explained, as a note; measured once for each kind of input."""
        key = (which, *_kind(model_input))
        if key not in self._beside:
            self._beside[key] = measure()
        left = self._beside[key]
        return (f"Not explained: {'; '.join(left)}.",) if left else ()

    def _frames_of(self, layer: str, frames: int, positions: int) -> NDArray[np.float64] | None:
        """The frames of a layer's positions, of which the model tells the stride; none where they are not known."""
        assert self.model is not None
        stride_at, offset_at = (getattr(self.model, name, None) for name in ("stride_at", "offset_at"))
        # A block's own stride follows its graph convolution, and is a factor of the stride that the model tells. Where
        # convolutions are not padded, which an offset is for, the number of positions does not tell their stride.
        stride_of = stride_at if callable(stride_at) and not callable(offset_at) else None
        most = 1 if stride_of is None else int(stride_of(layer.rpartition(".")[0]))
        steps = [step for step in range(1, most + 1) if most % step == 0 and -(-frames // step) == positions]
        # Whatever the step, a single position is at the first frame. Of several steps that fit, none is taken unasked.
        known = len(steps) == 1 or (bool(steps) and positions == 1)
        return steps[0] * np.arange(positions, dtype=np.float64) if known else None

    def _of_weights(self, model_input: ModelInput, target: Target, names: list[str]) -> EdgeExplanation:
        ends = self.ends or "source target"
        values, scores, notes = [], [], []
        # Gradients at a named tensor are sums over the samples that share it: one sample at a time.
        for chunk, (score_fn,) in self._chunks(model_input, [target], chunk=1):
            of_names, chunk_scores = gradient_times_weight(self, names, chunk, score_fn, ends, self.edges)
            values.append(torch.cat(list(of_names.values()), 1))
            scores.append(chunk_scores)
        blocks = []
        for name in names:
            tensor = weight_tensor(self, name, model_input)
            found = edges_in(self, tensor, name, model_input.sizes["n"], ends, self.edges)
            source, to, relation = (_array(each) for each in (found.source, found.target, found.relation))
            blocks.append(BlockEdges(name, source, to, relation, None, None, None))
            if self.ends is None and tensor.ndim > 1:
                notes.append(f"Rows of {name} were taken for sources and columns for targets; `ends` says otherwise.")
        left = self._kept_notes(model_input, "weights", lambda: self._beside_weights(model_input, names, ends))
        values_of_all = torch.cat(values).cpu().numpy()
        return self._explanation(model_input, target, blocks, scores, values_of_all, (*notes, *left))

    def _beside_weights(self, model_input: ModelInput, names: list[str], ends: Ends) -> list[str]:
        try:
            listing = self._listing(model_input)
        except InputError as error:
            return [f"elsewhere: whether values pass between nodes there could not be measured: {error}"]
        return beside_weights(self, model_input, listing, names, ends, self.edges)

    def _of_mixings(self, model_input: ModelInput, target: Target) -> EdgeExplanation:
        listing = self._listing(model_input)
        mixings, chosen = listing.mixings, self._chosen(listing.mixings)
        # A model that takes its own number of samples only must not be given fewer.
        step = 1 if listing.one_by_one else model_input.sizes["b"] if listing.whole else None
        parts, scores = [], []
        for chunk, (score_fn,) in self._chunks(model_input, [target], chunk=step):
            of_mixings, chunk_scores = explained_mixings(self, chosen, chunk, score_fn)
            parts.append((chunk.sizes["b"], of_mixings))
            scores.append(chunk_scores)
        blocks = [joined(mixing.name, [(count, each[mixing.name]) for count, each in parts]) for mixing in chosen]
        left = beside_operations(mixings, chosen=bool(self.of))
        notes = [f"Not explained: {'; '.join(left)}."] if left else []
        if sized := [mixing.name for mixing in chosen if mixing.by_size]:
            notes.append(note_of(sized, model_input.sizes["n"]))
        unused = [block.name for block in blocks if not len(block.source)]
        if unused:
            notes.append(f"The target does not depend on what is mixed by {', '.join(unused)}.")
        return self._explanation(model_input, target, blocks, scores, None, tuple(notes))

    def _chosen(self, mixings: list[Mixing]) -> list[Mixing]:
        known = {mixing.name: mixing for mixing in mixings if not mixing.why}
        for name in self.of:
            for mixing in mixings:
                if mixing.name == name and mixing.why:
                    raise InputError(f"of: {name!r} cannot be explained: {mixing.why}.")
        if not known:
            why = "; ".join(f"{mixing.name}: {mixing.why}" for mixing in mixings)
            raise InputError(
                f"no operation of {type(self.model).__name__} was found that mixes nodes"
                f"{f', of which more is known ({why})' if why else ''}. "
                "Give `of`, the names of the parameters or buffers that hold edge weights."
            )
        return [known[name] for name in self.of] if self.of else list(known.values())

    def _explanation(
        self,
        model_input: ModelInput,
        target: Target,
        blocks: list[BlockEdges],
        scores: list[Any],
        values: NDArray[Any] | None,
        notes: tuple[str, ...] = (),
    ) -> EdgeExplanation:
        nodes = model_input.sizes["n"]
        names = tuple(map(str, range(nodes))) if self.graph is None else self.graph.nodes
        relations = None if self.of else model_attribute(self.model, "relations", Relations)
        if relations is not None and any(block.relation.max(initial=0) >= len(relations) for block in blocks):
            # The operations that were found are not those of the model's own relations.
            relations = None
        if values is None:
            values = np.concatenate([block.summed for block in blocks], 1)
        return EdgeExplanation(
            values=values,
            source=tuple(names[index] for block in blocks for index in block.source.tolist()),
            target=tuple(names[index] for block in blocks for index in block.target.tolist()),
            relation=tuple(
                str(index) if relations is None else relations.names[index]
                for block in blocks
                for index in block.relation.tolist()
            ),
            block=tuple(block.name for block in blocks for _ in block.source),
            score=torch.cat([each.scores.detach() for each in scores]).cpu().numpy().astype(np.float32),
            targets=torch.cat([each.classes for each in scores]).cpu().numpy(),
            explained=target.text(),
            ids=model_input.ids,
            node_names=names,
            over_time={
                block.name: EdgeFrames(block.frames, block.values.astype(np.float32))
                for block in blocks
                if block.frames is not None and block.values is not None
            },
            notes=notes,
            made_by=made_by(self),
        )


def _kind(model_input: ModelInput) -> tuple[Any, ...]:
    arguments = [*model_input.shared, *model_input.per_sample]
    return tuple(sorted(model_input.sizes.items())), model_input.x.dtype, tuple(sorted(arguments))


def _array(index: Tensor) -> NDArray[np.int64]:
    return index.cpu().numpy().astype(np.int64)
