"""No command runs the code of a card or a model without being allowed to."""

import json
import shlex
import sys

import numpy as np
import pytest
import typer

from stexplain.cards import dataset_card
from stexplain.cli import main as cli
from stexplain.graph import STGraph
from stexplain.nn.checkpoint import load_model, save_model
from tests.bench.small_experiment import EXPERIMENT

MARK = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n"
READER = (
    MARK
    + """
import numpy as np
from stexplain.data.recording import Recording, RecordingFile


def find(root, card):
    return [RecordingFile(p.stem, p, n % 2, {"subject": n % 4}) for n, p in enumerate(sorted(root.glob("*.npy")))]


def read(path):
    return Recording(np.load(path)[None], (0,))


def generate(card, out, *, seed):
    out.mkdir(parents=True)
    for number in range(8):
        np.save(out / f"{number}.npy", np.random.default_rng(number).normal(size=(6, 3, 2)).astype("float32"))
"""
)
CARD = """
name = "own"
reader = "near_cli_reader"
planted = "near_cli_reader"
axes = { channels = ["x", "y"], frame_rate = 30.0 }
graph = { nodes = ["hip", "knee", "foot"], edges = [["hip", "knee"], ["knee", "foot"]], center = "hip" }
classes = ["sit", "stand"]

[protocols.half]
title = "half"
train = { field = "subject", values = [0, 1, 2] }
validation = { field = "subject", values = [2] }
"""
# Of these the words CARD, MODEL and RAW are replaced by paths.
COMMANDS = {
    "data prepare": "data prepare CARD RAW --out store --workers 2 --quiet",
    "data check": "data check CARD",
    "bench": "bench CARD --data RAW --out run --quiet",
    "explain": "explain stgcn2 --card CARD --out explanation.nc",
    "measure": "measure MODEL importance --card CARD --split half/train --trust near_cli_reader --out psi --quiet",
    "explain, the model's": "explain MODEL --card CARD --split half/train --trust near_cli_reader --out explanation.nc",
}
# They read the card and import nothing that it names, or open none.
WITHOUT = {"data show": "data show CARD", "data new": "data new mine --like CARD", "data list": "data list"}
NO_CARD = {"doctor", "join", "verify"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    card, raw, model = (tmp_path / name for name in ("own", "raw", "model"))
    for folder in (card, raw, tmp_path / "lib"):
        folder.mkdir()
    (card / "card.toml").write_text(CARD)
    experiment = EXPERIMENT.replace("xview", "half").replace("left up", "sit")
    (card / "experiment.toml").write_text(experiment.replace('"small"', '"stgcn2"'))
    (card / "near_cli_reader.py").write_text(READER)
    for number in range(8):
        np.save(raw / f"{number}.npy", np.random.default_rng(number).normal(size=(6, 3, 2)).astype("float32"))
    graph = STGraph.from_card(dataset_card(card))
    save_model(model, load_model("stgcn2", graph=graph, classes=["sit", "stand"], channels_in=2))
    about = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**about, "architecture": "near_cli_net:Net", "sha256": None}))
    (tmp_path / "lib" / "near_cli_net.py").write_text(
        f"{MARK}from stexplain.nn.stgcn import STGCN\n\n\nclass Net(STGCN):\n    pass\n"
    )
    (tmp_path / "store").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "cache"))
    before = dict(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - set(before):
        if name.startswith("near_cli"):
            del sys.modules[name]


def called(home, line, monkeypatch, capsys):
    for word, path in (("CARD", "own"), ("MODEL", "model"), ("RAW", "raw")):
        line = line.replace(word, str(home / path))
    monkeypatch.setattr(sys, "argv", ["stexplain", *shlex.split(line)])
    try:
        cli.main()
        code = 0
    except SystemExit as ended:
        code = ended.code
    output = capsys.readouterr()
    return code, output.out + output.err


def ran(home):
    return sorted(path.name for path in home.rglob("*.ran"))


def leaves(command, name=""):
    if hasattr(command, "commands"):
        for word, inner in command.commands.items():
            yield from leaves(inner, f"{name} {word}".strip())
    else:
        yield name, {option for parameter in command.params for option in parameter.opts}


def test_every_command_is_known_to_this_test():
    for name, options in leaves(typer.main.get_command(cli.app)):
        opens = any(command.split(",")[0] == name for command in COMMANDS)
        assert "--trust" in options or not opens, name
        assert opens or name in WITHOUT or name in NO_CARD, f"{name}: does it run what a card or a model names?"


@pytest.mark.parametrize("line", WITHOUT.values(), ids=list(WITHOUT))
def test_commands_that_run_nothing(home, line, monkeypatch, capsys):
    code, said = called(home, line, monkeypatch, capsys)
    assert code == 0, said
    assert ran(home) == []


@pytest.mark.parametrize("name", ["data prepare", "data check", "bench", "explain"])
def test_a_command_says_what_it_would_run_and_how_to_allow_it(home, name, monkeypatch, capsys):
    code, said = called(home, COMMANDS[name], monkeypatch, capsys)
    assert code == (1 if name == "data check" else 2), said
    assert "own/near_cli_reader.py. Nothing was imported" in said
    assert "--trust near_cli_reader" in said
    assert ran(home) == []
    if name != "data check":
        # The very command that was typed, with the consent that it lacks.
        assert said.rstrip().splitlines()[-1].startswith(f"  stexplain {name}")
        assert said.rstrip().endswith("--trust near_cli_reader")
        assert not (home / "store").exists() or not any((home / "store").iterdir())


def test_prepare_goes_on_when_it_is_allowed_and_reads_in_other_processes(home, monkeypatch, capsys):
    # More recordings than a shard has, so that there are two processes.
    for number in range(8, 140):
        np.save(home / "raw" / f"{number}.npy", np.random.default_rng(number).normal(size=(4, 3, 2)).astype("float32"))
    code, said = called(home, f"{COMMANDS['data prepare']} --trust near_cli_reader", monkeypatch, capsys)
    assert code == 0, said
    assert ran(home) == ["near_cli_reader.ran"]
    assert "140 of 140 recordings" in said
    code, said = called(home, f"{COMMANDS['data check']} --trust near_cli_reader", monkeypatch, capsys)
    assert code == 0, said


def test_models_and_generators_are_run_where_they_are_allowed(home, monkeypatch, capsys):
    line = COMMANDS["explain, the model's"]
    code, said = called(home, line, monkeypatch, capsys)
    assert code == 2
    assert "near_cli_net:Net', a module outside stexplain. Nothing was imported" in said
    assert said.rstrip().endswith("--trust near_cli_reader --out explanation.nc --trust near_cli_net")
    assert ran(home) == ["near_cli_reader.ran"]
    code, said = called(home, f"{line} --trust near_cli_net", monkeypatch, capsys)
    assert code == 0, said
    assert (home / "explanation.nc").is_file()
    assert ran(home) == ["near_cli_net.ran", "near_cli_reader.ran"]


def test_an_odd_name_to_trust(home, monkeypatch, capsys):
    code, said = called(home, f"{COMMANDS['data check']} --trust os:system", monkeypatch, capsys)
    assert code == 2
    assert "trust: got 'os:system'; expected the names of modules" in said


def test_the_consent_of_one_command_is_not_that_of_the_next(home, monkeypatch, capsys):
    assert called(home, f"{COMMANDS['data check']} --trust near_cli_other", monkeypatch, capsys)[0] == 1
    assert called(home, COMMANDS["data check"], monkeypatch, capsys)[0] == 1
    assert ran(home) == []
