"""What a model pools over time, kept as it was while frames change: what is left is how positions see single frames.

Adaptive graphs, gates and statistics are often computed from the whole clip. By way of them every frame changes every
position. With their values kept, bit by bit, the positions see the frames that convolutions let them see.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from stexplain.explainers.model.probe.outputs import ModuleOutputs, module_outputs
from stexplain.explainers.outputs.nested import mapped

Operations = list[tuple[str, list[tuple[int, ...]]]]
"""The operations of a forward pass in their order: their names, and the shapes of the tensors that they return."""


class _Listing(TorchFunctionMode):
    """Lists the operations of a forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: Operations = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if shapes := [tuple(tensor.shape) for tensor in _floating(result)]:
            self.operations.append((getattr(func, "__name__", ""), shapes))
        return result


@contextmanager
def operations(model: nn.Module, names: Sequence[str]) -> Iterator[tuple[Operations, ModuleOutputs]]:
    """The operations of a pass, and what modules return in it.

    Args:
        model: that runs.
        names: of the modules.
    """
    with module_outputs(model, names) as found, _Listing() as listing:
        # What is done around the model's own forward, such as keeping its state, is none of its operations.
        handle = model.register_forward_pre_hook(lambda *_: listing.operations.clear())
        try:
            yield listing.operations, found
        finally:
            handle.remove()


def pooled_over_time(of_clip: Operations, of_longer: Operations) -> list[int]:
    """The numbers of the operations whose results are no larger for a longer clip.

    Args:
        of_clip: the operations for the clip.
        of_longer: the operations for a longer one.

    Returns:
        Their numbers; empty where other operations run for a longer clip, as in a loop over frames, each of whose
        results holds a single frame.

    Example:
        >>> short, longer = ([("conv2d", [(1, 8, frames)]), ("mean", [(1, 8)])] for frames in (12, 24))
        >>> pooled_over_time(short, longer), pooled_over_time(short, longer * 2)
        ([1], [])
    """
    if [name for name, _ in of_clip] != [name for name, _ in of_longer]:
        return []
    pairs = zip(of_clip, of_longer, strict=True)
    return [number for number, ((_, shapes), (_, longer)) in enumerate(pairs) if shapes == longer]


class _Keeping(TorchFunctionMode):
    """Keeps the results of some operations, or gives back those that were kept."""

    def __init__(self, pooled: Sequence[int], kept: dict[int, list[Tensor]], *, first: bool):
        super().__init__()
        self.pooled, self.kept, self.first = frozenset(pooled), kept, first
        self.start()

    def start(self) -> None:
        """Counts from here on: the model's own forward begins."""
        self.number = -1

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = _floating(result)
        self.number += bool(tensors)
        if not tensors or self.number not in self.pooled:
            return result
        if self.first:
            self.kept[self.number] = [tensor.detach().clone() for tensor in tensors]
            return result
        kept = self.kept.get(self.number)
        if kept is None or [one.shape for one in kept] != [one.shape for one in tensors]:
            return result
        if any(result is given for given in args):
            # In place: what others hold is changed, too.
            return result.copy_(kept[0])
        left = iter(kept)
        return mapped(result, lambda _, tensor: next(left).clone() if tensor.is_floating_point() else tensor)


def _floating(result: Any) -> list[Tensor]:
    parts = result if isinstance(result, tuple | list) else [result]
    return [part for part in parts if isinstance(part, Tensor) and part.is_floating_point()]


@dataclass
class PooledKept:
    """A context for two passes: what some operations give in the first, they give in the second.

    Attributes:
        pooled: the numbers of the operations whose results are kept.
        names: the modules whose outputs are gathered.
    """

    pooled: Sequence[int]
    names: Sequence[str]
    _model: nn.Module | None = None
    _kept: dict[int, list[Tensor]] = field(default_factory=dict)

    @contextmanager
    def around(self, model: nn.Module) -> Iterator[ModuleOutputs]:
        """The context around a pass: the first one of a model is the one that is kept.

        Args:
            model: that runs.
        """
        first = model is not self._model
        if first:
            self._model, self._kept = model, {}
        # Only the model's own operations count: what is gathered is copied past the mode.
        with module_outputs(model, self.names) as found, _Keeping(self.pooled, self._kept, first=first) as keeping:
            handle = model.register_forward_pre_hook(lambda *_: keeping.start())
            try:
                yield found
            finally:
                handle.remove()
