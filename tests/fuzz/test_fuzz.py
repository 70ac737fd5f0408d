"""A minute of the fuzzer. By hand, at length: `python -m tests.fuzz --inputs 100000 --resume fuzz.jsonl`."""

import io
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stexplain.data.skeletons.formats import FORMATS, find_format
from stexplain.errors import DataError, InputError
from tests.fuzz.damage.pickles import unpickled
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import reader_modules, written_formats
from tests.fuzz.verdict import fault

pytest.importorskip("h5py")
pytest.importorskip("ezc3d")
pytest.importorskip("h5netcdf")
pytest.importorskip("zarr")

INPUTS, KINDS = 800, 150


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are of Linux")
def test_damaged_inputs_are_read_or_refused_in_words():
    # A process of its own: forks after threads of this one would hang.
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz", "--inputs", str(INPUTS), "--kinds", str(KINDS)]
    command += ["--seed", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[2])
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-3000:]


def test_every_format_of_skeletons_is_in_the_corpus(tmp_path):
    found = set()
    for folder in written_formats(tmp_path).values():
        try:
            found.add(find_format(folder).format)
        except InputError:
            continue
    assert found >= set(FORMATS)


def test_readers_are_found_without_being_named():
    names = {module.__name__.rpartition(".")[2]: given for module, given in reader_modules()}
    assert names["ntu_skeleton"] == "Recording"
    assert names["metr_la_h5"] == "SeriesFile"
    assert "number_table" not in names


def test_an_input_follows_from_its_number():
    files = {"a.json": b'{"a": [1, 2, 3]}', "b.csv": b"x,y\n1,2\n"}
    first, again, other = (mutated(files, [b"other"], random.Random(seed), "marker") for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_value_inside_a_pickle_is_changed():
    content = {"split": {"train": ["a"]}, "label": 3, "xyz": np.zeros((2, 3), np.float16)}
    others = []
    for number in range(200):
        files = mutated({"a.pkl": pickle.dumps(content)}, [b"other"], random.Random(number), "marker")
        try:
            others.append(unpickled(next(iter(files.values()), b"")))
        except ValueError:
            continue
    whole = [one for one in others if isinstance(one, dict) and set(one) == set(content)]
    assert any(one["label"] != 3 for one in whole)
    assert any(one["split"] != content["split"] for one in whole)
    assert any(isinstance(one["xyz"], np.ndarray) and one["xyz"].shape != (2, 3) for one in whole)
    assert any(isinstance(one["xyz"], np.ndarray) and one["xyz"].dtype != np.float16 for one in whole)
    assert any(isinstance(one, dict) and len(one) == 2 for one in others)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.pkl", "a.pt", "a.json", "a.toml", "a.safetensors", "a.csv", "a"])
def test_what_was_damaged_before_is_damaged_once_more(name):
    array = io.BytesIO()
    np.save(array, np.zeros(3))
    terabytes = array.getvalue().replace(b"(3,)", b"(3000000000000,)")
    for content in (b"", b"{", b"\x80\x04", b"PK\x03\x04", b"\x93NUMPY\x01\x00", terabytes, b"\xff" * 300):
        for number in range(30):
            mutated({name: content}, [b"other"], random.Random(number), "marker")


def test_the_fuzzer_does_not_run_what_it_changes(tmp_path):
    program = f"cos\nmkdir\n(V{tmp_path}/ran\ntR.".encode()
    with pytest.raises(ValueError, match="no plain values"):
        unpickled(program)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, ""),
        (DataError("a.csv, line 3: got x; expected a number."), ""),
        (DataError("something is wrong."), "names no file"),
        (KeyError("a.csv"), "KeyError"),
        (MemoryError(), "memory"),
    ],
)
def test_what_is_a_fault(error, expected, tmp_path):
    found = fault(error, tmp_path / "case", {"a.csv"})
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_a_reason_in_gigabytes_is_a_fault(tmp_path):
    error = DataError("a.csv needs more memory than there is.")
    error.__cause__ = MemoryError()
    assert fault(error, tmp_path, {"a.csv"}).startswith("memory")
