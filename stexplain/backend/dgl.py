"""Message passing: the one module that holds every call of DGL, with a torch implementation of the same operator.

The operator is a weighted sum over the incoming edges of every target, on a bipartite topology:

    out[t] = sum over edges e with target(e) = t of  weight[e] * x[source(e)]

It is DGL's `u_mul_e_sum`. DGL itself is imported at the first use, as its import takes about a second.
"""

import os
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from stexplain.backend.graphbolt import open_gate
from stexplain.errors import InputError

_INT32 = np.iinfo(np.int32).max
# What DGL's CPU kernels compute in; others go through torch.
_CPU_TYPES = (torch.float32, torch.float64, torch.bfloat16)


@cache
def _dgl() -> Any:
    # Else DGL writes its choice of backend into the home folder.
    os.environ.setdefault("DGLBACKEND", "pytorch")
    with open_gate(), warnings.catch_warnings():
        # Deprecations inside DGL's own import are nobody's to mend: DGL is frozen.
        warnings.simplefilter("ignore")
        import dgl
    return dgl


class Topology:
    """Which target hears which source: a bipartite graph, shared by every batch size. Immutable.

    DGL's graph (int32, all formats made up front) and torch's indices are built at the first use on a device, and
    rebuilt after unpickling.

    Args:
        source: the source of every edge, ``[E]``, int in [0, sources).
        target: the target of every edge, ``[E]``, int in [0, targets).
        sources: number of sources.
        targets: number of targets.

    Attributes:
        source: as given, ``[E]``, int64, read-only.
        target: as given, ``[E]``, int64, read-only.
        sources: number of sources.
        targets: number of targets.

    Raises:
        InputError: where the arrays differ in length or an index is out of range.

    Example:
        >>> Topology([0, 1, 1], [0, 0, 1], sources=2, targets=2)
        Topology(3 edges from 2 sources to 2 targets)
    """

    def __init__(self, source: ArrayLike, target: ArrayLike, sources: int, targets: int):
        self.source, self.target = _indices("source", source, sources), _indices("target", target, targets)
        if len(self.source) != len(self.target):
            raise InputError(f"a topology got {len(self.source)} sources and {len(self.target)} targets of edges.")
        self.sources, self.targets = int(sources), int(targets)
        self._graphs: dict[torch.device, Any] = {}
        self._tensors: dict[torch.device, tuple[torch.Tensor, torch.Tensor]] = {}

    def __len__(self) -> int:
        """The number of edges, E."""
        return len(self.source)

    def __repr__(self) -> str:
        return f"Topology({len(self)} edges from {self.sources} sources to {self.targets} targets)"

    def __reduce__(self) -> tuple[Any, ...]:
        return Topology, (self.source, self.target, self.sources, self.targets)

    def __copy__(self) -> "Topology":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Topology":
        return self

    def graph(self, device: torch.device | str = "cpu") -> Any:
        """The bipartite `dgl.DGLGraph` on a device."""
        device = torch.device(device)
        if device not in self._graphs:
            source, target = (torch.tensor(ends, dtype=torch.int32) for ends in (self.source, self.target))
            graph = (
                _dgl()
                .heterograph(
                    {("source", "to", "target"): (source, target)},
                    num_nodes_dict={"source": self.sources, "target": self.targets},
                    idtype=torch.int32,
                )
                .to(device)
            )
            # Made here rather than in the first backward pass, which may run in a worker or under a fork.
            graph.create_formats_()
            self._graphs[device] = graph
        return self._graphs[device]

    def tensors(self, device: torch.device | str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
        """Source and target of the edges on a device, ``[E]`` each, int64."""
        device = torch.device(device)
        if device not in self._tensors:
            # Copies, as torch warns of arrays that are read-only.
            source, target = (torch.from_numpy(ends.copy()).to(device) for ends in (self.source, self.target))
            self._tensors[device] = source, target
        return self._tensors[device]


def _indices(name: str, values: ArrayLike, bound: int) -> NDArray[np.int64]:
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise InputError(f"{name} has shape {given.shape} and type {given.dtype}; wanted integers of shape [E].")
    if not 0 <= bound <= _INT32 or given.size > _INT32:
        raise InputError(f"{name}: {bound} nodes and {given.size} edges; DGL's int32 graphs hold at most {_INT32}.")
    if given.size and (given.min() < 0 or given.max() >= bound):
        raise InputError(f"{name} holds {given.min()} to {given.max()}; wanted indices from 0 to {bound - 1}.")
    indices = given.astype(np.int64)
    indices.setflags(write=False)
    return indices


def aggregate(topology: Topology, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted sum over incoming edges: out[t] = sum over edges e into t of weight[e] * x[source(e)].

    Goes through DGL where DGL serves the device and type of `x` (`implementation` tells), else through
    `aggregate_torch`. Differentiable twice in `x` and in `weight`. The weight is cast to the type of `x`, so that
    mixed precision works. Flatten the features: DGL's fast gradient of the weight needs ``[S, D]``.

    Args:
        topology: with E edges from S sources to T targets.
        x: features of the sources, ``[S, D]``, floating.
        weight: of the edges, ``[E]``, floating.

    Returns:
        ``[T, D]``, in the type of `x`; zero where nothing comes in.

    Raises:
        InputError: where a shape does not fit the topology.

    Example:
        >>> topology = Topology([0, 1, 1], [0, 0, 1], sources=2, targets=3)
        >>> aggregate(topology, torch.tensor([[1.0], [10.0]]), torch.tensor([1.0, 0.5, 2.0]))
        tensor([[ 6.], [20.], [ 0.]])
    """
    weight = _checked(topology, x, weight)
    # torch.compile cannot look into DGL; it traces the torch implementation whole.
    if torch.compiler.is_compiling() or not x.numel() or not len(topology) or _implementation(x) == "torch":
        return _aggregate_torch(topology, x, weight)
    out: torch.Tensor = _dgl().ops.u_mul_e_sum(topology.graph(x.device), x.contiguous(), weight.unsqueeze(-1))
    return out


def aggregate_torch(topology: Topology, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`aggregate` without DGL: serves devices and types that DGL does not, torch.compile and torch.func.

    Example:
        >>> topology = Topology([0, 1, 1], [0, 0, 1], sources=2, targets=2)
        >>> aggregate_torch(topology, torch.tensor([[1.0], [10.0]]), torch.tensor([1.0, 0.5, 2.0]))
        tensor([[ 6.], [20.]])
    """
    return _aggregate_torch(topology, x, _checked(topology, x, weight))


def _aggregate_torch(topology: Topology, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    source, target = topology.tensors(x.device)
    messages = x.index_select(0, source) * weight.unsqueeze(-1)
    return x.new_zeros(topology.targets, x.shape[1]).index_add(0, target, messages)


def _checked(topology: Topology, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The weight in the type of `x`, once both fit the topology."""
    if x.ndim != 2 or x.shape[0] != topology.sources or not x.is_floating_point():
        raise InputError(
            f"x has shape {tuple(x.shape)} and type {x.dtype}; wanted [{topology.sources} sources, D], floating. "
            "Flatten all other axes into D."
        )
    if weight.shape != (len(topology),) or weight.device != x.device:
        raise InputError(
            f"weight has shape {tuple(weight.shape)} on {weight.device}; wanted [{len(topology)} edges] on {x.device}."
        )
    return weight.to(x.dtype)


def implementation(device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> str:
    """Which implementation `aggregate` takes for tensors of this device and type: ``"dgl"`` or ``"torch"``.

    Example:
        >>> implementation("cpu", torch.float32), implementation("cpu", torch.float16)
        ('dgl', 'torch')
    """
    device = torch.device(device)
    if device.type == "cpu":
        return "dgl" if dtype in _CPU_TYPES else "torch"
    return "dgl" if device.type == "cuda" and dgl_has_cuda() else "torch"


def _implementation(x: torch.Tensor) -> str:
    return implementation(x.device, x.dtype)


@cache
def dgl_has_cuda() -> bool:
    """Whether DGL can hold a graph on this machine's CUDA device; PyPI's DGL cannot."""
    if not torch.cuda.is_available():
        return False
    dgl = _dgl()
    try:
        dgl.graph(([0], [0]), idtype=torch.int32).to("cuda")
    except dgl.DGLError:
        return False
    return True


def dgl_version() -> str:
    """The version of the DGL in use. Imports it.

    Example:
        >>> dgl_version().count(".")
        2
    """
    return str(_dgl().__version__)


def dgl_graph(
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    nodes: int,
    node_data: Mapping[str, NDArray[Any]] | None = None,
    edge_data: Mapping[str, NDArray[Any]] | None = None,
) -> Any:
    """A homogeneous `dgl.DGLGraph` (int32) with data on nodes and edges.

    Args:
        source: of every edge, ``[E]``.
        target: of every edge, ``[E]``.
        nodes: number of nodes, N.
        node_data: arrays ``[N, ...]`` by name.
        edge_data: arrays ``[E, ...]`` by name.

    Example:
        >>> dgl_graph(np.array([0, 1]), np.array([1, 0]), 2, edge_data={"weight": np.ones(2)}).num_edges()
        2
    """
    ends = torch.tensor(source, dtype=torch.int32), torch.tensor(target, dtype=torch.int32)
    graph = _dgl().graph(ends, num_nodes=nodes, idtype=torch.int32)
    for name, values in (node_data or {}).items():
        graph.ndata[name] = torch.tensor(values)
    for name, values in (edge_data or {}).items():
        graph.edata[name] = torch.tensor(values)
    return graph
