"""What a command prints: names as they are, and a word where it cannot be printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stexplain.cards import card_path
from stexplain.cli.data import data_app


def test_a_card_whose_title_has_brackets_is_listed(tmp_path, monkeypatch):
    folder = tmp_path / "datasets" / "own"
    folder.mkdir(parents=True)
    text = card_path("datasets", "nw-ucla").read_text("utf-8").replace('name = "nw-ucla"', 'name = "own"', 1)
    text = re.sub("^title = .*$", 'title = "a [/b] c"', text, count=1, flags=re.MULTILINE)
    (folder / "card.toml").write_text(text, "utf-8")
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(data_app, ["list"])
    assert done.exit_code == 0, done.exception
    assert "a [/b] c" in done.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [["--help"], ["data", "list"], ["data", "show", "ntu"]])
def test_a_full_disk_behind_the_output_is_said(arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "stexplain", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["stexplain: the output could not be written: No space left on device."]
