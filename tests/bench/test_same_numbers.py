import importlib.util
import json
import shutil
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "same_numbers.py"
STAGES = {
    "accuracy": {"test": 10, "accuracy": {"value": 0.1 + 0.2, "low": 0.1, "high": 0.4}},
    "comparison": {"table": [{"method": "A", "value": 0.5, "seconds": 1.0}], "seconds_per_sample": {"A": 0.1}},
}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("same_numbers", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def write(tmp_path):
    def write(name, stages, **changes):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"card": "wave"}))
        results = {"threads": 1, "seed": 0, "versions": {"torch": "2"}, "runs": {"xview/small": {"stages": stages}}}
        (folder / "results.json").write_text(json.dumps({**results, **changes}))
        return str(folder)

    return write


def changed(**accuracy):
    return {**STAGES, "accuracy": {**STAGES["accuracy"], "accuracy": {**STAGES["accuracy"]["accuracy"], **accuracy}}}


def test_numbers_are_recorded_and_found_again(script, write, tmp_path, capsys):
    where = ["--numbers", str(tmp_path / "numbers")]
    first = Path(write("first", STAGES))
    (first / "xview/small").mkdir(parents=True)
    (first / "xview/small/class_importance.csv").write_text("class,n0,n1\nleft up,0.25,1e-17\n")
    assert script.main([str(first), "--record", *where]) == 0
    kept = json.loads((tmp_path / "numbers/wave.json").read_text())
    assert kept["numbers"]["xview/small/accuracy/accuracy/value"] == 0.1 + 0.2
    assert not any("seconds" in key for key in kept["numbers"])  # times differ from run to run
    assert kept["recorded"]["threads"] == 1
    assert kept["numbers"]["xview/small/class_importance.csv/left up/n1"] == "1e-17"
    slower = {**STAGES, "comparison": {**STAGES["comparison"], "seconds_per_sample": {"A": 9.9}}}
    second = Path(write("second", slower))
    shutil.copytree(first / "xview", second / "xview")
    assert script.main([str(second), *where]) == 0
    assert "wave: all 8 recorded values are the same to the bit." in capsys.readouterr().out


def test_experiments_are_run_by_their_names_with_one_thread(script, write, tmp_path, monkeypatch, capsys):
    calls = []

    def run(command, check, env):
        calls.append((command[2:6], env["OMP_NUM_THREADS"]))
        made = Path(write(f"made {len(calls)}", STAGES))
        shutil.copytree(made, command[command.index("--out") + 1])

    monkeypatch.setattr(script.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    where = ["--numbers", str(tmp_path / "numbers")]
    assert script.main(["wave", "other", "--record", *where]) == 0
    assert calls == [(["stexplain", "bench", name, "--out"], "1") for name in ("wave", "other")]
    # Anew each time: what was finished before may be of other code.
    assert script.main(["wave", *where]) == 0
    assert len(calls) == 3


def test_numbers_of_single_samples_are_not_recorded(script, write, tmp_path):
    rows = [{"method": "A", "scores": {"planted_nodes": [0.5, 0.7]}, "intervals": {"planted_nodes": {"value": 0.6}}}]
    folder = write("first", {"truth": {"rows": rows, "used_by_sample": [1.0], "samples": 2}})
    script.main([folder, "--record", "--numbers", str(tmp_path / "numbers")])
    kept = json.loads((tmp_path / "numbers/wave.json").read_text())["numbers"]
    assert kept["xview/small/truth/rows/0/intervals/planted_nodes/value"] == 0.6
    assert not any("/scores/" in key or "used_by_sample" in key for key in kept)


def test_a_difference_in_the_last_bit_is_reported_with_what_may_be_why(script, write, tmp_path, capsys):
    where = ["--numbers", str(tmp_path / "numbers")]
    script.main([write("first", STAGES), "--record", *where])
    assert script.main([write("second", changed(value=0.3), threads=2), *where]) == 1
    shown = capsys.readouterr().out
    assert "5 recorded values are the same to the bit; 1 differ, 0 are missing" in shown
    assert "xview/small/accuracy/accuracy/value: recorded 0.30000000000000004, got 0.3" in shown
    assert "Another threads, which may be why: recorded 1, now 2" in shown


def test_what_a_run_lacks_is_reported(script, write, tmp_path, capsys):
    where = ["--numbers", str(tmp_path / "numbers")]
    script.main([write("first", STAGES), "--record", *where])
    assert script.main([write("second", {"accuracy": STAGES["accuracy"]}), *where]) == 1
    assert "xview/small/comparison/table/0/value: missing" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["ntu", "planted", "roads"])
def test_the_recorded_numbers_are_of_the_bundled_experiments(name):
    path = SCRIPT.parent / "numbers" / f"{name}.json"
    kept = json.loads(path.read_text("utf-8"))
    assert len(kept["numbers"]) > 1000
    assert kept["recorded"]["threads"] == 1
    assert path.stat().st_size < 300_000
