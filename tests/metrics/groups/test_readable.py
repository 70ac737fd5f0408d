"""Tables of two groups in text: one power of a thousand and one number of digits for all, by the differences."""

import numpy as np
import pandas as pd
import pytest

from stexplain.metrics.groups.readable import readable


def table(*differences, reference=1.0, low=None, high=None, p=0.01) -> pd.DataFrame:
    d = np.array(differences, np.float64)
    return pd.DataFrame(
        {
            "kind": "node", "name": [f"n{at}" for at in range(len(d))], "reference": reference,
            "other": reference + d, "difference": d, "low": d if low is None else low,
            "high": d if high is None else high,
            "p": p, "p_corrected": 2 * np.asarray(p),
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("differences", "texts", "factor"),
    [
        ([0.1], ["0.100"], ""),
        ([0.0999], ["99.9"], "in 10⁻³"),
        ([0.5, 0.25], ["0.500", "0.250"], ""),
        ([9999.0], ["9999"], ""),
        ([10000.0], ["10.0"], "in 10³"),
        ([0.003, -0.002], ["3.00", "-2.00"], "in 10⁻³"),
        ([0.0000123], ["12.3"], "in 10⁻⁶"),
        ([1.0], ["1.00"], ""),
        ([25.0], ["25.0"], ""),
        ([250.0], ["250"], ""),
        # More digits, up to five, where the smallest would be zero with three.
        ([25.0, 0.025], ["25.00", "0.02"], ""),
        ([25.0, 0.00025], ["25.000", "0.000"], ""),
        ([2.0, -0.0001], ["2.0000", "-0.0001"], ""),
        ([0.0], ["0.00"], ""),
    ],
)
def test_numbers(differences, texts, factor):
    shown, its_factor = readable(table(*differences), "a", "b")
    assert shown["difference"].tolist() == texts
    assert its_factor == factor
    assert shown["95% interval"].tolist() == [f"{text} to {text}" for text in texts]


def test_what_is_missing_is_left_empty_and_what_is_rounded_to_zero_has_no_sign():
    numbers = table(1.0, np.nan, -1e-9, low=[0.5, np.nan, -2.0], high=[1.5, np.nan, 2.0], p=[0.2, np.nan, 0.00005])
    numbers["reference"] = [2.0, np.nan, 3.0]
    shown, factor = readable(numbers, "control", "patient", confidence=0.9)
    assert factor == ""
    assert shown.columns.tolist() == ["", "difference", "90% interval", "p", "p corrected", "control", "patient"]
    assert shown["difference"].tolist() == ["1.0000", "", "0.0000"]
    assert shown["90% interval"].tolist() == ["0.5000 to 1.5000", "", "-2.0000 to 2.0000"]
    assert shown["p"].tolist() == ["0.2", "", "<0.0001"]
    assert shown["p corrected"].tolist() == ["0.4", "", "0.0001"]
    assert shown["control"].tolist() == ["2.0000", "", "3.0000"]
    assert shown[""].tolist() == ["n0", "n1", "n2"]


def test_groups_may_be_named_as_a_column_is():
    shown, _ = readable(table(1.0), "p", "difference")
    assert shown.columns.tolist() == ["", "difference", "95% interval", "p", "p corrected", "p", "difference"]
