"""Preparing files of one's own, of which no card is known: skeletons, regions of a brain atlas, trials of EEG."""

from pathlib import Path
from typing import Any

from stexplain.errors import InputError

KINDS = {
    "skeletons": ("labels", "graph", "axes", "channels", "score", "frame_rate"),
    "regions": ("labels", "train", "tr", "density", "unit"),
    "eeg": ("unit", "picks"),
}
"""What is prepared without a card, and the options of each."""


def check_options(kind: str | None, options: dict[str, Any]) -> None:
    """Refuses an option that is of another kind of files.

    Args:
        kind: one of `KINDS`; none: a dataset's card, which has none of these options.
        options: that were given, by name.

    Raises:
        InputError: naming the first, and what it is of.
    """
    for name in options:
        if name in KINDS.get(kind or "", ()):
            continue
        of = " and ".join(f"`stexplain data prepare {one}`" for one, known in KINDS.items() if name in known)
        what = "a dataset's card" if kind is None else f"`{kind}`"
        raise InputError(f"--{name.replace('_', '-')}: got it for {what}; it is an option of {of}. Leave it out.")


def prepare_own(kind: str, raw: Path, out: Path, options: dict[str, Any]) -> Any:
    """Writes the store of files of one kind; see `prepare_skeletons`, `prepare_regions` and `prepare_eeg`.

    Args:
        kind: one of `KINDS`.
        raw: the file or folder.
        out: the store to write.
        options: of the call.

    Returns:
        The summary.
    """
    if kind == "skeletons":
        from stexplain.data.skeletons.prepare import prepare_skeletons

        if "channels" in options:
            options = {**options, "channels": [name.strip() for name in options["channels"].split(",")]}
        return prepare_skeletons(raw, out, **options)
    from stexplain.data.signals.prepare import prepare_eeg, prepare_regions

    if kind == "eeg":
        return prepare_eeg(raw, out, **options)
    if "train" in options:
        options = {**options, "train": _subjects(options["train"])}
    return prepare_regions(raw, out, **options)


def _subjects(given: str) -> "str | list[str]":
    """Subjects of training: a list, the lines of a file, or ``all``."""
    if given == "all":
        return given
    path = Path(given)
    if path.is_file():
        from stexplain.reading import read_text

        return [line.strip() for line in read_text(path).splitlines() if line.strip()]
    return [name.strip() for name in given.split(",") if name.strip()]
