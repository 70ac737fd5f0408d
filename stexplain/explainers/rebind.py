"""The same explainer for another model of the same structure: a copy, or one over renumbered nodes."""

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.explainers.explainer import Explainer
from stexplain.explainers.model.inspection import model_attribute
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN

MakeExplainer = Callable[[nn.Module], Explainer]


def with_model(explainer: Explainer, model: nn.Module) -> Explainer:
    """A copy of an explainer, with all its options, that explains another model of the same structure.

    Layers and wrapped explainers follow. Options that name nodes by index stay as they are: name nodes by name.

    Args:
        explainer: its model has the modules of `model`, in the same order.
        model: the other.

    Example:
        >>> from stexplain.explainers.methods.gradient.input_gradient import InputGradient
        >>> one, other = nn.Linear(2, 1), nn.Linear(2, 1)
        >>> with_model(InputGradient(one, reduce="sum"), other).reduce
        'sum'
    """
    # deepcopy takes what `memo` holds for an id in place of a copy: so each module becomes its counterpart.
    memo: dict[int, Any] = {}
    if explainer._recipe_model is not None:
        pairs = zip(explainer._recipe_model.modules(), model.modules(), strict=True)
        memo = {id(module): counterpart for module, counterpart in pairs}
    graph = model_attribute(model, "graph", STGraph)
    _memoise(explainer, graph, memo)
    return deepcopy(explainer, memo)


def _memoise(explainer: Explainer, graph: STGraph | None, memo: dict[int, Any]) -> None:
    """Enters into `memo` what replaces the parts of an explainer that cannot, or must not, be copied."""
    # The copy is in no `with` block yet.
    memo[id(explainer._frozen_blocks)] = []
    memo[id(explainer._working_copy)] = None
    if explainer.graph is not None and graph is not None:
        memo[id(explainer.graph)] = graph
    for value in vars(explainer).values():
        if isinstance(value, ModuleType):
            # Python modules, such as captum.attr, cannot be copied.
            memo[id(value)] = value
        elif isinstance(value, Explainer):
            _memoise(value, graph, memo)


def renumbered(model: nn.Module, order: Sequence[int]) -> nn.Module | None:
    """The same STGCN over its graph with the nodes in another order; none for any other model.

    Args:
        model: any.
        order: node i of the result is node ``order[i]`` of the model.

    Example:
        >>> graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")], center="b")
        >>> model = STGCN(graph, classes=2, channels=(4,), strides=(1,)).eval()
        >>> x = torch.randn(1, 1, 6, 3, 3)
        >>> torch.allclose(renumbered(model, [2, 0, 1])(x[..., [2, 0, 1], :]), model(x), atol=1e-5)
        True
    """
    # "given" relations are a checkpoint's own adjacency, which does not follow from the graph.
    if type(model) is not STGCN or model.hyperparameters["relations"] == "given":
        return None
    other = STGCN(model.graph.permute(order), classes=model.classes, **model.hyperparameters)
    state = dict(model.state_dict())
    edges = _corresponding_edges(model, other, order)
    for name, value in state.items():
        if name.startswith("data_norm.") and value.ndim:
            # The data batch norm has a channel per node and input channel, [N * C], node by node.
            state[name] = value.view(len(order), -1)[list(order)].flatten()
        elif name.endswith(".importance"):
            state[name] = value[edges]
    other.load_state_dict(state)
    other.class_names, other.recipe = model.class_names, model.recipe
    first = next(model.parameters())
    return other.to(first.device, first.dtype).train(model.training)


def _corresponding_edges(model: STGCN, other: STGCN, order: Sequence[int]) -> Tensor:
    """For every edge of the renumbered model's relations, the index of that edge in the model's, ``[E]``."""
    index: dict[tuple[int, int, int], int] = {}
    for k, (sources, targets) in enumerate(zip(model.relations.source, model.relations.target, strict=True)):
        for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
            # Edges are numbered relation by relation, as the importance [E] lists them.
            index[k, source, target] = len(index)
    relations = other.relations
    return torch.tensor(
        [
            index[k, order[source], order[target]]
            for k, (sources, targets) in enumerate(zip(relations.source, relations.target, strict=True))
            for source, target in zip(sources.tolist(), targets.tolist(), strict=True)
        ],
        device="cpu",
    )


def in_chunks(explainer: Explainer, chunk: int | None) -> Explainer:
    """The same explainer, on the same model, that works on so many samples at a time."""
    other = copy(explainer)
    # A shallow copy would share the stack of open blocks, and what is said about a call.
    other._frozen_blocks, other._notes = [], []
    other.chunk = chunk
    return other
