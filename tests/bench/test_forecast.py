import json

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.bench import figures as figures_module
from stexplain.bench import forecast as forecast_module
from stexplain.bench.forecast import run
from stexplain.bench.forecast_experiment import forecast_experiment
from stexplain.bench.summary import print_summary
from stexplain.cards import model_card, series_card
from stexplain.errors import CardError, InputError
from stexplain.explainers.explanation import Explanation
from stexplain.files import read_json
from stexplain.training.daily_average import HistoricalAverage
from tests.bench.small_roads import EXPERIMENT, generate, write_cards


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
def experiment(cards):
    return cards / "datasets/lane/experiment.toml"


@pytest.fixture(scope="module")
def finished(experiment, tmp_path_factory):
    return run(experiment, card="lane", out=tmp_path_factory.mktemp("runs") / "lane", progress=False)


@pytest.fixture(scope="module")
def result(finished):
    return read_json(finished / "results.json")["runs"]["lane-stgcn"]


def numbers(folder):
    """What must not depend on when or where a run ran, line by line."""
    results = read_json(folder / "results.json")
    return json.dumps({key: results[key] for key in ("runs", "verdicts")}, indent=1).splitlines()


def test_a_users_own_series_gives_a_whole_run(finished, result):
    results = read_json(finished / "results.json")
    assert results["kind"] == "forecast"
    assert results["dataset"]["planted"] is True
    assert results["dataset"]["windows"] == {key: result[key] for key in ("train", "validation", "test")}
    ids = [figure["id"] for figure in results["figures"]]
    assert {"errors-lane-stgcn", "event1a", "event1b", "event1c", "deletion-lane-stgcn"} <= set(ids)
    assert "masking-lane-stgcn" in ids
    assert "One road, explained" in (finished / "report.html").read_text("utf-8")
    log = (finished / "log.txt").read_text("utf-8")
    assert "lane-stgcn/train-without-graph ended" in log


def test_the_graph_is_what_a_slowdown_is_foreseen_by(result):
    mae = {name: found["mae"] for name, found in result["errors"].items()}
    assert mae["model"][2] < 0.9 * min(mae["without its graph"][2], mae["persistence"][2], mae["historical average"][2])
    gain = result["differences"]["without its graph"]["3"]
    assert gain["low"] > 0
    assert gain["value"] == pytest.approx(mae["without its graph"][2] - mae["model"][2])


def test_integrated_gradients_find_the_sensor_before(result):
    found = result["localisation"]["IntegratedGradients"]
    assert found["nodes"]["pointing"]["value"] > 0.9
    assert found["positions"]["auroc"]["low"] > result["localisation"]["Random"]["positions"]["auroc"]["high"]
    assert result["events"]["foreseen"] > 0
    (shown,) = result["events"]["shown"]
    # Which slowdown is the strongest hangs on the training, which threads alter; what is before it tells, in any case.
    place = int(shown["target"].removeprefix("km "))
    assert shown["readings"][0]["node"] in (f"km {place - 1}", f"km {place - 2}")
    assert shown["readings"][0]["value"] < -3


def test_hiding_what_is_highlighted_makes_the_forecast_wrong(result):
    sets = result["masking"]["IntegratedGradients"]
    assert [curve["masking"] for curve in sets.values()] == [[0.0, 0.25, 0.5, 0.75, 1.0]] * 3
    last = {which: curve["error"][-1]["value"] for which, curve in sets.items()}
    untouched = sets["highlighted"]["error"][0]["value"]
    assert last["highlighted"] > 1.5 * untouched
    assert last["highlighted"] > max(last["random"], last["least"])
    assert sets["least"]["change"][0]["value"] == 0.0


def test_numbers_are_those_of_the_parts(finished, result):
    model = stx.load_model(finished / "lane-stgcn")
    test = stx.load_dataset("lane", split="test")
    batch = test.batch(np.arange(len(test)))
    off = np.abs(model(batch.x, observed=batch.observed).detach().numpy() - batch.y.numpy())
    assert result["errors"]["model"]["mae"] == pytest.approx(off.mean((0, 2)).tolist(), rel=1e-4)
    share = 100 * off / batch.y.numpy()
    assert result["errors"]["model"]["mape"] == pytest.approx(share.mean((0, 2)).tolist(), rel=1e-4)
    still = np.abs(batch.x[:, 0, -1:, :, 0].numpy() - batch.y.numpy())
    rmse = np.sqrt((still**2).mean((0, 2))).tolist()
    assert result["errors"]["persistence"]["rmse"] == pytest.approx(rmse, rel=1e-4)
    table = pd.read_csv(finished / "tables/errors.csv")
    assert table["mae"].iloc[:6].tolist() == pytest.approx(result["errors"][_method(table)]["mae"], abs=1e-4)


def _method(table):
    first = table["method"].iloc[0]
    return "model" if first == "A small forecaster" else first


def test_maps_are_in_the_unit_of_the_forecast(finished, result):
    e = Explanation.load(finished / "lane-stgcn/maps-IntegratedGradients.nc")
    model = stx.load_model(finished / "lane-stgcn")
    explained = result["events"]["explained"]
    batch = stx.load_dataset("lane", split="test").batch([event["window"] for event in explained])
    at = [int(event["target"].split()[1]) for event in explained]
    rows = range(len(at))
    forecasts = model(batch.x, observed=batch.observed).detach().numpy()[rows, 2, at]
    assert [event["forecast"] for event in explained] == pytest.approx(forecasts.tolist(), rel=1e-5)
    # Complete: the map sums to the forecast less that for usual readings, but for the error of the sum that it is.
    usual = HistoricalAverage.fit(stx.load_dataset("lane", split="train")).window(batch)
    otherwise = model(usual, observed=batch.observed).detach().numpy()[rows, 2, at]
    missed = e.values.sum((1, 2, 3)) - (forecasts - otherwise)
    np.testing.assert_allclose(missed, e.extra["convergence_delta"], atol=1e-3)
    share = np.abs(missed).sum() / np.abs(forecasts - otherwise).sum()
    assert result["incomplete"]["IntegratedGradients"]["value"] == pytest.approx(share, abs=1e-4)
    assert share < 0.2


def test_a_run_killed_twice_ends_with_the_same_numbers(experiment, tmp_path, monkeypatch, finished):
    def killed(*_, **__):
        raise KeyboardInterrupt

    def not_again(*_, **__):
        raise AssertionError("a finished stage was done again")

    for stage in ("evaluate_run", "forecast_figures"):
        with monkeypatch.context() as patch:
            patch.setattr(forecast_module, stage, killed)
            with pytest.raises(KeyboardInterrupt):
                run(experiment, card="lane", out=tmp_path / "lane", progress=False)
        assert not (tmp_path / "lane/results.json").exists()
        monkeypatch.setattr(forecast_module.ForecastJob, "train", not_again)
    monkeypatch.setattr(forecast_module, "explain_run", not_again)
    again = numbers(run(experiment, card="lane", out=tmp_path / "lane", progress=False))
    # All lines at once would be compared word by word where they differ, for minutes.
    assert [pair for pair in zip(again, numbers(finished), strict=True) if pair[0] != pair[1]] == []


def test_real_data_has_no_truth_but_its_falls_are_found(finished, experiment, tmp_path):
    generate(series_card("lane"), tmp_path / "given")
    job = forecast_module.ForecastJob(
        series_card("lane"), tmp_path / "given", model_card("lane-stgcn"), "quick", 0, finished / "lane-stgcn", False
    )
    found = forecast_module.explain_run(job, forecast_experiment(experiment))
    assert found["localisation"] is None
    assert found["events"]["found"] >= found["events"]["foreseen"] > 0
    for event in found["events"]["explained"]:
        assert event["before"] - event["observed"] >= 15
        assert event["before"] - event["forecast"] >= 0.5 * (event["before"] - event["observed"])


def test_the_summary_tells_errors_and_verdicts(finished, capsys):
    print_summary(finished)
    said = capsys.readouterr().out
    for word in ("15 min", "without its graph", "historical average", "IntegratedGradients", "report.html"):
        assert word in said


def test_wrong_names_are_told_before_any_work(experiment, tmp_path):
    with pytest.raises(InputError, match="unknown run 'lane-stgc'. Did you mean 'lane-stgcn'"):
        run(experiment, card="lane", out=tmp_path / "a", runs=["lane-stgc"], progress=False)
    with pytest.raises(CardError, match="no recipe 'quik'. Did you mean 'quick'"):
        run(experiment, card="lane", out=tmp_path / "a", recipe="quik", progress=False)
    with pytest.raises(InputError, match="no planted data. Give its files: --data DIR"):
        run(experiment, card="los-loop", out=tmp_path / "a", progress=False)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fall = 15.0", "fall = -1.0", r"slowdowns\.fall.*-1"),
        ("horizons = [3, 6]", "horizons = []", r"horizons"),
        ("[deletion]", "[deletions]", r"deletions: there is no such field. Did you mean 'deletion'"),
        ('kind = "forecast"', 'kind = "recognition"', "kind"),
    ],
)
def test_a_wrong_experiment_says_where_and_what(tmp_path, old, new, message):
    (tmp_path / "experiment.toml").write_text(EXPERIMENT.replace(old, new, 1))
    with pytest.raises(CardError, match=message):
        forecast_experiment(tmp_path / "experiment.toml")
    with pytest.raises(CardError, match="is missing"):
        forecast_experiment(tmp_path / "elsewhere.toml")


def test_results_are_json_without_nan(finished):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    json.loads((finished / "results.json").read_text("utf-8"), parse_constant=refuse)
