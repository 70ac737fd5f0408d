"""The chart of methods against two truths."""

import inspect

import pandas as pd
import pytest

from stexplain.bench.wording import with_baseline, with_names
from stexplain.errors import InputError
from stexplain.explainers.by_name import methods
from stexplain.viz import truths

TABLE = pd.DataFrame(
    [
        ("Motion", True, "planted", 0.6),
        ("Motion", True, "effect", 0.7),
        ("Gradient", False, "planted", 0.8),
        ("Gradient", False, "effect", 0.9),
        ("Random", True, "planted", 0.5),
        ("Random", True, "effect", 0.5),
    ],
    columns=["method", "baseline_explainer", "truth", "value"],
)


def test_the_lines_are_at_the_best_control_and_controls_come_last():
    spec = truths(TABLE).to_dict()
    lines, _, points = spec["layer"]
    values = lines["data"]["values"] if "values" in lines["data"] else spec["datasets"][lines["data"]["name"]]
    assert {row["truth"]: row["value"] for row in values} == {"planted": 0.6, "effect": 0.7}
    assert points["encoding"]["y"]["sort"] == ["Gradient", "Motion", "Random"]


def test_chosen_methods_are_drawn_in_their_order():
    points = truths(TABLE, methods=["Random", "Gradient"]).to_dict()["layer"][2]
    assert points["encoding"]["y"]["sort"] == ["Random", "Gradient"]


def test_a_missing_column_is_refused():
    with pytest.raises(InputError, match="baseline_explainer"):
        truths(TABLE.drop(columns="baseline_explainer"))


def test_no_name_of_a_method_with_its_baseline_is_cut():
    masking = [name for name, kind in methods().items() if "baseline" in inspect.signature(kind).parameters]
    assert len(masking) > 4
    names = [with_baseline(name, baseline) for name in masking for baseline in ("interpolation", "historical_average")]
    table = pd.DataFrame({"method": names, "baseline_explainer": False, "truth": "effect", "value": 0.5})
    chart = truths(with_names(table))
    assert "labelExpr" not in chart.layer[1].to_dict()["encoding"]["y"]["axis"]
