import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.metrics.comparison.result import Comparison
from stexplain.viz import comparison
from tests.viz.drawing import colours, drawn, marks, records, words


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    methods = {"ours": 0.8, "theirs": 0.7, "motion": 0.5}
    scores = {
        metric: {name: random.normal(level, 0.05, 30) * scale for name, level in methods.items()}
        for metric, scale in (("auroc", 1.0), ("seconds", 40.0))
    }
    return Comparison(scores, {"auroc": True, "seconds": False}, tuple(map(str, range(30)))).to_frame()


def test_every_mean_and_interval_is_drawn(table):
    chart = comparison(
        table, baseline_explainers=["motion"], better={"auroc": True, "seconds": False}, reference={"auroc": 0.5}
    )
    found = pd.DataFrame(records(chart, "panel", "method"))
    np.testing.assert_allclose(found[["value", "low", "high"]], table[["value", "low", "high"]])
    shown = words(chart)
    assert {"auroc ↑", "seconds ↓", "ours", "theirs", "motion"} <= set(shown)
    assert shown.index("ours") < shown.index("motion")
    assert len(marks(chart, "point")) == 6
    assert "#8c8c8c" in colours(chart, "point")
    drawn(chart)


def test_methods_and_metrics_are_chosen_and_ordered(table):
    shown = words(comparison(table, methods=["theirs", "ours"], metrics=["seconds"]))
    assert "auroc" not in shown
    assert "motion" not in shown
    assert shown.index("theirs") < shown.index("ours")


def test_a_method_without_a_value_keeps_its_row(table):
    table.loc[0, ["value", "low", "high"]] = np.nan
    assert "ours" in words(comparison(table, metrics=["auroc"]))
    drawn(comparison(table))


def test_wrong_tables_are_rejected(table):
    with pytest.raises(InputError, match="unknown method 'our'. Did you mean 'ours'"):
        comparison(table, methods=["our"])
    with pytest.raises(InputError, match="unknown metric 'aurc'. Did you mean 'auroc'"):
        comparison(table, metrics=["aurc"])
    with pytest.raises(InputError, match="unknown column 'low'"):
        comparison(table.drop(columns="low"))


def test_large_numbers_on_the_axis_are_written_out(table):
    shown = words(comparison(table.assign(value=table["value"] * 50, low=table["low"] * 50, high=table["high"] * 50)))
    assert not [text for text in shown if "e+" in text]
