"""Parts of a preparation by each engine: the same bytes, whoever writes them and whoever is killed."""

import subprocess
import sys

import pytest

from stexplain.data.store import shards
from stexplain.data.store.check import check_store
from stexplain.data.store.prepare import prepare
from stexplain.engine.run import ENGINES
from stexplain.errors import DataError, InputError
from stexplain.files import sha256
from tests.data.skeleton_files import body, write_ntu
from tests.engine.faults import FULL_DISK, KILL_ALWAYS, in_every_process, kill_once


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Recordings of three shards."""
    folder = tmp_path_factory.mktemp("raw")
    for number in range(2 * shards.SIZE + 3):
        name = f"S001C001P{1 + number // 60:03d}R001A{1 + number % 60:03d}"
        write_ntu(folder, name, {4: body(4, number)})
    return folder


@pytest.fixture(scope="module")
def whole(raw, tmp_path_factory):
    """The store by one process."""
    store = tmp_path_factory.mktemp("one") / "store"
    prepare("ntu", raw, store, workers=1, progress=False)
    return store


def contents(store):
    return {path.name: sha256(path) for path in store.iterdir() if path.name != "store.json"}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_is_killed_is_replaced_and_changes_no_byte(engine, raw, whole, tmp_path, monkeypatch):
    if engine == "ray":
        pytest.importorskip("ray")
    killed = kill_once(monkeypatch, tmp_path / "site", "shard-00001")
    prepare("ntu", raw, tmp_path / "store", workers=2, engine=engine, progress=False)
    assert killed.exists()
    check_store(tmp_path / "store")
    assert contents(tmp_path / "store") == contents(whole)


def test_ray_workers_import_nothing_of_the_current_folder_and_report_errors(raw, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    here = tmp_path / "here"
    here.mkdir()
    for module in ("numpy", "json", "pandas", "difflib"):
        (here / f"{module}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n", "utf-8")
    monkeypatch.chdir(here)
    in_every_process(monkeypatch, tmp_path / "site", "shard-00001", FULL_DISK)
    with pytest.raises(DataError, match=r"shard-00001.npz could not be written: No space left.*Free some space"):
        prepare("ntu", raw, tmp_path / "store", workers=2, engine="ray", progress=False)
    assert not (tmp_path / "executed").exists()
    assert not ray.is_initialized()
    assert not (tmp_path / "store").exists()


def test_a_process_that_is_killed_again_and_again_is_said(raw, tmp_path, monkeypatch):
    in_every_process(monkeypatch, tmp_path / "site", "shard-00001", KILL_ALWAYS)
    with pytest.raises(DataError, match="killed 4 times by signal 9: is there memory enough"):
        prepare("ntu", raw, tmp_path / "store", workers=2, progress=False)
    assert not (tmp_path / "store").exists()


def test_ray_is_asked_for_in_words_where_it_is_missing(raw, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'stexplain\[ray\]'"):
        prepare("ntu", raw, tmp_path / "store", engine="ray", progress=False)
    with pytest.raises(InputError, match="unknown engine 'rya'"):
        prepare("ntu", raw, tmp_path / "store", engine="rya", progress=False)
    assert not list(tmp_path.iterdir())


def test_a_cluster_that_does_not_start_is_said_in_words(raw, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")

    def late(**options):
        raise Exception("The current node timed out during startup.\nMany lines.")

    monkeypatch.setattr(ray, "init", late)
    with pytest.raises(DataError, match="Ray did not start: The current node timed out during startup. Run the same"):
        prepare("ntu", raw, tmp_path / "store", engine="ray", progress=False)


def test_only_this_package_writes_parts(tmp_path):
    command = [sys.executable, "-P", "-m", "stexplain.engine.child", "antigravity", str(tmp_path), "0"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "antigravity is not a module of stexplain" in found.stderr
    assert not list(tmp_path.iterdir())
