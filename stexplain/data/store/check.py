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
    """What `check_store` verified: sizes of a store without problems, and what is implausible about its values."""

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
    """Verifies a store: sizes, checksums, labels, and that every value is finite, and zero where not valid.

    What is finite and hardly a measurement, such as a sensor that never changes, is no error: `warnings` name it.

    Raises:
        InputError: where the folder is no store.
        DataError: for the first problem.
        CardError: where the store holds its own card, and that is broken.
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
