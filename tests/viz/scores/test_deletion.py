import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.metrics import DeletionCurve
from stexplain.viz import deletion
from tests.viz.drawing import colours, drawn, records, words

SHARE = np.linspace(0, 1, 3)


def curve(method: str, kind: str, over: str = "positions") -> DeletionCurve:
    score = np.array([[1.0, 0.9], [0.4, 0.2], [0.1, 0.0]])
    random = np.array([[[1.0, 0.9]], [[0.6, 0.5]], [[0.1, 0.0]]])
    if kind == "insertion":
        score, random = score[::-1], random[::-1]
    return DeletionCurve(kind, over, "mean", SHARE, score, random, ("a", "b"), method, "class 1")


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.concat(
        [curve(method, kind).to_frame() for method in ("cam", "gradient") for kind in ("deletion", "insertion")]
    )


def test_holds_every_curve_and_the_random_order_once(table):
    chart = deletion(table, score="probability")
    found = pd.DataFrame(records(chart, "line", "share"))
    assert len(found) == 2 * 2 * 3 + 2 * 3
    of = found.set_index(["panel", "line", "share"])["value"]
    assert of["deletion of positions", "cam", 0.5] == pytest.approx(0.3)
    assert of["insertion of positions", "random order", 0.5] == pytest.approx(0.55)
    assert {"deletion of positions", "insertion of positions", "cam", "gradient", "random order", "probability"} <= set(
        words(chart)
    )
    assert "#8c8c8c" in colours(chart, "point")
    drawn(chart)


def test_one_method_without_random_order_and_intervals():
    single = DeletionCurve("deletion", "nodes", "zero", SHARE, np.ones((3, 1)), np.ones((3, 0, 1)), ("a",), "cam")
    chart = deletion(single.to_frame().assign(low=np.nan, high=np.nan))
    assert "random order" not in words(chart)
    drawn(chart)


def test_chosen_methods_in_their_order(table):
    shown = words(deletion(table, methods=["gradient"]))
    assert "gradient" in shown
    assert "cam" not in shown
    assert "random order" in shown


def test_a_table_without_random_orders():
    table = pd.DataFrame(
        [
            (method, curve, share, share * 3, share * 2, share * 4)
            for method in ("Random", "STGGradCAM")
            for curve in ("deletion", "insertion")
            for share in (0.0, 0.1, 1.0)
        ],
        columns=["method", "curve", "share", "value", "low", "high"],
    )
    chart = deletion(table, score="mph")
    found = pd.DataFrame(records(chart, "method", "share"))
    pd.testing.assert_frame_equal(found[table.columns.tolist()], table, check_dtype=False)
    shown = words(chart)
    assert shown.index("STGGradCAM") < shown.index("Random")
    assert {"deletion", "insertion", "mph"} <= set(shown)
    assert "#8c8c8c" in colours(chart, "point")
    drawn(chart)


def test_wrong_tables_are_rejected(table):
    with pytest.raises(InputError, match="unknown column 'curve'"):
        deletion(table.drop(columns="curve"))
    with pytest.raises(InputError, match="unknown method 'Cam'"):
        deletion(table, methods=["Cam"])
    with pytest.raises(InputError, match="several baselines: mean, zero"):
        deletion(pd.concat([table, table.assign(baseline="zero")]))
