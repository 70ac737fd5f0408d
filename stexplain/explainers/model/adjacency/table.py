"""A table of what mixes nodes in a model."""

from collections.abc import Mapping
from typing import Any, Unpack

import pandas as pd
from torch import nn

from stexplain.checking import checked
from stexplain.explainers.arguments import refuse_of_forward
from stexplain.explainers.model.adjacency.listing import find_mixings
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import Signals
from stexplain.explainers.model.options import CallOptions


@checked
def adjacencies(
    model: nn.Module,
    x: Signals,
    *,
    valid: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    observed: Any = None,
    **options: Unpack[CallOptions],
) -> pd.DataFrame:
    """Lists what mixes nodes in a forward pass of a model, whose edges `EdgeImportance` explains.

    The operations of a forward pass are watched: products with an operand that swaps the axis of the nodes for another
    one of them (`@`, einsum, linear, sparse products, attention), rows that are gathered and summed at their targets
    (PyTorch Geometric), sums of messages by DGL. Which axis is which is measured on copies of one sample, each
    changed in one thing; what cannot be found is listed with the reason. Other ways to mix nodes, such as a loop over
    them, a shift or a convolution along their axis, or a mean over them that goes on, are measured: nothing passes
    between nodes by what is listed, and half of the nodes is changed, then the other half. The first step where values
    pass all the same is listed, with the reason and without edges, and so is each normalisation over the nodes.

    Args:
        model: any module.
        x: samples; one of them is used.
        valid: as for `Explainer.__call__`.
        shared: as for `Explainer.__call__`.
        per_sample: as for `Explainer.__call__`.
        observed: as for `Explainer.__call__`: NaN is allowed where it is false, and goes to the model as zero.
        **options: how the model is called; see `ModelCaller`.

    Returns:
        A row for each, in the order in which they run, with the columns

        - ``name``: of the parameter, buffer, attribute or argument; of a computed one the module and operation;
        - ``kind``: parameter, buffer, attribute, argument or computed;
        - ``shape``, ``axes``: of the weights, for one sample; ``edge`` for a list of edges;
        - ``per_sample``, ``per_frame``: whether they differ between samples, between frames;
        - ``relations``: how many are stacked;
        - ``edges``: how many weights are not zero, of all relations;
        - ``calls``: how often it runs in a forward pass;
        - ``where``: the module and the operation;
        - ``why``: the reason why its edges cannot be explained, where they cannot.

        ``attrs["inferences"]`` says how many samples went through the model: 47 to 94 for small
        architectures.

    Raises:
        InputError: where there is one node only, or the model does not run on the samples.

    Example:
        >>> import torch
        >>> class Mixes(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.register_buffer("road", torch.eye(5))
        ...     def forward(self, x):
        ...         return torch.einsum("btn,nm->btm", x, self.road)
        >>> table = adjacencies(Mixes(), torch.randn(2, 6, 5), inputs="b t n")
        >>> table[["name", "kind", "shape", "axes", "edges"]].values.tolist()
        [['road', 'buffer', (5, 5), 'source target', 5]]
    """
    refuse_of_forward(model, [name for name in options if name not in CallOptions.__annotations__])
    caller = ModelCaller(model, **options)
    with caller._model_frozen():
        listing = find_mixings(caller, caller._prepare(x, valid, shared, per_sample, observed=observed))
    columns: dict[str, list[Any]] = {
        "name": [mixing.name for mixing in listing.mixings],
        "kind": [mixing.kind for mixing in listing.mixings],
        "shape": [mixing.shape for mixing in listing.mixings],
        "axes": [mixing.axes for mixing in listing.mixings],
        "per_sample": [mixing.per_sample for mixing in listing.mixings],
        "per_frame": [mixing.per_frame for mixing in listing.mixings],
        "relations": [mixing.relations for mixing in listing.mixings],
        "edges": [mixing.edges for mixing in listing.mixings],
        "calls": [len(mixing.calls) for mixing in listing.mixings],
        "where": [mixing.site.where for mixing in listing.mixings],
        "why": [mixing.why for mixing in listing.mixings],
    }
    table = pd.DataFrame(columns)
    table.attrs["inferences"] = listing.inferences
    return table
