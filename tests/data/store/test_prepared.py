import json

import numpy as np
import pytest

from stexplain.data.store.check import check_store
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import Store
from stexplain.errors import DataError, InputError
from tests.data.skeleton_files import body, write_ntu


@pytest.fixture
def store(tmp_path):
    for camera in (1, 2, 3):
        write_ntu(tmp_path / "raw", f"S001C00{camera}P001R001A007", {1: body(6, camera)})
    prepare("ntu", tmp_path / "raw", tmp_path / "store", workers=1, progress=False)
    return tmp_path / "store"


def test_arrays_are_mapped_not_read(store):
    rows = Store.open(store).rows
    assert type(rows.x) is np.ndarray
    assert isinstance(rows.x.base, np.memmap)
    assert not rows.x.flags.writeable


def test_no_file_is_pickled(store):
    for path in store.glob("*.npy"):
        np.load(path, allow_pickle=False)
    assert sorted(path.name for path in store.iterdir()) == [
        "excluded.csv", "index.csv", "left_out.csv", "store.json", "valid.npy", "x.npy",
    ]  # fmt: skip


def test_not_a_store(tmp_path):
    with pytest.raises(InputError, match=r"is not a prepared store: it has no store.json"):
        Store.open(tmp_path)


def test_another_version(store):
    info = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps({**info, "version": 99}))
    with pytest.raises(DataError, match="version 99; expected 'stexplain store', version 3"):
        Store.open(store)


def test_a_half_written_store(store):
    x = store / "x.npy"
    x.write_bytes(x.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"x.npy has \d+ bytes; expected"):
        Store.open(store)
    x.unlink()
    with pytest.raises(DataError, match=r"x.npy is missing"):
        Store.open(store)


def changed_quietly(store, name, change):
    """Changes a file and what store.json says of its size."""
    change(store / name)
    info = json.loads((store / "store.json").read_text())
    info["files"][name]["bytes"] = (store / name).stat().st_size
    (store / "store.json").write_text(json.dumps(info))


def test_files_of_different_stores(store):
    changed_quietly(store, "x.npy", lambda path: np.save(path, np.load(path)[:-1]))
    with pytest.raises(DataError, match=r"float32 \(17, 25, 3\); expected float32 \(18, 25, 3\), by the index"):
        Store.open(store)


def test_an_index_that_contradicts_itself(store):
    changed_quietly(
        store, "index.csv", lambda path: path.write_text(path.read_text().replace("A007,0,6,1,1,6", "A007,0,6,1,1,5"))
    )
    with pytest.raises(DataError, match="contradicts itself"):
        Store.open(store)


def test_check_finds_one_changed_bit(store):
    assert check_store(store).recordings == 3
    data = bytearray((store / "x.npy").read_bytes())
    data[-1] ^= 1
    (store / "x.npy").write_bytes(data)
    Store.open(store)
    with pytest.raises(DataError, match="has changed since it was prepared"):
        check_store(store)


def test_garbage_instead_of_an_array(store):
    changed_quietly(store, "valid.npy", lambda path: path.write_bytes(b"garbage"))
    with pytest.raises(DataError, match="could not be read as npy"):
        Store.open(store)
