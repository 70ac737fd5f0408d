"""Changes of what nodes send, brought to each node itself: what a followed operation lets through, without its edges.

The weights of its edges stay as they are, also those that are computed of the signals.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stexplain.explainers.model.adjacency.contraction import Contraction
from stexplain.explainers.model.adjacency.events import Event, Scatter
from stexplain.explainers.model.adjacency.roles import Atom, MessageRoles, ProductRoles


@dataclass(frozen=True)
class NodeAxis:
    """A tensor, and which of its axes holds the nodes.

    Attributes:
        tensor: any.
        axis: of it.
        atoms: that are folded into the axis.
    """

    tensor: Tensor
    axis: int
    atoms: tuple[Atom, ...]

    @property
    def fold(self) -> tuple[int, int]:
        """What the nodes are folded with, before and after them."""
        sizes = [atom.size for atom in self.atoms]
        place = self._place
        return int(torch.Size(sizes[:place]).numel()), int(torch.Size(sizes[place + 1 :]).numel())

    @property
    def _place(self) -> int:
        return next(place for place, atom in enumerate(self.atoms) if atom.letter == "n")

    def per_node(self, change: Tensor) -> Tensor:
        """One number per node, ``[N]``: a sum of the changes at it with weights, zero where nothing changed."""
        before, _ = self.fold
        moved = change.movedim(self.axis, 0).reshape(before, self.atoms[self._place].size, -1)
        weights = _weights(moved)
        return (moved * weights).sum((0, 2)).div(max(before * moved.shape[2], 1) ** 0.5)

    def spread(self, values: Tensor) -> Tensor:
        """Numbers of the nodes ``[N]`` over the shape of the tensor, weighted unlike at each position."""
        before, after = self.fold
        moved = self.tensor.movedim(self.axis, 0)
        folded = _weights(moved).reshape(before, len(values), after, -1) * values[None, :, None, None]
        return folded.reshape(moved.shape).movedim(0, self.axis)


def sent(event: Event, roles: ProductRoles | MessageRoles) -> NodeAxis | None:
    """What the nodes send; none where it is not known, as of features of edges alone."""
    form = event.form
    if isinstance(form, Contraction):
        assert isinstance(roles, ProductRoles)
        label = roles.source[0]
        return NodeAxis(form.operands[roles.signals], form.labels[roles.signals].index(label), roles.atoms[label])
    assert isinstance(roles, MessageRoles)
    if isinstance(form, Scatter):
        return None if form.gather is None else NodeAxis(form.gather.operand, form.gather.axis, roles.source)
    return None if form.of_source is None else NodeAxis(form.of_source, 0, roles.source)


def received(event: Event, roles: ProductRoles | MessageRoles) -> NodeAxis:
    """What the nodes receive: the result."""
    form = event.form
    if isinstance(form, Contraction):
        assert isinstance(roles, ProductRoles)
        label = roles.target[0]
        return NodeAxis(event.out, form.out.index(label), roles.atoms[label])
    assert isinstance(roles, MessageRoles)
    return NodeAxis(event.out, form.axis if isinstance(form, Scatter) else 0, roles.target)


def _weights(like: Tensor) -> Tensor:
    # Of both signs, unlike each other, and the same in every pass; half precision does not count so far.
    numbers = torch.arange(1, like.numel() + 1, device=like.device, dtype=torch.float32)
    return numbers.mul(0.7).cos().to(like.dtype).reshape(like.shape)
