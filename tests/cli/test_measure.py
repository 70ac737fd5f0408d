"""`stexplain measure` writes what the Python calls give, and goes on where it was stopped."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import typer
from typer.testing import CliRunner

from stexplain.cards import model_card
from stexplain.cli.measure import measure as command
from stexplain.data.load import load_dataset
from stexplain.data.store.prepare import prepare
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.metrics import dataset
from stexplain.nn.checkpoint import load_model, save_model
from tests.data.skeleton_files import body, write_ntu

SPLIT = "xsub/test"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store of six recordings of two classes by test subjects, and a small model."""
    folder = tmp_path_factory.mktemp("dataset")
    for number in range(6):
        name = f"S001C00{1 + number // 2}P00{3 + 3 * (number % 2)}R001A00{7 + number % 2}"
        write_ntu(folder / "raw" / str(number), name, {4: body(8 + number, number)})
    prepare("ntu", folder / "raw", folder / "store", workers=1, progress=False)
    clips = load_dataset("ntu", folder / "store")
    torch.manual_seed(0)
    graph = STGraph.from_card("ntu")
    model = load_model("stgcn7", graph=graph, classes=clips.classes, channels=[4], strides=[1])
    recipe = model_card("stgcn7").recipe("small").model_copy(update={"frames": 16})
    save_model(folder / "model", model, recipe=recipe)
    return folder


def run(*arguments):
    app = typer.Typer()
    app.command()(command)
    found = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert found.exit_code == 0
    return json.loads(found.stdout)


def test_what_is_written_is_what_the_calls_give(folder, tmp_path):
    given = ["--card", "ntu", "--data", folder / "store", "--split", SPLIT, "--json"]
    clips = load_dataset("ntu", folder / "store", SPLIT)
    model = load_model(folder / "model")
    expected = dataset.class_importance(model, clips)
    for _ in range(2):
        summary = run(folder / "model", "importance", *given, "--out", tmp_path / "a")
        assert summary["clips"] == len(clips)
        assert summary["correctly classified"] == int(expected.counts.sum())
        table = pd.read_csv(summary["table"], index_col=0)
        np.testing.assert_allclose(table.to_numpy(), expected.psi, rtol=1e-12)
    summary = run(folder / "model", "masking", *given, "--nodes", 3, "--out", tmp_path / "a")
    curve = dataset.masking_curve(model, clips, expected, nodes=3)
    table = pd.read_csv(summary["table"])
    np.testing.assert_allclose(table[table["set"] == "highlighted"]["accuracy"], curve.accuracy())
    assert summary["beta"] == pytest.approx(curve.faithfulness().value, abs=1e-4)
    summary = run(folder / "model", "maps", *given, "--method", "Motion", "--out", tmp_path / "maps")
    assert Explanation.load(summary["first"]).ids == tuple(clips.ids)


def test_mistakes_are_said(folder, tmp_path):
    given = ["--data", folder / "store", "--out", tmp_path / "a"]
    with pytest.raises(InputError, match="a series; expected recordings"):
        run("stgcn-roads", "importance", "--card", "roads", "--out", tmp_path / "a")
    with pytest.raises(InputError, match="these clips have no counterfactual"):
        run(folder / "model", "effect", "--card", "ntu", "--split", SPLIT, *given)
    with pytest.raises(InputError, match="unknown method 'Motoin'"):
        run(folder / "model", "maps", "--card", "ntu", "--method", "Motoin", *given)
