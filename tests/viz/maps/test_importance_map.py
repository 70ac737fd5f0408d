import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.viz import importance_map
from tests.viz.drawing import colours, drawn, marks, records, words

NAN = float("nan")


@pytest.fixture
def psi() -> pd.DataFrame:
    return pd.DataFrame([[0.2, 0.6, 1.0], [3.0, 1.0, 2.0]], index=["sit", "throw"], columns=["spine", "hand", "foot"])


def cells(chart, column):
    return {(row["class"], row["node"]): row[column] for row in records(chart, "class", "node")}


def test_the_values_are_the_given_ones(psi):
    found = cells(importance_map(psi), "importance")
    assert found == {(name, node): psi.loc[name, node] for name in psi.index for node in psi.columns}


def test_colour_is_the_min_max_of_each_class(psi):
    shade = cells(importance_map(psi), "shade")
    assert shade == pytest.approx(
        {
            ("sit", "spine"): 0.0, ("sit", "hand"): 0.5, ("sit", "foot"): 1.0,
            ("throw", "spine"): 1.0, ("throw", "hand"): 0.0, ("throw", "foot"): 0.5,
        }
    )  # fmt: skip


def test_without_scaling_colour_is_the_value(psi):
    chart = importance_map(psi, per_class=False)
    assert cells(chart, "shade") == cells(chart, "importance")


def test_names_are_drawn_in_the_given_order(psi):
    drawn_words = words(importance_map(psi, nodes=["foot", "spine"], classes=["throw", "sit"]))
    assert drawn_words.index("foot") < drawn_words.index("spine")
    assert drawn_words.index("throw") < drawn_words.index("sit")
    assert "hand" not in drawn_words


def test_groups_are_named_and_stand_apart(psi):
    plain = importance_map(psi)
    apart = importance_map(psi, groups={"limbs": ["hand", "foot"], "trunk": ["spine"]})
    assert {"limbs", "trunk"} <= set(words(apart))
    assert apart.to_dict()["width"] - plain.to_dict()["width"] == 20  # one empty band between the two groups
    assert len(marks(apart, "rect mark")) == 6


def test_groups_of_classes_are_named(psi):
    assert {"one", "two"} <= set(words(importance_map(psi, class_groups={"one": ["sit"], "two": ["throw"]})))


def test_missing_and_constant_classes_are_grey_and_explained(psi):
    psi.loc["nothing"] = NAN
    psi.loc["flat"] = 2.0
    psi.loc["throw", "hand"] = NAN
    chart = importance_map(psi)
    shade = cells(chart, "shade")
    assert [key for key, value in shade.items() if value is None] == [
        ("throw", "hand"),
        *((name, node) for name in ("nothing", "flat") for node in psi.columns),
    ]
    assert "#8c8c8c" in colours(chart, "rect mark")
    assert any("Grey:" in text for text in words(chart))
    drawn(chart)


def test_nothing_is_grey_without_missing_values(psi):
    assert "#8c8c8c" not in colours(importance_map(psi), "rect mark")


def test_signed_values_get_a_palette_centred_on_zero(psi):
    chart = importance_map(psi - 1.0, per_class=False).to_dict()
    scales = [layer["encoding"]["color"]["scale"] for layer in chart["layer"] if "color" in layer["encoding"]]
    assert scales == [{"domain": [-2.0, 2.0], "domainMid": 0, "scheme": "blueorange"}]


def test_sixty_classes_by_twenty_five_nodes_is_drawn_whole():
    rng = np.random.default_rng(0)
    psi = pd.DataFrame(
        rng.random((60, 25)), index=[f"action {i}" for i in range(60)], columns=[f"n{i}" for i in range(25)]
    )
    chart = importance_map(psi, groups={"a": [f"n{i}" for i in range(10)], "b": [f"n{i}" for i in range(10, 25)]})
    assert len(marks(chart, "rect mark")) == 1500
    assert {*psi.index, *psi.columns} <= set(words(chart))
    assert drawn(chart)[1] > 60 * 15


def test_names_that_look_like_code_are_drawn_as_they_are(psi):
    name = "a 'b' \"c\" <d> \\ .e[0]"
    renamed = psi.rename(columns={"hand": name}, index={"sit": name})
    assert words(importance_map(renamed, groups={name: [name]})).count(name) >= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": ["spin"]}, "unknown node 'spin'. Did you mean 'spine'"),
        ({"classes": ["thro"]}, "unknown class 'thro'. Did you mean 'throw'"),
        ({"groups": {"arm": ["hnd"]}}, "unknown node 'hnd'. Did you mean 'hand'"),
        ({"nodes": ["hand", "hand"]}, "nodes: got 'hand' twice"),
    ],
)
def test_unknown_names_are_rejected(psi, options, message):
    with pytest.raises(InputError, match=message):
        importance_map(psi, **options)


def test_an_empty_table():
    with pytest.raises(InputError, match="at least one class"):
        importance_map(pd.DataFrame())
