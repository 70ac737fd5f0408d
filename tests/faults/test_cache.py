"""The cache of planted data: damaged, made twice at once, of another time, read-only, on a full disk."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from stexplain.data.load import load_dataset
from stexplain.data.planted.cache import planted_series, planted_store
from stexplain.errors import DataError, StexplainError
from tests.bench.small_roads import write_cards
from tests.faults.works import outcome

FLIPPED = 1 << 3


@pytest.fixture
def card(tmp_path, monkeypatch):
    """A card of a series that is generated in a moment, with a cache of its own."""
    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    return write_cards(tmp_path)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= FLIPPED
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE = {
    "a bit flipped": lambda folder: flip(folder / "speeds.csv"),
    "cut short": lambda folder: cut(folder / "events.csv"),
    "a file deleted": lambda folder: (folder / "truth.npy").unlink(),
    "emptied": lambda folder: (shutil.rmtree(folder), folder.mkdir()),
    "a file in its place": lambda folder: (shutil.rmtree(folder), folder.write_text("?")),
    "its checksums cut": lambda folder: cut(folder.with_name(f"{folder.name}.sha256.json")),
    "another checksum": lambda folder: flip(folder.with_name(f"{folder.name}.sha256.json")),
    "its checksums deleted": lambda folder: folder.with_name(f"{folder.name}.sha256.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_cache_is_made_again(card, tmp_path, damage):
    folder = planted_series(card)
    before = outcome(tmp_path / "cache")
    damage(folder)
    assert planted_series(card) == folder
    assert outcome(tmp_path / "cache") == before
    load_dataset(card)


@pytest.mark.parametrize("name", ["x.npy", "store.json", "index.csv"])
def test_a_damaged_store_is_made_again(tmp_path, monkeypatch, name):
    from stexplain.cards import dataset_card
    from stexplain.data.planted import graph

    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "datasets" / "tiny"
    folder.mkdir(parents=True)
    text = dataset_card("planted").path.read_text("utf-8").replace('name = "planted"', 'name = "tiny"')
    (folder / "card.toml").write_text(text, "utf-8")
    generate = graph.generate
    # In this process, and few: the generator's own process is not what is tested.
    monkeypatch.setattr(
        "stexplain.data.planted.cache.generate",
        lambda card, out, seed: generate(card, out, seed=seed, repetitions=1, progress=False),
    )
    store = planted_store(folder)
    before = outcome(store)
    for damage in (flip, cut, Path.unlink):
        damage(store / name)
        assert planted_store(folder) == store
        found = outcome(store)
        # The key counts when recordings were written, and these were written again.
        for each in (found, before):
            each["store.json"].pop("key", None)
        assert found == before


def test_a_clock_that_was_moved_changes_nothing(card, tmp_path, caplog):
    folder = planted_series(card)
    before = outcome(tmp_path / "cache")
    for time in (0, 2**33):  # 1970, and 2242
        for path in (tmp_path / "cache").rglob("*"):
            os.utime(path, (time, time))
        assert planted_series(card) == folder
    assert outcome(tmp_path / "cache") == before
    assert not caplog.records, "nothing was made again"


def in_a_process(card):
    script = """
        import sys
        from pathlib import Path
        from stexplain.cards import trusting
        from stexplain.data.planted.cache import planted_series
        from stexplain.errors import StexplainError
        input()
        try:
            with trusting("all"):
                print(planted_series(Path(sys.argv[1])))
        except StexplainError as error:
            print(f"refused: {error}")
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(card)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_processes_make_one(card, tmp_path):
    both = [in_a_process(card), in_a_process(card)]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=300) for process in both]
    assert said[0] == said[1], said
    assert said[0][0].strip() == str(planted_series(card))
    found = outcome(tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache")
    planted_series(card)
    assert outcome(tmp_path / "cache") == found


def test_a_read_only_cache_is_used_and_what_cannot_be_made_again_is_refused(card, tmp_path, monkeypatch):
    folder = planted_series(card)
    # Root may write everywhere: what the system would say is put in its place.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    # As another process has it whose work was cut off.
    (tmp_path / "cache" / f".{folder.name}.generating").mkdir()
    assert planted_series(card) == folder
    flip(folder / "speeds.csv")
    with pytest.raises(DataError, match=r"seed0 is damaged: speeds.csv is not as it was made. Remove it where"):
        planted_series(card)


def test_where_there_can_be_no_cache_it_is_said(card, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match=r"could not be created: .*Is its parent writable\?"):
        planted_series(card)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may mount no small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_said_and_leaves_nothing_that_counts(card, small_disk, tmp_path, monkeypatch):
    monkeypatch.setenv("STEXPLAIN_CACHE", str(small_disk))
    with pytest.raises(StexplainError, match="No space left"):
        planted_series(card)
    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "cache"))
    folder = planted_series(card)
    assert not (small_disk / folder.name).exists()
