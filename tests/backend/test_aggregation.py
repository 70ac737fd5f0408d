import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stexplain.backend import dgl as dgl_backend
from stexplain.backend.aggregation import aggregate, aggregate_torch, implementation
from stexplain.backend.dgl import dgl_graph, topology_graph
from stexplain.backend.topology import Topology
from stexplain.errors import InputError
from tests.properties.examples import EXAMPLES
from tests.reference.graphs import aggregate_dense


def random_topology(seed: int, sources: int = 5, targets: int = 7, edges: int = 12) -> Topology:
    rng = np.random.default_rng(seed)
    return Topology(rng.integers(sources, size=edges), rng.integers(targets, size=edges), sources, targets)


def random_input(topology: Topology, width: int = 3, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(topology.sources, width, dtype=torch.float64, generator=generator)
    weight = torch.randn(len(topology), dtype=torch.float64, generator=generator)
    return [x.to(dtype).requires_grad_(), weight.to(dtype).requires_grad_()]


@settings(max_examples=EXAMPLES or 25)
@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 6), st.integers(0, 20), st.integers(0, 4))
def test_both_implementations_equal_the_dense_sum(seed: int, sources: int, targets: int, edges: int, width: int):
    topology = random_topology(seed, sources, targets, edges)
    x, weight = random_input(topology, width)
    expected = aggregate_dense(topology.source, topology.target, topology.targets, x, weight)
    for function in (aggregate, aggregate_torch):
        torch.testing.assert_close(function(topology, x, weight), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("function", [aggregate, aggregate_torch])
def test_first_and_second_derivatives(function):
    topology = random_topology(1)
    inputs = random_input(topology)
    assert torch.autograd.gradcheck(lambda x, weight: function(topology, x, weight), inputs)
    assert torch.autograd.gradgradcheck(lambda x, weight: function(topology, x, weight), inputs)


def test_gradients_of_both_implementations_are_equal():
    topology = random_topology(2, 30, 90, 200)
    gradients = []
    for function in (aggregate, aggregate_torch):
        x, weight = random_input(topology, 16)
        out = function(topology, x, weight)
        gradients.append(torch.autograd.grad((out**2).sum(), [x, weight]))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_features_take_a_float32_weight(dtype: torch.dtype):
    topology = random_topology(3)
    x, weight = random_input(topology, 8, torch.float32)
    out = aggregate(topology, x.to(dtype), weight)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), aggregate(topology, x, weight), rtol=0.05, atol=0.05)
    out.float().sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32


def test_autocast_on_the_cpu():
    topology = random_topology(3)
    x, weight = random_input(topology, 8, torch.float32)
    mix = torch.nn.Linear(8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = aggregate(topology, mix(x), weight)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert mix.weight.grad is not None
    assert float(mix.weight.grad.abs().sum()) > 0


def test_features_need_not_be_contiguous():
    topology = random_topology(4)
    x, weight = random_input(topology, 6)
    strided = x.detach().t().contiguous().t()
    assert not strided.is_contiguous()
    torch.testing.assert_close(aggregate(topology, strided, weight), aggregate(topology, x, weight))


def test_one_graph_serves_every_width_and_survives_pickle_and_copy():
    topology = random_topology(5)
    x, weight = random_input(topology, 6)
    expected = aggregate(topology, x, weight)
    torch.testing.assert_close(aggregate(topology, x[:, :2], weight), expected[:, :2])
    assert topology_graph(topology) is topology_graph(topology, "cpu")
    assert topology_graph(topology).idtype == torch.int32
    assert set(topology_graph(topology).formats()["created"]) == {"coo", "csr", "csc"}
    for twin in (pickle.loads(pickle.dumps(topology)), copy.deepcopy(topology), copy.copy(topology)):
        torch.testing.assert_close(aggregate(twin, x, weight), expected)
    assert len(pickle.dumps(topology)) < 2000  # indices only, no graph


def test_is_immutable_and_does_not_share_memory_with_its_arguments():
    source = np.array([0, 1])
    topology = Topology(source, [0, 0], 2, 1)
    source[0] = 1
    assert topology.source.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        topology.source[0] = 1


def test_torch_compile_traces_the_torch_implementation_in_one_graph():
    topology = random_topology(6)
    x, weight = random_input(topology)
    compiled = torch.compile(lambda a, b: aggregate(topology, a, b), backend="eager", fullgraph=True)
    for _ in range(2):
        out = compiled(x, weight)
        assert "IndexAdd" in type(out.grad_fn).__name__
        torch.testing.assert_close(out, aggregate(topology, x, weight))


def test_vmap_over_the_torch_implementation():
    topology = random_topology(6)
    x, weight = random_input(topology)
    out = torch.func.vmap(lambda each: aggregate_torch(topology, each, weight))(torch.stack([x, 2 * x]))
    torch.testing.assert_close(out[1], 2 * aggregate(topology, x, weight))


def test_implementation_by_device_and_type(monkeypatch: pytest.MonkeyPatch):
    assert implementation() == "dgl"
    assert implementation("cpu", torch.float16) == "torch"
    monkeypatch.setattr(dgl_backend, "dgl_has_cuda", lambda: False)
    assert implementation("cuda") == "torch"
    monkeypatch.setattr(dgl_backend, "dgl_has_cuda", lambda: True)
    assert implementation("cuda") == "dgl"
    assert implementation("meta") == "torch"


def test_a_device_without_dgl_uses_torch():
    topology = random_topology(7)
    out = aggregate(topology, torch.zeros(5, 3, device="meta"), torch.zeros(12, device="meta"))
    assert out.device.type == "meta"
    assert out.shape == (7, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_equals_the_cpu():
    topology = random_topology(8, 30, 90, 200)
    results = []
    for device in ("cpu", "cuda"):
        x, weight = (part.detach().to(device).requires_grad_() for part in random_input(topology, 16))
        out = aggregate(topology, x, weight)
        results.append([part.cpu() for part in (out.detach(), *torch.autograd.grad((out**2).sum(), [x, weight]))])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_graph_with_data():
    graph = dgl_graph(np.array([0, 1]), np.array([1, 2]), 4, {"p": np.ones((4, 2))}, {"w": np.array([0.5, 2.0])})
    assert graph.num_nodes() == 4
    assert graph.idtype == torch.int32
    assert graph.edata["w"].tolist() == [0.5, 2.0]
    assert graph.ndata["p"].shape == (4, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 5], [0, 0], 5, 1), "source: got indices from 0 to 5; expected 0 to 4"),
        (([0], [-1], 5, 1), "target: got indices from -1 to -1"),
        (([0, 1], [0], 5, 1), "2 sources and 1 targets"),
        (([0.5], [0], 5, 1), "type float64; expected integers"),
        (([[0]], [0], 5, 1), r"shape \(1, 1\)"),
        (([0], [0], 2**31, 1), "int32"),
    ],
)
def test_a_wrong_topology_is_refused(arguments, message: str):
    with pytest.raises(InputError, match=message):
        Topology(*arguments)


def test_wrong_tensors_are_refused():
    topology = random_topology(9)
    x, weight = random_input(topology)
    with pytest.raises(InputError, match=r"x has shape \(4, 3\).*expected \[5 sources, D\]"):
        aggregate(topology, x[:4], weight)
    with pytest.raises(InputError, match=r"x has shape \(5, 3, 1\)"):
        aggregate(topology, x[..., None], weight)
    with pytest.raises(InputError, match=r"type torch.int64"):
        aggregate(topology, x.long(), weight)
    with pytest.raises(InputError, match=r"weight has shape \(12, 1\).*expected \[12 edges\]"):
        aggregate_torch(topology, x, weight[:, None])
    with pytest.raises(InputError, match="on meta; expected"):
        aggregate(topology, x, weight.to("meta"))


def test_a_topology_first_used_in_inference_mode_takes_gradients_later():
    topology = Topology([0, 1, 2], [1, 2, 2], 3, 3)
    with torch.inference_mode():
        topology.tensors()
    _, target = topology.tensors()
    weight = torch.ones(3, requires_grad=True)
    torch.zeros(3).index_add(0, target, weight).square().sum().backward()
    assert weight.grad.tolist() == [2.0, 4.0, 4.0]
