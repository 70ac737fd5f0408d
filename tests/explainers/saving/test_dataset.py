"""The fields of an explanation as an xarray dataset, and back, in memory: each by itself, and all together."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import xarray

from stexplain.errors import DataError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.saving.dataset import from_dataset, to_dataset
from stexplain.graph import STGraph

SHAPE = (2, 1, 3, 2)
RANDOM = np.random.default_rng(0)
PLAIN = Explanation(RANDOM.normal(size=SHAPE), np.array([[[True, True, False]], [[True] * 3]]))
FIELDS = {
    "node_names": ("hip", "knee"),
    "time": [-600.0, -300.0, 0.0],
    "time_unit": "s",
    "method": "ours",
    "target": "class 3",
    "targets": [3, 1],
    "score": [0.5, -1.5],
    "ids": ("one", "two"),
    "classes": ("a", "b"),
    "observed": RANDOM.random(SHAPE) < 0.5,
    "reduce": "the sum over channels",
    "measures": "score",
    "output_unit": "MW",
    "channel_units": ("MW", "°C"),
    "standard_error": RANDOM.random(SHAPE),
    "notes": ("First.", "Second: ü."),
    "made_by": {"explainer": "Ours(Small)", "seed": 0, "versions": {"torch": "2.8", "dgl": None}},
    "layer": "blocks.1",
    "layer_values": RANDOM.normal(size=(2, 1, 5, 2)),
    "stride": 4,
    "padding_share": [0.25, 0.0],
    "graph": STGraph.from_edges(["hip", "knee"], [("hip", "knee")]),
    "extra": {"missed": np.array([1.0, 2.0]), "values": np.array([3.0, 4.0])},
    "timestamps": pd.DatetimeIndex(["2026-03-28 23:00", "2026-03-29 03:00"], tz="Europe/Berlin"),
}
CHANNELS = {"channels": RANDOM.normal(size=(*SHAPE, 2)), "channel_names": ("power", "heat")}


def again(e: Explanation) -> Explanation:
    return Explanation(**from_dataset(to_dataset(e._fields())))


def same(one, other) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return one.dtype == other.dtype and bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, pd.DatetimeIndex):
        return one.equals(other) and str(one.tz) == str(other.tz)
    return one == other


@pytest.mark.parametrize("name", [*FIELDS, "channels", "none", "all"])
def test_fields_come_back_as_they_were(name):
    given = {"none": {}, "all": {**FIELDS, **CHANNELS}, "channels": CHANNELS}.get(name) or {
        key: FIELDS[key] for key in [name] if name in FIELDS
    }
    e = dataclasses.replace(PLAIN, **given)
    found = again(e)
    for field in dataclasses.fields(e):
        if field.name != "call":
            assert same(getattr(e, field.name), getattr(found, field.name)), field.name


def test_moments_without_a_zone_and_of_a_zone_that_is_not_known():
    naive = dataclasses.replace(PLAIN, timestamps=pd.DatetimeIndex(["2026-01-01", "2026-01-02 12:30"]))
    assert again(naive).timestamps.equals(naive.timestamps)
    dataset = to_dataset(dataclasses.replace(PLAIN, timestamps=FIELDS["timestamps"])._fields())
    dataset.attrs["time_zone"] = "Mars/Olympus"
    found = from_dataset(dataset)["timestamps"]
    assert (found == FIELDS["timestamps"]).all()


def test_files_of_earlier_versions_lack_what_came_later():
    dataset = to_dataset(PLAIN._fields())
    later = ("reduce", "measures", "time_unit", "output_unit", "channel_units", "notes", "time_zone")
    dataset.attrs = {name: value for name, value in dataset.attrs.items() if name not in later}
    e = Explanation(**from_dataset(dataset))
    assert (e.reduce, e.measures, e.time_unit, e.output_unit, e.channel_units, e.notes) == ("", "", "frame", "", (), ())


def test_names_of_variables_and_their_types():
    dataset = to_dataset(dataclasses.replace(PLAIN, **FIELDS, **CHANNELS)._fields())
    assert dataset["values"].dims == ("sample", "instance", "time", "node")
    assert dataset["channels"].dims == ("sample", "instance", "time", "node", "channel")
    assert dataset["layer_values"].dims == ("sample", "instance", "position", "node")
    assert dataset["target"].dtype == np.int32
    assert dataset["target"].attrs["long_name"] == "class 3"
    assert {"extra_missed", "extra_values"} <= set(dataset.data_vars)
    assert json.loads(dataset.attrs["notes"]) == ["First.", "Second: ü."]
    assert dataset.attrs["time_zone"] == "Europe/Berlin"
    assert "channel" not in to_dataset(PLAIN._fields()).coords


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda dataset: dataset.assign_attrs(format=2), "the format is 2; this version reads format 1"),
        (lambda dataset: dataset.drop_vars("values"), "this is not an explanation"),
        (lambda dataset: dataset.assign_attrs(graph="{"), "this is not an explanation"),
        (lambda dataset: dataset.assign_attrs(stride="x"), "this is not an explanation"),
        (lambda _: xarray.Dataset(), "this is not an explanation"),
    ],
)
def test_what_is_no_explanation(change, words):
    with pytest.raises(DataError, match=words):
        from_dataset(change(to_dataset(PLAIN._fields())))
