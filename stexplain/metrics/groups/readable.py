"""The table of two groups as people read it: few columns, short numbers."""

import numpy as np
import pandas as pd

_LEAST = 1e-4
"""A smaller p is written as below this."""


def readable(table: pd.DataFrame, reference: str, other: str, confidence: float = 0.95) -> tuple[pd.DataFrame, str]:
    """A table of a `GroupComparison` in text: what differs and its p values first, then the means.

    Args:
        table: of the comparison.
        reference: the label of the group that is compared with.
        other: the label of the other.
        confidence: of the intervals.

    Returns:
        The table, of strings; and the factor of its means and differences, such as ``"in 10⁻³"``, empty where it is 1.

    Example:
        >>> numbers = {"reference": [0.0012], "other": [0.0042], "difference": [0.003], "low": [0.001], "high": [0.005]}
        >>> table = pd.DataFrame({"kind": ["node"], "name": ["hip"], **numbers, "p": [0.004], "p_corrected": [0.02]})
        >>> shown, factor = readable(table, "control", "patient")
        >>> shown.to_dict("records")[0]["95% interval"], shown.columns.tolist(), factor
        ('1.00 to 5.00', ['', 'difference', '95% interval', 'p', 'p corrected', 'control', 'patient'], 'in 10⁻³')
    """
    columns = ["reference", "other", "difference", "low", "high"]
    numbers = table[columns].to_numpy(np.float64)
    # One factor, in steps of a thousand as people say them, and one number of decimals for all, so that rows are
    # compared at a glance. Both by the differences, which may be far below the means; 0.1 to 9,999 need no power.
    apart = np.abs(numbers[:, 2:])
    apart = apart[np.isfinite(apart) & (apart > 0)]
    top = float(apart.max(initial=0.0))
    power = 0 if top == 0 or 1e-1 <= top < 1e4 else 3 * int(np.floor(np.log10(top) / 3))
    # Three digits of the largest, or more, up to five, where the smallest would else be written as zero.
    digits = 2
    if top:
        least, most = (int(np.floor(np.log10(size * 10.0**-power))) for size in (float(apart.min()), top))
        digits = max(2 - most, min(-least, 4 - most), 0)

    def number(value: float) -> str:
        # Adding zero drops the sign of what is rounded to zero.
        return f"{round(value * 10.0**-power, digits) + 0.0:.{digits}f}" if np.isfinite(value) else ""

    texts = {name: [number(value) for value in numbers[:, at]] for at, name in enumerate(columns)}
    spans = [f"{low} to {high}" if low and high else "" for low, high in zip(texts["low"], texts["high"], strict=True)]
    # By position: groups may be named as a column is, or alike in text.
    parts = [
        ("", table["name"].astype(str).tolist()),
        ("difference", texts["difference"]),
        (f"{confidence:.0%} interval", spans),
        ("p", [_p(value) for value in table["p"]]),
        ("p corrected", [_p(value) for value in table["p_corrected"]]),
        (reference, texts["reference"]),
        (other, texts["other"]),
    ]
    shown = pd.DataFrame(dict(enumerate(values for _, values in parts)), dtype=object)
    shown.columns = pd.Index([name for name, _ in parts])
    return shown, f"in 10{str(power).translate(_RAISED)}" if power else ""


def _p(value: float) -> str:
    if not np.isfinite(value):
        return ""
    return f"{value:.2g}" if value >= _LEAST else f"<{_LEAST:g}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
