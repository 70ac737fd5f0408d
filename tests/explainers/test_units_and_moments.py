"""What an explanation of windows says of itself: its units, and the moments of its frames."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.explainers import Forecast, joined
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.units import _single_node

HOURS, WINDOW = 200, 6


class Ahead(nn.Module):
    """Repeats a share of the last observation, ``[B, T, N, C]`` to ``[B, 2, N]``."""

    outputs = "b t n"

    def __init__(self, share: float = 0.9) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(share))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.share * x[:, -1:, :, 0]).repeat(1, 2, 1)


def series(unit: str = "MW", start: str = "2026-03-27", zone: str | None = None, **options) -> stx.WindowedSeries:
    values = 500 + 100 * np.random.default_rng(0).normal(size=(HOURS, 3))
    time = pd.date_range(start, periods=HOURS, freq="h", tz=zone)
    graph = stx.STGraph.from_edges(["north", "south", "west"], [("north", "south"), ("south", "west")])
    table = pd.DataFrame(values, time, list(graph.nodes))
    return stx.WindowedSeries(table, window=WINDOW, horizon=2, graph=graph, unit=unit, **options)


TARGET = stx.Forecast("north", 1)


@pytest.mark.parametrize(
    ("method", "unit"),
    [
        ("IntegratedGradients", "MW"),
        ("ExpectedFall", "MW"),
        ("InputGradient", "MW per MW"),
        ("LearnedMask", "share"),
        ("Motion", "importance"),
    ],
)
def test_values_of_windows_are_in_the_units_of_the_series(method, unit):
    explainer = getattr(stx, method)
    e = explainer(Ahead(), inputs="b t n c")(series().batch([0, 5, 9]), target=TARGET)
    assert e.unit() == unit
    assert e.to_frame().attrs["units"] == {"time": "s", "value": unit}


def test_a_single_window_has_the_units_too():
    e = stx.explain(Ahead(), series()[4], method="InputGradient", target=TARGET, inputs="b t n c")
    assert e.unit() == "MW per MW"


def test_no_unit_is_guessed():
    e = stx.InputGradient(Ahead(), inputs="b t n c")(series("").batch([0]), target=TARGET)
    assert e.unit() == "score per unit of the input"
    # A logit has no unit, whatever the signals are measured in.
    model = nn.Sequential(nn.Flatten(), nn.Linear(WINDOW * 3, 2))
    e = stx.InputGradient(model, inputs="b t n c")(series().batch([0]), target=1)
    assert e.unit() == "score per MW"


@pytest.mark.parametrize("share", [0.0005, 0.002, 1000.0, -1.0])
def test_forecasts_that_are_far_from_all_observations_have_no_unit_and_say_so(share):
    windows = series().batch([0, 5, 9])
    e = stx.IntegratedGradients(Ahead(share), inputs="b t n c")(windows, target=TARGET)
    assert e.unit() == "score"
    assert any("far from all that was observed" in note and "MW" in note for note in e.notes)


@pytest.mark.parametrize("share", [0.8, 1.0, 1.3])
@pytest.mark.parametrize("target", [TARGET, stx.Forecast(2, 2)])
def test_a_forecaster_that_is_not_good_has_a_unit_too(share, target):
    e = stx.InputGradient(Ahead(share), inputs="b t n c")(series().batch([7]), target=target)
    assert (e.unit(), e.output_unit, e.notes) == ("MW per MW", "MW", ())


def test_sums_and_differences_of_forecasts_are_in_the_unit():
    windows = series().batch([0, 5, 9])
    both = stx.IntegratedGradients(Ahead(), inputs="b t n c")(windows, target=stx.Forecast(["north", "south"], 1))
    less = stx.IntegratedGradients(Ahead(), inputs="b t n c")(
        windows, target=stx.Forecast("north", 1, minus=[450.0, 450.0, 450.0])
    )
    for each in (both, less):
        assert each.unit() == "MW"
        assert not any("far from" in note for note in each.notes)


def test_channels_of_several_units():
    values = 500 + np.random.default_rng(0).normal(size=(HOURS, 3, 2))
    two = stx.WindowedSeries(
        values, window=WINDOW, horizon=2, channels=["load", "temperature"], measured=stx.data.Measured(("MW", "degC"))
    )
    e = stx.InputGradient(Ahead(), inputs="b t n c")(two.batch([0]), target=stx.Forecast(0, 1))
    assert e.unit() == "MW per unit of the input"
    assert e.channel("temperature").unit() == "MW per degC"
    calendar = series().with_calendar().batch([0])
    e = stx.InputGradient(Ahead(), inputs="b t n c")(calendar, target=TARGET)
    assert e.unit() == "MW per unit of the input"
    assert e.channel("value").unit() == "MW per MW"


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_frames_have_their_moments(zone, tmp_path):
    # Windows over the last Sunday of March, when clocks are put forward in Berlin.
    windows = series(zone=zone)
    index = windows.time
    chosen = windows.batch([0, 46, 47])
    e = stx.InputGradient(Ahead(), inputs="b t n c")(chosen, target=TARGET)
    expected = [index[start + frame] for start in (0, 46, 47) for frame in range(WINDOW) for _ in range(3)]
    for each in (e, e[:2], e[2]):
        table = each.to_frame()
        assert list(table.columns) == ["sample", "instance", "frame", "time", "timestamp", "node", "value"]
        assert table["timestamp"].dt.tz == index.tz
    assert e.to_frame()["timestamp"].tolist() == expected
    for name in ("e.nc", "e.npz"):
        e.save(tmp_path / name)
        again = stx.Explanation.load(tmp_path / name)
        pd.testing.assert_frame_equal(again.to_frame(), e.to_frame(), check_dtype=False)
        assert again.to_frame().attrs == e.to_frame().attrs
    pd.testing.assert_frame_equal(joined([e[:2], e[2:]]).to_frame(), e.to_frame())


def test_a_window_alone_has_its_moments():
    windows = series(zone="Europe/Berlin")
    e = stx.InputGradient(Ahead(), inputs="b t n c")(windows[46], target=TARGET)
    assert e.to_frame()["timestamp"].iloc[0] == windows.time[46]
    batch = stx.Batch.of(windows[46], windows[47])
    assert batch.timestamps.tolist() == windows.time[46:48].tolist()


def test_without_times_there_are_no_moments():
    plain = stx.WindowedSeries(np.random.default_rng(0).normal(size=(50, 3)), window=WINDOW, horizon=2)
    e = stx.InputGradient(Ahead(), inputs="b t n c")(plain.batch([0]), target=stx.Forecast(0, 1))
    assert "timestamp" not in e.to_frame()
    assert e.to_frame().attrs["units"]["time"] == "frame"


def test_a_forecast_lies_at_a_node_if_it_is_of_a_single_one_at_a_single_step() -> None:
    e = Explanation(np.zeros((1, 1, 2, 3)), np.ones((1, 1, 2), bool), tuple("abc"))
    assert [_single_node(e, Forecast(node, horizon=1)) for node in (0, 2, "b")] == [0, 2, 1]
    several = (Forecast([0, 1], horizon=1), Forecast(0, horizon=[0, 1]), Forecast(["a", "b", "c"], horizon=[0, 1, 2]))
    assert [_single_node(e, each) for each in several] == [None] * 3
    assert [_single_node(e, Forecast(node, horizon=1)) for node in (3, "d")] == [None] * 2
    assert _single_node(e, Forecast(0, horizon=1, minus=[2.0])) is None
