"""`stexplain measure` writes what the Python calls give, and goes on where it was stopped."""

import json
import shutil

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
from stexplain.intervals.bootstrap import Interval
from stexplain.metrics import dataset
from stexplain.metrics.importance import ClassImportance
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


def test_what_a_run_was_trained_on_need_not_be_said(folder, tmp_path):
    shutil.copytree(folder / "model", tmp_path / "run" / "xsub" / "one")
    about = {"dataset": "ntu", "protocol": "xsub"}
    datasets = {"ntu": {"planted": False, "source": str(folder / "store")}}
    results = {"runs": {"xsub/one": about}, "datasets": datasets}
    (tmp_path / "run" / "results.json").write_text(json.dumps(results))
    given = ["--card", "ntu", "--data", folder / "store", "--split", SPLIT, "--json"]
    stated = run(folder / "model", "importance", *given, "--out", tmp_path / "a")
    found = run(tmp_path / "run", "importance", "--json", "--out", tmp_path / "b")
    assert {**found, "table": ""} == {**stated, "table": ""}
    assert (tmp_path / "b" / "class_importance.csv").read_text() == (
        tmp_path / "a" / "class_importance.csv"
    ).read_text()


def test_what_is_not_defined_is_null_in_json_and_said(folder, tmp_path, monkeypatch):
    """Of one class that is classified correctly there is nothing to compare with."""

    def constant(text):
        raise AssertionError(f"{text} is no JSON")

    monkeypatch.setattr(ClassImportance, "interval", lambda self, metric: Interval(np.nan, np.nan, np.nan))
    given = [folder / "model", "importance", "--card", "ntu", "--data", folder / "store", "--out", tmp_path / "a"]
    app = typer.Typer()
    app.command()(command)
    found = CliRunner().invoke(app, [*map(str, given), "--json"], catch_exceptions=False)
    summary = json.loads(found.stdout, parse_constant=constant)
    assert summary["contrastivity"] is None
    assert "at least two classes" in summary["note"]
    shown = CliRunner().invoke(app, [str(each) for each in given], catch_exceptions=False).stdout
    assert "note: contrastivity is not defined" in shown
    assert "nan" not in shown


def test_mistakes_are_said(folder, tmp_path):
    given = ["--data", folder / "store", "--out", tmp_path / "a"]
    with pytest.raises(InputError, match="a series; expected recordings"):
        run("stgcn-roads", "importance", "--card", "roads", "--out", tmp_path / "a")
    with pytest.raises(InputError, match="these clips have no counterfactual"):
        run(folder / "model", "effect", "--card", "ntu", "--split", SPLIT, *given)
    with pytest.raises(InputError, match="unknown method 'Motoin'"):
        run(folder / "model", "maps", "--card", "ntu", "--method", "Motoin", *given)
