"""Values in a large unit, such as errors in volts, are 0.000 with three decimals: charts say them by their digits."""

import re

import pandas as pd
import pytest

from stexplain.viz import deletion, forecast, horizon_errors, masking_curves

SMALL = 2.3e-5


def _errors():
    table = {"method": "model", "measure": "mae", "horizon": [1, 2], "value": [SMALL, 2 * SMALL]}
    return horizon_errors(pd.DataFrame(table), unit="V")


def _forecast():
    return forecast([SMALL, SMALL], [SMALL], {"model": [SMALL]}, unit="V")


def _curve():
    ends = {"value": SMALL, "low": SMALL / 2, "high": 2 * SMALL}
    return pd.DataFrame({"method": "a", "curve": "deletion", "share": [0.0, 1.0], **ends})


def _masking():
    ends = {"error": SMALL, "low": SMALL / 2, "high": 2 * SMALL}
    table = {"set": "highlighted", "masking": [0.0, 1.0], "baseline": "mean", **ends}
    return masking_curves(pd.DataFrame(table), measure="error", unit="V")


@pytest.mark.parametrize("draw", [_errors, _forecast, lambda: deletion(_curve(), score="V"), _masking])
def test_small_values_are_said_by_their_digits(draw):
    tips = re.findall(r"'tooltip': \[(.*?)\]", str(draw().to_dict()))
    formats = [one for tip in tips for one in re.findall(r"'format': '([^']+)'", tip)]
    # As d3 and Python write it; shares of what is masked are percentages.
    shown = [f"{SMALL:{one.replace('~', '')}}" for one in formats if not one.endswith("%")]
    assert shown
    assert [float(each) for each in shown] == pytest.approx([SMALL] * len(shown), rel=1e-3)
