"""EEG of BioSemi, *.bdf: 24 bits, a channel Status with the triggers; through MNE to trials, a series and a store."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.data.signals.prepare import prepare_eeg
from stexplain.errors import InputError

mne = pytest.importorskip("mne")
NAMES = ["Fz", "Cz", "Pz", "Oz"]
RATE, SECONDS = 64, 8
VALUES = np.random.default_rng(0).normal(size=(4, RATE * SECONDS)) * 20
TRIGGERS = {40: 1, 120: 2, 200: 1, 280: 2, 360: 1, 440: 2}
_STEP = 0.03125
"""Microvolts of a bit, as BioSemi's amplifiers have it: 262144 of 8388608."""


def bdf(path):
    """As BioSemi writes it: a header in ASCII, then a second of each channel after the other, of three bytes each."""
    count = len(NAMES) + 1

    def cells(texts, width):
        return b"".join(str(text).encode().ljust(width) for text in texts)

    head = b"\xffBIOSEMI" + cells(["subject"], 80) + cells(["recording"], 80) + b"01.02.2400.00.00"
    head += cells([256 * (count + 1)], 8) + cells(["24BIT"], 44) + cells([SECONDS, 1], 8) + cells([count], 4)
    head += cells([*NAMES, "Status"], 16) + cells(["active electrode"] * 4 + ["triggers and status"], 80)
    head += cells(["uV"] * 4 + ["Boolean"], 8) + cells([-262144] * 4 + [-8388608], 8)
    head += cells([262143] * 4 + [8388607], 8) + cells([-8388608] * count, 8) + cells([8388607] * count, 8)
    head += cells(["HP: DC; LP: 417 Hz"] * 4 + ["No filtering"], 80) + cells([RATE] * count, 8)
    head += cells(["Reserved"] * count, 32)
    status = np.zeros((1, RATE * SECONDS), np.int32)
    for at, code in TRIGGERS.items():
        status[0, at : at + 4] = code
    # The upper byte of Status is the amplifier's own: here that the battery is full and the CMS in range.
    bits = np.round((VALUES + 262144) / 524287 * 16777215 - 8388608).astype(np.int32)
    digital = np.concatenate([bits, status | 0x100000])
    seconds = np.ascontiguousarray(digital.reshape(count, SECONDS, RATE).transpose(1, 0, 2).astype("<i4"))
    path.write_bytes(head + seconds.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    return path


def read(folder):
    return mne.io.read_raw_bdf(bdf(folder / "sub-01_eeg.bdf"), preload=True, verbose=False)


def test_a_recording_is_a_series_without_its_status(tmp_path):
    series = stx.load_eeg(read(tmp_path).set_montage("biosemi64"), nearest=2, unit="uV", window=16, horizon=4)
    assert series.graph.nodes == tuple(NAMES)
    assert series.measured.frame_rate == RATE
    ((found, _),) = series.observations()
    np.testing.assert_allclose(found[:, :, 0].T, VALUES, atol=0.6 * _STEP)


def test_the_remedy_makes_trials_and_a_store(tmp_path):
    raw = read(tmp_path)
    with pytest.raises(InputError, match=r"sub-01_eeg.bdf is a recording that is not cut into trials: cut it by"):
        prepare_eeg(tmp_path, tmp_path / "store")
    raw = raw.set_montage("biosemi64", on_missing="ignore")
    events = mne.find_events(raw, "Status", mask=0xFF, mask_type="and", verbose=False)
    assert {int(at): int(code) for at, _, code in events} == TRIGGERS
    epochs = mne.Epochs(raw, events, {"left": 1, "right": 2}, 0, 0.5, baseline=None, preload=True, verbose=False)
    (tmp_path / "trials").mkdir()
    epochs.save(tmp_path / "trials" / "sub-01-epo.fif", verbose=False)
    prepare_eeg(tmp_path / "trials", tmp_path / "store", unit="uV", nearest=2)
    clips = stx.load_dataset(tmp_path / "store")
    assert clips.classes == ["left", "right"]
    assert sorted(clips.labels.tolist()) == [0, 0, 0, 1, 1, 1]
    starts = {int(clip.id.rpartition("/")[2]): clip.x[0, :, :, 0].T for clip in clips}
    for number, at in enumerate(TRIGGERS):
        np.testing.assert_allclose(starts[number], VALUES[:, at : at + 33], atol=0.6 * _STEP)
