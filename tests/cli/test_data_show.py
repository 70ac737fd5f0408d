"""`stexplain data show` of a card of one's own that says only what differs."""

import pytest
from typer.testing import CliRunner

from stexplain.cli.data import data_app

CARD = """
name = "own"
reader = "stexplain.data.readers.nw_ucla"
classes = ["walk", "run"]
graph = "coco-17"
axes = { channels = ["x", "y"], frame_rate = 25.0 }
protocols = {}
"""


@pytest.mark.parametrize(("file", "name"), [("card.toml", "falls"), ("mine.toml", "mine")])
def test_the_first_line_names_the_folder_or_file_and_no_empty_summary_follows(tmp_path, monkeypatch, file, name):
    folder = tmp_path / "falls"
    folder.mkdir()
    (folder / file).write_text(CARD)
    monkeypatch.chdir(folder)
    lines = CliRunner().invoke(data_app, ["show", file], catch_exceptions=False).output.splitlines()
    assert lines[0] == f"own ({name})"
    assert lines[1] == ""
    assert lines[2].startswith("card ")
    assert any("17 nodes x x, y" in line for line in lines)
