"""Arguments that belong to a batch as a whole: every method that makes copies, or cuts, gives what it should.

All models here are the same function of one sample, written down once as `Dense`, which takes samples in the usual way.
"""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.methods.perturbation.temporal_rescaling import TemporalRescaling
from stexplain.explainers.model.arguments.whole_batch import Way
from stexplain.explainers.targets import Class, Predicted
from stexplain.graph import STGraph
from tests.explainers.small_models import signals

SAMPLES, NODES, FRAMES = 3, 5, 4
EDGES = torch.tensor([[0, 1, 2, 3, 0, 2], [1, 2, 3, 4, 2, 0]])
WEIGHTS = torch.tensor([1.0, 0.5, 2.0, -1.0, 3.0, 0.25])
# Of each sample its own: the graphs of a batch differ.
SCALES = torch.tensor([1.0, 2.0, -1.5])
X = signals(SAMPLES, NODES, FRAMES)
GRAPH = STGraph.from_edges(list("abcde"), [("abcde"[u], "abcde"[v]) for u, v in EDGES.T.tolist()], directed=True)
ALL_EDGES = torch.cat([EDGES + NODES * sample for sample in range(SAMPLES)], 1)
ALL_WEIGHTS = torch.cat([WEIGHTS * scale for scale in SCALES])
ADJACENCY = torch.zeros(NODES, NODES).index_put((EDGES[1], EDGES[0]), WEIGHTS)
ADJACENCIES = ADJACENCY * SCALES[:, None, None]


def head(mixed):
    """From what each node gets, ``[B, N, T]``, to two logits; not linear, and nodes and frames differ."""
    by_node = torch.tanh(mixed).square() * torch.arange(1.0, FRAMES + 1)
    return torch.stack([by_node.sum((1, 2)), (by_node.sum(2) * torch.arange(NODES)).sum(1)], 1)


class Dense(nn.Module):
    """x ``[B, N, T]``, an adjacency per sample."""

    def forward(self, x, adjacencies):
        return head(adjacencies @ x)


class Large(nn.Module):
    """x ``[(B N), T]``, all samples one large graph."""

    def forward(self, x, edge_index, edge_weight, batch=None):
        messages = x[edge_index[0]] * edge_weight[:, None]
        mixed = torch.zeros_like(x).index_add(0, edge_index[1], messages)
        samples = len(x) // NODES if batch is None else int(batch[-1]) + 1
        if batch is not None:
            assert torch.equal(batch, torch.arange(samples).repeat_interleave(NODES))
        return head(mixed.view(samples, NODES, -1))


class Gathers(nn.Module):
    """x ``[(B N), T]``; each node looks up two others: one copy's may get another's signals without an error."""

    def forward(self, x, neighbours, weights):
        return head((x[neighbours] * weights[..., None]).sum(1).view(-1, NODES, x.shape[1]))


class OneMatrix(nn.Module):
    """x ``[(B N), T]``, a block-diagonal adjacency of all samples."""

    def forward(self, x, adjacency):
        product = torch.sparse.mm(adjacency, x) if adjacency.is_sparse else adjacency @ x
        return head(product.view(-1, NODES, x.shape[1]))


class Counts(nn.Module):
    """Takes how many graphs there are, and where each starts, as numbers."""

    def forward(self, x, edge_index, edge_weight, ptr, num_graphs):
        assert len(ptr) == num_graphs + 1
        assert ptr[-1] == len(x)
        return Large()(x, edge_index, edge_weight)


class FixedSize(nn.Module):
    """x ``[B, N, T]``; its batch size is written into it."""

    def forward(self, x):
        return head(ADJACENCIES @ x.view(SAMPLES, NODES, FRAMES))


class OwnGraph(nn.Module):
    """x ``[(B N), T]``; it holds the graph of its batch: of several copies only the first has edges."""

    def forward(self, x):
        return Large()(x, ALL_EDGES, ALL_WEIGHTS)


def data_of(kind):
    if kind == "pyg":
        with warnings.catch_warnings():
            # It scripts modules at import, which torch calls deprecated.
            warnings.simplefilter("ignore")
            data = pytest.importorskip("torch_geometric.data")
        return data.Batch.from_data_list(
            [data.Data(edge_index=EDGES, weight=WEIGHTS * scale, num_nodes=NODES) for scale in SCALES]
        )
    dgl = pytest.importorskip("dgl")
    graphs = []
    for scale in SCALES:
        graph = dgl.graph((EDGES[0], EDGES[1]), num_nodes=NODES)
        graph.edata["weight"] = WEIGHTS * scale
        graphs.append(graph)
    return dgl.batch(graphs)


class TakesData(nn.Module):
    def forward(self, x, data):
        if hasattr(data, "edge_index"):
            return Large()(x, data.edge_index, data.weight)
        import dgl.function as fn

        # As is common: the graph that was given is written into.
        data.ndata["h"] = x
        data.update_all(fn.u_mul_e("h", "weight", "m"), fn.sum("m", "out"))
        return head(data.ndata["out"].view(-1, NODES, x.shape[1]))


BLOCKS = torch.block_diag(*ADJACENCIES)
FLAT = X.reshape(SAMPLES * NODES, FRAMES)
EDGE_ARGUMENTS = {"edge_index": ALL_EDGES, "edge_weight": ALL_WEIGHTS}
BATCH_VECTOR = torch.arange(SAMPLES).repeat_interleave(NODES)
NEIGHBOURS = torch.cat(
    [torch.tensor([[2, 0], [0, 0], [1, 0], [2, 0], [3, 0]]) + NODES * sample for sample in range(SAMPLES)]
)
NEIGHBOUR_WEIGHTS = torch.cat(
    [torch.tensor([[0.25, 0], [1.0, 0], [0.5, 3.0], [2.0, 0], [-1.0, 0]]) * scale for scale in SCALES]
)
CASES = {
    "per sample": (Dense(), "b n t", X, {"adjacencies": ADJACENCIES}),
    "one graph": (Large(), "(b n) t", FLAT, EDGE_ARGUMENTS),
    "edges as integers of 32 bits": (Large(), "(b n) t", FLAT, {**EDGE_ARGUMENTS, "edge_index": ALL_EDGES.int()}),
    "batch vector": (Large(), "(b n) t", FLAT, {**EDGE_ARGUMENTS, "batch": BATCH_VECTOR}),
    "lookup": (Gathers(), "(b n) t", FLAT, {"neighbours": NEIGHBOURS, "weights": NEIGHBOUR_WEIGHTS}),
    "matrix": (OneMatrix(), "(b n) t", FLAT, {"adjacency": BLOCKS}),
    "sparse matrix": (OneMatrix(), "(b n) t", FLAT, {"adjacency": BLOCKS.to_sparse()}),
    "counts": (Counts(), "(b n) t", FLAT, {**EDGE_ARGUMENTS, "ptr": torch.arange(0, 16, 5), "num_graphs": 3}),
    "fixed size": (FixedSize(), "b n t", X, {}),
    "own graph": (OwnGraph(), "(b n) t", FLAT, {}),
    "pyg": (TakesData(), "(b n) t", FLAT, {"data": "pyg"}),
    "dgl": (TakesData(), "(b n) t", FLAT, {"data": "dgl"}),
}
ONE_AT_A_TIME = ("lookup", "fixed size", "own graph", "pyg", "dgl")


ONE = Class(1)


def case_of(name):
    """The model, its layout, the samples, and what they share."""
    model, inputs, x, shared = CASES[name]
    return model, inputs, x, {"data": data_of(name)} if name in ("pyg", "dgl") else shared


METHODS = {
    "gradient": lambda model, **options: InputGradient(model, reduce="sum", **options),
    "integrated gradients": lambda model, **options: IntegratedGradients(model, steps=12, **options),
    "gradient SHAP": lambda model, **options: GradientSHAP(model, draws=10, baselines=["zero"], **options),
    "occlusion": lambda model, **options: Occlusion(model, window=1, **options),
    "shapley": lambda model, **options: ShapleyValueSampling(model, window=2, orders=2, **options),
    "learned mask": lambda model, **options: LearnedMask(model, steps=3, baseline="zero", **options),
    "rescaling": lambda model, **options: TemporalRescaling(InputGradient(model, **options), copies=4),
    "rescaled contributions": lambda model, **options: TemporalRescaling(
        IntegratedGradients(model, steps=2, **options), window=2, alpha=0.7
    ),
}


def expected(name, target=ONE):
    reference = METHODS[name](Dense(), inputs="b n t", graph=GRAPH)
    return reference(X, target=target, per_sample={"adjacencies": ADJACENCIES})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES)
def test_copies_have_their_edges(case, method):
    model, inputs, x, shared = case_of(case)
    e = METHODS[method](model, inputs=inputs, graph=GRAPH)(x, target=ONE, shared=shared)
    np.testing.assert_allclose(e.values, expected(method).values, rtol=2e-3, atol=1e-4)
    assert np.abs(e.values).max() > 0


@pytest.mark.parametrize("case", CASES)
def test_several_copies_go_in_at_a_time_where_that_is_right(case):
    model, inputs, x, shared = case_of(case)
    explain = IntegratedGradients(model, inputs=inputs, graph=GRAPH)
    e = explain(x, target=Predicted(), shared=shared)
    (way,) = explain._ways.values()
    assert (way is None) == (case in ONE_AT_A_TIME)
    assert any("one copy ran at a time" in note for note in e.notes) == (way is None)
    # The classes are those of the samples, also of copies that ran one by one.
    np.testing.assert_allclose(e.values, expected("integrated gradients", Predicted()).values, atol=2e-2)


@pytest.mark.parametrize("chunk", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_chunks_have_their_edges_or_are_refused(case, chunk):
    model, inputs, x, shared = case_of(case)
    explain = METHODS["occlusion"](model, inputs=inputs, graph=GRAPH, chunk=chunk)
    if case in ONE_AT_A_TIME:
        with pytest.raises(InputError):
            explain(x, target=ONE, shared=shared)
    else:
        e = explain(x, target=ONE, shared=shared)
        np.testing.assert_allclose(e.values, expected("occlusion").values, rtol=1e-3, atol=1e-4)


def test_what_cannot_be_cut_says_so():
    class Mixes(nn.Module):
        """Every sample hears of the others."""

        def forward(self, x, adjacencies):
            return head(adjacencies @ x) + x.mean()

    with pytest.raises(InputError, match="'adjacencies': what is given by shared= belongs.*Leave out `chunk`"):
        InputGradient(Mixes(), inputs="b n t", chunk=1)(X, target=Class(0), shared={"adjacencies": ADJACENCIES})


def test_samples_that_influence_each_other_run_one_copy_at_a_time():
    class Averages(nn.Module):
        """Adds the mean over the batch: other samples or copies in the batch change it."""

        def forward(self, x):
            return head(x + x.mean(0, keepdim=True))

    with pytest.raises(InputError, match="influence each other.*chunk=1"):
        Occlusion(Averages(), inputs="b n t", window=1)(X, target=Class(0))
    e = Occlusion(Averages(), inputs="b n t", window=1, chunk=1)(X, target=Class(0))
    # By hand: one node and frame is masked, each copy of each sample a batch by itself.
    masked = X.clone()
    masked[:, 2, 1] = 0
    by_hand = [Averages()(X[[row]])[0, 0] - Averages()(masked[[row]])[0, 0] for row in range(SAMPLES)]
    np.testing.assert_allclose(e.values[:, 0, 1, 2], by_hand, rtol=1e-4)


def test_a_graph_without_a_sample_axis():
    class Single(nn.Module):
        def forward(self, x):
            assert x.shape == (NODES, FRAMES)
            return head(ADJACENCIES[:1] @ x)

    e = Occlusion(Single(), inputs="n t", window=1)(X[0], target=Class(1))
    np.testing.assert_allclose(e.values[0], expected("occlusion").values[0], rtol=1e-3, atol=1e-5)


def test_the_check_changes_no_random_number():
    class Draws(nn.Module):
        """Adds noise that follows from torch's generator, as dropout that is never turned off does."""

        def forward(self, x):
            return head(x + torch.rand_like(x))

    x = X.movedim(1, 2)[:, None, :, :, None]
    explain = Occlusion(Draws(), inputs="b n t", window=None)
    state = torch.get_rng_state()
    copies = explain._copies(explain._prepare(X, None), torch.cat([x, x + 1]))
    assert len(copies) == 2
    assert torch.equal(torch.get_rng_state(), state)


def test_the_check_runs_once_per_kind_of_input():
    class Passes(nn.Module):
        def __init__(self):
            super().__init__()
            self.samples = 0

        def forward(self, x):
            type(self).ran += len(x)
            return head(x)

    Passes.ran = 0
    explain = Occlusion(Passes(), inputs="b n t", window=1)
    explain(X, target=Class(0))
    first, Passes.ran = Passes.ran, 0
    explain(X, target=Class(0))
    second, Passes.ran = Passes.ran, 0
    # Four inferences of every sample: a batch, another, and both at once; four for the axes of the output.
    assert first - second == (4 + 4) * SAMPLES
    assert list(explain._ways.values()) == [Way.AS_THEY_ARE]
    explain(X[:2], target=Class(0))
    assert len(explain._ways) == 2
