"""Folders as people name them: blanks, umlauts, backslashes; commands in messages can be typed as they are."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from stexplain.system import as_typed

JOINTS = ("hip", "knee", "foot")
FOLDER = "Jörg's Läufe (neu) 100%"


def command(*words, folder):
    return subprocess.run(
        [sys.executable, "-m", "stexplain.cli.main", *map(str, words)],
        cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path):
    (tmp_path / FOLDER).mkdir()
    return tmp_path / FOLDER


def test_a_command_in_a_message_can_be_typed_as_it_is(place):
    first = command("data", "new", "meine Karte", "--like", "ntu", folder=place)
    assert first.returncode == 0, first.stderr
    shown = first.stdout[first.stdout.index("`") + 1 : first.stdout.rindex("`")]
    again = command(*shlex.split(shown)[1:], folder=place)
    assert (again.returncode, "no problems" in again.stdout) == (0, True)


def test_what_is_typed_on_windows_has_its_quotes(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert as_typed("data", "check", r"C:\my data") == r'stexplain data check "C:\my data"'
    monkeypatch.setattr(sys, "platform", "linux")
    assert as_typed("data", "check", "a b") == "stexplain data check 'a b'"
    assert as_typed("data", "check", "plain") == "stexplain data check plain"


@pytest.mark.parametrize("model", [r"C:\runs\ntu\xsub", "C:/runs/ntu/xsub", r"D:\Läufe (neu)\one"])
def test_a_drive_is_no_module(place, model):
    found = command("explain", model, "--card", "ntu", folder=place)
    assert found.returncode == 2
    assert "imported" not in found.stderr
    assert model in found.stderr.replace("\\\\", "\\")


def test_a_warning_is_a_line_without_a_place_in_the_code(place):
    raw = place / "raw"
    for number in range(4):
        frames = 12
        columns = {"time": np.arange(frames) / 50}
        random = np.random.default_rng(number)
        columns |= {f"{joint}_{axis}": random.normal(size=frames) for joint in JOINTS for axis in "xyz"}
        (raw / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        pd.DataFrame(columns).to_csv(raw / "ab"[number % 2] / f"p{number} geht.csv", index=False)
    (place / "Bein.csv").write_text("joint,parent\nhip,\nknee,hip\nfoot,knee\n", "utf-8")
    words = ("data", "prepare", "skeletons", raw, "--graph", "Bein.csv", "--out", "Speicher ä")
    found = command(*words, folder=place)
    assert found.returncode == 0, found.stderr
    (line,) = [line for line in found.stderr.splitlines() if "'time'" in line]
    assert line.startswith(f"stexplain: {raw}: in 4 files, such as ")
    assert "Warning" not in found.stderr
    kept = json.loads((place / "Speicher ä" / "store.json").read_text("utf-8"))["command"]
    assert shlex.split(kept)[-1] == "Speicher ä"
