import fcntl
import json
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stexplain import files
from stexplain.bench.records import run_folder
from stexplain.errors import DataError, InputError
from stexplain.files import atomic_write, folder_lock, is_leftover, read_json, remove_leftovers, write_json
from stexplain.metrics.dataset.parts import PLAN, keep_plan
from stexplain.system import lock_file


def test_a_failed_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_a_folder(tmp_path: Path):
    path = tmp_path / "store"
    for number in ("1", "2"):
        with atomic_write(path) as temporary:
            temporary.mkdir()
            (temporary / number).touch()
    assert [file.name for file in path.iterdir()] == ["2"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(DataError, match="could not be written: .*Does the folder exist"),
        atomic_write(tmp_path / "file" / "a"),
    ):
        pass


def test_json_has_no_nan_and_no_numpy(tmp_path: Path):
    values = {"a": np.float32(0.5), "b": np.array([1, 2]), "c": float("nan"), "d": -np.inf, "e": tmp_path, 1: None}
    write_json(tmp_path / "a.json", values)
    expected = {"a": 0.5, "b": [1, 2], "c": None, "d": None, "e": str(tmp_path), "1": None}
    assert read_json(tmp_path / "a.json") == expected


def test_wrong_json_names_the_file(tmp_path: Path):
    with pytest.raises(DataError, match=r"a\.json is missing"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError, match=r"a\.json is not valid JSON"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps([1]))
    with pytest.raises(DataError, match=r"a\.json: got a JSON list; expected an object"):
        read_json(tmp_path / "a.json")


def test_a_lock_that_another_holds_is_an_error_without_waiting(tmp_path: Path):
    with folder_lock(tmp_path / "run") as folder:
        assert folder.is_dir()
        with pytest.raises(InputError, match="is in use by another process"), folder_lock(folder, wait=False):
            pass
    with folder_lock(tmp_path / "run", wait=False):
        pass
    with (tmp_path / "run" / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released at the end of the block


def killed_while_writing(path: Path) -> Path:
    """What a process leaves beside a file that is killed as it writes it."""
    script = """
        import os, signal, sys
        from pathlib import Path
        from stexplain.files import atomic_write
        with atomic_write(Path(sys.argv[1])) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = [one for one in path.parent.iterdir() if is_leftover(one)]
    return left


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_stays(tmp_path: Path):
    left = killed_while_writing(tmp_path / "deep" / "a.txt")
    mine = tmp_path / ".notes.part"
    mine.touch()
    with atomic_write(tmp_path / "deep" / "b.txt") as temporary:
        temporary.write_text("all of it")
        remove_leftovers(tmp_path)
    assert not left.exists()
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["b.txt"]
    assert mine.exists()


def test_what_was_left_of_a_file_goes_when_it_is_written_again(tmp_path: Path):
    left = killed_while_writing(tmp_path / "map[1].nc")
    with atomic_write(tmp_path / "other.nc") as temporary:
        temporary.write_text("other")
    assert left.exists()
    with atomic_write(tmp_path / "map[1].nc") as one:
        one.write_text("one")
        # Of two that write the same at once, neither takes the other's for left.
        with atomic_write(tmp_path / "map[1].nc") as two:
            two.write_text("two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map[1].nc", "other.nc"]
    assert (tmp_path / "map[1].nc").read_text() == "one"


def test_a_folder_that_another_took_for_left_before_it_was_locked(tmp_path: Path, monkeypatch):
    tries = []

    def lock(file, *, wait):
        tries.append(Path(file.name))
        if len(tries) == 1:
            shutil.rmtree(tries[0].parent)
        lock_file(file, wait=wait)

    monkeypatch.setattr(files, "lock_file", lock)
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("all of it")
    assert len(tries) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_run_that_was_killed_as_it_began_can_begin(tmp_path: Path):
    (tmp_path / "run").mkdir()
    killed_while_writing(tmp_path / "run" / "run.json")
    with run_folder(tmp_path / "run", {"seed": 0}) as records:
        records("one", lambda: {})
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["log.txt", "run.json", "stages"]


def test_a_folder_of_parts_that_was_killed_as_it_began_can_begin(tmp_path: Path):
    with folder_lock(tmp_path / "parts") as folder:
        killed_while_writing(folder / PLAN)
        remove_leftovers(folder)
        keep_plan(folder, {"seed": 0}, {})
        assert sorted(path.name for path in folder.iterdir()) == ["lock", PLAN]


@pytest.mark.parametrize("wait", [False, True])
def test_a_lock_on_windows(wait, tmp_path: Path, monkeypatch):
    """By what msvcrt documents: it has not been run on Windows."""
    tries = []

    def locking(descriptor, mode, size):
        tries.append((mode, size))
        if len(tries) < 3:
            raise OSError(36, "Resource deadlock avoided")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with (tmp_path / "lock").open("w") as file:
        if wait:
            lock_file(file, wait=True)
            assert tries == [(2, 1)] * 3
        else:
            with pytest.raises(BlockingIOError):
                lock_file(file, wait=False)
            assert len(tries) == 1


def test_a_lock_that_cannot_be_removed_stays(tmp_path: Path, monkeypatch):
    """As on Windows, which removes no file that is open."""

    def refuse(path, missing_ok=False):
        raise PermissionError(13, "The process cannot access the file", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    for _ in range(2):
        with run_folder(tmp_path / "run", {"seed": 0}) as records:
            records("one", lambda: {})


def test_a_file_that_may_not_be_read_has_no_hash_and_is_named(tmp_path, monkeypatch):
    def refused(self, *args, **named):
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "x.npy").write_bytes(b"abc")
    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(DataError, match=r"x.npy could not be read as a file: Permission denied. Allow it"):
        files.sha256(tmp_path / "x.npy")
