"""Runs that are computed at a time, each in a process of its own: the numbers of one after another, and its errors."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import stexplain as stx
from stexplain.bench.experiment import load_experiment
from stexplain.bench.processes.at_once import compute_at_once
from stexplain.bench.processes.plan import Plan
from stexplain.bench.stage import NoOptions, Stage
from stexplain.errors import DataError, InputError
from stexplain.files import read_json
from tests.bench.small_experiment import cards_in, write_recordings


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    with cards_in(tmp_path_factory.mktemp("cards"), epochs=3):
        yield write_recordings(tmp_path_factory.mktemp("data") / "raw")


def test_numbers_are_those_of_one_after_another_with_the_threads_of_a_process(raw, tmp_path, capfd):
    with threads(1):
        alone = stx.bench("wave", data=raw, out=tmp_path / "alone", seeds=2, progress=False)
        assert capfd.readouterr().err == ""
    with threads(3):
        together = stx.bench("wave", data=raw, out=tmp_path / "together", seeds=2, workers=2)
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("[")]
    stages = len(lines) // 2
    # Each is shown once, by the process that computes it.
    assert sorted(int(line[1:].split("/")[0]) for line in lines) == list(range(1, 2 * stages + 1))
    assert sum("xview/small/seed-1: " in line for line in lines) == stages > 4
    expected, found = (read_json(folder / "results.json") for folder in (alone, together))
    assert found["runs"] == expected["runs"]
    assert found["verdicts"] == expected["verdicts"]
    assert found["threads"] == expected["threads"] == 1
    assert set(found["seconds"]) == set(expected["seconds"])
    log = (together / "log.txt").read_text("utf-8")
    assert log.count(": xview/small/train begins") == log.count(": xview/small/seed-1/train begins") == 1
    # Finished runs need no process, and a process of one thread none of another number.
    with threads(1):
        assert stx.bench("wave", data=raw, out=together, seeds=2, progress=False) == together
    assert read_json(together / "results.json")["runs"] == expected["runs"]


def test_fewer_than_one_is_refused_before_anything_is_done(raw, tmp_path):
    with pytest.raises(InputError, match="workers: got 0; expected at least 1 run at a time"):
        stx.bench("wave", data=raw, out=tmp_path / "wave", workers=0, progress=False)
    assert not (tmp_path / "wave").exists()


class Told(Stage[NoOptions]):
    """Does what the name of its run says."""

    def compute(self, run, results, parts):
        if "kill" in run.name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "wrong" in run.name:
            raise InputError(f"the run {run.name} is wrong.")
        if "fault" in run.name:
            raise ZeroDivisionError(run.name)
        Path(run.folder).mkdir(parents=True)
        (run.folder / "threads").write_text(str(torch.get_num_threads()))
        return {"process": os.getpid()}


def plan(folder: Path, name: str) -> Plan:
    (run,) = load_experiment("ntu").runs(["xsub/stgcn7"], folder=folder)
    return Plan(
        type(run)(
            name, run.card, None, run.protocol, run.model_card, run.recipe_name, folder=folder / name, progress=True
        ),
        [Told(NoOptions())],
        [f"{name} begins"],
    )


def results(folder: Path) -> dict[str, int]:
    found = {path.parent.name: read_json(path)["result"]["process"] for path in folder.glob("stages/*/*.json")}
    return {name: found[name] for name in sorted(found)}


def test_each_run_has_a_process_of_its_own_with_its_threads(tmp_path):
    plans = [plan(tmp_path, name) for name in ("a", "b", "c")]
    compute_at_once(tmp_path, plans, 2, threads=3, shown=False)
    found = results(tmp_path)
    assert list(found) == ["a", "b", "c"]
    assert len({*found.values(), os.getpid()}) == 4
    assert {(tmp_path / name / "threads").read_text() for name in "abc"} == {"3"}


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("wrong", InputError, "the run wrong is wrong."),
        ("fault", ZeroDivisionError, "fault"),
        ("kill", DataError, "The process of the run kill was killed by signal 9"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_what_goes_wrong_is_raised_here_and_ends_the_others(tmp_path, name, kind, words):
    with pytest.raises(kind, match=words):
        compute_at_once(tmp_path, [plan(tmp_path, name), plan(tmp_path, "later")], 1, threads=1, shown=False)
    assert results(tmp_path) == {}
