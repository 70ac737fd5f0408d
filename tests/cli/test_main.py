import json
import subprocess
import sys

import pytest

from stexplain.cli import main as cli
from stexplain.cli.openmp import SETTINGS
from stexplain.errors import DataError
from tests.bench.small_experiment import write_cards, write_recordings


def called(*arguments, **environment):
    """Runs the command as a user does, in a process of its own."""
    import os

    command = [sys.executable, "-m", "stexplain", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from stexplain.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'dgl', 'numpy', 'pandas', 'altair', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")


def test_import_is_light():
    code = "import sys, stexplain; print(sorted({'torch', 'dgl', 'numpy', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_wrong_use_ends_with_2_and_one_message():
    done = called("data", "show", "ntuu")
    assert done.returncode == 2
    assert done.stderr.startswith("stexplain: there is no dataset card 'ntuu'. Did you mean 'ntu'?")
    assert done.stderr.count("\n") == 1


def test_a_failure_ends_with_1(monkeypatch, capsys):
    def broken(**_):
        raise DataError("the disk is full")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "stexplain: the disk is full\n"


def test_an_interrupt_says_how_to_resume(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("stexplain.bench", stopped)
    monkeypatch.setattr(sys, "argv", ["stexplain", "bench", "planted", "--seed", "3"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    said = capsys.readouterr().err
    assert said.startswith("stexplain: stopped. Finished stages are kept.")
    assert said.endswith("\n  stexplain bench planted --seed 3\n")


def test_an_interrupt_of_any_command_ends_with_130(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("stexplain.cards.any_card", stopped)
    monkeypatch.setattr(sys, "argv", ["stexplain", "data", "show", "ntu", "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown = capsys.readouterr()
    assert (ended.value.code, shown.err) == (130, "stexplain: stopped.\n")
    assert json.loads(shown.out) == {"error": "stopped.", "kind": "Stopped", "exit_code": 130}


def test_list_and_show_as_json():
    cards = json.loads(called("data", "list", "--json").stdout)["cards"]
    assert {"ntu", "nw-ucla"} <= {card["name"] for card in cards}
    card = json.loads(called("data", "show", "ntu", "--json").stdout)
    assert len(card["classes"]) == 60
    assert len(card["graph"]["edges"]) == 24


def test_prepare_check_and_a_store_that_changed(tmp_path):
    folder, raw = write_cards(tmp_path), write_recordings(tmp_path / "raw")
    out = tmp_path / "store"
    done = called("data", "prepare", folder, raw, "--out", out, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"] == 72
    assert "72 recordings of 2 classes" in called("data", "check", out).stdout
    with (out / "x.npy").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    done = called("data", "check", out)
    assert done.returncode == 1
    assert "has changed since it was prepared" in done.stderr


def test_a_folder_without_recordings(tmp_path):
    done = called("data", "prepare", "nw-ucla", tmp_path, "--out", tmp_path / "store")
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_folder_that_does_not_exist(tmp_path):
    done = called("data", "check", tmp_path / "nowhere")
    assert done.returncode == 2
    assert f"FOLDER: got {tmp_path / 'nowhere'}, which does not exist" in done.stderr


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        (
            {},
            "passive, idle threads spin for microseconds, then sleep: "
            "OMP_WAIT_POLICY=PASSIVE, GOMP_SPINCOUNT=500, set by stexplain",
        ),
        ({"GOMP_SPINCOUNT": "1000"}, "as set: GOMP_SPINCOUNT=1000, set by the environment"),
    ],
)
def test_doctor_as_json_and_the_wait_policy_is_set_before_torch_is_loaded(monkeypatch, setting, shown):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    done = called("doctor", "--json", **setting)
    assert done.returncode == 0, done.stdout
    findings = {finding["name"]: finding["value"] for finding in json.loads(done.stdout)}
    assert {"torch", "dgl", "waiting threads", "OpenMP runtimes"} <= set(findings)
    assert findings["waiting threads"] == shown
