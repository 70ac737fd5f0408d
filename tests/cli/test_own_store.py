"""A store of one's own files has its card in it: no option and no call names it twice."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import stexplain as stx
from stexplain.bench.dataset import open_data
from stexplain.cards import dataset_card
from stexplain.cli.main import app
from stexplain.data.skeletons.prepare import prepare_skeletons
from stexplain.errors import InputError

JOINTS = ["hip", "knee", "ankle"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(2, 4, (3, 1), padding=(1, 0)), nn.Linear(4, 2)

    def forward(self, x):  # b c t n
        return self.head(self.conv(x).relu().mean((2, 3)))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Of five persons in each of two groups, two recordings each; the store is far from where commands run."""
    folder = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(0)
    names = [f"p{person}-{take}" for person in range(10) for take in range(2)]
    rows = [(name, t, joint, *random.normal(size=2)) for name in names for t in range(8) for joint in JOINTS]
    pd.DataFrame(rows, columns=["sample", "frame", "joint", "x", "y"]).to_csv(folder / "poses.csv", index=False)
    labels = [(name, ["control", "patient"][int(name[1]) % 2], name.split("-")[0]) for name in names]
    pd.DataFrame(labels, columns=["sample", "label", "subject"]).to_csv(folder / "labels.csv", index=False)
    graph = stx.STGraph.from_edges(JOINTS, [("hip", "knee"), ("knee", "ankle")])
    said = prepare_skeletons(folder / "poses.csv", folder / "store", graph=graph, labels=folder / "labels.csv")
    return folder / "store", said


def explained(*options):
    factory = f"{__name__}:Net"
    result = CliRunner().invoke(app, ["explain", factory, "--inputs", "b c t n", *options, "--json"])
    return result, json.loads(result.stdout) if result.exit_code == 0 else None


def test_a_store_is_loaded_by_its_folder_alone(store, tmp_path, monkeypatch):
    folder, said = store
    monkeypatch.chdir(tmp_path)
    assert f"stexplain.load_dataset({str(folder)!r})" in said.note, "a path that works from any folder"
    whole, test = stx.load_dataset(folder), stx.load_dataset(folder, split="by-subject/test")
    assert len(whole) == 20
    assert 0 < len(test) < 20
    assert len(stx.load_dataset(dataset_card(folder))) == 20
    assert open_data(dataset_card(folder), None, tmp_path, progress=False)["samples"] == 20


def test_a_card_that_is_in_no_store_still_asks_for_data(store, tmp_path):
    (tmp_path / "card.toml").write_bytes((store[0] / "card.toml").read_bytes())
    with pytest.raises(InputError, match="needs a prepared store"):
        stx.load_dataset(tmp_path)


@pytest.mark.parametrize("named", ["--data", "--card"])
def test_explain_takes_the_card_and_the_data_of_a_store(store, tmp_path, named):
    result, found = explained(named, str(store[0]), "--out", str(tmp_path / "map.csv"))
    assert result.exit_code == 0, result.output
    assert found["samples"][0]["label"] in (0, 1)
    assert Path(tmp_path / "map.csv").is_file()


@pytest.mark.parametrize("column", ["label", "class"])
def test_groups_are_named_as_in_the_table_of_labels(store, tmp_path, column):
    options = ("--data", str(store[0]), "--group-by", f"{column}=control,patient", "--cluster-by", "subject")
    result, _ = explained(*options)
    assert "expected two or more of each" in str(result.exception), "the test split has three persons"
    result, found = explained(*options, "--split", "all", "--out", str(tmp_path / "groups.csv"))
    assert result.exit_code == 0, result.output
    assert (found["reference"], found["other"]) == ("control", "patient")
    assert found["sentences"][0] == "patient against control: 5 and 5 clusters of 10 and 10 samples."


@pytest.mark.parametrize("what", ["importance", "masking", "maps"])
def test_measures_take_a_model_of_another_layout(store, tmp_path, what):
    given = ["measure", f"{__name__}:Net", what, "--card", str(store[0]), "--out", str(tmp_path), "--json"]
    given += ["--method", "InputGradient", "--nodes", "1", "--split", "all"]
    result = CliRunner().invoke(app, [*given, "--inputs", "b c t n"])
    assert result.exit_code == 0, (result.output, result.exception)
    assert json.loads(result.stdout)["clips"] == 20


@pytest.mark.parametrize(("ending", "remedy"), [("parquet", "pip install pyarrow"), ("zarr", "or give .nc")])
def test_a_format_whose_package_is_missing_is_refused_before_anything_is_explained(store, monkeypatch, ending, remedy):
    monkeypatch.setattr("stexplain.cli.validate.outputs.find_spec", lambda name: None)
    result, _ = explained("--data", "nowhere", "--out", f"map.{ending}")
    assert f"--out: got map.{ending}, whose format needs a package" in str(result.exception)
    assert remedy in str(result.exception)


def test_data_that_is_not_there_is_named_and_not_the_card(tmp_path):
    result, _ = explained("--data", str(tmp_path / "nowhere"))
    assert "--data: got" in str(result.exception)
    assert "which does not exist" in str(result.exception)
    result, _ = explained("--data", str(tmp_path))
    assert "--card: got nothing" in str(result.exception)
    assert "stexplain data prepare skeletons" in str(result.exception)


def test_an_unknown_column_is_answered_with_the_nearest(store):
    result, _ = explained("--data", str(store[0]), "--group-by", "labels=control,patient")
    assert result.exit_code != 0
    assert "unknown column of --group-by 'labels'. Did you mean 'label'?" in str(result.exception)
