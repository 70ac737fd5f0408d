"""How cards are found and read, and what their errors say."""

import json
import shutil
from pathlib import Path

import pytest

from stexplain.cards import (
    Recipe,
    card_names,
    card_path,
    dataset_card,
    import_object,
    model_card,
    read_toml,
    series_card,
    trusting,
)
from stexplain.cards.experiment import experiment_card
from stexplain.errors import CardError
from tests.data.series_cards import small_card

RECIPE = """
summary = "for a test"
epochs = 3
batch = 4
rate = 0.1
"""


def recipe(folder: Path, extra: str = "") -> Recipe:
    (folder / "recipe.toml").write_text(RECIPE + extra)
    return read_toml(folder / "recipe.toml", Recipe)


def test_a_card_of_a_folder_in_the_environment_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = tmp_path / "models" / "mine.toml"
    own.parent.mkdir()
    own.write_text(model_card("stgcn7").path.read_text().replace('name = "stgcn7"', 'name = "mine"'))
    assert "mine" not in card_names("models")
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    assert "mine" in card_names("models")
    assert card_path("models", "mine") == own
    assert model_card("mine").hash == model_card(own).hash


def test_a_card_in_the_environment_wins_over_a_bundled_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = tmp_path / "datasets" / "ntu" / "card.toml"
    own.parent.mkdir(parents=True)
    own.write_text(dataset_card("ntu").path.read_text())
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    assert dataset_card("ntu").path == own
    assert dataset_card(own.parent).path == own


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("sumary = 'x'", r"sumary: there is no such field. Did you mean 'summary'\?"),
        ("augment = { crp = 0.5 }", r"augment.crp: there is no such field. Did you mean 'crop'\?"),
        ("decay = 2.0", "decay: got 2.0; expected less than or equal to 1"),
        ("optimizer = 'adam'", r"optimizer: got 'adam'; expected 'sgd', 'adamw' or 'rmsprop'. Did you mean 'adamw'\?"),
        ("frames = 30", r"  got only one of frames and sampling; expected both \(clips\) or neither \(forecasts\)."),
        ("patience = 'many'", "patience: got 'many'; expected a valid integer"),
    ],
)
def test_an_error_names_the_file_the_field_and_both_values(tmp_path: Path, extra: str, message: str):
    with pytest.raises(CardError, match=message) as caught:
        recipe(tmp_path, extra)
    assert str(caught.value).startswith(f"{tmp_path / 'recipe.toml'} is not a valid Recipe:\n")


def test_all_wrong_fields_are_named_at_once(tmp_path: Path):
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("epochs = 3", "epoch = 0"))
    with pytest.raises(CardError, match="epochs: required, but missing.\n  epoch: there is no such field"):
        read_toml(tmp_path / "recipe.toml", Recipe)


def test_a_file_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(CardError, match="could not be read: No such file"):
        read_toml(tmp_path / "nothing.toml", Recipe)
    (tmp_path / "broken.toml").write_text("a = ")
    with pytest.raises(CardError, match=r"broken.toml is not TOML: Invalid value \(at end of document\)"):
        read_toml(tmp_path / "broken.toml", Recipe)
    with pytest.raises(CardError, match="holds no card.toml"):
        dataset_card(tmp_path)


@pytest.mark.parametrize(
    "line", ["[" + "a." * 20_000 + "a]", "a" + ".a" * 20_000 + " = 1", 'x = {"a"' + '."a"' * 20_000 + " = 1}"]
)
def test_a_key_of_thousands_of_parts_is_refused_at_once(tmp_path: Path, line: str):
    (tmp_path / "card.toml").write_text(f"{RECIPE}{line}\n")
    with pytest.raises(CardError, match=r"card.toml is not TOML, line 6: a key of more than 200 parts"):
        read_toml(tmp_path / "card.toml", Recipe)


def test_a_recipe_for_forecasts_has_no_frames(tmp_path: Path):
    with pytest.raises(CardError, match=r"recipe: got one for forecasts.*\(for a test\); expected one for clips"):
        _ = recipe(tmp_path).clip_frames
    assert recipe(tmp_path, "frames = 30\nsampling = 'pad'").clip_frames == 30


def test_import_paths():
    with trusting(["json", "nowhere"]):
        assert import_object("json:dumps", "the test")([1]) == "[1]"
        assert import_object("json", "the test").__name__ == "json"
        with pytest.raises(CardError, match=r"'json:dump_s', but json has no 'dump_s'. Did you mean 'dumps'\?"):
            import_object("json:dump_s", "the test")
        with pytest.raises(CardError, match="the test names 'nowhere.at', but 'nowhere' cannot be imported"):
            import_object("nowhere.at", "the test")


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", "..", " ", "C:\\x", "a\\..\\..\\b"])
def test_a_card_is_called_as_a_folder_may_be(name, tmp_path):
    (tmp_path / "card.toml").write_text(card_path("datasets", "nw-ucla").read_text("utf-8").replace(
        'name = "nw-ucla"', f"name = {json.dumps(name)}", 1), "utf-8")  # fmt: skip
    with pytest.raises(CardError, match=r"name: got .*; expected a name without slashes"):
        dataset_card(tmp_path)


@pytest.mark.parametrize("name", ["../speeds.csv", "/etc/passwd", "a/../../b"])
def test_a_card_names_no_files_outside_of_the_data(name, tmp_path):
    small_card(tmp_path, "stexplain.data.readers.speeds_csv")
    path = tmp_path / "card.toml"
    path.write_text(f'{path.read_text("utf-8")}\n[files]\nvalues = "{name}"\n', "utf-8")
    with pytest.raises(CardError, match=r"files.values: got .*; expected a path within the folder of the data"):
        series_card(path)


@pytest.mark.parametrize("name", ["../../x", "/x", "stages", "a/../../x", "."])
def test_a_run_lies_in_the_folder_of_its_experiment(name, tmp_path):
    shutil.copytree(card_path("datasets", "planted").parent, tmp_path / "planted")
    path = tmp_path / "planted/experiment.toml"
    path.write_text(path.read_text("utf-8").replace("[[runs]]\n", f'[[runs]]\nname = "{name}"\n#', 1), "utf-8")
    with pytest.raises(CardError, match=r"runs.0: got the name .*; expected one that a folder within"):
        experiment_card(tmp_path / "planted")
