"""Files of EEG and MEG trials, through MNE's own readers: its epochs, and EEGLAB's."""

import re
from pathlib import Path
from typing import Any

from stexplain.errors import DataError, InputError
from stexplain.reading import readable, regular_file

ENDINGS = ("-epo.fif", "_epo.fif", "-epo.fif.gz", "_epo.fif.gz", ".set")
"""How files of epochs are called: MNE's, and EEGLAB's."""
_RAW = ("_raw.fif", "-raw.fif", "_eeg.fif", ".edf", ".bdf", ".vhdr", ".gdf", ".cnt", ".mff")
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
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    chosen = [file for file in files if file.name.lower().endswith(ENDINGS)]
    if not chosen:
        raw = next((file for file in files if file.name.lower().endswith(_RAW)), None)
        what = "holds" if path.is_dir() else "is"
        hint = (
            f" {raw.name} is a recording that is not cut into trials: cut it by mne.Epochs and save it, or read it as "
            "a series by load_eeg(mne.io.read_raw(...))."
            if raw is not None
            else ""
        )
        raise InputError(f"data: {path} {what} no file of epochs ({', '.join(ENDINGS)}).{hint}")
    by_subject: dict[str, list[Any]] = {}
    for file in chosen:
        match = _SUBJECT.search(file.name)
        ending = next(ending for ending in ENDINGS if file.name.lower().endswith(ending))
        subject = match.group(1) if match else file.name[: -len(ending)]
        with readable(file, "epochs of EEG or MEG"):
            regular_file(file)
            read = mne.io.read_epochs_eeglab if ending == ".set" else mne.read_epochs
            by_subject.setdefault(subject, []).append(read(file, verbose="error"))
    found = {}
    for subject, parts in by_subject.items():
        try:
            found[subject] = parts[0] if len(parts) == 1 else mne.concatenate_epochs(parts, verbose="error")
        except ValueError as error:
            raise DataError(f"{path}: the files of {subject} do not fit each other: {error}") from error
    return found
