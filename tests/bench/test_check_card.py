import re
import shutil
import textwrap
from pathlib import Path

import pytest

from stexplain.bench.check_card import check_card
from stexplain.cards import card_names, card_path
from stexplain.errors import CardError

CARD = """
name = "mine"
title = "Mine"
summary = "My recordings"
licence = "none"
url = "https://example.org"
citation = "none"
obtain = "Record it."
reader = "stexplain.data.readers.nw_ucla"

[axes]
channels = ["x", "y", "z"]
unit = "m"
frame_rate = 30.0

[graph]
nodes = ["hip", "knee", "foot"]
edges = [["hip", "knee"], ["knee", "foot"]]

[[classes]]
id = 1
name = "walk"

[[classes]]
id = 2
name = "sit"

[protocols.halves]
title = "Halves"
train = { field = "subject", values = [1, 2, 3] }
validation = { field = "subject", values = [3] }
test = { field = "subject", values = [4] }
"""
SERIES = """
name = "mine"
title = "Mine"
summary = "My readings"
licence = "none"
url = "https://example.org"
citation = "none"
obtain = "Read it."
reader = "stexplain.data.readers.speeds_csv"

[series]
channels = ["speed"]
target_channel = "speed"
unit = "mph"
minutes = 5
"""

RUNS = """
title = "x"
question = "x"
citation = "x"
runs = [{ protocol = "halves", model = "stgcn2", recipe = "quick" }]
"""


def write(folder: Path, text: str = CARD, *, experiment: str | None = None) -> Path:
    """A card in a folder `mine`, and an experiment."""
    home = folder / "mine"
    home.mkdir(exist_ok=True)
    (home / "card.toml").write_text(text)
    if experiment is not None:
        (home / "experiment.toml").write_text(textwrap.dedent(experiment))
    return home


def changed(folder: Path, old: str, new: str, text: str = CARD) -> Path:
    assert old in text
    return write(folder, text.replace(old, new))


@pytest.mark.parametrize("name", card_names("datasets"))
def test_bundled_cards_have_no_problems(name):
    report = check_card(name)
    assert report.ok, str(report)
    assert not report.warnings


def test_a_card_without_fault(tmp_path):
    report = check_card(write(tmp_path))
    assert report.ok
    assert str(report) == f"{tmp_path / 'mine' / 'card.toml'}: no problems"
    assert report.to_dict()["ok"] is True
    assert check_card(write(tmp_path, SERIES)).ok


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "Mine"', 'title = "Mine', "is not TOML"),
        ('title = "Mine"', 'titel = "Mine"', "titel: there is no such field. Did you mean 'title'?"),
        ('channels = ["x", "y", "z"]\n', "", "axes.channels: required, but missing. For example: channels = "),
        ("frame_rate = 30.0", "frame_rate = 0.0", "axes.frame_rate: "),
        ('["hip", "knee"]', '["hipp", "knee"]', "there is no node 'hipp'. Did you mean 'hip'?"),
        ('"foot"]\n', '"foot", "hip"]\n', "graph.nodes: got 'hip' 2 times"),
        ('"knee"], [', '"knee"], ["knee", "hip"], [', "got 'hip' - 'knee' more than once"),
        ("id = 2", "id = 1", "classes: got the id 1 2 times"),
        ('"sit"', '"walk"', "classes: got the name 'walk' 2 times"),
        ("id = 2", "id = 2\ninstances = 2", "classes: got 2 instances for 'sit'; expected at most axes.instances, 1"),
        ("values = [4]", "values = [3, 4]", "protocols.halves: train and test both have the subject 3"),
        ("values = [3]", "values = [5]", "protocols.halves: validation has the subject 5, which train lacks"),
        ("values = [3]", "values = [1, 2, 3]", "leaves nothing to train on"),
        (
            "values = [1, 2, 3]",
            'values = ["1", "2", 3]',
            "protocols.halves: got '1' and 3 as values of subject, text and",
        ),
        ("values = [1, 2, 3]", "values = []", "protocols.halves: train has no values of subject"),
        ('"y", "z"]', '"y", "y"]', "axes.channels: got 'y' 2 times; each channel needs its own name"),
        ("stexplain.data.readers.nw_ucla", "stexplain.data.nowhere", "reader: .*cannot be imported"),
        ("stexplain.data.readers.nw_ucla", "stexplain.data.readers.speeds_csv", "reader: .*has no function 'find'"),
        ("[axes]", 'planted = "stexplain.data.readers.nw_ucla"\n[axes]', "planted: .*has no function 'generate'"),
    ],
)
def test_each_problem_of_a_card_of_recordings_is_reported(tmp_path, old, new, says):
    report = check_card(changed(tmp_path, old, new))
    assert not report.ok
    assert any(re.search(says, text) for text in report.problems), report.problems


def test_all_problems_are_reported_at_once(tmp_path):
    text = CARD.replace('["hip", "knee"]', '["hipp", "kne"]').replace("id = 2", "id = 1").replace("[4]", "[1]")
    report = check_card(write(tmp_path, text, experiment=RUNS + "[stages.deletion]"))
    assert len(report.problems) == 5
    shown = str(report)
    assert "5 problems" in shown
    assert all(text in shown for text in report.problems)
    two = check_card(write(tmp_path, CARD.replace("channels =", "chanels =").replace("reader =", "raeder =")))
    assert len(two.problems) == 4  # two unknown fields, two missing


def test_a_graph_in_parts_is_a_warning(tmp_path):
    report = check_card(changed(tmp_path, ', ["knee", "foot"]', ""))
    assert report.ok
    assert "has 2 components" in report.warnings[0]
    assert "'foot' is outside the largest" in report.warnings[0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "sit"', 'name = "Walk "', "classes: 'walk' and 'Walk ' differ in letters' case"),
        ('[[classes]]\nid = 2\nname = "sit"\n', "", "classes: there is one alone, 'walk'"),
    ],
)
def test_classes_that_are_hardly_meant_are_a_warning(tmp_path, old, new, says):
    report = check_card(changed(tmp_path, old, new))
    assert report.ok
    assert [text for text in report.warnings if says in text]


def test_a_reader_is_called_with_what_it_takes(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own_reader.py").write_text("def find(root): ...\ndef read(path, card): ...\n")
    (tmp_path / "mine" / "card.toml").write_text(CARD.replace("stexplain.data.readers.nw_ucla", "own_reader"))
    report = check_card(tmp_path / "mine", trust="own_reader")
    assert [text.partition(" of ")[0] for text in report.problems] == ["reader: 'find'", "reader: 'read'"]
    assert "does not take 2 arguments; expected the path and the card" in report.problems[0]
    assert "does not take 1 argument; expected the path alone" in report.problems[1]


def test_another_folder_name_is_a_warning(tmp_path):
    report = check_card(changed(tmp_path, 'name = "mine"', 'name = "yours"'))
    assert report.ok
    assert "found by the folder's name" in report.warnings[0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'target_channel = "speed"',
            'target_channel = "flow"',
            "got target_channel 'flow'; expected one of the channels",
        ),
        (
            "minutes = 5",
            "minutes = 5\nsplits = { train = 0.9, validation = 0.1 }",
            "got train 0.9 and validation 0.1; expected a sum below 1",
        ),
        ("minutes = 5", "minutes = -5", "series.minutes: .*greater than 0"),
        ("minutes = 5", "minutes = 5\nwindw = 12", "series.windw: there is no such field. Did you mean 'window'"),
        ('channels = ["speed"]', 'channels = ["speed", "speed"]', "series.channels: got 'speed' 2 times"),
        (
            "stexplain.data.readers.speeds_csv",
            "stexplain.data.readers.nw_ucla",
            "reader: .* reads recordings; expected",
        ),
        ("stexplain.data.readers.speeds_csv", "stexplain.data.scaler", "reader: .*has no function 'read'"),
    ],
)
def test_each_problem_of_a_series_card_is_reported(tmp_path, old, new, says):
    report = check_card(changed(tmp_path, old, new, SERIES))
    assert any(re.search(says, text) for text in report.problems), report.problems


@pytest.mark.parametrize(
    ("text", "experiment", "says"),
    [
        (CARD, "title = 'x", "is not TOML"),
        (CARD, "title = 'x'", "runs: required, but missing"),
        (SERIES, "runs = []", "title: required, but missing"),
        (
            CARD,
            RUNS + "[stages.events]",
            "stages.events: is for forecasting; the experiment has runs of classification",
        ),
        (CARD, RUNS + "[stages.examples]", "stages.examples.classes: required, but missing"),
        (
            CARD,
            RUNS + "[stages.examples]\nclasses = ['wlak']",
            "classes: got 'wlak', which the card 'mine' lacks. Did you",
        ),
        (CARD, RUNS.replace("quick", "quik") + "[stages.train]", "no recipe 'quik'. Did you mean 'quick'"),
        (
            CARD,
            RUNS.replace("halves", "half") + "[stages.train]",
            "got 'half', which the card 'mine' lacks. Did you mean",
        ),
        (SERIES, RUNS + "[stages.train]", "protocol: got 'halves'; the series 'mine' is split by time"),
    ],
)
def test_each_problem_of_an_experiment_is_reported(tmp_path, text, experiment, says):
    report = check_card(write(tmp_path, text, experiment=experiment))
    assert any(entry.startswith("experiment.toml: ") and says in entry for entry in report.problems), report.problems


def test_an_experiment_that_names_what_does_not_exist(tmp_path):
    home = tmp_path / "ntu"
    shutil.copytree(card_path("datasets", "ntu").parent, home)
    path = home / "experiment.toml"
    whole = path.read_text()
    path.write_text(whole.replace('model = "stgcn7"', 'model = "stgcn8"'))
    assert any("there is no model card 'stgcn8'" in text for text in check_card(home).problems)
    path.write_text(whole.replace('protocol = "xview"', 'protocol = "xvieww"'))
    assert any("protocol: got 'xvieww', which the card 'ntu' lacks" in text for text in check_card(home).problems)


def test_where_there_is_no_card(tmp_path):
    with pytest.raises(CardError, match="holds no card.toml"):
        check_card(tmp_path)
    with pytest.raises(CardError, match="Did you mean 'ntu'"):
        check_card("ntuu")
