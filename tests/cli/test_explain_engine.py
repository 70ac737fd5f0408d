"""`stexplain explain` by several processes or on Ray gives what one process gives, and resumes."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from stexplain.cards import model_card
from stexplain.cli.explaining import parts
from stexplain.cli.main import app
from stexplain.data.load import load_dataset
from stexplain.data.skeletons.prepare import prepare_skeletons
from stexplain.errors import DataError
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.nn.checkpoint import load_model, save_model

LINE = STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")], center="a")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store of 70 recordings, three parts, of two classes, and a small model."""
    folder = tmp_path_factory.mktemp("explain")
    x = np.random.default_rng(0).normal(size=(70, 1, 8, len(LINE), 3)).astype(np.float32)
    np.savez(folder / "raw.npz", x=x, y=np.arange(70) % 2)
    prepare_skeletons(folder / "raw.npz", folder / "store", graph=LINE, axes="b m t n c", people=False)
    clips = load_dataset(folder / "store", folder / "store")
    torch.manual_seed(0)
    model = load_model("stgcn7", graph=clips.graph, classes=clips.classes, channels=[4], strides=[1])
    recipe = model_card("stgcn7").recipe("small").model_copy(update={"frames": 8, "align": None})
    save_model(folder / "model", model, recipe=recipe)
    return folder


def explain(folder, out, *more):
    store = str(folder / "store")
    given = ["explain", str(folder / "model"), "--card", store, "--data", store, "--split", "by-fold/train+validation"]
    return CliRunner().invoke(app, [*given, "--first", "64", "--out", str(out), *more, "--json"])


def written(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.csv"))}


def check_same(folder, tmp_path, *more):
    maps = [str(tmp_path / "one" / "map.nc"), "--out", str(tmp_path / "one" / "map.csv")]
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    one = explain(folder, *maps)
    many = explain(folder, *(each.replace("one", "many") for each in maps), *more)
    assert one.exit_code == 0, one.output
    assert many.exit_code == 0, (many.output, many.exception)
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["map.csv", "map.nc"], "no part is left"
    assert written(tmp_path / "one") == written(tmp_path / "many")
    first, second = (Explanation.load(tmp_path / name / "map.nc") for name in ("one", "many"))
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.standard_error, second.standard_error)
    said, again = json.loads(one.stdout), json.loads(many.stdout)
    for each, other in zip(said["samples"], again["samples"], strict=True):
        assert {**each, "files": 0} == {**other, "files": 0}
    assert (said["notes"], said["target"], said["layer"]) == (again["notes"], again["target"], again["layer"])


def test_two_processes_give_the_same_bytes(folder, tmp_path):
    check_same(folder, tmp_path, "--workers", "2")


def test_ray_gives_the_same_bytes(folder, tmp_path):
    pytest.importorskip("ray")
    check_same(folder, tmp_path, "--engine", "ray", "--workers", "2")


def test_parts_that_were_finished_are_not_computed_again(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("stexplain.engine.run.run_in_processes", in_this_process(stop_after=1))
    stopped = explain(folder, tmp_path / "out.nc", "--workers", "2")
    assert "To resume, give the same command again" in str(stopped.exception)
    left = tmp_path / ".out.nc.explaining"
    assert len(list(left.glob("part-*.json"))) == 1
    calls = []
    explained = parts.explained
    monkeypatch.setattr(
        "stexplain.cli.explaining.shards.explained", lambda *given: calls.append(1) or explained(*given)
    )
    monkeypatch.setattr("stexplain.engine.run.run_in_processes", in_this_process())
    assert explain(folder, tmp_path / "out.nc", "--workers", "2").exit_code == 0
    assert len(calls) == 1, "of two parts one was there"
    assert not left.exists()


def test_parts_of_another_call_are_removed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("stexplain.engine.run.run_in_processes", in_this_process(stop_after=1))
    explain(folder, tmp_path / "out.nc", "--workers", "2")
    monkeypatch.setattr("stexplain.engine.run.run_in_processes", in_this_process())
    done = explain(folder, tmp_path / "out.nc", "--workers", "2", "--method", "InputGradient")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["method"] == "input gradient"
    alone = explain(folder, tmp_path / "alone.nc", "--method", "InputGradient")
    assert alone.exit_code == 0
    out, other = (Explanation.load(tmp_path / name).values for name in ("out.nc", "alone.nc"))
    assert len(out) == 47  # of 70, those that do not test
    np.testing.assert_array_equal(out, other)


def test_a_factory_that_makes_another_model_each_time_is_refused(folder, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from stexplain.nn.checkpoint import load_model\nfrom stexplain.data.load import load_dataset\n"
        f"def make():\n    clips = load_dataset({str(folder / 'store')!r}, {str(folder / 'store')!r})\n"
        "    return load_model('stgcn7', graph=clips.graph, classes=clips.classes, channels=[4], strides=[1])\n"
    )
    monkeypatch.chdir(tmp_path)
    store = str(folder / "store")
    given = ["explain", "mine:make", "--card", store, "--data", store, "--first", "2", "--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, [*given, "--workers", "2", "--trust", "mine"])
    assert isinstance(refused.exception, DataError)
    assert "its weights differ" in str(refused.exception)


def in_this_process(stop_after=None):
    """Stands for the processes of an engine."""
    from stexplain.cli.explaining import shards

    def run(module, folder, numbers, workers, poll):
        for count, number in enumerate(numbers):
            if count == stop_after:
                raise KeyboardInterrupt
            shards.write_part(folder, number)

    return run
