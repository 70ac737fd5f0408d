import fcntl
import json
from pathlib import Path

import numpy as np
import pytest

from stexplain.errors import DataError, InputError
from stexplain.files import atomic_write, folder_lock, read_json, write_json


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
