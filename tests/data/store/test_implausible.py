"""What is finite and hardly a measurement is named: by preparation, by the check of a store, and in reports."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import stexplain as stx
from stexplain.bench.dataset import open_data
from stexplain.bench.page.first import first_screen
from stexplain.cards import any_card
from stexplain.cli.main import app
from stexplain.data.planted.cache import planted_store
from stexplain.data.skeletons.prepare import prepare_skeletons
from stexplain.data.store.check import check_store
from stexplain.data.store.implausible import implausible_recordings
from stexplain.data.store.prepared import Store
from stexplain.errors import CardError

JOINTS = ["hip", "knee", "foot", "toe"]
GRAPH = stx.STGraph.from_edges(JOINTS, [("hip", "knee"), ("knee", "foot"), ("foot", "toe")], center="hip")


def store(tmp_path, change=lambda x: None, channels=3):
    """A store of 6 recordings [1, 8, 4, C], after a change of their values [6, 1, 8, 4, C]."""
    x = np.random.default_rng(0).normal(size=(6, 1, 8, 4, channels)).astype(np.float32)
    change(x)
    np.savez(tmp_path / "raw.npz", x=x, y=np.arange(6) % 2)
    with pytest.warns() if (np.abs(x) > 1e6).any() or (x == x[:, :, :, :1]).all((3, 4)).any() else _quiet():
        prepare_skeletons(tmp_path / "raw.npz", tmp_path / "store", graph=GRAPH, axes="b m t n c", people=False)
    return Store.open(tmp_path / "store")


class _quiet:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


def far(x):
    x[1, 0, 2, 1, 0] = 1e30


def together(x):
    x[2, 0, 3:5] = 0.5


def still(x):
    x[4] = x[4, :, :1]


def again(x):
    x[5] = x[0]


def frozen_node(x):
    x[:, :, :, 2] = 7.0


def twin(x):
    x[:, :, :, 3] = x[:, :, :, 1]


def centred(x):
    x -= x[:, :, :, :1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (far, ["1 of 6 recordings holds values up to 1e+30 (1)"]),
        (together, ["1 of 6 recordings has frames (2 in all) with all nodes in one point (2)"]),
        (still, ["1 of 6 recordings does not change in any frame (4)"]),
        (again, ["1 of 6 recordings repeats another recording, value for value (5)"]),
        (frozen_node, ["1 of 4 nodes never changes (foot)"]),
        (twin, ["1 of 4 nodes repeats another in every recording (toe as knee)"]),
        (lambda x: None, []),
        (centred, []),
    ],
)
def test_each_kind_is_named_and_nothing_else(tmp_path, change, said):
    opened = store(tmp_path, change)
    assert implausible_recordings(opened) == said
    assert list(check_store(opened.path).warnings) == said


def test_it_is_said_when_prepared_when_checked_and_on_the_first_screen_of_a_report(tmp_path):
    opened = store(tmp_path, again)
    (said,) = implausible_recordings(opened)
    checked = CliRunner().invoke(app, ["data", "check", str(opened.path)])
    assert checked.exit_code == 0
    assert f"warning:  {said}" in checked.output
    shown = json.loads(CliRunner().invoke(app, ["data", "check", str(opened.path), "--json"]).output)
    assert shown["warnings"] == [said]
    again_ = prepare_skeletons(tmp_path / "raw.npz", tmp_path / "two", graph=GRAPH, axes="b m t n c", people=False)
    assert list(again_.warnings) == [said]
    assert f"warning:  {said}" in str(again_)
    assert open_data(any_card(opened.path), opened.path, tmp_path, progress=False)["implausible"] == [said]


def test_a_broken_card_beside_its_store_is_found(tmp_path):
    opened = store(tmp_path)
    card = opened.path / "card.toml"
    card.write_text(card.read_text().replace("channels =", "chanels ="))
    with pytest.raises(CardError, match="axes.channels: required"):
        check_store(opened.path)


def test_parts_of_a_store_are_looked_at_one_after_another(tmp_path, monkeypatch):
    opened = store(tmp_path, again)
    whole = implausible_recordings(opened)
    monkeypatch.setattr("stexplain.data.store.implausible.BLOCK", 2)
    assert implausible_recordings(opened) == whole


def test_generated_recordings_are_plausible():
    assert implausible_recordings(Store.open(planted_store(any_card("ntu")))) == []


def test_values_without_a_known_unit_are_compared_with_the_usual_ones(tmp_path):
    x = np.random.default_rng(0).normal(size=(6, 1, 8, 4, 1)).astype(np.float32) * 1e-5
    x[3, 0, 1, 2] = 50.0
    clips = stx.data.Clips.from_arrays(list(x), [0, 1] * 3, graph=GRAPH, channels=["V"])
    from stexplain.data.store.own import write_own

    summary = write_own(tmp_path / "store", lambda path: clips, name="eeg", command="-", unlabelled="-")
    assert list(summary.warnings) == ["1 of 6 recordings holds values up to 50 (3)"]


def test_sensors_of_a_series_are_named_in_its_report(tmp_path, monkeypatch):
    card = any_card("roads")
    described = open_data(card, None, tmp_path, progress=False)
    assert described["implausible"] == []
    source = Path(described["source"])
    folder = shutil.copytree(source, tmp_path / "roads")
    speeds = pd.read_csv(folder / "speeds.csv", index_col=0)
    speeds.iloc[:, 2] = 50.0
    speeds.to_csv(folder / "speeds.csv")
    assert open_data(card, folder, tmp_path, progress=False)["implausible"] == [
        f"1 of {speeds.shape[1]} sensors never changes ({speeds.columns[2]!r})"
    ]


def test_the_first_screen_of_a_report_names_it_before_all_else(tmp_path):
    results = {
        "datasets": {"mine": {"title": "Mine", "planted": True, "implausible": ["1 of 6 nodes <b> never change"]}}
    }
    page = first_screen(tmp_path, results, [], [], None)
    assert "Implausible data, Mine: 1 of 6 nodes &lt;b&gt; never change." in page
    assert page.index("Implausible data") < page.index("say nothing about real data")
    assert "Implausible" not in first_screen(tmp_path, {"datasets": {"mine": {"title": "Mine"}}}, [], [], None)
