"""Valid calls of what neither an example calls nor annotations tell how: tables with certain columns, files."""

import functools
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import stexplain as stx
from stexplain.axes import Layout
from stexplain.cards import model_card
from stexplain.data.store.prepared import Store
from tests.fuzz import corpus
from tests.fuzz.examples import Call
from tests.fuzz.objects import Model, batch, clips, explanation, graph, model_output, prepared

_ABLATION = ("with_graph", "without_graph", "model", "history")
SCORES = {"value": 0.5, "low": 0.4, "high": 0.6}


def _table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-given-"))


def _series_card() -> dict[str, Any]:
    from tests.data.series_cards import small_card

    folder = _folder()
    corpus.speeds_csv(folder)
    card = small_card(_folder(), "stexplain.data.readers.speeds_csv", ("speed",), "start = 2012-03-01T00:00:00")
    return {"card": card, "data": folder, "split": "all"}


def _saved() -> Path:
    path = _folder() / "e.npz"
    explanation().save(path)
    return path


def _calibration() -> stx.Calibration:
    of = explanation()
    truth = np.zeros(of.values.shape, bool)
    truth[..., :2, 0] = True
    return stx.Calibration.of(of, truth)


def _localisations() -> dict[str, Any]:
    draw = np.random.default_rng(0)
    truth = np.zeros((4, 1, 8, 3), bool)
    truth[:, :, :4, 0] = True
    named = {name: stx.metrics.localisation(draw.random(truth.shape), truth) for name in ("Random", "Motion")}
    return {"scores": named, "over": "nodes"}


def _class_importance() -> stx.metrics.ClassImportance:
    found = stx.metrics.ClassImportance(("no", "yes"), ("a", "b", "c"))
    found.update(explanation(), [0, 1, 0, 1])
    return found


def _importance_arrays() -> tuple[Any, dict[str, Any]]:
    found = _class_importance()
    return found.add_arrays, {"arrays": found.arrays()}


def _average() -> tuple[Any, dict[str, Any]]:
    average = stx.training.HistoricalAverage(np.full((24, 3, 1), 50.0), 60.0)
    return average.at, {"start": np.array(["2024-01-01"], "M8[m]"), "first": 0, "count": 2}


def _fusion_batch() -> tuple[Any, dict[str, Any]]:
    line = clips()
    model = stx.load_model("stgcn2", graph=line.graph, classes=["no", "yes"], width=0.0625, recipe="quick")
    return stx.nn.Fusion({"joint": model}).batch, {"clips": line, "indices": [0, 1]}


def _forecast() -> dict[str, Any]:
    return {"output": type(model_output())(torch.randn(4, 2, 3), 4)}


def _info(layout: str) -> stx.explainers.OutputInfo:
    return stx.explainers.OutputInfo(nodes=("a", "b", "c"), layout=Layout(layout), node_count=3)


def _released() -> dict[str, Any]:
    """The entries of a released network of one block, in its own names."""
    entries = {"A": torch.ones(2, 3, 3), "edge_importance.0": torch.ones(2, 3, 3)}
    for prefix, size in (("data_bn", 9), ("st_gcn_networks.0.tcn.0", 4), ("st_gcn_networks.0.tcn.3", 4)):
        entries |= {f"{prefix}.{name}": torch.ones(size) for name in ("weight", "bias", "running_mean", "running_var")}
    shapes = {"st_gcn_networks.0.gcn.conv": (8, 3, 1, 1), "st_gcn_networks.0.tcn.2": (4, 4, 9, 1), "fcn": (2, 4, 1, 1)}
    for prefix, shape in shapes.items():
        entries |= {f"{prefix}.weight": torch.zeros(shape), f"{prefix}.bias": torch.zeros(shape[0])}
    return {"state_dict_or_path": entries}


def _generated() -> stx.Clips:
    """Clips with a counterfactual, as generated data has one."""
    line = clips()
    rows = replace(line._rows, counterfactual=np.zeros_like(line._rows.x))
    return line._with(rows=rows)


def _effect() -> Any:
    return stx.metrics.dataset.effect(Model(), _generated(), windows=2, progress=False)


def _store() -> dict[str, Any]:
    found = Store.open(prepared())
    return {"path": found.path, "info": found.info, "table": found.table, "rows": found.rows}


def _forecaster(windows: Any) -> Any:
    torch.manual_seed(0)
    return stx.load_model("stgcn-roads", graph=windows.graph, horizon=2, blocks=[[4, 4, 4]])


def _windows() -> tuple[Any, Any, Any]:
    values = np.random.default_rng(0).normal(50, 5, (90, 3))
    time = pd.date_range("2024-01-01", periods=90, freq="h")
    series = stx.WindowedSeries(values, window=12, horizon=2, graph=graph(), time=time)
    return series.split(0.5, 0.25)


def _ablation_arguments() -> dict[str, Any]:
    train, validation, test = _windows()
    recipe = next(iter(model_card("stgcn-roads").recipes.values())).model_copy(update={"epochs": 1})
    return {"model": _forecaster(train), "train": train, "test": test, "recipe": recipe, "progress": False,
            "validation": validation}  # fmt: skip


@functools.cache
def _ablation() -> Any:
    return stx.training.graph_ablation(**_ablation_arguments())


def _events() -> stx.WindowedSeries:
    """Windows of which one has a planted event."""
    events = pd.DataFrame({"target": ["b"], "frame": [3], "horizon": [1]})
    truth = np.zeros((1, 4, 3), bool)
    truth[0, 1:3, 0] = True
    values = np.random.default_rng(0).normal(50, 5, (48, 3))
    named: Any = {"events": events, "truth": truth, "counterfactual": values[None, 3:7].astype(np.float32)}
    return stx.WindowedSeries(values, window=4, horizon=2, graph=graph(), **named)


def _forecast_curve() -> stx.metrics.ForecastMaskingCurve:
    sums = {"highlighted": {name: np.array([[4.0, 2.0], [5.0, 3.0]]) for name in ("error", "change")}}
    return stx.metrics.ForecastMaskingCurve(np.array([0.0, 1.0]), sums, np.array([2, 2]), ("p", "q"), "zero", 1)


GIVEN: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "stexplain.load_dataset": lambda: (stx.load_dataset, {"card": "nw-ucla", "data": prepared()}),
    "stexplain.data.load_clips": lambda: (stx.data.load_clips, {"card": "nw-ucla", "data": prepared()}),
    "stexplain.load_series": lambda: (stx.load_series, {**_series_card(), "split": None}),
    "stexplain.Explanation.load": lambda: (stx.Explanation.load, {"path": _saved()}),
    "stexplain.Explanation.select": lambda: (explanation().select, {"share": 0.9, "calibration": _calibration()}),
    "stexplain.Calibration.from_dict": lambda: (stx.Calibration.from_dict, {"values": _calibration().to_dict()}),
    "stexplain.graph.skeleton_named": lambda: (stx.graph.skeleton_named, {"name": "coco-17"}),
    "stexplain.metrics.best_baseline": lambda: (stx.metrics.best_baseline, _localisations()),
    "stexplain.metrics.ClassImportance.add_arrays": _importance_arrays,
    "stexplain.training.HistoricalAverage.at": _average,
    "stexplain.nn.Fusion.batch": _fusion_batch,
    "stexplain.Forecast.score_output": lambda: (stx.Forecast(0, 1, layout="b t n").score_output, _forecast()),
    "stexplain.PerSample.score_output": lambda: (
        stx.PerSample([stx.Class(0)] * 4).score_output, {"output": model_output()},
    ),
    "stexplain.Forecast.nodes_read": lambda: (stx.Forecast("a", 1).nodes_read, {"info": _info("b t n")}),
    "stexplain.NodeClass.nodes_read": lambda: (stx.NodeClass("a", layout="b n c").nodes_read, {"info": _info("b n c")}),
    "stexplain.NodeClass.score_output": lambda: (
        stx.NodeClass(1, 0).score_output, {"output": type(model_output())(torch.randn(4, 3, 2), 4)},
    ),
    "stexplain.PerSample.nodes_read": lambda: (stx.PerSample([stx.Class(0)] * 4).nodes_read, {"info": _info("b c")}),
    "stexplain.explainers.Target.nodes_read": lambda: (stx.Class(0).nodes_read, {"info": _info("b c")}),
    "stexplain.data.Store": lambda: (Store, _store()),
    "stexplain.Clips.counterfactual": lambda: (_generated().counterfactual, {}),
    "stexplain.metrics.dataset.effect": lambda: (
        stx.metrics.dataset.effect, {"model": Model(), "clips": _generated(), "windows": 2, "progress": False},
    ),
    "stexplain.metrics.dataset.DatasetEffect.used": lambda: (_effect().used, {}),
    "stexplain.metrics.dataset.DatasetEffect.groups": lambda: (_effect().groups, {}),
    "stexplain.metrics.dataset.DatasetEffect.to_frame": lambda: (_effect().to_frame, {}),
    "stexplain.metrics.ForecastMaskingCurve.faithfulness": lambda: (_forecast_curve().faithfulness, {}),
    "stexplain.explainers.OutputInfo.entries_of_rows": lambda: (
        _info("b t n").entries_of_rows, {"per_sample": [1, 2], "count": 2, "noun": "numbers"},
    ),
    "stexplain.WindowedSeries.events_batch": lambda: (_events().events_batch, {"events": [0]}),
    "stexplain.training.graph_ablation": lambda: (stx.training.graph_ablation, _ablation_arguments()),
    "stexplain.training.GraphAblation": lambda: (
        stx.training.GraphAblation, {name: getattr(_ablation(), name) for name in _ABLATION},
    ),
    "stexplain.training.GraphAblation.to_frame": lambda: (_ablation().to_frame, {"horizons": [1, 2]}),
    "stexplain.load_stgcn_checkpoint": lambda: (stx.load_stgcn_checkpoint, _released()),
    "stexplain.LearnedMask.loss": lambda: (
        stx.LearnedMask(torch.nn.Identity(), graph=graph()).loss,
        {"mask": torch.rand(4, 1, 8, 3), "kept": torch.rand(4), "present": batch().present},
    ),
    "stexplain.viz.comparison": lambda: (
        stx.viz.comparison, {"table": _table(metric=["m", "m"], method=["A", "Random"], **SCORES)},
    ),
    "stexplain.viz.confusion": lambda: (stx.viz.confusion, {"matrix": [[3, 1], [0, 2]], "classes": ["no", "yes"]}),
    "stexplain.viz.deletion": lambda: (
        stx.viz.deletion,
        {"table": _table(method=["A", "A"], curve=["deletion"] * 2, share=[0.0, 1.0], **SCORES)},
    ),
    "stexplain.viz.horizon_errors": lambda: (
        stx.viz.horizon_errors, {"table": _table(method=["A", "A"], measure=["mae"] * 2, horizon=[1, 2], value=1.0)},
    ),
    "stexplain.viz.localisation": lambda: (
        stx.viz.localisation, {"table": _table(method=["A", "Random"], over="nodes", measure="auroc", **SCORES)},
    ),
    "stexplain.viz.masking_curves": lambda: (
        stx.viz.masking_curves,
        {"table": _table(set=["least"] * 2, masking=[0.0, 1.0], accuracy=0.5, low=0.4, high=0.6, baseline="zero")},
    ),
    "stexplain.viz.truths": lambda: (
        stx.viz.truths,
        {"table": _table(method=["A", "Random"], baseline_explainer=[False, True], truth="planted", value=0.5)},
    ),
}  # fmt: skip


def given_call(name: str) -> Call | None:
    """The call of this name; none: there is none here."""
    if name not in GIVEN:
        return None
    function, named = GIVEN[name]()
    return Call(function, (), named)
