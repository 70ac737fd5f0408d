"""A folder that may not be entered: said by name, and neither taken for empty nor left to the system's own error."""

import os
import pathlib
import subprocess
import sys

import pytest

from stexplain.bench.records import run_folder
from stexplain.data.signals.beside import is_zarr
from stexplain.errors import DataError
from stexplain.reading import is_there

REQUESTED = {"seed": 0}


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """A run folder, and a function that takes away the right to enter one of its folders: root may enter any."""
    with run_folder(tmp_path / "run", REQUESTED) as records:
        records("one", lambda: {"value": 1})

    def close(folder):
        for name in ("stat", "lstat"):
            look = getattr(pathlib.Path, name)

            def refused(self, *args, look=look, **options):
                if folder in self.parents:
                    raise PermissionError(13, "Permission denied", str(self))
                return look(self, *args, **options)

            monkeypatch.setattr(pathlib.Path, name, refused)

    return tmp_path / "run", close


def test_a_file_in_it_is_neither_there_nor_missing(closed):
    run, close = closed
    assert is_there(run / "run.json")
    close(run)
    with pytest.raises(DataError, match=r"run\.json could not be read: Permission denied"):
        is_there(run / "run.json")
    with pytest.raises(DataError, match=r"zarr\.json could not be read: Permission denied"):
        is_zarr(run)


def test_a_run_in_it_is_not_begun_anew(closed):
    run, close = closed
    close(run / "stages")
    with (
        pytest.raises(DataError, match=r"one\.json could not be read: Permission denied"),
        run_folder(run, REQUESTED) as records,
    ):
        records("one", lambda: {"value": 2})
    close(run)
    with pytest.raises(DataError, match=r"run\.json could not be read: Permission denied"), run_folder(run, REQUESTED):
        pass


def test_the_command_line_says_which_file_the_system_refused():
    code = (
        "import sys, stexplain.cli.main as main\n"
        "def refused(**options): raise PermissionError(13, 'Permission denied', 'a/b.csv')\n"
        "main.app = refused\nsys.argv = ['stexplain', 'doctor', '--json']\nmain.main()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["stexplain: a/b.csv: Permission denied."]
    assert '"kind": "PermissionError"' in done.stdout
