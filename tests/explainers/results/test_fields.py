"""The fields of an explanation: their types, what stands for those that are not given, and sizes that do not fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation

SHAPE = (2, 3, 4, 5)
VALUES, VALID = np.arange(120.0).reshape(SHAPE), np.ones(SHAPE[:3], np.int64)


def test_what_stands_for_fields_that_are_not_given():
    e = Explanation(VALUES, VALID)
    assert (e.values.dtype, e.valid.dtype) == (np.float32, np.bool_)
    assert e.node_names == ("0", "1", "2", "3", "4")
    assert (e.ids, e.classes, e.channel_names, e.channel_units) == (("", ""), (), (), ())
    assert e.time.tolist() == [0, 1, 2, 3]
    assert (e.time.dtype, e.targets.dtype, e.score.dtype) == (np.float64, np.int64, np.float32)
    assert e.targets.tolist() == [-1, -1]
    assert np.isnan(e.score).all()
    assert (e.padding_share.tolist(), e.padding_share.dtype) == ([0, 0], np.float32)
    assert (e.layer_values, e.observed, e.channels, e.standard_error) == (None, None, None, None)
    named = Explanation(VALUES, VALID, channels=np.zeros((*SHAPE, 2)))
    assert named.channel_names == ("0", "1")


GIVEN = {
    "node_names": ["a", "b", "c", "d", 5],
    "ids": ["x", "y"],
    "targets": [1, 2],
    "score": [0.5, 1.5],
    "padding_share": [0.25, 0.5],
    "time": [1, 2, 3, 4],
    "layer_values": np.zeros((2, 3, 7, 5)),
    "observed": np.ones(SHAPE, np.int64),
    "channels": np.ones((*SHAPE, 2)),
    "channel_names": ["u", "v"],
    "channel_units": ["m", "s"],
    "standard_error": np.ones(SHAPE),
    "extra": {"missed": np.zeros(2)},
    "timestamps": pd.DatetimeIndex(["2026-01-01", "2026-01-02"]),
}


def test_what_is_given_has_its_type():
    e = Explanation(VALUES, VALID, **GIVEN)
    assert e.node_names == ("a", "b", "c", "d", "5")
    assert (e.ids, e.channel_names, e.channel_units) == (("x", "y"), ("u", "v"), ("m", "s"))
    assert (e.targets.tolist(), e.score.tolist(), e.padding_share.tolist()) == ([1, 2], [0.5, 1.5], [0.25, 0.5])
    assert e.time.tolist() == [1, 2, 3, 4]
    for name in ("layer_values", "channels", "standard_error"):
        assert getattr(e, name).dtype == np.float32
        assert getattr(e, name).shape == GIVEN[name].shape
    assert e.observed.dtype == np.bool_


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("node_names", ["a"] * 4, "node_names has 4 entries; expected 5"),
        ("ids", ["x"], "ids has 1 entry; expected 2"),
        ("targets", [1, 2, 3], "targets has 3 entries; expected 2"),
        ("score", [1.0], "score has 1 entry; expected 2"),
        ("padding_share", [1.0], "padding_share has 1 entry; expected 2"),
        ("time", [1.0, 2.0], "time has 2 entries; expected 4"),
        ("timestamps", pd.DatetimeIndex(["2026-01-01"]), "timestamps has 1 entry; expected 2"),
        ("extra", {"missed": np.zeros(3)}, r"extra\['missed'\] has 3 entries; expected 2"),
        ("channel_names", ["u"], "channel_names has 1 entry; expected 2"),
        ("layer_values", np.zeros((2, 3, 7, 4)), "layer_values has shape"),
        ("layer_values", np.zeros((2, 2, 7, 5)), "layer_values has shape"),
        ("layer_values", np.zeros((1, 3, 7, 5)), "layer_values has shape"),
        ("observed", np.ones((2, 3, 3, 5)), "observed has shape"),
        ("standard_error", np.ones((2, 3, 4, 4)), "standard_error has shape"),
        ("channels", np.ones((2, 3, 4, 4, 2)), "channels has shape"),
        ("channels", np.ones((2, 3, 3, 5, 2)), "channels has shape"),
        ("channels", np.ones(SHAPE), "channels has shape"),
        ("valid", np.ones((2, 3, 3)), "valid has shape"),
        ("valid", np.ones((2, 2, 4)), "valid has shape"),
        ("values", np.zeros((2, 3, 4)), "values has shape"),
    ],
)
def test_what_does_not_fit_the_values_is_named(name, wrong, words):
    e = Explanation(VALUES, VALID, **GIVEN)
    with pytest.raises(InputError, match=words):
        replace(e, **{name: wrong})


@pytest.mark.parametrize("name", ["node_names", "ids", "classes", "channel_names", "channel_units"])
def test_names_hold_no_control_characters(name):
    names = ["a", "b\x1b[2J", "c", "d", "e"] if name == "node_names" else ["a", "b\x1b[2J"]
    with pytest.raises(InputError, match=rf"{name}\[1\]"):
        replace(Explanation(VALUES, VALID, **GIVEN), **{name: names})
