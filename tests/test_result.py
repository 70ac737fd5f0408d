"""All results have the same verbs: to_frame(), save(), and where a chart fits plot(); a notebook shows them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.checks.trust.result import Trust, TrustCheck
from stexplain.errors import InputError
from stexplain.explainers.edge_explanation import EdgeFrames
from stexplain.explainers.explanation import Explanation
from stexplain.intervals.bootstrap import Interval
from stexplain.metrics.faithfulness import MaskingCurve
from stexplain.metrics.forecast_masking import ForecastMaskingCurve
from stexplain.metrics.truth.agreement import Agreement
from stexplain.result import Charted, Result, write_table

RANDOM = np.random.default_rng(0)
MAPS = Explanation(
    RANDOM.gamma(2, size=(6, 1, 8, 3)), np.ones((6, 1, 8), bool), ("hip", "knee", "hand"), targets=np.zeros(6, int)
)


class Net(nn.Module):
    def forward(self, x):  # b t n
        return torch.stack([x[..., 0].sum(1), x[..., 1].sum(1)], 1)


def of_all_kinds():
    """One result of each kind, made as users make them where that is quick."""
    x = torch.from_numpy(RANDOM.normal(size=(6, 8, 3)).astype(np.float32))
    call = {"inputs": "b t n", "target": stx.Class(0)}
    e = stx.explain(Net(), x, method="InputGradient", **call)
    truth = MAPS.values > 3
    importance = stx.metrics.ClassImportance(["walk", "limp"], MAPS.node_names)
    importance.update(MAPS, labels=[0] * 6, correct=[True] * 6)
    frames = EdgeFrames(np.arange(4.0), RANDOM.normal(size=(1, 4, 1)).astype(np.float32))
    edges = stx.EdgeExplanation(np.ones((1, 1)), ("a",), ("b",), ("out",), ("1",), over_time={"1": frames})
    scores = {"auroc": {method: RANDOM.random(12) for method in ("gradient", "random")}}
    masking = np.array([0.0, 0.5])
    right = {"highlighted": np.array([[True] * 12, [False] * 12])}
    sums = {"highlighted": {name: np.ones((2, 12)) for name in ("error", "change")}}
    ids = tuple(map(str, range(12)))
    return [
        stx.compare_groups(MAPS, ["a"] * 3 + ["b"] * 3, windows=2),
        stx.metrics.Comparison(scores, {"auroc": True}, ids),
        stx.metrics.deletion_curve(Net(), x, e, repeats=2, target=stx.Class(0)),
        stx.metrics.fidelity(Net(), x, e, target=stx.Class(0)),
        stx.metrics.localisation(MAPS, truth),
        stx.metrics.complexity(MAPS),
        stx.metrics.sensitivity_max(stx.InputGradient(Net(), inputs="b t n"), x, target=stx.Class(0), draws=2),
        MaskingCurve(masking, right, ids, "zero", 2, 0),
        ForecastMaskingCurve(masking, sums, np.ones(12, int), ids, "zero", 2),
        Agreement({"nodes": {"auroc": RANDOM.random(6)}}),
        importance,
        edges,
        stx.LayerSweep({"first": MAPS, "last": MAPS}),
        stx.selftest(Net(), stx.InputGradient, x, inputs="b t n"),
        Trust(
            "CAM on Net",
            (
                TrustCheck.of("accuracy", Interval(0.9, 0.8, 1.0), 0.5, "Better than chance."),
                TrustCheck.not_checked("deletion", "The model knows no class."),
            ),
        ),
    ]


@pytest.fixture(scope="module")
def results():
    return of_all_kinds()


def kinds(of=Result):
    return {kind for kind in of.__subclasses__() if kind.__module__.startswith("stexplain.")} | {
        deeper for kind in of.__subclasses__() for deeper in kinds(kind)
    }


def test_every_kind_of_result_is_here_or_tested_beside_what_makes_it(results):
    elsewhere = {"Effect", "SavedEffect", "DatasetEffect", "History", "ForecastEvaluation", "GraphAblation", "Charted"}
    assert {kind.__name__ for kind in kinds()} - elsewhere == {type(one).__name__ for one in results}


def test_what_has_a_table_is_a_result():
    """No public class has a table under another name, or a table without the other verbs."""
    found = [getattr(module, name) for module in (stx, stx.metrics, stx.training) for name in dir(module)]
    classes = {one for one in found if isinstance(one, type) and one.__module__.startswith("stexplain.")}
    assert {one for one in classes if hasattr(one, "to_frame")} - {Explanation} <= kinds() | {Result}
    assert {one.__name__ for one in classes if hasattr(one, "table")} <= {"Clips"}


def test_all_give_a_table_say_what_they_are_and_show_it(results, tmp_path):
    for one in results:
        table = one.to_frame()
        assert isinstance(table, pd.DataFrame)
        assert len(table), one
        assert "array(" not in repr(one), one
        assert len(repr(one)) < 900, one
        assert "<table" in one._repr_html_() or "<svg" in one._repr_html_(), one
        one.save(tmp_path / "table.csv")
        read = pd.read_csv(tmp_path / "table.csv")
        assert len(read) == len(table)
        assert read.columns[0] == str(table.index.name or table.columns[0]), "no column of numbers is added"


def test_those_with_a_chart_draw_it_and_save_it(results, tmp_path):
    for one in results:
        if not isinstance(one, Charted):
            with pytest.raises(InputError, match=r"got 'chart\.svg'; expected a name that ends in \.csv, \.parquet\."):
                one.save(tmp_path / "chart.svg")
            continue
        if getattr(one, "curve", ...) is None:
            continue
        assert "$schema" in one.plot().to_dict()
        assert one.plot(title="mine").to_dict()["title"] is not None
        with pytest.raises(InputError, match="See the options of stexplain.viz"):
            one.plot(colour="red")
        with pytest.raises(InputError, match=r"\.csv, \.parquet, \.html, \.png, \.svg, \.pdf"):
            one.save(tmp_path / "chart.gif")
    results[0].save(tmp_path / "chart.svg")
    assert "<svg" in (tmp_path / "chart.svg").read_text()


def test_a_table_that_is_taken_is_the_users_own(results):
    groups = results[0]
    table = groups.to_frame()
    table.loc[:, "p"] = 0.0
    assert (groups.to_frame()["p"] > 0).all()


def test_long_tables_are_cut_short_and_markup_is_text():
    @dataclass(frozen=True, repr=False)
    class Long(Result):
        def _said(self):
            return "<b>"

        def to_frame(self):
            return pd.DataFrame({"value": range(50)})

    shown = Long()._repr_html_()
    assert shown.count("<tr") == 21
    assert "30 more rows" in shown
    assert "<b>" not in shown


def test_parquet_without_its_package_is_refused_with_the_remedy(tmp_path, monkeypatch):
    def missing(*_, **__):
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", missing)
    with pytest.raises(InputError, match=r"pip install pyarrow, or write \.csv"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


def test_an_explanation_has_the_same_verb():
    pd.testing.assert_frame_equal(MAPS.to_frame(), MAPS.to_pandas())
