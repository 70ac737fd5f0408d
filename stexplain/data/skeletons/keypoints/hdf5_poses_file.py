"""The poses in an HDF5 file of SLEAP or DeepLabCut; called in a process of its own, see `reading.child_process`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.data.readers import hdf5_frame
from stexplain.data.readers.plain_pickle import plain_value
from stexplain.reading.hdf5 import check_within

# How SLEAP orders the axes of its tracks, where it does not say it: as MATLAB reads them; and without the transposing.
_MATLAB, _PLAIN = ("track", "xy", "node", "frame"), ("frame", "node", "xy", "track")
_LEVELS = {"scorer", "individuals", "bodyparts", "coords"}


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Of SLEAP: ``tracks`` ``[M, T, N, 2]``, perhaps ``scores`` ``[M, T, N]``, ``joints``, ``bones`` ``[E, 2]``.

    Of DeepLabCut: ``values`` ``[T, columns]``, ``frames`` ``[T]``, ``columns`` ``[columns, levels]`` and ``levels``.

    Raises:
        ValueError: where the file is of neither, or not complete.
    """
    import h5py  # type: ignore[import-not-found, import-untyped, unused-ignore]  # optional, and ships no types

    with h5py.File(path, "r") as file:
        check_within(file)
        if "tracks" in file and "node_names" in file:
            return _sleap(file)
        if "pred_points" in file or ("instances" in file and "points" in file):
            raise ValueError(
                "it is a project of SLEAP; expected its analysis. Write it: sleap-convert --format analysis -o "
                "poses.analysis.h5 labels.slp"
            )
        if any(isinstance(one, h5py.Group) and "block0_values" in one for one in file.values()):
            return _fixed(path)
        tables = [one for one in file.values() if isinstance(one, h5py.Group) and "table" in one]
        if len(tables) == 1 and isinstance(tables[0]["table"], h5py.Dataset):
            return _deeplabcut(tables[0])
        held = ", ".join(list(file)[:8]) or "nothing"
        raise ValueError(
            f"it holds {held}; expected 'tracks' and 'node_names' of SLEAP's analysis, or one table of DeepLabCut. "
            "DeepLabCut's may be written as CSV: deeplabcut.analyze_videos(..., save_as_csv=True)"
        )


def _sleap(file: Any) -> dict[str, NDArray[Any]]:
    joints = _texts(file["node_names"][()])
    stored = file["tracks"]
    dims = _MATLAB if bool(file.attrs.get("transpose", True)) else _PLAIN
    if "dims" in stored.attrs:
        dims = tuple(json.loads(_text(stored.attrs["dims"])))
    if sorted(dims) != sorted(_MATLAB) or stored.ndim != len(dims):
        raise ValueError(f"its tracks have the axes {', '.join(map(str, dims))} and the shape {stored.shape}")
    tracks = np.asarray(stored[()], np.float32).transpose(
        [dims.index(name) for name in ("track", "frame", "node", "xy")]
    )
    if tracks.shape[2:] != (len(joints), 2):
        raise ValueError(f"its tracks have the shape {stored.shape}; expected {len(joints)} nodes of x and y")
    found: dict[str, NDArray[Any]] = {"tracks": tracks, "joints": np.array(joints, np.str_)}
    if "point_scores" in file:
        own = [name for name in dims if name != "xy"]
        scores = np.asarray(file["point_scores"][()], np.float32)
        if scores.ndim == len(own):
            scores = scores.transpose([own.index(name) for name in ("track", "frame", "node")])
        if scores.shape != tracks.shape[:3]:
            raise ValueError(f"its scores have the shape {file['point_scores'].shape}; expected one for each point")
        found["scores"] = scores
    bones = [_texts(pair) for pair in file["edge_names"][()]] if "edge_names" in file else []
    if any(len(pair) != 2 or not set(pair) <= set(joints) for pair in bones):
        raise ValueError("its edges are not pairs of its nodes")
    return {**found, "bones": np.array(bones, np.str_).reshape(-1, 2)}


def _fixed(path: Path) -> dict[str, NDArray[Any]]:
    """A table in pandas' fixed format, as it is where somebody wrote it anew."""
    found = hdf5_frame.arrays(path)
    columns, levels = found["block0_items"], [name for name in found["names"].tolist() if name]
    if columns.ndim != 2 or not {"bodyparts", "coords"} <= set(levels) or len(levels) != columns.shape[1]:
        raise ValueError(f"its columns have the levels {', '.join(levels) or 'none'}; expected bodyparts and coords")
    if str(found["kind"]) != "integer":
        raise ValueError(f"its rows are labelled by {found['kind']}; expected the frames of a video")
    return {
        "values": np.asarray(found["block0_values"], np.float32),
        "frames": np.asarray(found["axis1"], np.int64),
        "columns": columns,
        "levels": np.array(levels, np.str_),
    }


def _deeplabcut(group: Any) -> dict[str, NDArray[Any]]:
    table = group["table"][()]
    blocks = [name for name in table.dtype.names or () if name.startswith("values_block_")]
    if len(blocks) != 1 or "index" not in table.dtype.names or table[blocks[0]].ndim != 2:
        raise ValueError(
            f"its table has the columns {', '.join(table.dtype.names or ())}; expected one block of numbers"
        )
    kind = _text(group["table"].attrs.get("index_kind", b"integer"))
    if kind != "integer":
        raise ValueError(
            f"its rows are labelled by {kind}, as those of single images are; expected the frames of a video"
        )
    # Names are pickles of text alone.
    columns = _plain(group["table"].attrs[f"{blocks[0]}_kind"])
    about = _plain(group.attrs["info"])
    levels = [str(name) for name in about.get(1, {}).get("names", [])]
    if not {"bodyparts", "coords"} <= set(levels) or not set(levels) <= _LEVELS:
        raise ValueError(f"its columns have the levels {', '.join(levels) or 'none'}; expected bodyparts and coords")
    names = [[str(part) for part in column] for column in columns]
    values = np.asarray(table[blocks[0]], np.float32)
    if len(names) != values.shape[1] or any(len(column) != len(levels) for column in names):
        raise ValueError(f"it names {len(names)} columns of {values.shape[1]}")
    return {
        "values": values,
        "frames": np.asarray(table["index"], np.int64),
        "columns": np.array(names, np.str_),
        "levels": np.array(levels, np.str_),
    }


def _plain(content: Any) -> Any:
    return plain_value(bytes(content), Path("its list"), "names of columns")


def _texts(values: Any) -> list[str]:
    return [_text(value) for value in np.asarray(values).ravel().tolist()]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
