"""Skeletons of any known format as a prepared store with a card of its own."""

from pathlib import Path
from typing import Any

from stexplain.data.skeletons.load import load_skeletons
from stexplain.data.store.own import write_own
from stexplain.data.store.prepare import Summary
from stexplain.reading import given_path
from stexplain.system import as_typed


def prepare_skeletons(path: str | Path, out: str | Path, *, name: str | None = None, **options: Any) -> Summary:
    """Writes a store of a file or folder of skeletons, with a card; `load_dataset(out)` reads it.

    The card's protocols are the splits that the files name, else one by subject where there are at least three, else
    one by a tenth of the recordings, drawn by their names.

    Args:
        path: of the file or folder, see `load_skeletons`.
        out: the folder to write; it does not exist yet, or is empty.
        name: of the dataset; none: that of the path.
        **options: of `load_skeletons`: graph, labels, classes, axes, channels, instances, keep, people, score, scores,
            frame_rate.

    Raises:
        InputError: as `load_skeletons`, and where `out` exists or recordings have no labels.
        DataError: as `load_skeletons`.
    """
    path = given_path(path, "path")
    return write_own(
        out,
        lambda left_out: load_skeletons(path, left_out=left_out, **options),
        name=name or path.stem,
        command=as_typed("data", "prepare", "skeletons", path, "--out", out),
        unlabelled="Give labels: a CSV with the columns file and label.",
    )
