import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.bench import figures as figures_module
from stexplain.bench.claims import hardest, judge
from stexplain.bench.experiment import load_experiment
from stexplain.bench.shared import samples as samples_module
from stexplain.bench.shared.by_class import FOUND
from stexplain.bench.shared.method_scores import compare_scores, compared_methods, score_method
from stexplain.bench.stage import RunResults
from stexplain.bench.stages import comparison as comparison_module
from stexplain.bench.stages.comparison import ComparisonStage
from stexplain.bench.stages.localisation import LocalisationStage
from stexplain.bench.summary import print_summary
from stexplain.cards import dataset_card
from stexplain.data.planted.graph import generate
from stexplain.data.store.prepare import prepare
from stexplain.errors import CardError, InputError
from stexplain.explainers.by_name import methods
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.metrics import corrected_p_values, interval, sign_flip_test
from stexplain.metrics.comparison.baselines import BASELINE_EXPLAINERS
from tests.bench import small_roads
from tests.bench.tiny_signals import experiment_text, prepared_tiny, results

# A forecaster trained for seconds has a score that bends on the way from the baseline: few steps miss some of it.
pytestmark = pytest.mark.filterwarnings("ignore:.*No convergence:UserWarning")

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
ROADS = """
title = "Which, on a road?"
question = "Which method?"
citation = "none"
node = "sensor"
[[runs]]
model = "lane-stgcn"
recipe = "quick"
[stages.comparison]
samples = 6
baselines = ["Motion", "Random"]
methods = ["Occlusion", "InputGradient", "CAM"]
absolute = ["InputGradient"]
deletion = { baseline = "historical_average", steps = 3, repeats = 1 }
[stages.comparison.options]
Occlusion = { baseline = "historical_average" }
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's own card of planted signals, its experiment, and a small store of it."""
    root = tmp_path_factory.mktemp("cards")
    return prepared_tiny(root, EXPERIMENT, repetitions=2)


@pytest.fixture(scope="module")
def finished(home, tmp_path_factory):
    folder, store = home
    return stx.bench(folder, data=store, out=tmp_path_factory.mktemp("run") / "tiny", progress=False)


def comparison_of(folder: Path, run: str = "graph") -> dict:
    return results(folder)["runs"][run]["stages"]["comparison"]


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


def test_intervals_and_tests_of_a_comparison_are_over_groups():
    random = np.random.default_rng(0)
    values = {name: np.clip(0.7 + 0.1 * random.normal(size=12) + up, 0, 1) for name, up in (("A", 0.1), ("Random", 0))}
    scored = {
        name: {
            "seconds": 0.1,
            "higher_is_better": {"auroc, positions": True},
            "scores": {"auroc, positions": list(one)},
        }
        for name, one in values.items()
    }
    groups = [f"day {row // 2}" for row in range(12)]
    for one in scored.values():
        one["bounds"] = {"auroc, positions": [0.0, 1.0]}
    found = compare_scores(list(range(12)), scored, ["Random"], seed=3, groups=groups)
    assert found["groups"] == 6
    row = next(row for row in found["table"] if row["method"] == "A")
    assert (row["low"], row["high"]) == pytest.approx(interval(values["A"], groups=groups, seed=3, bounds=(0, 1))[1:])
    assert 0 <= row["low"] < row["high"] <= 1
    # Six days give 64 patterns of signs: no p is below 2 / 64.
    (test,) = found["tests"]
    difference = values["A"] - values["Random"]
    assert test["p"] == pytest.approx(sign_flip_test(difference, groups=groups, seed=3)[0])
    assert test["p"] >= 2 / 64
    assert found["paired"]["A"][0]["p"] == test["p"]


def test_a_comparison_of_few_groups_has_no_intervals_and_says_so():
    scored = {
        name: {
            "seconds": 0.1,
            "higher_is_better": {"auroc, positions": True},
            "bounds": {"auroc, positions": [0.0, 1.0]},
            "scores": {"auroc, positions": [mean + 0.01 * row for row in range(12)]},
        }
        for name, mean in (("STGGradCAM", 0.8), ("Random", 0.4))
    }
    found = compare_scores(list(range(12)), scored, ["Random"], seed=3, groups=[row // 4 for row in range(12)])
    assert [(row["low"], row["high"], row["reason"]) for row in found["table"]] == [
        (None, None, "too few groups: 3")
    ] * 2
    stage = ComparisonStage(ComparisonStage.Options(baselines=["Random"], methods=["STGGradCAM"]))
    about = {"stages": {"comparison": {**found, "samples": 12}}, "model_title": "STGCN"}
    page = stage.section([RunResults("body", about, {})])
    assert "0.855 (too few groups: 3) ★" in page
    assert "Holm&#x27;s method" in page
    assert "None" not in page
    assert "nan" not in page


def test_a_method_without_its_library_is_excluded_and_reported():
    scores = {"auroc, positions": [0.9, 0.8, 0.7], "gini": [0.1, None, 0.3]}
    one = {"seconds": 0.1, "higher_is_better": {"auroc, positions": True, "gini": True}, "scores": scores}
    other = {**one, "scores": {name: [0.1, 0.2, 0.3] for name in scores}}
    scored = {"STGGradCAM": one, "Occlusion": {"excluded": "pip install captum"}, "Random": other}
    found = compare_scores([4, 5, 6], scored, ["Motion", "Random"], seed=0)
    assert found["methods"] == ["STGGradCAM", "Random"]
    assert found["excluded"] == {"Occlusion": "pip install captum"}
    assert {row["against"] for row in found["tests"]} == {"Random"}
    means = {(row["metric"], row["method"]): row for row in found["table"]}
    assert means["gini", "STGGradCAM"]["excluded"] == 1
    assert means["auroc, positions", "STGGradCAM"]["value"] == pytest.approx(0.8)
    with pytest.raises(InputError, match="no method could be compared: pip install captum"):
        compare_scores(
            [4, 5, 6], {"Occlusion": {"excluded": "pip install captum"}, "Random": other}, ["Random"], seed=0
        )


def test_the_bundled_experiment_compares_every_method_there_is():
    names = compared_methods(load_experiment("planted").stages["comparison"].options)
    options = load_experiment("planted").stages["comparison"].options
    called = [name for name, kind in methods().items() if not issubclass(kind, BaselineExplainer)]
    # Beside them the baseline explainers of any signals; those of roads have nothing to say here.
    assert set(BASELINE_EXPLAINERS) | {"Random"} == set(options.baselines)
    assert sorted(names) == sorted([*called, *options.baselines])
    assert names[-len(options.baselines) :] == options.baselines


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


@pytest.fixture(scope="module")
def roads(tmp_path_factory):
    """A comparison on a series: the same stage, where a forecast is explained in the place of a class."""
    root = tmp_path_factory.mktemp("roads")
    folder = small_roads.write_cards(root)
    (folder / "experiment.toml").write_text(ROADS, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEXPLAIN_CARDS", str(root))
        patch.setenv("STEXPLAIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(figures_module, "FORMATS", ("json",))
        return stx.bench("lane", out=root / "run", progress=False)


def test_methods_are_compared_on_forecasts_of_planted_events(roads):
    found = comparison_of(roads, "lane-stgcn")
    assert list(results(roads)["stages"]) == ["train", "events", "comparison"]
    assert found["methods"] == ["InputGradient", "Occlusion", "Motion", "Random"]
    assert found["samples"] == 6
    means = {(row["metric"], row["method"]): row["value"] for row in found["table"]}
    # Only what is slow before the target moves, so that motion finds these sensors, whatever the network learned.
    assert means["auroc, nodes", "Motion"] == pytest.approx(1.0)
    # How much of them a network of some epochs uses differs between trainings; what occlusion ranks first moves its
    # forecast.
    gains = {name: means["deletion gain", name] for name in found["methods"]}
    assert gains["Occlusion"] > max(0.0, gains["Motion"], gains["Random"])
    assert "comparison-lane-stgcn-example" in {figure["id"] for figure in results(roads)["figures"]}


def test_a_method_that_cannot_explain_a_forecaster_is_excluded_with_its_reason(roads, capsys):
    excluded = comparison_of(roads, "lane-stgcn")["excluded"]
    assert list(excluded) == ["CAM"]
    assert f"CAM is excluded from the comparison of A small forecaster: {excluded['CAM'][:20]}" in (
        (roads / "report.html").read_text("utf-8").replace("&#x27;", "'")
    )
    print_summary(roads)
    assert re.search(r"CAM +excluded", capsys.readouterr().out)


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
    assert best in stage.section([shown])
    card = stage.summary([shown]).html
    found = sum(one["value"] >= FOUND for one in result["by_class"]["STGGradCAM"].values())
    assert f"of {found} of {len(result['by_class']['STGGradCAM'])} classes" in card
    assert (f"({scores[best]:.3f})" in card) == (scores[best] > scores["STGGradCAM"])
    assert len(stage.tables([shown])["localisation-by-class"].frame) > len(BASELINE_EXPLAINERS)


def test_titles_say_that_data_is_synthetic(finished):
    assert results(finished)["title"] == "Which? (synthetic data)"
    assert "<title>Which? (synthetic data)" in (finished / "report.html").read_text("utf-8")
