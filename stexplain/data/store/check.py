"""Verifies a prepared store, value by value."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stexplain.cards import dataset_card
from stexplain.checking import checked
from stexplain.data.store.implausible import implausible_recordings
from stexplain.data.store.prepared import CARD, Store
from stexplain.errors import DataError
from stexplain.files import sha256


@dataclass(frozen=True)
class StoreCheck:
    """What `check_store` verified: sizes of a store without problems, and what is implausible about its values.

    Attributes:
        path: of the folder.
        recordings: how many it holds.
        classes: how many they have.
        rows: of all arrays: frames of all instances of all recordings.
        bytes: of all files.
        planted: whether it has a ground truth.
        warnings: what is implausible, a sentence each.

    Example:
        >>> print(StoreCheck("store", 1440, 4, 181_034, 59_741_220, planted=True))
        store is complete: 1,440 recordings of 4 classes, 181,034 rows, 59.7 MB, with ground truth.
    """

    path: str
    recordings: int
    classes: int
    rows: int
    bytes: int
    planted: bool
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As a dictionary, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        whole = (
            f"{self.path} is complete: {self.recordings:,} recordings of {self.classes} classes, {self.rows:,} rows, "
            f"{self.bytes / 1e6:,.1f} MB{', with ground truth' if self.planted else ''}."
        )
        return "\n".join([whole, *(f"  warning:  {text}" for text in self.warnings)])


@checked
def check_store(path: Path) -> StoreCheck:
    r"""Verifies a store: sizes, checksums, labels, and that every value is finite, and zero where not valid.

    What is finite and hardly a measurement, such as a sensor that never changes, is no error: `warnings` name it.

    Args:
        path: of the folder, as `stexplain data prepare` made it.

    Returns:
        What it holds, and its problems; none: it is complete.

    Raises:
        InputError: where the folder is no store.
        DataError: for the first problem.
        CardError: where the store holds its own card, and that is broken.

    Example:
        >>> import tempfile
        >>> from stexplain.data.skeletons.prepare import prepare_skeletons
        >>> from stexplain.graph import STGraph
        >>> folder, graph = Path(tempfile.mkdtemp()), STGraph.from_edges(["hip", "foot"], [("hip", "foot")])
        >>> rows = [f"{clip},{t},{joint},{t},0" for clip in ("a", "b") for t in range(3) for joint in graph.nodes]
        >>> _ = (folder / "steps.csv").write_text("sample,frame,joint,x,y\n" + "\n".join(rows))
        >>> labels = {"a": "up", "b": "down"}
        >>> _ = prepare_skeletons(folder / "steps.csv", folder / "store", graph=graph, labels=labels)
        >>> print(check_store(folder / "store"))  # foot moves as hip does, and b as a
        /.../store is complete: 2 recordings of 2 classes, 6 rows, 0.0 MB.
          warning:  1 of 2 recordings repeats another recording, value for value (b)
          warning:  1 of 2 nodes repeats another in every recording (foot as hip)
    """
    store = Store.open(path)
    # The store of files of one's own holds its card.
    if (store.path / CARD).is_file():
        dataset_card(store.path)
    for name, entry in store.info["files"].items():
        if (digest := sha256(store.path / name)) != entry["sha256"]:
            raise DataError(
                f"{store.path / name} has changed since it was prepared: its SHA-256 is {digest}; expected "
                f"{entry['sha256']}. Prepare it again."
            )
    # In parts: a store may be larger than memory.
    rows, step = store.rows, 1 << 16
    for start in range(0, len(rows.valid), step):
        valid = rows.valid[start : start + step]
        for name, values in (("x.npy", rows.x), ("counterfactual.npy", rows.counterfactual)):
            part = rows.x[:0] if values is None else values[start : start + step]
            if not np.isfinite(part).all() or part[~valid[: len(part)]].any():
                raise DataError(
                    f"{store.path / name} holds values that are not finite, or not zero where not valid. Prepare "
                    "it again."
                )
    # Predictions and explanations are matched to recordings by id.
    if store.table["id"].duplicated().any():
        raise DataError(f"{store.path / 'index.csv'} names a recording twice. Prepare it again.")
    return StoreCheck(
        path=str(store.path),
        recordings=len(store.table),
        classes=len(store.class_names),
        rows=len(rows.valid),
        bytes=sum(entry["bytes"] for entry in store.info["files"].values()),
        planted=rows.truth is not None,
        warnings=tuple(implausible_recordings(store)),
    )
