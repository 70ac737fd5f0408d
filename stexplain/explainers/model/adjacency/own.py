"""The graph convolutions of this package, whose axes need not be measured: memory ``[N, (b m), T, C]``."""

from collections.abc import Callable

from torch import Tensor

from stexplain.explainers.model.adjacency.contraction import Contraction
from stexplain.explainers.model.adjacency.events import Event
from stexplain.explainers.model.adjacency.roles import Atom, MessageRoles
from stexplain.nn.graph_convolution import ChebyshevConvolution, GraphConvolution, RelationConvolution

OWN = (GraphConvolution, RelationConvolution, ChebyshevConvolution)


def own_roles(event: Event, instances: int) -> MessageRoles | None:
    """The roles of the axes of messages in one of the package's convolutions; none elsewhere.

    Args:
        event: a sum of messages.
        instances: M.
    """
    layer = event.module
    # A sum of weights, [targets], is no sum of messages.
    if isinstance(event.form, Contraction) or not isinstance(layer, OWN) or event.out.ndim != 2:
        return None
    nodes, rows, frames, _ = event.entered
    targets, width = event.out.shape
    node = Atom("n", nodes)
    rest = (
        Atom("b", rows // instances),
        Atom("m", instances),
        Atom("t", frames),
        Atom("", width // rows // frames),
    )
    source: tuple[Atom, ...] = (node,)
    # Relations are part of the topology's numbers: relation * N + node, or node * K + relation.
    if isinstance(layer, RelationConvolution):
        source = (Atom("", len(layer.weight)), node)
    target = (node, Atom("", targets // nodes)) if isinstance(layer, GraphConvolution) else (node,)
    return MessageRoles(source, target, rest)


def own_view(roles: MessageRoles) -> Callable[[Tensor], Tensor]:
    """Unfolds the axes of such a sum, so that frames need not be found in a fold."""
    sizes = [atom.size for atom in (*roles.target, *roles.rest)]
    return lambda tensor: tensor.reshape(sizes)
