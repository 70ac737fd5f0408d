"""The prepared store: recordings of any length in one memory-mapped folder.

- `store.json`: what was prepared from what, and the size and SHA-256 of each file below
- `index.csv`: one line per recording: id, class, label, frames, instances, bodies, offset, and the dataset's fields
- `x.npy`: float32 ``[rows, N, C]``; zero where not valid or not observed
- `valid.npy`: bool ``[rows]``
- `observed.npy`: bool ``[rows, N]``, which nodes were read, where some were not in frames that hold others
- `truth.npy`: bool ``[rows, N]``, the ground truth, where the recordings have one
- `counterfactual.npy`: as `x.npy`, the same recordings without their cause, where a generator gives them
- `excluded.csv`: recordings that were excluded, and why
- `left_out.csv`: bodies that were joined to another or left out as no persons, and why; not of generated data

Recording i has `instances` x `frames` rows from `offset` on, all frames of its first instance first. Nothing is
pickled, and only the index is read into memory.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import DataError, InputError
from stexplain.files import read_json
from stexplain.reading import given_path
from stexplain.reading.npy import load_npy
from stexplain.reading.shape import Form, check_shape
from stexplain.reading.table import read_csv
from stexplain.reading.within import inside, refuse_links_out

LEFT_OUT = "left_out.csv"
CARD = "card.toml"
"""Of the store of files of one's own."""
FORMAT = "stexplain store"
# Raised whenever a file or key changes its name or meaning; a store of another version is refused, not guessed at.
VERSION = 3
# Stores of version 2 are those of version 3 in which no node is missing.
_READ = (2, VERSION)
COLUMNS = ("id", "class", "label", "frames", "instances", "bodies", "offset")
"""The columns of every index; those that follow are the dataset's own fields."""


_AGAIN = "Prepare the recordings again."


class _File(Form):
    bytes: int
    sha256: str


class _Class(Form):
    id: int | str
    name: str


class _Measured(Form):
    units: list[str]
    frame_rate: float | None
    start: float
    up: Literal["", "x", "y", "z", "-x", "-y", "-z"] = ""


class _Info(Form):
    """What is taken from `store.json`."""

    card: str
    nodes: list[str]
    channels: list[str]
    classes: list[_Class]
    files: dict[str, _File]
    excluded: dict[str, int]
    found: int
    kept: int
    rows: int
    # Of stores of one's own files; datasets have cards that say it.
    measured: _Measured | None = None


@dataclass(frozen=True)
class Rows:
    """Recordings laid end to end.

    Attributes:
        x: ``[rows, N, C]``, float32; zero where not valid.
        valid: ``[rows]``, bool.
        truth: ``[rows, N]``, bool, or none.
        offset: the first row of each recording, ``[n]``.
        instances: of each recording, ``[n]``.
        frames: of each recording, ``[n]``. Row ``offset + m * frames + t`` is instance m at frame t.
        counterfactual: as `x`, of the same recordings without their cause; or none.
        observed: which nodes were read, ``[rows, N]``, bool; none: all of those in valid rows.
    """

    x: NDArray[np.float32]
    valid: NDArray[np.bool_]
    truth: NDArray[np.bool_] | None
    offset: NDArray[np.int64]
    instances: NDArray[np.int64]
    frames: NDArray[np.int64]
    counterfactual: NDArray[np.float32] | None = None
    observed: NDArray[np.bool_] | None = None


@checked
@dataclass(frozen=True)
class Store:
    r"""An opened store; the arrays of `rows` are memory-mapped.

    Attributes:
        path: of the folder.
        info: the content of `store.json`.
        table: the index, one line per recording.
        rows: the values.

    Example:
        >>> import tempfile
        >>> from stexplain.data.skeletons.prepare import prepare_skeletons
        >>> from stexplain.graph import STGraph
        >>> folder, graph = Path(tempfile.mkdtemp()), STGraph.from_edges(["hip", "foot"], [("hip", "foot")])
        >>> rows = [f"{clip},{t},{joint},{t},0" for clip in ("a", "b") for t in range(3) for joint in graph.nodes]
        >>> _ = (folder / "steps.csv").write_text("sample,frame,joint,x,y\n" + "\n".join(rows))
        >>> labels = {"a": "up", "b": "down"}
        >>> _ = prepare_skeletons(folder / "steps.csv", folder / "store", graph=graph, labels=labels)
        >>> store = Store.open(folder / "store")
        >>> store.class_names, store.table["frames"].tolist(), store.rows.x.shape
        (['down', 'up'], [3, 3], (6, 2, 2))
    """

    path: Path
    info: dict[str, Any]
    table: pd.DataFrame
    rows: Rows

    @property
    def class_names(self) -> list[str]:
        """The classes of which the store holds recordings, in the card's order: what `label` indexes."""
        return [str(entry["name"]) for entry in self.info["classes"]]

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Opens a store. Sizes are compared, contents are not: see `stexplain.data.check_store` for those.

        Raises:
            InputError: where the folder is no store.
            DataError: where the store is incomplete, its files disagree, or a link leads out of it.
        """
        path = given_path(path, "path")
        if not is_store(path):
            raise InputError(
                f"{path} is not a prepared store: it has no store.json. "
                "Make one with `stexplain data prepare CARD RAW --out DIR`."
            )
        refuse_links_out(path)
        info = read_json(path / "store.json", remedy=_AGAIN)
        if info.get("format") != FORMAT or info.get("version") not in _READ:
            raise DataError(
                f"{path / 'store.json'}: got format {info.get('format')!r}, version {info.get('version')!r}; expected "
                f"{FORMAT!r}, version {VERSION}. Prepare the recordings again with this version."
            )
        check_shape(path / "store.json", info, _Info, _AGAIN)
        # Sizes are compared on every opening, since that is free; checksums only by `check_store`.
        for name, entry in info["files"].items():
            inside(name, path / "store.json", _AGAIN)
            size = (path / name).stat().st_size if (path / name).is_file() else None
            if size != entry["bytes"]:
                state = "is missing" if size is None else f"has {size} bytes"
                raise DataError(
                    f"{path / name} {state}; expected {entry['bytes']} bytes. The store is incomplete: prepare the "
                    "recordings again."
                )
        # Without this, pandas reads ids such as 007 as numbers, and a class called NA as missing.
        texts = {"id": str, "class": str}
        table = read_csv(path / "index.csv", remedy=_AGAIN, dtype=texts, keep_default_na=False)
        if wrong := _wrong_column(table):
            raise DataError(f"{path / 'index.csv'}: {wrong}. {_AGAIN}")
        rows = Rows(
            _mapped(path / "x.npy"),
            _mapped(path / "valid.npy"),
            _mapped(path / "truth.npy") if "truth.npy" in info["files"] else None,
            table["offset"].to_numpy(np.int64),
            table["instances"].to_numpy(np.int64),
            table["frames"].to_numpy(np.int64),
            _mapped(path / "counterfactual.npy") if "counterfactual.npy" in info["files"] else None,
            _mapped(path / "observed.npy") if "observed.npy" in info["files"] else None,
        )
        store = cls(path, info, table, rows)
        store._compare_shapes()
        return store

    def _compare_shapes(self) -> None:
        """Refuses arrays that do not fit the index, which would read one recording's rows as another's."""
        rows, sizes = self.rows, self.rows.instances * self.rows.frames
        count, nodes, channels = int(sizes.sum()), len(self.info["nodes"]), len(self.info["channels"])
        arrays = [("x.npy", rows.x, (count, nodes, channels), "float32"), ("valid.npy", rows.valid, (count,), "bool")]
        if rows.observed is not None:
            arrays.append(("observed.npy", rows.observed, (count, nodes), "bool"))
        if rows.truth is not None:
            arrays.append(("truth.npy", rows.truth, (count, nodes), "bool"))
        if rows.counterfactual is not None:
            arrays.append(("counterfactual.npy", rows.counterfactual, rows.x.shape, "float32"))
        for name, array, shape, kind in arrays:
            if array.shape != shape or array.dtype != kind:
                raise DataError(
                    f"{self.path / name} is {array.dtype} {array.shape}; expected {kind} {shape}, by the index. "
                    "The files are not of one store: prepare it again."
                )
        # Recordings lie end to end, so each begins where the one before ends.
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else sizes
        labels = self.table["label"].to_numpy(np.int64)
        if not np.array_equal(rows.offset, offsets) or ((labels < 0) | (labels >= len(self.info["classes"]))).any():
            raise DataError(f"{self.path / 'index.csv'} contradicts itself in offsets or labels. Prepare it again.")


def is_store(path: Path) -> bool:
    """Whether a folder is a store, complete or not."""
    return (Path(path) / "store.json").is_file()


def _wrong_column(table: pd.DataFrame) -> str:
    """The first column of an index that is missing or holds other than whole numbers where it must."""
    for name in COLUMNS:
        if name not in table.columns:
            return f"it has no column {name!r}"
        if name not in ("id", "class") and table[name].dtype.kind not in "iu":
            return f"column {name!r} holds other than whole numbers"
        if name in ("frames", "instances", "offset") and ((table[name] < 0) | (table[name] > 1 << 40)).any():
            return f"column {name!r} holds numbers that no recording has"
    return ""


def _mapped(path: Path) -> NDArray[Any]:
    # As a plain array: np.memmap's own indexing costs more and gives back np.memmap.
    return load_npy(path, mapped=True, remedy=_AGAIN)
