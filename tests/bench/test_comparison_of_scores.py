"""Scores of methods become tables and tests: over groups, of few of them, and without methods that could not run."""

import numpy as np
import pytest

from stexplain.bench.experiment import load_experiment
from stexplain.bench.shared.method_scores import compare_scores, compared_methods
from stexplain.bench.stage import RunResults
from stexplain.bench.stages.comparison import ComparisonStage
from stexplain.errors import InputError
from stexplain.explainers.by_name import methods
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.metrics import interval, sign_flip_test
from stexplain.metrics.comparison.baselines import BASELINE_EXPLAINERS


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
