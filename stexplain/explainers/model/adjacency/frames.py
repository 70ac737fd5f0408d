"""The calls of modules that are running, and what has been gathered and scattered in each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from stexplain.explainers.model.adjacency.events import Gather, Scatter

_KEPT = 64  # gathers of one call that are looked through


@dataclass(eq=False)
class CallFrame:
    """A running call of a module.

    Attributes:
        path: of the module.
        module: itself.
        entered: the shape of the first tensor that entered it.
        gathers: in this call so far.
        sums: results of scatters, and what was computed of them entry by entry, by their identity.
        scales: what was picked from those by the targets of the edges.
    """

    path: str
    module: Any
    entered: tuple[int, ...] = ()
    gathers: list[Gather] = field(default_factory=list)
    sums: dict[int, tuple[Tensor, Scatter]] = field(default_factory=dict)
    scales: dict[int, tuple[Tensor, Scatter]] = field(default_factory=dict)

    def gathered(self, gather: Gather, out: Tensor, stack: "Sequence[CallFrame]") -> None:
        """Keeps a gather; of a sum that goes back to its own edges, that it may scale them."""
        for frame in stack:
            found = frame.sums.get(id(gather.operand))
            if found is not None and _same(found[1].target, gather.index):
                self.scales[id(out)] = (out, found[1])
        self.gathers.append(gather)
        del self.gathers[:-_KEPT]

    def scattered(self, scatter: Scatter, out: Tensor) -> None:
        """Keeps the result of a scatter."""
        self.sums[id(out)] = (out, scatter)

    def passed_on(self, name: str, args: Any, out: Tensor) -> None:
        """Follows sums through functions that work entry by entry, up to where one divides or shifts its own edges."""
        if not (self.sums or self.scales) or not isinstance(args, tuple | list):
            return
        second = args[1] if len(args) > 1 else None
        # Softmax over incoming edges: exp(e - max[target]) / sum[target]. Neither the max nor the sum is a message.
        if name.strip("_") in ("div", "truediv", "sub", "true_divide") and id(second) in self.scales:
            self.scales[id(second)][1].normaliser = True
        first = args[0] if args else None
        if isinstance(first, Tensor) and first.shape == out.shape:
            for kept in (self.sums, self.scales):
                if id(first) in kept:
                    kept[id(out)] = (out, kept[id(first)][1])

    def source_of(self, target: Tensor, stack: "Sequence[CallFrame]") -> tuple[Gather | None, str]:
        """Where messages to these targets come from: the gather of as many rows, by other indices than the targets."""
        for frame in reversed(stack):
            alike = [gather for gather in frame.gathers if gather.index.shape == target.shape]
            others = [gather for gather in alike if not _same(gather.index, target)]
            distinct: list[Gather] = []
            for gather in others:
                if not any(_same(gather.index, each.index) for each in distinct):
                    distinct.append(gather)
            if len(distinct) > 1:
                # The two rows of one edge_index lie in one memory.
                beside = [gather for gather in distinct if _memory(gather.index) == _memory(target)]
                distinct = others = beside or distinct
            if len(distinct) > 1:
                return None, "rows were picked by several lists of indices: which is that of the sources is not known"
            if others:
                return others[-1], ""
            if alike:
                # Every node sends to itself only.
                return alike[-1], ""
        return None, "no rows were picked that could be what the sources send"


def innermost(stack: "Sequence[CallFrame]") -> CallFrame:
    """The call that is running."""
    return stack[-1]


def _memory(index: Tensor) -> int:
    return index.untyped_storage().data_ptr()


def _same(a: Tensor, b: Tensor) -> bool:
    return a is b or (a.shape == b.shape and torch.equal(a, b))
