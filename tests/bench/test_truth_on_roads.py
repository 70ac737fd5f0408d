"""The stage `truth` on a series: how far the cause lowered a forecast."""

import pandas as pd
import pytest

import stexplain as stx
from stexplain.bench import figures as figures_module
from stexplain.bench.experiment import load_experiment
from stexplain.bench.stage import RunResults
from stexplain.metrics.comparison.baselines import SERIES_BASELINE_EXPLAINERS
from tests.bench import small_roads
from tests.bench.tiny_signals import truth_of

# A forecaster trained for seconds has a score that bends on the way from the baseline: few steps miss some of it.
pytestmark = pytest.mark.filterwarnings("ignore:.*No convergence:UserWarning")

ROADS = (
    small_roads.WHICH_METHOD
    + """
[stages.truth]
events = 6
windows = 4
methods = ["InputGradient"]
absolute = ["InputGradient"]
[stages.events]
horizon = 3
fall = 15.0
count = 12
shown = 1
steps = 8
"""
)


def test_the_effect_on_a_forecast_is_how_far_the_cause_lowered_it(tmp_path, monkeypatch):
    small_roads.write_cards(tmp_path, experiment=ROADS)
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(figures_module, "FORMATS", ("json",))
    out = stx.bench("lane", out=tmp_path / "run", progress=False)
    found = truth_of(out, "lane-stgcn")
    assert found["dataset"] == "lane"
    assert found["samples"] == 6
    table = pd.read_csv(out / "tables" / "truth.csv").set_index("method")
    assert set(SERIES_BASELINE_EXPLAINERS) < set(table.index)
    # Without the slowdown the forecast is higher: the model used some of what was planted.
    assert found["used"]["value"] > 0.1
    assert table["effect_positions"]["InputGradient"] > 0.5
    assert not (out / "tables" / "truth_by_class.csv").exists()
    # A model that forecast none of them used nothing of any: no failure, and the section says so.
    experiment = load_experiment("lane")
    (run,) = experiment.runs(folder=out)
    stage = experiment.stages["truth"]
    result = stage.compute(run, {"events": {"explained": []}}, None)
    assert result["rows"] is None
    shown = RunResults("lane-stgcn", {"stages": {"truth": result}}, {})
    assert "The model forecast no event" in stage.section([shown])
    assert stage.summary([shown]) is None
    assert list(stage.claims(shown)) == []
    assert stage.tables([shown]) == {}
    assert stage.measures(shown) == {}
