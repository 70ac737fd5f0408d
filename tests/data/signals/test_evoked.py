"""Averages of MNE over trials: a clip for each, whose class is the condition."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.errors import InputError
from tests.data.signals.test_eeg import NAMES, info, mne, trials


def averages(names=("left", "right"), seed=0, **about):
    signals = trials(len(names), seed=seed)
    return [
        mne.EvokedArray(one, info(**about), tmin=-0.1, comment=name, nave=30, baseline=None)
        for one, name in zip(signals, names, strict=True)
    ]


def test_averages_become_clips_of_their_conditions():
    made = averages(bads=["C4"])
    clips = stx.load_eeg(made, unit="uV", nearest=2)
    assert (len(clips), clips.classes, clips.channels) == (2, ["left", "right"], ["eeg"])
    assert clips.labels.tolist() == [0, 1]
    good = [name != "C4" for name in NAMES]
    np.testing.assert_allclose(clips[1].x[0][:, good, 0], 1e6 * made[1].data[good].T, rtol=1e-5)
    assert clips[0].observed[0].all(0).tolist() == good
    assert clips[0].measured.seconds(40)[[0, 10]].tolist() == [-0.1, 0.0]
    assert len(stx.load_eeg(made[0], nearest=2)) == 1


def test_averages_of_subjects_are_groups(tmp_path):
    both = {"sub-01": averages(), "sub-02": averages(seed=1)}
    clips = stx.load_eeg(both, nearest=2)
    assert list(clips.table["group"]) == ["sub-01", "sub-01", "sub-02", "sub-02"]
    for name, made in both.items():
        mne.write_evokeds(tmp_path / f"{name}_task-x-ave.fif", made)
    read = stx.load_eeg(tmp_path, nearest=2)
    assert list(read.table["group"]) == list(clips.table["group"])
    assert read.classes == clips.classes
    np.testing.assert_allclose(read[3].x, clips[3].x, rtol=1e-6)
    epochs = mne.EpochsArray(trials(), info(), tmin=-0.1)
    epochs.save(tmp_path / "sub-01-epo.fif")
    with pytest.raises(InputError, match=r"holds averages, such as sub-01_task-x-ave\.fif, beside the trials"):
        stx.load_eeg(tmp_path)


def changed(change):
    made = averages()
    change(made[1])
    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (changed(lambda one: setattr(one, "comment", "")), "average number 1 has no comment"),
        (changed(lambda one: setattr(one, "kind", "standard_error")), "'right' is a standard error; expected averages"),
        (changed(lambda one: one.crop(0, 0.1)), "the first time of 'right' is 0.0, of 'left' -0.1"),
        (changed(lambda one: one.pick(NAMES[:4])), "the channels of 'right' is"),
        (changed(lambda one: one.info["bads"].append("Cz")), "the bad channels of 'right' is"),
        ([*averages(), 3], "got list; expected mne.Epochs"),
        ([], "got list; expected mne.Epochs"),
    ],
)
def test_averages_that_do_not_fit_are_refused(made, words):
    with pytest.raises(InputError, match=words):
        stx.load_eeg(made)
