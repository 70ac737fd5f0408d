import tomllib
from pathlib import Path
from typing import Any

import pytest

from stexplain.bench.experiment import experiment
from stexplain.bench.run import bench
from stexplain.cards import card_names, dataset_card, is_series_card, model_card
from stexplain.data.baselines import baseline
from stexplain.errors import CardError
from tests.bench.small_experiment import write_cards


def read_experiment(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


# Experiments of every kind are read by the test of `check_card`.
RECOGNITION = [
    name
    for name in card_names("datasets")
    if not is_series_card(name) and "kind" not in read_experiment(dataset_card(name).path.with_name("experiment.toml"))
]


@pytest.mark.parametrize("name", RECOGNITION)
def test_every_bundled_experiment_names_what_there_is(name):
    found = experiment(dataset_card(name))
    for run in found.runs:
        card = model_card(run.model)
        assert {found.recipes.planted, found.recipes.real} <= set(card.recipes)
    for name in found.masking.baselines:
        baseline(name)
    assert set(found.published) <= {run.name for run in found.runs}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('protocol = "xview"', 'protocol = "xviev"', "names the protocol 'xviev', which the card lacks. Did you mean"),
        ('clips = ["left up"]', 'clips = ["left op"]', "names the class 'left op', which the card lacks. Did you mean"),
        ("values = [0.5, 1.0]", "values = [0.5, 1.5]", r"masking\.values\.1: got 1\.5; expected"),
        ("nodes = 3", "nodos = 3", r"masking\.nodos: there is no such field. Did you mean 'nodes'"),
        ("title =", "title", "is not TOML"),
    ],
)
def test_a_wrong_experiment_says_where_and_what(tmp_path, old, new, message):
    folder = write_cards(tmp_path)
    path = folder / "experiment.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(CardError, match=message):
        experiment(dataset_card(folder))


def test_a_card_without_an_experiment(tmp_path):
    folder = write_cards(tmp_path)
    (folder / "experiment.toml").unlink()
    with pytest.raises(
        CardError, match=r"experiment\.toml is missing.*another's.*--card \S+ --data DIR`, NAME one of ntu, "
    ):
        bench(folder)
