"""Files of EEG and MEG trials, through MNE's own readers: its epochs, and EEGLAB's."""

import gzip
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.data.signals.eeg.bad_channels import mark_bad
from stexplain.data.signals.eeg.evoked import as_epochs
from stexplain.errors import DataError, InputError
from stexplain.reading import readable, regular_file
from stexplain.reading.child_process import arrays_in_child
from stexplain.reading.contents import files_under
from stexplain.reading.memory import free_memory
from stexplain.reading.text import refuse_interrupted

_EPOCHS = ("-epo.fif", "_epo.fif", "-epo.fif.gz", "_epo.fif.gz", ".set")
_AVERAGES = ("-ave.fif", "_ave.fif", "-ave.fif.gz", "_ave.fif.gz")
ENDINGS = (*_EPOCHS, *_AVERAGES)
"""How files of epochs are called, MNE's and EEGLAB's, and those of averages over them."""
_RAW = ("_raw.fif", "-raw.fif", "_eeg.fif", ".edf", ".bdf", ".vhdr", ".gdf", ".cnt", ".mff")
_OF_MAT = (
    " Of trials of different lengths, an array [channels, samples] each: x = [v.T[None, :, :, None] for k, v in "
    "scipy.io.loadmat(path).items() if not k.startswith('_')]; Clips.from_arrays(x, labels, graph=STGraph."
    "from_coordinates(points, names, nearest=4)), where points are of mne.channels.make_standard_montage("
    "'colin27_1005').get_positions()['ch_pos']."
)
_HINT = (
    " MNE's own files are called so: rename them. Of an array [trials, channels, samples] in volts (microvolts times "
    "1e-6) make epochs: mne.EpochsArray(array, mne.create_info(names, rate, 'eeg').set_montage('colin27_1020'))."
)
_SMALL, _RATIO = 64 << 20, 200
"""What a packed file may unpack to: so many bytes, or so many times its size."""
_SUBJECT = re.compile(r"(?:^|[_-])(sub-[A-Za-z0-9]+)")


def read_epochs(path: Path) -> dict[str, Any]:
    """The epochs in a file, or in a folder and its subfolders, by subject; several files of one are joined.

    The subject is the part ``sub-...`` of a file's name, as BIDS has it, else the file's name.

    Args:
        path: of the file or folder.

    Raises:
        InputError: where there is nothing, or only recordings that are not cut into trials.
        DataError: where a file is broken, or those of one subject do not fit each other.
    """
    import mne

    if not path.exists():
        raise InputError(f"data: there is no {path}. Give a file of epochs, a folder of them, or epochs of MNE.")
    files = [path] if path.is_file() else sorted(files_under(path))
    chosen = [file for file in files if file.name.lower().endswith(ENDINGS)]
    if not chosen:
        raw = next((file for file in files if file.name.lower().endswith(_RAW)), None)
        what = "holds" if path.is_dir() else "is"
        hint = (
            f" {raw.name} is a recording that is not cut into trials: cut it by mne.Epochs and save it, or read it as "
            "a series by load_eeg(mne.io.read_raw(...))."
            if raw is not None
            else _HINT + _OF_MAT * any(file.suffix.lower() == ".mat" for file in files)
        )
        raise InputError(f"data: {path} {what} no file of epochs or averages ({', '.join(ENDINGS)}).{hint}")
    averages = [file for file in chosen if file.name.lower().endswith(_AVERAGES)]
    if averages and len(averages) < len(chosen):
        raise InputError(
            f"data: {path} holds averages, such as {averages[0].name}, beside the trials that they may be of; expected "
            "one kind. Name the files of one of them, or move the others away."
        )
    by_subject: dict[str, list[Any]] = {}
    for file in chosen:
        match = _SUBJECT.search(file.name)
        ending = next(ending for ending in ENDINGS if file.name.lower().endswith(ending))
        subject = match.group(1) if match else file.name[: -len(ending)]
        read = _read(file)
        mark_bad(read, file)
        by_subject.setdefault(subject, []).append(read)
    found = {}
    for subject, parts in by_subject.items():
        # A channel that is bad in one file is none to be joined with.
        bad = list(dict.fromkeys(name for part in parts for name in part.info["bads"]))
        for part in parts:
            part.info["bads"] = [name for name in bad if name in part.ch_names]
        try:
            found[subject] = parts[0] if len(parts) == 1 else mne.concatenate_epochs(parts, verbose="error")
        except ValueError as error:
            raise DataError(f"{path}: the files of {subject} do not fit each other: {error}") from error
    return found


def _read(file: Path) -> Any:
    import mne

    what = "epochs of EEG or MEG"
    if file.name.lower().endswith(".set"):
        # SciPy's reader of these files, in C, follows the lengths that they state: a damaged one can crash it.
        content = arrays_in_child(__name__, file, what)["fif"]
        with tempfile.TemporaryDirectory(prefix="stexplain-") as folder, readable(file, what):
            made = Path(folder) / "from-eeglab-epo.fif"
            content.tofile(made)
            return mne.read_epochs(made, verbose="error")
    with readable(file, what):
        refuse_interrupted(regular_file(file), what)
        if file.name.lower().endswith(".gz"):
            _check_unpacked(file)
        if file.name.lower().endswith(_AVERAGES):
            return as_epochs(mne.read_evokeds(file, verbose="error"), file.name)
        return mne.read_epochs(file, verbose="error")


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """EEGLAB's epochs as bytes of a file of MNE, with all digits; called in a process of its own: `arrays_in_child`."""
    import mne

    epochs = mne.io.read_epochs_eeglab(path, verbose="error")
    with tempfile.TemporaryDirectory(prefix="stexplain-") as folder:
        made = Path(folder) / "from-eeglab-epo.fif"
        epochs.save(made, fmt="double", verbose="error")
        return {"fif": np.fromfile(made, np.uint8)}


def _check_unpacked(file: Path) -> None:
    """Refuses a packed file that unpacks to far more than it holds: MNE would unpack it into memory."""
    most = max(_SMALL, _RATIO * file.stat().st_size)
    if (free := free_memory()) is not None:
        most = min(most, free)
    with gzip.open(file) as packed:
        size = 0
        while block := packed.read(1 << 20):
            size += len(block)
            if size > most:
                raise DataError(
                    f"{file} unpacks to more than {most / 1e6:.0f} MB, and holds {file.stat().st_size / 1e6:.3g} MB. "
                    "Fetch it again, or unpack it yourself."
                )
