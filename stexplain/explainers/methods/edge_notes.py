"""What passes between nodes beside the edges that are explained, whichever way they are."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from stexplain.backend.dgl import dgl_installed, import_dgl
from stexplain.errors import InputError
from stexplain.explainers.methods.edge_weights import Ends, edges_in, weight_tensor
from stexplain.explainers.model.adjacency.events import Event, Key, Site
from stexplain.explainers.model.adjacency.listing import Listing, Mixing
from stexplain.explainers.model.adjacency.own import own_roles
from stexplain.explainers.model.adjacency.recorder import Recorder
from stexplain.explainers.model.adjacency.roles import MessageRoles, ProductRoles
from stexplain.explainers.model.adjacency.unfollowed.find import find_unfollowed
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import ModelInput


def beside_operations(mixings: Sequence[Mixing], chosen: bool) -> list[str]:
    """What the operations that were found leave out.

    Args:
        mixings: all that were found.
        chosen: whether some were named: others are left out by choice then, but not what has no edges at all.
    """
    return [f"{each.name}: {each.why}" for each in mixings if each.why and not (chosen and each.calls)]


def beside_learned(mixings: Sequence[Mixing], convolutions: Collection[str]) -> list[str]:
    """What mixes nodes beside the graph convolutions that learn an importance of their edges.

    Args:
        mixings: all that were found.
        convolutions: the names of those layers.
    """
    others = [each for each in mixings if each.site.module not in convolutions]
    return [f"{each.name}: {each.why or 'it learns no importance of its edges; name it in `of`'}" for each in others]


def beside_convolutions(caller: ModelCaller, model_input: ModelInput) -> list[str]:
    """What passes between nodes beside this package's graph convolutions, whose axes need not be measured."""
    assert caller.model is not None
    if dgl_installed():
        # It is imported at its first use: the function to be watched must be there before.
        import_dgl()
    roles: dict[Key, ProductRoles | MessageRoles] = {}

    def track(event: Event) -> Tensor:
        if (own := own_roles(event, model_input.sizes["m"])) is not None:
            roles[event.key] = own
        return event.tensor

    try:
        with Recorder(caller.model, model_input.sizes["n"], track, signals=caller.argument), torch.no_grad():
            caller._forward(model_input)
    except InputError as error:
        return [f"elsewhere: whether values pass between nodes there could not be measured: {error}"]
    return _measured(caller, model_input, roles, ())


def beside_weights(
    caller: ModelCaller,
    model_input: ModelInput,
    listing: Listing,
    names: Sequence[str],
    ends: Ends,
    edges: Tensor | None,
) -> list[str]:
    """What passes between nodes without these tensors of weights: they keep their self loops only, meanwhile.

    Args:
        caller: of the model.
        model_input: samples.
        listing: of the model.
        names: of the tensors.
        ends: see `edges_in`.
        edges: see `edges_in`.
    """
    roles = {key: call.roles for each in listing.mixings for key, call in each.calls.items() if call.roles is not None}
    listed = {each.site for each in listing.mixings if each.why and each.calls}
    with _without_edges(caller, model_input, names, ends, edges) as without:
        return _measured(caller, without, roles, listed)


def _measured(
    caller: ModelCaller,
    model_input: ModelInput,
    roles: Mapping[Key, ProductRoles | MessageRoles],
    listed: Collection[Site],
) -> list[str]:
    found, _ = find_unfollowed(caller, model_input, roles, listed)
    return [f"{each.site.where}: {each.why}" for each in found if not each.followed]


@contextmanager
def _without_edges(
    caller: ModelCaller, model_input: ModelInput, names: Sequence[str], ends: Ends, edges: Tensor | None
) -> Iterator[ModelInput]:
    shared, saved = dict(model_input.shared), []
    try:
        for name in names:
            tensor = weight_tensor(caller, name, model_input)
            found = edges_in(caller, tensor, name, model_input.sizes["n"], ends, edges)
            between = found.source != found.target
            emptied = tensor.detach().clone()
            emptied[tuple(places[between] for places in found.entries)] = 0
            if tensor.ndim > 1:
                # That every node's own values go on.
                own = emptied.diagonal(0, -2, -1)
                own[own == 0] = 1
            if name in shared:
                shared[name] = emptied
            else:
                saved.append((tensor, tensor.data))
                # By `.data`: the tensor stays the same object, whoever else holds it.
                tensor.data = emptied
        yield replace(model_input, shared=shared)
    finally:
        for tensor, data in saved:
            tensor.data = data
