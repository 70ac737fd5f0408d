"""Reads signals of sensors, a `.npy` file per recording: ``[T, N, 3]``, float32, as `planted.graph` writes them."""

import re
from pathlib import Path

import numpy as np

from stexplain.cards import DatasetCard
from stexplain.data.recording import Recording, RecordingFile
from stexplain.errors import DataError
from stexplain.reading.contents import files_under
from stexplain.reading.npy import load_npy

_NAME = re.compile(r"f(?P<fold>\d+)_r(?P<repetition>\d+)_(?P<kind>.+)")


def find(root: Path, card: DatasetCard) -> list[RecordingFile]:
    """The recordings under a folder, sorted by id; no file is opened.

    Args:
        root: a folder; its subfolders are searched too.
        card: whose class ids (``"fall-a"`` ...) give the labels.

    Returns:
        One entry per ``*.npy`` file that is no ground truth or counterfactual. Where the name is not of the form
        ``f1_r003_fall-a``, or its class is not on the card, the label is -1 and `problem` says why.
    """
    labels = {str(entry.id): label for label, entry in enumerate(card.classes)}
    files = []
    # By name first, not by folder: the order of recordings must not depend on how they were unpacked.
    for path in sorted(
        (path for path in files_under(Path(root)) if path.match("*.npy")), key=lambda path: (path.stem, path)
    ):
        # Ground truth and counterfactual lie beside each recording, and preparation finds them there.
        if path.name.endswith((".truth.npy", ".counterfactual.npy")):
            continue
        match = _NAME.fullmatch(path.stem)
        if match is None:
            problem = "the name is not of the form f1_r003_fall-a, so fold and class are unknown"
            files.append(RecordingFile(path.stem, path, -1, {}, problem))
            continue
        fields = {name: int(match[name]) for name in ("fold", "repetition")}
        kind = match["kind"]
        problem = "" if kind in labels else f"class {kind!r} is not on the card {card.name!r}"
        files.append(RecordingFile(path.stem, path, labels.get(kind, -1), fields, problem))
    return files


def read(path: Path) -> Recording:
    """Reads one recording, of one instance.

    Raises:
        DataError: where the file is missing, no array of numbers, or not ``[T, N, 3]`` and finite.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "f1_r001_fall-a.npy"
        >>> np.save(path, np.zeros((5, 40, 3), np.float32))
        >>> read(path).values.shape
        (1, 5, 40, 3)
    """
    path = Path(path)
    values = load_npy(path, remedy="Write it by numpy.save, without objects.")
    if values.ndim != 3 or values.shape[2] != 3 or values.dtype.kind not in "fiu":
        raise DataError(f"{path} holds {values.dtype} {values.shape}; expected numbers [T, N, 3].")
    signals = values.astype(np.float32)
    # After the cast: a float64 may be finite and too large for float32.
    if not np.isfinite(signals).all():
        raise DataError(
            f"{path}, frame {int(np.argwhere(~np.isfinite(signals))[0, 0])}: not finite; expected numbers. "
            "Generate it again."
        )
    # One instance: [T, N, 3] -> [1, T, N, 3].
    return Recording(signals[None], (0,))
