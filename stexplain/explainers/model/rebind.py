"""The same explainer for another model of the same structure: a copy, or one over renumbered nodes."""

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.explainers.explainer import Explainer, model_attribute
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN

MakeExplainer = Callable[[nn.Module], Explainer]


def with_model(explainer: Explainer, model: nn.Module) -> Explainer:
    """A copy of an explainer, with all its options, that explains another model of the same structure.

    Layers and wrapped explainers follow. Options that name nodes by index stay as they are: name nodes by name.

    Args:
        explainer: whose model has the modules of `model`, in the same order.
        model: the other.

    Example:
        >>> from stexplain.explainers.methods.gradient.input_gradient import InputGradient
        >>> one, other = nn.Linear(2, 1), nn.Linear(2, 1)
        >>> with_model(InputGradient(one, reduce="sum"), other).reduce
        'sum'
    """
    memo: dict[int, Any] = {}
    if explainer._trained is not None:
        pairs = zip(explainer._trained.modules(), model.modules(), strict=True)
        memo = {id(here): there for here, there in pairs}
    graph = model_attribute(model, "graph", STGraph)
    _keep(explainer, graph, memo)
    return deepcopy(explainer, memo)


def _keep(explainer: Explainer, graph: STGraph | None, memo: dict[int, Any]) -> None:
    """Enters what a copy of an explainer shall hold in the place of what cannot, or shall not, be copied."""
    memo[id(explainer._holds)] = []
    if explainer.graph is not None and graph is not None:
        memo[id(explainer.graph)] = graph
    for value in vars(explainer).values():
        if isinstance(value, ModuleType):
            memo[id(value)] = value
        elif isinstance(value, Explainer):
            _keep(value, graph, memo)


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
    if type(model) is not STGCN or model.hyperparameters["relations"] == "given":
        return None
    other = STGCN(model.graph.permute(order), classes=model.classes, **model.hyperparameters)
    state = dict(model.state_dict())
    edges = _same_edges(model, other, order)
    for name, value in state.items():
        if name.startswith("data_norm.") and value.ndim:
            state[name] = value.view(len(order), -1)[list(order)].flatten()
        elif name.endswith(".importance"):
            state[name] = value[edges]
    other.load_state_dict(state)
    other.class_names, other.recipe = model.class_names, model.recipe
    first = next(model.parameters())
    return other.to(first.device, first.dtype).train(model.training)


def _same_edges(model: STGCN, other: STGCN, order: Sequence[int]) -> Tensor:
    """For every edge of the renumbered model's relations, which edge of the model's it is, ``[E]``."""
    here: dict[tuple[int, int, int], int] = {}
    for k, (sources, targets) in enumerate(zip(model.relations.source, model.relations.target, strict=True)):
        for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
            here[k, source, target] = len(here)
    there = other.relations
    return torch.tensor(
        [
            here[k, order[source], order[target]]
            for k, (sources, targets) in enumerate(zip(there.source, there.target, strict=True))
            for source, target in zip(sources.tolist(), targets.tolist(), strict=True)
        ]
    )


def in_chunks(explainer: Explainer, chunk: int | None) -> Explainer:
    """The same explainer, on the same model, that works on so many samples at a time."""
    other = copy(explainer)
    other._holds = []
    other.chunk = chunk
    return other
