import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.viz import randomisation
from tests.viz.drawing import drawn, marks, records, words


@pytest.fixture
def curve() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "stage": [0, 1, 2],
            "layer": ["", "head", "blocks.0"],
            "correlation": [1.0, 0.6, 0.1],
            "low": [1.0, 0.3, -0.2],
            "high": [1.0, 0.8, 0.3],
            "random": [0.01, 0.01, 0.01],
        }
    )


def test_a_curve_holds_what_was_given_in_the_order_of_the_stages(curve):
    chart = randomisation(curve.iloc[::-1])
    found = pd.DataFrame(records(chart, "correlation"))
    assert found["layer"].tolist() == ["trained weights", "head", "blocks.0"]
    assert found["correlation"].tolist() == [1.0, 0.6, 0.1]
    shown = words(chart)
    assert [word for word in shown if word in ("trained weights", "head", "blocks.0")] == [
        "trained weights",
        "head",
        "blocks.0",
    ]
    assert any("below 0.5" in word for word in shown)
    assert any("Band" in word for word in shown)
    drawn(chart)


def test_curves_of_several_methods_on_one_model(curve):
    both = pd.concat([curve.assign(method="CAM"), curve.assign(method="gradient", correlation=[1.0, 0.9, 0.8])])
    chart = randomisation(both, threshold=None)
    shown = words(chart)
    assert {"CAM", "gradient"} <= set(shown)
    assert not any("Dotted" in word or "Band" in word for word in shown)
    assert len(marks(chart, "area mark container") + marks(chart, "area")) == 0
    drawn(chart)


def test_wrong_tables_are_rejected(curve):
    with pytest.raises(InputError, match="unknown column 'random'"):
        randomisation(curve.drop(columns="random"))
    with pytest.raises(InputError, match="two layers at one stage; expected the curves of one model"):
        randomisation(pd.concat([curve, curve.assign(layer=["", "fc", "conv"])]))
