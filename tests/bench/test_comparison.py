"""The stage `comparison` of a planted run: methods on the same samples, tables, figures, verdicts, and resuming."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.bench.claims import hardest, judge
from stexplain.bench.experiment import load_experiment
from stexplain.bench.shared import samples as samples_module
from stexplain.bench.shared.by_class import FOUND
from stexplain.bench.shared.method_scores import score_method
from stexplain.bench.stage import RunResults
from stexplain.bench.stages import comparison as comparison_module
from stexplain.bench.stages.localisation import LocalisationStage
from stexplain.bench.summary import print_summary
from stexplain.bench.wording import in_words
from stexplain.cards import dataset_card
from stexplain.data.planted.graph import generate
from stexplain.data.store.prepare import prepare
from stexplain.errors import CardError, InputError
from stexplain.explainers.by_name import methods
from stexplain.metrics import corrected_p_values
from stexplain.metrics.comparison.baselines import BASELINE_EXPLAINERS
from tests.bench.tiny_signals import comparison_of, experiment_text, prepared_tiny, results

METHODS = ["InputGradient", "STGGradCAM", "Motion", "Random"]

EXPERIMENT = experiment_text(
    """\
[stages.comparison]
samples = 8
baselines = ["Motion", "Random"]
methods = ["InputGradient", "STGGradCAM", "Occlusion"]
exclude = ["Occlusion"]
absolute = ["InputGradient"]
deletion = { steps = 2, repeats = 1 }
[stages.comparison.options]
IntegratedGradients = { steps = 2 }
""",
    epochs=1,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's own card of planted signals, its experiment, and a small store of it."""
    root = tmp_path_factory.mktemp("cards")
    return prepared_tiny(root, EXPERIMENT, repetitions=2)


@pytest.fixture(scope="module")
def finished(home, tmp_path_factory):
    folder, store = home
    return stx.bench(folder, data=store, out=tmp_path_factory.mktemp("run") / "tiny", progress=False)


def test_every_method_is_scored_on_the_same_samples(finished):
    found = comparison_of(finished)
    accuracy = results(finished)["runs"]["graph"]["stages"]["accuracy"]
    assert found["methods"] == METHODS
    assert found["samples"] == min(8, round(accuracy["accuracy"]["value"] * accuracy["test"]))
    assert {row["n"] + row["excluded"] for row in found["table"]} == {found["samples"]}
    assert {"auroc, positions", "deletion gain", "gini"} <= set(found["higher_is_better"])
    assert all(seconds > 0 for seconds in found["seconds_per_sample"].values())


def test_tests_are_against_the_baseline_explainers_and_corrected(finished):
    tests = comparison_of(finished)["tests"]
    pairs = {(row["method"], row["against"]) for row in tests}
    assert pairs == {(method, baseline) for method in METHODS[:2] for baseline in METHODS[2:]}
    assert all(row["p"] is None or row["p_corrected"] >= row["p"] for row in tests)


def _panels(file):
    chart = json.loads(Path(file).read_text("utf-8"))
    return {row["panel"] for rows in chart["datasets"].values() for row in rows}


def test_the_folder_holds_tables_figures_and_a_report(finished):
    found = results(finished)
    for entry in found["tables"].values():
        assert len(pd.read_csv(finished / entry["file"])) > 0
    ids = {figure["id"] for figure in found["figures"]}
    assert {"comparison-graph-scores", "comparison-graph-more-scores", "comparison-graph-example"} <= ids
    # The first screen has room for two panels, a phone for one.
    lead = next(figure for figure in found["figures"] if figure.get("answers"))
    for file, panels in ((lead["json"], 2), (lead["narrow"], 1)):
        assert {"AUROC, positions ↑"} <= _panels(finished / file)
        assert len(_panels(finished / file)) == panels
    for figure in found["figures"]:
        assert (finished / figure["png"]).stat().st_size > 5000
    page = (finished / "report.html").read_text("utf-8")
    for words in ("Method comparison", "STG-Grad-CAM", "paired permutation tests", "localise the ground truth better"):
        assert words in page
    # One claim of the one stage, against all baseline explainers.
    assert len(found["verdicts"]) == 1
    assert page.split("</section>")[0].count('<span class="mark"') == 1  # on the first screen
    tests = comparison_of(finished)["tests"]
    count = sum(row["metric"].startswith("auroc") and row["p"] is not None for row in tests)
    assert f"<details><summary>graph: {count} paired tests, of which " in page


def test_every_test_behind_a_verdict_is_listed(finished):
    table = pd.read_csv(finished / "tables/tests.csv")
    paired = comparison_of(finished)["paired"]
    assert table["about"].tolist() == list(paired) == METHODS[:2]
    hard = [hardest(tests) for tests in paired.values()]
    assert table["difference"].tolist() == pytest.approx([test["difference"] for test in hard], rel=1e-3)
    expected = corrected_p_values([test["p"] for test in hard], "holm")
    assert table["p_corrected"].tolist() == pytest.approx(list(expected), rel=1e-3)
    assert (table["p_of_claim"] == table["p_corrected"]).all()


def test_every_title_names_generated_data(finished):
    found = results(finished)
    assert found["figures"]
    for figure in found["figures"]:
        assert "synthetic" in figure["title"]
        spec = json.loads((finished / figure["json"]).read_text("utf-8"))
        assert "synthetic" in spec["title"]["text"]


def test_the_summary_on_the_terminal_names_every_method(finished, capsys):
    print_summary(finished)
    shown = capsys.readouterr().out
    assert all(method in shown for method in METHODS)


def test_a_run_resumes_from_its_last_method(home, finished, monkeypatch, tmp_path):
    folder, store = home
    done = []
    monkeypatch.setattr(comparison_module.ComparisonStage, "figures", lambda *_: None)  # drawn above, and slow

    def killed(run, found, method, indices, options):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(method)
        return score_method(run, found, method, indices, options)

    monkeypatch.setattr(comparison_module, "score_method", killed)
    with pytest.raises(KeyboardInterrupt):
        stx.bench(folder, data=store, out=tmp_path / "run", progress=False)

    def counted(run, found, method, indices, options):
        done.append(method)
        return score_method(run, found, method, indices, options)

    monkeypatch.setattr(comparison_module, "score_method", counted)
    again = stx.bench(folder, data=store, out=tmp_path / "run", progress=False)
    assert done == METHODS
    ours, theirs = comparison_of(again), comparison_of(finished)
    strip = [{key: value for key, value in row.items() if key != "seconds"} for row in ours["table"]]
    assert strip == [{key: value for key, value in row.items() if key != "seconds"} for row in theirs["table"]]


def test_wrong_experiments_are_reported_in_words(home, tmp_path):
    folder, store = home
    text = (folder / "experiment.toml").read_text("utf-8")
    other = tmp_path / "tiny"
    other.mkdir()
    (other / "card.toml").write_text((folder / "card.toml").read_text("utf-8"), "utf-8")
    path = other / "experiment.toml"
    path.write_text(text.replace('absolute = ["InputGradient"]', 'absolute = ["InputGrad"]'), "utf-8")
    with pytest.raises(
        CardError, match=r"absolute: got 'InputGrad'; there is no such method. Did you mean 'InputGradient'"
    ):
        load_experiment(other)
    for old, new, message in (
        ("{ steps = 2 }", "{ stepz = 2 }", "options.IntegratedGradients: there is no option 'stepz'"),
        (
            "{ steps = 2 }",
            '{ baseline = "meen" }',
            r"Gradients.baseline: unknown baseline 'meen'. Did you mean 'mean'",
        ),
        (
            "{ steps = 2, repeats = 1 }",
            '{ baseline = "zeroo" }',
            r"deletion.baseline: unknown baseline 'zeroo'. Did you mean 'zero'",
        ),
    ):
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")
        with pytest.raises(CardError, match=message):
            load_experiment(other)
    path.write_text(text.replace('baselines = ["Motion", "Random"]', "baselines = []"), "utf-8")
    with pytest.raises(CardError, match=r"stages\.comparison\.baselines"):
        load_experiment(other)
    with pytest.raises(InputError, match=r"unknown run 'graf'. Did you mean 'graph'"):
        stx.bench(folder, data=store, runs=["graf"], out=tmp_path / "out", progress=False)
    with pytest.raises(CardError, match="no recipe 'quik'"):
        stx.bench(folder, data=store, recipe="quik", out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_data_without_ground_truth_is_refused_before_training(home, tmp_path, monkeypatch):
    folder, _ = home
    generate(dataset_card(folder), tmp_path / "raw", repetitions=1, progress=False)
    for path in (tmp_path / "raw").glob("*.truth.npy"):
        path.unlink()
    prepare(dataset_card(folder), tmp_path / "raw", tmp_path / "store", workers=1, progress=False)
    with pytest.raises(InputError, match="carries no ground truth"):
        stx.bench(folder, data=tmp_path / "store", out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run/graph").exists()


def test_scores_do_not_depend_on_how_clips_are_cut_into_batches(home, finished, monkeypatch):
    folder, store = home
    experiment = load_experiment(folder)
    (run,) = experiment.runs(data=store, folder=finished)
    found = comparison_of(finished)
    monkeypatch.setattr(samples_module, "BATCH", 3)
    again = score_method(run, {}, "STGGradCAM", found["indices"], experiment.stages["comparison"].options)
    mean = np.nanmean(again["scores"]["auroc, positions"])
    key = ("auroc, positions", "STGGradCAM")
    (row,) = [row for row in found["table"] if (row["metric"], row["method"]) == key]
    assert mean == pytest.approx(row["value"], abs=1e-6)


# Two steps leave a part of the score out.
@pytest.mark.filterwarnings("ignore:.*No convergence:UserWarning")
def test_deletion_keeps_the_sign_that_localisation_leaves_out(home, finished):
    folder, store = home
    experiment = load_experiment(folder)
    (run,) = experiment.runs(data=store, folder=finished)
    options = experiment.stages["comparison"].options
    indices = comparison_of(finished)["indices"][:3]
    by_size, by_sign = (
        score_method(run, {}, "IntegratedGradients", indices, options.model_copy(update={"absolute": absolute}))[
            "scores"
        ]
        for absolute in (["IntegratedGradients"], [])
    )
    assert by_size["deletion gain"] == by_sign["deletion gain"]
    assert by_size["auroc, positions"] != by_sign["auroc, positions"]


def test_localisation_of_a_planted_run_by_class_and_against_every_control(home, finished):
    folder, store = home
    (run,) = load_experiment(folder).runs(data=store, folder=finished)
    stage = LocalisationStage(LocalisationStage.Options())
    result = stage.compute(run, {}, lambda _, work: work())
    clips = run.clips("test")
    assert result["samples"] == len(clips)
    assert set(BASELINE_EXPLAINERS) < set(result["localisation"])
    assert sum(one["samples"] for one in result["by_class"]["STGGradCAM"].values()) <= len(clips)
    scores = {name: axes["nodes"]["auroc"]["value"] for name, axes in result["localisation"].items()}
    for test in result["tests"]["nodes"]:
        assert test["difference"] == pytest.approx(scores["STGGradCAM"] - scores[test["against"]], abs=1e-9)
    shown = RunResults("graph", {"stages": {"localisation": json.loads(json.dumps(result))}}, {"planted": True})
    ((text, _),) = judge(list(stage.claims(shown)))
    best = max(BASELINE_EXPLAINERS, key=lambda name: scores[name])
    # Within a sentence a name has no capital.
    assert f"{best[0].lower()}{best[1:]} {scores[best]:.2f}" in text
    assert in_words(best) in stage.section([shown])
    card = stage.summary([shown]).html
    found = sum(one["value"] >= FOUND for one in result["by_class"]["STGGradCAM"].values())
    assert f"of {found} of {len(result['by_class']['STGGradCAM'])} classes" in card
    assert (f"({scores[best]:.3f})" in card) == (scores[best] > scores["STGGradCAM"])
    assert len(stage.tables([shown])["localisation-by-class"].frame) > len(BASELINE_EXPLAINERS)


def test_titles_say_that_data_is_synthetic(finished):
    assert results(finished)["title"] == "Which? (synthetic data)"
    assert "<title>Which? (synthetic data)" in (finished / "report.html").read_text("utf-8")


def test_the_limits_name_baseline_explainers_as_tables_do(finished):
    page = (finished / "report.html").read_text("utf-8")
    (sentence,) = re.findall(r"<li>([^<]*) use no model: an explanation has value only", page)
    assert sentence[0].isupper()
    names = re.split(r", | and ", sentence)
    known = {kind.method for kind in methods().values()}
    assert {names[0][0].lower() + names[0][1:], *names[1:]} <= known
