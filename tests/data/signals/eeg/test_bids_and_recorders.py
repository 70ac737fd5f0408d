"""EEG as recorders and BIDS write it: EDF and BrainVision through MNE, bad channels in the table beside them, .mat."""

import warnings

import numpy as np
import pytest

import stexplain as stx
from stexplain.errors import InputError

mne = pytest.importorskip("mne")
NAMES = ["Fz", "Cz", "Pz", "Oz"]
RATE = 50
VALUES = np.random.default_rng(0).normal(size=(4, 300)) * 20


def channels(folder, name, bad=("Cz",)):
    lines = ["name\ttype\tunits\tstatus", *(f"{one}\tEEG\tuV\t{'bad' if one in bad else 'good'}" for one in NAMES)]
    (folder / f"{name}_channels.tsv").write_text("\n".join(lines) + "\n")


def info():
    return mne.create_info(NAMES, RATE, "eeg").set_montage("colin27_1020")


def saved(folder, name):
    data = VALUES.reshape(4, 6, 50).transpose(1, 0, 2) * 1e-6
    mne.EpochsArray(data, info(), verbose=False).save(folder / name, verbose=False)


def edf(path, values=VALUES):
    """As the format's specification has it: a header in ASCII, then a second of each channel after the other."""
    count = len(NAMES)

    def cells(texts, width):
        return b"".join(str(text).encode().ljust(width) for text in texts)

    head = [("0", 8), ("X X X X", 80), ("Startdate X X X X", 80), ("01.01.01", 8), ("00.00.00", 8)]
    head += [(256 * (count + 1), 8), ("", 44), (values.shape[1] // RATE, 8), (1, 8), (count, 4)]
    of_each = [(NAMES, 16), ([""] * count, 80), (["uV"] * count, 8), ([-500] * count, 8), ([500] * count, 8)]
    of_each += [
        ([-32768] * count, 8),
        ([32767] * count, 8),
        ([""] * count, 80),
        ([RATE] * count, 8),
        ([""] * count, 32),
    ]
    digital = np.round((values + 500) / 1000 * 65535 - 32768).astype("<i2")
    seconds = digital.reshape(count, -1, RATE).transpose(1, 0, 2)
    text = b"".join(cells([one], width) for one, width in head) + b"".join(cells(*one) for one in of_each)
    path.write_bytes(text + seconds.tobytes())


def brainvision(folder):
    of_each = "\n".join(f"Ch{number}={name},,1,µV" for number, name in enumerate(NAMES, 1))
    (folder / "a.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\n"
        "MarkerFile=a.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=4\n"
        f"SamplingInterval={10**6 // RATE}\n\n"
        f"[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n\n[Channel Infos]\n{of_each}\n"
    )
    marks = "\n".join(f"Mk{n + 1}=Stimulus,S {1 + n % 2:2d},{1 + 50 * n},1,0" for n in range(6))
    (folder / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\n\n"
        f"[Marker Infos]\n{marks}\n"
    )
    VALUES.T.astype("<f4").tofile(folder / "a.eeg")
    return folder / "a.vhdr"


@pytest.mark.parametrize("name", ["sub-01_task-x-epo.fif", "sub-01_task-x_desc-clean_epo.fif"])
def test_channels_that_bids_calls_bad_are_not_observed(tmp_path, name):
    channels(tmp_path, "sub-01_task-x")
    channels(tmp_path, "sub-02_task-x", NAMES)
    saved(tmp_path, name)
    with pytest.warns(UserWarning, match=rf"of {name} 'Cz' is bad by its table of channels"):
        clips = stx.load_eeg(tmp_path, nearest=2)
    assert clips[0].observed[0, 0].tolist() == [True, False, True, True]


def test_runs_of_one_subject_may_have_other_bad_channels(tmp_path):
    for run, bad in ((1, ("Fz",)), (2, ("Oz",))):
        channels(tmp_path, f"sub-01_run-{run}", bad)
        saved(tmp_path, f"sub-01_run-{run}_epo.fif")
    with pytest.warns(UserWarning, match="is bad by its table"):
        clips = stx.load_eeg(tmp_path, nearest=2)
    assert len(clips) == 12
    assert all(clip.observed[0, 0].tolist() == [False, True, True, False] for clip in clips)


def test_a_recording_whose_bad_channels_are_not_marked_is_named(tmp_path):
    edf(tmp_path / "sub-01_task-x_eeg.edf")
    channels(tmp_path, "sub-01_task-x")
    raw = mne.io.read_raw_edf(tmp_path / "sub-01_task-x_eeg.edf", verbose=False).set_montage("colin27_1020")
    with pytest.warns(UserWarning, match=r"'Cz' is bad by the table of channels .* Mark them: raw.info\['bads'\]"):
        stx.load_eeg(raw, nearest=2)
    raw.info["bads"] = ["Cz"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series = stx.load_eeg(raw, nearest=2, unit="uV", window=10, horizon=5)
    ((found, observed),) = series.observations()
    assert np.abs(found[:, [0, 2, 3], 0].T - VALUES[[0, 2, 3]]).max() < 0.02
    assert not observed[:, 1].any()
    with pytest.raises(InputError, match=r"a recording that is not cut into trials.*mne.io.read_raw"):
        stx.load_eeg(tmp_path / "sub-01_task-x_eeg.edf")


def test_trials_of_brainvision_have_their_marks(tmp_path):
    raw = mne.io.read_raw_brainvision(brainvision(tmp_path), preload=True, verbose=False).set_montage("colin27_1020")
    events, names = mne.events_from_annotations(raw, verbose=False)
    epochs = mne.Epochs(raw, events, names, 0, 0.9, baseline=None, preload=True, verbose=False)
    clips = stx.load_eeg(epochs, nearest=2, unit="uV")
    assert clips.classes == ["Stimulus/S  1", "Stimulus/S  2"]
    assert clips.labels.tolist() == [0, 1] * 3
    np.testing.assert_allclose(clips[1].x[0, :, :, 0].T, VALUES[:, 50:96], rtol=1e-4)


def test_trials_in_a_mat_file_have_a_line_that_works(tmp_path):
    """SEED has a file for each session, an array [channels, samples] for each trial."""
    scipy_io = pytest.importorskip("scipy.io")
    trials = {f"djc_eeg{number}": VALUES[:, : 100 + 10 * number] for number in (1, 2, 3)}
    scipy_io.savemat(tmp_path / "1_20131027.mat", trials)
    with pytest.raises(InputError, match=r"an array \[channels, samples\] each: x = ") as raised:
        stx.load_eeg(tmp_path)
    import scipy

    places = mne.channels.make_standard_montage("colin27_1005").get_positions()["ch_pos"]
    known = {"scipy": scipy, "path": tmp_path / "1_20131027.mat", "labels": [0, 1, 0], "names": NAMES}
    known |= {"points": np.array([places[name] for name in NAMES]), "Clips": stx.Clips, "STGraph": stx.STGraph}
    line = (
        str(raised.value)
        .partition("samples] each: ")[2]
        .partition(", where points")[0]
        .replace("; Clips", "; clips = Clips")
        .replace("nearest=4", "nearest=2")
    )
    exec(line, known)
    clips = known["clips"]
    assert [clip.x.shape for clip in clips] == [(1, 110, 4, 1), (1, 120, 4, 1), (1, 130, 4, 1)]
    np.testing.assert_allclose(clips[1].x[0, :, :, 0].T, VALUES[:, :120], rtol=1e-5)
