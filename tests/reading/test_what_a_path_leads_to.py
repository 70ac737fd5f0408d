"""What lies where a file is expected and is none: refused by name, neither waited for nor taken for nothing."""

import os
import sys

import pytest

import stexplain as stx
from stexplain.data import load_eeg, load_regions, load_skeletons
from stexplain.data.store.prepare import prepare
from stexplain.errors import StexplainError
from stexplain.files import remove_leftovers
from tests.fuzz import corpus

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of POSIX")

ODD = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link to nowhere": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "folder": lambda path: path.mkdir(),
}


@pytest.fixture(params=ODD, ids=ODD)
def odd(request):
    return ODD[request.param]


@pytest.mark.parametrize(
    ("write", "name", "read"),
    [
        (corpus.bvh, "b.bvh", load_skeletons),
        (corpus.kinetics, "b.json", load_skeletons),
        (corpus.stgcn_arrays, "b.npy", load_skeletons),
        (corpus.region_tables, "b.csv", lambda folder: load_regions(folder, train="all", tr=2.0)),
        (corpus.trials_of_mne, "b-epo.fif", load_eeg),
    ],
)
@pytest.mark.parametrize("odd", [make for kind, make in ODD.items() if kind != "folder"])
def test_one_that_is_no_recording_among_recordings_is_named(write, name, read, odd, tmp_path):
    if write is corpus.trials_of_mne:
        pytest.importorskip("mne")
    write(tmp_path)
    odd(tmp_path / name)
    with pytest.raises(StexplainError, match=name):
        read(tmp_path)


@pytest.mark.parametrize(
    ("write", "name", "read"),
    [
        (corpus.speeds_csv, "sensors.csv", lambda folder: stx.load_dataset(_card(folder), folder / "data")),
        (corpus.region_tables, "sub-2_bold.json", lambda folder: load_regions(folder / "data", train="all", tr=2.0)),
        (corpus.stgcn_arrays, "val_label.pkl", lambda folder: load_skeletons(folder / "data")),
        (corpus.libcity, "config.json", lambda folder: stx.load_sensors(folder / "data")),
        (corpus.nw_ucla, "a01_s01_e00_v01.truth.npy", lambda folder: _prepared(folder)),
    ],
)
def test_a_companion_that_is_no_file_is_not_taken_for_none(write, name, read, odd, tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data")
    (tmp_path / "data" / name).unlink(missing_ok=True)
    odd(tmp_path / "data" / name)
    with pytest.raises(StexplainError, match=name):
        read(tmp_path)


def _card(folder):
    from tests.data.series_cards import small_card

    return small_card(folder / "card", "stexplain.data.readers.speeds_csv", ("speed",), "start = 2012-03-01T00:00:00")


def _prepared(folder):
    prepare("nw-ucla", folder / "data", folder / "store", workers=1, progress=False)


def test_what_a_link_leads_to_is_no_leftover(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "kept").touch()
    (tmp_path / "run" / ".x.abc.part").symlink_to(tmp_path / "away")
    remove_leftovers(tmp_path / "run")
    assert [path.name for path in (tmp_path / "away").iterdir()] == ["kept"]


def test_a_link_from_a_folder_to_one_above_it_is_not_followed(tmp_path):
    corpus.bvh(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert load_skeletons(tmp_path).ids == ["walk"]
