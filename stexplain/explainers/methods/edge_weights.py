"""Gradient x edge weight: of the importance that this package's convolutions learn, and of a model's own tensors."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.errors import InputError, unknown
from stexplain.explainers.model.activations import capture_activations, capture_inputs
from stexplain.explainers.model.caller import ModelCaller, ScoreFn
from stexplain.explainers.model.gradients import gradients
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.target import Scores
from stexplain.nn.graph_convolution import ChebyshevConvolution, GraphConvolution, RelationConvolution

Ends = Literal["source target", "target source"]
_Convolution = GraphConvolution | RelationConvolution | ChebyshevConvolution


class WeightEdges(NamedTuple):
    """The edges of one tensor of weights: which entries they are, and the source, target and relation of each."""

    entries: tuple[Tensor, ...]
    source: Tensor
    target: Tensor
    relation: Tensor


def learned_importance(
    caller: ModelCaller,
    convolutions: Mapping[str, GraphConvolution],
    layout: Layout,
    model_input: ModelInput,
    score_fn: ScoreFn,
) -> tuple[dict[str, Tensor], dict[str, Tensor], Scores]:
    """Gradient x edge importance of the package's convolutions, for all samples by one backward pass.

    Args:
        caller: of the model.
        convolutions: by name.
        layout: of their input and output.
        model_input: the samples.
        score_fn: of the target.

    Returns:
        By name, values ``[B, E]``, and the same at each frame, ``[B, T', E]``; and the scores.

    Raises:
        InputError: where the target does not depend on any of them.
    """
    with (
        capture_activations(convolutions, gradient=True) as activations,
        capture_inputs(convolutions) as inputs,
    ):
        scores = score_fn(caller._forward(model_input))
    outputs = {name: activations.calls(name) for name in convolutions}
    (at_outputs,) = gradients([scores.scores], [output for calls in outputs.values() for output in calls])
    if all(gradient is None for gradient in at_outputs):
        raise InputError("the target does not depend on any graph convolution in a differentiable way.")
    known = {axis: model_input.sizes[axis] for axis in "bmn"}
    next_gradient = iter(at_outputs)
    values, over_time = {}, {}
    for name, layer in convolutions.items():
        total = model_input.x.new_zeros(model_input.sizes["b"], len(layer.topology))
        by_frame: Tensor | None = None
        # A layer may run more than once: dy / dQ is the sum over its calls.
        for x in inputs[name]:
            gradient = next(next_gradient)
            if gradient is not None:
                at_input = layout.to_batch(x, **known)
                at_output = layout.to_batch(gradient, **known)
                total += _importance_gradients(layer, at_input, at_output)
                part = _importance_gradients(layer, at_input, at_output, by_frame=True)
                # Calls on clips of other lengths have no frames in common.
                fits = by_frame is None or by_frame.shape == part.shape
                by_frame = part if by_frame is None else by_frame + part if fits else None
        values[name] = total * layer.importance.detach()
        if by_frame is not None:
            over_time[name] = by_frame * layer.importance.detach()
    return values, over_time, scores


def gradient_times_weight(
    caller: ModelCaller,
    names: list[str],
    model_input: ModelInput,
    score_fn: ScoreFn,
    ends: Ends,
    edges: Tensor | None,
) -> tuple[dict[str, Tensor], Scores]:
    """Gradient x tensor of tensors that the model holds, or is given, for one sample.

    Args:
        caller: of the model.
        names: of parameters, buffers or shared arguments.
        model_input: one sample: gradients at a shared tensor are sums over samples.
        score_fn: of the target.
        ends: which axis of a dense tensor is which.
        edges: source and target of the edges of tensors ``[E]``, ``[E, 2]``.

    Returns:
        By name, values ``[1, E]``; and the scores.

    Raises:
        InputError: where a name does not exist, or the target does not depend on it.
    """
    # The model is frozen, so copies take the place of its tensors, and gradients are taken at them.
    leaves = {name: weight_tensor(caller, name, model_input).detach().clone().requires_grad_() for name in names}
    substitutes = {name: leaf for name, leaf in leaves.items() if name not in model_input.shared}
    arguments = {name: leaf for name, leaf in leaves.items() if name in model_input.shared}
    with_leaves = replace(model_input, shared={**model_input.shared, **arguments})
    scores = score_fn(caller._forward(with_leaves, substitutes=substitutes))
    (at_leaves,) = gradients([scores.scores], list(leaves.values()))
    values = {}
    for (name, leaf), gradient in zip(leaves.items(), at_leaves, strict=True):
        if gradient is None:
            raise InputError(f"the target does not depend on {name!r} in a differentiable way.")
        entries = edges_in(caller, leaf.detach(), name, model_input.sizes["n"], ends, edges).entries
        values[name] = (gradient * leaf.detach())[entries][None]
    return values, scores


def weight_tensor(caller: ModelCaller, name: str, model_input: ModelInput) -> Tensor:
    """The parameter, buffer or shared argument of a name.

    Raises:
        InputError: where there is none, with the nearest name, or it is not floating.
    """
    assert caller.model is not None
    named = {**dict(caller.model.named_buffers()), **dict(caller.model.named_parameters()), **model_input.shared}
    if name not in named:
        raise unknown("parameter, buffer or shared argument", name, named)
    tensor = named[name]
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        raise InputError(f"of: {name!r} is not a floating tensor; expected edge weights.")
    return tensor


def edges_in(
    caller: ModelCaller, tensor: Tensor, name: str, nodes: int, ends: Ends, edges: Tensor | None
) -> WeightEdges:
    """Which edges a named tensor of weights holds; see `gradient_times_weight`.

    Raises:
        InputError: where its shape is not that of edges.
    """
    assert caller.model is not None
    if edges is not None and tensor.shape == (len(edges),):
        source, target = edges.to(tensor.device).unbind(1)
        return WeightEdges((torch.arange(len(source), device=tensor.device),), source, target, torch.zeros_like(source))
    # A tensor [E] of one of the package's convolutions: the module that holds it knows its edges.
    holder = name.rpartition(".")[0]
    if edges is None and isinstance(layer := dict(caller.model.named_modules()).get(holder), _Convolution):
        return edges_of_layer(layer)
    if tensor.ndim not in (2, 3) or tensor.shape[-2:] != (nodes, nodes):
        raise InputError(
            f"of: {name!r} has shape {tuple(tensor.shape)}; expected [{nodes}, {nodes}] or "
            f"[relations, {nodes}, {nodes}], or [E] together with `edges` [E, 2]."
        )
    entries = tensor.nonzero(as_tuple=True)
    source, target = entries[-2:] if ends == "source target" else entries[-2:][::-1]
    return WeightEdges(entries, source, target, entries[0] if tensor.ndim == 3 else torch.zeros_like(source))


def edges_of_layer(layer: nn.Module) -> WeightEdges:
    """The edges of a tensor ``[E]`` of one of the package's convolutions."""
    assert isinstance(layer, _Convolution)
    entries = (torch.arange(len(layer.topology), device=layer.adjacency.device),)
    source, target = layer.topology.tensors(layer.adjacency.device)
    # Relations are part of the topology's node numbers: a source is relation * N + node in a RelationConvolution, a
    # target is node * K + relation in a GraphConvolution.
    if isinstance(layer, RelationConvolution):
        nodes = layer.topology.targets
        return WeightEdges(entries, source % nodes, target, source // nodes)
    relations = layer.relations if isinstance(layer, GraphConvolution) else 1
    return WeightEdges(entries, source, target // relations, target % relations)


def _importance_gradients(layer: GraphConvolution, x: Tensor, at_output: Tensor, by_frame: bool = False) -> Tensor:
    """The gradients dy / dQ of a graph convolution, for each sample by itself.

    As y[n] = sum over e = (v -> n) of a[e] Q[e] (W_k x[v] + b_k), with g the gradient of the score at the output:

        dy / dQ[e] = a[e] sum over instances and frames of  g[n] . (W_k x[v] + b_k)

    Args:
        layer: the convolution.
        x: its input, ``[B, M, T, N, C]``.
        at_output: g, ``[B, M, T, N, C']``.
        by_frame: whether frames are not summed.

    Returns:
        ``[B, E]``, or ``[B, T, E]`` by frame.
    """
    _, source, node, relation = edges_of_layer(layer)
    kept = "bt" if by_frame else "b"
    at_importance = x.new_empty(len(x), *[x.shape[2]] * by_frame, len(source))
    for k in range(layer.relations):
        # g . W_k x = (W_k^T g) . x: mixing channels once per node rather than once per edge.
        at_input = torch.einsum("bmtno,oc->bmtnc", at_output, layer.weight[:, :, k, 0])
        bias = torch.einsum(f"bmtno,o->{kept}n", at_output, layer.bias[:, k])
        # As many edges at a time as there are nodes: no more memory than the features themselves take.
        for part in torch.split((relation == k).nonzero()[:, 0], x.shape[3]):
            products = torch.einsum(f"bmtec,bmtec->{kept}e", x[:, :, :, source[part]], at_input[:, :, :, node[part]])
            at_importance[..., part] = products + bias[..., node[part]]
    return at_importance * layer.adjacency.to(at_importance.dtype)
