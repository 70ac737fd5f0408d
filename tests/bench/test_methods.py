"""The benchmark of all methods, whole, on small data."""

import importlib.util
import json
from pathlib import Path

import pytest

from stexplain.bench.experiment import load_experiment
from stexplain.bench.shared import truths
from stexplain.explainers import Explanation
from stexplain.explainers.by_name import methods
from tests.bench.tiny_signals import experiment_text, prepared_tiny

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "methods.py"
EXPERIMENT = experiment_text(
    """\
[stages.truth]
[stages.accuracy]
""",
    epochs=2,
)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("methods", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny")
    folder, store = prepared_tiny(root, EXPERIMENT, repetitions=3)
    return load_experiment(folder).runs(data=store, folder=root / "out")[0]


def test_scores_every_setting_and_keeps_the_training(script, run):
    names = ("input gradient", "expected gradients", "learned mask, destroy, mean, 15 steps")
    chosen = [one for one in script.settings(body=False) if one.name in names]
    options = truths.Options(per_class=1, windows=2)
    rows = script.scored(run, chosen, options, baselines=False)
    assert [row["setting"] for row in rows] == [one.name for one in chosen]
    costs = {row["setting"]: row["inferences"] for row in rows}
    assert costs == {"input gradient": 2, "expected gradients": 35, "learned mask, destroy, mean, 15 steps": 33}
    for row in rows:
        assert all(row[score] is None or -1 <= row[score] <= 1 for score in truths.SCORES)
    assert json.loads(json.dumps(rows)) == rows
    weights = (run.folder / "model.json").stat().st_mtime_ns
    again = script.scored(run, chosen[:1], options, baselines=False)
    assert again == rows[:1]
    assert (run.folder / "model.json").stat().st_mtime_ns == weights


def test_sign_and_size_are_scored_as_they_are_called(script, run, monkeypatch):
    """Of a method that is negative where the truth is, and zero elsewhere."""

    def against(run, model, method, samples, options):
        return lambda batch, target: Explanation(-batch.truth.float().numpy(), batch.valid.numpy(), ids=batch.ids)

    monkeypatch.setattr(truths, "make_explainer", against)
    both = [script.Setting("size", "InputGradient", absolute=True), script.Setting("sign", "InputGradient")]
    size, sign = script.scored(run, both, truths.Options(per_class=1, windows=2), baselines=False)
    assert size["planted_positions"] == 1
    assert sign["planted_positions"] == 0.5


def test_the_table_has_a_line_per_setting_with_the_spread_over_seeds(script):
    row = {"run": "graph", "setting": "a", "inferences": 2.0, **dict.fromkeys(truths.SCORES, 0.25)}
    other = {**row, "effect_rank": None, **dict.fromkeys(truths.SCORES[:3], 0.75)}
    dear = {**row, "setting": "b", "inferences": 1.0, "planted_nodes": None}
    excluded = {"run": "graph", "setting": "c", "excluded": "it needs a graph"}
    lines = script.table([row, other, dear, excluded]).splitlines()
    assert lines[2].split()[:3] == ["b", "1", "–"]
    assert "0.500 (0.250-0.750)" in lines[3]
    assert "excluded: it needs a graph" in lines[4]
    assert "planted_positions 0.97" in lines[-1]


@pytest.mark.parametrize("body", [True, False])
def test_settings_name_methods_that_there_are(script, body):
    chosen = script.settings(body=body)
    assert {one.method for one in chosen} <= set(methods())
    assert len({one.name for one in chosen}) == len(chosen)
    assert any("bones" in one.name for one in chosen) is body
