"""Files of EEG by path that are no epochs: refused, with a remedy that works when it is followed."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.errors import InputError
from tests.data.signals.test_eeg import epochs, mne, trials


@pytest.mark.parametrize("ending", [".edf", ".bdf", ".vhdr", ".gdf", "_raw.fif", ".cnt"])
@pytest.mark.parametrize("whole", [True, False])
def test_recordings_are_cut_or_read_as_a_series(tmp_path, ending, whole):
    path = tmp_path / f"sub-01{ending}"
    path.write_bytes(b"0")
    with pytest.raises(InputError, match=r"is a recording that is not cut into trials: cut it by mne\.Epochs"):
        stx.load_eeg(tmp_path if whole else path)


@pytest.mark.parametrize("name", ["x.npy", "eeg.csv", "s1.mat", "trials.h5"])
def test_arrays_in_files_become_epochs_by_the_remedy(tmp_path, name):
    (tmp_path / name).write_bytes(b"0")
    with pytest.raises(
        InputError, match=r"channels, samples\] in volts \(microvolts times 1e-6\) make epochs"
    ) as error:
        stx.load_eeg(tmp_path / name)
    # As the message says it: MNE renames montages.
    montage = str(error.value).partition("set_montage('")[2].partition("'")[0]
    names = ["Fz", "C3", "Cz", "C4", "Pz", "Oz"]
    info = mne.create_info(names, 100.0, "eeg").set_montage(montage)
    array = 1e6 * trials() * 1e-6
    clips = stx.load_eeg(mne.EpochsArray(array, info), nearest=2)
    assert clips.measured.units == ("V",)
    np.testing.assert_allclose(clips[3].x[0, :, :, 0], trials()[3].T, rtol=1e-6)


def test_epochs_of_another_name_are_renamed(tmp_path):
    made, signals = epochs()
    made.save(tmp_path / "sub-01.fif", verbose="error", overwrite=True)
    with pytest.raises(InputError, match="MNE's own files are called so: rename them"):
        stx.load_eeg(tmp_path)
    (tmp_path / "sub-01.fif").rename(tmp_path / "sub-01-epo.fif")
    np.testing.assert_allclose(stx.load_eeg(tmp_path)[2].x[0, :, :, 0], signals[2].T, rtol=1e-6)
