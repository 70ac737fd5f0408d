import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from stexplain.cards import dataset_card, trusting
from stexplain.data.load import load_dataset
from stexplain.data.planted.cache import planted_store
from stexplain.data.store.prepare import prepare
from stexplain.errors import CardError, DataError, InputError
from stexplain.files import cache_folder
from tests.data.skeleton_files import body, write_ntu


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """All subjects before camera 1 and 2."""
    folder = tmp_path_factory.mktemp("ntu")
    for subject in range(1, 41):
        for camera in (1, 2):
            named = f"S001C{camera:03d}P{subject:03d}R001A{7 + subject % 2:03d}"
            write_ntu(folder / "raw", named, {1: body(3, subject * 3 + camera)})
    prepare("ntu", folder / "raw", folder / "store", workers=1, progress=False)
    return folder / "store"


@pytest.mark.parametrize("protocol", ["xsub", "xview"])
def test_parts_share_nothing_and_make_up_the_whole(store, protocol):
    whole = load_dataset("ntu", store)
    parts = {part: load_dataset("ntu", store, f"{protocol}/{part}") for part in ("train", "validation", "test")}
    ids = [name for clips in parts.values() for name in clips.ids]
    assert len(ids) == len(set(ids)) == len(whole) == 80
    both = load_dataset("ntu", store, f"{protocol}/train+validation")
    assert sorted(both.ids) == sorted(parts["train"].ids + parts["validation"].ids)
    assert all(clips.classes == ["throw", "sit down"] for clips in parts.values())


def test_the_official_splits(store):
    training = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}
    assert set(load_dataset("ntu", store, "xsub/train+validation").table.subject) == training
    assert set(load_dataset("ntu", store, "xsub/test").table.subject) == set(range(1, 41)) - training
    assert set(load_dataset("ntu", store, "xview/test").table.camera) == {1}
    validation = load_dataset("ntu", store, "xsub/validation").table
    assert set(validation.subject) == {5, 17, 31}


def test_wrong_names(store):
    with pytest.raises(InputError, match=r"unknown split 'xsubb/test'. Did you mean 'xsub/test'"):
        load_dataset("ntu", store, "xsubb/test")
    with pytest.raises(InputError, match=r"unknown split 'xsub/tests'. Did you mean 'xsub/test'"):
        load_dataset("ntu", store, "xsub/tests")
    with pytest.raises(InputError, match="unknown split 'xsub'"):
        load_dataset("ntu", store, "xsub")
    with pytest.raises(CardError, match="Did you mean 'ntu'"):
        load_dataset("ntuu", store)


def test_a_clip_of_a_damaged_store_names_the_store(store, tmp_path):
    shutil.copytree(store, tmp_path / "store")
    values = np.load(tmp_path / "store" / "x.npy", mmap_mode="r+")
    values[0, 0] = np.inf
    values.flush()
    with pytest.raises(DataError, match=r"store: x of sample '.*' holds \d+ values that are NaN or infinite"):
        load_dataset("ntu", tmp_path / "store")[0]


def test_wrong_folders(store, tmp_path):
    with pytest.raises(InputError, match=r"stexplain data prepare ntu .*raw --out DIR"):
        load_dataset("ntu", store.parent / "raw")
    with pytest.raises(InputError, match="neither a prepared store nor"):
        load_dataset("ntu", tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        load_dataset("ntu", tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"does not fit 'nw-ucla' \(nodes: 25 in the store, 20 on the card"):
        load_dataset("nw-ucla", store)
    with pytest.raises(InputError, match="has no synthetic data"):
        load_dataset("nw-ucla")


def test_a_split_without_recordings(tmp_path):
    write_ntu(tmp_path / "raw", "S001C001P001R001A007", {1: body(3)})
    prepare("ntu", tmp_path / "raw", tmp_path / "store", workers=1, progress=False)
    with pytest.raises(DataError, match="holds no recordings of 'xview/train'"):
        load_dataset("ntu", tmp_path / "store", "xview/train")


GENERATOR = """
    from pathlib import Path

    import numpy as np

    from tests.data.skeleton_files import body, write_ntu


    def generate(card, out, *, seed=0):
        with open(Path(out).parent.parent / "calls", "a") as calls:
            calls.write("called\\n")
        for subject in range(1, 41):
            path = write_ntu(out, f"S001C001P{subject:03d}R001A007", {1: body(3, 1000 * seed + subject)})
            np.save(path.with_suffix(".truth.npy"), np.ones((1, 3, 25), bool))
"""


@pytest.fixture
def own_card(tmp_path, monkeypatch):
    """A user's own card with a generator of its own, and an empty cache."""
    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "own_generator.py").write_text(textwrap.dedent(GENERATOR))
    monkeypatch.syspath_prepend(tmp_path / "modules")
    text = dataset_card("ntu").path.read_text().replace("stexplain.data.planted.ntu", "own_generator")
    (tmp_path / "card.toml").write_text(text)
    monkeypatch.delitem(sys.modules, "own_generator", raising=False)
    with trusting("own_generator"):
        yield tmp_path / "card.toml"


def test_planted_data_is_generated_once(own_card, tmp_path):
    clips = load_dataset(own_card, split="xsub/test")
    assert len(clips) == 20
    assert clips.planted
    assert clips.batch([0]).truth.shape == (1, 2, 3, 25)
    first = clips[0].x
    np.testing.assert_array_equal(load_dataset(own_card, split="xsub/test")[0].x, first)
    calls = cache_folder() / "calls"
    assert calls.read_text().count("called") == 1
    assert not np.array_equal(load_dataset(own_card, split="xsub/test", seed=1)[0].x, first)
    assert calls.read_text().count("called") == 2
    assert len([path for path in cache_folder().glob("*planted*") if path.is_dir()]) == 2
    info = json.loads((planted_store(own_card) / "store.json").read_text())
    assert info["kept"] == 40


def test_two_processes_generate_once_between_them(own_card, tmp_path):
    # No __main__ guard: what a user types must not run again in every process that it starts.
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys\nsys.path[:0] = {sys.path!r}\nfrom stexplain.data.load import load_dataset\n"
        f"print(len(load_dataset({str(own_card)!r}, trust='own_generator')))\n"
    )
    running = [subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].splitlines()[-1] for process in running] == ["40", "40"]
    assert (cache_folder() / "calls").read_text().count("called") == 1


def test_a_generator_that_fails(own_card, tmp_path):
    code = "from stexplain.errors import DataError\n\n\ndef generate(*_, seed):\n    raise DataError('no luck')\n"
    (tmp_path / "modules" / "own_generator.py").write_text(code)
    with pytest.raises(DataError, match="'ntu' could not be generated: no luck"):
        load_dataset(own_card)
    assert not list(cache_folder().glob("ntu-planted*"))


def test_all_of_it_by_the_name_that_the_command_takes(store, own_card):
    assert len(load_dataset("ntu", store, "all")) == len(load_dataset("ntu", store))
