"""Units of maps: of the score, of the channels, and of a forecast that is near enough to what was observed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stexplain.data.times.measured import Measured
from stexplain.explainers import Custom, Forecast
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.results.units import channel_units, unit_of, with_forecast_unit

PLAIN = Explanation(np.ones((2, 1, 3, 2)), np.ones((2, 1, 3), bool), ("north", "south"))


@pytest.mark.parametrize(
    ("measures", "fields", "given", "unit"),
    [
        ("score per input", {}, {}, "score per unit of the input"),
        ("score per input", {"output_unit": "MW"}, {}, "MW per unit of the input"),
        ("score per input", {"channel_units": ("V", "V")}, {}, "score per V"),
        # Of channels in several units there is no one unit.
        ("score per input", {"channel_units": ("V", "A")}, {}, "score per unit of the input"),
        ("score per input", {"channel_units": ("V", "")}, {}, "score per unit of the input"),
        (
            "score per input",
            {"output_unit": "MW", "channel_units": ("V",)},
            {"output": "kW", "signal": "A"},
            "kW per A",
        ),
        ("score", {}, {}, "score"),
        ("score", {"output_unit": "MW"}, {}, "MW"),
        ("size of score", {"output_unit": "MW"}, {}, "MW"),
        ("size of score", {}, {"output": "kW"}, "kW"),
        ("share", {"output_unit": "MW"}, {}, "share"),
        ("", {"output_unit": "MW"}, {}, "importance"),
    ],
)
def test_what_values_are_in(measures, fields, given, unit):
    assert unit_of(replace(PLAIN, measures=measures, **fields), **given) == unit


def samples(units=("MW",), target="MW", channels=1, values=None) -> tuple[ModelInput, torch.Tensor]:
    x = torch.zeros(2, 1, 3, 2, channels) if values is None else torch.as_tensor(values).float()
    sizes = dict(zip("bmtnc", x.shape, strict=True))
    return ModelInput(x, None, sizes, ("a", "b"), measured=Measured(units, target=target)), x


@pytest.mark.parametrize(
    ("units", "channels", "expected"),
    [
        (("MW",), 1, ("MW",)),
        (("MW",), 3, ("MW", "", "")),
        (("MW", "C"), 2, ("MW", "C")),
        # Of more units than channels nobody knows which is whose.
        (("MW", "C"), 1, ()),
        ((), 2, ()),
    ],
)
def test_units_of_channels(units, channels, expected):
    assert channel_units(samples(units, channels=channels)[0]) == expected


LOW, HIGH = 20.0, 60.0
OBSERVED = np.linspace(LOW, HIGH, 12).reshape(2, 1, 3, 2, 1)
"""Of the first node 20 to 56.4, of the second 23.6 to 60."""


@pytest.mark.parametrize(
    ("scores", "named"),
    [
        ([30.0, 40.0], True),
        # A quarter of the least and four times the greatest are near enough; half of the forecasts decide.
        ([5.01, 5.01], True),
        ([4.99, 4.99], False),
        ([225.0, 225.0], True),
        ([226.0, 226.0], False),
        ([30.0, 500.0], True),
        ([1.0, 500.0], False),
    ],
)
def test_a_forecast_far_from_all_that_was_observed_has_no_unit(scores, named):
    model_input, x = samples(values=OBSERVED)
    e = with_forecast_unit(replace(PLAIN, score=np.array(scores)), Forecast("north", 1), model_input, x)
    assert e.output_unit == ("MW" if named else "")
    assert bool(e.notes) is not named
    if not named:
        assert "(20 to 56.4 MW)" in e.notes[0]
        assert f"({np.median(scores):.3g} at the median)" in e.notes[0]


@pytest.mark.parametrize(("scores", "named"), [([-70.0, -70.0], True), ([-90.0, -90.0], False), ([0.5, 0.5], True)])
def test_of_observations_below_zero_the_ends_are_four_times_as_far(scores, named):
    values = OBSERVED.copy()
    values[0, 0, 0, 0] = -20.0
    model_input, x = samples(values=values)
    e = with_forecast_unit(replace(PLAIN, score=np.array(scores)), Forecast(0, 1), model_input, x)
    assert e.output_unit == ("MW" if named else "")


@pytest.mark.parametrize(
    "target", [Forecast(["north", "south"], 1), Forecast("north", [1, 2]), Forecast("north", 1, minus=[1.0, 2.0])]
)
def test_sums_and_differences_lie_elsewhere(target):
    model_input, x = samples(values=OBSERVED)
    assert with_forecast_unit(replace(PLAIN, score=np.array([1e6, 1e6])), target, model_input, x).output_unit == "MW"


def test_where_there_is_no_unit_to_name():
    model_input, x = samples(values=OBSERVED)
    e = replace(PLAIN, score=np.array([30.0, 30.0]))
    assert with_forecast_unit(e, Custom(lambda y: y), model_input, x) is e
    unknown, _ = samples(target="", values=OBSERVED)
    assert with_forecast_unit(e, Forecast("north", 1), unknown, x) is e
    assert with_forecast_unit(PLAIN, Forecast("north", 1), model_input, x) is PLAIN
    # No channel is in the unit of the forecast, or the node is none: nothing is near or far.
    other, _ = samples(("C",), values=OBSERVED)
    far = replace(PLAIN, score=np.array([1e6, 1e6]))
    assert with_forecast_unit(far, Forecast("north", 1), other, x).output_unit == "MW"
    assert with_forecast_unit(far, Forecast("west", 1), model_input, x).output_unit == "MW"
    assert with_forecast_unit(far, Forecast(2, 1), model_input, x).output_unit == "MW"
