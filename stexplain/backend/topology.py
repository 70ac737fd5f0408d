"""Topology: the edges of message passing, as indices that are checked once and put on each device once."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from stexplain.errors import InputError

_INT32 = np.iinfo(np.int32).max


class Topology:
    """Which target receives from which source: a bipartite graph, shared by every batch size. Immutable.

    Tensors of the indices, and DGL's graph, are built at the first use on a device, and rebuilt after unpickling.

    Args:
        source: the source of every edge, ``[E]``, int in [0, sources).
        target: the target of every edge, ``[E]``, int in [0, targets).
        sources: number of sources, S.
        targets: number of targets, T.

    Attributes:
        source: as given, ``[E]``, int64, read-only.
        target: as given, ``[E]``, int64, read-only.
        sources: number of sources.
        targets: number of targets.
        dgl_graphs: DGL's graph by device; `stexplain.backend.dgl.topology_graph` fills it.

    Raises:
        InputError: where the arrays differ in length or an index is out of range.

    Example:
        >>> Topology([0, 1, 1], [0, 0, 1], sources=2, targets=2)
        Topology(3 edges from 2 sources to 2 targets)
    """

    def __init__(self, source: ArrayLike, target: ArrayLike, sources: int, targets: int):
        self.source, self.target = _indices("source", source, sources), _indices("target", target, targets)
        if len(self.source) != len(self.target):
            raise InputError(
                f"topology: got {len(self.source)} sources and {len(self.target)} targets; expected one of each per "
                "edge."
            )
        self.sources, self.targets = int(sources), int(targets)
        self.dgl_graphs: dict[torch.device, Any] = {}
        self._tensors: dict[torch.device, tuple[torch.Tensor, torch.Tensor]] = {}

    def __len__(self) -> int:
        """The number of edges, E."""
        return len(self.source)

    def __repr__(self) -> str:
        return f"Topology({len(self)} edges from {self.sources} sources to {self.targets} targets)"

    def __reduce__(self) -> tuple[Any, ...]:
        # The indices only: DGL's graphs are large, and belong to a device that may not exist elsewhere.
        return Topology, (self.source, self.target, self.sources, self.targets)

    def __copy__(self) -> "Topology":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Topology":
        return self  # copies of a network share one graph

    def tensors(self, device: torch.device | str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
        """Source and target of the edges on a device, ``[E]`` each, int64."""
        device = torch.device(device)
        if device not in self._tensors:
            # They are kept: made in inference mode, as by an evaluation, no later gradient could go through them.
            with torch.inference_mode(False):
                # Copies, as torch warns of arrays that are read-only.
                source, target = (torch.from_numpy(ends.copy()).to(device) for ends in (self.source, self.target))
            self._tensors[device] = source, target
        return self._tensors[device]


def _indices(name: str, values: ArrayLike, bound: int) -> NDArray[np.int64]:
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise InputError(f"{name} has shape {given.shape} and type {given.dtype}; expected integers of shape [E].")
    if not 0 <= bound <= _INT32 or given.size > _INT32:
        raise InputError(
            f"{name}: got {bound} nodes and {given.size} edges; expected at most {_INT32}, the limit of DGL's int32 "
            "graphs."
        )
    if given.size and (given.min() < 0 or given.max() >= bound):
        raise InputError(f"{name}: got indices from {given.min()} to {given.max()}; expected 0 to {bound - 1}.")
    indices = given.astype(np.int64)
    indices.setflags(write=False)
    return indices
