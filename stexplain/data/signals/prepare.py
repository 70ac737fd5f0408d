"""Trials of EEG, and atlas time series, as prepared stores with a card of their own."""

from pathlib import Path
from typing import Any

from stexplain.data.clips import Clips
from stexplain.data.signals.eeg.load import load_eeg
from stexplain.data.signals.regions import load_regions
from stexplain.data.store.own import write_own
from stexplain.data.store.prepare import Summary
from stexplain.errors import InputError
from stexplain.reading import given_path
from stexplain.system import as_typed


def prepare_regions(path: str | Path, out: str | Path, *, name: str | None = None, **options: Any) -> Summary:
    """Writes a store of atlas time series, with a card; `load_dataset(out)` reads it.

    The card's protocol is the split that `train` says; of its training subjects the last one validates. The graph of
    correlations, with its weights, is on the card.

    Args:
        path: of the file or folder, see `load_regions`.
        out: the folder to write; it does not exist yet, or is empty.
        name: of the dataset; none: that of the path.
        **options: of `load_regions`; the repetition time `tr` must be known, there or in the files.

    Raises:
        InputError: as `load_regions`, where `out` exists, runs have no labels, or no repetition time is known.
        DataError: as `load_regions`.
    """
    path = given_path(path, "path")

    def read(left_out: Path) -> Clips:
        clips = load_regions(path, **options)
        if clips.measured.frame_rate is None:
            raise InputError(
                f"tr: {path} does not say the repetition time; a JSON beside each run would. Give "
                "it in seconds, such as tr=2.0 (--tr 2.0)."
            )
        return clips

    return write_own(
        out,
        read,
        name=name or path.stem,
        command=as_typed("data", "prepare", "regions", path, "--out", out),
        unlabelled="Give labels: a table with a column of subjects and one of classes, such as participants.tsv.",
    )


def prepare_eeg(path: str | Path, out: str | Path, *, name: str | None = None, **options: Any) -> Summary:
    """Writes a store of trials of EEG or MEG, with a card; `load_dataset(out)` reads it.

    Classes are the events. The card's protocol is one by subject where there are at least three, else one by a tenth
    of the trials.

    Args:
        path: of a file of epochs, or a folder of them, see `load_eeg`.
        out: the folder to write; it does not exist yet, or is empty.
        name: of the dataset; none: that of the path.
        **options: of `load_eeg`: picks, unit, nearest.

    Raises:
        InputError: as `load_eeg`, and where `out` exists.
        DataError: as `load_eeg`.
    """
    path = given_path(path, "path")

    def read(left_out: Path) -> Clips:
        clips = load_eeg(path, **options)
        # Files are of epochs alone; a recording would be a series.
        assert isinstance(clips, Clips)
        return clips

    return write_own(
        out,
        read,
        name=name or path.stem,
        command=as_typed("data", "prepare", "eeg", path, "--out", out),
        unlabelled="Give every trial an event.",
    )
