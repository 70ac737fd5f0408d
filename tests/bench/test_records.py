import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from stexplain.bench.records import Records, run_folder
from stexplain.errors import DataError, InputError
from stexplain.files import folder_lock


def test_what_differs_is_reported_in_a_line(tmp_path):
    folder = tmp_path / "run"
    with run_folder(folder, {"card": "wave", "hash": "a" * 64, "seed": 0}) as records:
        records("one", lambda: {})
    message = r"another run: card was 'wave', now 'kick'; hash differs\. Give another folder"
    with (
        pytest.raises(InputError, match=message),
        run_folder(folder, {"card": "kick", "hash": "b" * 64, "seed": 0}),
    ):
        raise AssertionError("not reached")


def test_a_run_that_finished_nothing_protects_nothing(tmp_path):
    with run_folder(tmp_path / "run", {"data": "typo"}):
        pass
    with run_folder(tmp_path / "run", {"data": "right"}) as records:
        assert records("any", lambda: {"value": 1}) == {"value": 1}


def test_times_of_parts_are_counted_once(tmp_path):
    records = Records(tmp_path)

    def whole():
        records("whole/part", lambda: {"value": sum(range(3_000_000))})
        return {}

    records("whole", whole)
    seconds = records.seconds()
    assert list(seconds) == ["whole/part", "whole"]
    assert seconds["whole"] < seconds["whole/part"]


def test_a_second_process_in_the_same_folder_is_refused_at_once(tmp_path):
    folder = tmp_path / "run"
    script = f"""
        from pathlib import Path
        from stexplain.bench.records import run_folder
        with run_folder(Path({str(folder)!r}), {{"seed": 0}}):
            print("ready", flush=True)
            input()
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "ready\n"
        message = r"run is in use.*Wait until it ends, or give another folder with --out"
        with pytest.raises(InputError, match=message), run_folder(folder, {"seed": 0}):
            raise AssertionError("not reached")
    finally:
        other.communicate("\n")
    with run_folder(folder, {"seed": 0}):
        assert (folder / "lock").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["log.txt", "run.json"]


def test_a_lock_without_waiting(tmp_path):
    # A lock belongs to an open file: a second one of the same process is refused like that of another.
    with (
        folder_lock(tmp_path / "work"),
        pytest.raises(InputError, match="is in use by another process"),
        folder_lock(tmp_path / "work", wait=False),
    ):
        raise AssertionError("not reached")
    with folder_lock(tmp_path / "work", wait=False):
        pass


@pytest.mark.parametrize("what", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path.name)])
def test_a_log_that_is_no_file_is_named(tmp_path, what):
    with run_folder(tmp_path / "run", {"seed": 0}) as records:
        records("any", lambda: {"value": 1})
    (tmp_path / "run" / "log.txt").unlink()
    what(tmp_path / "run" / "log.txt")
    with (
        pytest.raises(DataError, match=r"log\.txt could not be read: .* Remove it"),
        run_folder(tmp_path / "run", {"seed": 0}),
    ):
        raise AssertionError("not reached")
