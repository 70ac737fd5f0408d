"""Garbage that is finite is named where it comes in; what is not is refused."""

import json
import os

import numpy as np
import pandas as pd
import pytest
import torch

import stexplain as stx
from stexplain.cards import card_names
from stexplain.cards.model import Recipe
from stexplain.checking.implausible import implausible_body, implausible_sensors
from stexplain.data.samples import Measured
from stexplain.errors import DataError, InputError
from stexplain.nn.checkpoint import load_model, save_model
from stexplain.reading.contents import files_under

GRAPH = stx.STGraph.from_edges(["s1", "s2", "s3"], [("s1", "s2"), ("s2", "s3")])


def series(tmp_path, change):
    values = np.random.default_rng(0).random((60, 3))
    change(values)
    time = pd.date_range("2024-01-01", periods=60, freq="5min", name="time")
    pd.DataFrame(values, time, columns=GRAPH.nodes).to_csv(tmp_path / "speeds.csv")
    return stx.load_sensors(tmp_path / "speeds.csv", graph=GRAPH, window=4, horizon=2)


def constant(values):
    values[:, 1] = 5.0


def repeated(values):
    values[:, 2] = values[:, 0]


def total(values):
    values[:, 2] = values[:, 0] + values[:, 1]


def rounded_total(values):
    total(values)
    values[:] = (20 * values).round(1)


def silent(values):
    values[:, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (constant, r"1 of 3 sensors never changes \('s2'\)"),
        (repeated, r"1 of 3 sensors repeats another \('s3' as 's1'\)"),
        (total, r"1 of 3 sensors is the sum of the others: leave it out where it is a total, and no place \('s3'\)"),
        (rounded_total, r"1 of 3 sensors is the sum of the others: .* \('s3'\)"),
        (silent, r"1 of 3 sensors was never observed \('s2'\)"),
    ],
)
def test_sensors_that_say_nothing_are_named(tmp_path, change, message):
    with pytest.warns(UserWarning, match=message):
        series(tmp_path, change)


def test_ordinary_sensors_are_not_named(tmp_path):
    assert len(series(tmp_path, lambda values: None)) == 55


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_is_named_and_hides_nothing_else(value):
    values = np.random.default_rng(0).random((40, 4))
    values[:, 2] = 7
    values[5, 1] = value
    assert implausible_sensors(values, list("abcd")) == [
        "1 of 4 sensors holds infinite values, of which no window can be taken: leave out what is missing ('b')",
        "1 of 4 sensors never changes ('c')",
    ]


def test_a_total_is_one_in_every_row_that_is_whole():
    values = np.random.default_rng(0).random((60, 4))
    values[:, 3] = values[:, :3].sum(1)
    names = ["a", "b", "c", "total"]
    gaps = np.where(np.random.default_rng(1).random(values.shape) < 0.1, np.nan, values)
    assert [said for said in implausible_sensors(gaps, names) if "sum of the others" in said and "'total'" in said]
    # Of channels each must be.
    both = np.stack([values, values], 2)
    assert any("sum of the others" in said for said in implausible_sensors(both, names))
    both[:, 3, 1] += 0.1
    assert not implausible_sensors(both, names)
    values[7, 3] += 0.1
    assert not implausible_sensors(values, names)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("nodes", [3, 5, 40])
def test_counts_are_no_total_by_chance(seed, nodes):
    about_zero = np.random.default_rng(seed).integers(-1, 2, (200, nodes)).astype(float)
    assert not any("others" in said for said in implausible_sensors(about_zero, list(map(str, range(nodes)))))
    values = np.random.default_rng(seed).integers(0, 3, (200, nodes)).astype(float)
    assert not any("sum" in said for said in implausible_sensors(values, list(map(str, range(nodes)))))
    values[:, 0] = values[:, 1:].sum(1)
    assert any("sum of the others" in said for said in implausible_sensors(values, list(map(str, range(nodes)))))


def test_bodies_that_cannot_be_are_named():
    xyz, valid = np.random.default_rng(0).random((1, 6, 4, 3)), np.ones((1, 6), bool)
    assert implausible_body(xyz, valid) == ""
    assert implausible_body(xyz / xyz.max() * 1e30, valid) == "coordinates up to 1e+30"
    xyz[0, 2] = 0.25
    assert implausible_body(xyz, valid) == "in 1 of 6 frames all joints are in one point"
    # Of a frame of padding nothing is expected.
    valid[0, 2] = False
    assert implausible_body(xyz, valid) == ""


@pytest.mark.parametrize("rate", [float("inf"), float("nan"), 0.0, -1.0])
def test_rates_are_finite_and_above_zero(rate):
    with pytest.raises(InputError, match="^frame_rate: got"):
        Measured(frame_rate=rate)
    with pytest.raises(ValueError, match="rate"):
        Recipe(summary="a recipe", epochs=1, batch=1, rate=rate)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    model = load_model("stgcn7", graph=stx.STGraph(["a", "b"], [(0, 1)], center="a"), classes=2, width=4)
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    save_model(tmp_path / "m", model)
    with pytest.raises(DataError, match=r"holds NaN or infinity.*train again"):
        load_model(tmp_path / "m")


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refused(path):
        # As for a folder of another user: whoever runs the tests may be allowed everything.
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=r"closed cannot be read: Permission denied"):
        list(files_under(tmp_path))


def test_a_broken_card_does_not_hide_the_others(tmp_path, monkeypatch, capsys):
    (tmp_path / "datasets" / "broken").mkdir(parents=True)
    (tmp_path / "datasets" / "broken" / "card.toml").write_text("name = [")
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    assert {"broken", "ntu"} <= set(card_names("datasets"))
    assert len(stx.STGraph.from_card("ntu")) == 25
    with pytest.raises(InputError, match=r"broken/card\.toml is not TOML"):
        stx.load_dataset("broken", split="xsub/test")
    from stexplain.cli.main import main

    monkeypatch.setattr("sys.argv", ["stexplain", "data", "list", "--json"])
    with pytest.raises(SystemExit):
        main()
    out = capsys.readouterr()
    assert "ntu" in out.out
    assert "broken" in out.out + out.err
    json.loads(out.out)
