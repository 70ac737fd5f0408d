"""What is listed, by which name; and that nothing is left on the model, on torch or on DGL."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.model.adjacency.table import adjacencies
from stexplain.explainers.targets import Forecast
from stexplain.graph import STGraph
from stexplain.nn.traffic import STGCNForecaster
from tests.explainers.model.adjacency import mixing_models
from tests.explainers.model.adjacency.mixing_models import FRAMES, NODES, Mixes, road
from tests.explainers.small_models import WaveNet


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("Einsum", ("road", "buffer", (5, 5), "source target", 1)),
        ("Product", ("supports[0]", "attribute", (5, 5), "target source", 1)),
        ("Linear", ("road", "parameter", (5, 5), "target source", 1)),
        ("Pointwise", ("nodes.weight", "parameter", (5, 5), "target source", 1)),
        ("Relations", ("roads", "buffer", (2, 5, 5), "relation source target", 2)),
        ("Stacked", ("roads", "buffer", (10, 5), "(relation target) source", 2)),
        ("Scattered", ("edge_index", "buffer", (12,), "edge", 1)),
    ],
)
def test_names_kinds_and_axes(name, row):
    torch.manual_seed(0)
    model, x = getattr(mixing_models, name)().eval(), torch.randn(2, FRAMES, NODES, 2)
    table = adjacencies(model, x, inputs="b t n c")
    assert [tuple(one) for one in table[["name", "kind", "shape", "axes", "relations"]].to_numpy()] == [row]
    assert not table["per_sample"].any()
    assert not table["per_frame"].any()
    assert table["why"].tolist() == [""]


class Given(Mixes):
    """Its adjacency is an argument."""

    def mix(self, x, adjacency):
        axes = {2: "uv", 3: "buv", 4: "btuv"}[adjacency.ndim]
        return torch.einsum(f"btuc,{axes}->btvc", x, adjacency)


@pytest.mark.parametrize("axes", ["source target", "sample source target", "sample frame source target"])
def test_arguments_that_are_the_same_or_differ_by_sample_and_frame(axes):
    torch.manual_seed(0)
    model, x = Given().double().eval(), torch.randn(3, FRAMES, NODES, 2).double()
    sizes = {"sample": 3, "frame": FRAMES, "source": NODES, "target": NODES}
    given = torch.rand([sizes[axis] for axis in axes.split()]).double() * (road() > 0)
    where = {"per_sample": {"adjacency": given}} if "sample" in axes else {"shared": {"adjacency": given}}
    (row,) = adjacencies(model, x, inputs="b t n c", **where).to_dict("records")
    assert (row["name"], row["kind"], row["axes"]) == ("adjacency", "argument", axes)
    assert (row["per_sample"], row["per_frame"]) == ("sample" in axes, "frame" in axes)
    frame = EdgeImportance(model, inputs="b t n c")(x, target=lambda scores: scores, **where).to_frame()
    got = np.zeros((3, FRAMES, NODES, NODES))
    got[tuple(frame[name].astype(int) for name in ("sample", "frame", "source", "target"))] = frame["importance"]
    full = given.reshape([sizes[axis] if axis in axes.split() else 1 for axis in sizes]).expand(*sizes.values())
    expected = torch.einsum("btuv,btuc,tvc->btuv", full, model.before(x).detach(), model.weight)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_every_layer_and_support_has_an_entry():
    torch.manual_seed(0)
    table = adjacencies(WaveNet().eval(), torch.randn(2, 2, 5, 8), inputs="b c n t")
    assert table["name"].tolist() == [
        name for layer in range(3) for name in (f"road in layers.{layer}.einsum", f"layers.{layer}.einsum")
    ]
    assert table["kind"].tolist() == ["buffer", "computed"] * 3
    assert table.attrs["inferences"] < 60


def test_a_layer_that_mixes_channels_is_not_listed_where_their_number_is_that_of_the_nodes():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(NODES, NODES), nn.ReLU(), nn.Linear(NODES, NODES))
    assert adjacencies(model, torch.randn(2, NODES, NODES, NODES), inputs="b t n c").empty


@pytest.mark.parametrize("relations", ["chebyshev", "random_walk"])
def test_the_packages_own_forecaster(relations):
    """Summed over frames it is gradient x weight, and the frames are those that the layer stands for."""
    graph = STGraph.from_edges(list("abcd"), [("a", "b"), ("b", "c"), ("c", "d")], directed=relations != "chebyshev")
    torch.manual_seed(3)
    model = STGCNForecaster(graph, relations=relations, blocks=((8, 4, 8), (8, 4, 8))).double()
    x = torch.randn(2, 1, 12, 4, 1).double()
    names = ["blocks.0.spatial.adjacency", "blocks.1.spatial.adjacency"]
    e = EdgeImportance(model)(x, target=Forecast("d", 3))
    assert list(dict.fromkeys(e.block)) == names
    assert e.over_time[names[0]].frames.tolist() == list(range(1, 11))
    assert e.over_time[names[1]].frames.tolist() == list(range(3, 9))
    weights = EdgeImportance(model, of=names, ends="source target")(x, target=Forecast("d", 3))
    columns = ["block", "source", "target", "relation"]
    for sample in (0, 1):
        mine, theirs = (one.edges(sample).groupby(columns[:3])["value"].sum() for one in (e, weights))
        assert mine.abs().max() > 1e-4
        np.testing.assert_allclose(mine.sort_index(), theirs.sort_index(), rtol=1e-5, atol=1e-7)


def test_nothing_is_left_behind_also_after_an_error():
    class Fails(mixing_models.ByDGL):
        def forward(self, x):
            super().forward(x)
            raise RuntimeError("no")

    model, x = Fails().train(), torch.randn(2, FRAMES, NODES, 2)
    gspmm = sys.modules["dgl.ops.spmm"].gspmm
    before = x.clone()
    with pytest.raises(InputError, match="no"):
        adjacencies(model, x, inputs="b t n c")
    model = mixing_models.ByDGL().train()
    EdgeImportance(model, inputs="b t n c")(x, target=lambda scores: scores)
    assert sys.modules["dgl.ops.spmm"].gspmm is gspmm
    assert torch.equal(x, before)
    for module in model.modules():
        assert module.training
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert not torch.overrides._get_current_function_mode_stack()


def test_operations_in_place_after_a_product_change_nothing():
    class InPlace(mixing_models.Einsum):
        def mix(self, x):
            return super().mix(x).mul_(2).add_(1)

    torch.manual_seed(0)
    model, x = InPlace().double().eval(), torch.randn(2, FRAMES, NODES, 2).double()
    explain = EdgeImportance(model, inputs="b t n c")
    plain = EdgeImportance(mixing_models.Einsum().double().eval(), inputs="b t n c")
    plain.model.load_state_dict(model.state_dict())
    mine, theirs = (one(x, target=lambda scores: scores).to_frame() for one in (explain, plain))
    np.testing.assert_allclose(mine["importance"], 2 * theirs["importance"], rtol=1e-6)


def test_what_cannot_be_explained_is_refused():
    torch.manual_seed(0)
    model, x = mixing_models.Einsum().eval(), torch.randn(2, FRAMES, NODES, 2)
    with pytest.raises(InputError, match="one node"):
        adjacencies(nn.Identity(), torch.randn(2, FRAMES, 3), inputs="b t c")
    with pytest.raises(InputError, match="'road'"):
        EdgeImportance(model, "rode", inputs="b t n c")(x, target=lambda scores: scores)
    with pytest.raises(InputError, match="does not depend on what mixes nodes"):
        EdgeImportance(model, inputs="b t n c")(x, target=lambda scores: scores.detach())
