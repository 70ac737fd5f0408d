"""The list of formats: what it names exists."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import stexplain as stx
from stexplain.cli.main import app
from stexplain.data.signals.formats import FORMATS
from stexplain.data.skeletons.formats import FORMATS as SKELETONS

EXTRAS = tomllib.loads((Path(stx.__file__).parents[1] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_a_line_names_a_call_and_an_extra_that_exist(each):
    assert callable(getattr(stx, each.call.partition("(")[0]))
    assert not each.extra or each.extra in EXTRAS["optional-dependencies"]
    assert each.files
    assert len(each.files) < 80


def test_every_skeleton_format_is_listed_once():
    names = [each.name for each in FORMATS]
    assert len(set(names)) == len(names)
    assert {each.name for each in FORMATS if each.content == "skeletons"} == set(SKELETONS)


def test_the_command_shows_all_of_them():
    runner = CliRunner()
    shown = runner.invoke(app, ["data", "list"], env={"COLUMNS": "200"}).stdout
    for each in FORMATS:
        assert each.name in shown
        assert each.files in shown
    assert "stexplain[eeg]" in shown
    listed = json.loads(runner.invoke(app, ["data", "list", "--json"]).stdout)
    assert [each["name"] for each in listed["formats"]] == [each.name for each in FORMATS]
    assert {"name", "title", "path"} == set(listed["cards"][0])
