import csv
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from stexplain.cards import dataset_card
from stexplain.data.planted.generate import generate
from stexplain.data.readers.ntu_skeleton import read
from stexplain.data.recording import choose_bodies
from stexplain.data.store import shards
from stexplain.data.store.check import check_store
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import Store
from stexplain.errors import DataError, InputError
from stexplain.files import sha256
from tests.data.skeleton_files import body, text_of, write_ntu


def name(camera=1, subject=1, action=1, replication=1):
    return f"S001C{camera:03d}P{subject:03d}R{replication:03d}A{action:03d}"


@pytest.fixture
def raw(tmp_path) -> Path:
    """Eleven recordings, four of which can be used."""
    folder = tmp_path / "raw"
    gone = body(5, 3)
    gone[2] = np.nan
    write_ntu(folder, name(1, 1, 7), {4: body(5, 0)})
    write_ntu(folder / "deeper", name(2, 1, 7), {4: body(6, 1, 0.5), 9: body(6, 2), 2: body(6, 4, 0.1)})
    write_ntu(folder, name(1, 2, 50), {4: gone})
    write_ntu(folder, name(3, 3, 7), {4: body(3, 5)})
    write_ntu(folder, name(3, 3, 7, 2), {77: body(3, 5)})  # the same numbers under another id
    write_ntu(folder, name(1, 4, 61), {4: body(3, 6)})  # an action of NTU RGB+D 120
    write_ntu(folder, "kicking", {4: body(3, 7)})
    write_ntu(folder, name(1, 5, 7), {4: body(3, 8)})
    one = body(4, 9)
    one[1:] = np.nan
    write_ntu(folder, name(1, 6, 7), {4: one})
    (folder / f"{name(1, 7, 7)}.skeleton").write_text("3\r\n0\r\n0\r\n0\r\n")
    (folder / f"{name(1, 8, 7)}.skeleton").write_text(text_of(3, {4: body(3)})[:-500])
    (folder / dataset_card("ntu").files["missing"]).write_text(f"Some recordings are unusable.\n\n{name(1, 5, 7)}\n")
    return folder


def test_the_store_holds_what_was_recorded(raw, tmp_path):
    summary = prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    assert (summary.found, summary.kept) == (11, 4)
    store = Store.open(tmp_path / "store")
    assert store.table.id.tolist() == [name(1, 1, 7), name(1, 2, 50), name(2, 1, 7), name(3, 3, 7)]
    assert store.class_names == ["throw", "punch or slap other person"]
    assert store.table.label.tolist() == [0, 1, 0, 0]
    assert store.table.bodies.tolist() == [1, 1, 3, 1]
    assert store.table.instances.tolist() == [1, 1, 2, 1]
    assert store.table.camera.tolist() == [1, 1, 2, 3]
    for row, path in enumerate([raw / f"{name(1, 1, 7)}.skeleton", raw / f"{name(1, 2, 50)}.skeleton",
                                raw / "deeper" / f"{name(2, 1, 7)}.skeleton"]):  # fmt: skip
        recording = read(path)
        expected = recording.values[choose_bodies(recording, 2)]
        start = store.rows.offset[row]
        size = store.rows.instances[row] * store.rows.frames[row]
        got = store.rows.x[start : start + size].reshape(expected.shape)
        valid = store.rows.valid[start : start + size].reshape(expected.shape[:2])
        np.testing.assert_array_equal(valid, ~np.isnan(expected[:, :, 0, 0]))
        np.testing.assert_array_equal(got, np.nan_to_num(expected))
    assert store.rows.truth is None
    assert str(check_store(tmp_path / "store")).endswith("is complete: 4 recordings of 2 classes, 25 rows, 0.0 MB.")


def test_what_was_excluded_and_why(raw, tmp_path):
    summary = prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    with (tmp_path / "store" / "excluded.csv").open() as file:
        lines = {line["id"]: line for line in csv.DictReader(file)}
    kinds = {key: line["kind"] for key, line in lines.items()}
    assert kinds == {
        name(3, 3, 7, 2): "duplicate",
        name(1, 4, 61): "unknown name or class",
        "kicking": "unknown name or class",
        name(1, 5, 7): "listed as missing",
        name(1, 6, 7): "one frame",
        name(1, 7, 7): "empty",
        name(1, 8, 7): "broken",
    }
    assert name(3, 3, 7) in lines[name(3, 3, 7, 2)]["reason"]
    assert "line 58: found '1'" in lines[name(1, 8, 7)]["reason"]
    assert summary.excluded["unknown name or class"] == 2
    assert "excluded, duplicate: 1" in str(summary)
    assert json.loads(json.dumps(summary.to_dict()))["kept"] == 4


def test_a_link_that_leads_nowhere_is_excluded_and_hides_no_other(raw, tmp_path):
    before = prepare("ntu", raw, tmp_path / "before", workers=1, progress=False)
    path = raw / f"{name(subject=40)}.skeleton"
    path.symlink_to(path.name)
    summary = prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    assert (summary.found, summary.kept) == (before.found + 1, before.kept)
    assert summary.excluded["broken"] == before.excluded.get("broken", 0) + 1


def test_a_list_that_is_given_and_one_that_is_not_there(raw, tmp_path):
    other = tmp_path / "list.txt"
    other.write_text(f"{name(1, 1, 7)}.skeleton\n")
    store = tmp_path / "store"
    prepare("ntu", raw, store, workers=1, missing=other, progress=False)
    assert name(1, 1, 7) not in Store.open(store).table.id.tolist()
    other.write_text("no names here\n")
    with pytest.raises(InputError, match="names no recordings"):
        prepare("ntu", raw, tmp_path / "b", missing=other, progress=False)
    (raw / dataset_card("ntu").files["missing"]).unlink()
    assert "was not given" in prepare("ntu", raw, tmp_path / "c", workers=1, progress=False).note


def contents(store: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in store.iterdir() if path.name != "store.json"}


def test_workers_and_interruptions_change_no_byte(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SIZE", 2)
    prepare("ntu", raw, tmp_path / "alone", workers=1, progress=False)
    whole = contents(tmp_path / "alone")
    written, write_part = [], shards.write_part

    def stop_at_third(folder, number):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(number)
        write_part(folder, number)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_part", stop_at_third)
        with pytest.raises(KeyboardInterrupt):
            prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    assert not (tmp_path / "store").exists()
    again = []
    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_part", lambda folder, part: (again.append(part), write_part(folder, part)))
        prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    assert set(again).isdisjoint(written)
    assert contents(tmp_path / "store") == whole
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def many(folder: Path, count: int) -> Path:
    for number in range(count):
        write_ntu(folder, name(1, 1, 1 + number % 60, 1 + number // 60), {4: body(8, number)})
    return folder


def test_processes_give_the_same_bytes_as_none(tmp_path):
    raw = many(tmp_path / "raw", 2 * shards.SIZE + 3)
    prepare("ntu", raw, tmp_path / "one", workers=1, progress=False)
    prepare("ntu", raw, tmp_path / "three", workers=3, progress=False)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")


def test_nothing_in_the_current_folder_is_imported(tmp_path, monkeypatch):
    raw, here = many(tmp_path / "raw", 2 * shards.SIZE), tmp_path / "here"
    here.mkdir()
    for module in ("numpy", "json", "stexplain"):
        (here / f"{module}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n", "utf-8")
    monkeypatch.chdir(here)
    prepare("ntu", raw, tmp_path / "store", workers=2, progress=False)
    generate(dataset_card("planted"), tmp_path / "planted", seed=0)
    assert not (tmp_path / "executed").exists()


def test_a_killed_run_leaves_no_store_and_is_continued(tmp_path):
    raw = many(tmp_path / "raw", 3 * shards.SIZE)
    store = tmp_path / "store"
    code = f"from stexplain.data.store.prepare import prepare; prepare('ntu', {str(raw)!r}, {str(store)!r}, workers=2)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    work = tmp_path / ".store.preparing"
    while process.poll() is None and not list(work.glob("shard-*.npz")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not store.exists()
    assert list(work.glob("shard-*.npz"))
    prepare("ntu", raw, store, workers=1, progress=False)
    prepare("ntu", raw, tmp_path / "whole", workers=1, progress=False)
    assert contents(store) == contents(tmp_path / "whole")
    check_store(store)


def test_changed_recordings_are_not_continued_from_old_parts(raw, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("stexplain.data.store.prepare.merge", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    write_ntu(raw, name(1, 1, 7), {4: body(9, 42)})
    prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    assert Store.open(tmp_path / "store").table.frames[0] == 9


def test_a_second_run_finds_the_store(raw, tmp_path):
    first = prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    before = (tmp_path / "store" / "store.json").stat().st_mtime_ns
    second = prepare("ntu", raw, tmp_path / "store", progress=False)
    assert second.seconds == 0
    assert second.kept == first.kept
    assert (tmp_path / "store" / "store.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="made in another way"):
        prepare("ntu", raw, tmp_path / "store", keep="first", progress=False)


def test_keep_first(raw, tmp_path):
    prepare("ntu", raw, tmp_path / "store", workers=1, keep="first", progress=False)
    store = Store.open(tmp_path / "store")
    expected = read(raw / "deeper" / f"{name(2, 1, 7)}.skeleton").values[:2]
    np.testing.assert_array_equal(store.rows.x[store.rows.offset[2] :][:12].reshape(expected.shape), expected)


def test_planted_truth_follows_its_body(tmp_path):
    truth = np.random.default_rng(0).random((3, 4, 25)) < 0.5
    bodies = {5: body(4, 0, 0.1), 6: body(4, 1), 7: body(4, 2, 0.5)}
    bodies[7][3] = np.nan
    path = write_ntu(tmp_path / "raw", name(), bodies)
    np.save(path.with_suffix(".truth.npy"), truth)
    prepare("ntu", tmp_path / "raw", tmp_path / "store", workers=1, progress=False)
    stored = Store.open(tmp_path / "store").rows.truth.reshape(2, 4, 25)
    np.testing.assert_array_equal(stored[0], truth[1])
    np.testing.assert_array_equal(stored[1, :3], truth[2, :3])
    assert not stored[1, 3].any()
    np.save(path.with_suffix(".truth.npy"), truth[:2])
    with pytest.raises(DataError, match=r"bool \(2, 4, 25\); expected bool \(3, 4, 25\)"):
        prepare("ntu", tmp_path / "raw", tmp_path / "other", workers=1, progress=False)


def test_truth_beside_some_recordings_only(tmp_path):
    path = write_ntu(tmp_path / "raw", name(), {1: body(4)})
    np.save(path.with_suffix(".truth.npy"), np.zeros((1, 4, 25), bool))
    write_ntu(tmp_path / "raw", name(2), {1: body(4, 1)})
    with pytest.raises(DataError, match="beside some recordings and not beside others"):
        prepare("ntu", tmp_path / "raw", tmp_path / "store", workers=1, progress=False)


def test_wrong_calls(raw, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    store = tmp_path / "store"
    with pytest.raises(
        InputError, match=r"holds no recordings that stexplain.data.readers.ntu_skeleton can read. How to get"
    ):
        prepare("ntu", empty, store, progress=False)
    with pytest.raises(InputError, match="is not a folder"):
        prepare("ntu", tmp_path / "nowhere", store, progress=False)
    with pytest.raises(InputError, match="Did you mean 'energy'"):
        prepare("ntu", raw, store, keep="energi", progress=False)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="workers: got 0"):
        prepare("ntu", raw, store, workers=0, progress=False)
    with pytest.raises(InputError, match="exists and is not a store"):
        prepare("ntu", raw, raw, progress=False)
    prepare("ntu", raw, store, workers=1, progress=False)
    with pytest.raises(InputError, match="raw: got .*, a prepared store"):
        prepare("ntu", store, tmp_path / "b", progress=False)
    write_ntu(raw / "copy", name(1, 1, 7), {4: body(5, 0)})
    with pytest.raises(InputError, match="more than once"):
        prepare("ntu", raw, tmp_path / "c", progress=False)


def test_no_usable_recording(tmp_path):
    write_ntu(tmp_path / "raw", "kicking", {4: body(3, 7)})
    with pytest.raises(DataError, match=r"none of the 1 recordings .* can be used. The first, kicking"):
        prepare("ntu", tmp_path / "raw", tmp_path / "store", progress=False)
    assert not (tmp_path / "store").exists()


def test_a_full_disk_is_reported_and_leaves_no_store(tmp_path):
    """A limit on file sizes stands for the disk: writing fails in the same way, in the middle of a file."""
    raw = many(tmp_path / "raw", 20)
    code = f"""
        import resource, signal
        from stexplain.data.store.prepare import prepare
        from stexplain.errors import DataError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            prepare("ntu", {str(raw)!r}, {str(tmp_path / "store")!r}, workers=1, progress=False)
        except DataError as error:
            print(error)
    """
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert "could not be written" in done.stdout
    assert "No partial file is left" in done.stdout
    assert not (tmp_path / "store").exists()


def test_preparing_needs_no_torch():
    modules = "stexplain.data.store.prepare, stexplain.data.readers.ntu_skeleton"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
