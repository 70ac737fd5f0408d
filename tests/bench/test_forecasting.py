import json
import re

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.bench import figures as figures_module
from stexplain.bench.dataset import open_data
from stexplain.bench.experiment import load_experiment
from stexplain.bench.shared.events import event_groups, explanation_file, lowering
from stexplain.bench.stages.deletion import DeletionStage
from stexplain.bench.stages.events import EventsStage
from stexplain.bench.stages.forecast_error import ForecastErrorStage
from stexplain.bench.stages.graph_ablation import NAME
from stexplain.bench.stages.train import TrainStage
from stexplain.bench.summary import print_summary
from stexplain.cards import series_card
from stexplain.data.baselines.historical import HistoricalAverage
from stexplain.errors import CardError, InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.targets import PerSample
from stexplain.files import read_json
from stexplain.metrics import localisation
from tests.bench.small_roads import generate, write_cards
from tests.bench.test_classification import assert_sized

# A forecaster trained for seconds has a score that bends on the way from the baseline: few steps miss some of it.
pytestmark = pytest.mark.filterwarnings("ignore:.*No convergence:UserWarning")


@pytest.fixture(scope="module", autouse=True)
def cards(tmp_path_factory):
    root = tmp_path_factory.mktemp("cards")
    write_cards(root)
    patch = pytest.MonkeyPatch()
    patch.setenv("STEXPLAIN_CARDS", str(root))
    patch.setenv("STEXPLAIN_CACHE", str(tmp_path_factory.mktemp("cache")))
    # Pictures are tested where they are drawn.
    patch.setattr(figures_module, "FORMATS", ("json",))
    yield root
    patch.undo()


@pytest.fixture(scope="module")
def finished(cards, tmp_path_factory):
    return stx.bench("lane", out=tmp_path_factory.mktemp("runs") / "lane", progress=False)


@pytest.fixture(scope="module")
def result(finished):
    return read_json(finished / "results.json")["runs"]["lane-stgcn"]["stages"]


def numbers(folder):
    """What must not depend on when or where a run ran, line by line."""
    results = read_json(folder / "results.json")
    return json.dumps({key: results[key] for key in ("runs", "verdicts")}, indent=1).splitlines()


def test_a_users_own_series_gives_a_whole_run(finished, result):
    results = read_json(finished / "results.json")
    dataset = results["datasets"]["lane"]
    assert dataset["planted"] is True
    assert dataset["windows"] == {
        "train": result["train"]["train"],
        "validation": result["train"]["validation"],
        "test": result["forecast_error"]["test"],
    }
    ids = {figure["id"] for figure in results["figures"]}
    assert {"forecast_error-lane-stgcn", "deletion-lane-stgcn", "forecast_masking-lane-stgcn"} <= ids
    assert {f"events-lane-stgcn-1-{what}" for what in ("forecast", "network", "lags")} <= ids
    assert "One road, explained" in (finished / "report.html").read_text("utf-8")
    log = (finished / "log.txt").read_text("utf-8")
    assert "lane-stgcn/graph_ablation/train ended" in log


def written(value, key=""):
    """Every text that a chart or its record shows: titles, legends, captions, and the names in its data."""
    if isinstance(value, dict):
        return [text for name, each in value.items() for text in written(each, name if key != "datasets" else "text")]
    if isinstance(value, list):
        return [text for each in value for text in written(each, key)]
    return [value] if isinstance(value, str) and key not in ("field", "as", "key", "groupby", "name", "id") else []


def test_every_chart_of_a_forecast_calls_its_nodes_sensors_and_its_frames_times(finished):
    records = read_json(finished / "results.json")["figures"]
    assert {figure["stage"] for figure in records} >= {"event_localisation", "forecast_masking", "events", "deletion"}
    for figure in records:
        texts = [*written(read_json(finished / figure["json"])), figure["title"], figure["caption"]]
        named = {text for text in texts if re.search(r"\b(nodes?|frames?|joints?)\b(?!:)", text)}
        # Expressions of the drawing name its columns.
        assert not {text for text in named if "datum" not in text and " " in text}, figure["id"]


def test_the_graph_is_what_a_slowdown_is_forecast_by(result):
    errors = {**result["forecast_error"]["errors"], **result["graph_ablation"]["errors"]}
    mae = {name: found["mae"] for name, found in errors.items()}
    assert mae["model"][2] < 0.9 * min(mae[NAME][2], mae["persistence"][2], mae["historical average"][2])
    gain = result["graph_ablation"]["differences"][NAME]["3"]
    assert gain["low"] > 0
    assert gain["value"] == pytest.approx(mae[NAME][2] - mae["model"][2])


def test_integrated_gradients_find_the_sensor_before(finished, result):
    found = result["event_localisation"]["localisation"]
    assert found["IntegratedGradients"]["nodes"]["pointing"]["value"] > 0.9
    # By construction each slowdown comes from the sensor before, and that one's from the one before. How much of what
    # was slow farther away a network of some epochs uses differs between trainings; threads alone make another one.
    explained = result["events"]["explained"]
    batch = stx.load_series("lane", None, "test").events_batch(np.array([row["event"] for row in explained]))
    files = {name: finished / "lane-stgcn" / explanation_file(name) for name in ("IntegratedGradients", "Random")}
    values = lowering({name: stx.Explanation.load(file) for name, file in files.items()})
    scores = {
        name: localisation(each, batch.truth, batch.observed).scores["positions"]["auroc"]
        for name, each in values.items()
    }
    for name, values_of in values.items():
        assert scores[name].mean() == pytest.approx(found[name]["positions"]["auroc"]["value"])
        places = np.array([int(event["target"].removeprefix("km ")) for event in explained])
        before = places - values_of.sum((1, 2)).argmax(1)
        # Two of eight sensors: by chance every fourth event, and all of ten or more in one of a million cases.
        near = np.isin(before, (1, 2))
        assert near.all() if name == "IntegratedGradients" else near.mean() < 0.8
    # Of the same events, by slowdown, which reaches three sensors within overlapping windows: each is one unit, and of
    # so few there is no interval.
    groups = event_groups(stx.load_series("lane", None, "test"), explained)
    ahead = pd.Series(scores["IntegratedGradients"] - scores["Random"]).groupby(groups).mean()
    assert len(ahead) < len(explained) / 2
    assert (ahead > 0).all()
    assert len(explained) >= 10
    assert result["events"]["forecast"] > 0
    (shown,) = result["events"]["shown"]
    # Which slowdown is the strongest hangs on the training, which threads alter; what is before it tells, in any case.
    place = int(shown["target"].removeprefix("km "))
    assert shown["contributions"][0]["node"] in (f"km {place - 1}", f"km {place - 2}")
    assert shown["contributions"][0]["value"] < -3


def test_the_default_method_is_scored_and_its_row_says_by_what(finished, result):
    folder = finished / "lane-stgcn"
    e = stx.Explanation.load(folder / explanation_file("ExpectedFall"))
    ranked = lowering({"ExpectedFall": e})["ExpectedFall"]
    # Of a forecast rises count as falls: the map has no sign, and none of it is lost.
    assert (ranked.sum((1, 2, 3)) > 0).all()
    np.testing.assert_array_equal(ranked, e.values)
    # Redrawn about what replaces observations in the other methods' maps.
    explained = result["events"]["explained"]
    usual = HistoricalAverage.fit(stx.load_dataset("lane", split="train"), weekdays=False)
    batch = stx.load_dataset("lane", split="test").events_batch(np.array([row["event"] for row in explained]))
    target = PerSample([stx.Forecast(row["target"], row["horizon"]) for row in explained])
    with stx.ExpectedFall(stx.load_model(finished / "lane-stgcn"), baseline=usual.in_window(batch)) as explain:
        again = explain(batch, target=target)
    np.testing.assert_allclose(again.values, e.values, rtol=1e-4, atol=1e-4)
    for table in ("deletion", "forecast_masking", "event_localisation"):
        rows = pd.read_csv(finished / f"tables/{table}.csv").groupby("method")["ranked_by"].unique()
        assert rows["ExpectedFall"].tolist() == rows["InputGradient"].tolist() == ["magnitude, either way"]
        assert rows["IntegratedGradients"].tolist() == rows["STGGradCAM"].tolist() == ["what lowered the forecast"]


def test_masking_what_is_highlighted_makes_the_forecast_wrong(result):
    sets = result["forecast_masking"]["masking"]["IntegratedGradients"]
    assert [curve["masking"] for curve in sets.values()] == [[0.0, 0.25, 0.5, 0.75, 1.0]] * 3
    last = {which: curve["error"][-1]["value"] for which, curve in sets.items()}
    untouched = sets["highlighted"]["error"][0]["value"]
    assert last["highlighted"] > 1.5 * untouched
    assert last["highlighted"] > max(last["random"], last["least"])
    assert sets["least"]["change"][0]["value"] == 0.0


def test_numbers_are_those_of_the_parts(finished, result):
    errors = result["forecast_error"]["errors"]
    model = stx.load_model(finished / "lane-stgcn")
    test = stx.load_dataset("lane", split="test")
    batch = test.batch(np.arange(len(test)))
    off = np.abs(model(batch.x, observed=batch.observed).detach().numpy() - batch.y.numpy())
    assert errors["model"]["mae"] == pytest.approx(off.mean((0, 2)).tolist(), rel=1e-4)
    share = 100 * off / batch.y.numpy()
    assert errors["model"]["mape"] == pytest.approx(share.mean((0, 2)).tolist(), rel=1e-4)
    still = np.abs(batch.x[:, 0, -1:, :, 0].numpy() - batch.y.numpy())
    rmse = np.sqrt((still**2).mean((0, 2))).tolist()
    assert errors["persistence"]["rmse"] == pytest.approx(rmse, rel=1e-4)
    table = pd.read_csv(finished / "tables/forecast_error.csv")
    ours = table[table["method"] == "A small forecaster"]
    assert ours["mae"].tolist() == pytest.approx(errors["model"]["mae"], abs=1e-4)
    assert set(table["method"]) == {"A small forecaster", NAME, "persistence", "historical average"}


def test_maps_are_in_the_unit_of_the_forecast(finished, result):
    e = Explanation.load(finished / "lane-stgcn/explanations-IntegratedGradients.nc")
    model = stx.load_model(finished / "lane-stgcn")
    explained = result["events"]["explained"]
    batch = stx.load_dataset("lane", split="test").batch([event["window"] for event in explained])
    at = [int(event["target"].split()[1]) for event in explained]
    rows = range(len(at))
    forecasts = model(batch.x, observed=batch.observed).detach().numpy()[rows, 2, at]
    assert [event["forecast"] for event in explained] == pytest.approx(forecasts.tolist(), rel=1e-5)
    # Complete: the map sums to the forecast less that for the historical average, but for the error of the sum.
    usual = HistoricalAverage.fit(stx.load_dataset("lane", split="train"), weekdays=False).in_window(batch)
    otherwise = model(usual, observed=batch.observed).detach().numpy()[rows, 2, at]
    missed = e.values.sum((1, 2, 3)) - (forecasts - otherwise)
    np.testing.assert_allclose(missed, e.extra["convergence_delta"], atol=1e-3)
    share = np.abs(missed).sum() / np.abs(forecasts - otherwise).sum()
    assert result["events"]["completeness_gap"]["IntegratedGradients"]["value"] == pytest.approx(share, abs=1e-4)
    assert share < 0.2


def test_a_run_killed_twice_ends_with_the_same_numbers(cards, tmp_path, monkeypatch, finished):
    def killed(*_, **__):
        raise KeyboardInterrupt

    def not_again(*_, **__):
        raise AssertionError("a finished stage was computed again")

    for stage, method in ((ForecastErrorStage, "compute"), (DeletionStage, "figures")):
        with monkeypatch.context() as patch:
            patch.setattr(stage, method, killed)
            with pytest.raises(KeyboardInterrupt):
                stx.bench("lane", out=tmp_path / "lane", progress=False)
        assert not (tmp_path / "lane/results.json").exists()
        monkeypatch.setattr(TrainStage, "compute", not_again)
    monkeypatch.setattr(EventsStage, "compute", not_again)
    again = numbers(stx.bench("lane", out=tmp_path / "lane", progress=False))
    # All lines at once would be compared word by word where they differ, for minutes.
    assert [pair for pair in zip(again, numbers(finished), strict=True) if pair[0] != pair[1]] == []


def test_real_data_has_no_ground_truth_but_its_falls_are_found(cards, finished, tmp_path):
    generate(series_card("lane"), tmp_path / "given")
    assert open_data(series_card("lane"), tmp_path / "given", tmp_path, progress=False)["planted"] is False
    experiment = load_experiment("lane")
    (run,) = experiment.runs(data=tmp_path / "given", folder=finished)
    results = {}
    for name in ("events", "event_localisation"):
        results[name] = experiment.stages[name].compute(run, results, None)
    assert results["event_localisation"] == {"localisation": None}
    found = results["events"]
    assert found["events"] >= found["forecast"] > 0
    for event in found["explained"]:
        assert event["last_observation"] - event["observed"] >= 15
        fall = event["last_observation"] - event["observed"]
        assert event["last_observation"] - event["forecast"] >= 0.5 * fall


def test_a_model_that_forecasts_no_slowdown(finished, tmp_path, result):
    experiment = load_experiment("lane")
    (run,) = experiment.runs(folder=finished)
    results = {"events": {**result["events"], "explained": [], "methods": [], "shown": []}}
    for name, empty in (
        ("deletion", "deletion"),
        ("forecast_masking", "masking"),
        ("event_localisation", "localisation"),
    ):
        assert not experiment.stages[name].compute(run, results, None)[empty]


def test_the_summary_says_errors_and_verdicts(finished, capsys):
    print_summary(finished)
    shown = capsys.readouterr().out
    for word in ("15 min", NAME, "historical average", "integrated gradients", "supported:", "report.html"):
        assert word in shown


def test_every_verdict_says_what_it_was_measured_on(finished):
    assert_sized(finished)


def test_wrong_names_are_reported_before_any_work(cards, tmp_path):
    with pytest.raises(InputError, match="unknown run 'lane-stgc'. Did you mean 'lane-stgcn'"):
        stx.bench("lane", out=tmp_path / "a", runs=["lane-stgc"], progress=False)
    with pytest.raises(CardError, match="no recipe 'quik'. Did you mean 'quick'"):
        stx.bench("lane", out=tmp_path / "a", recipe="quik", progress=False)
    with pytest.raises(InputError, match="no synthetic data. Give its files: --data DIR"):
        stx.bench("lane", card="los-loop", out=tmp_path / "a", progress=False)
    assert not (tmp_path / "a").exists()


def test_results_are_json_without_nan(finished):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    json.loads((finished / "results.json").read_text("utf-8"), parse_constant=refuse)
