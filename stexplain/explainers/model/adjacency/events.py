"""What is recorded of an operation that may mix nodes: a product, a gather-scatter, or a sum of messages by DGL."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from stexplain.explainers.model.adjacency.contraction import Contraction
from stexplain.explainers.model.adjacency.names import TensorName


class Site(NamedTuple):
    """Where in a model an operation runs; calls of one site follow each other.

    Attributes:
        module: the path of the innermost module whose forward calls it; empty: the model itself.
        operation: the name of the function.
        line: the file and line that call it.
    """

    module: str
    operation: str
    line: str

    @property
    def where(self) -> str:
        """The path of the module and the operation."""
        return f"{self.module}.{self.operation}" if self.module else self.operation


Key = tuple[Site, int]
"""A call of an operation: where it runs, and the number of the call there. It finds the call again in another pass."""


@dataclass(eq=False)
class Gather:
    """Rows that were picked along one axis: what nodes send.

    Attributes:
        operand: what was picked from.
        axis: along which.
        index: which rows, ``[E]``.
    """

    operand: Tensor
    axis: int
    index: Tensor


@dataclass(eq=False)
class Scatter:
    """Messages that are summed at their targets, along one axis.

    Attributes:
        axis: along which.
        target: the row that each message goes to, ``[E]``.
        gather: where the messages come from; none: not known.
        why: the reason where that is not known, or the sum is none.
        normaliser: whether the sums only scale what is on the edges, as a softmax over incoming edges does.
    """

    axis: int
    target: Tensor
    gather: Gather | None
    why: str = ""
    normaliser: bool = False

    @property
    def held(self) -> tuple[Tensor, ...]:
        """The tensors whose values are needed later, beside the messages."""
        return (self.target,) if self.gather is None else (self.target, self.gather.index)

    def copied(self) -> "Scatter":
        """The same of copies, which the model does not write over."""
        gather = None if self.gather is None else replace(self.gather, index=self.gather.index.clone())
        return replace(self, target=self.target.clone(), gather=gather)


@dataclass(eq=False)
class MessageSum:
    """A sum of messages as DGL computes it, of the features of sources and edges.

    Attributes:
        source: of each edge, ``[E]``.
        target: of each edge, ``[E]``.
        combine: the operator between features of sources and of edges, such as ``"mul"`` or ``"copy_lhs"``.
        of_source: features ``[sources, ...]``.
        of_edge: features ``[E, ...]``.
        degree: what each target's sum is divided by, ``[targets]``; none: it is not.
        why: the reason where the result is no sum.
    """

    source: Tensor
    target: Tensor
    combine: str
    of_source: Tensor | None
    of_edge: Tensor | None
    degree: Tensor | None = None
    why: str = ""

    @property
    def held(self) -> tuple[Tensor, ...]:
        """The tensors whose values are needed later."""
        return tuple(each for each in (self.of_source, self.of_edge) if each is not None)

    def copied(self) -> "MessageSum":
        """The same of copies, which the model does not write over."""
        of_source, of_edge = (
            None if each is None else each.detach().clone() for each in (self.of_source, self.of_edge)
        )
        return replace(self, of_source=of_source, of_edge=of_edge)

    def messages(self, edges: Tensor) -> Tensor:
        """The messages over some edges, ``[edges, ...]``."""
        left = None if self.of_source is None else self.of_source.index_select(0, self.source[edges])
        right = None if self.of_edge is None else self.of_edge.index_select(0, edges)
        if left is not None and right is not None and self.combine not in ("copy_lhs", "copy_rhs"):
            # Features with fewer axes are broadcast from the first on, not from the last.
            ndim = max(left.ndim, right.ndim)
            left, right = (
                each.reshape(len(each), *[1] * (ndim - each.ndim), *each.shape[1:]) for each in (left, right)
            )
            left = getattr(torch, self.combine)(left, right)
        result = right if self.combine == "copy_rhs" else left
        assert result is not None
        if self.degree is not None:
            result = result / self.degree[self.target[edges]].reshape(-1, *[1] * (result.ndim - 1))
        return result


@dataclass(eq=False)
class Event:
    """One call of an operation.

    Attributes:
        site: where it runs.
        call: the number of the call of this site, from 0.
        form: what it computes.
        module: the innermost module.
        entered: the shape of what entered that module, where it was a tensor.
        names: of the operands; none where they have none.
        tensor: what the score is differentiated by: the result, or the messages of a scatter.
        out: the result.
    """

    site: Site
    call: int
    form: Contraction | Scatter | MessageSum
    module: Any
    entered: tuple[int, ...]
    names: tuple[TensorName | None, ...]
    tensor: Tensor
    out: Tensor = field(repr=False)

    @property
    def key(self) -> Key:
        """What finds the same call again in another pass."""
        return self.site, self.call
