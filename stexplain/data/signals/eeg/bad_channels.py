"""Channels that BIDS calls bad, in the table of channels beside a file."""

import re
from pathlib import Path
from typing import Any

from stexplain.checking import warn_caller
from stexplain.reading import is_there
from stexplain.reading.table import read_csv

_TABLE = "_channels.tsv"
_ENDING = re.compile(r"([-_](epo|ave|raw|eeg|meg|ieeg))?(\.\w+)+$")
"""Of names of files, MNE's and those of BIDS."""


def bad_beside(file: Path) -> list[str]:
    r"""The channels whose status is bad in the ``..._channels.tsv`` of a file, by the parts of its name.

    Args:
        file: such as ``sub-01_task-rest_desc-clean_epo.fif``, of which ``sub-01_task-rest_channels.tsv`` is one.

    Raises:
        DataError: where the table is broken.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "sub-01_channels.tsv").write_text("name\tstatus\nFz\tgood\nCz\tbad\n")
        >>> bad_beside(folder / "sub-01_task-rest_epo.fif"), bad_beside(folder / "sub-02_epo.fif")
        (['Cz'], [])
    """
    parts = set(_ENDING.sub("", file.name).split("_"))
    # That of one run says more than that of all.
    of_file = [
        (len(own), table)
        for table in sorted(file.parent.glob(f"*{_TABLE}"))
        if (own := set(table.name.removesuffix(_TABLE).split("_"))) <= parts and is_there(table)
    ]
    if not of_file:
        return []
    table = read_csv(max(of_file)[1], dtype=str, keep_default_na=False, sep="\t")
    if not {"name", "status"} <= set(table.columns):
        return []
    return [str(name) for name in table["name"][table["status"].str.strip().str.lower() == "bad"]]


def mark_bad(data: Any, file: Path) -> None:
    """Marks channels of MNE's data that the table beside its file calls bad: they are not observed.

    Args:
        data: of MNE, whose ``info["bads"]`` is changed.
        file: that it was read from.

    Warns:
        UserWarning: naming those that were not marked.
    """
    new = [name for name in bad_beside(file) if name in data.ch_names and name not in data.info["bads"]]
    if new:
        data.info["bads"] = [*data.info["bads"], *new]
        warn_caller(
            f"EEG: of {file.name} {', '.join(map(repr, new[:8]))} {'is' if len(new) == 1 else 'are'} bad by its "
            f"table of channels ({_TABLE[1:]}): taken as not observed."
        )


def say_bad(data: Any) -> None:
    """Names channels that the table beside a recording's file calls bad, and the recording does not.

    Args:
        data: an `mne.io.Raw`, which stays as it is: whoever has it may know better.

    Warns:
        UserWarning: naming them.
    """
    files = [Path(file) for file in getattr(data, "filenames", ()) or () if file is not None]
    bad = [name for file in files for name in bad_beside(file)]
    new = [name for name in dict.fromkeys(bad) if name in data.ch_names and name not in data.info["bads"]]
    if new:
        warn_caller(
            f"EEG: {', '.join(map(repr, new[:8]))} {'is' if len(new) == 1 else 'are'} bad by the table of channels "
            f"beside {files[0].name}, and taken as good. Mark them: raw.info['bads'] += {new[:8]}."
        )
