from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stexplain.data.samples import Batch
from stexplain.errors import DataError, InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.joined import joined
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.results.notes import chosen
from stexplain.explainers.targets import Class
from stexplain.graph import STGraph

GRAPH = STGraph.from_edges(["hip", "knee", "hand"], [("hip", "knee"), ("hip", "hand")], groups={"leg": ["hip", "knee"]})


def explanation(samples=3, **options):
    random = np.random.default_rng(0)
    valid = random.random((samples, 2, 5)) > 0.3
    values = random.normal(size=(samples, 2, 5, 3)).astype(np.float32) * valid[..., None]
    given = {
        "node_names": GRAPH.nodes,
        "method": "STG-Grad-CAM",
        "target": "the predicted class",
        "targets": np.arange(samples),
        "score": random.normal(size=samples),
        "ids": tuple(f"clip {row}" for row in range(samples)),
        "classes": ("throw", "kick", "écouter"),
        "layer": "blocks.9",
        "layer_values": random.normal(size=(samples, 2, 2, 3)),
        "stride": 4,
        "padding_share": random.random(samples),
        "graph": GRAPH,
    }
    return Explanation(values, valid, **{**given, **options})


def same(one, other):
    for name in ("values", "valid", "time", "targets", "score", "padding_share"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "score")
        assert getattr(one, name).dtype == getattr(other, name).dtype
    for name in ("node_names", "method", "target", "ids", "classes", "layer", "stride"):
        assert getattr(one, name) == getattr(other, name)
    assert (one.layer_values is None) == (other.layer_values is None)
    assert one.layer_values is None or np.array_equal(one.layer_values, other.layer_values)
    assert (one.graph is None) == (other.graph is None)
    assert one.graph is None or one.graph.hash == other.graph.hash


def test_nodes_are_means_of_the_positive_part_over_what_is_valid():
    e = explanation()
    table = e.nodes()
    for row, node in np.ndindex(3, 3):
        kept = [max(float(e.values[row, m, t, node]), 0.0) for m in range(2) for t in range(5) if e.valid[row, m, t]]
        assert np.isclose(table.iloc[row, node], np.mean(kept))
    assert list(table.index) == ["clip 0", "clip 1", "clip 2"]
    assert list(table.columns) == ["hip", "knee", "hand"]
    assert np.allclose(e.groups()["leg"], (table["hip"] + table["knee"]) / 2)


def test_nothing_valid_is_nothing_important():
    e = Explanation(np.ones((1, 1, 2, 3)), np.zeros((1, 1, 2), bool))
    assert e.nodes().to_numpy().tolist() == [[0.0, 0.0, 0.0]]


def test_pandas_has_a_row_per_valid_cell():
    e = explanation()
    table = e.to_pandas()
    assert len(table) == e.valid.sum() * 3
    row = table.iloc[7]
    sample, node = e.ids.index(row["sample"]), e.node_names.index(row["node"])
    assert row["value"] == e.values[sample, row["instance"], row["frame"], node]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layer_values": None},
        {"graph": None, "classes": ()},
        {"ids": ("", "", "")},
        {"score": None, "targets": None},
    ],
)
def test_what_is_saved_comes_back(tmp_path, options):
    e = explanation(**options)
    e.save(tmp_path / "e.nc")
    same(e, Explanation.load(tmp_path / "e.nc"))
    assert [path.name for path in tmp_path.iterdir()] == ["e.nc"]


def test_broken_files_are_told(tmp_path):
    path = tmp_path / "e.nc"
    with pytest.raises(DataError, match="is missing"):
        Explanation.load(path)
    path.write_bytes(b"no such thing")
    with pytest.raises(DataError, match=str(path)):
        Explanation.load(path)
    explanation().save(path)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DataError, match=str(path)):
        Explanation.load(path)
    explanation().to_xarray().drop_vars("valid").to_netcdf(path, engine="scipy")
    with pytest.raises(DataError, match="valid"):
        Explanation.load(path)


def test_xarray_names_its_axes():
    result = explanation().to_xarray()
    assert result["values"].dims == ("sample", "instance", "time", "node")
    assert result["values"].sel(node="hand", sample="clip 1").shape == (2, 5)


def test_parts_and_joining_are_inverse():
    e = explanation()
    same(e, joined([e[0], e[1:]]))
    same(e[-1], e[2])
    assert len(e[np.array([0, 2])]) == 2
    assert [part.ids[0] for part in e] == ["clip 0", "clip 1", "clip 2"]
    with pytest.raises(IndexError):
        e[3]


def test_unlike_explanations_are_not_joined():
    with pytest.raises(InputError, match="method"):
        joined([explanation(), explanation(method="CAM")])
    with pytest.raises(InputError, match="no explanations"):
        joined([])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"time": np.arange(5.0) * 2}, r"times from 0 to 4 \(frame\) and from 0 to 8 \(frame\)"),
        ({"time_unit": "s"}, r"times from 0 to 4 \(frame\) and from 0 to 4 \(s\)"),
        ({"graph": STGraph.from_edges(GRAPH.nodes, [("hip", "knee"), ("knee", "hand")])}, "different graphs"),
        ({"graph": None}, "different graphs"),
        ({"measures": "score"}, "different measures cannot be joined: , score"),
        ({"extra": {"kept": np.ones(3)}}, "further numbers in some alone"),
    ],
)
def test_parts_have_one_time_and_one_graph(other, message):
    """Those of the first would else be taken for all."""
    with pytest.raises(InputError, match=message):
        joined([explanation(), explanation(**other)])
    assert len(joined([explanation(**other), explanation(**other)])) == 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"node_names": ("a", "b")}, "node_names has 2"),
        ({"ids": ("a",)}, "ids has 1"),
        ({"time": np.arange(4)}, "time has 4"),
        ({"targets": np.arange(2)}, "targets has 2"),
        ({"layer_values": np.zeros((3, 2, 2, 4))}, "n=3"),
    ],
)
def test_what_does_not_fit_is_named(wrong, words):
    with pytest.raises(InputError, match=words):
        explanation(**wrong)
    with pytest.raises(InputError, match="valid"):
        Explanation(np.zeros((1, 1, 2, 3)), np.zeros((1, 2, 1), bool))


def test_repr_says_briefly_what_was_noted():
    long = "Channel 3 of the input is an index that the model looks up: it is not perturbed, and its map is zero."
    text = repr(explanation(notes=(long, "Computed in float32.")))
    assert text.endswith(
        "; noted: Channel 3 of the input is an index that the model looks up: it is [...] (and 1 more)>"
    )
    assert "noted" not in repr(explanation())
    # Which method it is by stands before.
    by_default = chosen("", "expected fall")
    assert "noted" not in repr(explanation(notes=(by_default,)))
    assert "noted: Computed in float32.>" in repr(explanation(notes=(by_default, "Computed in float32.")))


def test_repr_names_what_matters():
    values = np.zeros((2, 1, 4, 3))
    values[..., 2] = 1
    e = Explanation(values, np.ones((2, 1, 4), bool), GRAPH.nodes, method="CAM", target="class 'throw'", layer="b.1")
    assert repr(e) == (
        "<Explanation of class 'throw' in 2 samples by CAM at b.1: 1 instance x 4 frames x 3 nodes; "
        "most important: hand>"
    )


@pytest.mark.parametrize(
    ("time", "says"),
    [
        (
            [-900, -600, -300, 0],
            "4 frames (15 to 0 min earlier) x 3 nodes; most important: hand, most at 5 min earlier>",
        ),
        ([0.0, 0.5, 1.0, 1.5], "4 frames (0.00 to 1.50 s) x 3 nodes; most important: hand, most at 1.00 s>"),
    ],
)
def test_repr_says_when_where_times_are_known(time, says):
    values = np.zeros((2, 1, 4, 3))
    # NaN: a reading that was not observed is never the most.
    values[..., 2], values[:, :, 2, 2], values[:, :, 3, 1] = 1, 2, np.nan
    e = Explanation(values, np.ones((2, 1, 4), bool), GRAPH.nodes, time=time, time_unit="s")
    assert repr(e).endswith(says)


def test_groups_need_a_graph():
    assert isinstance(explanation().groups(), pd.DataFrame)
    with pytest.raises(InputError, match="groups"):
        explanation(graph=None).groups()


def test_a_sensor_that_was_read_half_of_the_time_has_no_zeros_in_its_gaps(tmp_path: Path) -> None:
    """The mean over what was observed: a sensor of constant importance keeps it, however often it was silent."""
    values = np.ones((2, 1, 4, 3), np.float32)
    observed = np.ones(values.shape, bool)
    observed[:, :, ::2, 1] = False
    observed[:, :, :, 2] = False
    e = Explanation(values * observed, np.ones((2, 1, 4), bool), tuple("abc"), ids=("one", "two"), observed=observed)
    assert e.nodes().to_numpy().tolist() == [[1, 1, 0], [1, 1, 0]]
    districts = STGraph.from_edges("abc", [("a", "b"), ("b", "c")], groups={"near": ["a", "c"], "far": ["c"]})
    of_groups = Explanation(e.values, e.valid, tuple("abc"), observed=observed, graph=districts).groups()
    assert of_groups.to_dict("list") == {"near": [1, 1], "far": [0, 0]}
    # A part, a file, and a join with samples that have no gaps keep what was observed.
    whole = Explanation(values, np.ones((2, 1, 4), bool), tuple("abc"), ids=("three", "four"))
    assert joined([e[[1]], whole]).nodes().to_numpy().tolist() == [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    # The table has no row in which a gap is a zero: its means are those of `nodes`.
    table = e.to_pandas()
    assert len(table) == observed.sum()
    assert table.groupby(["sample", "node"])["value"].mean().to_dict() == {
        (sample, node): 1.0 for sample in ("one", "two") for node in "ab"
    }
    e.save(tmp_path / "e.nc")
    assert np.array_equal(Explanation.load(tmp_path / "e.nc").present, observed)
    with pytest.raises(InputError, match="observed has shape"):
        Explanation(values, np.ones((2, 1, 4), bool), observed=observed[:, :, :2])


def test_the_mask_of_a_batch_reaches_the_explanation() -> None:
    x = torch.ones(1, 1, 4, 2, 1)
    observed = torch.ones(1, 1, 4, 2, dtype=torch.bool)
    observed[:, :, :2, 1] = False
    batch = Batch(x * observed[..., None], torch.ones(1, 1, 4).bool(), torch.zeros(1).long(), ("a",), observed=observed)
    e = InputGradient(nn.Sequential(nn.Flatten(), nn.Linear(8, 2)), inputs="b m t n c")(batch, target=Class(0))
    assert np.array_equal(e.present, observed.numpy())
    assert (
        InputGradient(nn.Sequential(nn.Flatten(), nn.Linear(8, 2)), inputs="b m t n c")(x, target=Class(0)).observed
        is None
    )


def test_what_is_not_said_is_not_known():
    """A class of -1 is none, and a score of NaN none; arrays of any type are those of the fields."""
    values = np.ones((2, 1, 3, 2))
    e = Explanation(values, np.ones((2, 1, 3)), channels=np.ones((2, 1, 3, 2, 4)))
    assert (e.targets.tolist(), e.targets.dtype) == ([-1, -1], np.int64)
    assert np.isnan(e.score).all()
    assert (e.padding_share.tolist(), e.padding_share.dtype, e.score.dtype) == ([0, 0], np.float32, np.float32)
    assert (e.time.tolist(), e.time.dtype, e.time_unit, e.stride) == ([0, 1, 2], np.float64, "frame", 1)
    assert (e.node_names, e.channel_names, e.ids) == (("0", "1"), ("0", "1", "2", "3"), ("", ""))
    assert (e.values.dtype, e.valid.dtype, e.channels.dtype) == (np.float32, np.bool_, np.float32)
    unknown = (e.layer_values, e.observed, e.standard_error, e.graph, e.call, dict(e.extra), e.layer, e.notes)
    assert unknown == (None, None, None, None, None, {}, "", ())


@pytest.mark.parametrize("name", ["channels", "standard_error", "layer_values", "observed"])
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_every_further_array_is_of_the_same_samples_instances_frames_and_nodes(name, axis):
    shape = (2, 3, 4, 5)
    values, valid, more = np.ones(shape), np.ones(shape[:3], bool), [6] * (name == "channels")
    assert getattr(Explanation(values, valid, **{name: np.ones([*shape, *more])}), name).shape[:4] == shape
    other = [size + (at == axis) for at, size in enumerate(shape)]
    if name == "layer_values" and axis == 2:
        # A layer has its own number of positions in time.
        assert Explanation(values, valid, layer_values=np.ones(other)).layer_values.shape == (2, 3, 5, 5)
        return
    with pytest.raises(InputError, match=name):
        Explanation(values, valid, **{name: np.ones([*other, *more])})


@pytest.mark.parametrize(
    ("measures", "unit", "with_output", "with_both"),
    [
        ("score", "score", "mph", "mph"),
        ("size of score", "score", "mph", "mph"),
        ("score per input", "score per unit of the input", "mph per unit of the input", "mph per degC"),
        ("share", "share", "share", "share"),
        ("", "importance", "importance", "importance"),
    ],
)
def test_what_values_are_in(measures, unit, with_output, with_both):
    e = Explanation(np.ones((1, 1, 2, 1)), np.ones((1, 1, 2), bool), measures=measures)
    assert (e.unit(), e.unit("mph"), e.unit("mph", "degC")) == (unit, with_output, with_both)
    known = replace(e, output_unit="mph", channel_units=["degC", "degC"])
    assert known.channel_units == ("degC", "degC")
    assert (known.unit(), known.unit("m", "s")) == (with_both, with_both.replace("mph", "m").replace("degC", "s"))
    # Of channels in several units there is no one.
    assert replace(known, channel_units=("degC", "")).unit() == with_output
    # Values have a sign where their unit has one, or where one is below zero.
    assert e.signed == (measures in ("score", "score per input"))
    assert replace(e, values=-e.values).signed
