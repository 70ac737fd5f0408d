import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.bench import compared
from stexplain.bench.compared import compared_methods, comparison_of
from stexplain.bench.comparison_experiment import comparison_experiment
from stexplain.cards import dataset_card, model_card
from stexplain.data.planted.graph import generate
from stexplain.data.store.prepare import prepare
from stexplain.errors import CardError, InputError
from stexplain.explainers.by_name import methods

METHODS = ["InputGradient", "STGGradCAM", "Motion", "Random"]
EXPERIMENT = """
kind = "comparison"
title = "Which?"
question = "Which method?"
citation = "none"
clips = 8
controls = ["Motion", "Random"]
size = ["InputGradient"]
leave_out = [{leave_out}]
[[runs]]
name = "graph"
protocol = "random"
model = "stgcn2"
recipe = "quick"
epochs = 1
[deletion]
steps = 2
repeats = 1
[options]
IntegratedGradients = {{ steps = 2 }}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's own card of planted signals, its experiment, and a small store of it."""
    root = tmp_path_factory.mktemp("cards")
    folder = root / "datasets" / "tiny"
    folder.mkdir(parents=True)
    text = dataset_card("planted").path.read_text("utf-8").replace('name = "planted"', 'name = "tiny"')
    (folder / "card.toml").write_text(text, "utf-8")
    others = ", ".join(f'"{name}"' for name in methods() if name not in METHODS)
    (folder / "experiment.toml").write_text(EXPERIMENT.format(leave_out=others), "utf-8")
    card = dataset_card(folder)
    generate(card, root / "raw", repetitions=2, progress=False)
    prepare(card, root / "raw", root / "store", workers=1, progress=False)
    return folder, root / "store"


@pytest.fixture(scope="module")
def finished(home, tmp_path_factory):
    folder, store = home
    return stx.bench(folder, data=store, out=tmp_path_factory.mktemp("run") / "tiny", progress=False)


def results(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text("utf-8"))


def test_every_method_is_scored_on_the_same_clips(finished):
    run = results(finished)["runs"]["graph"]
    assert run["methods"] == METHODS
    assert run["clips"] == min(8, round(run["accuracy"]["value"] * run["test"]))
    assert {row["n"] + row["excluded"] for row in run["table"]} == {run["clips"]}
    assert {"auroc, positions", "deletion gain", "gini"} <= set(run["higher_is_better"])
    assert all(seconds > 0 for seconds in run["seconds_per_clip"].values())


def test_tests_are_against_the_controls_and_corrected(finished):
    run = results(finished)["runs"]["graph"]
    pairs = {(row["method"], row["against"]) for row in run["tests"]}
    assert pairs == {(method, control) for method in METHODS[:2] for control in METHODS[2:]}
    assert all(row["p"] is None or row["p_corrected"] >= row["p"] for row in run["tests"])


def test_the_folder_holds_tables_figures_and_a_report(finished):
    found = results(finished)
    for path in found["tables"].values():
        assert len(pd.read_csv(finished / path)) > 0
    assert {figure["id"] for figure in found["figures"]} == {"compared-graph", "seen-graph"}
    for figure in found["figures"]:
        assert (finished / figure["png"]).stat().st_size > 5000
    page = (finished / "report.html").read_text("utf-8")
    for words in ("Which method finds the truth?", "STGGradCAM", "paired permutation tests", "find the planted cells"):
        assert words in page
    assert len(found["verdicts"]) == 2
    assert page.count('<span class="mark"') == 2
    tests = next(iter(found["runs"].values()))["tests"]
    asked = sum(row["metric"].startswith("auroc") and row["p"] is not None for row in tests)
    assert f"<details><summary>graph: {asked} tests, of which " in page


def test_the_summary_on_the_terminal_names_every_method(finished, capsys):
    from stexplain.bench.summary import print_summary

    print_summary(finished)
    shown = capsys.readouterr().out
    assert all(method in shown for method in METHODS)


def test_a_run_goes_on_from_its_last_method(home, finished, monkeypatch, tmp_path):
    folder, store = home
    scored = compared.score_method
    done = []
    monkeypatch.setattr("stexplain.bench.comparison.comparison_figures", lambda *_: None)  # drawn above, and slow

    def killed(job, asked, method, indices):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(method)
        return scored(job, asked, method, indices)

    monkeypatch.setattr("stexplain.bench.comparison.score_method", killed)
    with pytest.raises(KeyboardInterrupt):
        stx.bench(folder, data=store, out=tmp_path / "run", progress=False)

    def counted(job, asked, method, indices):
        done.append(method)
        return scored(job, asked, method, indices)

    monkeypatch.setattr("stexplain.bench.comparison.score_method", counted)
    again = stx.bench(folder, data=store, out=tmp_path / "run", progress=False)
    assert done == METHODS
    ours, theirs = results(again)["runs"]["graph"], results(finished)["runs"]["graph"]
    strip = [{key: value for key, value in row.items() if key != "seconds"} for row in ours["table"]]
    assert strip == [{key: value for key, value in row.items() if key != "seconds"} for row in theirs["table"]]


def test_a_method_without_its_library_is_left_out_and_said(home, tmp_path, monkeypatch):
    folder, _ = home
    asked = comparison_experiment(folder / "experiment.toml")
    scores = {"auroc, positions": [0.9, 0.8, 0.7], "gini": [0.1, None, 0.3]}
    one = {"seconds": 0.1, "higher_is_better": {"auroc, positions": True, "gini": True}, "scores": scores}
    other = {**one, "scores": {name: [0.1, 0.2, 0.3] for name in scores}}
    found = comparison_of(
        asked,
        {"indices": [4, 5, 6]},
        {"STGGradCAM": one, "Occlusion": {"excluded": "pip install captum"}, "Random": other},
        seed=0,
    )
    assert found["methods"] == ["STGGradCAM", "Random"]
    assert found["excluded"] == {"Occlusion": "pip install captum"}
    assert {row["against"] for row in found["tests"]} == {"Random"}
    means = {(row["metric"], row["method"]): row for row in found["table"]}
    assert means["gini", "STGGradCAM"]["excluded"] == 1
    assert means["auroc, positions", "STGGradCAM"]["value"] == pytest.approx(0.8)


def test_the_bundled_experiment_compares_every_method_there_is():
    asked = comparison_experiment(dataset_card("planted").path.with_name("experiment.toml"))
    assert sorted(compared_methods(asked)) == sorted(methods())
    assert compared_methods(asked)[-2:] == ["Motion", "Random"]


def test_wrong_experiments_are_told_in_words(home, tmp_path):
    folder, store = home
    path = tmp_path / "experiment.toml"
    text = (folder / "experiment.toml").read_text("utf-8")
    path.write_text(text.replace('size = ["InputGradient"]', 'size = ["InputGrad"]'), "utf-8")
    with pytest.raises(CardError, match=r"'InputGrad', which does not exist. Did you mean 'InputGradient'"):
        comparison_experiment(path)
    path.write_text(text.replace('controls = ["Motion", "Random"]', "controls = []"), "utf-8")
    with pytest.raises(CardError, match="no controls"):
        comparison_experiment(path)
    with pytest.raises(InputError, match=r"unknown run 'graf'. Did you mean 'graph'"):
        stx.bench(folder, data=store, runs=["graf"], out=tmp_path / "out", progress=False)
    with pytest.raises(CardError, match="no recipe 'quik'"):
        stx.bench(folder, data=store, recipe="quik", out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_data_without_truth_is_refused(home, tmp_path):
    folder, _ = home
    generate(dataset_card(folder), tmp_path / "raw", repetitions=1, progress=False)
    for path in (tmp_path / "raw").glob("*.truth.npy"):
        path.unlink()
    prepare(dataset_card(folder), tmp_path / "raw", tmp_path / "store", workers=1, progress=False)
    with pytest.raises(InputError, match="carries no planted truth"):
        stx.bench(folder, data=tmp_path / "store", out=tmp_path / "run", progress=False)


def test_scores_do_not_depend_on_how_clips_are_cut_into_batches(home, finished, monkeypatch):
    folder, store = home
    run = results(finished)["runs"]["graph"]
    asked = comparison_experiment(folder / "experiment.toml")
    job = compared.ComparedJob(
        card=dataset_card(folder), data=store, asked=asked.runs[0], model_card=model_card("stgcn2"), seed=0,
        folder=finished / "graph", progress=False,
    )  # fmt: skip
    monkeypatch.setattr(compared, "BATCH", 3)
    again = compared.score_method(job, asked, "STGGradCAM", run["indices"])
    mean = np.nanmean(again["scores"]["auroc, positions"])
    (row,) = [row for row in run["table"] if (row["metric"], row["method"]) == ("auroc, positions", "STGGradCAM")]
    assert mean == pytest.approx(row["value"], abs=1e-6)
