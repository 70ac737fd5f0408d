"""Every call of DGL. It is imported at the first use, as its import takes about a second."""

import os
import sys
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stexplain.backend.graphbolt_stub import graphbolt_or_stub
from stexplain.backend.topology import Topology
from stexplain.errors import InputError

CPU_TYPES = (torch.float32, torch.float64, torch.bfloat16)
"""The types that DGL's CPU kernels compute in."""


@cache
def dgl_installed() -> bool:
    """Whether DGL is installed: it has no wheel for Python above 3.12, nor for Windows and Intel Macs."""
    return "dgl" in sys.modules or find_spec("dgl") is not None


@cache
def import_dgl() -> Any:
    """The module `dgl`.

    Raises:
        InputError: where it is not installed.
    """
    if not dgl_installed():
        raise InputError(
            "DGL is not installed, and backend='dgl' was requested. It has wheels for Linux with Python 3.11 and "
            "3.12, and for Macs of Apple silicon with 3.11: use one of these. All else works without it, by torch."
        )
    # Else DGL writes its choice of backend into the home folder.
    os.environ.setdefault("DGLBACKEND", "pytorch")
    with graphbolt_or_stub(), warnings.catch_warnings():
        # Nobody will correct the deprecated calls in DGL's import: DGL is frozen upstream.
        warnings.simplefilter("ignore")
        import dgl
    return dgl


def topology_graph(topology: Topology, device: torch.device | str = "cpu") -> Any:
    """The bipartite `dgl.DGLGraph` (int32) of a topology on a device, built once per device."""
    device = torch.device(device)
    if device not in topology.dgl_graphs:
        source, target = (torch.tensor(ends, dtype=torch.int32) for ends in (topology.source, topology.target))
        graph = (
            import_dgl()
            .heterograph(
                {("source", "to", "target"): (source, target)},
                num_nodes_dict={"source": topology.sources, "target": topology.targets},
                idtype=torch.int32,
            )
            .to(device)
        )
        # All formats now rather than in the first backward pass, which may run in a worker or under a fork.
        graph.create_formats_()
        topology.dgl_graphs[device] = graph
    return topology.dgl_graphs[device]


def weighted_sum(topology: Topology, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """DGL's `u_mul_e_sum` of checked arguments: x ``[S, D]``, weight ``[E]``, result ``[T, D]``."""
    # [E, 1] and a flat [S, D] let DGL compute the weight's gradient by dot products: 1.5 times as fast.
    out: torch.Tensor = import_dgl().ops.u_mul_e_sum(
        topology_graph(topology, x.device), x.contiguous(), weight.unsqueeze(-1)
    )
    return out


@cache
def dgl_has_cuda() -> bool:
    """Whether DGL can hold a graph on this machine's CUDA device; PyPI's DGL cannot."""
    if not torch.cuda.is_available() or not dgl_installed():
        return False
    dgl = import_dgl()
    # DGL has no flag for this: a CPU build raises as soon as a graph is moved.
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
    return str(import_dgl().__version__)


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
    # num_nodes, as DGL would otherwise drop nodes without edges at the end.
    graph = import_dgl().graph(ends, num_nodes=nodes, idtype=torch.int32)
    for name, values in (node_data or {}).items():
        graph.ndata[name] = torch.tensor(values)
    for name, values in (edge_data or {}).items():
        graph.edata[name] = torch.tensor(values)
    return graph
