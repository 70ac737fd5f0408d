"""Clips that are windows of one recording and overlap are one unit, where nobody said whose they are."""

import warnings

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data.signals.prepare import prepare_regions

GRAPH = stx.STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])


def windows(starts, length=10, seed=0, frames=200):
    recording = np.random.default_rng(seed).normal(size=(1, frames, 3, 2)).astype(np.float32)
    return [recording[:, start : start + length] for start in starts]


def clips_of(x, **how):
    return stx.Clips.from_arrays(x, graph=GRAPH, **how)


def quiet(x, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return clips_of(x, **how)


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        ([0, 5, 40, 45, 80], [0, 0, 1, 1, 2]),
        # In any order, and joined by way of a third.
        ([45, 0, 80, 40, 5], [1, 0, 2, 1, 0]),
        ([0, 7, 5], [0, 0, 0]),
        # A run is cut into blocks as long as a window.
        (list(range(0, 30, 5)), [0, 0, 1, 1, 2, 2]),
    ],
)
def test_windows_that_overlap_are_one_unit(starts, expected):
    with pytest.warns(UserWarning, match=rf"some of {len(starts)} clips .* overlap.* {max(expected) + 1} in all"):
        clips = clips_of(windows(starts))
    own = [int(name.removeprefix("group block ")) for name in clips.groups]
    # Where a unit begins follows from the order of the clips; what is one does not.
    assert [own.index(one) for one in own] == [expected.index(one) for one in expected]


def test_other_clips_stay_alone():
    assert len(set(quiet(windows([0, 10, 20])).groups)) == 3  # end to end
    assert len(set(quiet(windows([0, 9, 18])).groups)) == 3  # one frame alone
    assert len(set(quiet([np.ones((1, 10, 3, 2), np.float32)] * 4).groups)) == 4
    assert len(set(quiet(windows([3, 3, 3])).groups)) == 3  # alike as a whole
    # Of zeros and a few numbers, as padding and counts are.
    few = np.random.default_rng(0).integers(0, 2, (6, 1, 40, 3, 2))
    assert len(set(quiet(few).groups)) == 6
    # Lying still before and after what differs.
    still = [np.concatenate([np.zeros((1, 8, 3, 2)), one, np.zeros((1, 8, 3, 2))], 1) for one in windows([0, 30], 12)]
    assert len(set(quiet(still).groups)) == 2


def test_what_was_said_counts():
    assert quiet(windows([0, 5, 40]), fields={"group": ["p", "p", "q"]}).groups.tolist() == [
        "group p",
        "group p",
        "group q",
    ]
    with pytest.warns(UserWarning, match="overlap"):
        clips = clips_of(windows([0, 5, 40]), fields={"group": ["w0", "w1", "w2"]})
    assert len(set(clips.groups)) == 2


def test_windows_of_regions_are_one_unit_too():
    x = [one[0, :, :, 0] for one in windows([0, 5, 40], length=20)]
    with pytest.warns(UserWarning, match="overlap"):
        clips = stx.load_regions(x, graph=stx.STGraph.from_edges(["0", "1", "2"], [("0", "1"), ("1", "2")]))
    assert clips.groups.tolist() == ["group block 0", "group block 0", "group block 1"]


def test_epochs_of_fixed_length_that_overlap_are_one_unit():
    mne = pytest.importorskip("mne")
    info = mne.create_info(["Fz", "Cz", "Pz"], 50.0, "eeg").set_montage("colin27_1020")
    raw = mne.io.RawArray(np.random.default_rng(0).normal(size=(3, 500)), info, verbose=False)

    def epochs(overlap):
        return mne.make_fixed_length_epochs(raw, duration=1.0, overlap=overlap, preload=True, verbose=False)

    with pytest.warns(UserWarning, match=r"epochs share samples.* 10 in all"):
        clips = stx.load_eeg(epochs(0.5), nearest=2)
    assert (len(clips), len(set(clips.groups))) == (19, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(set(stx.load_eeg(epochs(0.0), nearest=2).groups)) == 10
        assert set(stx.load_eeg(epochs(0.5), nearest=2, subject="P1").groups) == {"subject P1"}
        # Without events MNE counts epochs, a sample each.
        array = mne.EpochsArray(epochs(0.0).get_data(copy=False), info, verbose=False)
        assert len(set(stx.load_eeg(array, nearest=2).groups)) == 10
        assert len(set(stx.load_eeg(array[::2], nearest=2).groups)) == 5


def test_a_store_keeps_what_is_one_unit(tmp_path):
    (tmp_path / "runs").mkdir()
    for number, one in enumerate(windows([0, 5, 40], length=20)):
        np.save(tmp_path / "runs" / f"w{number}.npy", one[0, :, :, 0])
    labels = pd.DataFrame({"file": ["w0", "w1", "w2"], "label": ["a", "b", "a"]})
    labels.to_csv(tmp_path / "labels.csv", index=False)
    how = {
        "labels": str(tmp_path / "labels.csv"),
        "train": ["w0", "w1"],
        "tr": 2.0,
        "graph": stx.STGraph.from_edges(["0", "1", "2"], [("0", "1"), ("1", "2")]),
    }
    with pytest.warns(UserWarning, match="overlap"):
        prepare_regions(tmp_path / "runs", tmp_path / "store", **how)
    clips = stx.load_dataset(tmp_path / "store")
    assert clips.groups.tolist() == ["group block 0", "group block 0", "group block 1"]
    assert clips.groups_by("subject").tolist() == ["subject w0", "subject w1", "subject w2"]
