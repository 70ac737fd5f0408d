"""Several trainings of each run: a run of its own on disk each, shown as one with the spread between them."""

import json

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.bench.report import first_trainings, results_of
from stexplain.bench.spread import spread
from stexplain.bench.stages.train import TrainStage
from stexplain.bench.summary import print_summary
from stexplain.errors import InputError
from stexplain.files import read_json
from tests.bench.page import Page
from tests.bench.small_experiment import cards_in, write_recordings

NAMES = ["xview/small", "xview/small/seed-1", "xview/small/seed-2"]


@pytest.fixture(scope="module")
def patched(tmp_path_factory):
    with cards_in(tmp_path_factory.mktemp("cards"), epochs=3) as folder:
        yield folder.parents[1]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("data") / "raw")


@pytest.fixture(scope="module")
def finished(patched, raw, tmp_path_factory):
    return stx.bench("wave", data=raw, out=tmp_path_factory.mktemp("runs") / "wave", seeds=3, progress=False)


def test_every_training_is_a_run_of_its_own_seed(finished):
    runs = read_json(finished / "results.json")["runs"]
    assert list(runs) == NAMES
    assert [run["seed"] for run in runs.values()] == [0, 1, 2]
    weights = [(finished / name / "model.safetensors").read_bytes() for name in NAMES]
    assert len(set(weights)) == 3


def test_trainings_added_later_or_resumed_have_the_same_numbers(patched, raw, finished, tmp_path, monkeypatch):
    folder = stx.bench("wave", data=raw, out=tmp_path / "wave", progress=False)
    alone = read_json(folder / "results.json")["runs"]
    compute, trained = TrainStage.compute, []

    def killed(self, run, results, parts):
        if len(trained) == 1:
            raise KeyboardInterrupt
        trained.append(run.name)
        return compute(self, run, results, parts)

    with monkeypatch.context() as patch:
        patch.setattr(TrainStage, "compute", killed)
        with pytest.raises(KeyboardInterrupt):
            stx.bench("wave", data=raw, out=folder, seeds=3, progress=False)
    # The first training was there, the second was finished before the third was stopped.
    assert trained == NAMES[1:2]
    stx.bench("wave", data=raw, out=folder, seeds=3, progress=False)
    together, resumed = (read_json(path / "results.json") for path in (finished, folder))
    assert resumed["runs"] == together["runs"]
    assert resumed["verdicts"] == together["verdicts"]
    assert alone["xview/small"] == together["runs"]["xview/small"]


def test_a_further_training_is_that_of_its_seed_alone(patched, raw, finished, tmp_path):
    folder = stx.bench("wave", data=raw, out=tmp_path / "wave", seed=2, progress=False)
    (alone,) = read_json(folder / "results.json")["runs"].values()
    assert alone["stages"] == read_json(finished / "results.json")["runs"][NAMES[2]]["stages"]


def test_the_report_shows_each_run_once_with_its_spread(finished):
    page = Page((finished / "report.html").read_text("utf-8"))
    # A figure of each kind, not three.
    drawn = [attributes["data-chart"] for _, attributes in page.elements if "data-chart" in attributes]
    assert drawn
    assert not any("seed" in name for name in drawn)
    results, runs = results_of(finished)
    values = [run.stages["faithfulness"]["faithfulness"]["zero"]["least"]["beta"]["value"] for run in runs]
    shown = f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
    assert f"β least, zero {results_cell(runs[0])} {shown} {min(values):.3f} {max(values):.3f} 3" in page.text
    assert "3 times from different seeds" in page.text
    assert "Each model was trained once" not in page.text
    assert results["seeds"] == 3
    table = pd.read_csv(finished / "tables/trainings.csv")
    row = table[table["measure"] == "β least, zero"].iloc[0]
    assert row["mean"] == pytest.approx(np.mean(values), rel=1e-4)
    assert (row["run"], row["trainings"]) == ("xview/small", 3)
    assert list(pd.read_csv(finished / "tables/masking-highlighted.csv")["run"]) == NAMES


def results_cell(run):
    beta = run.stages["faithfulness"]["faithfulness"]["zero"]["least"]["beta"]
    # Four persons are too few for an interval; the spread between trainings stands beside that.
    return f"{beta['value']:.3f} ({beta['reason']})"


def test_what_is_of_all_trainings_and_what_of_the_first_is_said(finished):
    text = (finished / "report.html").read_text("utf-8")
    results = json.loads((finished / "results.json").read_text("utf-8"))
    values = [run["stages"]["accuracy"]["accuracy"]["value"] for run in results["runs"].values()]
    assert len(values) == 3
    assert f"{100 * min(values):.1f}% to {100 * max(values):.1f}% over 3 trainings; chance level" in text
    assert "Verdicts are over all trainings; figures, tables and lists above are of the first." in text


def test_the_terminal_has_a_row_per_training(finished, capsys):
    print_summary(finished)
    shown = capsys.readouterr().out
    assert all(name in shown for name in NAMES)


def test_runs_know_their_trainings(finished):
    _, runs = results_of(finished)
    (run,) = first_trainings(runs)
    assert [training.name for training in run.trainings] == NAMES


def test_one_training_has_no_spread():
    assert spread([0.5]) is None
    assert spread([0.5, None, float("nan")]) is None
    assert spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5), 1.0, 3.0, 2)


def test_no_training_at_all_is_refused(patched, raw, tmp_path):
    with pytest.raises(InputError, match="seeds: got 0; expected 1 to 10,000 trainings of each run"):
        stx.bench("wave", data=raw, out=tmp_path / "wave", seeds=0, progress=False)
    assert not (tmp_path / "wave").exists()
